package mfa

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"sallyport/storage"
)

var t0 = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func TestRequire(t *testing.T) {
	for _, rows := range [][]row{unknownUserRows(), offRows(), alwaysRows(), kindRows(), passwordlessRows(), timeBasedRows(), voluntaryRows(), essentialRows(), sinceRows(), rememberedRows(), smartRows()} {
		testRows(t, allInfos(), rows)
	}
}

func testRows(t *testing.T, methods []Info, rows []row) {
	t.Helper()
	for _, tc := range rows {
		t.Run(tc.name, func(t *testing.T) {
			v := Require(tc.policy, tc.account, tc.given, tc.required, methods, t0)
			if v.Need != tc.need || v.ACR != tc.acr || fmt.Sprint(v.Methods) != fmt.Sprintf("[%s]", tc.methods) {
				t.Errorf("need %q, acr %q, methods %v; want %q, %q, [%s]", v.Need, v.ACR, v.Methods, tc.need, tc.acr, tc.methods)
			}
		})
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
						given = append(given, proofWith(m, time.Duration(i)*90*time.Minute))
					}
				}
				required := Requirements{}
				if bit(7) {
					required.Essential = []Level{AAL2}
				}
				if bit(8) {
					required.Since = t0.Add(-2 * time.Hour)
				}
				a := accountWith(bit(9), enrolled...)
				check(t, p, a, given, required)
				n++
			}
		}
	}
	if n != 9*1024 {
		t.Fatalf("%d combinations, want %d", n, 9*1024)
	}
}

func check(t *testing.T, p Policy, a *storage.Account, given []storage.Factor, required Requirements) {
	t.Helper()
	v := Require(p, a, given, required, allInfos(), t0)
	state := fmt.Sprintf("policy %+v flag %v given %v required %+v: %+v", p, a.User.MFAEnabled, given, required, v)
	two := p.MFA != "" || a.User.MFAEnabled || len(required.Essential) > 0
	kinds, methods := map[storage.Kind]bool{}, map[string]bool{}
	for _, f := range v.Factors {
		methods[f.Method] = true
		kinds[f.Kinds[0]] = true
		if f.At.Before(required.Since) {
			t.Fatalf("counts a proof from before: %s", state)
		}
		if len(p.Methods) > 0 && f.Method != "password" && !slices.Contains(p.Methods, f.Method) {
			t.Fatalf("counts a method that is not allowed: %s", state)
		}
	}
	alone := p.Passwordless && p.MFA == "" && len(required.Essential) == 0 // then two methods meet the user's own setting
	switch {
	case v.Need == NeedNothing && two && len(kinds) < 2 && !(alone && len(methods) > 1):
		t.Fatalf("done with one kind: %s", state)
	case v.Need == NeedNothing && len(v.Factors) == 0:
		t.Fatalf("done without a proof: %s", state)
	case v.Need == NeedNothing && !p.Passwordless && !kinds[storage.Know]:
		t.Fatalf("done without a first factor: %s", state)
	case len(kinds) < 2 && (v.ACR == AAL2 || slices.Contains(v.AMR, "mfa")):
		t.Fatalf("claims two kinds: %s", state)
	case !two && v.Need == NeedEnroll:
		t.Fatalf("enrols although nothing demands it: %s", state)
	case v.Need == NeedEnroll && HasSecond(a, allInfos()):
		t.Fatalf("enrols beside a factor: %s", state)
	case (v.Need == NeedSecond || v.Need == NeedEnroll) && len(v.Methods) == 0:
		t.Fatalf("no method to continue with: %s", state)
	case v.Need != NeedNothing && v.Need != NeedFirst && v.ACR.AtLeast(v.Needed):
		t.Fatalf("asks for more than needed: %s", state)
	}
}

func TestAuthTimeIsTheNewestProof(t *testing.T) {
	v := Require(Policy{}, accountWith(false, "password", "totp"), []storage.Factor{proofWith("totp", time.Minute), proofWith("password", time.Hour)}, Requirements{}, allInfos(), t0)
	if !v.AuthTime.Equal(t0.Add(-time.Minute)) || v.Factors[0].Method != "password" {
		t.Errorf("auth time %s, counted %v; want a minute ago, the password first", v.AuthTime, v.Factors)
	}
}
