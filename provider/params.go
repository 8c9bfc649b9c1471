package provider

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

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

// hintSubject is our own name in the stored parameters for the subject an
// id_token_hint named. The hint itself is a token, and tokens are not stored.
const hintSubject = "hint_sub"

// kept are the parameters a request needs later on; everything else is dropped, so
// that nothing from outside can wear one of our own names. view_type is for login pages
// that came from cidaas.
var kept = [...]string{"response_type", "client_id", "redirect_uri", "scope", "state", "response_mode", "nonce",
	"display", "prompt", "max_age", "ui_locales", "login_hint", "acr_values", "claims", "code_challenge",
	"code_challenge_method", "resource", "view_type"}

// request is an authorization request as we understand it.
type request struct {
	client   *clients.Client
	params   url.Values // what is stored: known names only
	redirect string
	mode     string
	types    clients.ResponseTypes
	state    string
	nonce    string
	scopes   []string
	resource []string
	login    bool // prompt=login or select_account: prove it again
	none     bool
	consent  bool
	maxAge   time.Duration // -1: not asked
	acr      []string
	claims   claims.Request
	hint     storage.UserID // the subject the client expects; "": anyone
	at       time.Time      // when the request arrived
}

// merge joins query and body. RFC 6749 section 3.1: a parameter stands once and in one
// place; one without a value counts as left out. Only resource may repeat (RFC 8707
// section 2).
func merge(in Params) (url.Values, *PageError) {
	all := make(url.Values, len(in.Query)+len(in.Form))
	count := 0
	for _, part := range []url.Values{in.Query, in.Form} {
		for name, values := range part {
			if count += len(values); count > oauth.MaxParams {
				return nil, &PageError{Code: "invalid_request", Description: "there are too many parameters"}
			}
			for _, v := range append([]string{name}, values...) {
				if !utf8.ValidString(v) || strings.IndexByte(v, 0) >= 0 {
					return nil, &PageError{Code: "invalid_request", Description: "a parameter is not text", Parameter: parameterName(name)}
				}
			}
			if _, twice := all[name]; (twice || len(values) > 1) && name != "resource" {
				return nil, &PageError{Code: "invalid_request", Description: "the parameter stands more than once", Parameter: parameterName(name)}
			}
			all[name] = append(all[name], values...)
		}
	}
	for name, values := range all {
		if len(values) == 1 && values[0] == "" {
			delete(all, name)
		}
	}
	delete(all, hintSubject) // ours alone
	return all, nil
}

// parameterName makes a name from outside fit to be shown.
func parameterName(name string) string {
	name = oauth.Sanitize(name)
	if len(name) > 64 {
		name = name[:64]
	}
	return name
}

// read understands and checks an authorization request. A *PageError must not be
// redirected; with an *oauthError the request is known well enough to be answered.
func (p *Provider) read(ctx context.Context, values url.Values, at time.Time) (*request, error) {
	r := &request{at: at, maxAge: -1, mode: modeQuery}
	if values.Get("client_id") == "" {
		return nil, &PageError{Code: "invalid_request", Description: "the parameter is missing", Parameter: "client_id"}
	}
	c, err := p.clients.Client(ctx, storage.ClientID(values.Get("client_id")))
	if isNotFound(err) || (err == nil && c.Disabled) {
		return nil, &PageError{Code: "invalid_client", Description: "there is no such application", Parameter: "client_id"}
	}
	if err != nil {
		return nil, err
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

// keep copies the parameters that are needed after the request was opened.
func (r *request) keep(values url.Values) {
	r.params = make(url.Values, len(kept))
	for _, name := range kept {
		if v, ok := values[name]; ok {
			r.params[name] = v
		}
	}
	r.scopes = oauth.Fields(values.Get("scope"))
	r.nonce = values.Get("nonce")
	r.acr = oauth.Fields(values.Get("acr_values"))
}

// setMode chooses where the answer goes, errors included: what was asked if we have
// it, else the default of the response type.
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

// checkUnsupported refuses what discovery says we do not have, by its own code.
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

// checkBasics judges the sizes (O-9) and demands something that ties the answer to
// the caller: state, or PKCE or a nonce in its place.
func (p *Provider) checkBasics(_ context.Context, r *request, values url.Values) *oauth.Error {
	switch {
	case len(values.Get("state")) > maxState:
		return oauth.NewError("invalid_request", "state is longer than 2048 bytes")
	case len(r.nonce) > maxNonce:
		return oauth.NewError("invalid_request", "nonce is longer than 512 bytes")
	case len(r.scopes) > oauth.MaxScopes || len(values.Get("scope")) > oauth.MaxScope || len(r.acr) > oauth.MaxValues:
		return oauth.NewError("invalid_request", "a list is too long")
	case r.state == "" && r.nonce == "" && values.Get("code_challenge") == "":
		return oauth.NewError("invalid_request", "state, nonce or code_challenge is needed")
	}
	return nil
}

// checkPrompt reads prompt and max_age (OpenID Connect Core section 3.1.2.1).
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
		return oauth.NewError("invalid_request", "prompt none stands alone")
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

// checkResource judges resource indicators (RFC 8707 section 2).
func (p *Provider) checkResource(_ context.Context, r *request, values url.Values) *oauth.Error {
	resources := values["resource"]
	if len(resources) > oauth.MaxValues {
		return oauth.NewError("invalid_target", "there are too many resources")
	}
	for _, resource := range resources {
		if !slices.Contains(r.client.Audience, resource) {
			return oauth.NewError("invalid_target", "a resource is not one of this client's")
		}
	}
	r.resource = resources
	return nil
}

// asked says what the request demands of the login, in mfa's words.
func (p *Provider) asked(r *request) mfa.Requirements {
	var a mfa.Requirements
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

// policy is what the client demands, in mfa's words.
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
