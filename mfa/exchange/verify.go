package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
	"sallyport/storage/seal"
)

// Answer is a user's response to an exchange. Request and Sub are compared with the status
// unless they are empty.
type Answer struct {
	Exchange storage.ExchangeID
	Method   string
	Response mfa.Response
	Request  storage.RequestID
	Sub      string
	// Authorize, if not nil, refuses callers who may not use the status, before the attempt
	// is counted. Only surfaces know which clients send no cookie.
	Authorize func(storage.Status) error
}

func (a Answer) authorize(s storage.Status) error {
	if a.Authorize == nil {
		return nil
	}
	return a.Authorize(s)
}

// Verified is a verified status, to be redeemed by its login.
type Verified struct {
	Exchange  storage.ExchangeID // the next one
	Status    storage.StatusID
	ExpiresAt time.Time
	Sub       string
	User      storage.UserID
}

// Verify checks a response. A right one rotates the exchange; after a wrong one the exchange
// stays valid until its attempts are used up. It returns InvalidExchange for anything that
// does not match the status.
func (v *Verifier) Verify(ctx context.Context, caller mfa.Caller, a Answer) (Verified, error) {
	s, account, err := v.findPending(ctx, caller, a.Exchange)
	if err != nil {
		return Verified{}, err
	}
	if err := a.authorize(s); err != nil {
		return Verified{}, err
	}
	data := v.dataOf(s)
	if s.Method != a.Method || s.Usage == mfa.UsageEnroll || !slices.Contains(mfa.Usages(), s.Usage) || a.Sub != "" && !seal.Equal(a.Sub, data.Sub) ||
		a.Request != "" && !v.ofRequest(s, a.Request) {
		return Verified{}, &mfa.Error{Code: mfa.InvalidExchange}
	}
	r, err := v.responseTo(caller, s, account, a.Exchange, a.Response)
	if err != nil {
		return Verified{}, err
	}
	out := v.result(s, r)
	r.spend = func(_ context.Context, spend *storage.Spend, t try, proof mfa.Proof) error {
		out.User = proof.User
		spend.Status = t.move(storage.StatusMove{Exchange: a.Exchange, From: storage.StatusInitiated, To: storage.StatusVerified,
			Rotate: out.Exchange, ExpiresAt: out.ExpiresAt, Method: s.Method, Usage: s.Usage}, proof)
		return v.keepProof(spend.Status, s, t, proof)
	}
	if err := v.process(ctx, caller, r); err != nil {
		return Verified{}, err
	}
	return out, nil
}

// keepProof makes a move keep what was proven, where that is not the same for every proof of a method.
func (v *Verifier) keepProof(m *storage.StatusMove, s storage.Status, t try, proof mfa.Proof) error {
	i, f, data := t.method.Info(), factorOf(proof, t), v.dataOf(s)
	if !i.Challenged && slices.Equal(f.Kinds, i.Kinds) && slices.Equal(f.AMR, i.AMR) {
		return nil
	}
	data.Proof = f
	text, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("write status: %w", err)
	}
	m.ID, m.Data = s.ID, text
	return nil
}

// result returns the result of a right response to a status.
func (v *Verifier) result(s storage.Status, r response) Verified {
	return Verified{Exchange: storage.ExchangeID(storage.Random128(v.random)), Status: s.ID, Sub: v.dataOf(s).Sub,
		ExpiresAt: r.attempt.Now.Add(v.o.VerifiedTTL)}
}

// responseTo returns the response to a stored status, to be processed.
func (v *Verifier) responseTo(caller mfa.Caller, s storage.Status, account *storage.Account, exchange storage.ExchangeID, text mfa.Response) (response, error) {
	m, ok := v.methods[s.Method]
	if !ok {
		return response{}, &mfa.Error{Code: mfa.NotConfigured}
	}
	attempt := mfa.Attempt{Usage: s.Usage, Locale: caller.Locale, Now: v.now()}
	if account != nil && !isDisabled(account) {
		attempt.Account = account
		attempt.Authenticator = account.Authenticator(s.Authenticator)
		if s.Authenticator != "" && attempt.Authenticator == nil {
			return response{}, &mfa.Error{Code: mfa.InvalidExchange} // deleted meanwhile
		}
	}
	data := v.dataOf(s)
	attempt.Login = data.Login
	if data.Identifier != "" {
		attempt.Name = v.digest(data.Identifier)
	}
	return response{method: m, attempt: attempt, subject: v.subject(data.User, data.Subject, data.Name), client: s.ClientID,
		text: text, conflict: mfa.InvalidExchange, disabled: isDisabled(account),
		open: func() (openStatus, error) { return v.openStatusOf(s, exchange), nil }}, nil
}

// findPending returns the status and account of an exchange that expects a response from this
// browser, and InvalidExchange if there is none.
func (v *Verifier) findPending(ctx context.Context, caller mfa.Caller, id storage.ExchangeID) (storage.Status, *storage.Account, error) {
	if _, ok := storage.Bytes(id); !ok {
		return storage.Status{}, nil, &mfa.Error{Code: mfa.InvalidExchange}
	}
	s, account, err := v.store.StatusByExchange(ctx, id, v.now())
	if errors.Is(err, storage.ErrNotFound) {
		v.noteExpired(ctx, caller, id)
	}
	if err != nil {
		return storage.Status{}, nil, mfa.Refuse("read status", err, storage.ErrNotFound, mfa.InvalidExchange)
	}
	if s.State != storage.StatusInitiated || !v.sameBrowser(caller, s) {
		return storage.Status{}, nil, &mfa.Error{Code: mfa.InvalidExchange}
	}
	return s, account, nil
}

// noteExpired logs an exchange that has expired. The caller is told the same of one that never
// existed.
func (v *Verifier) noteExpired(ctx context.Context, caller mfa.Caller, id storage.ExchangeID) {
	s, _, err := v.store.StatusByExchange(ctx, id, v.now().Add(-storage.KeepStatus))
	if err != nil || s.State != storage.StatusInitiated || !v.sameBrowser(caller, s) {
		return
	}
	about := storage.Event{UserID: s.UserID, ClientID: s.ClientID, Detail: map[string]string{"method": s.Method, "usage": s.Usage}}
	v.note(caller, about, mfa.EventMFAExpired, mfa.OutcomeRefused, mfa.ReasonExpired)
	mfa.Refused(ctx, mfa.Refusal{Reason: mfa.ReasonExpired, Event: mfa.EventMFAExpired, Client: s.ClientID})
}

// dataOf reads the data of a status; zero values where it has none.
func (v *Verifier) dataOf(s storage.Status) statusData {
	var data statusData
	if json.Unmarshal(s.Data, &data) != nil {
		return statusData{}
	}
	return data
}
