package server_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport/cmd/sallyport/servertest"
	"sallyport/mfa"
	"sallyport/storage"
)

const ownSignUps = `clients:
  - {client_id: own, public: true, headless_login: true, login_url: "https://own.example/login", mfa: "OFF", consent: skip, redirect_uris: ["https://own.example/cb"], grant_types: [authorization_code], scopes: [openid], signup_required: [given_name], signup_optional: [birthdate], terms_url: "https://own.example/terms", terms_version: "own 3"}
  - {client_id: safe, public: true, headless_login: true, mfa: ALWAYS, consent: skip, redirect_uris: ["https://own.example/cb"], grant_types: [authorization_code], scopes: [openid]}
  - {client_id: closed, public: true, headless_login: true, mfa: "OFF", consent: skip, redirect_uris: ["https://own.example/cb"], grant_types: [authorization_code], scopes: [openid], signup: "off"}
`

// ownPage is a client's own page, in a login.
type ownPage struct {
	people
	id, token any
}

// page begins a login of a client without a browser.
func (p people) page(client string, pairs ...string) *ownPage {
	p.t.Helper()
	in := ownerParams(client, "https://own.example")
	for i := 0; i < len(pairs); i += 2 {
		in[pairs[i]] = pairs[i+1]
	}
	return &ownPage{people: p, id: callFrom(p.t, p.Server, "/api/login/v1/requests", in)["request_id"]}
}

// call makes a call in the login, with the origin of the page and no cookie.
func (o *ownPage) call(path string, pairs ...any) map[string]any {
	o.t.Helper()
	_, out := o.raw(path, pairs...)
	return out
}

func (o *ownPage) raw(path string, pairs ...any) (string, map[string]any) {
	o.t.Helper()
	members := map[string]any{"request_id": o.id}
	if o.token != nil {
		members["login_token"] = o.token
	}
	for i := 0; i < len(pairs); i += 2 {
		members[pairs[i].(string)] = pairs[i+1]
	}
	text, err := json.Marshal(members)
	if err != nil {
		o.t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/api/login/v1"+path, strings.NewReader(string(text)))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Origin", "https://own.example")
	w := httptest.NewRecorder()
	o.Handler.ServeHTTP(w, r)
	out := map[string]any{}
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code >= 500 {
		o.t.Fatalf("%s: %d %s", path, w.Code, w.Body)
	}
	if out["login_token"] != nil {
		o.token = out["login_token"]
	}
	return w.Body.String(), out
}

// refused makes a call that is refused with a code, about a member.
func (o *ownPage) refused(code, member string, path string, pairs ...any) {
	o.t.Helper()
	if got := o.call(path, pairs...); got["code"] != code || member != "" && got["parameter"] != member || got["login_token"] != nil {
		o.t.Errorf("%s %v = %v, want %s about %q", path, pairs, got, code, member)
	}
}

// proven asks for the nth mail and types its code.
func (o *ownPage) proven(n int, address string) map[string]any {
	o.t.Helper()
	o.call("/signup", "email", address)
	_, code, _ := o.welcomed(n)
	s, ok := o.call("/signup/code", "email", address, "passcode", code)["signup"].(map[string]any)
	if !ok || s["signup_token"] == nil {
		o.t.Fatalf("no signup_token: %v", s)
	}
	return s
}

func ownNewcomers(t *testing.T, settings string) people {
	t.Helper()
	p := newcomers(t, settings)
	servertest.Apply(t, settings, ownSignUps)
	p.sending()
	return p
}

// A client's own page signs a person up, in a login that began in a browser, to its callback.
func TestAPersonSignsUpOnAClientsOwnPage(t *testing.T) {
	servertest.OnBoth(t, func(t *testing.T, settings string) {
		p := ownNewcomers(t, settings)
		b := p.browser()
		in := url.Values{}
		for name, value := range ownerParams("own", "https://own.example") {
			in.Set(name, value.(string))
		}
		in.Set("prompt", "create")
		b.Get("/authorize?" + in.Encode())
		at, err := url.Parse(b.Left)
		if err != nil || at.Host != "own.example" {
			t.Fatalf("left to %q", b.Left)
		}
		o := &ownPage{people: p, id: at.Query().Get("requestId")}
		if got := o.call("/step")["signup"]; got == nil || got.(map[string]any)["requested"] != true {
			t.Errorf("signup = %v, want requested", got)
		}
		o.refused("invalid_request", "email", "/signup")
		o.refused("invalid_identifier", "", "/signup", "email", "not an address")
		o.call("/signup", "email", "New@Example.com")
		link, code, text := p.welcomed(1)
		if !strings.Contains(text, "http") || strings.Contains(text, "own.example/signup") {
			t.Errorf("mail = %s", text)
		}
		elsewhere := p.page("own")
		elsewhere.refused("invalid_passcode", "", "/signup/code", "email", "new@example.com", "passcode", code)
		o.refused("invalid_request", "passcode", "/signup/code", "email", "new@example.com")
		o.refused("invalid_passcode", "", "/signup/code", "email", "new@example.com", "passcode", "0"+code)
		s := o.call("/signup/code", "email", "new@example.com", "passcode", code[:3]+" "+code[3:])["signup"].(map[string]any)
		want := map[string]any{"requested": true, "email": "new@example.com", "signup_token": s["signup_token"], "expires_at": s["expires_at"],
			"claims":  []any{map[string]any{"name": "given_name", "required": true}, map[string]any{"name": "birthdate", "required": false}},
			"terms":   map[string]any{"url": "https://own.example/terms", "version": "own 3"},
			"methods": []any{"password"}}
		if got, _ := json.Marshal(s); string(got) != string(must(json.Marshal(want))) {
			t.Errorf("signup = %s, want %s", got, must(json.Marshal(want)))
		}
		claims := map[string]any{"given_name": " Ada "}
		create := func(pairs ...any) []any {
			return append([]any{"signup_token", s["signup_token"], "claims", claims, "terms_version", "own 3", "new_password", "seven ships at sea"}, pairs...)
		}
		o.refused("invalid_request", "signup_token", "/signup/create", "new_password", "seven ships at sea")
		o.refused("invalid_request", "new_password", "/signup/create", create("new_password", "")...)
		o.refused("invalid_request", "response", "/signup/create", create("passkey_state", "x")...)
		o.refused("invalid_request", "claims", "/signup/create", create("claims", "text")...)
		o.refused("invalid_request", "claims.given_name", "/signup/create", create("claims", map[string]any{"given_name": 7})...)
		o.refused("invalid_request", "claims.given_name", "/signup/create", create("claims", map[string]any{})...)
		o.refused("invalid_request", "claims.birthdate", "/signup/create", create("claims", map[string]any{"given_name": "Ada", "birthdate": "1815-13-10"})...)
		o.refused("terms_required", "", "/signup/create", create("terms_version", "")...)
		o.refused("terms_required", "", "/signup/create", create("terms_version", "2026-01")...) // the server's
		o.refused("password_too_short", "", "/signup/create", create("new_password", "short")...)
		o.refused("invalid_exchange", "", "/signup/create", create("signup_token", "00000000-0000-4000-8000-000000000000")...)
		o.refused("invalid_exchange", "", "/signup/create", create("signup_token", "x")...)
		p.page("safe").refused("invalid_exchange", "", "/signup/create", create()...) // another client's terms
		if _, err := p.Store.AccountByIdentifier(t.Context(), "new@example.com", time.Now()); err == nil {
			t.Error("there is a user before the account is created")
		}
		if got := o.call("/signup/create", create()...); got["step"] != "done" || got["login_token"] == nil || got["state"] != ownerSecretState {
			t.Fatalf("created: %v", got)
		}
		r := httptest.NewRequest(http.MethodPost, "/continue", strings.NewReader(url.Values{"login_token": {o.token.(string)}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", "https://own.example")
		b.Do(r)
		if !strings.HasPrefix(b.Left, "https://own.example/cb?code=") {
			t.Errorf("at %s, left to %q: %s", b.At, b.Left, b.Page.Body)
		}
		p.ownTerms("new@example.com")
		elsewhere.refused("invalid_exchange", "", "/signup/create", create()...)
		b = p.browser()
		b.Get(link)
		b.Must(link, 410)
	})
}

func must(text []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return text
}

// ownTerms checks that a user accepted the terms of the client own, and that the audit trail says so.
func (p people) ownTerms(name string) {
	p.t.Helper()
	a := p.account(name)
	if got := a.User.Terms; got.Client != "own" || got.URL != "https://own.example/terms" || got.Version != "own 3" || got.AcceptedAt.IsZero() {
		p.t.Errorf("terms = %+v", got)
	}
	if a.User.Profile["given_name"] != "Ada" || a.Identifiers[0].VerifiedAt.IsZero() {
		p.t.Errorf("the user is %+v", a)
	}
	if err := p.Journal.Flush(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
	lines, err := p.Store.ListEvents(p.t.Context(), storage.EventFilter{Kind: mfa.EventTermsAccepted, UserID: a.User.ID, Limit: 10})
	if err != nil || len(lines) != 1 || lines[0].ClientID != "own" || lines[0].Detail["version"] != "own 3" || lines[0].Detail["url"] != "https://own.example/terms" {
		p.t.Errorf("events = %+v, %v", lines, err)
	}
}

// A program signs a person up, and policy asks for what it demands; the server's page shows the terms
// of the client as well.
func TestASignUpByCallsIsTheFirstFactorAlone(t *testing.T) {
	servertest.OnBoth(t, func(t *testing.T, settings string) {
		p := ownNewcomers(t, settings)
		o := p.page("safe")
		s := o.proven(1, "one@example.com")
		if got := o.call("/signup/create", "signup_token", s["signup_token"], "terms_version", "2026-01", "new_password", "seven ships at sea"); got["step"] != "enroll" || got["login_token"] == nil {
			t.Errorf("created: %v, want a second factor to be enrolled", got)
		}
		if a := p.account("one@example.com"); a.User.Terms.Client != "" || a.User.Terms.URL != "https://harbour.example/terms" || a.User.Terms.Version != "2026-01" {
			t.Errorf("terms = %+v, want the server's", a.User.Terms)
		}

		o = p.page("own")
		s = o.proven(2, "two@example.com")
		filled := []any{"signup_token", s["signup_token"], "claims", map[string]any{"given_name": "Ada"}, "terms_version", "own 3"}
		o.refused("not_configured", "", "/signup/passkey", filled...) // the issuer of this server is an address
		got := o.call("/signup/create", append(filled, "new_password", "seven ships at sea")...)
		if got["step"] != "done" {
			t.Fatalf("created: %v", got)
		}
		if end := o.call("/finish"); end["code"] == nil || end["signup"] != nil {
			t.Errorf("finish: %v", end)
		}
		p.ownTerms("two@example.com")

		b := p.browser()
		b.Get("/signup?client_id=own")
		b.Submit("signup-submit", "email", "three@example.com")
		link, _, _ := p.welcomed(3)
		b.Get(link)
		b.Must(link, 200, `href="https://own.example/terms"`, `value="own 3"`)
		b.Submit("create-submit", "new", "seven ships at sea", "repeat", "seven ships at sea", "given_name", "Ada", "terms", "2026-01")
		b.Must("/signup/create", 422)
		b.Submit("create-submit", "new", "seven ships at sea", "repeat", "seven ships at sea", "given_name", "Ada", "terms", "own 3")
		b.Must("/signed-up", 200)
		p.ownTerms("three@example.com")
	})
}

// Whoever has the address: the calls have the same bytes, statements and commits.
func TestSignUpsByCallsLookAlike(t *testing.T) {
	servertest.OnBoth(t, func(t *testing.T, settings string) {
		p := newcomers(t, settings)
		servertest.Apply(t, settings, ownSignUps)
		type seen struct {
			body                string
			statements, commits int64
		}
		of := map[string]seen{}
		for _, name := range []string{"newc", "prvn", "unpr", "dead", "half"} {
			for _, path := range []string{"/signup", "/signup/code"} {
				o := p.page("own")
				if path == "/signup/code" {
					o.call("/signup", "email", "x"+name+"@example.com")
				} else {
					o.call("/step")
				}
				before := p.Store.Stats()
				body, parsed := o.raw(path, "email", name+"@example.com", "passcode", "123456789")
				after := p.Store.Stats()
				for _, member := range []string{"request_id", "expires_at", "support_id"} {
					if value, ok := parsed[member].(string); ok {
						body = strings.ReplaceAll(body, value, "")
					}
				}
				got := seen{strings.ReplaceAll(body, name, "NAME"), after.Statements - before.Statements, after.Commits - before.Commits}
				if first, ok := of[path]; !ok {
					of[path] = got
				} else if got != first {
					t.Errorf("%s for %s: %+v, want %+v", path, name, got, first)
				}
			}
		}
	})
}

// Where nobody can sign up no step offers it and every call is refused; a login that somebody owns
// is at another step; and a stranger's sign-up in a login changes nothing for its owner, and gets no
// further than a password would.
func TestSignUpsByCallsHaveALimit(t *testing.T) {
	servertest.OnBoth(t, func(t *testing.T, settings string) {
		p := ownNewcomers(t, settings)
		closed := p.page("closed")
		if got := closed.call("/step")["signup"]; got != nil {
			t.Errorf("the step offers %v", got)
		}
		for path, pairs := range map[string][]any{"/signup": {"email", "new@example.com"}, "/signup/code": {"email", "new@example.com", "passcode", "123456789"},
			"/signup/passkey": {"signup_token", "x"}, "/signup/create": {"signup_token", "x", "new_password", "seven ships at sea"}} {
			closed.refused("not_configured", "", path, pairs...)
		}

		owner := p.page("safe")
		if got := owner.call("/password", "identifier", "prvn", "password", "a lighthouse at dusk"); got["step"] != "enroll" {
			t.Fatalf("signed in: %v", got)
		}
		owner.refused("request_changed", "", "/signup", "email", "new@example.com")
		before := owner.call("/step")
		stranger := &ownPage{people: p, id: owner.id}
		s := stranger.proven(1, "mallory@example.com")
		got := stranger.call("/signup/create", "signup_token", s["signup_token"], "terms_version", "2026-01", "new_password", "seven ships at sea")
		if got["step"] != "identify" || stranger.token != nil {
			t.Errorf("created: %v, want an account, and no way on in the login of another user", got)
		}
		stranger.refused("invalid_credentials", "", "/password", "identifier", "mallory@example.com", "password", "seven ships at sea") // nor by its password
		if p.account("mallory@example.com").User.Status != storage.UserActive {
			t.Error("there is no account")
		}
		if after := owner.call("/step"); string(must(json.Marshal(after))) != string(must(json.Marshal(before))) {
			t.Errorf("the owner's login is %v, and was %v", after, before)
		}
	})
}
