package mfa

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"sallyport/storage"
)

// Shape is what an enrolment may choose about an authenticator. Zero values mean the
// server's own setting.
type Shape struct {
	Algorithm string `json:"algorithm"`
	Digits    int    `json:"digits"`
}

// Shaper is an Enroller whose authenticators come in several shapes.
type Shaper interface {
	Enroller
	// Shapes lists what can be chosen, the server's own setting first.
	Shapes() []Shape
	// EnrollShaped is Enroll with a choice; one that is not among Shapes is refused.
	EnrollShaped(ctx context.Context, label string, s Shape) (storage.Authenticator, Handout, error)
}

// Shapes lists the shapes of a method; nil where there is nothing to choose.
func (v *Verifier) Shapes(method string) []Shape {
	if m, ok := v.methods[method].(Shaper); ok {
		return m.Shapes()
	}
	return nil
}

// shaped begins an enrolment of a method.
func shaped(ctx context.Context, m Enroller, label string, s Shape) (storage.Authenticator, Handout, error) {
	if s == (Shape{}) {
		return m.Enroll(ctx, label)
	}
	if m, ok := m.(Shaper); ok {
		return m.EnrollShaped(ctx, label, s)
	}
	return storage.Authenticator{}, Handout{}, &Error{Code: InvalidRequest}
}

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
	s = Shape{or(s.Algorithm, t.fresh.Algorithm), or(s.Digits, t.fresh.Digits)}
	if !slices.Contains(t.Shapes(), s) {
		return storage.Authenticator{}, Handout{}, &Error{Code: InvalidRequest}
	}
	secret := make([]byte, secretSizes[s.Algorithm])
	if _, err := io.ReadFull(t.random, secret); err != nil {
		return storage.Authenticator{}, Handout{}, fmt.Errorf("make totp secret: %w", err)
	}
	data, err := json.Marshal(totpData{Algorithm: s.Algorithm, Digits: s.Digits, Period: totpPeriod})
	if err != nil {
		return storage.Authenticator{}, Handout{}, fmt.Errorf("write totp parameters: %w", err)
	}
	a := storage.Authenticator{Method: "totp", Secret: secret, Data: data}
	h, err := t.Handout(a, label)
	return a, h, err
}
