package main

import (
	"encoding/json"

	"sallyport/mfa"
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
	}
}
