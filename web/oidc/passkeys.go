package oidc

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/web"
)

// mountPasskeys adds the documents about passkeys. Browsers read /.well-known/webauthn where a page
// of another origin asks for a passkey of this domain (WebAuthn section 5.11); password managers read
// /.well-known/passkey-endpoints (W3C Passkey Endpoints).
func (s *Surface) mountPasskeys(r gin.IRouter) {
	account := s.options.Issuer + "/account"
	r.GET(wellKnown+"webauthn", s.aboutPasskeys(gin.H{"origins": s.options.PasskeyOrigins}))
	r.GET(wellKnown+"passkey-endpoints", s.aboutPasskeys(gin.H{"enroll": account, "manage": account}))
}

// aboutPasskeys serves a document of a server with passkeys.
func (s *Surface) aboutPasskeys(document gin.H) gin.HandlerFunc {
	return func(c *gin.Context) {
		if len(s.options.PasskeyOrigins) == 0 {
			web.Refused(c, mfa.Refusal{Reason: web.CodeNotFound})
			web.WriteJSON(c, http.StatusNotFound, web.CodeNotFound)
			return
		}
		c.Header("Cache-Control", documentAge)
		c.JSON(http.StatusOK, document)
	}
}
