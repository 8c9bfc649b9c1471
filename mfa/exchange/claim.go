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

// Claim describes the verified status to redeem. Empty fields are not compared.
type Claim struct {
	Status   storage.StatusID   // "": the newest verified one of the login, for its owner
	Exchange storage.ExchangeID // the current one
	Method   string
	Sub      string   // masked subject of its user
	Usages   []string // the usages it may have
}

// Claim is Redeem for callers that do not know the usage of a status. It returns
// InvalidExchange for anything that does not match.
func (v *Verifier) Claim(ctx context.Context, caller mfa.Caller, p Login, c Claim) error {
	s, err := v.findClaim(ctx, p, c)
	if err != nil {
		return err
	}
	sub := v.dataOf(s).Sub
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

// findClaim returns the status of a claim: by its ID, or the newest with any of the usages.
func (v *Verifier) findClaim(ctx context.Context, p Login, c Claim) (storage.Status, error) {
	if c.Status != "" {
		return v.findVerified(ctx, p, c.Status, "")
	}
	for _, usage := range c.Usages {
		s, err := v.findVerified(ctx, p, "", usage)
		if mfa.CodeOf(err) != mfa.InvalidExchange {
			return s, err
		}
	}
	return storage.Status{}, &mfa.Error{Code: mfa.InvalidExchange}
}
