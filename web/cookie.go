package web

import (
	"encoding/base64"
	"io"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
)

// The cookies, without the prefix they have on https.
const (
	BrowserCookie    = "sallyport_browser"    // binds requests to the browser that opened them
	SessionCookie    = "sallyport_session"    // token of the session
	DeviceCookie     = "sallyport_device"     // marks a browser that a user has signed in with before
	FamiliarCookie   = "sallyport_familiar"   // marks users who proved two factors in a browser, and from where
	RememberedCookie = "sallyport_remembered" // tokens of the users that a second factor is remembered for
	LanguageCookie   = "sallyport_language"   // language that a user chose on a page
	ProvenCookie     = "sallyport_proven"     // something is proven in an unfinished login of this browser
	LoginCookie      = "sallyport_login"      // token of a login that this browser takes over at /continue
)

// loginAge is how long a browser has to follow the redirect to /continue.
const loginAge = time.Minute

// TakeOver sets the cookie with which the browser that posted a login's token takes the
// login over at /continue, where it sends its other cookies as well.
func TakeOver(c *gin.Context, token string) { SetCookie(c, LoginCookie, token, loginAge) }

// DeviceAge is how long a browser is recognised as one that its user has signed in with. The
// cookie of remembered devices lasts as long: the server knows when each of them ends.
const DeviceAge = 365 * 24 * time.Hour

// bindingLength is 32 random bytes in base64url without padding.
const bindingLength = 43

func (s *server) cookieName(name string) string {
	if s.secure {
		// RFC 6265bis section 4.1.3.2: the browser enforces Secure, Path=/ and no Domain,
		// so a sibling host cannot plant the cookie.
		return "__Host-" + name
	}
	return name
}

// SetCookie sets a cookie. With a zero age it lasts until the browser closes.
func SetCookie(c *gin.Context, name, value string, age time.Duration) {
	s := callOf(c).server
	http.SetCookie(c.Writer, &http.Cookie{Name: s.cookieName(name), Value: value, Path: "/", MaxAge: int(age / time.Second),
		Secure: s.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// ClearCookie removes a cookie.
func ClearCookie(c *gin.Context, name string) { SetCookie(c, name, "", -time.Second) }

// Cookie returns the value of a cookie, or "". Several cookies of one name count as none:
// one of them was planted.
func Cookie(c *gin.Context, name string) string {
	k := callOf(c)
	name = k.server.cookieName(name)
	value, n := "", 0
	for _, found := range k.cookies {
		if found.Name == name {
			value, n = found.Value, n+1
		}
	}
	if n != 1 {
		return ""
	}
	return value
}

// Bind returns the value of the binding cookie, and sets the cookie if there is none.
func Bind(c *gin.Context) string {
	k := callOf(c)
	if k.browser != "" {
		return k.browser
	}
	var b [32]byte
	if _, err := io.ReadFull(k.server.random, b[:]); err != nil {
		panic("web: no randomness: " + err.Error())
	}
	k.browser = base64.RawURLEncoding.EncodeToString(b[:])
	SetCookie(c, BrowserCookie, k.browser, 0)
	return k.browser
}
