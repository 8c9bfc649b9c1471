package provider

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"

	"github.com/ory/fosite"

	"sallyport/mfa"
	"sallyport/provider/clients"
	"sallyport/provider/secret"
	"sallyport/storage"
)

// credentials are what a client showed to prove who it is.
type credentials struct {
	method string // as token_endpoint_auth_method names it
	id     string
	secret string
}

// readCredentials finds the one way a client authenticates (RFC 6749 section 2.3: no
// more than one in a request).
func readCredentials(r *http.Request, form url.Values) (credentials, *oauthError) {
	if form.Get("client_assertion") != "" || form.Get("client_assertion_type") != "" {
		return credentials{}, refusal("invalid_client", "client assertions are not supported")
	}
	headers := r.Header.Values("Authorization")
	if len(headers) > 1 {
		return credentials{}, refusal("invalid_request", "there is more than one Authorization header")
	}
	if len(headers) == 0 {
		c := credentials{method: "none", id: form.Get("client_id")}
		if form.Has("client_secret") {
			c.method, c.secret = "client_secret_post", form.Get("client_secret")
		}
		if c.id == "" {
			return c, refusal("invalid_client", "the client does not say who it is")
		}
		return c, nil
	}
	c, ok := parseBasic(headers[0])
	if !ok {
		return c, &oauthError{code: "invalid_client", description: "the Authorization header is not Basic", status: http.StatusUnauthorized, basic: true}
	}
	if form.Has("client_secret") {
		return c, refusal("invalid_request", "the client authenticates in two ways")
	}
	if id := form.Get("client_id"); id != "" && id != c.id {
		return c, refusal("invalid_request", "client_id is another client's")
	}
	return c, nil
}

// parseBasic reads HTTP Basic as RFC 6749 section 2.3.1 has it: both halves are
// form-encoded before they are joined.
func parseBasic(header string) (credentials, bool) {
	none := credentials{method: "client_secret_basic"}
	scheme, rest, ok := strings.Cut(header, " ")
	if !ok || !strings.EqualFold(scheme, "Basic") || len(rest) > 4096 {
		return none, false
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(rest))
	if err != nil {
		return none, false
	}
	user, password, ok := strings.Cut(string(raw), ":")
	if !ok {
		return none, false
	}
	id, err := url.QueryUnescape(user)
	if err != nil {
		return none, false
	}
	unescaped, err := url.QueryUnescape(password)
	if err != nil || id == "" || containsNUL(id) {
		return none, false
	}
	return credentials{method: "client_secret_basic", id: id, secret: unescaped}, true
}

// authenticate is fosite's ClientAuthenticationStrategy. It remembers who calls: what
// is read next may be somebody else's.
func (p *Provider) authenticate(ctx context.Context, r *http.Request, form url.Values) (fosite.Client, error) {
	g, err := gathered(ctx)
	if err != nil {
		return nil, err
	}
	c, err := p.recognise(ctx, g.visit, r, form)
	if err != nil {
		return nil, err
	}
	g.client = c.ID
	return c, nil
}

// recognise finds out which client calls. Who is unknown hears what a wrong secret hears.
func (p *Provider) recognise(ctx context.Context, v mfa.Caller, r *http.Request, form url.Values) (*clients.Client, error) {
	shown, e := readCredentials(r, form)
	if e != nil {
		return nil, e
	}
	c, err := p.clients.Client(ctx, storage.ClientID(shown.id))
	if err != nil && !isNotFound(err) {
		return nil, unavailable(err)
	}
	if c != nil && !c.Disabled && c.AuthenticationMethod() == "none" && shown.method == "none" {
		return c, nil // a name is no secret: there is nothing to guess
	}
	if e := p.prove(ctx, v, shown, c); e != nil {
		return nil, e
	}
	return c, nil
}

// matches compares a secret with the client's: the current one and, during a rotation,
// its predecessor. Client secrets are 256 random bits, so one SHA-256 is enough.
func matches(presented string, c *clients.Client) bool {
	hashes := [][]byte{make([]byte, sha256.Size)}
	if c != nil && len(c.SecretHashes) > 0 {
		hashes = c.SecretHashes
	}
	return secret.Matches(hashes, secret.Sum(presented)) && c != nil && len(c.SecretHashes) > 0 && presented != ""
}

// caller authenticates the caller of an endpoint of ours. public says whether a client
// without a secret may call, by its name alone.
func (p *Provider) caller(r *http.Request, form url.Values, v mfa.Caller, public bool) (*clients.Client, *oauthError) {
	c, err := p.recognise(r.Context(), v, r, form)
	if err != nil {
		return nil, errorOf(err)
	}
	if !public && c.AuthenticationMethod() == "none" {
		return nil, refusal("invalid_client", "this endpoint is for clients with a secret")
	}
	return c, nil
}

// callerWithToken authenticates the caller of an endpoint that is about one token, and
// returns the token.
func (p *Provider) callerWithToken(r *http.Request, v mfa.Caller, public bool) (*clients.Client, string, *oauthError) {
	form, e := readForm(r)
	if e != nil {
		return nil, "", e
	}
	c, e := p.caller(r, form, v, public)
	if e != nil {
		return nil, "", e
	}
	token := form.Get("token")
	if token == "" {
		return nil, "", refusal("invalid_request", "token is missing")
	}
	return c, token, nil
}
