package mfa

import (
	"testing"
	"time"

	"sallyport/storage"
)

// passwordWith returns the proof of a password, with what was new about it.
func passwordWith(news string) []storage.Factor {
	f := proofWith("password", time.Minute)
	f.New = news
	return []storage.Factor{f}
}

func smartRows() []row {
	smart := Policy{MFA: MFASmart}
	a, flagged := accountWith(false, "password", "totp"), accountWith(true, "password", "totp")
	withRemember := smart
	withRemember.Remember = 10 * day
	return []row{
		{"smart: nothing is new", smart, a, passwordWith(NewNothing), Requirements{}, NeedNothing, AAL1, ""},
		{"smart: nothing is new, for a user with the setting", smart, flagged, passwordWith(NewNothing), Requirements{}, NeedNothing, AAL1, ""},
		{"smart: a new device", smart, a, passwordWith(NewDevice), Requirements{}, NeedSecond, AAL1, "totp"},
		{"smart: a new network", smart, a, passwordWith(NewNetwork), Requirements{}, NeedSecond, AAL1, "totp"},
		{"smart: failures before", smart, a, passwordWith(NewFailures), Requirements{}, NeedSecond, AAL1, "totp"},
		{"smart: not known", smart, a, passwordWith(""), Requirements{}, NeedSecond, AAL1, "totp"},
		{"smart: no proof yet", smart, a, nil, Requirements{}, NeedFirst, None, "password passkey"},
		{"smart: a user without a second factor", smart, accountWith(false, "password"), passwordWith(NewNothing), Requirements{}, NeedEnroll, AAL1, "totp"},
		{"smart: something new, and both factors", smart, a, append(passwordWith(NewDevice), proofWith("totp", 0)), Requirements{}, NeedNothing, AAL2, ""},
		{"smart: aal2 essential", smart, a, passwordWith(NewNothing), essential(AAL2), NeedSecond, AAL1, "totp"},
		{"smart: a remembered device does not outweigh what is new", withRemember, a, passwordWith(NewFailures), remembered(Requirements{}, "totp", day), NeedSecond, AAL1, "totp"},
		{"off: what is new does not matter", Policy{}, a, passwordWith(NewDevice), Requirements{}, NeedNothing, AAL1, ""},
		{"always: nothing new is not enough", always(), a, passwordWith(NewNothing), Requirements{}, NeedSecond, AAL1, "totp"},
	}
}

func TestTheAreaOfACaller(t *testing.T) {
	for address, want := range map[string]string{"192.0.2.77": "192.0.2.0/24", "::ffff:192.0.2.77": "192.0.2.0/24", "2001:db8:1:2::3": "2001:db8:1::/48", "": "", "x": ""} {
		if got := (Caller{Address: address}).Area(); got != want {
			t.Errorf("area of %q = %q, want %q", address, got, want)
		}
	}
}
