package grants

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ory/fosite"

	"sallyport/mfa"
	"sallyport/provider/claims"
	"sallyport/provider/clients"
	"sallyport/provider/oauth"
	"sallyport/storage"
)

// Request is the part of an authorization request that determines the codes and tokens.
type Request struct {
	Client *clients.Client
	Types  clients.ResponseTypes
	Params url.Values // as they were sent
}

// Issued is what was issued in an authorization response.
type Issued struct {
	Code   *storage.Grant // whose code is in the response
	Grant  *storage.Grant // of the access token in the response
	Fields [][2]string    // parameters of the response

	code string
}

// GrantID returns the grant for the audit trail.
func (o Issued) GrantID() storage.GrantID {
	switch {
	case o.Code != nil:
		return o.Code.ID
	case o.Grant != nil:
		return o.Grant.ID
	}
	return ""
}

// Event returns the kind of event for the audit trail.
func (o Issued) Event() string {
	if o.Code == nil {
		return mfa.EventTokenIssued
	}
	return mfa.EventCodeIssued
}

// Check checks that the client may ask for a response type and for scopes. What else an
// authorization request needs is checked before; fosite sees none (docs/fosite-edges.md).
func (*Issuer) Check(r Request) *oauth.Error {
	for _, scope := range oauth.Fields(r.Params.Get("scope")) {
		if !slices.Contains(r.Client.Scopes, scope) {
			return oauth.Standard("invalid_scope")
		}
	}
	// Legacy types were checked before, and are for clients that may use the code as well.
	code := r.Types.Legacy() || strings.Trim(r.Params.Get("response_type"), " ") == "code"
	if !code || !r.Client.MayUseCode() {
		return oauth.Standard("unsupported_response_type")
	}
	return nil
}

// Authorize issues what the response type requests. The grant of a code gets the given ID, which
// must begin with a time not more than an hour ago; "": a new one. An access token belongs to a
// grant of its own, so that a replayed code does not revoke it.
func (i *Issuer) Authorize(ctx context.Context, r Request, a storage.Authorization, account *storage.Account, id storage.GrantID) (Issued, error) {
	var out Issued
	s := &session{authorization: a, account: account, details: a.Details}
	now := i.now()
	if r.Types.IssuesCode() {
		if id == "" {
			id = storage.GrantID(storage.TimeOrdered(now, i.random))
		}
		var err error
		if out.code, out.Code, err = i.newCode(r, a, id); err != nil {
			return out, err
		}
		out.Fields = append(out.Fields, [2]string{"code", out.code})
	}
	if r.Types.Token {
		ttl := i.accessTTL(r.Client)
		out.Grant = &storage.Grant{ID: storage.GrantID(storage.TimeOrdered(now, i.random)), Authorization: a, CreatedAt: now, RedeemedAt: now,
			RefreshUntil: now.Add(ttl), ExpiresAt: now.Add(ttl)}
		s.grant = out.Grant.ID
		access, _, err := (&accessStrategy{i}).GenerateAccessToken(ctx, requester(r.Client, s))
		if err != nil {
			return out, err
		}
		out.Fields = append(out.Fields, [2]string{"access_token", access}, [2]string{"token_type", tokenType(nil)},
			[2]string{"expires_in", strconv.FormatInt(int64(ttl/time.Second), 10)}, [2]string{"scope", strings.Join(a.Scopes, " ")})
	}
	if r.Types.IDToken {
		if out.Grant == nil { // has no tokens; it says that the session has signed in the client
			out.Grant = &storage.Grant{ID: storage.GrantID(storage.TimeOrdered(now, i.random)), Authorization: a, CreatedAt: now, RedeemedAt: now,
				RefreshUntil: now, ExpiresAt: now}
		}
		id, err := i.newIDToken(ctx, r, s, out, now)
		if err != nil {
			return out, err
		}
		out.Fields = append(out.Fields, [2]string{"id_token", id})
	}
	return out, nil
}

// newIDToken writes the ID token of an authorization response, with the hashes of code and
// access token (OpenID Connect Core section 3.3.2.11). If there is neither, it contains the
// claims of the scopes (section 5.4).
func (i *Issuer) newIDToken(ctx context.Context, r Request, s *session, out Issued, now time.Time) (string, error) {
	a := s.authorization
	content := claims.IDToken(i.options.Issuer, r.Client, a, s.account, a.Scopes, now, now.Add(i.options.IDTokenTTL))
	if !r.Types.Token && !r.Types.Code {
		for name, value := range claims.UserInfo(a.Claims, s.account, a.Scopes, r.Client.Scopes) {
			if _, ok := content[name]; !ok {
				content[name] = value
			}
		}
	}
	i.nameGrant(s, content)
	return i.codec.WriteID(ctx, content, a, r.Client, s.access, out.code)
}

// newCode creates an authorization code and its grant.
func (i *Issuer) newCode(r Request, a storage.Authorization, id storage.GrantID) (string, *storage.Grant, error) {
	now := i.now()
	challenge := r.Params.Get("code_challenge")
	if challenge == "" && r.Client.NeedsPKCE() {
		return "", nil, fmt.Errorf("a code of client %q without a challenge", r.Client.ID)
	}
	code, err := i.codec.WriteCode(id)
	if err != nil {
		return "", nil, fmt.Errorf("write code: %w", err)
	}
	until := now.Add(i.options.CodeTTL)
	return code, &storage.Grant{ID: id, Authorization: a, CodeUntil: until, RedirectURI: r.Params.Get("redirect_uri"),
		CodeChallenge: challenge, CreatedAt: now, ExpiresAt: i.end(r.Client, r.Client.GetGrantTypes().Has("refresh_token"), until)}, nil
}

// end returns when the last token of a code that is redeemed at a time expires.
func (i *Issuer) end(c *clients.Client, refreshable bool, redeemed time.Time) time.Time {
	if refreshable {
		return redeemed.Add(i.refreshTTL(c))
	}
	return redeemed.Add(i.accessTTL(c))
}

func (i *Issuer) accessTTL(c *clients.Client) time.Duration {
	return c.GetEffectiveLifespan("", fosite.AccessToken, i.options.AccessTokenTTL)
}
