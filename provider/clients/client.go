package clients

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ory/fosite"

	"sallyport/provider/mtls"
	"sallyport/provider/origin"
	"sallyport/storage"
)

// Client is a registered client, as fosite uses it. It is shared and read-only.
type Client struct {
	storage.Client
	// Document: its client_id is the address of a document that describes it, and nobody registered it.
	Document bool
	Origins  map[string]bool // from which pages may send its requests, as package origin writes them
	Sector   string          // of its subjects (OpenID Connect Core section 8.1); "": they are public
}

// FAPI2 is the profile of clients that follow the FAPI 2.0 Security Profile.
const FAPI2 = "fapi2"

// DeviceCode is the grant type of devices without a browser (RFC 8628 section 3.4).
const DeviceCode = "urn:ietf:params:oauth:grant-type:device_code"

// CIBA is the grant type of clients that name their user (OpenID Connect Client-Initiated Backchannel
// Authentication section 10.1).
const CIBA = "urn:openid:params:grant-type:ciba"

// TokenExchange is the grant type of token exchange (RFC 8693 section 2.1).
const TokenExchange = "urn:ietf:params:oauth:grant-type:token-exchange"

// GrantTypes are the supported grants.
var GrantTypes = []string{"authorization_code", "refresh_token", "client_credentials", DeviceCode, CIBA, TokenExchange}

var (
	_ fosite.Client                         = (*Client)(nil)
	_ fosite.ClientWithCustomTokenLifespans = (*Client)(nil)
)

func New(c storage.Client) *Client {
	origins := map[string]bool{}
	for _, uri := range slices.Concat(c.AllowedOrigins, c.RedirectURIs) {
		if o := origin.Of(uri); o != "" {
			origins[o] = true
		}
	}
	return &Client{Client: c, Origins: origins, Sector: SectorOf(c)}
}

// Unvetted reports whether nobody here has looked at the client: a document describes it, or it registered
// itself without an initial access token. Its name and addresses are a stranger's.
func (c *Client) Unvetted() bool {
	return c.Document || c.Registration != nil && c.Registration.Token == ""
}

// Shown returns the client as users may see it, where its response goes to a redirect URI. Of an
// unvetted client, whose name can be that of anybody, where the response goes comes before the name, and
// there is no logo. The name of one with a document has the host of that already.
func (c *Client) Shown(redirect string) storage.Client {
	return c.shownAt(cmp.Or(placeOf(redirect), string(c.ID)))
}

// shownPlaces is how many places of an unvetted client are shown.
const shownPlaces = 3

// ShownAnywhere returns the client as users may see it where no request says where its response goes. An
// unvetted client that registered more than one place is none of them: all come before its name.
func (c *Client) ShownAnywhere() storage.Client {
	places := c.places()
	if len(places) > shownPlaces {
		places = append(places[:shownPlaces], "\u2026")
	}
	return c.shownAt(strings.Join(places, ", "))
}

func (c *Client) shownAt(place string) storage.Client {
	out := c.Client
	if !c.Unvetted() {
		return out
	}
	if out.LogoURI = ""; c.Document {
		return out
	}
	if out.Name = place; c.Name != "" {
		out.Name += " (" + c.Name + ")"
	}
	return out
}

// places returns where responses to an unvetted client go, each once: its id if they need not go to a
// redirect URI. One with a document has the host of that.
func (c *Client) places() []string {
	if c.Document {
		return []string{placeOf(string(c.ID))}
	}
	var out []string
	if len(c.RedirectURIs) == 0 || c.MayUse(DeviceCode) || c.MayUse(CIBA) {
		out = append(out, string(c.ID))
	}
	for _, uri := range c.RedirectURIs {
		if place := cmp.Or(placeOf(uri), string(c.ID)); !slices.Contains(out, place) {
			out = append(out, place)
		}
	}
	return out
}

// placeOf returns the host of a redirect URI, or its scheme if that is an application's own; "": neither.
func placeOf(redirect string) string {
	u, err := url.Parse(redirect)
	if err != nil || u.Scheme == "" {
		return ""
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return u.Scheme
	}
	host, _ := origin.Host(u.Hostname())
	return host
}

// LeadsTo reports whether a page may lead to an address of the client. An unvetted one would choose the
// site behind a name that others have too: it leads to the host that the name begins with, if that is one.
func (c *Client) LeadsTo(address string) bool {
	if !c.Unvetted() {
		return true
	}
	places := c.places()
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && len(places) == 1 && placeOf(address) == places[0]
}

// SetDefaults sets what RFC 7591 section 2 says of metadata left out, and the defaults of the server's
// own settings.
func SetDefaults(c *storage.Client) {
	if c.AuthMethod == "" {
		c.AuthMethod = New(*c).AuthenticationMethod()
	}
	if len(c.GrantTypes) == 0 {
		c.GrantTypes = []string{"authorization_code"}
	}
	if len(c.ResponseTypes) == 0 && slices.Contains(c.GrantTypes, "authorization_code") {
		c.ResponseTypes = []string{"code"}
	}
	if c.MFA == "" {
		c.MFA = "OFF"
	}
	if c.Consent == "" {
		c.Consent = "skip"
	}
}

// MayUse reports whether the client is registered for a grant type. The default is the code
// grant (OpenID Connect Dynamic Client Registration section 2).
func (c *Client) MayUse(grant string) bool {
	if len(c.GrantTypes) == 0 {
		return grant == "authorization_code"
	}
	return slices.Contains(c.GrantTypes, grant)
}

// NeedsPKCE reports whether the client must send a code challenge (RFC 9700 section 2.1.1).
func (c *Client) NeedsPKCE() bool {
	return c.Public || c.Native || c.HeadlessLogin || c.Profile == FAPI2 || !c.PKCEOptional
}

// MayFetch reports whether the client registered an address of request objects. The fragment, which
// says what is there, need not be registered (OpenID Connect Dynamic Client Registration section 2).
func (c *Client) MayFetch(uri string) bool {
	address, _, _ := strings.Cut(uri, "#")
	return slices.ContainsFunc(c.RequestURIs, func(registered string) bool { return registered == uri || registered == address })
}

// AuthenticationMethod returns token_endpoint_auth_method or its default.
func (c *Client) AuthenticationMethod() string {
	switch {
	case c.AuthMethod != "":
		return c.AuthMethod
	case c.Public:
		return "none"
	}
	return "client_secret_basic"
}

// Anonymous reports whether anybody may be the caller: the client needs no authentication, or nobody
// vouched for it when it got its secret or key.
func (c *Client) Anonymous() bool {
	return c.AuthenticationMethod() == "none" || c.Unvetted()
}

// HasNoSecret reports whether the client is public, or authenticates with a key or certificate in place
// of a secret.
func (c *Client) HasNoSecret() bool {
	return c.Public || c.AuthMethod == "private_key_jwt" || mtls.IsMethod(c.AuthMethod)
}

// SigningAlg returns the algorithm for the client's tokens.
func (c *Client) SigningAlg(fallback string) string {
	if c.IDTokenAlg != "" {
		return c.IDTokenAlg
	}
	return fallback
}

// AuthorizationSigningAlg returns the algorithm for signed authorization responses.
func (c *Client) AuthorizationSigningAlg(fallback string) string {
	return cmp.Or(c.AuthorizationAlg, c.SigningAlg(fallback))
}

// SignsResponses reports whether all authorization responses to the client are signed, whatever a request
// asks for (JARM section 3).
func (c *Client) SignsResponses() bool {
	return c.AuthorizationAlg != "" || c.AuthorizationEncryptionAlg != ""
}

// IntrospectionSigningAlg returns the algorithm for signed responses of introspection.
func (c *Client) IntrospectionSigningAlg(fallback string) string {
	return cmp.Or(c.IntrospectionAlg, c.SigningAlg(fallback))
}

// SenderConstrained reports whether all tokens of the client are bound to a key or a certificate.
func (c *Client) SenderConstrained() bool { return c.DPoPBound || c.CertificateBound }

// NeedsProof reports whether the client's token requests must have a DPoP proof. With profile fapi2
// that is so whatever else an older record says (FAPI 2.0 Security Profile section 5.3.2.1).
func (c *Client) NeedsProof() bool {
	return c.DPoPBound || c.Profile == FAPI2 && !c.CertificateBound
}

// KeepsRefreshToken reports whether a refresh leaves the refresh token as it is, in place of rotating
// it: without the client's credentials it is worth nothing, and a lost response costs the client
// nothing (FAPI 2.0 Security Profile section 5.3.2.1).
func (c *Client) KeepsRefreshToken() bool { return c.Profile == FAPI2 }

// GracePeriod returns how long a rotated refresh token still gets its successor.
func (c *Client) GracePeriod() time.Duration {
	switch {
	case c.RefreshGrace != nil:
		return c.RefreshGrace.Duration()
	case c.Public:
		return 10 * time.Second
	}
	return 0
}

func (c *Client) GetID() string             { return string(c.ID) }
func (c *Client) GetHashedSecret() []byte   { return nil } // package clientauth compares secrets
func (c *Client) GetRedirectURIs() []string { return c.RedirectURIs }
func (c *Client) IsPublic() bool            { return c.Public }

func (c *Client) GetScopes() fosite.Arguments { return c.Scopes }

func (c *Client) GetGrantTypes() fosite.Arguments {
	if len(c.GrantTypes) == 0 {
		return fosite.Arguments{"authorization_code"}
	}
	return c.GrantTypes
}

// MayUseCode reports whether the client registered the response type code, or none, which is the same
// (OpenID Connect Registration section 2).
func (c *Client) MayUseCode() bool {
	return len(c.ResponseTypes) == 0 || slices.Contains(c.ResponseTypes, "code")
}

// GetResponseTypes is not used: package grants checks response types.
func (*Client) GetResponseTypes() fosite.Arguments { return nil }

// GetAudience returns the client's resources.
func (c *Client) GetAudience() fosite.Arguments { return c.Audience }

// GetEffectiveLifespan returns the client's lifetime, or else that of the server.
func (c *Client) GetEffectiveLifespan(_ fosite.GrantType, t fosite.TokenType, fallback time.Duration) time.Duration {
	if t == fosite.AccessToken && c.AccessTokenTTL > 0 {
		return c.AccessTokenTTL.Duration()
	}
	return fallback
}
