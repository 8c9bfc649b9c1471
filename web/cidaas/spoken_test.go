package cidaas

import (
	"crypto/rand"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/passkey"
)

// The dialect has no call that carries a challenge, so it must not offer what nobody could answer.
func TestPasskeysAreNotOfferedInTheDialect(t *testing.T) {
	h := mfatest.New(t)
	m, err := passkey.New(h.Store, h.Keyring, rand.Reader, passkey.Options{Product: "Sallyport", RPID: "op.example", Origins: []string{"https://op.example"}, TTL: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	h.Open(exchange.Options{}, m)
	s := &Surface{verifier: h.Verifier}
	if got := s.method("passkey") + s.method("FIDO2"); got != "" {
		t.Errorf("the dialect has the method %q", got)
	}
	if s.method("TOTP") != "totp" || s.method("backupcode") != "recovery" {
		t.Error("other methods are gone")
	}
	totp, _ := h.Verifier.Info("totp")
	got := listed([]exchange.Option{{Method: passkey.Name, Info: m.Info()}, {Method: "totp", Info: totp}})
	if len(got) != 1 || got[0].Type != "TOTP" {
		t.Errorf("listed %+v, want the app alone", got)
	}
	if n := len(spoken([]mfa.Info{m.Info(), totp})); n != 1 {
		t.Errorf("%d methods, want 1", n)
	}
}
