package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ory/fosite"

	"sallyport/mfa"
	"sallyport/storage"
)

// front says what the authorization endpoint itself hands out: the implicit and hybrid
// flows (OpenID Connect Core sections 3.2 and 3.3). Their tokens pass through the
// browser's address, which is why they exist for clients that list them only, and only
// where the server allows them (G-25). The zero value is the code flow.
type front struct{ code, token, id bool }

func (f front) used() bool { return f.token || f.id }

// frontTypes are the response types that end in a token, each in every order.
var frontTypes = [...]string{"token", "id_token", "id_token token", "code id_token", "code token", "code id_token token"}

// readFront reads a response type as a set (OAuth 2.0 Multiple Response Types section 3).
func readFront(text string) (front, bool) {
	var f front
	for _, t := range strings.Split(text, " ") {
		field, known := map[string]*bool{"code": &f.code, "token": &f.token, "id_token": &f.id}[t]
		if !known || *field {
			return front{}, false
		}
		*field = true
	}
	return f, f.used()
}

// checkFront admits the response types that end in a token where they are allowed.
func (p *Provider) checkFront(_ context.Context, r *request, values url.Values) *oauthError {
	f, ok := readFront(values.Get("response_type"))
	if !ok {
		return nil // fosite's to judge
	}
	listed := false
	for _, text := range r.client.LegacyResponseTypes {
		have, known := readFront(text)
		listed = listed || known && have == f
	}
	switch {
	case r.mode == modeQuery:
		r.mode = modeFragment // no token, and no refusal of one, goes into a query
		return refusal("invalid_request", "response_mode query is not for this response_type")
	case !p.options.LegacyResponseTypes || !listed:
		return refusal("unsupported_response_type", describeCode("unsupported_response_type"))
	case f.id && !slices.Contains(r.scopes, "openid"):
		return refusal("invalid_scope", "an ID token needs the scope openid")
	case f.id && r.nonce == "":
		return refusal("invalid_request", "nonce is needed (OpenID Connect Core section 3.2.2.1)")
	}
	r.front = f
	return nil
}

// ending is what a login ends in: what is stored, and what the client is told.
type ending struct {
	code   *storage.Code
	grant  *storage.Grant
	fields [][2]string
}

// grantID is the grant the audit trail speaks of.
func (e ending) grantID() storage.GrantID {
	switch {
	case e.code != nil:
		return e.code.GrantID
	case e.grant != nil:
		return e.grant.ID
	}
	return ""
}

// end makes what the response type asks for. A token of the authorization endpoint is a
// statement about a grant of its own: a code used twice says nothing about it.
func (p *Provider) end(ctx context.Context, r *request, a storage.Authorization, account storage.Account) (ending, error) {
	var e ending
	session := &grantSession{authorization: a, account: account}
	now := p.now()
	if !r.front.used() || r.front.code {
		code, err := p.makeCode(ctx, r, a)
		if err != nil {
			return e, err
		}
		e.code, e.fields = &code, append(e.fields, [2]string{"code", code.Code})
	}
	if r.front.token {
		ttl := r.client.GetEffectiveLifespan("", fosite.AccessToken, p.options.AccessTokenTTL)
		e.grant = &storage.Grant{ID: storage.GrantID(storage.TimeOrdered(now, p.random)), Authorization: a, CreatedAt: now,
			RefreshUntil: now.Add(ttl), ExpiresAt: now.Add(ttl)}
		session.grant = e.grant.ID
		token, _, err := (&accessStrategy{p}).GenerateAccessToken(ctx, requester(r.client, session))
		if err != nil {
			return e, err
		}
		e.fields = append(e.fields, [2]string{"access_token", token}, [2]string{"token_type", "Bearer"},
			[2]string{"expires_in", strconv.FormatInt(int64(ttl/time.Second), 10)}, [2]string{"scope", strings.Join(a.Scopes, " ")})
	}
	if r.front.id {
		token, err := p.frontIDToken(r, session, e, now)
		if err != nil {
			return e, err
		}
		e.fields = append(e.fields, [2]string{"id_token", token})
	}
	return e, nil
}

// frontIDToken is an ID token of the authorization endpoint: it is tied to the code and
// the access token beside it (section 3.3.2.11). With neither there is no other place
// for the claims of the scopes (section 5.4).
func (p *Provider) frontIDToken(r *request, session *grantSession, e ending, now time.Time) (string, error) {
	alg := r.client.SigningAlg(p.options.SigningAlg)
	claims := p.idClaims(r.client, session, session.authorization.Scopes, now, p.options.IDTokenTTL)
	if session.access != "" {
		claims["at_hash"] = halfHash(alg, session.access)
	}
	if e.code != nil {
		claims["c_hash"] = halfHash(alg, e.code.Code)
	}
	if !r.front.token && !r.front.code {
		told := userinfoClaims(storage.Grant{Authorization: session.authorization}, &session.account, session.authorization.Scopes, r.client.Scopes)
		for name, value := range told {
			if _, there := claims[name]; !there {
				claims[name] = value
			}
		}
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("write ID token: %w", err)
	}
	return p.keys.sign(alg, typeID, payload, now)
}

// kind is the event of what a login ended in.
func (e ending) kind() string {
	if e.code == nil {
		return mfa.EventTokenIssued
	}
	return mfa.EventCodeIssued
}
