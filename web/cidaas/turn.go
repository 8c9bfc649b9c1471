package cidaas

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/session"
	"sallyport/provider"
	"sallyport/storage"
	"sallyport/web"
)

// turn is one call: who is there, and where the login stands.
type turn struct {
	visit    mfa.Caller
	signedIn *session.SignedIn
	step     provider.Step
}

// visit says who is calling. A page that tells nobody where it is writes "null" even
// towards itself; who it is towards the browser knows.
func (s *Surface) visit(c *gin.Context) mfa.Caller {
	v := web.Visit(c)
	if v.Origin == "null" && c.GetHeader("Sec-Fetch-Site") == "same-origin" {
		v.Origin = s.origin
	}
	return v
}

// may judges callers that show nothing but an exchange.
func (s *Surface) may(c *gin.Context, v mfa.Caller) func(storage.Status) error {
	return func(x storage.Status) error { return s.provider.MayContinue(c.Request.Context(), x, v) }
}

// next reads where a login stands.
func (s *Surface) next(c *gin.Context, a provider.Ask) (turn, error) {
	t := turn{visit: s.visit(c)}
	if token := web.Cookie(c, web.SessionCookie); token != "" && t.visit.Browser != "" {
		var err error
		if t.signedIn, err = s.sessions.Load(c.Request.Context(), token); err != nil {
			return t, fmt.Errorf("load session: %w", err)
		}
	}
	a.Visit, a.SignedIn, a.Program = t.visit, t.signedIn, true
	var err error
	t.step, err = s.provider.Next(c.Request.Context(), a)
	return t, err
}

// again reads where the login stands after something changed.
func (s *Surface) again(c *gin.Context, t turn) (turn, error) { return s.next(c, t.step.Again()) }

// open is next for calls that go on with a login: one that ended is refused.
func (s *Surface) open(c *gin.Context, a provider.Ask) (turn, error) {
	t, err := s.next(c, a)
	if err == nil && t.step.Kind == provider.StepOver {
		err = &mfa.Error{Code: mfa.RequestOver}
	}
	return t, err
}

// identifier is whom a call is about: one of the names the dialect has for it.
func identifier(in *input) string {
	return in.first("identifier", "email", "mobile_number", "username")
}

// masked is the masked subject a call names.
func masked(in *input) string { return in.first("sub", "q") }

// agrees demands that whom a call of the login's owner names, by a masked subject or by
// a name, is the user of the login. For everybody else, and before anybody is identified,
// a masked subject means nothing; a name is then who the call is about.
func (s *Surface) agrees(t turn, sub, name string) error {
	if t.step.Request.Subject == "" {
		return nil
	}
	if sub != "" && !s.provider.IsMasked(t.step, sub) || name != "" && !has(t.step.Account, name) {
		return &mfa.Error{Code: mfa.NotConfigured, Err: errors.New("the call names another user than that of the login")}
	}
	return nil
}

// has reports whether a name, however it is typed, is one of an account's.
func has(a *storage.Account, name string) bool {
	canonical, _, err := mfa.Canonical(name)
	return err == nil && a != nil && slices.ContainsFunc(a.Identifiers, func(i storage.Identifier) bool { return i.Value == canonical })
}

// id reads an identifier of ours, which the libraries may have written in capitals.
func id[T ~string](text string) T { return T(strings.ToLower(strings.TrimSpace(text))) }

// wellFormed reports whether a text can be an identifier of ours.
func wellFormed(text string) bool {
	_, ok := storage.Bytes(text)
	return ok
}

// bearerOf finds the access token of a call: in the header of RFC 6750 section 2.1, or
// in that of the mobile libraries.
func bearerOf(c *gin.Context) string {
	header := c.GetHeader("Authorization")
	if header == "" {
		return c.GetHeader("access_token")
	}
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// owner returns whose access token a call carries; without one it is answered.
func (s *Surface) owner(c *gin.Context) (mfa.Owner, bool) {
	o, err := s.provider.Bearer(c.Request.Context(), bearerOf(c))
	if err != nil {
		s.fail(c, err)
		return o, false
	}
	o.Origin = "cidaas"
	return o, true
}
