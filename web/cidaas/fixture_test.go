package cidaas

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/mfatest"
	"sallyport/provider"
	"sallyport/storage"
	"sallyport/web"
	"sallyport/web/login"
	"sallyport/web/oidc"
	"sallyport/web/page"
	"sallyport/web/webtest"
)

const (
	issuer   = "https://login.example"
	app      = "https://app.example"
	callback = app + "/cb"
	password = webtest.Password
	totpKey  = webtest.TOTPKey
	verifier = "a-verifier-that-is-long-enough-for-rfc-7636-and-fixed"
)

var t0 = time.Date(2026, 11, 21, 9, 0, 5, 0, time.UTC)

// fixture is the dialect beside the server's own pages, over a real database.
type fixture struct {
	*webtest.Fixture
	surface *Surface
}

func newFixture(t testing.TB, more ...web.Surface) *fixture {
	t.Helper()
	return newFixtureWith(t, mfatest.Options{Options: exchange.Options{AddressMax: -1}, Codes: true, Toll: tollOf}, more...)
}

func newFixtureWith(t testing.TB, m mfatest.Options, more ...web.Surface) *fixture {
	t.Helper()
	h := &fixture{Fixture: webtest.New(t, t0, m,
		provider.Options{Issuer: issuer, LegacyResponseTypes: true})}
	look, err := page.New(h.Keyring, page.Options{Issuer: issuer, Methods: h.Verifier.Methods(), Logger: h.Logger()}, login.Files())
	h.OK(err)
	pages := login.New(h.Provider, h.Verifier, h.Sessions, look)
	h.surface = New(h.Provider, h.Verifier, h.Accounts, h.Sessions, rand.Reader, Options{Issuer: issuer, Product: "Harbour", Answer: pages.Answer, Logger: h.Logger()})
	h.Serve(pages.Refusal, append([]web.Surface{look, pages.WithClientPages(h.surface.Page), h.surface, oidc.New(h.Provider, oidc.Options{Issuer: issuer})}, more...)...)
	return h
}

// client stores an application of the dialect: public, with its own page, changed by the
// given functions.
func (h *fixture) client(changes ...func(*storage.Client)) {
	h.T.Helper()
	c := storage.Client{ID: "shop", Name: "Lighthouse Shop", Public: true, AuthMethod: "none", RedirectURIs: []string{callback},
		PostLogoutRedirectURIs: []string{app + "/bye"}, GrantTypes: []string{"authorization_code", "refresh_token"},
		Scopes: []string{"openid", "email", "profile", "mobile", "offline_access"}, MFA: mfa.MFAOff, Consent: "skip",
		Passwordless: true, HeadlessLogin: true, ManagesFactors: true, LoginURL: app + "/login", LogoURI: app + "/logo.png", PolicyURI: app + "/privacy"}
	for _, change := range changes {
		change(&c)
	}
	h.OK(h.Store.PutClient(context.Background(), c, nil))
	h.OK(h.Provider.Poll(context.Background()))
}

func always(c *storage.Client) { c.MFA, c.Passwordless = mfa.MFAAlways, false }
func bound(c *storage.Client)  { c.HeadlessLogin, c.LoginURL = false, "" }

// confidential is a client with a secret, for endpoints that require one.
const secret = "a secret of 32 random bytes, let us say"

func confidential(c *storage.Client) {
	sum := sha256.Sum256([]byte(secret))
	c.ID, c.Public, c.AuthMethod, c.SecretHashes = "backend", false, "client_secret_basic", [][]byte{sum[:]}
}

// wrong is a code that no app shows now.
func (h *fixture) wrong() string {
	for _, code := range []string{"000000", "000001", "000002", "000003"} {
		right := false
		for _, d := range []time.Duration{-30 * time.Second, 0, 30 * time.Second} {
			right = right || h.Services.Code(totpKey, h.Now().Add(d)) == code
		}
		if !right {
			return code
		}
	}
	return ""
}

// caller is a browser, which keeps cookies, or a program, with headers of its own.
type caller struct {
	h       *fixture
	cookies webtest.Jar // nil: a program
	header  http.Header
}

func (h *fixture) program() *caller { return &caller{h: h, header: http.Header{}} }

func (h *fixture) browser() *caller {
	return &caller{h: h, cookies: webtest.Jar{}, header: http.Header{}}
}

// page is a caller from the application's page on its own site: it sends no cookies.
func (h *fixture) page() *caller {
	return &caller{h: h, header: http.Header{"Origin": {app}}}
}

func (c *caller) do(verb, path, kind, body string) *httptest.ResponseRecorder {
	c.h.T.Helper()
	r := httptest.NewRequest(verb, path, strings.NewReader(body))
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	for name, values := range c.header {
		r.Header[name] = values
	}
	c.cookies.Put(r)
	w := httptest.NewRecorder()
	c.h.Handler.ServeHTTP(w, r)
	c.cookies.Take(w)
	if r.URL.Path == "/session/end_session" || r.URL.Path == "/.well-known/jwks.json" || strings.Contains(r.URL.Path, "-srv/") {
		check(c.h.T, verb, r.URL.Path, w)
	}
	if w.Code >= 500 {
		c.h.T.Logf("%s %.80s: %d %s", verb, path, w.Code, w.Body)
	}
	return w
}

// json posts a JSON object written as pairs, as the libraries do.
func (c *caller) json(path string, pairs ...string) *httptest.ResponseRecorder {
	c.h.T.Helper()
	members := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		members[pairs[i]] = pairs[i+1]
	}
	body, err := json.Marshal(members)
	c.h.OK(err)
	return c.do("POST", path, "application/json", string(body))
}

// form posts a form written as pairs.
func (c *caller) form(path string, pairs ...string) *httptest.ResponseRecorder {
	c.h.T.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return c.do("POST", path, formType, form.Encode())
}

// follow follows redirects within the server and returns where they lead.
func (c *caller) follow(w *httptest.ResponseRecorder) (*httptest.ResponseRecorder, string) {
	c.h.T.Helper()
	for range 10 {
		to := w.Header().Get("Location")
		if to == "" || !strings.HasPrefix(to, "/") {
			return w, to
		}
		kept := c.header.Get("Origin")
		c.header.Del("Origin") // a redirect sends none
		w = c.do("GET", to, "", "")
		if kept != "" {
			c.header.Set("Origin", kept)
		}
	}
	c.h.T.Fatal("redirected without end")
	return nil, ""
}

func authorizeParams(changes ...string) url.Values {
	v := url.Values{"response_type": {"code"}, "client_id": {"shop"}, "redirect_uri": {callback}, "scope": {"openid email profile mobile"},
		"state": {"the-state"}, "nonce": {"1700000000000"}, "view_type": {"login"},
		"code_challenge": {webtest.Challenge(verifier)}, "code_challenge_method": {"S256"}}
	for i := 0; i < len(changes); i += 2 {
		v.Set(changes[i], changes[i+1])
	}
	return v
}

var requestIn = regexp.MustCompile(`requestId=([0-9A-Za-z_-]{36,})`)

// begin opens a login and returns its ID and where a browser is redirected. A program sees
// the ID in the first redirect.
func (c *caller) begin(changes ...string) (string, string) {
	c.h.T.Helper()
	w := c.do("GET", "/authz-srv/authz?"+authorizeParams(changes...).Encode(), "", "")
	w = c.do("GET", w.Header().Get("Location"), "", "")
	found := requestIn.FindStringSubmatch(w.Header().Get("Location"))
	if found == nil {
		c.h.T.Fatalf("no login was opened: %d %s %s", w.Code, w.Header().Get("Location"), w.Body)
	}
	if c.cookies == nil {
		return found[1], ""
	}
	_, to := c.follow(w)
	return found[1], to
}

// at returns a member of a response: "data.exchange_id.exchange_id".
func (h *fixture) at(w *httptest.ResponseRecorder, path string) string {
	h.T.Helper()
	var value any
	if err := json.Unmarshal(w.Body.Bytes(), &value); err != nil {
		h.T.Fatalf("%d %q is not JSON: %v", w.Code, w.Body, err)
	}
	for _, name := range strings.Split(path, ".") {
		switch v := value.(type) {
		case map[string]any:
			value = v[name]
		case []any:
			if len(v) == 0 {
				h.T.Fatalf("%s: an empty list in %s", path, w.Body)
			}
			value = v[0]
		}
	}
	text, ok := value.(string)
	if !ok {
		h.T.Fatalf("no text %s in %d %s", path, w.Code, w.Body)
	}
	return text
}

// is checks the status and returns the response.
func (h *fixture) is(w *httptest.ResponseRecorder, status int) *httptest.ResponseRecorder {
	h.T.Helper()
	if w.Code != status {
		h.T.Fatalf("status = %d, want %d: %s %s", w.Code, status, w.Header().Get("Location"), w.Body)
	}
	return w
}

// query is the query of a redirect to the application.
func (h *fixture) query(location, want string) url.Values {
	h.T.Helper()
	if !strings.HasPrefix(location, want) {
		h.T.Fatalf("led to %q, want %s", location, want)
	}
	u, err := url.Parse(location)
	h.OK(err)
	return u.Query()
}

// mustCode checks that the application received a code, with state and issuer.
func (h *fixture) mustCode(location string) string {
	h.T.Helper()
	q := h.query(location, callback+"?")
	if q.Get("code") == "" || q.Get("state") != "the-state" || q.Get("iss") != issuer {
		h.T.Fatalf("response = %v, want a code, the state and the issuer", q)
	}
	return q.Get("code")
}

// claims redeems a code at the dialect's token endpoint and returns the ID token's claims.
func (h *fixture) claims(code string) (map[string]any, map[string]any) {
	h.T.Helper()
	w := h.is(h.page().form("/token-srv/token", "grant_type", "authorization_code", "code", code, "redirect_uri", callback,
		"client_id", "shop", "code_verifier", verifier), http.StatusOK)
	var response map[string]any
	h.OK(json.Unmarshal(w.Body.Bytes(), &response))
	claims, ok := payload(response["id_token"])
	if !ok {
		h.T.Fatalf("no ID token: %s", w.Body)
	}
	return response, claims
}

// envelope checks for the envelope of a refusal, or one of the two bodies used instead.
func envelope(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	kind := w.Header().Get("Content-Type")
	var b struct {
		Success *bool
		Status  int
		Error   any
	}
	if err := json.Unmarshal(w.Body.Bytes(), &b); err != nil || !strings.HasPrefix(kind, "application/json") {
		t.Fatalf("%d %s %q is not JSON: %v", w.Code, kind, w.Body, err)
	}
	if w.Code == http.StatusUnauthorized {
		if b.Error == nil {
			t.Fatalf("401 without a reason: %s", w.Body)
		}
		return
	}
	inner, ok := b.Error.(map[string]any)
	if b.Success == nil || *b.Success || b.Status != w.Code || !ok {
		t.Fatalf("%d %s is not the envelope of a refusal", w.Code, w.Body)
	}
	for _, name := range []string{"code", "moreInfo", "type", "status", "referenceNumber", "error"} {
		if _, ok := inner[name]; !ok {
			t.Errorf("%s lacks %s", w.Body, name)
		}
	}
}

// step is the step of a login in its browser.
func (h *fixture) step(request string, b *caller) (provider.Step, error) {
	h.T.Helper()
	for name, value := range b.cookies {
		if strings.HasSuffix(name, "sallyport_browser") {
			return h.Provider.Next(context.Background(), provider.Ask{Request: storage.RequestID(request), Visit: mfa.Caller{Browser: value}})
		}
	}
	h.T.Fatal("the caller has no cookie")
	return provider.Step{}, nil
}

// track is the track of a login with a first factor.
func (h *fixture) track(request string, b *caller) (string, error) {
	h.T.Helper()
	st, err := h.step(request, b)
	if err != nil {
		return "", err
	}
	track, err := h.Provider.Track(context.Background(), st, mfa.Caller{})
	return string(track), err
}
