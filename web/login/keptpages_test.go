package login

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/totp"
	"sallyport/provider"
	"sallyport/storage"
	"sallyport/storage/seal"
	"sallyport/storage/storagetest"
	"sallyport/web"
	"sallyport/web/page"
	"sallyport/web/signin"
)

// named are the pages of a normal login with a name on them.
var named = map[string]func(p *Pages, c *gin.Context, call signin.Call){
	"password": func(p *Pages, c *gin.Context, call signin.Call) { p.showLogin(c, call, 200, call.Step.LoginHint, nil) },
	"hint": func(p *Pages, c *gin.Context, call signin.Call) {
		call.Step.Request.Subject = ""
		p.showLogin(c, call, 200, call.Step.LoginHint, nil)
	},
	"mfa": func(p *Pages, c *gin.Context, call signin.Call) {
		p.showMFA(c, call, 200, mfaPage{}, exchange.Choice{}, nil)
	},
	"code": func(p *Pages, c *gin.Context, call signin.Call) {
		p.showCode(c, call, 200, codePage{}, exchange.Sent{Method: "totp", Exchange: storage.ExchangeID(idOf("e", c))}, nil)
	},
	"code-unknown": func(p *Pages, c *gin.Context, call signin.Call) {
		call.Step.Request.Subject = ""
		p.showCode(c, call, 200, codePage{}, exchange.Sent{Method: "totp", Exchange: storage.ExchangeID(idOf("e", c)), Identifier: call.Step.LoginHint}, nil)
	},
}

// person is who sees the pages of a theatre, the n-th to do so.
type person struct {
	n             int
	user          storage.UserID
	name, another string
}

func idOf(kind string, c *gin.Context) string { return kind + "-" + c.Query("requestId") }

// theatre shows the named pages.
type theatre struct {
	pages *Pages
	person
}

// Read makes the random values of a response follow from who sees it.
func (s *theatre) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(i*31 + s.n*97)
	}
	return len(b), nil
}

func (s *theatre) Mount(r gin.IRouter) {
	for name, show := range named {
		r.GET("/show/"+name, func(c *gin.Context) {
			call := signin.Call{Caller: web.Caller(c)}
			call.Step = provider.Step{Request: storage.AuthRequest{ID: storage.RequestID(c.Query("requestId")), Subject: s.user}, LoginHint: s.name,
				Client: storage.Client{ID: "shop", Name: "Lighthouse & Shop"},
				Options: []exchange.Option{{Method: "totp", Authenticator: storage.AuthenticatorID(idOf("a", c)), Name: s.another, Info: mfa.Info{Typed: true, Numeric: true}, Digits: 6},
					{Method: "totp", Authenticator: storage.AuthenticatorID(idOf("b", c)), Name: s.name, Info: mfa.Info{Typed: true, Numeric: true}},
					{Method: "recovery", Authenticator: storage.AuthenticatorID(idOf("c", c)), Address: s.another, Info: mfa.Info{Typed: true}}}}
			show(s.pages, c, call)
		})
	}
}

func newTheatre(t testing.TB, keyring *seal.Keyring) (*theatre, http.Handler) {
	t.Helper()
	s := &theatre{}
	look, err := page.New(keyring, page.Options{Issuer: issuer, Methods: []mfa.Info{totp.New(s, "Sallyport", totp.Options{}).Info()}}, Files())
	if err != nil {
		t.Fatal(err)
	}
	now := func() time.Time { return t0 }
	s.pages = New(nil, exchange.NewVerifier(nil, keyring, nil, now, s, exchange.Options{}), nil, look)
	h, err := web.New(web.Options{Issuer: issuer}, s, now, look, s)
	if err != nil {
		t.Fatal(err)
	}
	return s, h
}

// see returns what a person sees.
func (s *theatre) see(h http.Handler, p person, name, lang string) string {
	s.person = p
	r := httptest.NewRequest("GET", fmt.Sprintf("/show/%s?requestId=request-%020d&client_id=shop", name, p.n), nil)
	r.Header.Set("Accept-Language", lang)
	r.Header.Set("Cookie", "__Host-sallyport_browser="+fmt.Sprintf("b%042d", p.n))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	body, _ := io.ReadAll(w.Body)
	return fmt.Sprint(w.Code, "\n", string(body))
}

// Whoever has seen a page before, the next one sees what the template gives for them. Pages of one
// user are always rendered, so that a server of one user shows what that is.
func TestPagesWithNamesAreWhatTheirTemplatesGive(t *testing.T) {
	keyring, _ := storagetest.Keyring(t, t0)
	names := []string{"ada", "bob & \"sons\" <b>", "'+`=", "\x00null", "\u202ertl\u202c", strings.Repeat("long", 200), "Lighthouse & Shop", "strong", "</p><script>", "&amp;", "a", "shop", "totp", "csrf",
		"\xff\xfe", "{{.CSRF}}", "ünï", "%27", "request-00000000000000000003", ""}
	warm, served := newTheatre(t, keyring)
	alone, rendered := newTheatre(t, keyring)
	for name := range named {
		for _, lang := range []string{"en", "de"} {
			for n := range names {
				p := person{n: n + 1, user: storage.UserID(fmt.Sprint("u-", n)), name: names[n], another: names[(n+6)%len(names)]}
				got := warm.see(served, p, name, lang)
				if p.user = "u-0"; name == "hint" || name == "code-unknown" { // of nobody yet, so nothing is of one user
					if n > 5 && lang == "de" {
						break
					}
					alone, rendered = newTheatre(t, keyring)
				}
				if want := alone.see(rendered, p, name, lang); got != want {
					t.Errorf("%s for %q in %s is\n%s\nwant\n%s", name, p.name, lang, got, want)
				}
				if !strings.HasPrefix(got, "200\n") {
					t.Fatalf("%s for %q in %s is %s", name, p.name, lang, got)
				}
			}
		}
	}
}

// A page that is kept costs a fraction of one that is rendered.
func TestPagesWithNamesAreKept(t *testing.T) {
	keyring, _ := storagetest.Keyring(t, t0)
	for name := range named {
		s, h := newTheatre(t, keyring)
		objects := map[bool]float64{}
		for _, kept := range []bool{false, true} {
			n := 0
			show := func() {
				n++
				p := person{n: n, user: "u-0", name: "ada", another: "phone"}
				if kept {
					p.user, p.name, p.another = storage.UserID(fmt.Sprint("u-", n)), fmt.Sprint("ada", n), fmt.Sprint("phone", n)
				}
				s.see(h, p, name, "en")
			}
			show()
			show()
			objects[kept] = testing.AllocsPerRun(20, show)
		}
		if name != "hint" && name != "code-unknown" && objects[true] > 0.7*objects[false] {
			t.Errorf("%s: a kept page takes %v objects, a rendered one %v", name, objects[true], objects[false])
		}
	}
}
