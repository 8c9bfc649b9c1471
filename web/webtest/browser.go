package webtest

import (
	"html"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Browser keeps cookies and follows redirects within the server.
type Browser struct {
	Cookies Jar
	Header  http.Header // of every request
	Address string      // that it calls from; "": 192.0.2.1
	Page    *httptest.ResponseRecorder
	At      string   // path of the page
	URL     string   // path and query of the page
	Trail   []string // paths on the way to the page
	Left    string   // where a redirect to another server leads; "": there is none

	f *Fixture
}

// Browser returns a browser without cookies.
func (f *Fixture) Browser() *Browser { return &Browser{Cookies: Jar{}, Header: http.Header{}, f: f} }

// Get opens an address.
func (b *Browser) Get(path string) {
	b.f.T.Helper()
	b.Do(httptest.NewRequest("GET", path, nil))
}

// Post sends a form.
func (b *Browser) Post(path string, form url.Values) {
	b.f.T.Helper()
	r := httptest.NewRequest("POST", path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	b.Do(r)
}

// Do sends a request.
func (b *Browser) Do(r *http.Request) {
	b.f.T.Helper()
	b.Left, b.Trail = "", nil
	for range 12 {
		r.Header.Set("Accept", "text/html")
		for k, v := range b.Header {
			r.Header[k] = v
		}
		b.Cookies.Put(r)
		b.Page, b.At, b.URL = httptest.NewRecorder(), r.URL.Path, r.URL.RequestURI()
		b.Trail = append(b.Trail, b.At)
		if b.Address != "" {
			r.RemoteAddr = net.JoinHostPort(b.Address, "1234")
		}
		b.f.Handler.ServeHTTP(b.Page, r)
		b.Cookies.Take(b.Page)
		if b.Page.Code >= 500 && !b.f.Broken {
			b.f.T.Fatalf("%s %s: %d\n%s", r.Method, r.URL, b.Page.Code, &b.f.Log)
		}
		to := strings.TrimPrefix(b.Page.Header().Get("Location"), b.f.issuer)
		if to == "" {
			return
		}
		if b.Page.Code != http.StatusSeeOther {
			b.f.T.Fatalf("redirect from %s with %d, want 303", r.URL.Path, b.Page.Code)
		}
		if !strings.HasPrefix(to, "/") {
			b.Left = to
			return
		}
		r = httptest.NewRequest("GET", to, nil)
	}
	b.f.T.Fatalf("redirected without end: %v", b.Trail)
}

// Form returns the address and the fields of the form that contains a text.
func (b *Browser) Form(mark string) (string, url.Values) {
	b.f.T.Helper()
	if action, fields, found := Form(b.Page.Body.String(), mark); found {
		return action, fields
	}
	b.f.T.Fatalf("no form with %q on %s (%d): %s", mark, b.At, b.Page.Code, b.Page.Body)
	return "", nil
}

// Submit sends the form that contains the element with an id, with fields filled in; "-"
// leaves a field out.
func (b *Browser) Submit(id string, fields ...string) {
	b.f.T.Helper()
	action, form := b.Form(`id="` + id + `"`)
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
		if fields[i+1] == "-" {
			form.Del(fields[i])
		}
	}
	b.Post(action, form)
}

// Press sends the form of the button with an id as the button says, with fields filled in: to its own
// address, with its name and value.
func (b *Browser) Press(id string, fields ...string) {
	b.f.T.Helper()
	action, form := b.Form(`id="` + id + `"`)
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	for _, tag := range buttonTag.FindAllString(b.Page.Body.String(), -1) {
		if Attr(tag, "id") != id {
			continue
		}
		if to := Attr(tag, "formaction"); to != "" {
			action = to
		}
		if name := Attr(tag, "name"); name != "" {
			form.Set(name, Attr(tag, "value"))
		}
	}
	b.Post(action, form)
}

// Follow opens the link with an id.
func (b *Browser) Follow(id string) {
	b.f.T.Helper()
	for _, tag := range linkTag.FindAllString(b.Page.Body.String(), -1) {
		if Attr(tag, "id") == id {
			b.Get(Attr(tag, "href"))
			return
		}
	}
	b.f.T.Fatalf("no link %q on %s: %s", id, b.At, b.Page.Body)
}

// Must checks the path of the page, its status, and texts on it.
func (b *Browser) Must(at string, code int, texts ...string) {
	b.f.T.Helper()
	body := b.Page.Body.String()
	if b.At != at || b.Page.Code != code {
		b.f.T.Fatalf("at %s with %d (by %v, left to %q), want %s with %d\n%s", b.At, b.Page.Code, b.Trail, b.Left, at, code, body)
	}
	for _, text := range texts {
		if !strings.Contains(body, text) && !strings.Contains(html.UnescapeString(body), text) {
			b.f.T.Fatalf("%s lacks %q\n%s", at, text, body)
		}
	}
}

// AddressHides checks that the address of the page has none of some texts; "" is none.
func (b *Browser) AddressHides(texts ...string) {
	b.f.T.Helper()
	for _, text := range texts {
		if text != "" && strings.Contains(b.URL, text) {
			b.f.T.Errorf("%q is in the address %s", text, b.URL)
		}
	}
}

// Passed reports whether a path was on the way to the page.
func (b *Browser) Passed(path string) bool { return slices.Contains(b.Trail, path) }

// MustLeave checks that the browser was redirected to an address and returns its query.
func (b *Browser) MustLeave(address string) url.Values {
	b.f.T.Helper()
	u, err := url.Parse(b.Left)
	if err != nil || !strings.HasPrefix(b.Left, address+"?") {
		b.f.T.Fatalf("at %s with %d, left to %q, want %s\n%s", b.At, b.Page.Code, b.Left, address, b.Page.Body)
	}
	return u.Query()
}

// Jar keeps cookies. A nil one keeps none.
type Jar map[string]string

// Put adds the cookies to a request.
func (j Jar) Put(r *http.Request) {
	for name, value := range j {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
}

// Take keeps the cookies of a response.
func (j Jar) Take(w *httptest.ResponseRecorder) {
	if j == nil {
		return
	}
	for _, c := range w.Result().Cookies() {
		j[c.Name] = c.Value
		if c.MaxAge < 0 {
			delete(j, c.Name)
		}
	}
}

var (
	formTag   = regexp.MustCompile(`(?s)<form([^>]*)>(.*?)</form>`)
	buttonTag = regexp.MustCompile(`<button [^>]*>`)
	linkTag   = regexp.MustCompile(`<a [^>]*>`)
	inputTag  = regexp.MustCompile(`<input([^>]*)>`)
	attrs     = regexp.MustCompile(`([a-z-]+)="([^"]*)"`)
)

// Attrs returns all attributes of a text, name and value.
func Attrs(text string) [][2]string {
	var out [][2]string
	for _, m := range attrs.FindAllStringSubmatch(text, -1) {
		out = append(out, [2]string{m[1], html.UnescapeString(m[2])})
	}
	return out
}

// Attr returns an attribute of a tag; "" if it has none.
func Attr(tag, name string) string {
	for _, a := range Attrs(tag) {
		if a[0] == name {
			return a[1]
		}
	}
	return ""
}

// Form returns the address and the fields of the form that contains a text.
func Form(page, mark string) (string, url.Values, bool) {
	for _, m := range formTag.FindAllStringSubmatch(page, -1) {
		if !strings.Contains(m[0], mark) {
			continue
		}
		fields := url.Values{}
		for _, i := range inputTag.FindAllStringSubmatch(m[2], -1) {
			if name := Attr(i[1], "name"); name != "" {
				fields.Add(name, Attr(i[1], "value"))
			}
		}
		return Attr(m[1], "action"), fields, true
	}
	return "", nil, false
}
