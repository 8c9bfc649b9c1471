package mfa

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"sallyport/mfa/throttle"
	"sallyport/storage"
)

var t0 = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// allInfos returns the real methods, a passkey, and codes by e-mail.
func allInfos() []Info {
	have, know, are := storage.Have, storage.Know, storage.Are
	return []Info{
		{Name: "password", Kinds: []storage.Kind{know}, AMR: []string{"pwd"}, First: true, Chosen: true, Typed: true, Bucket: throttle.Password},
		{Name: "totp", Kinds: []storage.Kind{have}, AMR: []string{"otp"}, Second: true, Typed: true, Enrolls: true, Bucket: throttle.Factor},
		{Name: "recovery", Kinds: []storage.Kind{have}, AMR: []string{"otp"}, Second: true, Typed: true, Bucket: throttle.Factor},
		{Name: "email", Kinds: []storage.Kind{have}, AMR: []string{"otp"}, Second: true, Typed: true, Sends: true, Bucket: throttle.Factor},
		{Name: "passkey", Kinds: []storage.Kind{have, are}, AMR: []string{"hwk", "user"}, PhishingResistant: true, First: true, Second: true, Bucket: throttle.Factor},
	}
}

// gave returns a proof with a method some time ago.
func gave(method string, ago time.Duration) storage.Factor {
	for _, i := range allInfos() {
		if i.Name == method {
			return storage.Factor{Method: method, Authenticator: storage.AuthenticatorID("id-" + method), Kinds: i.Kinds, AMR: i.AMR,
				PhishingResistant: i.PhishingResistant, At: t0.Add(-ago)}
		}
	}
	panic(method)
}

// has returns an account with methods enrolled. A trailing '!' marks a disabled one, '?' a
// pending one, '0' used-up recovery codes.
func has(flag bool, methods ...string) *storage.Account {
	a := &storage.Account{User: storage.User{ID: "u", Status: storage.UserActive, MFAEnabled: flag}}
	for _, m := range methods {
		x := storage.Authenticator{State: storage.AuthenticatorActive, UserID: "u"}
		switch m[len(m)-1] {
		case '!':
			x.State = storage.AuthenticatorDisabled
		case '?':
			x.State = storage.AuthenticatorPending
		case '0':
			x.Counter, x.Data = 10, json.RawMessage(`{"uses":10}`)
		default:
			m += " "
		}
		x.Method = m[:len(m)-1]
		x.ID = storage.AuthenticatorID("id-" + x.Method)
		a.Authenticators = append(a.Authenticators, x)
	}
	return a
}

// row is a case of the policy table.
type row struct {
	name    string
	policy  Policy
	account *storage.Account
	given   []storage.Factor
	asked   Requirements
	need    Need
	acr     Level
	methods string
}

func always() Policy { return Policy{MFA: MFAAlways} }
func hourly() Policy { return Policy{MFA: MFATimeBased, Interval: time.Hour} }

func only(p Policy, methods ...string) Policy { p.Methods = methods; return p }
func less(p Policy) Policy                    { p.Passwordless = true; return p }

func acr(ls ...Level) Requirements         { return Requirements{Voluntary: ls} }
func must(ls ...Level) Requirements        { return Requirements{Essential: ls} }
func since(ago time.Duration) Requirements { return Requirements{Since: t0.Add(-ago)} }

func one() []storage.Factor  { return []storage.Factor{gave("password", time.Minute)} }
func both() []storage.Factor { return []storage.Factor{gave("password", time.Minute), gave("totp", 0)} }

func TestRequire(t *testing.T) {
	for _, rows := range [][]row{unknownUserRows(), offRows(), alwaysRows(), kindRows(), passwordlessRows(), timeBasedRows(), voluntaryRows(), essentialRows(), sinceRows()} {
		for _, tc := range rows {
			t.Run(tc.name, func(t *testing.T) {
				v := Require(tc.policy, tc.account, tc.given, tc.asked, allInfos(), t0)
				if v.Need != tc.need || v.ACR != tc.acr || fmt.Sprint(v.Methods) != fmt.Sprintf("[%s]", tc.methods) {
					t.Errorf("need %q, acr %q, methods %v; want %q, %q, [%s]", v.Need, v.ACR, v.Methods, tc.need, tc.acr, tc.methods)
				}
			})
		}
	}
}

// No identified user.
func unknownUserRows() []row {
	disabled := has(false, "password")
	disabled.User.Status = storage.UserDisabled
	return []row{
		{"unknown user", Policy{}, nil, nil, Requirements{}, NeedFirst, None, "password passkey"},
		{"unknown user, proofs given", Policy{}, nil, both(), Requirements{}, NeedFirst, None, "password passkey"},
		{"a user without a proof", Policy{}, has(false, "password"), nil, Requirements{}, NeedFirst, None, "password passkey"},
		{"a disabled user with a proof", Policy{}, disabled, one(), Requirements{}, NeedFirst, None, "password passkey"},
		{"a first method the client does not allow", only(Policy{}, "passkey"), has(false, "password"), one(), Requirements{}, NeedFirst, None, "passkey"},
	}
}

// OFF: one factor finishes though others exist.
func offRows() []row {
	return []row{
		{"off, password", Policy{}, has(false, "password"), one(), Requirements{}, NeedNothing, AAL1, ""},
		{"off, password, totp enrolled", Policy{}, has(false, "password", "totp"), one(), Requirements{}, NeedNothing, AAL1, ""},
		{"explicitly off", Policy{MFA: MFAOff}, has(false, "password", "totp"), one(), Requirements{}, NeedNothing, AAL1, ""},
		{"off, both given", Policy{}, has(false, "password", "totp"), both(), Requirements{}, NeedNothing, AAL2, ""},
		{"off, the user wants two", Policy{}, has(true, "password", "totp"), one(), Requirements{}, NeedSecond, AAL1, "totp"},
		{"off, the user wants two and gave two", Policy{}, has(true, "password", "totp"), both(), Requirements{}, NeedNothing, AAL2, ""},
		{"off, the user wants two and has one", Policy{}, has(true, "password"), one(), Requirements{}, NeedEnroll, AAL1, "totp"},
	}
}

// ALWAYS.
func alwaysRows() []row {
	return []row{
		{"always, totp enrolled", always(), has(false, "password", "totp"), one(), Requirements{}, NeedSecond, AAL1, "totp"},
		{"always, several enrolled", always(), has(false, "password", "totp", "recovery", "email"), one(), Requirements{}, NeedSecond, AAL1, "totp recovery email"},
		{"always, both given", always(), has(false, "password", "totp"), both(), Requirements{}, NeedNothing, AAL2, ""},
		{"always, password and recovery code", always(), has(false, "password", "recovery"), []storage.Factor{gave("password", time.Minute), gave("recovery", 0)}, Requirements{}, NeedNothing, AAL2, ""},
		{"always, nothing enrolled", always(), has(false, "password"), one(), Requirements{}, NeedEnroll, AAL1, "totp"},
		{"always, a pending enrolment", always(), has(false, "password", "totp?"), one(), Requirements{}, NeedEnroll, AAL1, "totp"},
		{"always, recovery codes used up and nothing else", always(), has(false, "password", "recovery0"), one(), Requirements{}, NeedEnroll, AAL1, "totp"},
		{"always, the factor disabled", always(), has(false, "password", "totp!"), one(), Requirements{}, NeedSecond, AAL1, "totp"},
		{"always, what is enrolled is not allowed", only(always(), "email"), has(false, "password", "totp"), one(), Requirements{}, NeedUnmet, AAL1, ""},
		{"always, nothing enrolled and nothing to enrol allowed", only(always(), "email"), has(false, "password"), one(), Requirements{}, NeedUnmet, AAL1, ""},
		{"always, a proof that is not allowed does not count", only(always(), "totp"), has(false, "password", "totp", "email"),
			[]storage.Factor{gave("password", time.Minute), gave("email", 0)}, Requirements{}, NeedSecond, AAL1, "totp"},
		{"an unknown policy is taken for always", Policy{MFA: "SMART"}, has(false, "password", "totp"), one(), Requirements{}, NeedSecond, AAL1, "totp"},
	}
}

// Kinds.
func kindRows() []row {
	return []row{
		{"the same kind twice is not two", always(), has(false, "password", "totp", "email"), []storage.Factor{gave("email", 0), gave("totp", 0)}, Requirements{}, NeedFirst, AAL1, "password passkey"},
		{"a passkey alone is two factors", always(), has(false, "passkey"), []storage.Factor{gave("passkey", 0)}, Requirements{}, NeedNothing, PHR, ""},
		{"password and passkey", always(), has(false, "password", "passkey"), []storage.Factor{gave("password", time.Minute), gave("passkey", 0)}, Requirements{}, NeedNothing, PHR, ""},
		{"a passkey is offered as second factor", always(), has(false, "password", "totp", "passkey"), one(), Requirements{}, NeedSecond, AAL1, "totp passkey"},
	}
}

// PASSWORDLESS.
func passwordlessRows() []row {
	return []row{
		{"totp alone where that is not allowed", Policy{}, has(false, "password", "totp"), []storage.Factor{gave("totp", 0)}, Requirements{}, NeedFirst, AAL1, "password passkey"},
		{"totp alone where it is", less(Policy{}), has(false, "password", "totp"), []storage.Factor{gave("totp", 0)}, Requirements{}, NeedNothing, AAL1, ""},
		{"totp alone is never two", less(always()), has(false, "password", "totp"), []storage.Factor{gave("totp", 0)}, Requirements{}, NeedFirst, AAL1, "password"},
		{"totp and recovery code are never two", less(always()), has(false, "password", "totp", "recovery"), []storage.Factor{gave("totp", 0), gave("recovery", 0)}, Requirements{}, NeedFirst, AAL1, "password"},
		{"totp alone of a user who wants two", less(Policy{}), has(true, "password", "totp"), []storage.Factor{gave("totp", 0)}, Requirements{}, NeedFirst, AAL1, "password"},
		{"totp alone of a user without a password who wants two", less(Policy{}), has(true, "totp"), []storage.Factor{gave("totp", 0)}, Requirements{}, NeedUnmet, AAL1, ""},
		{"totp, then the password", less(always()), has(false, "password", "totp"), both(), Requirements{}, NeedNothing, AAL2, ""},
	}
}

// TIME_BASED.
func timeBasedRows() []row {
	return []row{
		{"hourly, no second factor yet", hourly(), has(false, "password", "totp"), one(), Requirements{}, NeedSecond, AAL1, "totp"},
		{"hourly, second factor now", hourly(), has(false, "password", "totp"), both(), Requirements{}, NeedNothing, AAL2, ""},
		{"hourly, 59 minutes ago", hourly(), has(false, "password", "totp"), []storage.Factor{gave("password", 9*time.Hour), gave("totp", 59*time.Minute)}, Requirements{}, NeedNothing, AAL2, ""},
		{"hourly, exactly an hour ago", hourly(), has(false, "password", "totp"), []storage.Factor{gave("password", time.Minute), gave("totp", time.Hour)}, Requirements{}, NeedNothing, AAL2, ""},
		{"hourly, more than an hour ago", hourly(), has(false, "password", "totp"), []storage.Factor{gave("password", 9*time.Hour), gave("totp", 61*time.Minute)}, Requirements{}, NeedSecond, AAL1, "totp"},
		{"hourly, nothing enrolled", hourly(), has(false, "password"), one(), Requirements{}, NeedEnroll, AAL1, "totp"},
		{"hourly, an old passkey alone", hourly(), has(false, "passkey"), []storage.Factor{gave("passkey", 2*time.Hour)}, Requirements{}, NeedFirst, None, "password passkey"},
		{"no interval: the proof of this login counts", Policy{MFA: MFATimeBased}, has(false, "password", "totp"), []storage.Factor{gave("password", time.Minute), gave("totp", 4*time.Minute)}, Requirements{}, NeedNothing, AAL2, ""},
	}
}

// acr_values: met where the user can.
func voluntaryRows() []row {
	return []row{
		{"aal2 wished, totp enrolled", Policy{}, has(false, "password", "totp"), one(), acr(AAL2), NeedSecond, AAL1, "totp"},
		{"aal2 wished, nothing enrolled", Policy{}, has(false, "password"), one(), acr(AAL2), NeedNothing, AAL1, ""},
		{"aal2 wished, factor switched off", Policy{}, has(false, "password", "totp!"), one(), acr(AAL2), NeedNothing, AAL1, ""},
		{"aal2 wished, not allowed here", only(Policy{}, "email"), has(false, "password", "totp"), one(), acr(AAL2), NeedNothing, AAL1, ""},
		{"aal2 wished and given", Policy{}, has(false, "password", "totp"), both(), acr(AAL2), NeedNothing, AAL2, ""},
		{"phr or aal2 wished, no passkey", Policy{}, has(false, "password", "totp"), one(), acr(PHR, AAL2), NeedSecond, AAL1, "totp"},
		{"phr or aal2 wished, with passkey", Policy{}, has(false, "password", "totp", "passkey"), one(), acr(PHR, AAL2), NeedSecond, AAL1, "passkey"},
		{"phr wished, none enrolled", Policy{}, has(false, "password", "totp"), both(), acr(PHR), NeedNothing, AAL2, ""},
		{"aal1 before aal2 wished", Policy{}, has(false, "password", "totp"), one(), acr(AAL1, AAL2), NeedNothing, AAL1, ""},
		{"a wish does not lower the policy", always(), has(false, "password", "totp"), one(), acr(AAL1), NeedSecond, AAL1, "totp"},
		{"a wish for something unheard of", Policy{}, has(false, "password", "totp"), one(), acr("loa9"), NeedNothing, AAL1, ""},
		{"aal2 wished before anybody is there", Policy{}, has(false, "password", "totp"), nil, acr(AAL2), NeedFirst, None, "password passkey"},
	}
}

// Essential acr: met or refused.
func essentialRows() []row {
	return []row{
		{"aal2 essential, totp enrolled", Policy{}, has(false, "password", "totp"), one(), must(AAL2), NeedSecond, AAL1, "totp"},
		{"aal2 essential, nothing enrolled, policy off", Policy{}, has(false, "password"), one(), must(AAL2), NeedUnmet, AAL1, ""},
		{"aal2 essential, nothing enrolled, policy always", always(), has(false, "password"), one(), must(AAL2), NeedEnroll, AAL1, "totp"},
		{"phr essential, only totp, policy always", always(), has(false, "password", "totp"), both(), must(PHR), NeedUnmet, AAL2, ""},
		{"phr essential, nothing, policy always", always(), has(false, "password"), one(), must(PHR), NeedUnmet, AAL1, ""},
		{"phr essential, passkey enrolled", Policy{}, has(false, "password", "passkey"), one(), must(PHR), NeedSecond, AAL1, "passkey"},
		{"aal2 or phr essential, totp enrolled", Policy{}, has(false, "password", "totp"), one(), must(PHR, AAL2), NeedSecond, AAL1, "totp"},
		{"aal1 essential, both given: the answer names aal1", Policy{}, has(false, "password", "totp"), both(), must(AAL1), NeedNothing, AAL1, ""},
		{"aal1 or aal2 essential, both given", Policy{}, has(false, "password", "totp"), both(), must(AAL1, AAL2), NeedNothing, AAL2, ""},
		{"an essential level unheard of", Policy{}, has(false, "password", "totp"), both(), must("loa9"), NeedUnmet, AAL2, ""},
	}
}

// prompt=login and max_age demand new proofs.
func sinceRows() []row {
	return []row{
		{"everything is from before", Policy{}, has(false, "password", "totp"), both(), since(-time.Second), NeedFirst, None, "password passkey"},
		{"password again, second factor from before, off", Policy{}, has(false, "password", "totp"), []storage.Factor{gave("password", time.Minute), gave("totp", time.Hour)}, since(2 * time.Minute), NeedNothing, AAL1, ""},
		{"password again, second factor from before, always", always(), has(false, "password", "totp"), []storage.Factor{gave("password", time.Minute), gave("totp", time.Hour)}, since(2 * time.Minute), NeedSecond, AAL1, "totp"},
		{"second factor again, password from before", always(), has(false, "password", "totp"), []storage.Factor{gave("password", time.Hour), gave("totp", 0)}, since(2 * time.Minute), NeedFirst, AAL1, "password passkey"},
		{"both again", always(), has(false, "password", "totp"), both(), since(2 * time.Minute), NeedNothing, AAL2, ""},
		{"at the very moment", Policy{}, has(false, "password"), one(), since(time.Minute), NeedNothing, AAL1, ""},
	}
}

// Invariants over all combinations.
func TestRequireNeverFinishesBelowTheRequiredLevel(t *testing.T) {
	n := 0
	for _, policy := range []Policy{{}, {MFA: MFAAlways}, {MFA: MFATimeBased, Interval: time.Hour}} {
		for _, allowed := range [][]string{nil, {"totp"}, {"email", "recovery"}} {
			for mask := range 1 << 10 {
				bit := func(i int) bool { return mask>>i&1 == 1 }
				p := policy
				p.Methods, p.Passwordless = allowed, bit(0)
				var enrolled []string
				var given []storage.Factor
				for i, m := range []string{"password", "totp", "recovery"} {
					if bit(1 + i) {
						enrolled = append(enrolled, m)
					}
					if bit(4 + i) {
						given = append(given, gave(m, time.Duration(i)*90*time.Minute))
					}
				}
				asked := Requirements{}
				if bit(7) {
					asked.Essential = []Level{AAL2}
				}
				if bit(8) {
					asked.Since = t0.Add(-2 * time.Hour)
				}
				a := has(bit(9), enrolled...)
				check(t, p, a, given, asked)
				n++
			}
		}
	}
	if n != 9*1024 {
		t.Fatalf("%d combinations, want %d", n, 9*1024)
	}
}

func check(t *testing.T, p Policy, a *storage.Account, given []storage.Factor, asked Requirements) {
	t.Helper()
	v := Require(p, a, given, asked, allInfos(), t0)
	state := fmt.Sprintf("policy %+v flag %v given %v asked %+v: %+v", p, a.User.MFAEnabled, given, asked, v)
	two := p.MFA != "" || a.User.MFAEnabled || len(asked.Essential) > 0
	kinds := map[storage.Kind]bool{}
	for _, f := range v.Factors {
		kinds[f.Kinds[0]] = true
		if f.At.Before(asked.Since) {
			t.Fatalf("counts a proof from before: %s", state)
		}
		if len(p.Methods) > 0 && f.Method != "password" && !slices.Contains(p.Methods, f.Method) {
			t.Fatalf("counts a method that is not allowed: %s", state)
		}
	}
	switch {
	case v.Need == NeedNothing && two && len(kinds) < 2:
		t.Fatalf("done with one kind: %s", state)
	case v.Need == NeedNothing && len(v.Factors) == 0:
		t.Fatalf("done without a proof: %s", state)
	case v.Need == NeedNothing && !p.Passwordless && !kinds[storage.Know]:
		t.Fatalf("done without a first factor: %s", state)
	case len(kinds) < 2 && (v.ACR == AAL2 || slices.Contains(v.AMR, "mfa")):
		t.Fatalf("claims two kinds: %s", state)
	case !two && v.Need == NeedEnroll:
		t.Fatalf("enrols although nobody demands it: %s", state)
	case v.Need == NeedEnroll && HasSecond(a, allInfos()):
		t.Fatalf("enrols beside a factor: %s", state)
	case (v.Need == NeedSecond || v.Need == NeedEnroll) && len(v.Methods) == 0:
		t.Fatalf("nothing to do it with: %s", state)
	case v.Need != NeedNothing && v.Need != NeedFirst && v.ACR.AtLeast(v.Needed):
		t.Fatalf("asks for more than needed: %s", state)
	}
}

func TestAuthTimeIsTheNewestProof(t *testing.T) {
	v := Require(Policy{}, has(false, "password", "totp"), []storage.Factor{gave("totp", time.Minute), gave("password", time.Hour)}, Requirements{}, allInfos(), t0)
	if !v.AuthTime.Equal(t0.Add(-time.Minute)) || v.Factors[0].Method != "password" {
		t.Errorf("auth time %s, counted %v; want a minute ago, the password first", v.AuthTime, v.Factors)
	}
}

func TestAssess(t *testing.T) {
	for _, tc := range []struct {
		name  string
		given []storage.Factor
		acr   Level
		amr   string
	}{
		{"nothing", nil, None, "[]"},
		{"password", []storage.Factor{gave("password", 0)}, AAL1, "[pwd]"},
		{"totp", []storage.Factor{gave("totp", 0)}, AAL1, "[otp]"},
		{"totp twice", []storage.Factor{gave("totp", 0), gave("totp", 0)}, AAL1, "[otp]"},
		{"totp and recovery code", []storage.Factor{gave("totp", 0), gave("recovery", 0)}, AAL1, "[otp]"},
		{"password and totp", []storage.Factor{gave("password", 0), gave("totp", 0)}, AAL2, "[mfa otp pwd]"},
		{"password and recovery code", []storage.Factor{gave("recovery", 0), gave("password", 0)}, AAL2, "[mfa otp pwd]"},
		{"passkey", []storage.Factor{gave("passkey", 0)}, PHR, "[hwk mfa user]"},
		{"a security key without user verification", []storage.Factor{{Kinds: []storage.Kind{storage.Have}, AMR: []string{"hwk"}, PhishingResistant: true}}, AAL1, "[hwk]"},
	} {
		acr, amr := Assess(tc.given)
		if acr != tc.acr || fmt.Sprint(amr) != tc.amr {
			t.Errorf("%s: %s %v, want %s %s", tc.name, acr, amr, tc.acr, tc.amr)
		}
	}
}
