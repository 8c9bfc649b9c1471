package login

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/passkey"
	"sallyport/mfa/passkey/passkeytest"
	"sallyport/storage"
)

// An application demands a key in hardware. A passkey that shows no hardware is kept, the page says that it
// is not enough and asks for another, and the one whose maker is trusted ends the login.
func TestAnApplicationDemandsAKeyInHardware(t *testing.T) {
	host := strings.TrimPrefix(issuer, "https://")
	maker, err := passkeytest.NewMaker(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(file, maker.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	trust, err := passkey.OpenTrust(passkey.TrustFiles{Roots: file}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	h := newFixtureWith(t, mfatest.Options{Passkeys: host, Trust: trust})
	h.client(func(c *storage.Client) { c.MFA = mfa.MFAHardware })
	h.User("ada", "")
	b := h.browser()
	b.authorize()
	b.login("ada", password)
	model := passkeytest.Model{AAGUID: [16]byte{7}, Now: time.Now()}
	create := func(attest bool) {
		t.Helper()
		b.Submit("enroll-begin")
		b.Must("/enroll", 200, `id="attests"`, `id="enroll-ask"`)
		d := passkeytest.New(host, issuer)
		d.Authenticator.Aaguid = model.AAGUID
		r, err := d.Create(b.options(t))
		if err == nil && attest {
			r, err = maker.Attest(r, model)
		}
		h.OK(err)
		b.respond(t, "enroll-ask", r)
	}
	b.Must("/enroll", 200, "Lighthouse Shop accepts only keys that cannot be copied", `id="enroll-begin"`)
	create(false)
	if b.At == "/recovery-codes" {
		b.Submit("recovery-done")
	}
	b.Must("/enroll", 200, "nothing shows that it cannot be copied", "Lighthouse Shop needs another one", `id="enroll-begin"`)
	create(true)
	if b.At == "/recovery-codes" {
		b.Submit("recovery-done")
	}
	q := b.MustLeave(callback)
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(h.idToken(q), ".")[1])
	if err != nil || !strings.Contains(string(payload), `"acr":"phrh"`) || !strings.Contains(string(payload), `"hwk"`) {
		t.Errorf("ID token %s, %v; want acr phrh and amr hwk", payload, err)
	}
}
