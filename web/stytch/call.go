package stytch

import (
	"context"
	"net/netip"
	"strings"

	"github.com/gin-gonic/gin"

	texts "sallyport/input"
	"sallyport/mfa"
	"sallyport/mfa/backend"
	"sallyport/mfa/totp"
	"sallyport/storage"
	"sallyport/web/wireid"
)

// call is an authenticated call.
type call struct {
	context.Context
	c      *gin.Context
	key    storage.APIKey
	caller mfa.Caller
	in     input // empty for GET
}

// idOf reads an ID. For one of the other environment it returns the zero ID, which nothing has.
func idOf[T ~string](s *Surface, kind wireid.Kind, text string, malformed refusal) (T, error) {
	if id, ok := wireid.FromStytch[T](kind, s.environment, text); ok {
		return id, nil
	}
	for _, other := range []string{"test", "live"} {
		if _, ok := wireid.FromStytch[T](kind, other, text); ok {
			return storage.FromBytes[T]([16]byte{}), nil
		}
	}
	return "", &fault{malformed, nil}
}

func (s *Surface) userID(text string) (storage.UserID, error) {
	return idOf[storage.UserID](s, wireid.StytchUser, text, invalidUserID)
}

// agentMost bounds a user agent, in bytes.
const agentMost = 1024

// fingerprint returns the device of the user as the backend sees it.
func (in input) fingerprint() (backend.Fingerprint, error) {
	a := in.part("attributes")
	f := backend.Fingerprint{IP: a.Text("ip_address"), UserAgent: a.Text("user_agent")}
	if _, err := netip.ParseAddr(f.IP); f.IP != "" && err != nil {
		return f, &fault{invalidIP, nil}
	}
	if len(f.UserAgent) > agentMost || !texts.Shown(f.UserAgent) {
		return f, &fault{invalidAgent, nil}
	}
	return f, nil
}

// digits reports whether a typed code has so many digits and nothing else.
func digits(text string, n int) bool {
	code, err := mfa.Typed(text).Code()
	return err == nil && len(code) == n && strings.Trim(code, "0123456789") == ""
}

// totpOf returns the TOTP authenticator of a user; "": there is none.
func totpOf(a storage.Account) storage.AuthenticatorID {
	var id storage.AuthenticatorID
	for _, x := range a.Authenticators {
		if x.Method == totp.Name && (id == "" || x.State == storage.AuthenticatorActive && x.Origin == mfa.OriginBackend) {
			id = x.ID
		}
	}
	return id
}
