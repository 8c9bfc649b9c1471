package mfa

import (
	"fmt"
	"testing"

	"sallyport/storage"
)

func TestAssess(t *testing.T) {
	for _, tc := range []struct {
		name  string
		given []storage.Factor
		acr   Level
		amr   string
	}{
		{"nothing", nil, None, "[]"},
		{"password", []storage.Factor{proofWith("password", 0)}, AAL1, "[pwd]"},
		{"totp", []storage.Factor{proofWith("totp", 0)}, AAL1, "[otp]"},
		{"totp twice", []storage.Factor{proofWith("totp", 0), proofWith("totp", 0)}, AAL1, "[otp]"},
		{"totp and recovery code", []storage.Factor{proofWith("totp", 0), proofWith("recovery", 0)}, AAL1, "[otp]"},
		{"password and totp", []storage.Factor{proofWith("password", 0), proofWith("totp", 0)}, AAL2, "[mfa otp pwd]"},
		{"password and recovery code", []storage.Factor{proofWith("recovery", 0), proofWith("password", 0)}, AAL2, "[mfa otp pwd]"},
		{"passkey", []storage.Factor{proofWith("passkey", 0)}, PHR, "[hwk mfa user]"},
		{"a passkey in hardware", []storage.Factor{{Kinds: []storage.Kind{storage.Have, storage.Are}, AMR: []string{"hwk"}, PhishingResistant: true, Hardware: true}}, PHRH, "[hwk mfa]"},
		{"something in hardware that is not phishing-resistant", []storage.Factor{proofWith("password", 0), {Kinds: []storage.Kind{storage.Have}, AMR: []string{"otp"}, Hardware: true}}, AAL2, "[mfa otp pwd]"},
		{"a security key without user verification", []storage.Factor{{Kinds: []storage.Kind{storage.Have}, AMR: []string{"hwk"}, PhishingResistant: true}}, AAL1, "[hwk]"},
	} {
		acr, amr := Assess(tc.given)
		if acr != tc.acr || fmt.Sprint(amr) != tc.amr {
			t.Errorf("%s: %s %v, want %s %s", tc.name, acr, amr, tc.acr, tc.amr)
		}
	}
}
