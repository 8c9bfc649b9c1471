package api_test

import (
	"encoding/base64"
	"encoding/json"
	"reflect"
	"regexp"
	"testing"

	"sallyport/mfa"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/passkey/passkeytest"
	"sallyport/storage"
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
		known := a.call("/verify", "method", "passkey", "usage", "first", "response", r)
		if known.body["unknown_credential"] != nil {
			t.Errorf("a passkey that a user has: %v", known.body)
		}
	}
	a = h.app()
	a.begin("vault")
	begun = a.call("/initiate", "method", "passkey", "usage", "first").body["exchange"].(map[string]any)
	d = passkeytest.New("op.example", issuer)
	refused := a.call("/verify", "method", "passkey", "usage", "first", "exchange_id", begun["exchange_id"], "response", signed(t, get, begun["challenge"]))
	refused.refused(422, "invalid_credentials")
	want := map[string]any{"rpId": "op.example", "credentialId": base64.RawURLEncoding.EncodeToString(d.Credential.ID)}
	if got := refused.body["unknown_credential"]; !reflect.DeepEqual(got, want) {
		t.Errorf("a passkey that no account has: %v, want %v", got, want)
	}
}

// list is what differs by name: the list of passkeys, real or invented, the challenge, and the
// invented factors.
var list = regexp.MustCompile(`"allowCredentials":\[.*?\],"challenge":"[^"]*"|"options":\[.*?\],"request_id"`)

// Options of passkeys for a name have the same form and cost the same for a user who has one, for one
// who has none, for a disabled one and for nobody.
func TestOptionsForANameCostTheSame(t *testing.T) {
	h := newFixtureWith(t, mfatest.Options{Passkeys: "op.example"})
	h.User("ada", "")
	h.User("bare", "")
	gone, off := h.User("gone", ""), storage.UserDisabled
	h.OK(h.Store.UpdateUser(t.Context(), storage.UserChange{ID: gone, Status: &off, Now: h.Now()}))
	d := passkeytest.New("op.example", issuer)
	a := h.app()
	a.begin("vault")
	a.call("/password", "identifier", "ada", "password", password).at("enroll")
	begun := a.call("/enroll", "method", "passkey").body["enrollment"].(map[string]any)
	a.call("/enroll/confirm", "exchange_id", begun["exchange_id"], "response", signed(t, d.Create, begun["options"])).at("recovery")

	type step struct {
		shape               string
		statements, commits int64
	}
	walk := func(name string) []step {
		a := h.app()
		a.begin("vault")
		var out []step
		for _, call := range []func() reply{
			func() reply { return a.call("/identify", "identifier", name) },
			func() reply { return a.call("/initiate", "identifier", name, "method", "passkey", "usage", "first") },
			func() reply { return a.call("/initiate", "identifier", name, "method", "passkey", "usage", "first") },
		} {
			before := h.Store.Stats()
			r := call()
			after := h.Store.Stats()
			out = append(out, step{list.ReplaceAllString(shape(r), ""), after.Statements - before.Statements, after.Commits - before.Commits})
		}
		return out
	}
	want := walk("ada")
	for _, name := range []string{"bare", "gone", "nobody"} {
		for i, got := range walk(name) {
			if got != want[i] {
				t.Errorf("step %d of %s:\n%+v, want\n%+v", i, name, got, want[i])
			}
		}
	}
}
