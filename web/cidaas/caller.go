package cidaas

import (
	"strings"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/provider"
	"sallyport/storage"
	"sallyport/web"
	"sallyport/web/signin"
)

// caller returns who makes the call. A page with a strict referrer policy sends the
// origin "null" even to its own server; Sec-Fetch-Site shows that it is the same.
func (s *Surface) caller(c *gin.Context) mfa.Caller {
	v := web.Caller(c)
	if v.Origin == "null" && c.GetHeader("Sec-Fetch-Site") == "same-origin" {
		v.Origin = s.origin
	}
	return v
}

// mayContinue authorizes a caller that names only an exchange.
func (s *Surface) mayContinue(c *gin.Context, caller mfa.Caller) func(storage.Status) error {
	return func(x storage.Status) error { return s.provider.MayContinue(c.Request.Context(), x, caller) }
}

// read reads a login.
func (s *Surface) read(c *gin.Context, a provider.Ask) (signin.Call, error) {
	return s.logins.Read(c, s.caller(c), a)
}

// open reads a login that has not ended.
func (s *Surface) open(c *gin.Context, a provider.Ask) (signin.Call, error) {
	call, err := s.read(c, a)
	if err == nil && call.Step.Kind == provider.StepOver {
		err = &mfa.Error{Code: mfa.RequestOver}
	}
	return call, err
}

// bearerOf returns the access token of a call: from the header of RFC 6750 section 2.1 or
// from that of the mobile libraries.
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

// owner returns the user of a call's access token; without one it refuses the call.
func (s *Surface) owner(c *gin.Context) (mfa.Owner, bool) {
	o, err := s.provider.Introspection.Owner(c.Request.Context(), bearerOf(c))
	if err != nil {
		s.fail(c, err)
		return o, false
	}
	o.Origin = "cidaas"
	return o, true
}
