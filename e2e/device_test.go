package e2e

import (
	"testing"

	"golang.org/x/oauth2"
)

// Conformance (Device authorization): RFC 8628 3: an independent client is signed in by a person elsewhere
func TestADeviceInGo(t *testing.T) {
	t.Parallel()
	s := newStage(t, "postgres")
	u := s.user(t, true)
	c := oauth2.Config{ClientID: "tv", Scopes: []string{"openid", "offline_access"},
		Endpoint: oauth2.Endpoint{DeviceAuthURL: s.issuer + "/device_authorization", TokenURL: s.issuer + "/token", AuthStyle: oauth2.AuthStyleInParams}}
	asked, err := c.DeviceAuth(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	type result struct {
		tokens *oauth2.Token
		err    error
	}
	polled := make(chan result, 1)
	go func() {
		tokens, err := c.DeviceAccessToken(t.Context(), asked)
		polled <- result{tokens, err}
	}()
	p := newPerson(t, s.issuer).open(asked.VerificationURIComplete).submit("device-submit").signIn(u).at("/mfa")
	p.submit("mfa-submit", "passcode", p.totp(u.totp)).at("/consent").submit("consent-allow", "decision", "allow").at("/device/allowed")
	got := <-polled
	if got.err != nil {
		t.Fatal(got.err)
	}
	next, err := c.TokenSource(t.Context(), &oauth2.Token{RefreshToken: got.tokens.RefreshToken}).Token()
	if err != nil || next.AccessToken == "" || next.AccessToken == got.tokens.AccessToken {
		t.Errorf("refreshed = %v, %v", next, err)
	}
}
