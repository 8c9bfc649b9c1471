package exchange

import (
	"context"
	"errors"
	"fmt"

	"sallyport/mfa"
	"sallyport/storage"
)

// Prove takes an answer on one of our own pages, where the steps of Initiate, Verify
// and Redeem are one: without an exchange the Status is made by the counted attempt
// itself, so that showing the page writes nothing; a right answer goes from initiated
// to redeemed and becomes a factor in the same transaction.
//
// It returns the exchange the next answer may come with; "" means that a new try begins.
func (v *Verifier) Prove(ctx context.Context, visit mfa.Caller, p Proving, c Choice, exchange storage.ExchangeID, r mfa.Response) (storage.ExchangeID, error) {
	chosen, err := v.choose(p, c)
	if err != nil {
		return "", err
	}
	a := chosen.attempt(visit, v.now())
	if err := parse(chosen.method, a, r); err != nil {
		return exchange, err
	}
	t := v.newTry(visit, chosen.method, a, chosen.who, p.Request.ClientID)
	release, err := v.reserve(ctx, visit, &t)
	if err != nil {
		return exchange, err
	}
	defer release()
	on, err := v.standOn(ctx, visit, p, chosen, exchange)
	if err != nil {
		return "", err
	}
	if err := v.count(ctx, visit, &t, storage.Attempt{Exchange: exchange, New: on.fresh, MaxAttempts: v.o.MaxAttempts}); err != nil {
		if mfa.CodeOf(err) != mfa.InvalidExchange {
			return exchange, err
		}
		if on.fresh != nil {
			return "", v.notOpened(p, nil)
		}
		return "", err
	}
	if on.fresh != nil {
		v.begun.Add(1)
	}
	if err := v.switchedOff(t); err != nil {
		return "", err
	}
	proof, err := v.compare(ctx, visit, t, on.state, r)
	if err != nil {
		return on.retry, err
	}
	return "", v.redeemNow(ctx, visit, p, t, proof, on.exchange)
}

// footing is the Status an answer is for.
type footing struct {
	exchange storage.ExchangeID
	retry    storage.ExchangeID // "" after the last try
	fresh    *storage.NewStatus // not stored yet
	state    mfa.State
}

func (v *Verifier) standOn(ctx context.Context, visit mfa.Caller, p Proving, t target, exchange storage.ExchangeID) (footing, error) {
	if exchange == "" {
		n, _, err := v.newStatus(ctx, visit, p, t)
		if err != nil {
			return footing{}, err
		}
		f := footing{exchange: n.Status.Exchange, retry: n.Status.Exchange, fresh: &n, state: v.aside(n.Status).State}
		if v.o.MaxAttempts == 1 {
			f.retry = ""
		}
		return f, nil
	}
	s, _, err := v.pending(ctx, visit, exchange)
	if err != nil {
		return footing{}, err
	}
	user := storage.UserID("")
	if t.account != nil {
		user = t.account.User.ID
	}
	if !v.ofRequest(s, p.Request.ID) || s.Method != t.info.Name || s.Usage != t.usage || s.UserID != user {
		return footing{}, &mfa.Error{Code: mfa.InvalidExchange}
	}
	f := footing{exchange: exchange, retry: exchange, state: v.aside(s).State}
	if s.Attempts+1 >= v.o.MaxAttempts {
		f.retry = ""
	}
	return f, nil
}

// redeemNow spends a right answer: Status, credential, counters and the factor of
// the request, at once.
func (v *Verifier) redeemNow(ctx context.Context, visit mfa.Caller, p Proving, t try, proof mfa.Proof, exchange storage.ExchangeID) error {
	if p.Request.Subject != "" && p.Request.Subject != proof.User {
		return &mfa.Error{Code: mfa.InvalidCredentials}
	}
	if err := v.found(ctx, &t, proof); err != nil {
		return err
	}
	name := t.method.Info().Name
	spend := v.spend(visit, t, proof, okEvent(t))
	spend.Status = t.move(storage.StatusMove{Exchange: exchange, From: storage.StatusInitiated, To: storage.StatusRedeemed,
		Request: p.Request.ID, Method: name, Usage: t.attempt.Usage}, proof)
	p.advance(&spend, proof.User, proven(name, proof, t.attempt.Now), t.attempt.Now)
	return v.settleSpend(ctx, visit, t, proof, spend, mfa.RequestChanged)
}

// found loads the account of a user whom the method found by itself; it must be
// one that may sign in.
func (v *Verifier) found(ctx context.Context, t *try, proof mfa.Proof) error {
	if t.attempt.Account != nil {
		return nil
	}
	account, err := v.store.Account(ctx, proof.User)
	if errors.Is(err, storage.ErrNotFound) {
		return &mfa.Error{Code: mfa.InvalidCredentials}
	}
	if err != nil {
		return fmt.Errorf("read account: %w", err)
	}
	if account.User.Status == storage.UserDisabled {
		return &mfa.Error{Code: mfa.InvalidCredentials}
	}
	t.attempt.Account, t.who.user = &account, ""
	return nil
}

// move demands the user the Status was made for, or gives it the one that was found.
func (t try) move(m storage.StatusMove, proof mfa.Proof) *storage.StatusMove {
	if t.who.user == "" {
		m.Found = proof.User
	} else {
		m.User = proof.User
	}
	return &m
}
