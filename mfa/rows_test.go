package mfa

import (
	"encoding/json"
	"time"

	"sallyport/mfa/throttle"
	"sallyport/storage"
)

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

// proofWith returns a proof with a method some time ago.
func proofWith(method string, ago time.Duration) storage.Factor {
	for _, i := range allInfos() {
		if i.Name == method {
			return storage.Factor{Method: method, Authenticator: storage.AuthenticatorID("id-" + method), Kinds: i.Kinds, AMR: i.AMR,
				PhishingResistant: i.PhishingResistant, At: t0.Add(-ago)}
		}
	}
	panic(method)
}

// accountWith returns an account with methods enrolled. A trailing '!' marks a disabled one, '?' a
// pending one, '0' used-up recovery codes.
func accountWith(flag bool, methods ...string) *storage.Account {
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
	name     string
	policy   Policy
	account  *storage.Account
	given    []storage.Factor
	required Requirements
	need     Need
	acr      Level
	methods  string
}

func always() Policy { return Policy{MFA: MFAAlways} }

func hourly() Policy { return Policy{MFA: MFATimeBased, Interval: time.Hour} }

func only(p Policy, methods ...string) Policy { p.Methods = methods; return p }

func passwordless(p Policy) Policy { p.Passwordless = true; return p }

func voluntary(ls ...Level) Requirements { return Requirements{Voluntary: ls} }

func essential(ls ...Level) Requirements { return Requirements{Essential: ls} }

func since(ago time.Duration) Requirements { return Requirements{Since: t0.Add(-ago)} }

func one() []storage.Factor { return []storage.Factor{proofWith("password", time.Minute)} }

func both() []storage.Factor {
	return []storage.Factor{proofWith("password", time.Minute), proofWith("totp", 0)}
}

// No identified user.
func unknownUserRows() []row {
	disabled := accountWith(false, "password")
	disabled.User.Status = storage.UserDisabled
	return []row{
		{"unknown user", Policy{}, nil, nil, Requirements{}, NeedFirst, None, "password passkey"},
		{"unknown user, proofs given", Policy{}, nil, both(), Requirements{}, NeedFirst, None, "password passkey"},
		{"a user without a proof", Policy{}, accountWith(false, "password"), nil, Requirements{}, NeedFirst, None, "password passkey"},
		{"a disabled user with a proof", Policy{}, disabled, one(), Requirements{}, NeedFirst, None, "password passkey"},
		{"a first method the client does not allow", only(Policy{}, "passkey"), accountWith(false, "password"), one(), Requirements{}, NeedFirst, None, "passkey"},
	}
}

// OFF: one factor finishes though others exist.
func offRows() []row {
	return []row{
		{"off, password", Policy{}, accountWith(false, "password"), one(), Requirements{}, NeedNothing, AAL1, ""},
		{"off, password, totp enrolled", Policy{}, accountWith(false, "password", "totp"), one(), Requirements{}, NeedNothing, AAL1, ""},
		{"explicitly off", Policy{MFA: MFAOff}, accountWith(false, "password", "totp"), one(), Requirements{}, NeedNothing, AAL1, ""},
		{"off, both given", Policy{}, accountWith(false, "password", "totp"), both(), Requirements{}, NeedNothing, AAL2, ""},
		{"off, the user wants two", Policy{}, accountWith(true, "password", "totp"), one(), Requirements{}, NeedSecond, AAL1, "totp"},
		{"off, the user wants two and gave two", Policy{}, accountWith(true, "password", "totp"), both(), Requirements{}, NeedNothing, AAL2, ""},
		{"off, the user wants two and has one", Policy{}, accountWith(true, "password"), one(), Requirements{}, NeedEnroll, AAL1, "totp"},
	}
}

// ALWAYS.
func alwaysRows() []row {
	return []row{
		{"always, totp enrolled", always(), accountWith(false, "password", "totp"), one(), Requirements{}, NeedSecond, AAL1, "totp"},
		{"always, several enrolled", always(), accountWith(false, "password", "totp", "recovery", "email"), one(), Requirements{}, NeedSecond, AAL1, "totp recovery email"},
		{"always, both given", always(), accountWith(false, "password", "totp"), both(), Requirements{}, NeedNothing, AAL2, ""},
		{"always, password and recovery code", always(), accountWith(false, "password", "recovery"), []storage.Factor{proofWith("password", time.Minute), proofWith("recovery", 0)}, Requirements{}, NeedNothing, AAL2, ""},
		{"always, nothing enrolled", always(), accountWith(false, "password"), one(), Requirements{}, NeedEnroll, AAL1, "totp"},
		{"always, a pending enrolment", always(), accountWith(false, "password", "totp?"), one(), Requirements{}, NeedEnroll, AAL1, "totp"},
		{"always, recovery codes used up and nothing else", always(), accountWith(false, "password", "recovery0"), one(), Requirements{}, NeedEnroll, AAL1, "totp"},
		{"always, the factor disabled", always(), accountWith(false, "password", "totp!"), one(), Requirements{}, NeedSecond, AAL1, "totp"},
		{"always, what is enrolled is not allowed", only(always(), "email"), accountWith(false, "password", "totp"), one(), Requirements{}, NeedUnmet, AAL1, ""},
		{"always, nothing enrolled and nothing to enrol allowed", only(always(), "email"), accountWith(false, "password"), one(), Requirements{}, NeedUnmet, AAL1, ""},
		{"always, a proof that is not allowed does not count", only(always(), "totp"), accountWith(false, "password", "totp", "email"),
			[]storage.Factor{proofWith("password", time.Minute), proofWith("email", 0)}, Requirements{}, NeedSecond, AAL1, "totp"},
		{"an unknown policy is taken for always", Policy{MFA: "SMART"}, accountWith(false, "password", "totp"), one(), Requirements{}, NeedSecond, AAL1, "totp"},
	}
}

// Kinds.
func kindRows() []row {
	return []row{
		{"the same kind twice is not two", always(), accountWith(false, "password", "totp", "email"), []storage.Factor{proofWith("email", 0), proofWith("totp", 0)}, Requirements{}, NeedFirst, AAL1, "password passkey"},
		{"a passkey alone is two factors", always(), accountWith(false, "passkey"), []storage.Factor{proofWith("passkey", 0)}, Requirements{}, NeedNothing, PHR, ""},
		{"password and passkey", always(), accountWith(false, "password", "passkey"), []storage.Factor{proofWith("password", time.Minute), proofWith("passkey", 0)}, Requirements{}, NeedNothing, PHR, ""},
		{"a passkey is offered as second factor", always(), accountWith(false, "password", "totp", "passkey"), one(), Requirements{}, NeedSecond, AAL1, "totp passkey"},
	}
}

// PASSWORDLESS.
func passwordlessRows() []row {
	return []row{
		{"totp alone where that is not allowed", Policy{}, accountWith(false, "password", "totp"), []storage.Factor{proofWith("totp", 0)}, Requirements{}, NeedFirst, AAL1, "password passkey"},
		{"totp alone where it is", passwordless(Policy{}), accountWith(false, "password", "totp"), []storage.Factor{proofWith("totp", 0)}, Requirements{}, NeedNothing, AAL1, ""},
		{"totp alone is never two", passwordless(always()), accountWith(false, "password", "totp"), []storage.Factor{proofWith("totp", 0)}, Requirements{}, NeedFirst, AAL1, "password"},
		{"totp and recovery code are never two", passwordless(always()), accountWith(false, "password", "totp", "recovery"), []storage.Factor{proofWith("totp", 0), proofWith("recovery", 0)}, Requirements{}, NeedFirst, AAL1, "password"},
		{"totp alone of a user who wants two", passwordless(Policy{}), accountWith(true, "password", "totp"), []storage.Factor{proofWith("totp", 0)}, Requirements{}, NeedFirst, AAL1, "password"},
		{"totp alone of a user without a password who wants two", passwordless(Policy{}), accountWith(true, "totp"), []storage.Factor{proofWith("totp", 0)}, Requirements{}, NeedUnmet, AAL1, ""},
		{"a code of a user who wants two", passwordless(Policy{}), accountWith(true, "password", "totp", "recovery", "email"), []storage.Factor{proofWith("email", 0)}, Requirements{}, NeedSecond, AAL1, "totp recovery"},
		{"a code, then totp, of a user who wants two", passwordless(Policy{}), accountWith(true, "totp", "email"), []storage.Factor{proofWith("email", time.Second), proofWith("totp", 0)}, Requirements{}, NeedNothing, AAL1, ""},
		{"a code, then a recovery code", passwordless(Policy{}), accountWith(true, "totp", "recovery", "email"), []storage.Factor{proofWith("email", time.Second), proofWith("recovery", 0)}, Requirements{}, NeedNothing, AAL1, ""},
		{"two codes of one method are one", passwordless(Policy{}), accountWith(true, "totp", "email"), []storage.Factor{proofWith("email", time.Second), proofWith("email", 0)}, Requirements{}, NeedSecond, AAL1, "totp"},
		{"totp, with only recovery codes left", passwordless(Policy{}), accountWith(true, "password", "totp", "recovery"), []storage.Factor{proofWith("totp", 0)}, Requirements{}, NeedFirst, AAL1, "password"},
		{"a code, then totp, where aal2 is essential", passwordless(Policy{}), accountWith(true, "password", "totp", "email"), []storage.Factor{proofWith("email", time.Second), proofWith("totp", 0)}, essential(AAL2), NeedFirst, AAL1, "password"},
		{"a code, then totp, where the client demands two", passwordless(always()), accountWith(true, "password", "totp", "email"), []storage.Factor{proofWith("email", time.Second), proofWith("totp", 0)}, Requirements{}, NeedFirst, AAL1, "password"},
		{"a code, then totp, where no code replaces the password", Policy{}, accountWith(true, "password", "totp", "email"), []storage.Factor{proofWith("email", time.Second), proofWith("totp", 0)}, Requirements{}, NeedFirst, AAL1, "password passkey"},
		{"a code, then a factor that was removed", passwordless(Policy{}), accountWith(true, "password", "email", "recovery"), []storage.Factor{proofWith("email", time.Second), proofWith("totp", 0)}, Requirements{}, NeedFirst, AAL1, "password"},
		{"totp, then the password", passwordless(always()), accountWith(false, "password", "totp"), both(), Requirements{}, NeedNothing, AAL2, ""},
	}
}

// TIME_BASED.
func timeBasedRows() []row {
	return []row{
		{"hourly, no second factor yet", hourly(), accountWith(false, "password", "totp"), one(), Requirements{}, NeedSecond, AAL1, "totp"},
		{"hourly, second factor now", hourly(), accountWith(false, "password", "totp"), both(), Requirements{}, NeedNothing, AAL2, ""},
		{"hourly, 59 minutes ago", hourly(), accountWith(false, "password", "totp"), []storage.Factor{proofWith("password", 9*time.Hour), proofWith("totp", 59*time.Minute)}, Requirements{}, NeedNothing, AAL2, ""},
		{"hourly, exactly an hour ago", hourly(), accountWith(false, "password", "totp"), []storage.Factor{proofWith("password", time.Minute), proofWith("totp", time.Hour)}, Requirements{}, NeedNothing, AAL2, ""},
		{"hourly, more than an hour ago", hourly(), accountWith(false, "password", "totp"), []storage.Factor{proofWith("password", 9*time.Hour), proofWith("totp", 61*time.Minute)}, Requirements{}, NeedSecond, AAL1, "totp"},
		{"hourly, nothing enrolled", hourly(), accountWith(false, "password"), one(), Requirements{}, NeedEnroll, AAL1, "totp"},
		{"hourly, an old passkey alone", hourly(), accountWith(false, "passkey"), []storage.Factor{proofWith("passkey", 2*time.Hour)}, Requirements{}, NeedFirst, None, "password passkey"},
		{"no interval: the proof of this login counts", Policy{MFA: MFATimeBased}, accountWith(false, "password", "totp"), []storage.Factor{proofWith("password", time.Minute), proofWith("totp", 4*time.Minute)}, Requirements{}, NeedNothing, AAL2, ""},
	}
}

// acr_values: met where the user can.
func voluntaryRows() []row {
	return []row{
		{"aal2 voluntary, totp enrolled", Policy{}, accountWith(false, "password", "totp"), one(), voluntary(AAL2), NeedSecond, AAL1, "totp"},
		{"aal2 voluntary, nothing enrolled", Policy{}, accountWith(false, "password"), one(), voluntary(AAL2), NeedNothing, AAL1, ""},
		{"aal2 voluntary, factor disabled", Policy{}, accountWith(false, "password", "totp!"), one(), voluntary(AAL2), NeedNothing, AAL1, ""},
		{"aal2 voluntary, not allowed here", only(Policy{}, "email"), accountWith(false, "password", "totp"), one(), voluntary(AAL2), NeedNothing, AAL1, ""},
		{"aal2 voluntary and given", Policy{}, accountWith(false, "password", "totp"), both(), voluntary(AAL2), NeedNothing, AAL2, ""},
		{"phr or aal2 voluntary, no passkey", Policy{}, accountWith(false, "password", "totp"), one(), voluntary(PHR, AAL2), NeedSecond, AAL1, "totp"},
		{"phr or aal2 voluntary, with passkey", Policy{}, accountWith(false, "password", "totp", "passkey"), one(), voluntary(PHR, AAL2), NeedSecond, AAL1, "passkey"},
		{"phr voluntary, none enrolled", Policy{}, accountWith(false, "password", "totp"), both(), voluntary(PHR), NeedNothing, AAL2, ""},
		{"aal1 before aal2 voluntary", Policy{}, accountWith(false, "password", "totp"), one(), voluntary(AAL1, AAL2), NeedNothing, AAL1, ""},
		{"a voluntary level does not lower the policy", always(), accountWith(false, "password", "totp"), one(), voluntary(AAL1), NeedSecond, AAL1, "totp"},
		{"an unknown voluntary level", Policy{}, accountWith(false, "password", "totp"), one(), voluntary("loa9"), NeedNothing, AAL1, ""},
		{"aal2 voluntary before a first factor", Policy{}, accountWith(false, "password", "totp"), nil, voluntary(AAL2), NeedFirst, None, "password passkey"},
	}
}

// Essential acr: met or refused.
func essentialRows() []row {
	return []row{
		{"aal2 essential, totp enrolled", Policy{}, accountWith(false, "password", "totp"), one(), essential(AAL2), NeedSecond, AAL1, "totp"},
		{"aal2 essential, nothing enrolled, policy off", Policy{}, accountWith(false, "password"), one(), essential(AAL2), NeedUnmet, AAL1, ""},
		{"aal2 essential, nothing enrolled, policy always", always(), accountWith(false, "password"), one(), essential(AAL2), NeedEnroll, AAL1, "totp"},
		{"phr essential, only totp, policy always", always(), accountWith(false, "password", "totp"), both(), essential(PHR), NeedUnmet, AAL2, ""},
		{"phr essential, nothing, policy always", always(), accountWith(false, "password"), one(), essential(PHR), NeedUnmet, AAL1, ""},
		{"phr essential, passkey enrolled", Policy{}, accountWith(false, "password", "passkey"), one(), essential(PHR), NeedSecond, AAL1, "passkey"},
		{"aal2 or phr essential, totp enrolled", Policy{}, accountWith(false, "password", "totp"), one(), essential(PHR, AAL2), NeedSecond, AAL1, "totp"},
		{"aal1 essential, both given: the response has aal1", Policy{}, accountWith(false, "password", "totp"), both(), essential(AAL1), NeedNothing, AAL1, ""},
		{"aal1 or aal2 essential, both given", Policy{}, accountWith(false, "password", "totp"), both(), essential(AAL1, AAL2), NeedNothing, AAL2, ""},
		{"an unknown essential level", Policy{}, accountWith(false, "password", "totp"), both(), essential("loa9"), NeedUnmet, AAL2, ""},
	}
}

// prompt=login and max_age demand new proofs.
func sinceRows() []row {
	return []row{
		{"everything is from before", Policy{}, accountWith(false, "password", "totp"), both(), since(-time.Second), NeedFirst, None, "password passkey"},
		{"password again, second factor from before, off", Policy{}, accountWith(false, "password", "totp"), []storage.Factor{proofWith("password", time.Minute), proofWith("totp", time.Hour)}, since(2 * time.Minute), NeedNothing, AAL1, ""},
		{"password again, second factor from before, always", always(), accountWith(false, "password", "totp"), []storage.Factor{proofWith("password", time.Minute), proofWith("totp", time.Hour)}, since(2 * time.Minute), NeedSecond, AAL1, "totp"},
		{"second factor again, password from before", always(), accountWith(false, "password", "totp"), []storage.Factor{proofWith("password", time.Hour), proofWith("totp", 0)}, since(2 * time.Minute), NeedFirst, AAL1, "password passkey"},
		{"both again", always(), accountWith(false, "password", "totp"), both(), since(2 * time.Minute), NeedNothing, AAL2, ""},
		{"at the very moment", Policy{}, accountWith(false, "password"), one(), since(time.Minute), NeedNothing, AAL1, ""},
	}
}
