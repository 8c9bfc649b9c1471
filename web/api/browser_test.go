package api_test

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"

	"sallyport/mfa"
	"sallyport/provider"
	"sallyport/storage"
	"sallyport/web/webtest"
)

// browser keeps cookies and follows redirects within the server, as a person's does.
type browser struct {
	h       *house
	cookies webtest.Jar
	page    *httptest.ResponseRecorder
	at      string // path and query of the page
	left    string // where a redirect to elsewhere leads; "": nowhere
}

func (h *house) browser() *browser { return &browser{h: h, cookies: webtest.Jar{}} }

func (b *browser) copy() *browser { return &browser{h: b.h, cookies: maps.Clone(b.cookies)} }

// authorize begins a login in the browser and returns it.
func (b *browser) authorize(client string, changes ...string) string {
	b.h.t.Helper()
	q := url.Values{}
	for name, value := range params(client, changes...) {
		q.Set(name, value.(string))
	}
	b.get("/authorize?"+q.Encode(), "")
	for _, address := range []string{b.left, b.at} {
		if u, err := url.Parse(address); err == nil && u.Query().Get("requestId") != "" {
			return u.Query().Get("requestId")
		}
	}
	b.h.t.Fatalf("no login was begun: at %s, left to %q", b.at, b.left)
	return ""
}

func (b *browser) get(path, referer string) {
	b.h.t.Helper()
	b.do(httptest.NewRequest(http.MethodGet, path, nil), referer)
}

// takeOver hands the login of a page at an origin over to the browser. The post comes from
// another site: the cookies, which are SameSite=Lax, come along with the redirect alone.
func (b *browser) takeOver(c *caller, origin string) {
	b.h.t.Helper()
	token, _ := c.token.(string)
	r := httptest.NewRequest(http.MethodPost, "/continue", strings.NewReader(url.Values{"login_token": {token}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	b.page, b.at, b.left = httptest.NewRecorder(), "/continue", ""
	b.h.handler.ServeHTTP(b.page, r)
	b.cookies.Take(b.page)
	if to := b.page.Header().Get("Location"); to != "" {
		b.get(to, "")
	}
}

// own is a page of the client's that goes on with a login of this browser, of which the
// redirect to that page told it.
func (b *browser) own(id string) *caller {
	b.h.t.Helper()
	ctx, visit := context.Background(), mfa.Caller{Browser: b.cookies["__Host-sallyport_browser"]}
	st, err := b.h.p.Next(ctx, provider.Ask{Request: storage.RequestID(id), Visit: visit})
	b.h.ok(err)
	track, err := b.h.p.Track(ctx, st, visit)
	b.h.ok(err)
	return &caller{h: b.h, origin: site, id: id, token: string(track)}
}

func (b *browser) do(r *http.Request, referer string) {
	b.h.t.Helper()
	b.left = ""
	for range 10 {
		r.Header.Set("Accept", "text/html")
		if referer != "" {
			r.Header.Set("Referer", referer)
		}
		b.cookies.Put(r)
		b.page, b.at = httptest.NewRecorder(), r.URL.RequestURI()
		b.h.handler.ServeHTTP(b.page, r)
		b.cookies.Take(b.page)
		to := b.page.Header().Get("Location")
		if to == "" {
			return
		}
		if !strings.HasPrefix(to, "/") {
			b.left = to
			return
		}
		r = httptest.NewRequest(http.MethodGet, to, nil)
	}
	b.h.t.Fatal("redirected without end")
}

var csrfField = regexp.MustCompile(`name="csrf" value="([^"]*)"`)

// submit sends a form of the page it is on.
func (b *browser) submit(path string, pairs ...string) {
	b.h.t.Helper()
	found := csrfField.FindStringSubmatch(b.page.Body.String())
	u, err := url.Parse(b.at)
	b.h.ok(err)
	if found == nil {
		b.h.t.Fatalf("no form on %s (%d): %s", b.at, b.page.Code, b.page.Body)
	}
	form := url.Values{"csrf": {found[1]}}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	r := httptest.NewRequest(http.MethodPost, path+"?"+u.RawQuery, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	b.do(r, "")
}

// mustCode demands that the browser was sent to the application with a code.
func (b *browser) mustCode() string {
	b.h.t.Helper()
	u, err := url.Parse(b.left)
	b.h.ok(err)
	if !strings.HasPrefix(b.left, callback+"?") || u.Query().Get("code") == "" || u.Query().Get("state") != "the-state" {
		b.h.t.Fatalf("at %s with %d, left to %q, want the application with a code\n%s", b.at, b.page.Code, b.left, b.page.Body)
	}
	return u.Query().Get("code")
}

// mustShow demands a page of ours.
func (b *browser) mustShow(path string, code int) {
	b.h.t.Helper()
	if !strings.HasPrefix(b.at, path+"?") || b.page.Code != code {
		b.h.t.Fatalf("at %s with %d, left to %q, want %s with %d\n%s", b.at, b.page.Code, b.left, path, code, b.page.Body)
	}
}
