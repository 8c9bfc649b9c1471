package api_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/totp"
	"sallyport/mfa/users"
	"sallyport/provider"
	"sallyport/storage"
	"sallyport/storage/relational"
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
	password = "correct horse battery"
	totpKey  = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	base     = "/api/login/v1"
)

var verifier = strings.Repeat("v", 43)

// house is pages, endpoints and this surface over the whole core on a real SQLite
// database, with a clock that stands still until a test moves it.
type house struct {
	t       testing.TB
	mu      sync.Mutex
	clock   time.Time
	engine  *relational.Engine
	users   *users.Registry
	totp    *totp.Method
	p       *provider.Provider
	api     *api.Surface
	handler http.Handler
	rooms   webtest.Rooms
	log     strings.Builder
}

func (h *house) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.clock
}

func (h *house) wait(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clock = h.clock.Add(d)
}

func (h *house) ok(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func newHouse(t testing.TB) *house {
	t.Helper()
	ctx := context.Background()
	h := &house{t: t, clock: time.Date(2026, 11, 20, 10, 0, 5, 0, time.UTC)}
	rooms := webtest.Open(t, mfatest.Options{Now: h.now}, provider.Options{Issuer: issuer})
	h.engine, h.users, h.totp, h.p, h.rooms = rooms.Store, rooms.Users, rooms.TOTP, rooms.Provider, rooms
	log := slog.New(slog.NewJSONHandler(&h.log, nil))
	look, err := page.New(rooms.Keyring, page.Options{Issuer: issuer}, login.Files())
	h.ok(err)
	pages := login.New(h.p, rooms.Verifier, rooms.Sessions, look)
	h.api = api.New(h.p, rooms.Verifier, rooms.Sessions, api.Options{Logger: log})
	h.handler, err = web.New(web.Options{Issuer: issuer, Logger: log, ErrorPage: pages.Refusal}, rand.Reader, h.now, look, pages,
		oidc.New(h.p, oidc.Options{Issuer: issuer}), h.api)
	h.ok(err)
	for id, change := range map[storage.ClientID]func(c *storage.Client){
		"front": nil,
		"vault": func(c *storage.Client) { c.MFA = mfa.MFAAlways },
		"lone":  func(c *storage.Client) { c.Passwordless = true },
		"asks":  func(c *storage.Client) { c.Consent = "ask" },
		"own":   func(c *storage.Client) { c.MFA, c.LoginURL = mfa.MFAAlways, site+"/login?theme=dark" },
		"shop":  func(c *storage.Client) { c.HeadlessLogin, c.MFA = false, mfa.MFAAlways },
		"other": func(c *storage.Client) {
			c.AllowedOrigins, c.RedirectURIs = []string{"https://other.example"}, []string{"https://other.example/cb"}
		},
	} {
		c := storage.Client{ID: id, Name: "The " + string(id), Public: true, AuthMethod: "none", HeadlessLogin: true, Consent: "skip",
			RedirectURIs: []string{callback}, AllowedOrigins: []string{site}, ClientURI: site + "/", LogoURI: site + "/logo.svg",
			GrantTypes: []string{"authorization_code"}, Scopes: []string{"openid", "email"}, MFA: mfa.MFAOff}
		if change != nil {
			change(&c)
		}
		h.ok(h.engine.PutClient(ctx, c, nil))
	}
	return h
}

// user stores a person, with an authenticator app if a key is given.
func (h *house) user(name, key string, codes ...string) {
	h.t.Helper()
	h.rooms.User(name, password, key, codes...)
}

// code is what the app of a key shows now; each call waits for the next one.
func (h *house) code(key string) string {
	h.t.Helper()
	h.wait(30 * time.Second)
	return h.rooms.Code(key, h.now())
}

// params are a good authorization request, changed by name and value; "" leaves out.
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
	h      *house
	origin string
	jar    *browser // whose cookies go along; nil: none
	id     any      // of the login it is in
	token  any      // of the same, if it is its owner; nil: none
}

// app is the client's own page on its own origin.
func (h *house) app() *caller { return &caller{h: h, origin: site} }

// reply is an answer.
type reply struct {
	t      testing.TB
	code   int
	header http.Header
	body   map[string]any
	raw    string
}

// call posts a body of names and values, in the login the caller is in, and holds the
// answer against the description.
func (c *caller) call(path string, pairs ...any) reply {
	c.h.t.Helper()
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
	c.h.t.Helper()
	text, err := json.Marshal(body)
	c.h.ok(err)
	r := httptest.NewRequest(http.MethodPost, base+path, strings.NewReader(string(text)))
	r.Header.Set("Content-Type", "application/json")
	out := c.do(r)
	described(c.h.t, path, out)
	if token, told := out.body["login_token"]; told || path == "/restart" && out.code == http.StatusOK {
		c.token = token
	}
	return out
}

func (c *caller) do(r *http.Request) reply {
	c.h.t.Helper()
	if c.origin != "" {
		r.Header.Set("Origin", c.origin)
	}
	if c.jar != nil {
		c.jar.cookies.Put(r)
	}
	w := httptest.NewRecorder()
	c.h.handler.ServeHTTP(w, r)
	if c.jar != nil {
		c.jar.cookies.Take(w)
	}
	out := reply{t: c.h.t, code: w.Code, header: w.Header(), raw: w.Body.String()}
	if strings.Contains(w.Header().Get("Content-Type"), "json") {
		if err := json.Unmarshal(w.Body.Bytes(), &out.body); err != nil {
			c.h.t.Errorf("body %q: %v", out.raw, err)
		}
	}
	return out
}

// begin opens a login and stays in it.
func (c *caller) begin(client string, changes ...string) reply {
	c.h.t.Helper()
	out := c.send("/requests", params(client, changes...))
	c.id, c.token = out.body["request_id"], nil
	return out
}

func (r reply) get(name string) string { s, _ := r.body[name].(string); return s }

// at demands a step.
func (r reply) at(step string) reply {
	r.t.Helper()
	if r.code != http.StatusOK || r.get("step") != step {
		r.t.Fatalf("answer = %d %s, want step %q", r.code, r.raw, step)
	}
	return r
}

// refused demands a problem with a status and a code.
func (r reply) refused(status int, code string) reply {
	r.t.Helper()
	if r.code != status || r.get("code") != code || r.get("support_id") != r.header.Get(web.CorrelationHeader) ||
		r.header.Get("Content-Type") != "application/problem+json" || r.header.Get("Cache-Control") != "no-store" {
		r.t.Fatalf("answer = %d %s, want %d %q", r.code, r.raw, status, code)
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
func (h *house) redeem(client, code string) map[string]any {
	h.t.Helper()
	form := url.Values{"grant_type": {"authorization_code"}, "client_id": {client}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier}}
	r := httptest.NewRequest(http.MethodPost, "/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	var tokens struct {
		IDToken string `json:"id_token"`
	}
	h.ok(json.Unmarshal(w.Body.Bytes(), &tokens))
	parts := strings.Split(tokens.IDToken, ".")
	if len(parts) != 3 {
		h.t.Fatalf("tokens = %d %s", w.Code, w.Body)
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	h.ok(err)
	var claims map[string]any
	h.ok(json.Unmarshal(payload, &claims))
	return claims
}
