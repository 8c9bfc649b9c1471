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

// Choice is the method, and optionally the authenticator, that a user chose.
type Choice struct {
	Method        string
	Authenticator storage.AuthenticatorID // "": any of the method
	Usage         string                  // "": second
}

// Initiation is a try that expects a response.
type Initiation struct {
	Exchange  storage.ExchangeID
	Status    storage.StatusID
	ExpiresAt time.Time
	Sub, Text string // masked subject; label of the authenticator
	Challenge mfa.Challenge
}

// Initiate starts a try, to be continued by Verify. For an unknown identifier it is a decoy,
// whose every response is counted and refused as wrong.
func (v *Verifier) Initiate(ctx context.Context, caller mfa.Caller, p Login, c Choice) (Initiation, error) {
	t, err := v.choose(p, c)
	if err != nil {
		return Initiation{}, err
	}
	if err := v.o.Admit.Spend(caller, budget.Initiations, 1); err != nil {
		return Initiation{}, err
	}
	n, challenge, err := v.newStatus(ctx, caller, p, t)
	if err != nil {
		return Initiation{}, err
	}
	if n.Name, err = v.newName(caller, p); err != nil {
		return Initiation{}, err
	}
	n.MaxNames = p.share(maxLoginNames)
	err = v.store.Initiate(ctx, n, n.Status.CreatedAt)
	if errors.Is(err, storage.ErrConflict) {
		return Initiation{}, v.conflictError(p, n.Name)
	}
	if err != nil {
		return Initiation{}, fmt.Errorf("initiate %s: %w", t.info.Name, err)
	}
	v.initiations.Add(1)
	s := n.Status
	return Initiation{Exchange: s.Exchange, Status: s.ID, ExpiresAt: s.ExpiresAt, Sub: v.maskUser(p, t.subject.user),
		Text: t.text, Challenge: challenge}, nil
}

// conflictError explains why storage did not add a status, or a name, to a request.
func (v *Verifier) conflictError(p Login, name []byte) error {
	if p.Request.Initiations >= p.share(v.o.MaxInitiations) || name != nil && len(p.Request.Names) >= p.share(maxLoginNames) {
		return &mfa.Error{Code: mfa.TooManyInitiations}
	}
	return &mfa.Error{Code: mfa.RequestChanged}
}

// statusData is stored sealed in a Status: whom failures count for, the masked subject, and
// the state of the method.
type statusData struct {
	Subject []byte         `json:"whom,omitempty"`
	Name    []byte         `json:"name,omitempty"`
	User    storage.UserID `json:"user,omitempty"`
	Sub     string         `json:"sub,omitempty"`
	State   mfa.State      `json:"state,omitempty"`
	Basis   *storage.Basis `json:"basis,omitempty"` // of an enrolment outside a login
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
	s.Data, err = json.Marshal(statusData{Subject: t.subject.hash, Name: t.subject.name, User: t.subject.user, Sub: v.maskUser(p, t.subject.user), State: state})
	if err != nil {
		return storage.NewStatus{}, nil, fmt.Errorf("write status: %w", err)
	}
	var events []storage.Event
	if v.verdict(p).Need != mfa.NeedFirst {
		about := storage.Event{UserID: t.subject.user, ClientID: p.Request.ClientID, Detail: map[string]string{"method": t.info.Name, "usage": t.usage}}
		events = []storage.Event{v.event(caller, about, mfa.EventMFAInitiated, mfa.OutcomeOK, "")}
	}
	// A caller who does not own the login must not end the owner's try.
	return storage.NewStatus{Status: s, MaxInitiations: p.share(v.o.MaxInitiations), Supersede: p.Detached == nil,
		Events: events}, challenge, nil
}

func (t target) attempt(caller mfa.Caller, now time.Time) mfa.Attempt {
	return mfa.Attempt{Account: t.account, Authenticator: t.authenticator, Usage: t.usage, Locale: caller.Locale, Now: now}
}

// browser returns the keyed hash of the binding cookie; nil: the caller has none.
func (v *Verifier) browser(caller mfa.Caller) []byte {
	if caller.Browser == "" {
		return nil
	}
	return v.keyring.Hash("browser", caller.Browser)
}

// sameBrowser reports whether the caller's binding cookie, if any, is the one a Status is
// bound to. Surfaces authorize callers without a cookie (Answer.Authorize).
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
