package clientauth

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"

	"sallyport/provider/clients"
	"sallyport/provider/oauth"
	"sallyport/provider/secret"
)

// credentials are what a client sent to authenticate.
type credentials struct {
	method string // as token_endpoint_auth_method names it
	id     string
	secret string // or the assertion
}

// signs reports whether they are an assertion.
func (c credentials) signs() bool { return c.method == privateKeyJWT || c.method == clients.SecretJWT }

// readCredentials reads the credentials of a request, which may use one method only (RFC 6749
// section 2.3).
func readCredentials(r *http.Request, form url.Values) (credentials, *oauth.Error) {
	if form.Get("client_assertion") != "" || form.Get("client_assertion_type") != "" {
		return readAssertion(r, form)
	}
	headers := r.Header.Values("Authorization")
	if len(headers) > 1 {
		return credentials{}, oauth.NewError("invalid_request", "there is more than one Authorization header").Because(oauth.MalformedCredentials).About("Authorization")
	}
	if len(headers) == 0 {
		c := credentials{method: "none", id: form.Get("client_id")}
		if form.Has("client_secret") {
			c.method, c.secret = "client_secret_post", form.Get("client_secret")
		}
		if c.id == "" {
			return c, oauth.NewError("invalid_client", "client_id is missing").Because(oauth.NoClient).About("client_id")
		}
		return c, nil
	}
	c, ok := parseBasic(headers[0])
	if !ok {
		e := oauth.NewError("invalid_client", "the Authorization header is not Basic").Because(oauth.MalformedCredentials).About("Authorization")
		e.Basic = true
		return c, e
	}
	if form.Has("client_secret") {
		return c, oauth.NewError("invalid_request", "the client uses two methods of authentication").Because(oauth.WrongMethod).About("client_secret")
	}
	if id := form.Get("client_id"); id != "" && id != c.id {
		return c, oauth.NewError("invalid_request", "client_id does not match the Authorization header").Because(oauth.MalformedCredentials).About("client_id")
	}
	return c, nil
}

// parseBasic parses HTTP Basic according to RFC 6749 section 2.3.1: name and password are
// form-encoded.
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
	if err != nil || id == "" || strings.Contains(id, "\x00") {
		return none, false
	}
	return credentials{method: "client_secret_basic", id: id, secret: unescaped}, true
}

// matches compares a secret with the current one of a client and, during a rotation, with
// its predecessor. It takes the same time if there is no client.
func matches(presented string, c *clients.Client) bool {
	hashes := [][]byte{make([]byte, sha256.Size)}
	if c != nil && len(c.SecretHashes) > 0 {
		hashes = c.SecretHashes
	}
	return secret.Matches(hashes, secret.Sum(presented)) && c != nil && len(c.SecretHashes) > 0 && presented != ""
}
