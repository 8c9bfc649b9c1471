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

// consentMissing reports whether the user must be asked for consent, and to which scopes.
// given are the scopes allowed in this request; nil: not asked yet. interactive says that the user
// proved a factor in it. First-party clients (consent "skip") need consent only with
// prompt=consent, or if the request relies on the session alone and any program could
// impersonate the client. Who ends a polled request is always asked: whoever began it may be elsewhere
// (RFC 8628 section 5.4).
func (p *Provider) consentMissing(ctx context.Context, r *request, user storage.UserID, given []string, interactive bool) (bool, []string, error) {
	// Consent is needed even without scopes: every token contains the user.
	scopes := consentScopes(r)
	if given != nil {
		return !oauth.Covers(given, scopes), scopes, nil
	}
	if r.polled != "" || !interactive && r.impersonable() {
		return true, scopes, nil
	}
	return p.withoutConsent(ctx, r, user, scopes)
}

// withoutConsent reports whether the user has not consented to these scopes, and returns them.
func (p *Provider) withoutConsent(ctx context.Context, r *request, user storage.UserID, scopes []string) (bool, []string, error) {
	if r.client.Consent == "skip" && (!r.consent || len(scopes) == 0) {
		return false, nil, nil
	}
	if r.consent {
		return true, scopes, nil
	}
	stored, err := p.store.Consent(ctx, user, r.client.ID)
	if err != nil && !isNotFound(err) {
		return false, nil, fmt.Errorf("read consent: %w", err)
	}
	return err != nil || !oauth.Covers(stored.Scopes, scopes), scopes, nil
}

// impersonable reports whether another program could have sent the request and would receive
// the response: the client has no secret, and its redirect URI is a loopback port or a private
// scheme, which any program can use, instead of a claimed https URL. Such a client gets nothing
// without user interaction (RFC 8252 section 8.6, RFC 6749 section 10.2).
func (r *request) impersonable() bool {
	return r.client.AuthenticationMethod() == "none" && !r.client.SilentLogin && !isClaimed(r.redirect)
}

// isClaimed reports whether a redirect URI is https, and not on a loopback host.
func isClaimed(uri string) bool {
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
