package api

import (
	"context"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/provider"
	"sallyport/web/signin"
)

// change is a call that makes one change at a step of the login.
func (s *Surface) change(kind provider.StepKind, do func(context.Context, provider.Step, mfa.Caller) error) gin.HandlerFunc {
	return func(c *gin.Context) {
		in, ok := s.read(c)
		if !ok {
			return
		}
		call, ok := s.at(c, in, kind, provider.Ask{})
		if !ok {
			return
		}
		if err := do(c.Request.Context(), call.Step, call.Caller); err != nil {
			s.fail(c, err, "")
			return
		}
		s.onward(c, call)
	}
}

// restart lets another user sign in: the login begins again under its request_id, and its
// token becomes invalid.
func (s *Surface) restart(c *gin.Context) {
	in, ok := s.read(c)
	if !ok {
		return
	}
	call, ok := s.at(c, in, "", provider.Ask{})
	if !ok {
		return
	}
	if err := s.provider.Restart(c.Request.Context(), call.Step, call.Caller); err != nil {
		s.fail(c, err, "")
		return
	}
	s.showNext(c, call, provider.Ask{Request: call.named})
}

// consent takes the user's decision; a refusal ends the login.
func (s *Surface) consent(c *gin.Context) {
	in, ok := s.read(c)
	if !ok {
		return
	}
	allow := in.Flag("allow")
	if _, sent := in.Members["allow"]; !sent {
		in.Fault("allow", "is required")
	}
	scopes := in.List("scopes")
	if _, sent := in.Members["scopes"]; sent && scopes == nil {
		scopes = []string{} // none of those that can be left out
	}
	call, ok := s.at(c, in, provider.StepConsent, provider.Ask{})
	if !ok {
		return
	}
	if !allow {
		s.end(c, call)
		return
	}
	if err := s.provider.Allow(c.Request.Context(), call.Step, call.Caller, scopes); err != nil {
		s.fail(c, err, "")
		return
	}
	s.onward(c, call)
}

// cancel ends a login that the user gives up.
func (s *Surface) cancel(c *gin.Context) {
	in, ok := s.read(c)
	if !ok {
		return
	}
	if call, ok := s.at(c, in, "", provider.Ask{}); ok {
		s.end(c, call)
	}
}

func (s *Surface) end(c *gin.Context, call loginCall) {
	a, err := s.provider.Cancel(c.Request.Context(), call.Step, call.Caller)
	if err != nil {
		s.fail(c, err, "")
		return
	}
	s.ended(c, call, provider.StepRefused, a)
}

// finish ends a login: with a code if it is done, with its error if it is refused. Only the
// browser that the request is bound to, and that posted the first factor itself, is signed in.
func (s *Surface) finish(c *gin.Context) {
	in, ok := s.read(c)
	if !ok {
		return
	}
	call, ok := s.at(c, in, "", provider.Ask{})
	if !ok {
		return
	}
	kind := call.Step.Kind
	if kind != provider.StepDone && kind != provider.StepRefused {
		s.fail(c, &mfa.Error{Code: mfa.RequestChanged}, "")
		return
	}
	f, err := s.provider.Finish(c.Request.Context(), call.Step, call.Caller, call.SignedIn)
	if err != nil {
		s.fail(c, err, "")
		return
	}
	if call.Step.InBrowser {
		signin.Keep(c, s.sessions, f)
	}
	s.ended(c, call, kind, f.Answer)
}
