package account

import (
	"context"
	"crypto/rand"
	"html"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/mfa/mfatest"
	passwords "sallyport/mfa/password"
	"sallyport/mfa/totp"
	"sallyport/mfa/users"
	"sallyport/provider"
	"sallyport/storage"
	"sallyport/storage/relational"
	"sallyport/web"
	"sallyport/web/login"
	"sallyport/web/page"
	"sallyport/web/webtest"
)

const (
	issuer   = "https://login.example"
	password = "correct horse battery"
	totpKey  = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	cookie   = "__Host-sallyport_session"
)

var t0 = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)

// house is the account page beside the login pages, over the whole core on a real
// SQLite database, with a clock that stands still until a test moves it.
type house struct {
	t       testing.TB
	clock   time.Time
	engine  *relational.Engine
	users   *users.Registry
	totp    *totp.Method
	handler http.Handler
	rooms   webtest.Rooms
	log     strings.Builder
	broken  bool // the test broke something: 500 and more are no surprise
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
	return strictHouse(t, passwords.Options{})
}

// strictHouse has rules of its own for new passwords.
func strictHouse(t testing.TB, o passwords.Options) *house {
	t.Helper()
	o.Memory, o.Time, o.Parallel = 64, 1, 8
	h := &house{t: t, clock: t0}
	log := slog.New(slog.NewJSONHandler(&h.log, nil))
	rooms := webtest.Open(t, mfatest.Options{Now: h.now, Log: log, Password: o},
		provider.Options{Issuer: issuer, BuiltIn: []storage.Client{Client(issuer, "Sallyport")}})
	h.engine, h.users, h.totp, h.rooms = rooms.Store, rooms.Users, rooms.TOTP, rooms
	look, err := page.New(rooms.Keyring, page.Options{Issuer: issuer, Least: rooms.Password.MinLength(), Logger: log}, login.Files(), Files())
	h.ok(err)
	pages := login.New(rooms.Provider, rooms.Verifier, rooms.Sessions, look)
	h.handler, err = web.New(web.Options{Issuer: issuer, Logger: log, ErrorPage: pages.Refusal}, rand.Reader, h.now, look, pages,
		New(rooms.Provider, rooms.Verifier, rooms.Sessions, look, issuer))
	h.ok(err)
	return h
}

// user stores somebody, with an authenticator app if a key is given.
func (h *house) user(name, key string, codes ...string) storage.UserID {
	h.t.Helper()
	return h.rooms.User(name, password, key, codes...)
}

func (h *house) account(id storage.UserID) storage.Account {
	h.t.Helper()
	a, err := h.engine.Account(context.Background(), id)
	h.ok(err)
	return a
}

// devices are the user's authenticator apps by name, pending ones included.
func (h *house) devices(id storage.UserID) map[string]storage.Authenticator {
	h.t.Helper()
	out := map[string]storage.Authenticator{}
	for _, a := range h.account(id).Authenticators {
		if a.Method == "totp" {
			out[a.Name] = a
		}
	}
	return out
}

// code is what the app of a device shows now.
func (h *house) code(id storage.UserID, name string) string {
	h.t.Helper()
	a, ok := h.devices(id)[name]
	if !ok {
		h.t.Fatalf("no device %q", name)
	}
	return h.totp.CodeOf(a, h.clock)
}

// browser keeps cookies and follows redirects, as a person's does. It stays within
// the server: the account page is an application of the server itself.
type browser struct {
	h       *house
	cookies webtest.Jar
	lang    string
	page    *httptest.ResponseRecorder
	at      string   // path of the page, without its query
	trail   []string // paths on the way there
}

func (h *house) browser() *browser { return &browser{h: h, cookies: webtest.Jar{}, lang: "en"} }

func (b *browser) get(path string) {
	b.h.t.Helper()
	b.do(httptest.NewRequest("GET", path, nil))
}

func (b *browser) post(path string, form url.Values) {
	b.h.t.Helper()
	r := httptest.NewRequest("POST", path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	b.do(r)
}

func (b *browser) do(r *http.Request) {
	b.h.t.Helper()
	b.trail = nil
	for range 12 {
		r.Header.Set("Accept", "text/html")
		r.Header.Set("Accept-Language", b.lang)
		b.cookies.Put(r)
		b.page, b.at = httptest.NewRecorder(), r.URL.Path
		b.trail = append(b.trail, b.at)
		b.h.handler.ServeHTTP(b.page, r)
		b.cookies.Take(b.page)
		if b.page.Code >= 500 && !b.h.broken {
			b.h.t.Fatalf("%s %s: %d\n%s", r.Method, r.URL, b.page.Code, &b.h.log)
		}
		to := strings.TrimPrefix(b.page.Header().Get("Location"), issuer)
		if to == "" {
			return
		}
		if !strings.HasPrefix(to, "/") {
			b.h.t.Fatalf("%s leads away, to %s", r.URL.Path, to)
		}
		r = httptest.NewRequest("GET", to, nil)
	}
	b.h.t.Fatalf("redirected without end: %v", b.trail)
}

// form returns where the form that holds a mark is sent, and its fields.
func (b *browser) form(mark string) (string, url.Values) {
	b.h.t.Helper()
	if action, fields, found := webtest.Form(b.page.Body.String(), mark); found {
		return action, fields
	}
	b.h.t.Fatalf("no form with %q on %s (%d): %s", mark, b.at, b.page.Code, b.page.Body)
	return "", nil
}

// submit sends the form that holds the element of an id, with fields filled in; "-"
// leaves one out.
func (b *browser) submit(id string, fields ...string) {
	b.h.t.Helper()
	action, form := b.form(`id="` + id + `"`)
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
		if fields[i+1] == "-" {
			form.Del(fields[i])
		}
	}
	b.post(action, form)
}

// follow opens the link with an id.
func (b *browser) follow(id string) {
	b.h.t.Helper()
	for _, tag := range regexp.MustCompile(`<a [^>]*>`).FindAllString(b.page.Body.String(), -1) {
		if webtest.Attr(tag, "id") == id {
			b.get(webtest.Attr(tag, "href"))
			return
		}
	}
	b.h.t.Fatalf("no link %q on %s: %s", id, b.at, b.page.Body)
}

// signIn opens a page of the account and signs in on the way, with a code if a device is
// named, or one without a name is asked for.
func (b *browser) signIn(path, name string, user storage.UserID, device string) {
	b.h.t.Helper()
	b.get(path)
	b.submit("login-submit", "username", name, "password", password)
	unnamed := false
	if user != "" && b.at == "/mfa" {
		_, unnamed = b.h.devices(user)[""]
	}
	if device != "" || unnamed {
		b.submit("mfa-submit", "passcode", b.h.code(user, device))
		b.h.clock = b.h.clock.Add(30 * time.Second) // to the next code
	}
}

// must demands a page, its status, and texts in it.
func (b *browser) must(at string, code int, texts ...string) {
	b.h.t.Helper()
	if b.at != at || b.page.Code != code {
		b.h.t.Fatalf("at %s with %d (by %v), want %s with %d\n%s", b.at, b.page.Code, b.trail, at, code, b.page.Body)
	}
	for _, text := range texts {
		if !strings.Contains(html.UnescapeString(b.page.Body.String()), text) {
			b.h.t.Fatalf("%s lacks %q\n%s", at, text, b.page.Body)
		}
	}
}

// passed reports whether a page was on the way.
func (b *browser) passed(path string) bool { return slices.Contains(b.trail, path) }

// csrf is the value of this browser's forms.
func (b *browser) csrf() string {
	b.h.t.Helper()
	b.get("/account/password")
	_, form := b.form(`id="password-submit"`)
	return form.Get("csrf")
}
