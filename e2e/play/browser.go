package play

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/html"
)

// Browser is a browser without scripts: it keeps cookies, follows redirects on the
// provider's origin, and fills in forms by field name.
type Browser struct {
	HTTP    *http.Client
	Header  http.Header // added to every request
	URL     *url.URL    // of the current page
	Code    int
	Page    *html.Node
	Text    string
	Arrived *url.URL // the client's URL it was redirected to
	origin  *url.URL
}

// NewBrowser returns a browser without cookies for the provider at an origin.
func NewBrowser(origin string) (*Browser, error) {
	u, err := url.Parse(origin)
	if err != nil {
		return nil, err
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	b := &Browser{origin: u, Header: http.Header{"Accept-Language": {"en"}}}
	b.HTTP = &http.Client{Jar: jar, Timeout: 20 * time.Second, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if r.URL.Host != u.Host {
			b.Arrived = r.URL
			return http.ErrUseLastResponse
		}
		return nil
	}}
	return b, nil
}

// Open opens a URL.
func (b *Browser) Open(address string) error {
	r, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	return b.send(r)
}

func (b *Browser) send(r *http.Request) error {
	b.Arrived = nil
	for name, values := range b.Header {
		r.Header[name] = values
	}
	response, err := b.HTTP.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	b.URL, b.Code, b.Text = response.Request.URL, response.StatusCode, string(body)
	b.Page, err = html.Parse(strings.NewReader(b.Text))
	return err
}

// Submit presses the button with the given id, after filling in the given fields.
func (b *Browser) Submit(button string, fields ...string) error {
	pressed := find(b.Page, func(n *html.Node) bool { return attribute(n, "id") == button })
	if pressed == nil {
		return fmt.Errorf("%s (%d) has no button %q:\n%s", b.URL.Path, b.Code, button, b.Text)
	}
	form := pressed
	for form != nil && (form.Type != html.ElementNode || form.Data != "form") {
		form = form.Parent
	}
	if form == nil {
		return fmt.Errorf("%s: button %q is in no form", b.URL.Path, button)
	}
	values := url.Values{}
	collect(form, values)
	if name := attribute(pressed, "name"); name != "" {
		values.Set(name, attribute(pressed, "value"))
	}
	for i := 0; i+1 < len(fields); i += 2 {
		if !values.Has(fields[i]) {
			return fmt.Errorf("%s: the form of %q has no field %q", b.URL.Path, button, fields[i])
		}
		values.Set(fields[i], fields[i+1])
	}
	target, err := b.URL.Parse(attribute(form, "action"))
	if err != nil {
		return err
	}
	r, err := http.NewRequest(http.MethodPost, target.String(), strings.NewReader(values.Encode()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", b.origin.Scheme+"://"+b.origin.Host)
	return b.send(r)
}

// Has returns the text of the element with the given id, "" when there is none.
func (b *Browser) Has(id string) string {
	n := find(b.Page, func(n *html.Node) bool { return attribute(n, "id") == id })
	if n == nil {
		return ""
	}
	var text strings.Builder
	walk(n, func(n *html.Node) {
		if n.Type == html.TextNode {
			text.WriteString(n.Data)
		}
	})
	return strings.Join(strings.Fields(text.String()), " ")
}

// Link returns the target of the link with the given id, or "".
func (b *Browser) Link(id string) string {
	n := find(b.Page, func(n *html.Node) bool { return attribute(n, "id") == id })
	if n == nil {
		return ""
	}
	return attribute(n, "href")
}

// LinkTo returns the first link target with a prefix, or "".
func (b *Browser) LinkTo(prefix string) string {
	n := find(b.Page, func(n *html.Node) bool { return strings.HasPrefix(attribute(n, "href"), prefix) })
	if n == nil {
		return ""
	}
	return attribute(n, "href")
}

func collect(n *html.Node, into url.Values) {
	walk(n, func(n *html.Node) {
		if n.Type != html.ElementNode || n.Data != "input" || attribute(n, "name") == "" {
			return
		}
		switch attribute(n, "type") {
		case "submit", "button":
		case "checkbox", "radio":
			if has(n, "checked") {
				into.Add(attribute(n, "name"), attribute(n, "value"))
			}
		default:
			into.Add(attribute(n, "name"), attribute(n, "value"))
		}
	})
}

func walk(n *html.Node, visit func(*html.Node)) {
	visit(n)
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		walk(c, visit)
	}
}

func find(n *html.Node, match func(*html.Node) bool) *html.Node {
	if n.Type == html.ElementNode && match(n) {
		return n
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if m := find(c, match); m != nil {
			return m
		}
	}
	return nil
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}
