package desired

import (
	"encoding/hex"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"sallyport/config/strict"
	"sallyport/provider"
)

func (c *Client) has(grant string) bool { return slices.Contains(c.GrantTypes, grant) }

func (s *State) check(r *strict.Reader) {
	seen := map[string]bool{}
	for i := range s.Clients {
		c, path := &s.Clients[i], fmt.Sprintf("clients[%d]", i)
		if seen[c.ID] && c.ID != "" {
			r.Fault(path+".client_id", "another client has this client_id")
		}
		seen[c.ID] = true
		c.check(r, path)
	}
	names := map[string]bool{}
	for i := range s.Users {
		s.Users[i].check(r, fmt.Sprintf("users[%d]", i), names)
	}
	s.checkAPIKeys(r)
}

func (c *Client) check(r *strict.Reader, path string) {
	// RFC 6749 appendix A.1: printable ASCII.
	if !clientID.MatchString(c.ID) {
		r.Fault(path+".client_id", "is required: 1 to 255 printable ASCII characters without spaces")
	}
	c.checkAuthentication(r, path)
	c.checkGrants(r, path)
	c.checkURIs(r, path)
	c.checkPolicy(r, path)
	c.checkTokens(r, path)
}

var (
	clientID = regexp.MustCompile(`^[!-~]{1,255}$`)
	// RFC 6749 appendix A.4.
	scopeToken = regexp.MustCompile(`^[!#-\[\]-~]{1,255}$`)
)

// legacyTypes are the response types that end in a token.
var legacyTypes = []string{"token", "id_token", "id_token token", "code id_token", "code token", "code id_token token"}

func (c *Client) checkAuthentication(r *strict.Reader, path string) {
	at := path + ".token_endpoint_auth_method"
	r.OneOf(at, c.AuthMethod, []string{"none", "client_secret_basic", "client_secret_post"})
	if c.Public != (c.AuthMethod == "none") {
		r.Fault(at, "none is for public clients, and for all of them")
	}
	secrets := 0
	if c.Secret != "" {
		secrets++
		// Only a plain SHA-256 is stored, so the secret must be unguessable.
		if len(c.Secret) < 32 {
			r.Fault(path+".client_secret", "must have 32 characters or more, made at random")
		}
	}
	if c.SecretSHA256 != "" {
		secrets++
		if b, err := hex.DecodeString(c.SecretSHA256); err != nil || len(b) != 32 {
			r.Fault(path+".client_secret_sha256", "must be 64 hexadecimal digits")
		}
	}
	switch {
	case c.Public && secrets > 0:
		r.Fault(path, "a public client has no secret (RFC 6749 section 2.1)")
	case !c.Public && secrets != 1:
		r.Fault(path, "a confidential client needs either client_secret or client_secret_sha256")
	}
}

func (c *Client) checkGrants(r *strict.Reader, path string) {
	for i, g := range c.GrantTypes {
		r.OneOf(fmt.Sprintf("%s.grant_types[%d]", path, i), g, []string{"authorization_code", "refresh_token", "client_credentials"})
	}
	for i, t := range c.ResponseTypes {
		r.OneOf(fmt.Sprintf("%s.response_types[%d]", path, i), t, []string{"code"})
	}
	for i, t := range c.LegacyTypes {
		r.OneOf(fmt.Sprintf("%s.legacy_response_types[%d]", path, i), t, legacyTypes)
	}
	if c.MFAURL != "" && c.LoginURL == "" {
		r.Fault(path+".mfa_url", "is of no use without login_url")
	}
	if c.LoginURL != "" && !c.HeadlessLogin {
		r.Fault(path+".login_url", "is of no use without headless_login")
	}
	for i, s := range c.Scopes {
		if !scopeToken.MatchString(s) {
			r.Fault(fmt.Sprintf("%s.scopes[%d]", path, i), "is not a scope (RFC 6749 section 3.3)")
		}
	}
	if c.Public && c.has("client_credentials") {
		r.Fault(path+".grant_types", "client_credentials is for confidential clients (RFC 6749 section 4.4)")
	}
	if c.has("refresh_token") && !c.has("authorization_code") {
		r.Fault(path+".grant_types", "refresh_token is of no use without authorization_code")
	}
	if c.has("authorization_code") && len(c.RedirectURIs) == 0 {
		r.Fault(path+".redirect_uris", "is required for authorization_code")
	}
	if c.PKCEOptional && (c.Public || c.Native || c.HeadlessLogin || c.Profile == "fapi2") {
		r.Fault(path+".pkce_optional", "excuses confidential web clients only")
	}
}

func (c *Client) checkURIs(r *strict.Reader, path string) {
	for i, uri := range c.RedirectURIs {
		if text := c.redirectFault(uri); text != "" {
			r.Fault(fmt.Sprintf("%s.redirect_uris[%d]", path, i), "%s", text)
		}
	}
	for i, uri := range c.PostLogoutRedirectURIs {
		if text := c.redirectFault(uri); text != "" {
			r.Fault(fmt.Sprintf("%s.post_logout_redirect_uris[%d]", path, i), "%s", text)
		}
	}
	for i, origin := range c.AllowedOrigins {
		u, err := url.Parse(origin)
		if err != nil || u.Host == "" || !webScheme(u) || u.Scheme+"://"+u.Host != origin {
			r.Fault(fmt.Sprintf("%s.allowed_origins[%d]", path, i), "must be an origin such as https://app.example.com, without path")
		}
	}
	for key, uri := range map[string]string{"login_url": c.LoginURL, "mfa_url": c.MFAURL, "logo_uri": c.LogoURI, "policy_uri": c.PolicyURI, "tos_uri": c.TosURI, "client_uri": c.ClientURI} {
		if uri == "" {
			continue
		}
		if u, err := url.Parse(uri); err != nil || u.Host == "" || u.User != nil || !webScheme(u) {
			r.Fault(path+"."+key, "must be an https address (http for localhost only)")
		}
	}
}

func webScheme(u *url.URL) bool {
	return u.Scheme == "https" || (u.Scheme == "http" && strict.LoopbackHost(u.Hostname()))
}

// redirectFault returns the fault of a redirect URI, or "" (RFC 9700 section 2.1, RFC 8252
// sections 7 and 8.4).
func (c *Client) redirectFault(uri string) string {
	if len(uri) > 2048 || strings.ContainsFunc(uri, func(x rune) bool { return x <= ' ' || x > '~' }) {
		return "must be at most 2048 ASCII characters without spaces"
	}
	u, err := url.Parse(uri)
	switch {
	case err != nil || u.Scheme == "" || u.User != nil || strings.ContainsAny(uri, `#\*`):
		return "must be an absolute URL without fragment, user, backslash or wildcard"
	case u.Scheme == "http" || u.Scheme == "https":
		if u.Host == "" || !webScheme(u) {
			return "must begin with https:// (http:// is for loopback addresses only)"
		}
		return ""
	case !c.Native:
		return "a scheme of its own is for native clients"
	case !strings.Contains(u.Scheme, "."):
		return "a scheme of its own must be a reversed domain name, such as com.example.app"
	}
	return ""
}

func (c *Client) checkPolicy(r *strict.Reader, path string) {
	r.OneOf(path+".mfa", c.MFA, []string{"OFF", "ALWAYS", "TIME_BASED"})
	if (c.MFA == "TIME_BASED") != (c.MFAInterval > 0) {
		r.Fault(path+".mfa_interval", "belongs to mfa TIME_BASED, and is required there")
	}
	r.OneOf(path+".consent", c.Consent, []string{"skip", "ask"})
	r.OneOf(path+".profile", c.Profile, []string{"", "fapi2"})
	for i, m := range c.AllowedMethods {
		if m == "" {
			r.Fault(fmt.Sprintf("%s.allowed_methods[%d]", path, i), "must name a method")
		}
	}
}

func (c *Client) checkTokens(r *strict.Reader, path string) {
	r.OneOf(path+".id_token_signed_response_alg", c.IDTokenAlg, append([]string{""}, provider.Algorithms()...))
	r.OneOf(path+".access_token_format", c.AccessTokenFormat, []string{"", "jwt", "opaque"})
	r.Within(path+".access_token_ttl", c.AccessTokenTTL, time.Minute, time.Hour)
	r.Within(path+".refresh_token_idle_ttl", c.RefreshIdleTTL, time.Minute, 2160*time.Hour)
	r.Within(path+".refresh_token_ttl", c.RefreshTTL, time.Minute, 2160*time.Hour)
	if c.RefreshGrace != nil && (*c.RefreshGrace < 0 || *c.RefreshGrace > 10*time.Second) {
		r.Fault(path+".refresh_grace", "must be from 0s to 10s")
	}
	for key, d := range map[string]time.Duration{"mfa_interval": c.MFAInterval, "access_token_ttl": c.AccessTokenTTL,
		"refresh_token_idle_ttl": c.RefreshIdleTTL, "refresh_token_ttl": c.RefreshTTL} {
		if d%time.Second != 0 {
			r.Fault(path+"."+key, "must be in whole seconds")
		}
	}
}
