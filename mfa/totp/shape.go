package totp

import (
	"cmp"
	"context"
	"slices"

	"sallyport/mfa"
	"sallyport/storage"
)

// secretSizes of the hash functions TOTP knows: a key shorter than the output of its
// hash weakens it (RFC 2104 section 3).
var secretSizes = map[string]int{"SHA1": totpSecretBytes, "SHA256": 32, "SHA512": 64}

// Shapes lists every combination RFC 6238 section 1.2 and apps know.
func (t *Method) Shapes() []mfa.Shape {
	own := mfa.Shape{Algorithm: t.fresh.Algorithm, Digits: t.fresh.Digits}
	out := []mfa.Shape{own}
	for _, algorithm := range []string{"SHA1", "SHA256", "SHA512"} {
		for _, digits := range totpDigits {
			if s := (mfa.Shape{Algorithm: algorithm, Digits: digits}); s != own {
				out = append(out, s)
			}
		}
	}
	return out
}

// EnrollShaped makes a new secret for an authenticator of a chosen shape.
func (t *Method) EnrollShaped(_ context.Context, label string, s mfa.Shape) (storage.Authenticator, mfa.Handout, error) {
	s = mfa.Shape{Algorithm: cmp.Or(s.Algorithm, t.fresh.Algorithm), Digits: cmp.Or(s.Digits, t.fresh.Digits)}
	if !slices.Contains(t.Shapes(), s) {
		return storage.Authenticator{}, mfa.Handout{}, &mfa.Error{Code: mfa.InvalidRequest}
	}
	return t.enroll(label, secretSizes[s.Algorithm], parameters{Algorithm: s.Algorithm, Digits: s.Digits, Period: totpPeriod})
}
