package provider

import (
	"context"
	"errors"
	"fmt"

	"sallyport/mfa"
	"sallyport/storage"
)

// Allowed is what a user allowed an application.
type Allowed struct {
	Client  storage.Client // only its ID where the application is gone
	Consent storage.Consent
}

// Consents lists what a user allowed to applications.
func (p *Provider) Consents(ctx context.Context, user storage.UserID) ([]Allowed, error) {
	list, err := p.store.ConsentsOf(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("list consents: %w", err)
	}
	out := make([]Allowed, len(list))
	for i, consent := range list {
		out[i] = Allowed{Client: storage.Client{ID: consent.ClientID}, Consent: consent}
		c, err := p.clients.get(ctx, consent.ClientID)
		if err != nil && !isNotFound(err) {
			return nil, err
		}
		if err == nil {
			out[i].Client = c.Client
		}
	}
	return out, nil
}

// Withdraw takes back what a user allowed an application, together with every grant
// it has of them, in one transaction. A user who allowed nothing is refused with
// *mfa.Error NotConfigured.
func (p *Provider) Withdraw(ctx context.Context, v mfa.Visit, user storage.UserID, client storage.ClientID) error {
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
