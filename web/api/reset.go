package api

import (
	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/reset"
	"sallyport/provider"
	"sallyport/web/jsonbody"
)

// WithResets returns the surface with the calls for forgotten passwords; nil: nobody can reset
// one.
func (s *Surface) WithResets(r *reset.Resets) *Surface {
	with := *s
	with.resets = r
	return &with
}

// atReset reads a login whose user may have forgotten the password.
func (s *Surface) atReset(c *gin.Context, in *jsonbody.Object) (loginCall, bool) {
	call, ok := s.at(c, in, provider.StepIdentify, provider.Ask{})
	if ok && s.resets == nil {
		s.fail(c, &mfa.Error{Code: mfa.NotConfigured}, "")
		ok = false
	}
	return call, ok
}

// forgot requests a message for a name. The response is the same whoever has the name.
func (s *Surface) forgot(c *gin.Context) {
	in, ok := s.read(c)
	if !ok {
		return
	}
	name := in.Required("identifier")
	call, ok := s.atReset(c, in)
	if !ok {
		return
	}
	if err := s.resets.Ask(c.Request.Context(), call.Caller, name, returnOf(call)); err != nil {
		s.fail(c, err, "")
		return
	}
	s.show(c, call, nil)
}

// reset takes the code of a message and the new password. It signs nobody in.
func (s *Surface) reset(c *gin.Context) {
	in, ok := s.read(c)
	if !ok {
		return
	}
	name, passcode, fresh := in.Required("identifier"), in.Required("passcode"), in.Required("new_password")
	call, ok := s.atReset(c, in)
	if !ok {
		return
	}
	o, err := s.resets.Guess(c.Request.Context(), call.Caller, name, passcode, returnOf(call))
	if err == nil {
		err = s.resets.Set(c.Request.Context(), call.Caller, o, fresh)
	}
	if err != nil {
		s.fail(c, err, "")
		return
	}
	s.show(c, call, nil)
}
