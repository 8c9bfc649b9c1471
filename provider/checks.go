package provider

import (
	"context"
	"net/url"
	"slices"

	"sallyport/provider/claims"
	"sallyport/provider/clients"
	"sallyport/provider/oauth"
	"sallyport/provider/pkce"
	"sallyport/storage"
)

// checkResponseType checks legacy response types. fosite checks the others.
func (p *Provider) checkResponseType(_ context.Context, r *request, values url.Values) *oauth.Error {
	types, ok := clients.ParseResponseTypes(values.Get("response_type"))
	if !ok {
		return nil
	}
	switch {
	case r.mode == modeQuery:
		r.mode = modeFragment // the query must not contain tokens
		return oauth.NewError("invalid_request", "response_mode query is not allowed for this response_type")
	case !p.options.LegacyResponseTypes || !r.client.MayUseResponseTypes(types):
		return oauth.Standard("unsupported_response_type")
	case types.IDToken && !slices.Contains(r.scopes, "openid"):
		return oauth.NewError("invalid_scope", "an ID token needs the scope openid")
	case types.IDToken && r.nonce == "":
		return oauth.NewError("invalid_request", "nonce is needed (OpenID Connect Core section 3.2.2.1)")
	}
	r.types = types
	return nil
}

// checkPKCE checks the challenge. All clients must send one, except confidential clients that
// registered otherwise (RFC 9700 section 2.1.1, RFC 7636 section 4.3).
func checkPKCE(_ context.Context, r *request, values url.Values) *oauth.Error {
	challenge := values.Get("code_challenge")
	if fault := pkce.CheckChallenge(challenge, values.Get("code_challenge_method")); fault != "" {
		return oauth.NewError("invalid_request", fault)
	}
	if issuesCode := !r.types.Legacy() || r.types.Code; challenge == "" && issuesCode && r.client.NeedsPKCE() {
		return oauth.NewError("invalid_request", "code_challenge is required (RFC 7636)")
	}
	return nil
}

// checkClaims checks the claims parameter. An essential acr without a known value can not be
// satisfied by any user.
func (p *Provider) checkClaims(_ context.Context, r *request, values url.Values) *oauth.Error {
	c, err := claims.Parse(values.Get("claims"))
	if err != nil {
		return oauth.NewError("invalid_request", "claims does not follow OpenID Connect Core section 5.5")
	}
	r.claims = c
	r.hint = c.Subject()
	names, essential := c.ACR()
	if len(names) > oauth.MaxValues {
		return oauth.NewError("invalid_request", "a list is too long")
	}
	if !essential || len(names) == 0 {
		return nil
	}
	for _, name := range names {
		if rank(p.level(name)) > 0 {
			return nil
		}
	}
	return oauth.NewError("unmet_authentication_requirements", "the essential acr is unknown")
}

// checkHint restricts the login to the subject of the hint. A stored request contains that
// subject instead of the token.
func (p *Provider) checkHint(_ context.Context, r *request, values url.Values) *oauth.Error {
	subject := storage.UserID(values.Get(hintSubject))
	if token := values.Get("id_token_hint"); token != "" {
		h, err := p.codec.ReadID(token)
		if err != nil || !slices.Contains(h.Audience, string(r.client.ID)) {
			return oauth.NewError("invalid_request", "id_token_hint is not an ID token of this client")
		}
		subject = h.Subject
	}
	if subject == "" {
		return nil
	}
	if r.hint != "" && r.hint != subject {
		return oauth.NewError("login_required", "the request names two different subjects")
	}
	r.hint = subject
	r.params.Set(hintSubject, string(subject))
	return nil
}
