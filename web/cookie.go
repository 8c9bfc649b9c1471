package web

import (
	"encoding/base64"
	"io"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
)

// The cookies, without the prefix they carry on https.
const (
	BrowserCookie = "sallyport_browser" // binds requests to the browser that opened them
	SessionCookie = "sallyport_session" // who is signed in
	DeviceCookie  = "sallyport_device"  // a browser its user has signed in with before
	LoginCookie   = "sallyport_login"   // a login this browser takes over at /continue
)

// loginAge is how long a browser has to come to /continue after the post that led there.
const loginAge = time.Minute

// TakeOver gives the browser whose post owns a login what it needs to go on with it at
// /continue, where it shows its other cookies, too.
func TakeOver(c *gin.Context, token string) { SetCookie(c, LoginCookie, token, loginAge) }

// DeviceAge is how long a browser is known as one its user has signed in with.
const DeviceAge = 365 * 24 * time.Hour

// bindingLength is 32 random bytes in base64url without padding.
const bindingLength = 43

func (s *server) cookieName(name string) string {
	if s.secure {
		// RFC 6265bis section 4.1.3.2: no Domain, Path=/ and Secure are enforced by the
		// browser, so a sibling host cannot plant a cookie of ours.
		return "__Host-" + name
	}
	return name
}

// SetCookie sets a cookie of ours. A zero age lasts until the browser closes.
func SetCookie(c *gin.Context, name, value string, age time.Duration) {
	s := callOf(c).server
	http.SetCookie(c.Writer, &http.Cookie{Name: s.cookieName(name), Value: value, Path: "/", MaxAge: int(age / time.Second),
		Secure: s.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// ClearCookie takes a cookie of ours away.
func ClearCookie(c *gin.Context, name string) { SetCookie(c, name, "", -time.Second) }

// Cookie returns the value of a cookie of ours, or "". Of several with one name
// none counts: one of them was planted.
func Cookie(c *gin.Context, name string) string {
	found := c.Request.CookiesNamed(callOf(c).server.cookieName(name))
	if len(found) != 1 {
		return ""
	}
	return found[0].Value
}

// Bind returns the value that binds requests to this browser and sets its cookie
// if there is none yet.
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
