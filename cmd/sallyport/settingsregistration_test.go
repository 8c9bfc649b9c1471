package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"sallyport/provider/clients"
	"sallyport/storage"
)

// register registers a client with more members, and returns the body of the response.
func (s *trial) register(more string) string {
	s.Helper()
	return s.send("POST", "/register", "application/json", `{"redirect_uris":["https://rp.example/cb"]`+more+`}`).Body.String()
}

// registered registers a client and returns its record.
func (s *trial) registered() storage.Client {
	s.Helper()
	var out struct {
		ID storage.ClientID `json:"client_id"`
	}
	if err := json.Unmarshal([]byte(s.open().register("")), &out); err != nil {
		s.Fatal(err)
	}
	c, err := s.Store.Client(s.Context(), out.ID)
	if err != nil {
		s.Fatal(err)
	}
	return c
}

// registration are the rows of clients that register themselves.
func (o *trialSource) registration(t *testing.T) map[string]effect {
	open := set{"REGISTRATION_MODE": "open"}
	keys := secretFile(t, `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`)
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	statement := part(`{"alg":"EdDSA"}`) + "." + part(`{"iss":"https://trust.example"}`) + "." + part(strings.Repeat("x", 64))
	return map[string]effect{
		"registration.mode":     {value: "open", want: `"registration_endpoint"`, show: body("/.well-known/openid-configuration")},
		"registration.scopes":   {value: "openid", with: open, want: `"scope":"openid",`, show: func(s *trial) string { return s.open().register("") }},
		"registration.audience": {value: "https://api.example", with: open, want: "https://api.example", show: func(s *trial) string { return fmt.Sprint(s.registered().Audience) }},
		"registration.mfa":      {value: "ALWAYS", with: open, want: "ALWAYS", show: func(s *trial) string { return s.registered().MFA }},
		"registration.client_credentials": {value: "true", with: open, want: `"client_secret"`, show: func(s *trial) string {
			return s.open().register(`,"grant_types":["client_credentials"]`)
		}},
		"registration.unused": {value: "30m", with: open, want: "30m0s", show: func(s *trial) string {
			r := s.registered().Registration
			return r.ExpiresAt.Sub(r.At).Round(time.Minute).String()
		}},
		"registration.idle": {value: "48h", with: open, want: "48h0m0s", show: func(s *trial) string {
			c := s.registered()
			s.Provider.Registration.Used(s.Context(), clients.New(c))
			c, err := s.Store.Client(s.Context(), c.ID)
			if err != nil {
				s.Fatal(err)
			}
			return c.Registration.ExpiresAt.Sub(c.Registration.UsedAt).String()
		}},
		"registration.max_unused": {value: "1", with: open, want: "too many clients", show: func(s *trial) string {
			s.open().register("")
			return s.register("")
		}},
		"registration.statement_issuers": {value: "https://trust.example=" + keys, with: open, want: `"invalid_software_statement"`, show: func(s *trial) string {
			return s.open().register(`,"software_statement":"` + statement + `"`)
		}},
		"limits.registrations": {value: "1", with: open, want: "too many registrations", show: func(s *trial) string {
			s.open().register("")
			return s.register("")
		}},
	}
}
