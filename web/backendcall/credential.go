package backendcall

import (
	"strings"

	"github.com/gin-gonic/gin"

	"sallyport/provider/apikeys"
)

// credential is what a call shows.
type credential struct {
	project string // of Stytch
	secret  string
}

// scheme is the HTTP authentication scheme of the dialect.
func (a *Authenticator) scheme() string {
	if a.dialect == apikeys.DialectStytch {
		return "Basic" // RFC 7617, with the project as the user
	}
	return "Bearer" // RFC 6750
}

// header reads the credential in the one Authorization header of a call; false: there is none,
// or one of another scheme.
func (a *Authenticator) header(c *gin.Context) (credential, bool) {
	if len(c.Request.Header.Values("Authorization")) != 1 {
		return credential{}, false
	}
	if a.scheme() == "Basic" {
		project, secret, ok := c.Request.BasicAuth()
		return credential{project, secret}, ok && secret != ""
	}
	scheme, secret, _ := strings.Cut(c.GetHeader("Authorization"), " ")
	secret = strings.TrimSpace(secret)
	return credential{secret: secret}, strings.EqualFold(scheme, "Bearer") && secret != ""
}

// query reads the credential in the one parameter api_key.
func query(c *gin.Context) (credential, bool) {
	values := c.QueryArray("api_key")
	if len(values) != 1 || values[0] == "" {
		return credential{}, false
	}
	return credential{secret: values[0]}, true
}
