package page

import (
	"bytes"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/mfa/password"
	"sallyport/storage"
	"sallyport/storage/seal"
	"sallyport/web"
)

// Options of a Look.
type Options struct {
	Issuer  string
	Product string // the name pages carry; "": Sallyport
	// TemplateDir holds files that replace embedded ones, in folders templates, messages
	// and static; "": none.
	TemplateDir string
	Least       int          // characters of a new password, which texts name as {{.Least}}; 0: password.MinLength
	Logger      *slog.Logger // nil: discarded
}

// Look is what all pages have in common. It is a surface too: it serves the static files.
type Look struct {
	keyring *seal.Keyring
	product string
	least   int
	origin  string
	log     *slog.Logger
	texts   *catalogue
	pages   map[string]*template.Template
	static  *static
}

// New reads templates, texts and static files, our own and those of the surfaces, and
// refuses what does not fit together.
func New(keyring *seal.Keyring, o Options, surfaces ...fs.FS) (*Look, error) {
	issuer, err := url.Parse(o.Issuer)
	if err != nil || issuer.Host == "" {
		return nil, fmt.Errorf("issuer %q is not an absolute URL", o.Issuer)
	}
	l := &Look{keyring: keyring, product: o.Product, least: max(o.Least, password.MinLength), origin: issuer.Scheme + "://" + issuer.Host, log: o.Logger}
	if l.product == "" {
		l.product = "Sallyport"
	}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	files := append(layers{embedded}, surfaces...)
	if o.TemplateDir != "" {
		if files, err = files.under(os.DirFS(o.TemplateDir)); err != nil {
			return nil, fmt.Errorf("template folder: %w", err)
		}
	}
	if l.texts, err = newCatalogue(files); err != nil {
		return nil, err
	}
	if l.static, err = newStatic(files); err != nil {
		return nil, err
	}
	if l.pages, err = newTemplates(files, l.texts); err != nil {
		return nil, err
	}
	return l, nil
}

// Mount serves the static files.
func (l *Look) Mount(r gin.IRouter) {
	r.GET(staticRoute, l.static.serve)
	r.HEAD(staticRoute, l.static.serve)
}

// Page is what every template is given.
type Page struct {
	speaker
	Product string
	Static  string // address of the static files, with their version
	Least   int    // characters of a new password at least
	Nonce   string // what a script or style of the page must carry to count
	Support string // names this answer in the log
	CSRF    string
	Account string // who is signing in or signed in; "": nobody yet
	Alert   *Alert
	Data    any
	// Of a login: its request and the application it leads to.
	Request storage.RequestID
	Client  Client
}

// Client is the application a person signs in to.
type Client struct{ Name, Home, Logo, Policy, Terms string }

// Page begins a page in a language; "": the best for the caller.
func (l *Look) Page(c *gin.Context, lang string, data any) Page {
	if lang == "" {
		lang = web.Locale(c, strings.Fields(c.Query("ui_locales"))...)
	}
	return Page{speaker: l.texts.in(lang), Product: l.product, Static: l.static.address, Least: l.least, Nonce: web.Nonce(c), Support: web.Correlation(c),
		CSRF: l.CSRF(web.Caller(c).Browser), Data: data}
}

// T says a text: {{.T "login.title"}}, {{.T "login.for" "Client" .Client.Name}}.
func (p Page) T(key string, args ...any) (string, error) {
	data, err := pairs(args)
	if err != nil {
		return "", fmt.Errorf("text %q: %w", key, err)
	}
	named := map[string]any{"Least": p.Least}
	if p.Alert != nil {
		for name, value := range p.Alert.Params {
			named[name] = value
		}
	}
	maps.Copy(named, data)
	return p.say(key, named)
}

// N says a text of a number: {{.N "account.refused.times" 3}}.
func (p Page) N(key string, n int) (string, error) { return p.count(key, n) }

// Either returns the key of the first text that exists.
func (p Page) Either(keys ...string) string { return p.either(keys...) }

// Has reports whether there is a text.
func (p Page) Has(key string) bool { return p.catalogue.keys[key] }

// About is the same page around other data, for a part that is shown several times.
func (p Page) About(data any) Page {
	p.Data = data
	return p
}

// When writes a time for people: of UTC, because nobody told us where they are. The
// script turns it into their own.
func (p Page) When(t time.Time) (string, error) {
	layout, err := p.say("time.layout", nil)
	return t.UTC().Format(layout), err
}

// Lang is the language of the page.
func (p Page) Lang() string { return p.lang }

// On returns the address of a page of ours in this login.
func (p Page) On(path string) string {
	return path + "?requestId=" + url.QueryEscape(string(p.Request))
}

// Write renders a page whole before anything of it is sent.
func (l *Look) Write(c *gin.Context, code int, name string, v Page) {
	var b bytes.Buffer
	if err := l.pages[name].Execute(&b, v); err != nil {
		web.Log(c, l.log, slog.LevelError, "render page", slog.String("page", name), slog.Any("error", err))
		c.String(http.StatusInternalServerError, "%s: 500 (%s)", l.product, web.Correlation(c))
		return
	}
	c.Header("Content-Security-Policy", policy(web.Nonce(c), v.Client.Logo))
	c.Header("Content-Language", v.lang)
	c.Data(code, "text/html; charset=utf-8", b.Bytes())
}

// origins with any other character than these could end a directive and begin another.
var plainOrigin = regexp.MustCompile(`^https?://[A-Za-z0-9.\-]+(:[0-9]+)?$`)

// policy is the Content-Security-Policy of a page (H-3). A script or style counts by the
// nonce of this very answer; that it comes from our origin says nothing. form-action is
// left out: browsers apply it to the redirect to the client as well.
func policy(nonce, logo string) string {
	images := "'self' data:"
	if u, err := url.Parse(logo); err == nil && plainOrigin.MatchString(u.Scheme+"://"+u.Host) {
		images += " " + u.Scheme + "://" + u.Host
	}
	return "default-src 'none'; style-src 'nonce-" + nonce + "'; script-src 'nonce-" + nonce + "'; img-src " + images + "; frame-ancestors 'none'; base-uri 'none'"
}

// Redirect is the only one of the pages (H-5). After a form post it must be 303:
// 307 would send the password on (RFC 9700 section 4.12).
func Redirect(c *gin.Context, location string) {
	if strings.ContainsFunc(location, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		panic("page: control character in a redirect")
	}
	c.Header("Location", location)
	c.Status(http.StatusSeeOther)
	c.Writer.WriteHeaderNow()
}
