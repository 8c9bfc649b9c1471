package provider

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"time"

	"sallyport/mfa"
	"sallyport/provider/claims"
	"sallyport/provider/clients"
	"sallyport/provider/grants"
	"sallyport/provider/oauth"
	"sallyport/storage"
)

// Limits on what a request may carry (H-9, O-3, O-9).
const (
	maxState = 2048
	maxNonce = 512
)

// hintSubject is the stored parameter for the subject of an id_token_hint. The hint itself is a
// token, and tokens are not stored.
const hintSubject = "hint_sub"

// storedParams are the parameters that are stored. Others are dropped, so that a client can not
// send the internal ones. view_type is for login pages from cidaas.
var storedParams = [...]string{"response_type", "client_id", "redirect_uri", "scope", "state", "response_mode", "nonce",
	"display", "prompt", "max_age", "ui_locales", "login_hint", "acr_values", "claims", "code_challenge",
	"code_challenge_method", "resource", "view_type"}

// request is a parsed authorization request.
type request struct {
	client   *clients.Client
	params   url.Values // to be stored
	redirect string
	mode     string
	types    clients.ResponseTypes
	state    string
	nonce    string
	scopes   []string
	resource []string
	login    bool // prompt=login or select_account: a new login is required
	none     bool
	consent  bool
	maxAge   time.Duration // -1: none
	acr      []string
	claims   claims.Request
	hint     storage.UserID // the user that the client expects; "": any
	at       time.Time      // when the request arrived
}

// merge joins query and body. A parameter may occur once, and one without a value is ignored
// (RFC 6749 section 3.1). Only resource may repeat (RFC 8707 section 2).
func merge(in Params) (url.Values, *PageError) {
	all := make(url.Values, len(in.Query)+len(in.Form))
	for _, part := range []url.Values{in.Query, in.Form} {
		for name, values := range part {
			all[name] = append(all[name], values...)
		}
	}
	if name, fault := oauth.CheckParams(all); fault != "" {
		return nil, &PageError{Code: "invalid_request", Description: fault, Parameter: parameterName(name)}
	}
	delete(all, hintSubject) // internal
	return all, nil
}

// parameterName returns the name of a parameter in a form that can be shown.
func parameterName(name string) string {
	name = oauth.Sanitize(name)
	if len(name) > 64 {
		name = name[:64]
	}
	return name
}

// read parses and checks an authorization request. A *PageError must not be redirected; an
// *oauth.Error is returned with a request and may be.
func (p *Provider) read(ctx context.Context, values url.Values, at time.Time) (*request, error) {
	r := &request{at: at, maxAge: -1, mode: modeQuery}
	if values.Get("client_id") == "" {
		return nil, &PageError{Code: "invalid_request", Description: "the parameter is missing", Parameter: "client_id"}
	}
	c, err := p.clients.Enabled(ctx, storage.ClientID(values.Get("client_id")))
	if err != nil {
		return nil, err
	}
	if c == nil {
		return nil, &PageError{Code: "invalid_client", Description: "there is no such application", Parameter: "client_id"}
	}
	r.client, r.redirect = c, values.Get("redirect_uri")
	if why := c.CheckRedirect(r.redirect); why != "" {
		return nil, &PageError{Code: "invalid_request", Description: why, Parameter: "redirect_uri"}
	}
	r.keep(values)
	r.setMode(values)
	if len(values.Get("state")) <= maxState {
		r.state = values.Get("state")
	}
	for _, check := range []func(context.Context, *request, url.Values) *oauth.Error{
		p.checkResponseType, p.checkUnsupported, p.checkBasics, p.checkPrompt, checkPKCE, p.checkClaims, p.checkHint, p.checkResource,
	} {
		if e := check(ctx, r, values); e != nil {
			return r, e
		}
	}
	if e := p.Grants.Check(ctx, r.grant()); e != nil {
		return r, e
	}
	return r, nil
}

// grant returns the part of the request that package grants needs.
func (r *request) grant() grants.Request {
	return grants.Request{Client: r.client, Types: r.types, Params: r.params}
}

// keep copies the parameters that are stored.
func (r *request) keep(values url.Values) {
	r.params = make(url.Values, len(storedParams))
	for _, name := range storedParams {
		if v, ok := values[name]; ok {
			r.params[name] = v
		}
	}
	r.scopes = oauth.Fields(values.Get("scope"))
	r.nonce = values.Get("nonce")
	r.acr = oauth.Fields(values.Get("acr_values"))
}

// setMode sets the response mode, for errors too: the requested one if it is supported, or else
// the default of the response type.
func (r *request) setMode(values url.Values) {
	switch mode := values.Get("response_mode"); mode {
	case modeQuery, modeFragment, modeFormPost:
		r.mode = mode
	default:
		for _, t := range oauth.Fields(values.Get("response_type")) {
			if t == "token" || t == "id_token" {
				r.mode = modeFragment
			}
		}
	}
}

// checkUnsupported refuses parameters that are not supported.
func (p *Provider) checkUnsupported(_ context.Context, r *request, values url.Values) *oauth.Error {
	switch {
	case values.Get("request") != "":
		return oauth.NewError("request_not_supported", "request objects are not supported")
	case values.Get("request_uri") != "":
		return oauth.NewError("request_uri_not_supported", "request_uri is not supported")
	case values.Get("registration") != "":
		return oauth.NewError("registration_not_supported", "registration is not supported")
	}
	if m := values.Get("response_mode"); m != "" && m != r.mode {
		return oauth.NewError("invalid_request", "response_mode is not query, fragment or form_post")
	}
	if !r.client.MayUse("authorization_code") {
		return oauth.NewError("unauthorized_client", "the client is not registered for authorization_code")
	}
	return nil
}

// checkBasics checks the sizes (O-9), and that state, a nonce or PKCE binds the response to the
// client.
func (p *Provider) checkBasics(_ context.Context, r *request, values url.Values) *oauth.Error {
	switch {
	case len(values.Get("state")) > maxState:
		return oauth.NewError("invalid_request", "state is longer than 2048 bytes")
	case len(r.nonce) > maxNonce:
		return oauth.NewError("invalid_request", "nonce is longer than 512 bytes")
	case len(r.scopes) > oauth.MaxScopes || len(values.Get("scope")) > oauth.MaxScope || len(r.acr) > oauth.MaxValues:
		return oauth.NewError("invalid_request", "a list is too long")
	case r.state == "" && r.nonce == "" && values.Get("code_challenge") == "":
		return oauth.NewError("invalid_request", "state, nonce or code_challenge is required")
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
		default:
			return oauth.NewError("invalid_request", "a prompt value is unknown")
		}
	}
	if r.none && len(prompts) > 1 {
		return oauth.NewError("invalid_request", "prompt none can not be combined with others")
	}
	if age := values.Get("max_age"); age != "" {
		seconds, err := strconv.ParseUint(age, 10, 31)
		if err != nil {
			return oauth.NewError("invalid_request", "max_age is not a number of seconds")
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
	for _, resource := range resources {
		if !slices.Contains(r.client.Audience, resource) {
			return oauth.NewError("invalid_target", "a resource is not registered for this client")
		}
	}
	r.resource = resources
	return nil
}

// requirements returns what the request requires of the login.
func (p *Provider) requirements(r *request) mfa.Asked {
	var a mfa.Asked
	for _, name := range r.acr {
		if level := p.level(name); level != mfa.None {
			a.Voluntary = append(a.Voluntary, level)
		}
	}
	names, essential := r.claims.ACR()
	for _, name := range names {
		switch level := p.level(name); {
		case level == mfa.None:
		case essential:
			a.Essential = append(a.Essential, level)
		default:
			a.Voluntary = append(a.Voluntary, level)
		}
	}
	// OpenID Connect Core section 3.1.2.1: max_age=0 is prompt=login.
	switch {
	case r.login || r.maxAge == 0:
		a.Since = r.at
	case r.maxAge > 0:
		a.Since = r.at.Add(-r.maxAge)
	}
	return a
}

// policy returns the policy of the client.
func policy(c *storage.Client) mfa.Policy {
	return mfa.Policy{MFA: c.MFA, Interval: c.MFAInterval.Duration(), Methods: c.AllowedMethods, Passwordless: c.Passwordless}
}

// home returns where "back to the application" leads: the client's own page, or else the
// front page of the web application that sent the request.
func (r *request) home() string {
	if r.client.ClientURI != "" || r.client.Native {
		return r.client.ClientURI
	}
	u, err := url.Parse(r.redirect)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") {
		return ""
	}
	return u.Scheme + "://" + u.Host + "/"
}
