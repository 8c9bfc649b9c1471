package api_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/delivery"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/notice"
	"sallyport/mfa/passkey/passkeytest"
	"sallyport/mfa/signup"
	"sallyport/storage"
)

// newcomers is a fixture where people sign up, with passkeys.
func newcomers(t *testing.T) (*fixture, *signup.SignUps) {
	t.Helper()
	h := newFixtureWith(t, mfatest.Options{Passkeys: "op.example"})
	u := signup.New(h.Store, h.Users, h.Keyring, h.Journal, h.Now, rand.Reader, signup.Options{Product: "Sallyport", Page: issuer + "/signup/", Mode: signup.Open, Life: time.Hour,
		Terms: signup.Terms{URL: site + "/terms", Version: "7"}, Client: h.Provider.Client, Methods: h.Verifier.Methods(), Passkeys: h.Passkey})
	h.serve(h.api.WithSignUps(u))
	return h, u
}

// mailed does what the server does in the background, and returns the code of the newest message.
func (h *fixture) mailed(u *signup.SignUps) string {
	h.T.Helper()
	jobs, err := h.Store.LeaseMessages(context.Background(), storage.Lease{Kind: signup.Kind, Now: h.Now(), For: time.Hour, Limit: 10})
	h.OK(err)
	for _, m := range jobs {
		h.OK(u.Send(context.Background(), delivery.Outgoing{ID: m.ID, Kind: m.Kind, Locale: m.Locale, Data: m.Data}))
	}
	return h.Sent(notice.SignUp)[0].Data["code"]
}

// What the client forbids is neither offered nor taken: the new user could not sign in with it.
func TestASignUpSetsUpWhatTheClientAllows(t *testing.T) {
	h, u := newcomers(t)
	allow := func(methods ...string) {
		c, err := h.Store.Client(t.Context(), "front")
		h.OK(err)
		c.AllowedMethods = methods
		h.OK(h.Store.PutClient(t.Context(), c, nil))
		h.OK(h.Provider.Poll(t.Context()))
	}
	begin := func(address string) (*caller, map[string]any) {
		h.Wait(time.Second)
		a := h.app()
		a.begin("front")
		a.call("/signup", "email", address).at("identify")
		return a, a.call("/signup/code", "email", address, "passcode", h.mailed(u)).at("identify").body["signup"].(map[string]any)
	}
	methods := func(s map[string]any) string { return fmt.Sprint(s["methods"]) }

	allow("passkey")
	a, s := begin("key@example.com")
	if got := methods(s); got != "[passkey]" {
		t.Errorf("methods = %s", got)
	}
	filled := []any{"signup_token", s["signup_token"], "terms_version", "7"}
	a.call("/signup/create", append(filled, "new_password", "seven ships at sea")...).refused(409, "not_configured")
	asked := a.call("/signup/passkey", filled...).at("identify").body["signup"].(map[string]any)["passkey"].(map[string]any)
	made := append(filled, "passkey_state", asked["state"], "response", signed(t, passkeytest.New("op.example", issuer).Create, asked["options"]))
	allow("password", "totp")
	a.call("/signup/create", made...).refused(409, "not_configured") // not any more
	a.call("/signup/passkey", filled...).refused(409, "not_configured")
	allow("passkey")
	a.call("/signup/create", made...).at("done")

	allow("password")
	a, s = begin("word@example.com")
	if got := methods(s); got != "[password]" {
		t.Errorf("methods = %s", got)
	}
	a.call("/signup/passkey", "signup_token", s["signup_token"], "terms_version", "7").refused(409, "not_configured")

	allow("totp") // which restricts second factors only
	_, s = begin("second@example.com")
	if got := methods(s); got != "[password]" {
		t.Errorf("methods = %s", got)
	}
}

// A program signs a person up with a passkey: options and response as JSON.
func TestAPasskeyInASignUp(t *testing.T) {
	h, u := newcomers(t)
	a := h.app()
	a.begin("front")
	if got := a.call("/step").at("identify").body["signup"]; got == nil || got.(map[string]any)["requested"] != false {
		t.Errorf("signup = %v", got)
	}
	a.call("/signup", "email", "new@example.com").at("identify")
	s := a.call("/signup/code", "email", "new@example.com", "passcode", h.mailed(u)).at("identify").body["signup"].(map[string]any)
	if m, _ := s["methods"].([]any); len(m) != 2 || m[1] != "passkey" {
		t.Errorf("methods = %v", s["methods"])
	}
	token := s["signup_token"]
	a.call("/signup/passkey", "signup_token", token).refused(422, "terms_required")
	asked := a.call("/signup/passkey", "signup_token", token, "terms_version", "7").at("identify").body["signup"].(map[string]any)["passkey"].(map[string]any)
	d := passkeytest.New("op.example", issuer)
	r := signed(t, d.Create, asked["options"])
	foreign := signed(t, passkeytest.New("evil.example", "https://evil.example").Create, asked["options"])
	create := func(pairs ...any) reply {
		return a.call("/signup/create", append([]any{"signup_token", token, "terms_version", "7"}, pairs...)...)
	}
	create("passkey_state", "AAAA", "response", r).refused(409, "enrollment_expired")
	create("passkey_state", asked["state"]).refused(400, "invalid_request")
	create("passkey_state", asked["state"], "response", "text").refused(400, "invalid_request")
	create("passkey_state", asked["state"], "response", foreign).refused(422, "invalid_passcode")
	create("passkey_state", asked["state"], "response", r).at("done")
	a.call("/finish").at("done")

	// The next login is with it alone.
	a = h.app()
	a.begin("vault")
	begun := a.call("/initiate", "method", "passkey", "usage", "first").body["exchange"].(map[string]any)
	a.call("/verify", "method", "passkey", "usage", "first", "exchange_id", begun["exchange_id"], "response", signed(t, func(o json.RawMessage) (mfa.Response, error) { return d.Get(mfa.Challenge(o)) }, begun["challenge"])).at("done")

	// A passkey that took too long, and one of another sign-up.
	h.Wait(time.Second)
	a = h.app()
	a.begin("front")
	a.call("/signup", "email", "late@example.com")
	s = a.call("/signup/code", "email", "late@example.com", "passcode", h.mailed(u)).body["signup"].(map[string]any)
	token = s["signup_token"]
	create("passkey_state", asked["state"], "response", r).refused(409, "enrollment_expired")
	asked = a.call("/signup/passkey", "signup_token", token, "terms_version", "7").body["signup"].(map[string]any)["passkey"].(map[string]any)
	r = signed(t, passkeytest.New("op.example", issuer).Create, asked["options"])
	h.Wait(10*time.Minute + time.Second)
	create("passkey_state", asked["state"], "response", r).refused(409, "enrollment_expired")
	create("new_password", "seven ships at sea").at("done")
}
