package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/budget"
	"sallyport/storage"
)

// Choice is a method to try, and on which authenticator of it.
type Choice struct {
	Method        string
	Authenticator storage.AuthenticatorID // "": any of the method
	Usage         string                  // "": second
}

// Started is a try that waits for its answer.
type Started struct {
	Exchange  storage.ExchangeID
	Status    storage.StatusID
	ExpiresAt time.Time
	Sub, Text string // masked subject; what tells the authenticator apart
	Challenge mfa.Challenge
}

// Initiate starts a try for callers that come back with its answer. An unknown
// identifier gets a decoy, which counts and refuses like a wrong code.
func (v *Verifier) Initiate(ctx context.Context, caller mfa.Caller, p Login, c Choice) (Started, error) {
	t, err := v.choose(p, c)
	if err != nil {
		return Started{}, err
	}
	if err := v.o.Admit.Spend(caller, budget.Initiations, 1); err != nil {
		return Started{}, err
	}
	n, challenge, err := v.newStatus(ctx, caller, p, t)
	if err != nil {
		return Started{}, err
	}
	if n.Name, err = v.newName(caller, p); err != nil {
		return Started{}, err
	}
	n.MaxNames = p.names()
	err = v.store.Initiate(ctx, n, n.Status.CreatedAt)
	if errors.Is(err, storage.ErrConflict) {
		return Started{}, v.notOpened(p, n.Name)
	}
	if err != nil {
		return Started{}, fmt.Errorf("initiate %s: %w", t.info.Name, err)
	}
	v.begun.Add(1)
	s := n.Status
	return Started{Exchange: s.Exchange, Status: s.ID, ExpiresAt: s.ExpiresAt, Sub: v.masked(p, t.subject.user),
		Text: t.text, Challenge: challenge}, nil
}

// notOpened says why a request took no further status, or name.
func (v *Verifier) notOpened(p Login, name []byte) error {
	if p.Request.Initiations >= p.initiations(v.o.MaxInitiations) || name != nil && len(p.Request.Names) >= p.names() {
		return &mfa.Error{Code: mfa.TooManyInitiations}
	}
	return &mfa.Error{Code: mfa.RequestChanged}
}

// aside is what the Verifier keeps sealed in a Status: whom wrong answers count for,
// the masked subject, and what the method put aside.
type aside struct {
	Subject []byte         `json:"whom,omitempty"`
	Name    []byte         `json:"name,omitempty"`
	User    storage.UserID `json:"user,omitempty"`
	Sub     string         `json:"sub,omitempty"`
	State   mfa.State      `json:"state,omitempty"`
	Basis   *storage.Basis `json:"basis,omitempty"` // what an enrolment outside a login was begun under
}

func (v *Verifier) newStatus(ctx context.Context, caller mfa.Caller, p Login, t target) (storage.NewStatus, mfa.Challenge, error) {
	now := v.now()
	challenge, state, err := t.method.Begin(ctx, t.attempt(caller, now))
	if err != nil {
		return storage.NewStatus{}, nil, err
	}
	s := storage.Status{ID: storage.StatusID(storage.Random128(v.random)), Exchange: storage.ExchangeID(storage.Random128(v.random)),
		Request: p.Request.ID, ClientID: p.Request.ClientID, Method: t.info.Name, Usage: t.usage, State: storage.StatusInitiated,
		CreatedAt: now, ExpiresAt: now.Add(v.o.ExchangeTTL), Browser: v.browser(caller)}
	if t.account != nil {
		s.UserID = t.account.User.ID
	}
	if t.authenticator != nil {
		s.Authenticator = t.authenticator.ID
	}
	s.Data, err = json.Marshal(aside{Subject: t.subject.hash, Name: t.subject.name, User: t.subject.user, Sub: v.masked(p, t.subject.user), State: state})
	if err != nil {
		return storage.NewStatus{}, nil, fmt.Errorf("write status: %w", err)
	}
	var events []storage.Event
	if v.verdict(p).Need != mfa.NeedFirst {
		about := storage.Event{UserID: t.subject.user, ClientID: p.Request.ClientID, Detail: map[string]string{"method": t.info.Name, "usage": t.usage}}
		events = []storage.Event{v.event(caller, about, mfa.EventMFAInitiated, mfa.OutcomeOK, "")}
	}
	// Before the first factor whoever has heard of the request may begin a try: it must
	// not end somebody else's.
	return storage.NewStatus{Status: s, MaxInitiations: p.initiations(v.o.MaxInitiations), Supersede: p.Detached == nil,
		Events: events}, challenge, nil
}

func (t target) attempt(caller mfa.Caller, now time.Time) mfa.Attempt {
	return mfa.Attempt{Account: t.account, Authenticator: t.authenticator, Usage: t.usage, Locale: caller.Locale, Now: now}
}

// browser is the keyed hash of the binding cookie; nil where the caller has none.
func (v *Verifier) browser(caller mfa.Caller) []byte {
	if caller.Browser == "" {
		return nil
	}
	return v.keyring.Hash("browser", caller.Browser)
}

// sameBrowser reports whether a cookie that came along is the one a Status is bound
// to. Callers that send no cookie are the surface's to judge (Answer.May).
func (v *Verifier) sameBrowser(caller mfa.Caller, s storage.Status) bool {
	if len(s.Browser) == 0 || caller.Browser == "" {
		return true
	}
	return v.keyring.IsHash("browser", caller.Browser, s.Browser)
}

// ofRequest reports whether a Status belongs to a request.
func (v *Verifier) ofRequest(s storage.Status, id storage.RequestID) bool {
	return v.keyring.IsHash("request", string(id), s.RequestHash)
}
