package api

import (
	"context"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/provider"
	"sallyport/web"
)

// change is a call that does one thing where the login stands, and goes on.
func (s *Surface) change(kind provider.StepKind, do func(context.Context, provider.Step, mfa.Caller) error) gin.HandlerFunc {
	return func(c *gin.Context) {
		in, ok := s.read(c)
		if !ok {
			return
		}
		t, ok := s.at(c, in, kind, "")
		if !ok {
			return
		}
		if err := do(c.Request.Context(), t.step, t.visit); err != nil {
			s.fail(c, err, "")
			return
		}
		s.onward(c, t)
	}
}

// restart lets somebody else sign in: the login begins anew under its request_id, and its
// token is worth nothing any more.
func (s *Surface) restart(c *gin.Context) {
	in, ok := s.read(c)
	if !ok {
		return
	}
	t, ok := s.at(c, in, "", "")
	if !ok {
		return
	}
	err := s.provider.Restart(c.Request.Context(), t.step, t.visit)
	if err == nil {
		t, err = s.next(c, t, provider.Ask{Request: t.named})
	}
	if err != nil {
		s.fail(c, err, "")
		return
	}
	s.show(c, t, nil)
}

// consent takes the user's decision; a no ends the login.
func (s *Surface) consent(c *gin.Context) {
	in, ok := s.read(c)
	if !ok {
		return
	}
	allow := in.truth("allow")
	t, ok := s.at(c, in, provider.StepConsent, "")
	if !ok {
		return
	}
	if !allow {
		s.end(c, t)
		return
	}
	if err := s.provider.Allow(c.Request.Context(), t.step, t.visit); err != nil {
		s.fail(c, err, "")
		return
	}
	s.onward(c, t)
}

// cancel ends a login at the user's wish.
func (s *Surface) cancel(c *gin.Context) {
	in, ok := s.read(c)
	if !ok {
		return
	}
	if t, ok := s.at(c, in, "", ""); ok {
		s.end(c, t)
	}
}

func (s *Surface) end(c *gin.Context, t turn) {
	a, err := s.provider.Cancel(c.Request.Context(), t.step, t.visit)
	if err != nil {
		s.fail(c, err, "")
		return
	}
	s.ended(c, t, provider.StepRefused, a)
}

// finish ends a login that is done, in a code, or one that is refused, in its error.
// Who is signed in is kept only in the very browser the request is bound to, whose own
// post gave the first factor.
func (s *Surface) finish(c *gin.Context) {
	in, ok := s.read(c)
	if !ok {
		return
	}
	t, ok := s.at(c, in, "", "")
	if !ok {
		return
	}
	kind := t.step.Kind
	if kind != provider.StepDone && kind != provider.StepRefused {
		s.fail(c, &mfa.Error{Code: mfa.RequestChanged}, "")
		return
	}
	f, err := s.provider.Finish(c.Request.Context(), t.step, t.visit, t.signedIn)
	if err != nil {
		s.fail(c, err, "")
		return
	}
	if f.Session != nil && t.step.InBrowser {
		web.SetCookie(c, web.SessionCookie, f.SessionToken, 0)
		web.SetCookie(c, web.DeviceCookie, s.sessions.Remember(t.visit.Device, f.User), web.DeviceAge)
	}
	s.ended(c, t, kind, f.Answer)
}
