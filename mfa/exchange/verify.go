package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
	"sallyport/storage/seal"
)

// Answer is a user's response to an exchange. Request and Sub may be empty; where they
// are given they must agree with the status.
type Answer struct {
	Exchange storage.ExchangeID
	Method   string
	Response mfa.Response
	Request  storage.RequestID
	Sub      string
	// May reports whether the caller may answer for the status, before anything is
	// counted: which clients do without a cookie is not known here. nil: they may.
	May func(storage.Status) error
}

// authorized asks May.
func (a Answer) authorized(s storage.Status) error {
	if a.May == nil {
		return nil
	}
	return a.May(s)
}

// Verified is a right response, to be redeemed by the login it was for.
type Verified struct {
	Exchange  storage.ExchangeID // the next one
	Status    storage.StatusID
	ExpiresAt time.Time
	Sub       string
	User      storage.UserID
}

// Verify takes a response: a wrong one leaves the exchange good until its attempts are
// used up, a right one rotates it.
func (v *Verifier) Verify(ctx context.Context, caller mfa.Caller, a Answer) (Verified, error) {
	s, account, err := v.pending(ctx, caller, a.Exchange)
	if err != nil {
		return Verified{}, err
	}
	if err := a.authorized(s); err != nil {
		return Verified{}, err
	}
	kept := v.aside(s)
	if s.Method != a.Method || s.Usage == mfa.UsageEnroll || a.Sub != "" && !seal.Equal(a.Sub, kept.Sub) ||
		a.Request != "" && !v.ofRequest(s, a.Request) {
		return Verified{}, &mfa.Error{Code: mfa.InvalidExchange}
	}
	r, err := v.responseTo(caller, s, account, a.Exchange, a.Response)
	if err != nil {
		return Verified{}, err
	}
	out := v.result(s, r)
	r.spend = func(spend *storage.Spend, t try, proof mfa.Proof) error {
		out.User = proof.User
		spend.Status = t.move(storage.StatusMove{Exchange: a.Exchange, From: storage.StatusInitiated, To: storage.StatusVerified,
			Rotate: out.Exchange, ExpiresAt: out.ExpiresAt, Method: s.Method, Usage: s.Usage}, proof)
		return nil
	}
	if err := v.answer(ctx, caller, r); err != nil {
		return Verified{}, err
	}
	return out, nil
}

// result is what a right response to a status leads to.
func (v *Verifier) result(s storage.Status, r response) Verified {
	return Verified{Exchange: storage.ExchangeID(storage.Random128(v.random)), Status: s.ID, Sub: v.aside(s).Sub,
		ExpiresAt: r.attempt.Now.Add(v.o.VerifiedTTL)}
}

// responseTo prepares the response to a stored status.
func (v *Verifier) responseTo(caller mfa.Caller, s storage.Status, account *storage.Account, exchange storage.ExchangeID, text mfa.Response) (response, error) {
	m, ok := v.methods[s.Method]
	if !ok {
		return response{}, &mfa.Error{Code: mfa.NotConfigured}
	}
	attempt := mfa.Attempt{Usage: s.Usage, Locale: caller.Locale, Now: v.now()}
	if account != nil && account.User.Status != storage.UserDisabled {
		attempt.Account = account
		attempt.Authenticator = account.Authenticator(s.Authenticator)
		if s.Authenticator != "" && attempt.Authenticator == nil {
			return response{}, &mfa.Error{Code: mfa.InvalidExchange} // it was deleted meanwhile
		}
	}
	kept := v.aside(s)
	return response{method: m, attempt: attempt, subject: v.subject(kept.User, kept.Subject, kept.Name), client: s.ClientID,
		text: text, conflict: mfa.InvalidExchange,
		open: func() (openStatus, error) { return v.opened(s, exchange), nil }}, nil
}

// pending returns the status an exchange leads to, if it still waits for a response from
// this browser.
func (v *Verifier) pending(ctx context.Context, caller mfa.Caller, id storage.ExchangeID) (storage.Status, *storage.Account, error) {
	if _, ok := storage.Bytes(id); !ok {
		return storage.Status{}, nil, &mfa.Error{Code: mfa.InvalidExchange}
	}
	s, account, err := v.store.StatusByExchange(ctx, id, v.now())
	if errors.Is(err, storage.ErrNotFound) {
		return storage.Status{}, nil, &mfa.Error{Code: mfa.InvalidExchange}
	}
	if err != nil {
		return storage.Status{}, nil, fmt.Errorf("read status: %w", err)
	}
	if s.State != storage.StatusInitiated || !v.sameBrowser(caller, s) {
		return storage.Status{}, nil, &mfa.Error{Code: mfa.InvalidExchange}
	}
	return s, account, nil
}

// aside reads what newStatus put aside.
func (v *Verifier) aside(s storage.Status) aside {
	var kept aside
	if json.Unmarshal(s.Data, &kept) != nil {
		return aside{}
	}
	return kept
}
