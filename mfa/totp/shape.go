package totp

import (
	"cmp"
	"context"
	"slices"

	"sallyport/mfa"
	"sallyport/storage"
)

// secretSizes are the lengths in bytes of new secrets for each hash function: a key shorter
// than the hash output weakens HMAC (RFC 2104 section 3).
var secretSizes = map[string]int{"SHA1": secretBytes, "SHA256": 32, "SHA512": 64}

// Shapes returns the combinations of hash (RFC 6238 section 1.2) and code length that apps
// support, the server's setting first.
func (t *Method) Shapes() []mfa.Shape {
	own := mfa.Shape{Algorithm: t.defaults.Algorithm, Digits: t.defaults.Digits}
	out := []mfa.Shape{own}
	for _, algorithm := range []string{"SHA1", "SHA256", "SHA512"} {
		for _, digits := range codeLengths {
			if s := (mfa.Shape{Algorithm: algorithm, Digits: digits}); s != own {
				out = append(out, s)
			}
		}
	}
	return out
}

// EnrollShaped returns a new authenticator of a shape, and InvalidRequest for an unknown one.
func (t *Method) EnrollShaped(_ context.Context, h mfa.Holder, s mfa.Shape) (storage.Authenticator, mfa.Handout, error) {
	s = mfa.Shape{Algorithm: cmp.Or(s.Algorithm, t.defaults.Algorithm), Digits: cmp.Or(s.Digits, t.defaults.Digits)}
	if !slices.Contains(t.Shapes(), s) {
		return storage.Authenticator{}, mfa.Handout{}, &mfa.Error{Code: mfa.InvalidRequest}
	}
	return t.enroll(h, secretSizes[s.Algorithm], parameters{Algorithm: s.Algorithm, Digits: s.Digits, Period: defaultPeriod})
}
