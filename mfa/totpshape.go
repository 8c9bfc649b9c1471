package mfa

import (
	"cmp"
	"context"
	"slices"

	"sallyport/storage"
)

// secretSizes of the hash functions TOTP knows: a key shorter than the output of its
// hash weakens it (RFC 2104 section 3).
var secretSizes = map[string]int{"SHA1": totpSecretBytes, "SHA256": 32, "SHA512": 64}

// Shapes lists every combination RFC 6238 section 1.2 and apps know.
func (t *TOTP) Shapes() []Shape {
	own := Shape{t.fresh.Algorithm, t.fresh.Digits}
	out := []Shape{own}
	for _, algorithm := range []string{"SHA1", "SHA256", "SHA512"} {
		for _, digits := range totpDigits {
			if s := (Shape{algorithm, digits}); s != own {
				out = append(out, s)
			}
		}
	}
	return out
}

// EnrollShaped makes a new secret for an authenticator of a chosen shape.
func (t *TOTP) EnrollShaped(_ context.Context, label string, s Shape) (storage.Authenticator, Handout, error) {
	s = Shape{cmp.Or(s.Algorithm, t.fresh.Algorithm), cmp.Or(s.Digits, t.fresh.Digits)}
	if !slices.Contains(t.Shapes(), s) {
		return storage.Authenticator{}, Handout{}, &Error{Code: InvalidRequest}
	}
	return t.enroll(label, secretSizes[s.Algorithm], totpData{Algorithm: s.Algorithm, Digits: s.Digits, Period: totpPeriod})
}
