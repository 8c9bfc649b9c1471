// Package webtest is what the tests of surfaces share: the packages below the surfaces on a
// real database, a browser with cookies and forms, and OpenAPI descriptions.
package webtest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/mfa/mfatest"
	"sallyport/provider"
	"sallyport/storage"
	"sallyport/web"
)

const (
	Password = "correct horse battery"            // of every user
	TOTPKey  = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP" // of an authenticator app
)

// Fixture is everything below the surfaces on a SQLite database, with a clock that only
// the test moves.
type Fixture struct {
	*mfatest.Services
	T        testing.TB
	Provider *provider.Provider
	Handler  http.Handler // set by Serve
	Country  func(address string) string
	Log      strings.Builder
	logger   *slog.Logger
	Broken   bool // the test breaks something and expects statuses of 500 and above

	issuer string
	*mfatest.Clock
}

// New returns a fixture whose clock shows a time. Its provider signs with ES256 unless the
// options say otherwise.
func New(t testing.TB, at time.Time, m mfatest.Options, o provider.Options) *Fixture {
	t.Helper()
	f := &Fixture{T: t, Clock: mfatest.NewClock(at), issuer: o.Issuer}
	f.logger = slog.New(slog.NewJSONHandler(&f.Log, nil))
	m.Now, m.Log = f.Now, f.Logger()
	f.Services = mfatest.Open(t, m)
	if o.SigningAlg == "" {
		o.SigningAlg = "ES256"
	}
	var err error
	f.Provider, err = provider.New(f.Store, f.Keyring, f.Verifier, f.Sessions, f.Journal, f.Now, rand.Reader, o)
	f.OK(err)
	return f
}

// Logger writes to Log. There is one, as a handler locks its writer for itself alone.
func (f *Fixture) Logger() *slog.Logger { return f.logger }

// Serve builds the handler.
func (f *Fixture) Serve(errorPage func(*gin.Context, web.Fault), surfaces ...web.Surface) {
	f.T.Helper()
	var err error
	f.Handler, err = web.New(web.Options{Issuer: f.issuer, Logger: f.Logger(), ErrorPage: errorPage,
		Country: func(address string) string {
			if f.Country == nil {
				return ""
			}
			return f.Country(address)
		}}, rand.Reader, f.Now, surfaces...)
	f.OK(err)
	f.T.Cleanup(func() {
		for line := range strings.Lines(f.Log.String()) {
			if strings.Contains(line, `"reason":"`+web.Unexplained+`"`) {
				f.T.Errorf("a refusal has no reason in the log: %s", line)
			}
		}
	})
}

// Wait moves the clock.
func (f *Fixture) Wait(d time.Duration) { f.Advance(d) }

// OK stops the test on an error.
func (f *Fixture) OK(err error) {
	f.T.Helper()
	if err != nil {
		f.T.Fatal(err)
	}
}

// User creates a user, with an authenticator app if a key is given.
func (f *Fixture) User(name, key string, codes ...string) storage.UserID {
	f.T.Helper()
	return f.Services.User(name, Password, key, codes...)
}

// Code is what the app with a key shows now.
func (f *Fixture) Code(key string) string {
	f.T.Helper()
	return f.Services.Code(key, f.Now())
}

// Challenge is the code_challenge of a verifier (RFC 7636 section 4.2).
func Challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
