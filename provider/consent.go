package provider

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"sallyport/mfa/session"
	"sallyport/provider/claims"
	"sallyport/provider/oauth"
	"sallyport/storage"
)

// consentMissing says whether the user has to be asked, and for which scopes. given is
// what was allowed in this very request; nil: not asked yet. acted says that a person
// proved a factor in it. First-party clients (consent "skip") are asked about only when
// they want it by prompt=consent, or when nothing but a session speaks for the person and
// any program could pass for the client.
func (p *Provider) consentMissing(ctx context.Context, r *request, user storage.UserID, given []string, acted bool) (bool, []string, error) {
	// Without scopes there is something to allow as well: every token names its user.
	wanted := consentScopes(r)
	if given != nil {
		return !oauth.Covers(given, wanted), wanted, nil
	}
	if !acted && r.impersonable() {
		return true, wanted, nil
	}
	return p.unallowed(ctx, r, user, wanted)
}

// unallowed says whether the user has not allowed the client what it wants, with wanted
// as it came.
func (p *Provider) unallowed(ctx context.Context, r *request, user storage.UserID, wanted []string) (bool, []string, error) {
	if r.client.Consent == "skip" && (!r.consent || len(wanted) == 0) {
		return false, nil, nil
	}
	if r.consent {
		return true, wanted, nil
	}
	stored, err := p.store.Consent(ctx, user, r.client.ID)
	if err != nil && !isNotFound(err) {
		return false, nil, fmt.Errorf("read consent: %w", err)
	}
	return err != nil || !oauth.Covers(stored.Scopes, wanted), wanted, nil
}

// impersonable reports whether another program could have sent the request and would get
// its answer: the client has no secret, and nobody but one program owns a claimed https
// address, but a loopback port and a private scheme are anybody's. Such a client gets
// nothing without a person (RFC 8252 section 8.6, RFC 6749 section 10.2).
func (r *request) impersonable() bool {
	return r.client.AuthenticationMethod() == "none" && !r.client.SilentLogin && !claimed(r.redirect)
}

// claimed reports whether a redirect address is https, on another host than this one.
func claimed(uri string) bool {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "https" {
		return false
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return false
	}
	a, err := netip.ParseAddr(host)
	return err != nil || !a.Unmap().IsLoopback()
}

// acted reports whether a person proved a factor in this very request. What it took over
// from the session is none, whatever the clocks of two servers say.
func acted(stored storage.AuthRequest, s *session.SignedIn) bool {
	inherited := func(f storage.Factor) bool {
		return stored.Session != "" && s != nil && slices.ContainsFunc(s.Session.Factors, func(have storage.Factor) bool {
			return have.Method == f.Method && have.Authenticator == f.Authenticator && have.At.Equal(f.At)
		})
	}
	return slices.ContainsFunc(stored.Factors, func(f storage.Factor) bool {
		return !f.At.Before(stored.RequestedAt) && !inherited(f)
	})
}

// consentScopes are the scopes to allow: those requested, and those that stand for
// claims asked for one by one.
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
