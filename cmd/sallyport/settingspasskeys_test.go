package main

import (
	"encoding/json"
	"strings"

	"sallyport/mfa"
	"sallyport/web/webtest"
)

// passkeys are the rows of passkeys.
func (o *trialSource) passkeys() map[string]effect {
	secure := set{"ISSUER": "https://login.example.com", "TRUSTED_PROXIES": "10.0.0.0/8"}
	return map[string]effect{
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
