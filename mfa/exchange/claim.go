package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"sallyport/mfa"
	"sallyport/storage"
	"sallyport/storage/seal"
)

// Claim says which verified Status is to count for a login. Empty fields demand nothing.
type Claim struct {
	Status   storage.StatusID   // "": the verified one of the login, which its owner names
	Exchange storage.ExchangeID // the one that is good now
	Method   string
	Sub      string   // masked subject of its user
	Usages   []string // what it may have been begun for
}

// Claim is Redeem for callers that do not say what a Status was begun for. Whatever
// does not fit gets one and the same answer.
func (v *Verifier) Claim(ctx context.Context, caller mfa.Caller, p Login, c Claim) error {
	s, err := v.claimed(ctx, p, c)
	if err != nil {
		return err
	}
	sub := v.aside(s).Sub
	if s.UserID == "" || !slices.Contains(c.Usages, s.Usage) || c.Method != "" && c.Method != s.Method || c.Sub != "" && !seal.Equal(c.Sub, sub) {
		return &mfa.Error{Code: mfa.InvalidExchange}
	}
	if c.Exchange != "" {
		of, _, err := v.store.StatusByExchange(ctx, c.Exchange, v.now())
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return fmt.Errorf("read status: %w", err)
		}
		if err != nil || !seal.Equal(string(of.ID), string(s.ID)) {
			return &mfa.Error{Code: mfa.InvalidExchange}
		}
	}
	return v.Redeem(ctx, caller, p, s.ID, s.Method, s.Usage)
}

// claimed finds the Status: by its name, or the newest one for any of the usages.
func (v *Verifier) claimed(ctx context.Context, p Login, c Claim) (storage.Status, error) {
	if c.Status != "" {
		return v.verified(ctx, p, c.Status, "")
	}
	for _, usage := range c.Usages {
		s, err := v.verified(ctx, p, "", usage)
		if mfa.CodeOf(err) != mfa.InvalidExchange {
			return s, err
		}
	}
	return storage.Status{}, &mfa.Error{Code: mfa.InvalidExchange}
}
