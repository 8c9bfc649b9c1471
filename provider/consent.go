package provider

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"sallyport/input"
	"sallyport/mfa"
	"sallyport/mfa/session"
	"sallyport/provider/claims"
	"sallyport/provider/details"
	"sallyport/provider/oauth"
	"sallyport/provider/origin"
	"sallyport/storage"
)

// decision is what a user has decided about what a request asks for.
type decision struct {
	asks   bool
	scopes []string // in question, if asks
	// before is what the user decided earlier, of all that the request asks for.
	before storage.Consent
	// allowed are the scopes to grant; nil: all that the request asks for.
	allowed []string
}

// decided returns the decision about a request in which given are the scopes that the user allowed;
// nil: not asked yet. interactive says that the user proved a factor in it. First-party clients
// (consent "skip") need consent only with prompt=consent, or if the request relies on the session
// alone and any program could impersonate the client. Who ends a polled request is always asked:
// whoever began it may be elsewhere (RFC 8628 section 5.4).
func (p *Provider) decided(ctx context.Context, r *request, user storage.UserID, given []string, interactive bool) (decision, error) {
	if given != nil { // what is not in it was left out, or has become askable since
		return decision{allowed: given}, nil
	}
	return p.remembered(ctx, r, user, r.polled != "" || !interactive && r.impersonable())
}

// remembered returns the decision that the user made earlier about what a request asks for. It
// asks for everything again if confirm is set, the request wants that (prompt=consent), or the access
// would be used where the user was not told, and else only for what the user has neither allowed nor
// left out.
func (p *Provider) remembered(ctx context.Context, r *request, user storage.UserID, confirm bool) (decision, error) {
	// Consent is needed even without scopes: every token contains the user.
	d := decision{scopes: consentScopes(r)}
	// What details allow, such as a payment, is allowed once.
	again := confirm || r.consent || len(r.details) > 0 && r.client.Consent != "skip"
	resources := p.resourcesOf(r)
	if r.client.Consent == "skip" && (!again || !confirm && len(d.scopes) == 0) {
		return decision{}, nil
	}
	stored, err := p.store.Consent(ctx, user, r.client.ID)
	if err != nil && !isNotFound(err) {
		return d, fmt.Errorf("read consent: %w", err)
	}
	none := err != nil
	// The user allowed the scopes where the page said. Elsewhere they open something else.
	again = again || !none && !all(resources, func(uri string) bool { return slices.Contains(stored.Resources, uri) })
	d.before = storage.Consent{Scopes: common(stored.Scopes, d.scopes), Declined: common(stored.Declined, d.scopes)}
	if again {
		d.asks = true
		return d, nil
	}
	known := func(s string) bool {
		return slices.Contains(stored.Scopes, s) || slices.Contains(stored.Declined, s) && !required(&r.client.Client, s)
	}
	if d.asks = none || !all(d.scopes, known); !d.asks {
		return decision{allowed: d.before.Scopes}, nil
	}
	d.scopes = slices.DeleteFunc(d.scopes, known)
	return d, nil
}

func all(scopes []string, ok func(string) bool) bool {
	return !slices.ContainsFunc(scopes, func(s string) bool { return !ok(s) })
}

// common returns the scopes of a list that another has too. It is never nil.
func common(a, b []string) []string {
	return slices.DeleteFunc(append([]string{}, a...), func(s string) bool { return !slices.Contains(b, s) })
}

// required reports whether a user who allows a client anything allows it this scope: openid says who
// they are, and without the ones that the client names as required it is of no use. First-party
// clients get what they ask for.
func required(c *storage.Client, scope string) bool {
	return scope == "openid" || c.Consent == "skip" || slices.Contains(c.RequiredScopes, scope)
}

// Asked is a scope that a user is asked for.
type Asked struct {
	Scope    string
	Required bool // the user can not leave it out
	LeftOut  bool // the user left it out the last time
}

// Details returns the authorization details of the request as a consent step shows them.
func (st Step) Details(lang string) []details.Shown {
	if st.request == nil {
		return nil
	}
	return st.types.Show(st.request.details, lang)
}

// resourcesOf returns the resource servers, other than this one, that tokens of a request are for: those
// that it names (RFC 8707 section 2), or else all that are registered for the client. Tokens of a client
// with a document, for which all of the operator are registered, are for itself if it names none.
func (p *Provider) resourcesOf(r *request) []string {
	named := r.resource
	if len(named) == 0 && !r.client.Document {
		named = r.client.Audience
	}
	own := []string{p.options.Issuer, p.options.Issuer + "/", p.url(oauth.UserinfoPath)}
	return slices.DeleteFunc(slices.Clone(named), func(uri string) bool { return slices.Contains(own, uri) })
}

// Asked returns the scopes of a consent step.
func (st Step) Asked() []Asked {
	out := make([]Asked, len(st.Scopes))
	for i, s := range st.Scopes {
		out[i] = Asked{Scope: s, Required: required(&st.Client, s)}
		out[i].LeftOut = !out[i].Required && slices.Contains(st.Before.Declined, s)
	}
	return out
}

// Kept returns what the user allowed the client before and is not asked for again.
func (st Step) Kept() []string {
	return slices.DeleteFunc(slices.Clone(st.Before.Scopes), func(s string) bool { return slices.Contains(st.Scopes, s) })
}

// Lasting reports whether the access that a consent step asks for, or adds to, outlives the session.
func (st Step) Lasting() bool {
	offline := slices.Contains(st.Scopes, "offline_access") || slices.Contains(st.Before.Scopes, "offline_access")
	return offline && !st.Client.LogoutEndsOffline
}

// Destination is where the response of a login goes, as users may know it.
type Destination struct {
	// Host of a web application, in its ASCII form: letters of other scripts that look like Latin
	// ones do not look so there. "": a program on the user's own device gets the response.
	Host string
	// Unicode is the host as its owner writes it; "": the same.
	Unicode string
	// Scheme is that of the application on the device; "": it listens on a port.
	Scheme string
}

// destinationOf returns where a redirect URI leads.
func destinationOf(redirect string) Destination {
	u, err := url.Parse(redirect)
	switch {
	case err != nil:
		return Destination{}
	case u.Scheme != "http" && u.Scheme != "https":
		return Destination{Scheme: u.Scheme}
	case !isClaimed(redirect):
		return Destination{}
	}
	ascii, unicode := origin.Host(u.Hostname())
	if ascii == unicode {
		unicode = ""
	}
	return Destination{Host: ascii, Unicode: unicode}
}

// impersonable reports whether another program could have sent the request and would receive
// the response: the client has no secret, and its redirect URI is a loopback port or a private
// scheme, which any program can use, instead of a claimed https URL. Such a client gets nothing
// without user interaction (RFC 8252 section 8.6, RFC 6749 section 10.2).
func (r *request) impersonable() bool {
	if r.client.Document && !sameHost(string(r.client.ID), r.redirect) {
		return true // the user knows the host of the client_id, and another one gets the response
	}
	if r.client.Registration != nil && r.client.Unvetted() && slices.ContainsFunc(r.client.RedirectURIs, r.elsewhere) {
		return true // the user allowed the client as one host, and another one may get the response
	}
	return r.client.AuthenticationMethod() == "none" && !r.client.SilentLogin && !isClaimed(r.redirect)
}

// elsewhere reports whether a redirect URI leads to another place than that of the request.
func (r *request) elsewhere(uri string) bool { return destinationOf(uri) != destinationOf(r.redirect) }

func sameHost(a, b string) bool {
	x, err := url.Parse(a)
	if err != nil {
		return false
	}
	y, err := url.Parse(b)
	return err == nil && x.Hostname() == y.Hostname()
}

// isClaimed reports whether a redirect URI is https, and not on a loopback host: nor on a name that may
// be one.
func isClaimed(uri string) bool {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "https" {
		return false
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	return !input.Loopback(host) && !strings.HasSuffix(host, ".localhost") // RFC 6761 section 6.3
}

// interactive reports whether the user proved a factor in this request. Factors copied from the
// session do not count, whatever the clocks of two servers say.
func interactive(stored storage.AuthRequest, s *session.SignedIn) bool {
	inherited := func(f storage.Factor) bool {
		return stored.Session != "" && s != nil && slices.ContainsFunc(s.Session.Factors, func(have storage.Factor) bool {
			return have.Method == f.Method && have.Authenticator == f.Authenticator && have.At.Equal(f.At)
		})
	}
	return slices.ContainsFunc(stored.Factors, func(f storage.Factor) bool {
		return !f.At.Before(stored.RequestedAt) && !inherited(f)
	})
}

// consentScopes returns the scopes that need consent: those requested, and those of claims that
// are requested by name.
func consentScopes(r *request) []string {
	scopes := append([]string{}, r.scopes...)
	for _, members := range []map[string]*claims.Claim{r.claims.UserInfo, r.claims.IDToken} {
		for name := range members {
			if s := claims.ScopeOf(name); s != "" && slices.Contains(r.client.Scopes, s) && !slices.Contains(scopes, s) {
				scopes = append(scopes, s)
			}
		}
	}
	return scopes
}

// consentAfter returns the consent of the user to the client, including earlier consent. What the
// user left out counts as such until the client asks for it with prompt=consent. Consent to a polled
// request is to that one alone.
func (p *Provider) consentAfter(ctx context.Context, r *request, stored storage.AuthRequest) (*storage.Consent, error) {
	var before storage.Consent
	if r.polled == "" {
		var err error
		if before, err = p.store.Consent(ctx, stored.Subject, stored.ClientID); err != nil && !isNotFound(err) {
			return nil, fmt.Errorf("read consent: %w", err)
		}
	}
	asked := consentScopes(r)
	add := func(to []string, scopes []string, when func(string) bool) []string {
		for _, s := range scopes {
			if when(s) && !slices.Contains(to, s) {
				to = append(to, s)
			}
		}
		return to
	}
	given := func(s string) bool { return slices.Contains(stored.Consent, s) }
	leftOut := func(s string) bool { return !given(s) }
	kept := func(s string) bool { return !slices.Contains(asked, s) }
	c := &storage.Consent{UserID: stored.Subject, ClientID: stored.ClientID, Scopes: []string{}, GrantedAt: p.now()}
	c.Scopes = add(append(c.Scopes, stored.Consent...), before.Scopes, kept)
	c.Resources = add(p.resourcesOf(r), before.Resources, func(string) bool { return true })
	c.Declined = add(add(nil, asked, leftOut), before.Declined, func(s string) bool { return kept(s) && !slices.Contains(c.Scopes, s) })
	return c, nil
}

// Allow stores the user's consent in a consent step: to these of its scopes, to the required ones, and
// to what the user allowed before. nil: to all.
func (p *Provider) Allow(ctx context.Context, st Step, v mfa.Caller, scopes []string) error {
	if st.Kind != StepConsent {
		return &mfa.Error{Code: mfa.InvalidRequest, Err: fmt.Errorf("consent in step %q", st.Kind)}
	}
	given := append([]string{}, st.Kept()...)
	for _, s := range st.Asked() {
		if scopes == nil || s.Required || slices.Contains(scopes, s.Scope) {
			given = append(given, s.Scope)
		}
	}
	return p.change(ctx, storage.RequestChange{ID: st.Request.ID, Version: st.Request.Version, Consent: given, Now: p.now()}, nil)
}

// scopesOf says in the audit trail what a user allowed and left out.
func scopesOf(c storage.Consent) map[string]string {
	detail := map[string]string{"scopes": strings.Join(c.Scopes, " ")}
	if len(c.Declined) > 0 {
		detail["declined"] = strings.Join(c.Declined, " ")
	}
	return detail
}
