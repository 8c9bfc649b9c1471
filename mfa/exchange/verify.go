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

// Answer is what came back for an exchange. Request and Sub may be empty; where they
// are given they must agree with the Status.
type Answer struct {
	Exchange storage.ExchangeID
	Method   string
	Response mfa.Response
	Request  storage.RequestID
	Sub      string
	// May judges the caller by the Status, before anything is counted: which clients do
	// without a cookie is nothing this room knows. nil: the caller was judged before.
	May func(storage.Status) error
}

// judged asks May.
func (a Answer) judged(s storage.Status) error {
	if a.May == nil {
		return nil
	}
	return a.May(s)
}

// Verified is a right answer, to be redeemed by the login it was for.
type Verified struct {
	Exchange  storage.ExchangeID // the next one
	Status    storage.StatusID
	ExpiresAt time.Time
	Sub       string
	User      storage.UserID
}

// Verify takes an answer: wrong ones leave the exchange good until its tries are
// used up, a right one rotates it.
func (v *Verifier) Verify(ctx context.Context, visit mfa.Caller, a Answer) (Verified, error) {
	s, account, err := v.pending(ctx, visit, a.Exchange)
	if err != nil {
		return Verified{}, err
	}
	if err := a.judged(s); err != nil {
		return Verified{}, err
	}
	kept := v.aside(s)
	if s.Method != a.Method || s.Usage == mfa.UsageEnroll || a.Sub != "" && !seal.Equal(a.Sub, kept.Sub) ||
		a.Request != "" && !v.ofRequest(s, a.Request) {
		return Verified{}, &mfa.Error{Code: mfa.InvalidExchange}
	}
	t, release, err := v.answering(ctx, visit, s, account, a.Response)
	if err != nil {
		return Verified{}, err
	}
	defer release()
	if err := v.count(ctx, visit, &t, storage.Attempt{Exchange: a.Exchange, MaxAttempts: v.o.MaxAttempts}); err != nil {
		return Verified{}, err
	}
	if err := v.switchedOff(t); err != nil {
		return Verified{}, err
	}
	proof, err := v.compare(ctx, visit, t, kept.State, a.Response)
	if err != nil {
		return Verified{}, err
	}
	if err := v.found(ctx, &t, proof); err != nil {
		return Verified{}, err
	}
	out := Verified{Exchange: storage.ExchangeID(storage.Random128(v.random)), Status: s.ID,
		ExpiresAt: t.attempt.Now.Add(v.o.VerifiedTTL), Sub: kept.Sub, User: proof.User}
	spend := v.spend(visit, t, proof, okEvent(t))
	spend.Status = t.move(storage.StatusMove{Exchange: a.Exchange, From: storage.StatusInitiated, To: storage.StatusVerified,
		Rotate: out.Exchange, ExpiresAt: out.ExpiresAt, Method: s.Method, Usage: s.Usage}, proof)
	if err := v.settleSpend(ctx, visit, t, proof, spend, mfa.InvalidExchange); err != nil {
		return Verified{}, err
	}
	return out, nil
}

// pending returns the Status an exchange leads to, if it still waits for an answer
// from this browser.
func (v *Verifier) pending(ctx context.Context, visit mfa.Caller, id storage.ExchangeID) (storage.Status, *storage.Account, error) {
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
	if s.State != storage.StatusInitiated || !v.sameBrowser(visit, s) {
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

// answering prepares the answer to a Status: its form is checked and, for a costly
// method, its place is taken before anything is counted.
func (v *Verifier) answering(ctx context.Context, visit mfa.Caller, s storage.Status, account *storage.Account, r mfa.Response) (try, func(), error) {
	m, ok := v.methods[s.Method]
	if !ok {
		return try{}, nil, &mfa.Error{Code: mfa.NotConfigured}
	}
	attempt := mfa.Attempt{Usage: s.Usage, Locale: visit.Locale, Now: v.now()}
	if account != nil && account.User.Status != storage.UserDisabled {
		attempt.Account = account
		attempt.Authenticator = account.Authenticator(s.Authenticator)
		if s.Authenticator != "" && attempt.Authenticator == nil {
			return try{}, nil, &mfa.Error{Code: mfa.InvalidExchange} // it was deleted meanwhile
		}
	}
	if err := parse(m, attempt, r); err != nil {
		return try{}, nil, err
	}
	kept := v.aside(s)
	t := v.newTry(visit, m, attempt, v.counted(kept.User, kept.Subject, kept.Name), s.ClientID)
	release, err := v.reserve(ctx, visit, &t)
	if err != nil {
		return try{}, nil, err
	}
	return t, release, nil
}

// okEvent is the kind of event a right answer writes.
func okEvent(t try) string {
	if t.failed == mfa.EventPasswordFailed {
		return mfa.EventPasswordOK
	}
	return mfa.EventMFAOK
}

// settleSpend spends a proof. When something of it was spent before, it finds out
// whether it was this very code.
func (v *Verifier) settleSpend(ctx context.Context, visit mfa.Caller, t try, proof mfa.Proof, s storage.Spend, otherwise mfa.Code) error {
	if proof.Spend.Code != "" {
		s.Events = append(s.Events, v.event(visit, t.about, mfa.EventRecoveryUsed, mfa.OutcomeOK, ""))
	}
	err := v.store.Spend(ctx, s)
	if err == nil {
		return nil
	}
	if !errors.Is(err, storage.ErrConflict) {
		return fmt.Errorf("spend proof: %w", err)
	}
	code, err := v.lost(ctx, proof, otherwise)
	if err != nil {
		return err
	}
	if code == mfa.Replayed {
		return v.replayed(ctx, visit, t)
	}
	return &mfa.Error{Code: code}
}

// lost says why a right answer came too late.
func (v *Verifier) lost(ctx context.Context, proof mfa.Proof, otherwise mfa.Code) (mfa.Code, error) {
	switch {
	case proof.Spend.Step > 0:
		account, err := v.store.Account(ctx, proof.User)
		if errors.Is(err, storage.ErrNotFound) {
			return otherwise, nil
		}
		if err != nil {
			return "", fmt.Errorf("read account: %w", err)
		}
		a := account.Authenticator(proof.Authenticator)
		switch {
		case a == nil || a.Counter < proof.Spend.Step:
			return otherwise, nil
		case a.Counter == proof.Spend.Step:
			return mfa.Replayed, nil
		}
		return mfa.InvalidPasscode, nil
	case proof.Spend.Code != "":
		codes, err := v.store.RecoveryCodes(ctx, proof.User)
		if err != nil {
			return "", fmt.Errorf("read recovery codes: %w", err)
		}
		for _, c := range codes {
			if seal.Equal(c, proof.Spend.Code) {
				return otherwise, nil
			}
		}
		return mfa.Replayed, nil
	}
	return otherwise, nil
}
