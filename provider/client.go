package provider

import (
	"net/url"
	"slices"
	"time"

	"github.com/ory/fosite"

	"sallyport/storage"
)

// client is a registered client in fosite's eyes. It is shared and never changed.
type client struct {
	storage.Client
	origins map[string]bool // pages that may call for it
}

var (
	_ fosite.Client                         = (*client)(nil)
	_ fosite.ResponseModeClient             = (*client)(nil)
	_ fosite.ClientWithCustomTokenLifespans = (*client)(nil)
)

func newClient(c storage.Client) *client {
	origins := map[string]bool{}
	for _, o := range c.AllowedOrigins {
		origins[o] = true
	}
	for _, uri := range c.RedirectURIs {
		if o := originOf(uri); o != "" {
			origins[o] = true
		}
	}
	delete(origins, "null")
	return &client{Client: c, origins: origins}
}

// originOf is the web origin of an address (RFC 6454 section 6.2); "" for schemes of applications.
func originOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// grants reports whether the client is registered for a grant type. None listed means
// the code grant (OpenID Connect Dynamic Client Registration section 2).
func (c *client) grants(grant string) bool {
	if len(c.GrantTypes) == 0 {
		return grant == "authorization_code"
	}
	return slices.Contains(c.GrantTypes, grant)
}

// authMethod is token_endpoint_auth_method with its default.
func (c *client) authMethod() string {
	switch {
	case c.AuthMethod != "":
		return c.AuthMethod
	case c.Public:
		return "none"
	}
	return "client_secret_basic"
}

// alg is what the client's tokens are signed with.
func (c *client) alg(fallback string) string {
	if c.IDTokenAlg != "" {
		return c.IDTokenAlg
	}
	return fallback
}

// grace is how long the loser of two refreshes gets the winner's successor.
func (c *client) grace() time.Duration {
	switch {
	case c.RefreshGrace != nil:
		return c.RefreshGrace.Duration()
	case c.Public:
		return 10 * time.Second
	}
	return 0
}

func (c *client) GetID() string             { return string(c.ID) }
func (c *client) GetHashedSecret() []byte   { return nil } // we compare secrets ourselves
func (c *client) GetRedirectURIs() []string { return c.RedirectURIs }
func (c *client) IsPublic() bool            { return c.Public }

func (c *client) GetScopes() fosite.Arguments { return c.Scopes }

func (c *client) GetGrantTypes() fosite.Arguments {
	if len(c.GrantTypes) == 0 {
		return fosite.Arguments{"authorization_code"}
	}
	return c.GrantTypes
}

// GetResponseTypes offers code alone: the others hand out tokens in the front channel.
func (c *client) GetResponseTypes() fosite.Arguments {
	if len(c.ResponseTypes) == 0 || slices.Contains(c.ResponseTypes, "code") {
		return fosite.Arguments{"code"}
	}
	return fosite.Arguments{}
}

// GetAudience holds the client's resources.
func (c *client) GetAudience() fosite.Arguments { return c.Audience }

func (c *client) GetResponseModes() []fosite.ResponseModeType {
	return []fosite.ResponseModeType{fosite.ResponseModeQuery, fosite.ResponseModeFragment, fosite.ResponseModeFormPost}
}

// GetEffectiveLifespan puts the client's lifetimes in the place of the server's.
func (c *client) GetEffectiveLifespan(_ fosite.GrantType, t fosite.TokenType, fallback time.Duration) time.Duration {
	if t == fosite.AccessToken && c.AccessTokenTTL > 0 {
		return c.AccessTokenTTL.Duration()
	}
	return fallback
}
