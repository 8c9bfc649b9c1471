package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/passkey/passkeytest"
	"sallyport/storage"
	"sallyport/web/webtest"
)

// passkeys are the rows of passkeys.
func (o *trialSource) passkeys(t *testing.T) map[string]effect {
	secure := set{"ISSUER": "https://login.example.com", "TRUSTED_PROXIES": "10.0.0.0/8"}
	discovered := func(s *trial) string {
		return s.open().send("GET", "/.well-known/openid-configuration", "", "").Body.String()
	}
	write := func(text []byte, err error) string {
		path := filepath.Join(t.TempDir(), "file")
		if err == nil {
			err = os.WriteFile(path, text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	maker, err := passkeytest.NewMaker(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	roots := write(maker.PEM(), nil)
	blob := write(maker.Metadata(passkeytest.Entry{AAGUID: [16]byte{1}, Root: maker.Root, Protection: "hardware"}, time.Now().AddDate(0, 1, 0), time.Now()))
	merge := func(more set) set {
		out := maps.Clone(secure)
		maps.Copy(out, more)
		return out
	}
	return map[string]effect{
		"passkeys.attestation_roots_file": {value: roots, with: secure, want: `"phrh"`, show: discovered},
		"passkeys.metadata_file":          {value: blob, with: merge(set{"PASSKEYS_METADATA_ROOT_FILE": ""}), also: set{"PASSKEYS_METADATA_ROOT_FILE": roots}, want: `"phrh"`, show: discovered},
		"passkeys.metadata_root_file":     {value: "/no/such.pem", with: merge(set{"PASSKEYS_METADATA_FILE": blob}), want: "/no/such.pem", show: (*trial).fault},
		"passkeys.attestation": {value: "always", with: merge(set{"PASSKEYS_ATTESTATION_ROOTS_FILE": roots}), want: `"attestation":"direct"`, show: func(s *trial) string {
			_, h, err := s.open().Passkey.Enroll(s.Context(), mfa.Holder{Account: storage.Account{User: storage.User{ID: "u"}}})
			if err != nil {
				s.Fatal(err)
			}
			return string(h.Options)
		}},
		"passkeys.rp_id": {value: "example.com", with: secure, want: `"rpId":"example.com"`, show: func(s *trial) string {
			begun, err := s.open().Passkey.Begin(s.Context(), mfa.Attempt{Usage: mfa.UsageFirst, Now: s.clock.Now()})
			if err != nil {
				s.Fatal(err)
			}
			return string(json.RawMessage(begun.Challenge))
		}},
		"passkeys.related_origins": {value: "https://example.de", with: secure, want: "https://example.de", show: func(s *trial) string {
			return s.open().send("GET", "/.well-known/webauthn", "", "").Body.String()
		}},
		"passkeys.offer": {value: "false", with: secure, want: "http://127.0.0.1:9/cb", show: func(s *trial) string {
			b := browser{s.open(), webtest.Jar{}}
			action, form, _ := webtest.Form(b.request("GET", b.authorize(), "").Body.String(), `id="login-submit"`)
			form.Set("username", "nora")
			form.Set("password", alicePass)
			form.Set("offer", "yes") // as the script does where there is a device for passkeys
			to, _, _ := strings.Cut(b.request("POST", action, form.Encode()).Header().Get("Location"), "?")
			return to
		}},
	}
}
