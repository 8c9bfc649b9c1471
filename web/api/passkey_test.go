package api_test

import (
	"encoding/json"
	"testing"

	"sallyport/mfa"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/passkey/passkeytest"
)

// signed is what a device answers to request options, or to creation options, as a program sends it.
func signed(t *testing.T, answer func(json.RawMessage) (mfa.Response, error), options any) map[string]any {
	t.Helper()
	text, err := json.Marshal(options)
	if err != nil {
		t.Fatal(err)
	}
	r, err := answer(text)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]any{}
	if err := json.Unmarshal(r, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// A program gets options as JSON and sends the response as JSON: to enrol a passkey in a login, to
// sign in with it alone, without a name, and with it after the password.
func TestPasskeysAsJSON(t *testing.T) {
	h := newFixtureWith(t, mfatest.Options{Passkeys: "op.example"})
	h.User("ada", "")
	d := passkeytest.New("op.example", issuer)
	get := func(o json.RawMessage) (mfa.Response, error) { return d.Get(mfa.Challenge(o)) }

	a := h.app()
	a.begin("vault")
	a.call("/password", "identifier", "ada", "password", password).at("enroll")
	begun := a.call("/enroll", "method", "passkey").body["enrollment"].(map[string]any)
	a.call("/enroll/confirm", "exchange_id", begun["exchange_id"]).refused(400, "invalid_request")
	a.call("/enroll/confirm", "exchange_id", begun["exchange_id"], "response", "text").refused(400, "invalid_request")
	a.call("/enroll/confirm", "exchange_id", begun["exchange_id"], "response", signed(t, d.Create, begun["options"])).at("recovery")

	for _, tc := range []struct{ usage, client string }{{"first", "vault"}, {"second", "vault"}} {
		a = h.app()
		a.begin(tc.client)
		if tc.usage == "second" {
			a.call("/password", "identifier", "ada", "password", password).at("verify")
		}
		begun := a.call("/initiate", "method", "passkey", "usage", tc.usage).body["exchange"].(map[string]any)
		r := signed(t, get, begun["challenge"])
		a.call("/verify", "method", "passkey", "usage", tc.usage, "exchange_id", begun["exchange_id"], "response", r).at("done")
		other := h.app()
		other.begin(tc.client)
		other.call("/verify", "method", "passkey", "usage", "first", "response", r).refused(422, "invalid_credentials")
	}
}
