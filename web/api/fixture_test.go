package api_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/mfatest"
	"sallyport/provider"
	"sallyport/storage"
	"sallyport/web"
	"sallyport/web/api"
	"sallyport/web/login"
	"sallyport/web/oidc"
	"sallyport/web/page"
	"sallyport/web/webtest"
)

const (
	issuer   = "https://op.example"
	site     = "https://app.example" // origin of the clients' own login page
	callback = site + "/cb"
	password = webtest.Password
	totpKey  = webtest.TOTPKey
	base     = "/api/login/v1"
)

var verifier = strings.Repeat("v", 43)

// fixture is this surface beside the login pages and the OAuth endpoints, over a real
// database.
type fixture struct {
	*webtest.Fixture
	api *api.Surface
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	return newFixtureWith(t, mfatest.Options{})
}

func newFixtureWith(t testing.TB, o mfatest.Options) *fixture {
	t.Helper()
	h := &fixture{Fixture: webtest.New(t, time.Date(2026, 11, 20, 10, 0, 5, 0, time.UTC), o, provider.Options{Issuer: issuer})}
	h.serve(api.New(h.Provider, h.Verifier, h.Sessions))
	for id, change := range map[storage.ClientID]func(c *storage.Client){
		"front":      nil,
		"vault":      func(c *storage.Client) { c.MFA = mfa.MFAAlways },
		"lone":       func(c *storage.Client) { c.Passwordless = true },
		"consenting": func(c *storage.Client) { c.Consent = "ask" },
		"own":        func(c *storage.Client) { c.MFA, c.LoginURL = mfa.MFAAlways, site+"/login?theme=dark" },
		"shop":       func(c *storage.Client) { c.HeadlessLogin, c.MFA = false, mfa.MFAAlways },
		"other": func(c *storage.Client) {
			c.AllowedOrigins, c.RedirectURIs = []string{"https://other.example"}, []string{"https://other.example/cb"}
		},
	} {
		c := storage.Client{ID: id, Name: "The " + string(id), Public: true, AuthMethod: "none", HeadlessLogin: true, Consent: "skip",
			RedirectURIs: []string{callback}, AllowedOrigins: []string{site}, ClientURI: site + "/", LogoURI: site + "/logo.svg", SupportURL: "mailto:help@app.example",
			GrantTypes: []string{"authorization_code"}, Scopes: []string{"openid", "email"}, MFA: mfa.MFAOff}
		if change != nil {
			change(&c)
		}
		h.OK(h.Store.PutClient(context.Background(), c, nil))
	}
	return h
}

// serve has the server answer with a surface.
func (h *fixture) serve(s *api.Surface) {
	h.T.Helper()
	look, err := page.New(h.Keyring, page.Options{Issuer: issuer, Methods: h.Verifier.Methods()}, login.Files())
	h.OK(err)
	pages := login.New(h.Provider, h.Verifier, h.Sessions, look)
	h.api = s
	h.Serve(pages.Refusal, look, pages, oidc.New(h.Provider, oidc.Options{Issuer: issuer}), s)
}

// code is what the app with a key shows next.
func (h *fixture) code(key string) string {
	h.T.Helper()
	h.Wait(30 * time.Second)
	return h.Code(key)
}

// params are a valid authorization request, changed by name and value; "" leaves one out.
func params(client string, changes ...string) map[string]any {
	v := map[string]any{"response_type": "code", "client_id": client, "redirect_uri": callback, "scope": "openid", "state": "the-state",
		"code_challenge": webtest.Challenge(verifier), "code_challenge_method": "S256"}
	for i := 0; i < len(changes); i += 2 {
		v[changes[i]] = changes[i+1]
		if changes[i+1] == "" {
			delete(v, changes[i])
		}
	}
	return v
}

// caller is a program or a page that speaks JSON.
type caller struct {
	h      *fixture
	origin string
	jar    *browser // whose cookies are sent; nil: none
	id     any      // of the login it is in
	token  any      // of its login, if it is the owner; nil: none
}

// app is the client's own page on its own origin.
func (h *fixture) app() *caller { return &caller{h: h, origin: site} }

// reply is a response.
type reply struct {
	t      testing.TB
	code   int
	header http.Header
	body   map[string]any
	raw    string
}

// call posts a body of names and values in the caller's login, and validates the response
// against the description.
func (c *caller) call(path string, pairs ...any) reply {
	c.h.T.Helper()
	body := map[string]any{}
	if c.id != nil {
		body["request_id"] = c.id
	}
	if c.token != nil {
		body["login_token"] = c.token
	}
	for i := 0; i < len(pairs); i += 2 {
		body[pairs[i].(string)] = pairs[i+1]
	}
	return c.send(path, body)
}

func (c *caller) send(path string, body map[string]any) reply {
	c.h.T.Helper()
	text, err := json.Marshal(body)
	c.h.OK(err)
	r := httptest.NewRequest(http.MethodPost, base+path, strings.NewReader(string(text)))
	r.Header.Set("Content-Type", "application/json")
	out := c.do(r)
	described(c.h.T, path, out)
	if token, sent := out.body["login_token"]; sent || path == "/restart" && out.code == http.StatusOK {
		c.token = token
	}
	return out
}

func (c *caller) do(r *http.Request) reply {
	c.h.T.Helper()
	if c.origin != "" {
		r.Header.Set("Origin", c.origin)
	}
	if c.jar != nil {
		c.jar.Cookies.Put(r)
	}
	w := httptest.NewRecorder()
	c.h.Handler.ServeHTTP(w, r)
	if c.jar != nil {
		c.jar.Cookies.Take(w)
	}
	out := reply{t: c.h.T, code: w.Code, header: w.Header(), raw: w.Body.String()}
	if strings.Contains(w.Header().Get("Content-Type"), "json") {
		if err := json.Unmarshal(w.Body.Bytes(), &out.body); err != nil {
			c.h.T.Errorf("body %q: %v", out.raw, err)
		}
	}
	return out
}

// begin opens a login for the following calls.
func (c *caller) begin(client string, changes ...string) reply {
	c.h.T.Helper()
	out := c.send("/requests", params(client, changes...))
	c.id, c.token = out.body["request_id"], nil
	return out
}

func (r reply) get(name string) string { s, _ := r.body[name].(string); return s }

// at checks the step.
func (r reply) at(step string) reply {
	r.t.Helper()
	if r.code != http.StatusOK || r.get("step") != step {
		r.t.Fatalf("response = %d %s, want step %q", r.code, r.raw, step)
	}
	return r
}

// refused checks for a problem with a status and a code.
func (r reply) refused(status int, code string) reply {
	r.t.Helper()
	if r.code != status || r.get("code") != code || r.get("support_id") != r.header.Get(web.CorrelationHeader) ||
		r.header.Get("Content-Type") != "application/problem+json" || r.header.Get("Cache-Control") != "no-store" {
		r.t.Fatalf("response = %d %s, want %d %q", r.code, r.raw, status, code)
	}
	return r
}

// methods are the options of a step as method:usage.
func (r reply) methods() string {
	var out []string
	list, _ := r.body["options"].([]any)
	for _, o := range list {
		m := o.(map[string]any)
		out = append(out, fmt.Sprint(m["method"], ":", m["usage"]))
	}
	return strings.Join(out, " ")
}

// redeem exchanges the code of a finished login and returns the claims of the ID token.
func (h *fixture) redeem(client, code string) map[string]any {
	h.T.Helper()
	form := url.Values{"grant_type": {"authorization_code"}, "client_id": {client}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier}}
	r := httptest.NewRequest(http.MethodPost, "/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	h.Handler.ServeHTTP(w, r)
	var tokens struct {
		IDToken string `json:"id_token"`
	}
	h.OK(json.Unmarshal(w.Body.Bytes(), &tokens))
	parts := strings.Split(tokens.IDToken, ".")
	if len(parts) != 3 {
		h.T.Fatalf("tokens = %d %s", w.Code, w.Body)
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	h.OK(err)
	var claims map[string]any
	h.OK(json.Unmarshal(payload, &claims))
	return claims
}
