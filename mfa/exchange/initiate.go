package exchange

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/budget"
	"sallyport/mfa/device"
	"sallyport/storage"
)

// Choice is the method, and optionally the authenticator, that a user chose.
type Choice struct {
	Method        string
	Authenticator storage.AuthenticatorID // "": any of the method
	Usage         string                  // "": second
	// Unlisted: the caller was shown no list of the user's methods. One that the user does not have
	// is then a decoy too, and no refusal.
	Unlisted bool
}

// Initiation is a try that expects a response.
type Initiation struct {
	Exchange  storage.ExchangeID
	Status    storage.StatusID
	ExpiresAt time.Time
	Sub, Text string // masked subject; label of the authenticator
	Challenge mfa.Challenge
	Pause     time.Duration // until another code can be sent
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
	begun, err := t.method.Begin(ctx, v.attempt(caller, p, t))
	if err != nil {
		return Initiation{}, err
	}
	n, err := v.newStatus(caller, p, t, begun)
	if err != nil {
		return Initiation{}, err
	}
	if n.Name, err = v.newName(caller, p); err != nil {
		return Initiation{}, err
	}
	n.MaxNames = p.share(maxLoginNames)
	err = v.initiate(ctx, n, p.Request.Subject == "")
	if mfa.CodeOf(err) != "" {
		return Initiation{}, err
	}
	if errors.Is(err, storage.ErrConflict) {
		return Initiation{}, v.conflictError(p, n.Name)
	}
	if err != nil {
		return Initiation{}, fmt.Errorf("initiate %s: %w", t.info.Name, err)
	}
	v.initiations.Add(1)
	s := n.Status
	pause, err := v.pause(ctx, shownKeys(n.Sends, p.Request.Subject == ""), s.CreatedAt)
	if err != nil {
		return Initiation{}, err
	}
	return Initiation{Exchange: s.Exchange, Status: s.ID, ExpiresAt: s.CreatedAt.Add(v.ttl(begun)), Sub: v.maskUser(p, t.subject.user),
		Text: t.text, Challenge: begun.Challenge, Pause: pause}, nil
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
	Subject []byte            `json:"whom,omitempty"`
	Name    []byte            `json:"name,omitempty"`
	User    storage.UserID    `json:"user,omitempty"`
	Sub     string            `json:"sub,omitempty"`
	Login   string            `json:"login,omitempty"` // what its challenge names
	State   mfa.State         `json:"state,omitempty"`
	Proof   *storage.Factor   `json:"proof,omitempty"`   // of a verified status; nil: what its method shows
	Message storage.MessageID `json:"message,omitempty"` // that was sent
	// Of a code that a page shows again: the exchange, the typed name while no user is identified,
	// and the counters that delay the next code.
	Exchange   storage.ExchangeID    `json:"exchange,omitempty"`
	Identifier string                `json:"typed,omitempty"`
	Pauses     []storage.ThrottleKey `json:"pauses,omitempty"`
	Device     map[string]string     `json:"device,omitempty"` // of the user, as a backend describes it
	Codes      []string              `json:"codes,omitempty"`  // recovery codes of a backend's enrolment
	// Demand is what demanded the enrollment code that began an enrolment.
	Demand storage.AuthenticatorID `json:"demand,omitempty"`
	// Address is one that a signed-in user proves.
	Address *pendingAddress `json:"address,omitempty"`
	// Of an enrolment, or an address, outside a login:
	Session storage.SessionID `json:"session,omitempty"`
	Basis   *storage.Basis    `json:"basis,omitempty"`
}

// ttl returns how long a try that a method began is valid.
func (v *Verifier) ttl(b mfa.Begun) time.Duration { return cmp.Or(b.TTL, v.o.ExchangeTTL) }

// add adds what a method began to a status.
func (d *statusData) add(n *storage.NewStatus, b mfa.Begun) {
	d.State = b.State
	if b.Message != nil {
		d.Message = b.Message.ID
		n.Messages, n.Toll = append(n.Messages, *b.Message), b.Toll
	}
}

// newStatus returns the status of a try; begun is zero for one that was not begun.
func (v *Verifier) newStatus(caller mfa.Caller, p Login, t target, begun mfa.Begun) (storage.NewStatus, error) {
	now := v.now()
	s := storage.Status{ID: storage.StatusID(storage.Random128(v.random)), Exchange: storage.ExchangeID(storage.Random128(v.random)),
		Request: p.Request.ID, ClientID: p.Request.ClientID, Method: t.info.Name, Usage: t.usage, State: storage.StatusInitiated,
		CreatedAt: now, ExpiresAt: now.Add(v.ttl(begun)), Browser: v.browser(caller)}
	if t.account != nil {
		s.UserID = t.account.User.ID
	}
	if t.authenticator != nil {
		s.Authenticator = t.authenticator.ID
	}
	// A caller who does not own the login must not end the owner's try.
	n := storage.NewStatus{MaxInitiations: p.share(v.o.MaxInitiations), Supersede: p.Detached == nil}
	data := statusData{Subject: t.subject.hash, Name: t.subject.name, User: t.subject.user, Sub: v.maskUser(p, t.subject.user), Login: p.name(), Exchange: s.Exchange}
	if p.nameOnly() {
		data.Identifier = p.Identifier
	}
	data.add(&n, begun)
	if t.info.Sends {
		s.ExpiresAt = s.ExpiresAt.Add(lateness)
		n.Sends = v.counters(caller, v.recipientOf(caller, p, t, begun))
		if begun.Message == nil {
			n.Idle = v.statementsOf(t.info.Name)
		}
		data.Pauses = shownKeys(n.Sends, p.Request.Subject == "")
	}
	var err error
	if s.Data, err = json.Marshal(data); err != nil {
		return storage.NewStatus{}, fmt.Errorf("write status: %w", err)
	}
	n.Status = s
	if v.verdict(p).Need != mfa.NeedFirst {
		about := storage.Event{UserID: t.subject.user, ClientID: p.Request.ClientID, Detail: map[string]string{"method": t.info.Name, "usage": t.usage}}
		n.Events = []storage.Event{v.event(caller, about, mfa.EventMFAInitiated, mfa.OutcomeOK, "")}
	}
	return n, nil
}

// recipientOf returns who gets the code of a try in a login. Only confirmed authenticators are
// offered, so every address is proven; a browser that the user signed in with before counts
// as the user.
func (v *Verifier) recipientOf(caller mfa.Caller, p Login, t target, b mfa.Begun) recipient {
	r := recipient{method: t.info.Name, name: v.digest(p.Identifier)}
	if b.Message != nil {
		r.address = b.Message.Recipient
	}
	if t.account == nil {
		return r
	}
	_, known := device.Knows(v.keyring, caller.Device, t.account.User.ID)
	if p.Request.Subject != "" || known {
		r.user, r.proven = t.account.User.ID, true
	}
	return r
}

func (v *Verifier) attempt(caller mfa.Caller, p Login, t target) mfa.Attempt {
	a := mfa.Attempt{Usage: t.usage, Login: p.name(), Locale: caller.Locale, Now: v.now()}
	// Of an account that only a credential names, a challenge says nothing.
	if t.usage != mfa.UsageFirst || p.Identifier != "" || p.Request.Subject != "" {
		a.Account, a.Authenticator = t.account, t.authenticator
	}
	a.Hardware = t.usage == mfa.UsageSecond && v.verdict(p).Needed == mfa.PHRH
	if t.info.Challenged && p.Identifier != "" {
		a.Name = v.digest(p.Identifier)
	}
	return a
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
