package web

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/text/language"
	"golang.org/x/time/rate"
)

// Surface is a set of endpoints for one kind of caller.
type Surface interface{ Mount(r gin.IRouter) }

// Options of the engine.
type Options struct {
	// Issuer determines the cookie prefix, the Secure flag and HSTS. None of these depends
	// on the request: Host and X-Forwarded-* never affect a response.
	Issuer string
	// TrustedProxies are addresses or prefixes whose X-Forwarded-For header is trusted.
	TrustedProxies []string
	// ClientCertificate is the header in which these proxies pass on certificates of clients.
	ClientCertificate CertificateHeader
	Logger            *slog.Logger  // nil: discarded
	Timeout           time.Duration // for one request after its body is read; 0: 2.5 s
	MaxBody           int64         // of a request that is not a form; 0: 64 KiB
	Rate              float64       // requests a second beyond which requests are refused; 0: 50,000
	Languages         []string      // the first is the fallback; nil: en, de
	// ErrorPage writes the page for a refusal. If it is nil, or the caller does not
	// accept HTML, the response is JSON.
	ErrorPage func(c *gin.Context, f Fault)
	Country   func(address string) string // of a caller; nil: not known
	Counters  *Counters                   // nil: not counted
	Span      Spanner                     // nil: not traced
}

// limits of one request, H-9.
const (
	maxBody    = 64 << 10
	maxURL     = 16 << 10
	maxParams  = 100
	maxHeaders = 32 << 10
)

type server struct {
	o        Options
	random   io.Reader
	now      func() time.Time
	log      *slog.Logger
	counters *Counters
	routes   routes // set by New
	proxies  []netip.Prefix
	limiter  *rate.Limiter
	secure   bool
	standard http.Header // of every response, read-only
	refusers []Refuser
	sharers  []Sharer
	tags     []string
	matcher  language.Matcher
}

// New builds the engine: middleware, then surfaces. random must be safe for concurrent use.
func New(o Options, random io.Reader, now func() time.Time, surfaces ...Surface) (http.Handler, error) {
	s, err := newServer(o, random, now)
	if err != nil {
		return nil, err
	}
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	if err := e.SetTrustedProxies(nil); err != nil {
		return nil, fmt.Errorf("trust no proxy: %w", err)
	}
	e.ForwardedByClientIP = false
	e.ContextWithFallback = false
	e.RedirectTrailingSlash = false
	e.RedirectFixedPath = false
	e.HandleMethodNotAllowed = true
	e.Use(s.begin)
	if o.Span != nil {
		e.Use(s.span)
	}
	e.Use(s.access, s.recover, s.headers, s.share, s.valve, s.certificates, s.limits, s.deadline)
	e.NoRoute(func(c *gin.Context) {
		s.refuse(c, Fault{Status: http.StatusNotFound, Code: CodeNotFound, Reason: "there is nothing at this address"})
	})
	e.NoMethod(func(c *gin.Context) {
		allowHead(c.Writer.Header())
		s.refuse(c, Fault{Status: http.StatusMethodNotAllowed, Code: CodeMethodNotAllowed, Reason: "this address takes other methods"})
	})
	for _, f := range surfaces {
		f.Mount(e)
		if r, ok := f.(Refuser); ok {
			s.refusers = append(s.refusers, r)
		}
		if r, ok := f.(Sharer); ok {
			s.sharers = append(s.sharers, r)
		}
	}
	s.mountOptions(e)
	s.routes = newRoutes(e.Routes())
	return engine{e}, nil
}

func newServer(o Options, random io.Reader, now func() time.Time) (*server, error) {
	issuer, err := url.Parse(o.Issuer)
	if err != nil || issuer.Host == "" {
		return nil, fmt.Errorf("issuer %q is not an absolute URL", o.Issuer)
	}
	s := &server{o: o, random: random, now: now, log: o.Logger, counters: o.Counters, secure: issuer.Scheme == "https", tags: o.Languages}
	s.standard = standard(s.secure)
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.counters == nil {
		var none uncounted
		s.counters = &Counters{none, none, none, none, none, func(string, string, int, time.Duration) {}}
	}
	if s.proxies, err = prefixes(o.TrustedProxies); err != nil {
		return nil, err
	}
	if s.o.Timeout == 0 {
		// Whatever happens to the database, the response is sent within 3 s.
		s.o.Timeout = 2500 * time.Millisecond
	}
	if s.o.MaxBody == 0 {
		s.o.MaxBody = maxBody
	}
	if s.o.Rate == 0 {
		s.o.Rate = 50_000
	}
	s.limiter = rate.NewLimiter(rate.Limit(s.o.Rate), max(1, int(s.o.Rate)))
	if len(s.tags) == 0 {
		s.tags = []string{"en", "de"}
	}
	tags := make([]language.Tag, len(s.tags))
	for i, name := range s.tags {
		if tags[i], err = language.Parse(name); err != nil {
			return nil, fmt.Errorf("language %q: %w", name, err)
		}
	}
	s.matcher = language.NewMatcher(tags)
	return s, nil
}
