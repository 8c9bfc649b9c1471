package api_test

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"

	"sallyport/mfa"
	"sallyport/provider"
	"sallyport/storage"
	"sallyport/web/webtest"
)

type browser struct {
	*webtest.Browser
	h *fixture
}

func (h *fixture) browser() *browser { return &browser{h.Browser(), h} }

// copy is another browser with the same cookies.
func (b *browser) copy() *browser {
	other := b.h.browser()
	other.Cookies = maps.Clone(b.Cookies)
	return other
}

// authorize begins a login in the browser and returns it.
func (b *browser) authorize(client string, changes ...string) string {
	b.h.T.Helper()
	q := url.Values{}
	for name, value := range params(client, changes...) {
		q.Set(name, value.(string))
	}
	b.Get("/authorize?" + q.Encode())
	for _, address := range []string{b.Left, b.URL} {
		if u, err := url.Parse(address); err == nil && u.Query().Get("requestId") != "" {
			return u.Query().Get("requestId")
		}
	}
	b.h.T.Fatalf("no login was begun: at %s, left to %q", b.URL, b.Left)
	return ""
}

// getFrom opens an address from a page with a Referer.
func (b *browser) getFrom(referer, path string) {
	b.h.T.Helper()
	if referer != "" {
		b.Header.Set("Referer", referer)
	}
	b.Get(path)
	b.Header.Del("Referer")
}

// takeOver hands the login of a page at an origin over to the browser. The post comes from
// another site, so the browser sends its SameSite=Lax cookies only with the redirect.
func (b *browser) takeOver(c *caller, origin string) {
	b.h.T.Helper()
	token, _ := c.token.(string)
	r := httptest.NewRequest(http.MethodPost, "/continue", strings.NewReader(url.Values{"login_token": {token}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	b.Page, b.At, b.Left = httptest.NewRecorder(), "/continue", ""
	b.h.Handler.ServeHTTP(b.Page, r)
	b.Cookies.Take(b.Page)
	if to := b.Page.Header().Get("Location"); to != "" {
		b.Get(to)
	}
}

// own is the client's page that continues a login of this browser, with the track from the
// redirect to that page.
func (b *browser) own(id string) *caller {
	b.h.T.Helper()
	ctx, from := context.Background(), mfa.Caller{Browser: b.Cookies["__Host-sallyport_browser"]}
	st, err := b.h.Provider.Next(ctx, provider.Ask{Request: storage.RequestID(id), Visit: from})
	b.h.OK(err)
	track, err := b.h.Provider.Track(ctx, st, from)
	b.h.OK(err)
	return &caller{h: b.h, origin: site, id: id, token: string(track)}
}

// submit sends the form of the page to a path, with fields filled in.
func (b *browser) submit(path string, pairs ...string) {
	b.h.T.Helper()
	_, fields := b.Form(`name="csrf"`)
	u, err := url.Parse(b.URL)
	b.h.OK(err)
	form := url.Values{"csrf": fields["csrf"]}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	b.Post(path+"?"+u.RawQuery, form)
}

// mustCode checks that the browser was sent to the application with a code.
func (b *browser) mustCode() string {
	b.h.T.Helper()
	q := b.MustLeave(callback)
	if q.Get("code") == "" || q.Get("state") != "the-state" {
		b.h.T.Fatalf("response = %v, want a code and the state", q)
	}
	return q.Get("code")
}
