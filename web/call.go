package web

import (
	"crypto/x509"
	"encoding/base32"
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
)

// CorrelationHeader identifies a response in the log. Its value is never taken from the
// request: a caller could otherwise make two requests look like one.
const CorrelationHeader = "X-Correlation-Id"

const callKey = "sallyport.call"

// call is what the engine knows about a request.
type call struct {
	server       *server
	correlation  string
	address      string
	certificates []*x509.Certificate // that the caller has the key of, and its chain
	browser      string              // binding cookie, read or just created
	nonce        string              // of the page's policy; "": not created yet
	caller       mfa.Caller
	known        bool       // caller is
	query        url.Values // nil: not parsed yet
	cookies      []*http.Cookie
	refusal      mfa.Refusal
}

// begin gives the request its correlation id and determines the caller's address.
func (s *server) begin(c *gin.Context) {
	s.counters.Requests.Inc()
	s.counters.Running.Inc()
	defer s.counters.Running.Dec()
	k := &call{server: s, correlation: s.correlationID()}
	k.address = s.address(c.Request.RemoteAddr, c.Request.Header.Values("X-Forwarded-For"))
	c.Request = c.Request.WithContext(mfa.WithRefusal(c.Request.Context(), &k.refusal))
	k.cookies = c.Request.Cookies()
	c.Set(callKey, k)
	c.Header(CorrelationHeader, k.correlation)
	if b := Cookie(c, BrowserCookie); len(b) == bindingLength {
		k.browser = b
	}
	c.Next()
}

// correlationID returns 80 random bits in four groups that are easy to read out.
func (s *server) correlationID() string {
	var b [10]byte
	if _, err := io.ReadFull(s.random, b[:]); err != nil {
		panic("web: no randomness: " + err.Error())
	}
	t := base32.StdEncoding.EncodeToString(b[:])
	return t[:4] + "-" + t[4:8] + "-" + t[8:12] + "-" + t[12:]
}

func callOf(c *gin.Context) *call {
	k, ok := c.Get(callKey)
	if !ok {
		panic("web: handler outside the engine of web.New")
	}
	return k.(*call)
}

// Nonce returns the nonce of the response's Content-Security-Policy: 128 random bits, which
// the page gives to its own scripts and styles. It is the same for the whole response.
func Nonce(c *gin.Context) string {
	k := callOf(c)
	if k.nonce == "" {
		var b [16]byte
		if _, err := io.ReadFull(k.server.random, b[:]); err != nil {
			panic("web: no randomness: " + err.Error())
		}
		k.nonce = base64.RawURLEncoding.EncodeToString(b[:])
	}
	return k.nonce
}

// Query returns the parameters in the address, for reading only.
func Query(c *gin.Context) url.Values {
	k := callOf(c)
	if k.query == nil {
		k.query = c.Request.URL.Query()
	}
	return k.query
}

// Now returns the time by the server's clock.
func Now(c *gin.Context) time.Time { return callOf(c).server.now() }

// Correlation returns the id of the request in the log; pages show it as the support id.
func Correlation(c *gin.Context) string { return callOf(c).correlation }

// Log writes one log line about the request, with its route and correlation id.
func Log(c *gin.Context, log *slog.Logger, level slog.Level, message string, attrs ...slog.Attr) {
	attrs = append(attrs, slog.String("route", c.FullPath()), slog.String("correlation_id", Correlation(c)))
	log.LogAttrs(c.Request.Context(), level, message, attrs...)
}
