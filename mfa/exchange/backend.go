package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/throttle"
	"sallyport/storage"
)

// Backends name no exchange: they name a user, an authenticator or an address. The exchange of
// such a status is derived from that name, so that there is one status for each.

// late is how long the status of a backend's code outlives the code, so that a right code is
// distinguished from a wrong one.
const late = time.Hour

// derived returns the exchanges that a name has under every active hash key, the newest first.
func (v *Verifier) derived(purpose, name string) []storage.ExchangeID {
	var out []storage.ExchangeID
	for _, sum := range v.keyring.MACs("hash", "backend "+purpose, name) {
		out = append(out, storage.FromBytes[storage.ExchangeID]([16]byte(sum[:16])))
	}
	return out
}

// derivedStatus returns the status of a name and its exchange, and storage.ErrNotFound if
// there is none.
func (v *Verifier) derivedStatus(ctx context.Context, purpose, name string) (storage.Status, storage.ExchangeID, error) {
	for _, id := range v.derived(purpose, name) {
		s, _, err := v.store.StatusByExchange(ctx, id, v.now())
		if !errors.Is(err, storage.ErrNotFound) {
			return s, id, mfa.Wrap("read status", err)
		}
	}
	return storage.Status{}, "", storage.ErrNotFound
}

// Code is a one-time code that a backend has sent to an address of a user.
type Code struct {
	Method        string // of the address
	User          storage.UserID
	Identifier    storage.Identifier
	NewUser       *storage.NewUser    // to create with it; nil: none
	NewIdentifier *storage.Identifier // to attach with it; nil: none
	TTL           time.Duration
	Locale        string
	// Device is compared by the caller when the code comes back.
	Device map[string]string
}

// SendCode sends a code, in place of an earlier one for the address. It returns
// NotConfigured, AddressNotAllowed, TooManyMessages, or RequestChanged if a name is taken
// meanwhile.
func (v *Verifier) SendCode(ctx context.Context, caller mfa.Caller, c Code) error {
	m, ok := v.methods[c.Method].(mfa.Addressed)
	if !ok {
		return &mfa.Error{Code: mfa.NotConfigured}
	}
	now := v.now()
	begun, err := m.BeginFor(mfa.Destination{Address: c.Identifier.Text(), TTL: c.TTL, Locale: c.Locale, Now: now})
	if err != nil {
		return err
	}
	if begun.Message == nil {
		return &mfa.Error{Code: mfa.AddressNotAllowed}
	}
	n := storage.NewStatus{Replace: true, User: c.NewUser, Identifier: c.NewIdentifier,
		Sends: []storage.Throttle{v.counter(throttle.SendBackend, c.Method+"|"+c.Identifier.Value)}}
	n.Status = storage.Status{ID: storage.StatusID(storage.Random128(v.random)), Exchange: v.derived("code", string(c.Identifier.ID))[0],
		UserID: c.User, Method: c.Method, Usage: mfa.UsageBackend, State: storage.StatusInitiated, CreatedAt: now, ExpiresAt: now.Add(v.ttl(begun) + late)}
	data := statusData{Subject: v.keyring.Hash("user", string(c.User)), User: c.User, Device: c.Device}
	data.add(&n, begun)
	if n.Status.Data, err = json.Marshal(data); err != nil {
		return fmt.Errorf("write status: %w", err)
	}
	about := storage.Event{UserID: c.User, Detail: map[string]string{"method": c.Method, "usage": mfa.UsageBackend}}
	n.Events = []storage.Event{v.event(caller, about, mfa.EventMFAInitiated, mfa.OutcomeOK, "")}
	err = v.initiate(ctx, n, false)
	if errors.Is(err, storage.ErrConflict) {
		return &mfa.Error{Code: mfa.RequestChanged}
	}
	if err == nil {
		v.initiations.Add(1)
	}
	return err
}

// CodeDevice returns the device that a code for an address was requested on; nil: there is no
// code.
func (v *Verifier) CodeDevice(ctx context.Context, id storage.IdentifierID) (map[string]string, error) {
	s, _, err := v.derivedStatus(ctx, "code", string(id))
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	return v.dataOf(s).Device, err
}

// BackendProof is a response that a backend passes on.
type BackendProof struct {
	Account    storage.Account
	Method     string
	Identifier storage.IdentifierID // the address of a one-time code; "": none
	Response   mfa.Response
	// Spend adds to the writes of a right response.
	Spend func(s *storage.Spend, p mfa.Proof, f storage.Factor) error
}

// ProveBackend counts, compares and spends a response outside a login. It returns
// RequestChanged if another write of Spend came first.
func (v *Verifier) ProveBackend(ctx context.Context, caller mfa.Caller, b BackendProof) error {
	m, ok := v.methods[b.Method]
	if !ok {
		return &mfa.Error{Code: mfa.NotConfigured}
	}
	now := v.now()
	r := response{method: m, attempt: mfa.Attempt{Account: &b.Account, Usage: mfa.UsageBackend, Locale: caller.Locale, Now: now},
		subject: v.subjectOf(&b.Account, ""), text: b.Response, conflict: mfa.RequestChanged}
	var move *storage.StatusMove
	if b.Identifier != "" {
		s, exchange, err := v.derivedStatus(ctx, "code", string(b.Identifier))
		switch {
		case errors.Is(err, storage.ErrNotFound):
			return v.refuseWithoutCode(ctx, caller, r)
		case err != nil:
			return err
		case s.UserID != b.Account.User.ID || s.Method != b.Method || s.Usage != mfa.UsageBackend:
			return &mfa.Error{Code: mfa.InvalidPasscode}
		case s.State != storage.StatusInitiated:
			return v.refuseSpentCode(ctx, r, s)
		}
		r.open = func() (openStatus, error) { return v.openStatusOf(s, exchange), nil }
		move = &storage.StatusMove{Exchange: exchange, From: storage.StatusInitiated, To: storage.StatusRedeemed, User: s.UserID, Method: s.Method, Usage: s.Usage}
	}
	r.spend = func(_ context.Context, s *storage.Spend, t try, p mfa.Proof) error {
		s.Status = move
		return b.Spend(s, p, *factorOf(p, t))
	}
	err := v.process(ctx, caller, r)
	if mfa.CodeOf(err) != mfa.InvalidExchange {
		return err
	}
	// A parallel response has spent the code, or its last try.
	s, _, failure := v.derivedStatus(ctx, "code", string(b.Identifier))
	if failure != nil {
		return mfa.Refuse("read status", failure, storage.ErrNotFound, mfa.InvalidPasscode)
	}
	return v.refuseSpentCode(ctx, r, s)
}

// refuseWithoutCode refuses a response where no code was sent. It counts, as any wrong one.
func (v *Verifier) refuseWithoutCode(ctx context.Context, caller mfa.Caller, r response) error {
	r.spend = func(context.Context, *storage.Spend, try, mfa.Proof) error {
		return &mfa.Error{Code: mfa.InvalidPasscode}
	}
	return v.process(ctx, caller, r)
}

// refuseSpentCode returns Replayed for the right code of a status that was redeemed, and
// InvalidPasscode otherwise.
func (v *Verifier) refuseSpentCode(ctx context.Context, r response, s storage.Status) error {
	if p, ok := r.method.(mfa.Parser); ok {
		if err := p.Parse(r.attempt, r.text); err != nil {
			return err
		}
	}
	if s.State != storage.StatusRedeemed {
		return &mfa.Error{Code: mfa.InvalidPasscode}
	}
	_, err := r.method.Finish(ctx, r.attempt, v.dataOf(s).State, r.text)
	if err == nil || mfa.CodeOf(err) == mfa.PasscodeExpired {
		return &mfa.Error{Code: mfa.Replayed}
	}
	return err
}
