package provider

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

// Allowed is an application with access to a user's account: by consent, or by a grant, which
// first-party applications get without consent.
type Allowed struct {
	Client storage.Client // as users may see it; only the ID if the client was deleted
	Scopes []string
	Since  time.Time
}

// Consents lists the applications that have access to a user's account.
func (p *Provider) Consents(ctx context.Context, user storage.UserID) ([]Allowed, error) {
	consents, err := p.store.ConsentsOf(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("list consents: %w", err)
	}
	grants, err := p.store.GrantsOf(ctx, user, p.now())
	if err != nil {
		return nil, fmt.Errorf("list grants: %w", err)
	}
	var out []Allowed
	add := func(client storage.ClientID, scopes []string, since time.Time) error {
		i := slices.IndexFunc(out, func(a Allowed) bool { return a.Client.ID == client })
		if i < 0 {
			c, err := p.Shown(ctx, client)
			if err != nil && !isNotFound(err) {
				return err
			}
			i, out = len(out), append(out, Allowed{Client: storage.Client{ID: client}, Since: since})
			if err == nil {
				out[i].Client = c
			}
		}
		for _, s := range scopes {
			if !slices.Contains(out[i].Scopes, s) {
				out[i].Scopes = append(out[i].Scopes, s)
			}
		}
		if since.Before(out[i].Since) {
			out[i].Since = since
		}
		return nil
	}
	for _, c := range consents {
		if err := add(c.ClientID, c.Scopes, c.GrantedAt); err != nil {
			return nil, err
		}
	}
	for _, g := range grants {
		if err := add(g.Authorization.ClientID, g.Authorization.Scopes, g.CreatedAt); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Withdraw ends the access of an application in one transaction: consent, grants, and codes that
// were not redeemed yet. If it has none, the error is *mfa.Error with NotConfigured.
func (p *Provider) Withdraw(ctx context.Context, v mfa.Caller, user storage.UserID, client storage.ClientID) error {
	e := p.journal.Event(v, storage.Event{Kind: mfa.EventConsentWithdrawn, Outcome: mfa.OutcomeOK, UserID: user, ClientID: client})
	err := p.store.WithdrawConsent(ctx, user, client, p.now(), []storage.Event{e})
	if errors.Is(err, storage.ErrNotFound) {
		return &mfa.Error{Code: mfa.NotConfigured, Err: err}
	}
	if err != nil {
		return fmt.Errorf("withdraw consent: %w", err)
	}
	return nil
}
