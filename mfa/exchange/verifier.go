package exchange

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/audit"
	"sallyport/mfa/budget"
	"sallyport/mfa/recovery"
	"sallyport/storage"
	"sallyport/storage/seal"
)

// Store is the slice of storage the Verifier needs.
type Store interface {
	storage.Users
	storage.Authenticators
	storage.AuthRequests
	storage.Statuses
	storage.Throttles
	storage.Steps
}

// Options of a Verifier. Zero values mean the defaults in the comments.
type Options struct {
	Product            string        // who writes mails and issues otpauth addresses
	MaxAttempts        int           // answers per exchange: 5
	MaxInitiations     int           // tries per authorization request: 20
	ExchangeTTL        time.Duration // 5 minutes
	EnrollTTL          time.Duration // 10 minutes
	VerifiedTTL        time.Duration // to be redeemed: 5 minutes
	Reauth             time.Duration // how old the proof before a first enrolment may be: 15 minutes
	RecoveryCodes      int           // codes of a new set: 10
	AddressMax         int           // failures per address: 100; below 0: no such limit
	AddressMaxSubjects int           // different names failing per address: 10
	AddressWindow      time.Duration // 10 minutes
	// Admit bounds what callers make a server write who have proven nothing; nil: not bounded.
	Admit budget.Admit
	// Throttled, if not nil, is told the method of every answer that was refused because
	// of failures before, and whose counter it was. It must not block.
	Throttled func(method, bucket string)
}

func (o Options) filled() Options {
	o.MaxAttempts = cmp.Or(o.MaxAttempts, 5)
	o.MaxInitiations = cmp.Or(o.MaxInitiations, 20)
	o.ExchangeTTL = cmp.Or(o.ExchangeTTL, 5*time.Minute)
	o.EnrollTTL = cmp.Or(o.EnrollTTL, 10*time.Minute)
	o.VerifiedTTL = cmp.Or(o.VerifiedTTL, 5*time.Minute)
	o.Reauth = cmp.Or(o.Reauth, 15*time.Minute)
	o.RecoveryCodes = cmp.Or(o.RecoveryCodes, 10)
	o.AddressMax = cmp.Or(o.AddressMax, 100)
	o.AddressMaxSubjects = cmp.Or(o.AddressMaxSubjects, 10)
	o.AddressWindow = cmp.Or(o.AddressWindow, 10*time.Minute)
	return o
}

// Verifier counts, spends and speaks for all methods.
type Verifier struct {
	store    Store
	keyring  *seal.Keyring
	journal  *audit.Journal
	now      func() time.Time
	random   io.Reader
	o        Options
	methods  map[string]mfa.Method
	infos    []mfa.Info
	begun    atomic.Int64
	recovery *recovery.Method // makes codes with the first second factor; nil: none are made
}

// NewVerifier returns a Verifier of these methods, in the order they are offered.
func NewVerifier(store Store, keyring *seal.Keyring, journal *audit.Journal, now func() time.Time, random io.Reader, o Options, methods ...mfa.Method) *Verifier {
	v := &Verifier{store: store, keyring: keyring, journal: journal, now: now, random: random, o: o.filled(),
		methods: map[string]mfa.Method{}}
	for _, m := range methods {
		i := m.Info()
		v.methods[i.Name] = m
		v.infos = append(v.infos, i)
		if r, ok := m.(*recovery.Method); ok {
			v.recovery = r
		}
	}
	return v
}

// Initiated returns how many tries were begun since the server started. Before the first
// factor that is all that is known of them: who begins one has proven nothing, and a line
// of the audit trail for each would be theirs to write.
func (v *Verifier) Initiated() int64 { return v.begun.Load() }

// Methods describes the methods in the order they are offered.
func (v *Verifier) Methods() []mfa.Info { return slices.Clone(v.infos) }

// Info describes a method.
func (v *Verifier) Info(name string) (mfa.Info, bool) {
	m, ok := v.methods[name]
	if !ok {
		return mfa.Info{}, false
	}
	return m.Info(), true
}

// alarm notes secrets that do not open: somebody changed them or moved them to
// another row. They prove nothing, and somebody should look.
func (v *Verifier) alarm(caller mfa.Caller, t try) {
	if t.attempt.Account == nil {
		return
	}
	for _, a := range t.attempt.Account.Authenticators {
		if a.Broken && a.Method == t.about.Detail["method"] {
			v.note(caller, t.about, mfa.EventDecryptFailure, mfa.OutcomeFailed, "authenticator "+string(a.ID))
		}
	}
}

// note writes an event nobody waits for, and anybody can cause.
func (v *Verifier) note(caller mfa.Caller, about storage.Event, kind, outcome, reason string) {
	v.journal.Refusal(caller, budget.Failures, v.event(caller, about, kind, outcome, reason))
}

func (v *Verifier) event(caller mfa.Caller, about storage.Event, kind, outcome, reason string) storage.Event {
	about.Kind, about.Outcome = kind, outcome
	about.Detail = maps.Clone(about.Detail)
	if reason != "" {
		if about.Detail == nil {
			about.Detail = map[string]string{}
		}
		about.Detail["reason"] = reason
	}
	return v.journal.Event(caller, about)
}

// hash128 is a stable value of identifier shape that only the server can make.
func (v *Verifier) hash128(purpose, value string) [16]byte {
	var out [16]byte
	copy(out[:], v.keyring.MAC("subject", purpose, value))
	return out
}

// RecoveryCodes returns a user's unused recovery codes as they are shown.
func (v *Verifier) RecoveryCodes(ctx context.Context, user storage.UserID) ([]string, error) {
	codes, err := v.store.RecoveryCodes(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("read recovery codes: %w", err)
	}
	return recovery.ShowAll(codes), nil
}

// Shapes lists the shapes of a method; nil where there is nothing to choose.
func (v *Verifier) Shapes(method string) []mfa.Shape {
	if m, ok := v.methods[method].(mfa.Shaper); ok {
		return m.Shapes()
	}
	return nil
}

// Account returns a user who may sign in. NotSignedIn: there is no such user any more.
func (v *Verifier) Account(ctx context.Context, id storage.UserID) (storage.Account, error) {
	a, err := v.store.Account(ctx, id)
	if errors.Is(err, storage.ErrNotFound) || err == nil && !a.User.In() {
		return storage.Account{}, &mfa.Error{Code: mfa.NotSignedIn}
	}
	if err != nil {
		return storage.Account{}, fmt.Errorf("read account: %w", err)
	}
	return a, nil
}
