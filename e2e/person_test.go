package e2e

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // SHA-1 is what RFC 6238 authenticators speak
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// person is somebody with a browser that runs no scripts: it keeps cookies, follows
// redirects on the provider's own origin, and fills in forms by the names on them.
type person struct {
	t        *testing.T
	http     *http.Client
	issuer   *url.URL
	url      *url.URL // of the page in front of it
	code     int
	page     *html.Node
	text     string
	arrived  *url.URL // the address at a client it was sent to
	lastStep map[string]int64
	trouble  bool // answers of 500 and above are no surprise
}

func newPerson(t *testing.T, issuer string) *person {
	t.Helper()
	u, err := url.Parse(issuer)
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &person{t: t, issuer: u, lastStep: map[string]int64{}}
	p.http = &http.Client{Jar: jar, Timeout: 20 * time.Second, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if r.URL.Host != u.Host {
			p.arrived = r.URL
			return http.ErrUseLastResponse
		}
		return nil
	}}
	return p
}

func (p *person) open(address string) *person {
	p.t.Helper()
	r, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Accept-Language", "en")
	return p.send(r)
}

func (p *person) send(r *http.Request) *person {
	p.t.Helper()
	p.arrived = nil
	answer, err := p.http.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	if answer.StatusCode >= 500 && !p.trouble {
		p.t.Fatalf("%s %s = %d: %s", r.Method, r.URL.Path, answer.StatusCode, body)
	}
	p.url, p.code, p.text = answer.Request.URL, answer.StatusCode, string(body)
	if p.page, err = html.Parse(strings.NewReader(p.text)); err != nil {
		p.t.Fatal(err)
	}
	return p
}

// submit presses the button with the given id, after filling in the given fields.
func (p *person) submit(button string, fields ...string) *person {
	p.t.Helper()
	b := find(p.page, func(n *html.Node) bool { return attribute(n, "id") == button })
	if b == nil {
		p.t.Fatalf("%s (%d) has no button %q:\n%s", p.url.Path, p.code, button, p.text)
	}
	form := b
	for form != nil && (form.Type != html.ElementNode || form.Data != "form") {
		form = form.Parent
	}
	if form == nil {
		p.t.Fatalf("%s: button %q is in no form", p.url.Path, button)
	}
	values := url.Values{}
	collect(form, values)
	if name := attribute(b, "name"); name != "" {
		values.Set(name, attribute(b, "value"))
	}
	for i := 0; i+1 < len(fields); i += 2 {
		if !values.Has(fields[i]) {
			p.t.Fatalf("%s: the form of %q has no field %q", p.url.Path, button, fields[i])
		}
		values.Set(fields[i], fields[i+1])
	}
	target, err := p.url.Parse(attribute(form, "action"))
	if err != nil {
		p.t.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodPost, target.String(), strings.NewReader(values.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", p.issuer.Scheme+"://"+p.issuer.Host)
	r.Header.Set("Accept-Language", "en")
	return p.send(r)
}

func (p *person) signIn(u user) *person {
	p.t.Helper()
	return p.submit("login-submit", "username", u.name, "password", u.password)
}

// at fails unless the person is on the page of the given path.
func (p *person) at(path string) *person {
	p.t.Helper()
	if p.arrived != nil {
		p.t.Fatalf("sent on to %s, want to be at %s", p.arrived, path)
	}
	if p.url.Path != path {
		p.t.Fatalf("at %s (%d), want %s:\n%s", p.url.Path, p.code, path, p.text)
	}
	return p
}

// has returns the text of the element with the given id, "" when there is none.
func (p *person) has(id string) string {
	n := find(p.page, func(n *html.Node) bool { return attribute(n, "id") == id })
	if n == nil {
		return ""
	}
	var b strings.Builder
	walk(n, func(n *html.Node) {
		if n.Type == html.TextNode {
			b.WriteString(n.Data)
		}
	})
	return strings.Join(strings.Fields(b.String()), " ")
}

// sent returns the answer that arrived at the client.
func (p *person) sent() url.Values {
	p.t.Helper()
	if p.arrived == nil {
		p.t.Fatalf("not sent back to a client, but at %s (%d):\n%s", p.url.Path, p.code, p.text)
	}
	return p.arrived.Query()
}

// totp is what the person's authenticator app shows. The server takes each step
// once, so every call takes the next one of the three in its window.
func (p *person) totp(secret string) string {
	p.t.Helper()
	now, oldest := time.Now().Unix()/30, time.Now().Unix()/30
	if time.Now().Unix()%30 < 22 {
		oldest-- // later it may be gone when the server looks
	}
	step := max(oldest, p.lastStep[secret]+1)
	if step > now+1 {
		p.t.Fatal("this user has used up the codes of the window: give the test a user of its own")
	}
	p.lastStep[secret] = step
	return totpAt(p.t, secret, step)
}

// totpAt computes RFC 6238 by itself: SHA-1, 6 digits.
func totpAt(t *testing.T, secret string, step int64) string {
	t.Helper()
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ToUpper(strings.ReplaceAll(secret, " ", "")))
	if err != nil {
		t.Fatal(err)
	}
	var counter [8]byte
	binary.BigEndian.PutUint64(counter[:], uint64(step))
	mac := hmac.New(sha1.New, key)
	mac.Write(counter[:])
	sum := mac.Sum(nil)
	at := sum[19] & 15
	return fmt.Sprintf("%06d", (binary.BigEndian.Uint32(sum[at:])&0x7fffffff)%1000000)
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

type htmlNode = html.Node
