package page

import (
	"bytes"
	"cmp"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/password"
	"sallyport/provider/origin"
	"sallyport/storage"
	"sallyport/storage/seal"
	"sallyport/web"
)

// Options of a Look.
type Options struct {
	Issuer  string
	Product string // name on the pages; "": Sallyport
	// TemplateDir holds files that replace embedded ones, in folders templates, messages
	// and static; "": none.
	TemplateDir string
	SupportURL  string       // the operator's contact, https: or mailto:; "": none
	Least       int          // length of a new password, which texts name as {{.Least}}; 0: password.MinLength
	Methods     []mfa.Info   // which bring their texts
	Logger      *slog.Logger // nil: discarded
}

// Look renders the pages of all surfaces. It is a surface itself: it serves the static files.
type Look struct {
	keyring *seal.Keyring
	product string
	contact string
	least   int
	origin  string
	host    string
	log     *slog.Logger
	texts   *catalogue
	pages   pages
	kept    keeper
	static  *static
}

// New reads the templates, texts and static files of this package and of the surfaces, and
// checks them.
func New(keyring *seal.Keyring, o Options, surfaces ...fs.FS) (*Look, error) {
	l := &Look{keyring: keyring, product: o.Product, contact: o.SupportURL, least: max(o.Least, password.MinLength), origin: origin.Of(o.Issuer), log: o.Logger}
	if l.origin == "" {
		return nil, fmt.Errorf("issuer %q is not an absolute URL", o.Issuer)
	}
	_, l.host, _ = strings.Cut(l.origin, "://")
	if l.product == "" {
		l.product = "Sallyport"
	}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	files := append(layers{embedded}, surfaces...)
	for _, m := range o.Methods {
		if m.Texts != nil {
			files = append(files, m.Texts)
		}
	}
	var err error
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
	if l.pages, err = newPages(files, l.texts, map[string]string{"Product": l.product, "Static": l.static.address}); err != nil {
		return nil, err
	}
	return l, nil
}

// Mount serves the static files and the choice of a language.
func (l *Look) Mount(r gin.IRouter) {
	r.GET(staticRoute, l.static.serve)
	r.POST(languageRoute, l.chooseLanguage)
	r.GET(languageRoute, func(c *gin.Context) { Redirect(c, "/") })
}

// Page is the data of every template.
type Page struct {
	*speaker
	Product string
	Static  string // address of the static files, with their version
	Least   int    // minimum length of a new password
	Nonce   string // of the page's scripts and styles
	Support string // correlation id of the response
	Contact string // the operator's contact; "": none
	CSRF    string
	Account string         // of the user; "": not identified
	User    storage.UserID // whose page it is, where the page may be kept; "": not identified
	Alert   *Alert
	Data    any
	Asks    bool // the page's script calls the server
	// Frames are addresses of others that the page loads in frames.
	Frames []string
	// Passkeys: the page has the script that asks the browser for passkeys.
	Passkeys bool
	// Here is the address at which a GET shows the page again, in another language; "": there
	// is none, and the page offers no choice.
	Here      string
	languages []string
	// Of a login: its request and its application.
	Request storage.RequestID
	Client  Client
}

// Client is the application that a user signs in to.
type Client struct {
	ID                              storage.ClientID
	Name, Home, Logo, Policy, Terms string
	Contact                         string // where its users get help; "": the operator's
}

// Page returns the data of a page in a language; "": the one that fits the caller best.
func (l *Look) Page(c *gin.Context, lang string, data any) Page {
	if lang == "" {
		lang = web.Locale(c, strings.Fields(web.Query(c).Get("ui_locales"))...)
	}
	return Page{speaker: l.texts.in(lang), Product: l.product, Static: l.static.address, Least: l.least, Nonce: web.Nonce(c), Support: web.Correlation(c), Contact: l.contact,
		CSRF: l.CSRF(web.Caller(c).Browser), Data: data, Here: here(c), languages: web.Languages(c)}
}

// T returns a text: {{.T "login.title"}}, {{.T "login.for" "Client" .Client.Name}}.
func (p Page) T(key string, args ...any) (string, error) {
	if text, ok := p.fixed[key]; ok {
		return text, nil
	}
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

// N returns a text with a number: {{.N "account.refused.times" 3}}.
func (p Page) N(key string, n int) (string, error) { return p.count(key, n) }

// Either returns the key of the first text that exists.
func (p Page) Either(keys ...string) string { return p.either(keys...) }

// Label returns what a user knows an authenticator by: its name, else its address, else the
// text of its method. It is never empty.
func (p Page) Label(name, address, method string) (string, error) {
	if label := cmp.Or(name, address); label != "" {
		return label, nil
	}
	return p.Method(method)
}

// Method returns the short text of a method; "": of any.
func (p Page) Method(name string) (string, error) {
	if name == "" {
		return p.T("method.unknown")
	}
	return p.T(p.Either("method."+name+".short", "method.other.short"), "Method", name)
}

// Has reports whether there is a text.
func (p Page) Has(key string) bool { return p.catalogue.keys[key] }

// About returns the page with other data, for a part that is shown several times.
func (p Page) About(data any) Page {
	p.Data = data
	return p
}

// When formats a time in UTC, as the server does not know the user's time zone. The script
// converts it to the browser's.
func (p Page) When(t time.Time) (string, error) {
	layout, err := p.say("time.layout", nil)
	return t.UTC().Format(layout), err
}

// Lang is the language of the page.
func (p Page) Lang() string { return p.lang }

// On returns the address of a page in this login.
func (p Page) On(path string) string { return Path(path, p.Request, p.Client.ID) }

// Path returns the address of a page in a login. The client is in it so that the page leads
// there when nothing else is left of the login.
func Path(path string, request storage.RequestID, client storage.ClientID) string {
	if client == "" {
		return path + "?requestId=" + url.QueryEscape(string(request))
	}
	return path + "?requestId=" + url.QueryEscape(string(request)) + "&client_id=" + url.QueryEscape(string(client))
}

// buffers hold pages while they are rendered.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// Write renders a page. It sends nothing before the page is complete.
func (l *Look) Write(c *gin.Context, code int, name string, v Page) {
	if code >= http.StatusBadRequest && v.Alert != nil {
		web.Refused(c, mfa.Refusal{Reason: v.Alert.Key}) // unless the log knows more
	}
	b := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(b)
	b.Reset()
	if err := l.kept.write(b, name, &v, l.pages.execute); err != nil {
		web.Refused(c, mfa.Refusal{Reason: web.CodeServerError, Err: fmt.Errorf("render page %s: %w", name, err), Operator: true})
		c.Data(http.StatusInternalServerError, "text/html; charset=utf-8", fmt.Appendf(nil, "<!doctype html><title>%[1]s: 500</title><p>%[1]s: 500 (%[2]s) <a href=\"/\">%[1]s</a>",
			template.HTMLEscapeString(l.product), web.Correlation(c)))
		return
	}
	c.Header("Content-Security-Policy", policy(web.Nonce(c), v.Client.Logo, v.Asks, v.Frames))
	c.Header("Content-Language", v.lang)
	c.Data(code, "text/html; charset=utf-8", b.Bytes())
}

// plainOrigin allows no character that could end a directive and begin another.
var plainOrigin = regexp.MustCompile(`^https?://[a-z0-9._\-]+(:[0-9]+)?$`)

// policy is the Content-Security-Policy of a page (H-3). It allows scripts and styles by the
// nonce of the response, not by origin, and frames of the origins of the given addresses. It has no form-action: browsers apply that to the
// redirect to the client as well.
func policy(nonce, logo string, asks bool, frames []string) string {
	images := "'self' data:"
	if o := origin.Of(logo); plainOrigin.MatchString(o) {
		images += " " + o
	}
	out := "default-src 'none'; style-src 'nonce-" + nonce + "'; script-src 'nonce-" + nonce + "'; img-src " + images + "; frame-ancestors 'none'; base-uri 'none'"
	if asks {
		out += "; connect-src 'self'"
	}
	var framed []string
	for _, uri := range frames {
		if o := origin.Of(uri); plainOrigin.MatchString(o) && !slices.Contains(framed, o) {
			framed = append(framed, o)
		}
	}
	if len(framed) > 0 {
		out += "; frame-src " + strings.Join(framed, " ")
	}
	return out
}

// Redirect is how all pages redirect (H-5). After a form post the status must be 303: 307
// would resend the password (RFC 9700 section 4.12).
func Redirect(c *gin.Context, location string) {
	if strings.ContainsFunc(location, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		panic("page: control character in a redirect")
	}
	c.Header("Location", location)
	c.Status(http.StatusSeeOther)
	c.Writer.WriteHeaderNow()
}
