package mfa

import (
	"slices"
	"testing"
	"time"

	"sallyport/storage"
)

const day = 24 * time.Hour

// remembering is a policy that accepts a remembered device for ten days.
func remembering(p Policy) Policy { p.Remember = 10 * day; return p }

// remembered is a device on which a method was proven some time ago.
func remembered(r Requirements, method string, ago time.Duration) Requirements {
	f := proofWith(method, ago)
	r.Remembered = &f
	return r
}

func rememberedRows() []row {
	known := remembered(Requirements{}, "totp", 9*day)
	a := accountWith(false, "password", "totp")
	return []row{
		{"remembered: policy is spared", remembering(always()), a, one(), known, NeedNothing, AAL1, ""},
		{"remembered: the user's own setting is spared", remembering(Policy{}), accountWith(true, "password", "totp"), one(), known, NeedNothing, AAL1, ""},
		{"remembered: an interval is spared", remembering(hourly()), a, one(), known, NeedNothing, AAL1, ""},
		{"remembered: not without a first factor", remembering(always()), a, nil, known, NeedFirst, None, "password passkey"},
		{"remembered: not at a client that remembers nothing", always(), a, one(), known, NeedSecond, AAL1, "totp"},
		{"remembered: at the end of the client's window", remembering(always()), a, one(), remembered(Requirements{}, "totp", 10*day-1), NeedNothing, AAL1, ""},
		{"remembered: after the client's window", remembering(always()), a, one(), remembered(Requirements{}, "totp", 10*day), NeedSecond, AAL1, "totp"},
		{"remembered: aal2 essential", remembering(always()), a, one(), remembered(essential(AAL2), "totp", day), NeedSecond, AAL1, "totp"},
		{"remembered: aal1 or aal2 essential", remembering(always()), a, one(), remembered(essential(AAL2, AAL1), "totp", day), NeedNothing, AAL1, ""},
		{"remembered: aal2 voluntary, where the user can", remembering(always()), a, one(), remembered(voluntary(AAL2), "totp", day), NeedSecond, AAL1, "totp"},
		{"remembered: phr voluntary, which the user can not", remembering(always()), a, one(), remembered(voluntary(PHR), "totp", day), NeedNothing, AAL1, ""},
		{"remembered: max_age, however old it may be", remembering(always()), a, one(), remembered(since(time.Hour), "totp", time.Minute), NeedSecond, AAL1, "totp"},
		{"remembered: the factor was removed", remembering(always()), accountWith(false, "password"), one(), known, NeedEnroll, AAL1, "totp"},
		{"remembered: another one was enrolled instead", remembering(always()), accountWith(false, "password", "recovery"), one(), known, NeedSecond, AAL1, "recovery"},
		{"remembered: the client does not allow its method", only(remembering(always()), "email"), accountWith(false, "password", "totp", "email"), one(), known, NeedSecond, AAL1, "email"},
		{"remembered: one kind twice is no second factor", passwordless(remembering(always())), a, []storage.Factor{proofWith("totp", 0)}, known, NeedFirst, AAL1, "password"},
		{"remembered: a password is no second factor", remembering(always()), a, one(), remembered(Requirements{}, "password", day), NeedSecond, AAL1, "totp"},
		{"remembered: a client that demands phr gets a passkey", remembering(Policy{MFA: MFAResistant}), accountWith(false, "password", "passkey"), one(), remembered(Requirements{}, "passkey", day), NeedSecond, AAL1, "passkey"},
		{"remembered: proofs that suffice show their level", remembering(always()), a, both(), known, NeedNothing, AAL2, ""},
	}
}

func TestARememberedDeviceSparesWhatPolicyDemandsAndShowsNoLevel(t *testing.T) {
	for _, tc := range rememberedRows() {
		t.Run(tc.name, func(t *testing.T) {
			v := Require(tc.policy, tc.account, tc.given, tc.required, allInfos(), t0)
			if v.Spared != (v.Need == NeedNothing && v.ACR == AAL1) {
				t.Errorf("spared %v with need %q and acr %q", v.Spared, v.Need, v.ACR)
			}
			if v.ACR == AAL1 && (slices.Contains(v.AMR, "mfa") || len(v.Factors) > 1) {
				t.Errorf("amr %v and proofs %v show a factor that was not given", v.AMR, v.Factors)
			}
		})
	}
}
