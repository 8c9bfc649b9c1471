package provider

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"time"

	"sallyport/provider/claims"
	"sallyport/provider/clients"
	"sallyport/provider/dpop"
	"sallyport/provider/oauth"
	"sallyport/provider/pkce"
	"sallyport/storage"
)

// checkUnsupported refuses what is not supported, before anything else is checked (OpenID Connect
// Core section 7.2.1).
func checkUnsupported(_ context.Context, r *request, values url.Values) *oauth.Error {
	if values.Get("registration") != "" {
		return oauth.NewError("registration_not_supported", "registration is not supported").About("registration")
	}
	if !r.client.MayUse("authorization_code") {
		return oauth.NewError("unauthorized_client", "the client is not registered for authorization_code")
	}
	return nil
}

// checkBasics checks the sizes (O-9), and that state, a nonce or PKCE binds the response to the
// client.
func (p *Provider) checkBasics(ctx context.Context, r *request, values url.Values) *oauth.Error {
	if e := checkSizes(ctx, r, values); e != nil {
		return e
	}
	switch {
	case r.state == "" && r.nonce == "" && values.Get("code_challenge") == "":
		return oauth.NewError("invalid_request", "state, nonce or code_challenge is required").About("state")
	}
	return nil
}

// checkSizes checks the sizes (O-9).
func checkSizes(_ context.Context, r *request, values url.Values) *oauth.Error {
	switch {
	case len(r.nonce) > maxNonce:
		return oauth.NewError("invalid_request", "nonce is longer than 512 bytes").About("nonce")
	case len(r.scopes) > oauth.MaxScopes || len(values.Get("scope")) > oauth.MaxScope:
		return oauth.NewError("invalid_request", "scope is too long").About("scope")
	case len(r.acr) > oauth.MaxValues:
		return oauth.NewError("invalid_request", "acr_values is too long").About("acr_values")
	}
	return nil
}

// checkPrompt checks prompt and max_age (OpenID Connect Core section 3.1.2.1).
func (p *Provider) checkPrompt(_ context.Context, r *request, values url.Values) *oauth.Error {
	prompts := oauth.Fields(values.Get("prompt"))
	for _, prompt := range prompts {
		switch prompt {
		case "none":
			r.none = true
		case "login", "select_account":
			r.login = true
		case "consent":
			r.consent = true
		case "create":
			if !p.creates(r.client.Client) {
				return oauth.NewError("invalid_request", "users of this client cannot sign up").About("prompt")
			}
			r.create, r.login = true, true
		default:
			return oauth.NewError("invalid_request", "a prompt value is unknown").About("prompt")
		}
	}
	if r.none && len(prompts) > 1 {
		return oauth.NewError("invalid_request", "prompt none can not be combined with others").About("prompt")
	}
	if age := values.Get("max_age"); age != "" {
		seconds, err := strconv.ParseUint(age, 10, 31)
		if err != nil {
			return oauth.NewError("invalid_request", "max_age is not a number of seconds").About("max_age")
		}
		r.maxAge = time.Duration(seconds) * time.Second
	}
	return nil
}

// checkResource checks resource indicators (RFC 8707 section 2).
func (p *Provider) checkResource(_ context.Context, r *request, values url.Values) *oauth.Error {
	resources := values["resource"]
	if len(resources) > oauth.MaxValues {
		return oauth.NewError("invalid_target", "there are too many resources")
	}
	named, ok := oauth.Resources(append([]string{p.url(oauth.UserinfoPath)}, r.client.Audience...), resources)
	if !ok {
		return oauth.NewError("invalid_target", "a resource is not registered for this client")
	}
	r.resource = named
	return nil
}

// checkDetails checks authorization details (RFC 9396 section 5). What is stored is what was read: no
// other reader can see something else in it.
func (p *Provider) checkDetails(_ context.Context, r *request, values url.Values) *oauth.Error {
	list, err := p.options.Details.Parse(values.Get("authorization_details"), r.client.DetailsTypes)
	if err != nil {
		return oauth.NewError("invalid_authorization_details", err.Error()).About("authorization_details")
	}
	written, err := list.JSON()
	if err != nil {
		return oauth.ErrorOf(err)
	}
	if r.details = list; list != nil {
		r.params.Set("authorization_details", string(written))
	}
	return nil
}

// checkResponseType checks legacy response types. grants.Issuer.Check checks the others.
func (p *Provider) checkResponseType(_ context.Context, r *request, values url.Values) *oauth.Error {
	types, ok := clients.ParseResponseTypes(values.Get("response_type"))
	if !ok {
		return nil
	}
	place, _ := splitMode(values.Get("response_mode"))
	switch {
	case place == modeQuery:
		return oauth.NewError("invalid_request", "response_mode query is not allowed for this response_type").About("response_mode")
	case !p.options.LegacyResponseTypes:
		return oauth.NewError("unsupported_response_type", "response types with tokens are switched off on this server (setting legacy_response_types)").About("response_type")
	case !r.client.MayUseResponseTypes(types):
		return oauth.NewError("unsupported_response_type", "the client has not registered this response type (legacy_response_types)").About("response_type")
	case types.IDToken && !slices.Contains(r.scopes, "openid"):
		return oauth.NewError("invalid_scope", "an ID token needs the scope openid")
	case types.IDToken && r.nonce == "":
		return oauth.NewError("invalid_request", "nonce is needed (OpenID Connect Core section 3.2.2.1)").About("nonce")
	}
	r.types = types
	return nil
}

// noChallenge is why a request without a challenge ends in no code.
const noChallenge = "code_challenge is required (RFC 7636)"

// checkPKCE checks the challenge. All clients must send one, except confidential clients that
// registered otherwise (RFC 9700 section 2.1.1, RFC 7636 section 4.3).
func checkPKCE(_ context.Context, r *request, values url.Values) *oauth.Error {
	challenge := values.Get("code_challenge")
	if fault := pkce.CheckChallenge(challenge, values.Get("code_challenge_method")); fault != "" {
		return oauth.NewError("invalid_request", fault).About("code_challenge")
	}
	if r.noCode = values.Has(withoutCode); r.noCode {
		r.params.Set(withoutCode, "1")
	}
	if challenge == "" && r.types.IssuesCode() && r.client.NeedsPKCE() && !r.noCode {
		return oauth.NewError("invalid_request", noChallenge).About("code_challenge")
	}
	return nil
}

// checkProofKey checks the key that the code is to be bound to (RFC 9449 section 10).
func checkProofKey(_ context.Context, _ *request, values url.Values) *oauth.Error {
	if jkt := values.Get("dpop_jkt"); jkt != "" && !dpop.IsThumbprint(jkt) {
		return oauth.NewError("invalid_request", "dpop_jkt is not the SHA-256 thumbprint of a key (RFC 7638)").About("dpop_jkt")
	}
	return nil
}

// checkClaims checks the claims parameter. An essential acr without a known value cannot be
// satisfied by any user.
func (p *Provider) checkClaims(_ context.Context, r *request, values url.Values) *oauth.Error {
	c, err := claims.Parse(values.Get("claims"))
	if err != nil {
		return oauth.NewError("invalid_request", "claims does not follow OpenID Connect Core section 5.5").About("claims")
	}
	r.claims = c
	r.hint = p.codec.UserOf(r.client, c.Subject())
	names, essential := c.ACR()
	if len(names) > oauth.MaxValues {
		return oauth.NewError("invalid_request", "the acr values in claims are too many")
	}
	if !essential || len(names) == 0 {
		return nil
	}
	for _, name := range names {
		if rank(p.level(name)) > 0 {
			return nil
		}
	}
	return oauth.NewError("unmet_authentication_requirements", "the essential acr is unknown").About("claims")
}

// checkHint restricts the login to the subject of the hint. A stored request contains that
// subject instead of the token.
func (p *Provider) checkHint(_ context.Context, r *request, values url.Values) *oauth.Error {
	subject := storage.UserID(values.Get(hintSubject))
	if token := values.Get("id_token_hint"); token != "" {
		h, err := p.codec.ReadID(token)
		if err != nil || !slices.Contains(h.Audience, string(r.client.ID)) {
			return hide(oauth.NewError("invalid_request", "id_token_hint is not an ID token of this client").About("id_token_hint"))
		}
		subject = p.codec.UserOf(r.client, h.Subject)
	}
	if subject == "" {
		return nil
	}
	if r.hint != "" && r.hint != subject {
		return hide(oauth.NewError("login_required", "the request names two different subjects").About("id_token_hint"))
	}
	r.hint = subject
	r.params.Set(hintSubject, string(subject))
	return nil
}
