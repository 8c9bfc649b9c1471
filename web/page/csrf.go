package page

import (
	"crypto/hmac"
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"sallyport/web"
)

// CSRF returns the value that goes with every form of this browser.
func (l *Look) CSRF(browser string) string {
	if browser == "" {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(l.keyring.MAC("hash", "csrf", browser))
}

// Ours says whether a form came from a page of ours in this browser (H-2).
//
// Sec-Fetch-Site is written by the browser and cannot be forged by a page. Origin is
// judged only where it says something: our pages send Referrer-Policy no-referrer, and
// with that browsers write "null" even for our own forms. What decides in the end is
// the value in the form, which only a reader of our pages in this browser can know.
func (l *Look) Ours(r *http.Request, browser, value string) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
	default:
		return false
	}
	if o := r.Header.Get("Origin"); o != "" && o != "null" && o != l.origin {
		return false
	}
	return l.made("csrf", browser, browser, value)
}

// made reports whether a value is the MAC of a text, made for a browser that is there.
func (l *Look) made(purpose, browser, text, value string) bool {
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

// Guarded lets only forms of ours through to a handler; others are answered by foreign.
func (l *Look) Guarded(h, foreign gin.HandlerFunc) gin.HandlerFunc {
	return func(c *gin.Context) {
		if !l.Ours(c.Request, web.Caller(c).Browser, c.PostForm("csrf")) {
			foreign(c)
			return
		}
		h(c)
	}
}

// Mark makes a text travel through a browser's address line and come back: with a MAC
// over purpose, browser and text, so that no other site can make one up for it.
func (l *Look) Mark(purpose, browser, text string) string {
	if browser == "" {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(l.keyring.MAC("hash", purpose, browser+"|"+text)) + "." + text
}

// Marked returns the text of a mark that was made for this purpose and browser.
func (l *Look) Marked(purpose, browser, value string) (string, bool) {
	mac, text, found := strings.Cut(value, ".")
	if !found || !l.made(purpose, browser, browser+"|"+text, mac) {
		return "", false
	}
	return text, true
}
