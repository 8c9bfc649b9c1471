package pkce

import (
	"strings"
	"testing"
)

// RFC 7636 appendix B.
const (
	verifierB  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challengeB = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

func TestVerifier(t *testing.T) {
	for _, tc := range []struct {
		name                string
		challenge, verifier string
		want                bool
	}{
		{"the vector of RFC 7636 appendix B", challengeB, verifierB, true},
		{"no challenge, no verifier", "", "", true},
		{"no challenge, a verifier", "", verifierB, false},
		{"a challenge, no verifier", challengeB, "", false},
		{"another verifier", challengeB, strings.Repeat("a", 43), false},
		{"the challenge itself", challengeB, challengeB, false},
		{"42 characters", challengeB, verifierB[:42], false},
		{"129 characters", challengeB, strings.Repeat("a", 129), false},
		{"illegal characters", challengeB, strings.Repeat("a", 42) + "+", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := Verify(tc.challenge, tc.verifier); got != tc.want {
				t.Errorf("Verify = %v, want %v", got, tc.want)
			}
		})
	}
}
