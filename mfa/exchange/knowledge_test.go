package exchange_test

import (
	"context"
	"crypto/rand"
	"slices"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/recovery"
	"sallyport/mfa/throttle"
	"sallyport/mfa/users"
	"sallyport/storage"
)

// pin is a second factor that the user knows.
type pin struct{ *recovery.Method }

func (pin) Info() mfa.Info {
	return mfa.Info{Name: "pin", Kinds: []storage.Kind{storage.Know}, AMR: []string{"pin"}, Second: true, Chosen: true, Typed: true, Bucket: throttle.Factor}
}

// withPIN returns a login that needs a second factor, of a user with a password and a PIN.
func withPIN(h *mfatest.Fixture, d users.Draft) (storage.UserID, storage.RequestID) {
	h.T.Helper()
	h.Policy.MFA = mfa.MFAAlways
	h.Open(exchange.Options{AddressMax: -1}, pin{h.Recovery})
	u := h.Create(d)
	p := storage.Authenticator{ID: storage.AuthenticatorID(storage.Random128(rand.Reader)), UserID: u.ID, Method: "pin", State: storage.AuthenticatorActive,
		Secret: []byte("a hash"), CreatedAt: h.Now(), UpdatedAt: h.Now()}
	err := h.Store.UpdateUser(context.Background(), storage.UserChange{ID: u.ID, Now: h.Now(), Factors: &storage.FactorsChange{Add: []storage.Authenticator{p}}})
	mfatest.Want(h.T, "add a PIN", err, "")
	h.Advance(time.Minute)
	return u.ID, h.SignedIn()
}

// Two things a user knows are one factor (NIST SP 800-63B section 4.2): offering the second
// would repeat the step.
func TestASecondKnowledgeFactorIsNotOffered(t *testing.T) {
	h := mfatest.New(t)
	_, id := withPIN(h, users.Draft{Email: mfatest.Email, Password: mfatest.Password, TOTPSecret: mfatest.TOTPKey})
	if v := h.Verdict(id); v.Need != mfa.NeedSecond || !slices.Equal(v.Methods, []string{"totp"}) {
		t.Fatalf("verdict = %+v, want a second factor by totp", v)
	}
	for _, o := range h.Verifier.Options(h.Read(id, "")) {
		if o.Method == "pin" {
			t.Error("a PIN is offered after a password")
		}
	}
	_, err := h.Prove(id, "pin", "aaaa-aaaa-aaaa", "")
	mfatest.Want(t, "prove the PIN", err, mfa.NotConfigured)
}

// A user with a password and a PIN enrols a second factor like one with a password alone.
func TestAUserWithOnlyKnowledgeFactorsEnrols(t *testing.T) {
	h := mfatest.New(t)
	_, id := withPIN(h, users.Draft{Email: mfatest.Email, Password: mfatest.Password})
	if v := h.Verdict(id); v.Need != mfa.NeedEnroll || !slices.Equal(v.Methods, []string{"totp"}) {
		t.Fatalf("verdict = %+v, want to enrol totp", v)
	}
	_, err := h.Enroll(id)
	mfatest.Want(t, "enrol", err, "")
}
