package provider

import (
	"context"
	"fmt"
	"slices"

	"sallyport/storage"
)

// consentMissing says whether the user has to be asked, and for which scopes. given is
// what was allowed in this very request; nil: not asked yet. First-party clients
// (consent "skip") are asked about only when they want it by prompt=consent.
func (p *Provider) consentMissing(ctx context.Context, r *request, user storage.UserID, given []string) (bool, []string, error) {
	// Without scopes there is something to allow as well: every token names its user.
	wanted := consentScopes(r)
	if given != nil {
		return !covers(given, wanted), wanted, nil
	}
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
	return err != nil || !covers(stored.Scopes, wanted), wanted, nil
}

// consentScopes are the scopes to allow: those requested, and those that stand for
// claims asked for one by one.
func consentScopes(r *request) []string {
	scopes := append([]string{}, r.scopes...)
	for _, members := range []map[string]*claimRequest{r.claims.UserInfo, r.claims.IDToken} {
		for name := range members {
			if s := scopeOf(name); s != "" && slices.Contains(r.client.Scopes, s) && !slices.Contains(scopes, s) {
				scopes = append(scopes, s)
			}
		}
	}
	return scopes
}

func covers(have, want []string) bool {
	for _, s := range want {
		if !slices.Contains(have, s) {
			return false
		}
	}
	return true
}
