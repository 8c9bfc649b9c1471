// Package pkce checks code challenges and verifiers (RFC 7636). S256 is the only method.
package pkce

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
)

// CheckChallenge returns what is wrong with a code_challenge and its method, or "". A
// challenge without a method means plain, which is refused.
func CheckChallenge(challenge, method string) string {
	switch {
	case challenge == "" && method != "":
		return "code_challenge_method requires code_challenge"
	case challenge == "":
		return ""
	case method != "S256":
		return "code_challenge_method is not S256"
	case !wellFormed(challenge):
		return "code_challenge is not 43 to 128 unreserved characters"
	}
	return ""
}

// wellFormed checks the syntax of challenge and verifier (RFC 7636 section 4.1).
func wellFormed(s string) bool {
	if len(s) < 43 || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '.', c == '_', c == '~':
		default:
			return false
		}
	}
	return true
}

// Verify compares a verifier with the challenge of a code (RFC 7636 section 4.6). Without a
// challenge there must be no verifier: RFC 9700 section 2.1.1 calls that a downgrade.
func Verify(challenge, verifier string) bool {
	if challenge == "" {
		return verifier == ""
	}
	if !wellFormed(verifier) {
		return false
	}
	sum := sha256.Sum256([]byte(verifier))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(challenge)) == 1
}
