package e2e

import (
	"net/url"
	"testing"
	"time"

	"golang.org/x/net/html"

	"sallyport/e2e/play"
)

// person is a user with a browser without scripts. A failure fails the test.
type person struct {
	t        *testing.T
	browser  *play.Browser
	url      *url.URL // of the current page
	code     int
	page     *html.Node
	text     string
	arrived  *url.URL // the client's URL it was redirected to
	lastStep map[string]int64
	trouble  bool // responses of 500 and above are expected
}

func newPerson(t *testing.T, issuer string) *person {
	t.Helper()
	b, err := play.NewBrowser(issuer)
	if err != nil {
		t.Fatal(err)
	}
	return &person{t: t, browser: b, lastStep: map[string]int64{}}
}

func (p *person) open(address string) *person {
	p.t.Helper()
	return p.went(p.browser.Open(address))
}

func (p *person) went(err error) *person {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
	b := p.browser
	if b.Code >= 500 && !p.trouble {
		p.t.Fatalf("%s = %d: %s", b.URL.Path, b.Code, b.Text)
	}
	p.url, p.code, p.text, p.page, p.arrived = b.URL, b.Code, b.Text, b.Page, b.Arrived
	return p
}

// submit presses the button with the given id, after filling in the given fields.
func (p *person) submit(button string, fields ...string) *person {
	p.t.Helper()
	return p.went(p.browser.Submit(button, fields...))
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
func (p *person) has(id string) string { return p.browser.Has(id) }

// sent returns the response that arrived at the client.
func (p *person) sent() url.Values {
	p.t.Helper()
	if p.arrived == nil {
		p.t.Fatalf("not sent back to a client, but at %s (%d):\n%s", p.url.Path, p.code, p.text)
	}
	return p.arrived.Query()
}

// totp returns a code of the user's app. The server accepts each step once, so every call
// returns the next of the three in the window.
func (p *person) totp(secret string) string {
	p.t.Helper()
	now, oldest := time.Now().Unix()/30, time.Now().Unix()/30
	if time.Now().Unix()%30 < 22 {
		oldest-- // it may expire before the server checks it
	}
	step := max(oldest, p.lastStep[secret]+1)
	if step > now+1 {
		p.t.Fatal("this user has used up the codes of the window: use a separate user")
	}
	p.lastStep[secret] = step
	return totpAt(p.t, secret, step)
}

func totpAt(t *testing.T, secret string, step int64) string {
	t.Helper()
	code, err := play.TOTPAt(secret, step)
	if err != nil {
		t.Fatal(err)
	}
	return code
}
