package page

import (
	"crypto/hmac"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/provider/origin"
	"sallyport/web"
)

// CSRF returns the CSRF token for the forms of a browser.
func (l *Look) CSRF(browser string) string {
	if browser == "" {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(l.keyring.MAC("hash", "csrf", browser))
}

// OwnForm reports whether a form came from one of the server's pages in this browser (H-2).
//
// The token in the form decides: only the server's pages in this browser contain it, and no
// other site can set the cookie that it is bound to. A form of a page that names itself must
// come from the server's own, too. A page whose origin is hidden ("null") may be the server's:
// its pages send Referrer-Policy no-referrer, and in a sandboxed window the browser calls the
// server's own form cross-site.
func (l *Look) OwnForm(c *gin.Context, value string) bool {
	why := l.foreign(c.Request, web.Caller(c).Browser, value)
	if why != "" {
		web.Refused(c, mfa.Refusal{Reason: why, Parameter: "csrf"})
	}
	return why == ""
}

// Why a form is not the server's own, for the log.
const (
	otherOrigin = "other_origin" // the form is on a page of another origin
	noBinding   = "no_cookie"    // the browser sent no binding cookie
	staleForm   = "stale_form"   // the token of the form is not this browser's
)

// foreign returns why a form is not the server's own; "": it is.
func (l *Look) foreign(r *http.Request, browser, value string) string {
	hidden := r.Header.Get("Origin") == "null"
	switch {
	case !hidden && !l.fromHere(r):
		return otherOrigin
	case browser == "":
		return noBinding
	case !l.validMAC("csrf", browser, browser, value):
		return staleForm
	}
	return ""
}

// fromHere reports whether no header says that a form came from another site. One that hides
// its origin may have.
func (l *Look) fromHere(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
	default:
		return false
	}
	from := r.Header.Get("Origin")
	return from == "" || from == "null" || from == l.origin || origin.Of(from) == l.origin
}

// validMAC reports whether a value is the MAC of a text. Without a browser none is valid.
func (l *Look) validMAC(purpose, browser, text, value string) bool {
	got, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil || browser == "" {
		return false
	}
	for _, want := range l.keyring.MACs("hash", purpose, text) {
		if hmac.Equal(want, got) {
			return true
		}
	}
	return false
}

// Guarded passes the server's own forms to a handler, all others to foreign.
func (l *Look) Guarded(h, foreign gin.HandlerFunc) gin.HandlerFunc {
	return func(c *gin.Context) {
		if !l.OwnForm(c, c.PostForm("csrf")) {
			foreign(c)
			return
		}
		h(c)
	}
}

// Sign signs a text that returns in an address: with a MAC over purpose, browser and text,
// so that no other site can create one for this browser.
func (l *Look) Sign(purpose, browser, text string) string {
	if browser == "" {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(l.keyring.MAC("hash", purpose, browser+"|"+text)) + "." + text
}

// Verify returns a signed text with a valid MAC for this purpose and browser.
func (l *Look) Verify(purpose, browser, value string) (string, bool) {
	mac, text, found := strings.Cut(value, ".")
	if !found || !l.validMAC(purpose, browser, browser+"|"+text, mac) {
		return "", false
	}
	return text, true
}

// Seal encrypts a text that returns in an address of this browser, and that no log of addresses may
// hold.
func (l *Look) Seal(purpose, browser string, text []byte) (string, error) {
	sealed, err := l.keyring.Seal(purpose, browser, text)
	if err != nil {
		return "", fmt.Errorf("seal text of an address: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(sealed), nil
}

// Open returns a text that Seal has sealed for the same purpose and browser.
func (l *Look) Open(purpose, browser, value string) ([]byte, bool) {
	sealed, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil || browser == "" {
		return nil, false
	}
	text, err := l.keyring.Open(purpose, browser, sealed)
	return text, err == nil
}

// ResponseOf reads the response of a ceremony, or a code that was typed into a form (G-35).
func ResponseOf(c *gin.Context) mfa.Response {
	if r := c.PostForm("response"); r != "" {
		return mfa.Response(r)
	}
	return mfa.Typed(c.PostForm("passcode"))
}
