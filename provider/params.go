package provider

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"time"

	"sallyport/provider/claims"
	"sallyport/provider/clients"
	"sallyport/provider/details"
	"sallyport/provider/grants"
	"sallyport/provider/oauth"
	"sallyport/provider/origin"
	"sallyport/storage"
)

// Limits on what a request may carry (H-9, O-3, O-9).
const (
	maxState = 4096
	maxNonce = 512
)

// hintSubject is the stored parameter for the subject of an id_token_hint. The hint itself is a
// token, and tokens are not stored.
const hintSubject = "hint_sub"

// storedParams are the parameters that are stored. Others are dropped, so that a client cannot
// send the internal ones. view_type is for login pages from cidaas.
var storedParams = [...]string{"response_type", "client_id", "redirect_uri", "scope", "state", "response_mode", "nonce",
	"display", "prompt", "max_age", "ui_locales", "login_hint", "acr_values", "claims", "code_challenge",
	"code_challenge_method", "dpop_jkt", "resource", "authorization_details", "view_type"}

// request is a parsed authorization request.
type request struct {
	client   *clients.Client
	params   url.Values // to be stored
	redirect string
	mode     string
	signed   bool // the response is a JWT
	types    clients.ResponseTypes
	state    string
	nonce    string
	scopes   []string
	resource []string
	details  details.List
	login    bool // prompt=login or select_account: a new login is required
	create   bool // prompt=create: the user wants a new account (Initiating User Registration 1.0)
	none     bool
	consent  bool
	maxAge   time.Duration // -1: none
	acr      []string
	claims   claims.Request
	hint     storage.UserID   // the user that the client expects; "": any
	polled   storage.PolledID // its client polls for its end, and this one is how a person ends it; "": neither
	asked    bool             // the polled request is for its user, whom the client named
	noCode   bool             // it ends in a refusal, see withoutCode
	at       time.Time        // when the request arrived; a pushed one: when a browser first opened it
	// pushed is the ID that the request of a pushed one always has; "": it was not pushed.
	pushed storage.RequestID
	// revisited: the pushed request was opened before. Visits in the same microsecond are all first
	// ones; what they end in has one ID.
	revisited bool
}

// merge joins query and body. A parameter may occur once, and one without a value is ignored
// (RFC 6749 section 3.1). Only resource may repeat (RFC 8707 section 2).
func merge(in Params) (url.Values, *PageError) {
	all := make(url.Values, len(in.Query)+len(in.Form))
	for _, part := range []url.Values{in.Query, in.Form} {
		for name, values := range part {
			if before, ok := all[name]; ok {
				values = append(slices.Clip(before), values...)
			}
			all[name] = values
		}
	}
	if name, fault := oauth.CheckParams(all); fault != "" {
		return nil, &PageError{Code: "invalid_request", Description: fault, Parameter: parameterName(name)}
	}
	return external(all), nil
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
	c, err := p.clientOf(ctx, values, nil)
	if err != nil {
		return nil, err
	}
	if values.Has(polledParam) {
		r, e := p.readPolled(ctx, c, values, at)
		if e == nil && !r.polls() {
			e = oauth.Standard("unauthorized_client")
		}
		if e != nil {
			return r, e
		}
		return r, nil
	}
	r.client, r.redirect = c, values.Get("redirect_uri")
	if why := c.CheckRedirect(r.redirect); why != "" {
		return nil, &PageError{Code: "invalid_request", Description: why, Parameter: "redirect_uri",
			Client: c.ID, Value: r.redirect, Registered: c.RedirectURIs}
	}
	if e := checkState(values); e != nil {
		return nil, e
	}
	r.state = values.Get("state")
	r.keep(values)
	r.setMode(values)
	for _, check := range []func(context.Context, *request, url.Values) *oauth.Error{
		checkUnsupported, checkMode, p.checkResponseType, p.checkBasics, p.checkPrompt, checkPKCE, checkProofKey, p.checkClaims, p.checkHint, p.checkResource, p.checkDetails,
	} {
		if e := check(ctx, r, values); e != nil {
			return r, e
		}
	}
	if e := p.Grants.Check(r.grant()); e != nil {
		return r, e
	}
	return r, nil
}

// checkState refuses a state that is too long, on a page: an error response to the client must
// contain the state (RFC 6749 section 4.1.2.1).
func checkState(values url.Values) *PageError {
	if len(values.Get("state")) <= maxState {
		return nil
	}
	return &PageError{Code: "invalid_request", Description: fmt.Sprintf("state is longer than %d bytes", maxState), Parameter: "state"}
}

// grant returns the part of the request that package grants needs.
func (r *request) grant() grants.Request {
	return grants.Request{Client: r.client, Types: r.types, Params: r.params}
}

// keep copies the parameters that are stored.
func (r *request) keep(values url.Values) {
	r.params = make(url.Values, min(len(values), len(storedParams)))
	for _, name := range storedParams {
		if v, ok := values[name]; ok {
			r.params[name] = v
		}
	}
	r.scopes = oauth.Fields(values.Get("scope"))
	r.nonce = values.Get("nonce")
	r.acr = oauth.Fields(values.Get("acr_values"))
}

// homeOf returns where "back to the application" leads: where the client begins a login
// (OpenID Connect Core section 4), its own page, or else the front page of the web application at a
// redirect URI. "": nowhere.
func (p *Provider) homeOf(c *clients.Client, redirect string) string {
	if home := p.addressOf(c, redirect); c.LeadsTo(home) {
		return home
	}
	return ""
}

func (p *Provider) addressOf(c *clients.Client, redirect string) string {
	if u, err := url.Parse(c.InitiateLoginURI); err == nil && c.InitiateLoginURI != "" {
		query := u.Query()
		query.Set("iss", p.options.Issuer)
		u.RawQuery = query.Encode()
		return u.String()
	}
	if c.ClientURI != "" || c.Native {
		return c.ClientURI
	}
	if o := origin.Of(redirect); o != "" {
		return o + "/"
	}
	return ""
}
