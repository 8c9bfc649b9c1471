// Package signin is what the surfaces of a login have in common: it reads who calls and
// which step the login is at, and keeps the session of a login that has ended.
package signin

import (
	"fmt"
	"net/url"
	"slices"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/session"
	"sallyport/provider"
	"sallyport/storage"
	"sallyport/web"
)

// Call is one call in a login.
type Call struct {
	Caller   mfa.Caller
	SignedIn *session.SignedIn // of the caller's browser; nil: no user
	Step     provider.Step
}

// Reader reads the state of logins for one surface.
type Reader struct {
	Provider *provider.Provider
	Sessions *session.Registry
	Program  bool // calls come from scripts and programs, not from the server's own forms
}

// Read finds out who calls and which step the login is at: one read, and one more for
// a session.
func (r Reader) Read(c *gin.Context, caller mfa.Caller, a provider.Ask) (Call, error) {
	call := Call{Caller: caller}
	var err error
	if call.SignedIn, err = Session(c, r.Sessions); err != nil {
		return call, err
	}
	return r.Next(c, call, a)
}

// Next reads the step of a login again, after the call has changed something.
func (r Reader) Next(c *gin.Context, call Call, a provider.Ask) (Call, error) {
	a.Visit, a.SignedIn, a.Program = call.Caller, call.SignedIn, r.Program
	var err error
	if call.Step, err = r.Provider.Next(c.Request.Context(), a); err != nil {
		return call, err
	}
	call.Caller.Locale = web.Locale(c, call.Step.UILocales...)
	call.Caller.Login = call.Step.Request.LogName()
	return call, nil
}

// Session returns who is signed in in the caller's browser; nil: no user. A session
// counts only beside the binding cookie.
func Session(c *gin.Context, sessions *session.Registry) (*session.SignedIn, error) {
	token := web.Cookie(c, web.SessionCookie)
	if token == "" || web.Caller(c).Browser == "" {
		return nil, nil
	}
	s, err := sessions.Load(c.Request.Context(), token)
	if err != nil {
		return nil, fmt.Errorf("load session: %w", err)
	}
	return s, nil
}

// Keep sets the cookies of a login that has ended in this browser. Nothing sets them
// before the end of the login is committed.
func Keep(c *gin.Context, sessions *session.Registry, f provider.Finished) {
	KeepRemembered(c, f.Remembered)
	if f.Session != nil {
		web.SetCookie(c, web.SessionCookie, f.SessionToken, 0)
		if web.Cookie(c, web.ProvenCookie) != "" {
			web.ClearCookie(c, web.ProvenCookie)
		}
		web.SetCookie(c, web.DeviceCookie, sessions.Remember(web.Caller(c).Device, f.User), web.DeviceAge)
		if f.Familiar {
			web.SetCookie(c, web.FamiliarCookie, sessions.MarkFamiliar(web.Caller(c), f.User, f.DevicesEnded), web.DeviceAge)
		}
	}
}

// KeepRemembered sets the cookie of remembered devices; "" keeps it as it is.
func KeepRemembered(c *gin.Context, cookie string) {
	if cookie != "" {
		web.SetCookie(c, web.RememberedCookie, cookie, web.DeviceAge)
	}
}

// ContinuePath is the address at which a browser continues a login, whatever its step.
func ContinuePath(id storage.RequestID) string {
	return "/continue?requestId=" + url.QueryEscape(string(id))
}

// Challenged returns the first factor of a login that answers a challenge and so finds its user;
// "": none, or the user is known and has none. It tells nothing of a name.
func Challenged(st provider.Step, info func(method string) (mfa.Info, bool)) string {
	for _, method := range st.Verdict.Methods {
		i, _ := info(method)
		if i.First && i.Challenged && (st.Request.Subject == "" || st.Account != nil && slices.ContainsFunc(st.Account.Authenticators, func(a storage.Authenticator) bool {
			return a.Method == method && a.State == storage.AuthenticatorActive
		})) {
			return method
		}
	}
	return ""
}
