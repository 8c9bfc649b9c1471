package provider

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/url"

	"sallyport/provider/clients"

	"github.com/ory/fosite"
)

// needsPKCE: everybody but a confidential client that was excused (RFC 9700 section 2.1.1).
func needsPKCE(c *clients.Client) bool {
	return c.Public || c.Native || c.HeadlessLogin || c.Profile == "fapi2" || !c.PKCEOptional
}

// checkPKCE judges the challenge (RFC 7636 section 4.3). The method plain is refused,
// and so is its silent form, a challenge without a method.
func checkPKCE(_ context.Context, r *request, values url.Values) *oauthError {
	challenge, method := values.Get("code_challenge"), values.Get("code_challenge_method")
	switch {
	case challenge == "" && method != "":
		return refusal("invalid_request", "code_challenge_method stands without code_challenge")
	case challenge == "" && r.front.used() && !r.front.code:
		return nil // there is no code to protect
	case challenge == "" && needsPKCE(r.client):
		return refusal("invalid_request", "code_challenge is needed (RFC 7636)")
	case challenge == "":
		return nil
	case method != "S256":
		return refusal("invalid_request", "code_challenge_method is not S256")
	case !unreserved(challenge):
		return refusal("invalid_request", "code_challenge is not 43 to 128 unreserved characters")
	}
	return nil
}

// unreserved is the syntax of challenge and verifier (RFC 7636 section 4.1).
func unreserved(s string) bool {
	if len(s) < 43 || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '.', c == '_', c == '~':
		default:
			return false
		}
	}
	return true
}

// verifies compares a verifier with the challenge of the code (RFC 7636 section 4.6).
// No challenge demands no verifier: RFC 9700 section 2.1.1 calls the other case a downgrade.
func verifies(challenge, verifier string) bool {
	if challenge == "" {
		return verifier == ""
	}
	if !unreserved(verifier) {
		return false
	}
	sum := sha256.Sum256([]byte(verifier))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(challenge)) == 1
}

// pkceGuard takes the place of fosite's PKCE handler, which forgets the challenge
// before it compares. The challenge is part of the code's own record: a wrong verifier
// changes nothing, and the code can never be redeemed without the right one.
type pkceGuard struct{ store *fositeStore }

var _ fosite.TokenEndpointHandler = (*pkceGuard)(nil)

func (g *pkceGuard) HandleTokenEndpointRequest(ctx context.Context, r fosite.AccessRequester) error {
	if !g.CanHandleTokenEndpointRequest(ctx, r) {
		return fosite.ErrUnknownRequest
	}
	form := r.GetRequestForm()
	code, err := g.store.code(ctx, form.Get("code"))
	if err != nil {
		return err
	}
	if !verifies(code.Code.Params["code_challenge"], form.Get("code_verifier")) {
		return refusal("invalid_grant", "code_verifier does not fit the code_challenge")
	}
	return nil
}

func (g *pkceGuard) PopulateTokenEndpointResponse(context.Context, fosite.AccessRequester, fosite.AccessResponder) error {
	return nil
}

func (g *pkceGuard) CanSkipClientAuth(context.Context, fosite.AccessRequester) bool { return false }

func (g *pkceGuard) CanHandleTokenEndpointRequest(_ context.Context, r fosite.AccessRequester) bool {
	return r.GetGrantTypes().ExactOne("authorization_code")
}
