package login

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
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
	"sallyport/web/page"
	"sallyport/web/webtest"
)

const (
	password     = "correct horse battery"
	clientSecret = "a secret of 32 random bytes, say"
	callback     = "https://app.example/cb"
	totpKey      = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
)

// house is the pages over the whole core on a real SQLite database, with a clock that
// stands still until a test moves it.
type house struct {
	t        testing.TB
	clock    time.Time
	engine   *relational.Engine
	users    *users.Registry
	totp     *totp.Method
	provider *provider.Provider
	handler  http.Handler
	rooms    webtest.Rooms
	log      strings.Builder
}

func (h *house) now() time.Time { return h.clock }

func (h *house) ok(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func newHouse(t testing.TB) *house {
	t.Helper()
	h := &house{t: t, clock: t0}
	rooms := webtest.Open(t, mfatest.Options{Now: h.now}, provider.Options{Issuer: issuer})
	h.engine, h.users, h.totp, h.provider, h.rooms = rooms.Store, rooms.Users, rooms.TOTP, rooms.Provider, rooms
	log := slog.New(slog.NewJSONHandler(&h.log, nil))
	look, err := page.New(rooms.Keyring, page.Options{Issuer: issuer, Logger: log}, Files())
	h.ok(err)
	pages := New(h.provider, rooms.Verifier, rooms.Sessions, look)
	h.handler, err = web.New(web.Options{Issuer: issuer, Logger: log, ErrorPage: pages.Refusal}, rand.Reader, h.now, look, pages)
	h.ok(err)
	return h
}

// client stores an application, changed by the given function.
func (h *house) client(change func(*storage.Client)) {
	h.t.Helper()
	sum := sha256.Sum256([]byte(clientSecret))
	c := storage.Client{ID: "shop", Name: "Lighthouse Shop", AuthMethod: "client_secret_basic", SecretHashes: [][]byte{sum[:]},
		RedirectURIs: []string{callback}, PostLogoutRedirectURIs: []string{"https://app.example/bye"}, ClientURI: "https://app.example/",
		GrantTypes: []string{"authorization_code"}, Scopes: []string{"openid", "email"}, MFA: mfa.MFAOff, Consent: "skip"}
	if change != nil {
		change(&c)
	}
	h.ok(h.engine.PutClient(context.Background(), c, nil))
}

// user stores ada, with an authenticator app if a key is given.
func (h *house) user(name, key string, codes ...string) {
	h.t.Helper()
	h.rooms.User(name, password, key, codes...)
}

// code is what the app of a key shows now.
func (h *house) code(key string) string {
	h.t.Helper()
	return h.rooms.Code(key, h.clock)
}

// idToken redeems the code of an answer to the client.
func (h *house) idToken(q url.Values) string {
	h.t.Helper()
	form := url.Values{"grant_type": {"authorization_code"}, "code": {q.Get("code")}, "redirect_uri": {callback},
		"code_verifier": {strings.Repeat("v", 43)}}
	r := httptest.NewRequest("POST", "/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("shop", url.QueryEscape(clientSecret))
	w := httptest.NewRecorder()
	h.provider.Token(w, r, mfa.Caller{})
	var out struct {
		IDToken string `json:"id_token"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || out.IDToken == "" {
		h.t.Fatalf("token answer = %d %s", w.Code, w.Body)
	}
	return out.IDToken
}

// browser keeps cookies and follows redirects within the server, as a person's does.
type browser struct {
	h       *house
	cookies webtest.Jar
	header  http.Header
	page    *httptest.ResponseRecorder
	at      string // path of the page, without its query
	left    string // where a redirect to elsewhere leads; "": nowhere
}

func (h *house) browser() *browser {
	return &browser{h: h, cookies: webtest.Jar{}, header: http.Header{}}
}

func authorizeParams(changes ...string) url.Values {
	v := url.Values{"response_type": {"code"}, "client_id": {"shop"}, "redirect_uri": {callback}, "scope": {"openid"},
		"state": {"the-state"}, "code_challenge": {webtest.Challenge(strings.Repeat("v", 43))}, "code_challenge_method": {"S256"}}
	for i := 0; i < len(changes); i += 2 {
		v.Set(changes[i], changes[i+1])
	}
	return v
}

func (b *browser) authorize(changes ...string) {
	b.get("/authorize?" + authorizeParams(changes...).Encode())
}

func (b *browser) get(path string) { b.do(httptest.NewRequest("GET", path, nil)) }

func (b *browser) post(path string, form url.Values) {
	r := httptest.NewRequest("POST", path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	b.do(r)
}

func (b *browser) do(r *http.Request) {
	b.h.t.Helper()
	b.left = ""
	for range 10 {
		r.Header.Set("Accept", "text/html")
		for k, v := range b.header {
			r.Header[k] = v
		}
		b.cookies.Put(r)
		b.page = httptest.NewRecorder()
		b.at = r.URL.Path
		b.h.handler.ServeHTTP(b.page, r)
		b.cookies.Take(b.page)
		to := b.page.Header().Get("Location")
		if b.page.Code >= 500 {
			b.h.t.Logf("%s %s: %d\n%s", r.Method, r.URL, b.page.Code, &b.h.log)
		}
		if to == "" {
			return
		}
		if b.page.Code != http.StatusSeeOther {
			b.h.t.Fatalf("redirect from %s with %d, want 303", r.URL.Path, b.page.Code)
		}
		if !strings.HasPrefix(to, "/") {
			b.left = to
			return
		}
		r = httptest.NewRequest("GET", to, nil)
	}
	b.h.t.Fatal("redirected without end")
}

// form returns where the form that holds the element of an id is sent, and its fields.
func (b *browser) form(id string) (string, url.Values) {
	b.h.t.Helper()
	if action, fields, found := webtest.Form(b.page.Body.String(), `id="`+id+`"`); found {
		return action, fields
	}
	b.h.t.Fatalf("no form with %q on %s (%d): %s", id, b.at, b.page.Code, b.page.Body)
	return "", nil
}

// submit sends the form that holds the element of an id, with fields filled in.
func (b *browser) submit(id string, fields ...string) {
	b.h.t.Helper()
	action, form := b.form(id)
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	b.post(action, form)
}

func (b *browser) login(name, word string) {
	b.h.t.Helper()
	b.submit("login-submit", "username", name, "password", word)
}

// must demands a page, its status, and texts in it.
func (b *browser) must(at string, code int, texts ...string) {
	b.h.t.Helper()
	if b.at != at || b.page.Code != code {
		b.h.t.Fatalf("at %s with %d (left to %q), want %s with %d\n%s", b.at, b.page.Code, b.left, at, code, b.page.Body)
	}
	for _, text := range texts {
		if !strings.Contains(b.page.Body.String(), text) {
			b.h.t.Fatalf("%s lacks %q\n%s", at, text, b.page.Body)
		}
	}
}

// mustLeave demands that the browser was sent to the application, and returns with what.
func (b *browser) mustLeave() url.Values {
	b.h.t.Helper()
	if !strings.HasPrefix(b.left, callback+"?") {
		b.h.t.Fatalf("at %s with %d, left to %q, want the application\n%s", b.at, b.page.Code, b.left, b.page.Body)
	}
	u, err := url.Parse(b.left)
	b.h.ok(err)
	return u.Query()
}

func (b *browser) mustCode() {
	b.h.t.Helper()
	q := b.mustLeave()
	if q.Get("code") == "" || q.Get("state") != "the-state" || q.Get("iss") != issuer {
		b.h.t.Fatalf("answer = %v, want a code, the state and the issuer", q)
	}
}
