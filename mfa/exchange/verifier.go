package exchange

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/audit"
	"sallyport/mfa/budget"
	"sallyport/mfa/enrollcode"
	"sallyport/mfa/recovery"
	"sallyport/storage"
	"sallyport/storage/seal"
)

// Store is the part of storage a Verifier uses.
type Store interface {
	storage.Users
	storage.Authenticators
	storage.AuthRequests
	storage.Statuses
	storage.Throttles
	storage.Steps
	Message(ctx context.Context, id storage.MessageID) (storage.Message, error)
}

// Options of a Verifier. Zero values mean the defaults in the comments.
type Options struct {
	Product            string        // the sender named in messages, and the issuer of otpauth addresses
	MaxAttempts        int           // responses per exchange: 5
	MaxInitiations     int           // tries per authorization request: 20
	ExchangeTTL        time.Duration // 5 minutes
	EnrollTTL          time.Duration // 10 minutes
	VerifiedTTL        time.Duration // time to redeem: 5 minutes
	Reauth             time.Duration // maximum age of the proof before a first enrolment: 15 minutes
	RecoveryCodes      int           // codes of a new set: 10
	AddressMax         int           // failures per address: 100; negative: no limit
	AddressMaxSubjects int           // different names failing per address: 10
	AddressWindow      time.Duration // 10 minutes
	// SendsMail: the server sends mail, so that enrollment codes can be mailed.
	SendsMail bool
	// Admit bounds the writes of unauthenticated callers; nil: no limit.
	Admit budget.Admit
	// Throttled, if not nil, is called for every response refused because of earlier
	// failures, with the bucket that refused. It must not block.
	Throttled func(method, bucket string)
}

func (o Options) withDefaults() Options {
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

// Verifier counts attempts and spends proofs for all methods.
type Verifier struct {
	store       Store
	keyring     *seal.Keyring
	journal     *audit.Journal
	now         func() time.Time
	random      io.Reader
	o           Options
	methods     map[string]mfa.Method
	infos       []mfa.Info
	initiations atomic.Int64
	recovery    *recovery.Method // creates codes with the first second factor; nil: none
	enrollcode  *enrollcode.Method
}

// NewVerifier returns a Verifier of these methods, in the order they are offered.
func NewVerifier(store Store, keyring *seal.Keyring, journal *audit.Journal, now func() time.Time, random io.Reader, o Options, methods ...mfa.Method) *Verifier {
	v := &Verifier{store: store, keyring: keyring, journal: journal, now: now, random: random, o: o.withDefaults(),
		methods: map[string]mfa.Method{}, enrollcode: enrollcode.New(keyring, random)}
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

// Initiations returns how many tries were initiated since the server started. Tries before
// the first factor have no audit events: unauthenticated callers could write any number.
func (v *Verifier) Initiations() int64 { return v.initiations.Load() }

// Methods returns the methods in the order they are offered, for reading only.
func (v *Verifier) Methods() []mfa.Info { return slices.Clip(v.infos) }

// Info returns the Info of a method, and false if it is not configured.
func (v *Verifier) Info(name string) (mfa.Info, bool) {
	m, ok := v.methods[name]
	if !ok {
		return mfa.Info{}, false
	}
	return m.Info(), true
}

// noteBroken logs authenticators whose secret cannot be decrypted: it was changed or moved
// to another row.
func (v *Verifier) noteBroken(caller mfa.Caller, t try) {
	if t.attempt.Account == nil {
		return
	}
	for _, a := range t.attempt.Account.Authenticators {
		if a.Broken && a.Method == t.about.Detail["method"] {
			v.note(caller, t.about, mfa.EventDecryptFailure, mfa.OutcomeFailed, "authenticator "+string(a.ID))
		}
	}
}

// note writes an event that any caller can cause, outside of a transaction.
func (v *Verifier) note(caller mfa.Caller, about storage.Event, kind, outcome, reason string) {
	v.journal.NoteRefusal(caller, budget.Failures, v.event(caller, about, kind, outcome, reason))
}

// noteTry writes an event of a try. In a browser that the user signed in with before, the
// counters of the user and of the browser bound these events: its network may have no budget
// left, and the try is compared all the same.
func (v *Verifier) noteTry(caller mfa.Caller, t try, reason string) {
	if t.known {
		v.journal.Note(v.event(caller, t.about, t.failedEvent, mfa.OutcomeRefused, reason))
		return
	}
	v.note(caller, t.about, t.failedEvent, mfa.OutcomeRefused, reason)
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

// hash128 returns a keyed hash in the form of an identifier.
func (v *Verifier) hash128(purpose, value string) [16]byte {
	var out [16]byte
	copy(out[:], v.keyring.MAC("subject", purpose, value))
	return out
}

// RecoveryCodes returns a user's unused recovery codes in their display form.
func (v *Verifier) RecoveryCodes(ctx context.Context, user storage.UserID) ([]string, error) {
	codes, err := v.store.RecoveryCodes(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("read recovery codes: %w", err)
	}
	return recovery.ShowAll(codes), nil
}

// ShapeOf returns the shape of an authenticator; zero: its method has none to choose from.
func (v *Verifier) ShapeOf(a storage.Authenticator) mfa.Shape {
	var s mfa.Shape
	if v.Shapes(a.Method) == nil || json.Unmarshal(a.Data, &s) != nil {
		return mfa.Shape{}
	}
	return s
}

// digitsOf returns the length of an authenticator's codes; 0: unknown.
func (v *Verifier) digitsOf(a storage.Authenticator) int {
	i, _ := v.Info(a.Method)
	return cmp.Or(i.Digits, v.ShapeOf(a).Digits)
}

// Shapes returns the shapes of a method; nil if it has none to choose from.
func (v *Verifier) Shapes(method string) []mfa.Shape {
	if m, ok := v.methods[method].(mfa.Shaper); ok {
		return m.Shapes()
	}
	return nil
}

// Account returns a user who may sign in, and NotSignedIn if there is no such user.
func (v *Verifier) Account(ctx context.Context, id storage.UserID) (storage.Account, error) {
	a, err := v.store.Account(ctx, id)
	if err == nil && !a.User.In() {
		return storage.Account{}, &mfa.Error{Code: mfa.NotSignedIn}
	}
	return a, mfa.Refuse("read account", err, storage.ErrNotFound, mfa.NotSignedIn)
}
