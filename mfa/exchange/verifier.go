package exchange

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/audit"
	"sallyport/mfa/budget"
	"sallyport/mfa/recovery"
	"sallyport/mfa/throttle"
	"sallyport/storage"
	"sallyport/storage/seal"
)

// failureWait bounds what is written about a wrong answer after its caller has left.
const failureWait = 3 * time.Second

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

// Proving is the login a proof is for, as provider read and checked it.
type Proving struct {
	Request    storage.AuthRequest
	Account    *storage.Account // of the request's subject, else of the identifier; nil: unknown
	Identifier string           // canonical; what was typed, for decoys and counters
	Policy     mfa.Policy
	Asked      mfa.Asked
	// Login, if not nil, is the login of its own that a first factor begins, because the
	// caller is not the owner of the request. Request then says nothing of what was
	// proven in it by others.
	Login *storage.NewLogin
	// Sub names the user of the login to its owner; "": nobody is proven yet.
	Sub string
}

// advance writes a proven factor where the caller's login is: into the request, or
// into a login of its own.
func (p Proving) advance(s *storage.Spend, user storage.UserID, f *storage.Factor, now time.Time) {
	if p.Login == nil {
		s.Request = &storage.RequestChange{ID: p.Request.ID, Version: p.Request.Version, Subject: user, Factor: f, Now: now}
		return
	}
	n := *p.Login
	n.Login.Subject, n.Login.Factors = user, []storage.Factor{*f}
	s.Login = &n
}

// initiations are the tries a caller may begin: strangers leave half of them to the owner.
func (p Proving) initiations(most int) int {
	if p.Login != nil {
		return (most + 1) / 2
	}
	return most
}

// masked names a user of a login to its callers.
//
// While nobody is identified it is the name's: two names of one user have two.
func (v *Verifier) masked(p Proving, user storage.UserID) string {
	if p.Sub != "" {
		return p.Sub
	}
	if p.anonymous() {
		user = storage.FromBytes[storage.UserID](v.hash128("name's user", string(v.face(p.Identifier))))
	}
	return v.keyring.Mask(p.Request.ID, user)
}

// verdict is the policy table over the proofs of the request.
func (v *Verifier) verdict(p Proving) mfa.Verdict {
	return mfa.Require(p.Policy, p.Account, p.Request.Factors, p.Asked, v.infos, v.now())
}

// parse refuses a malformed response before anything is counted.
func parse(m mfa.Method, a mfa.Attempt, r mfa.Response) error {
	if p, ok := m.(mfa.Parser); ok {
		return p.Parse(a, r)
	}
	return nil
}

// reserve takes the method's place, if it needs one. Nobody is let in for whose failure
// there is no budget left. Where no place is free, whoever would be refused for a running
// wait is refused now: else one blocked address could fill the queue with attempts that
// are not even compared.
func (v *Verifier) reserve(ctx context.Context, visit mfa.Caller, t *try) (func(), error) {
	t.release = func() {}
	if err := v.o.Admit.Spend(visit, budget.Failures, 0); err != nil {
		return nil, err
	}
	r, ok := t.method.(mfa.Reserver)
	if !ok {
		return t.release, nil
	}
	p := mfa.Place{Queue: func(ctx context.Context) error {
		refusal, err := v.store.WouldRefuse(ctx, t.counts(storage.Attempt{}))
		return v.passed(visit, refusal, err, t.attempt.Now, t.about, t.locked)
	}}
	if t.address != nil {
		p.From = t.address.Address
	}
	release, err := r.Reserve(ctx, p)
	if err != nil {
		return nil, err
	}
	t.release = sync.OnceFunc(release)
	return t.release, nil
}

// compare asks the method, after the attempt was counted, and accounts for a no. The
// method's place is free from then on: what is written next computes nothing.
func (v *Verifier) compare(ctx context.Context, visit mfa.Caller, t try, s mfa.State, r mfa.Response) (mfa.Proof, error) {
	v.alarm(visit, t)
	attempt := t.attempt
	if t.waits {
		attempt.Account, attempt.Authenticator = nil, nil // it costs what a wrong answer costs
	}
	proof, err := t.method.Finish(ctx, attempt, s, r)
	t.release()
	if err == nil && t.waits {
		err = &mfa.Error{Code: wrong(t.method.Info())}
	}
	if a := t.attempt.Account; err == nil && (a != nil && proof.User != a.User.ID || a == nil && t.attempt.Usage != mfa.UsageFirst) {
		err = &mfa.Error{Code: mfa.InvalidPasscode} // only a first factor may find its user by itself
	}
	switch code := mfa.CodeOf(err); code {
	case "":
		return proof, err
	case mfa.Replayed:
		return mfa.Proof{}, v.replayed(ctx, visit, t)
	case mfa.InvalidPasscode, mfa.InvalidCredentials:
		if failure := v.failure(ctx, visit, t, code); failure != nil {
			return mfa.Proof{}, &mfa.Error{Code: code, Err: failure}
		}
	}
	return mfa.Proof{}, err
}

// failure accounts for a wrong answer, also for a caller who has hung up: whoever
// closes their half of the connection while the answer is looked for still reads it.
func (v *Verifier) failure(ctx context.Context, visit mfa.Caller, t try, code mfa.Code) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), failureWait)
	defer cancel()
	reason := code
	if t.waits {
		reason = mfa.TooMany // the caller is not told
	}
	v.note(visit, t.about, t.failed, mfa.OutcomeRefused, string(reason))
	if err := v.store.CountFailure(ctx, t.counts(storage.Attempt{})); err != nil {
		return fmt.Errorf("count failure: %w", err)
	}
	return v.lockIfOver(ctx, visit, t)
}

// wrong is the answer of a method to what does not prove its user.
func wrong(i mfa.Info) mfa.Code {
	if i.Bucket == throttle.Password {
		return mfa.InvalidCredentials
	}
	return mfa.InvalidPasscode
}

// alarm notes secrets that do not open: somebody changed them or moved them to
// another row. They prove nothing, and somebody should look.
func (v *Verifier) alarm(visit mfa.Caller, t try) {
	if t.attempt.Account == nil {
		return
	}
	for _, a := range t.attempt.Account.Authenticators {
		if a.Broken && a.Method == t.about.Detail["method"] {
			v.note(visit, t.about, mfa.EventDecryptFailure, mfa.OutcomeFailed, "authenticator "+string(a.ID))
		}
	}
}

// note writes an event nobody waits for, and anybody can cause.
func (v *Verifier) note(visit mfa.Caller, about storage.Event, kind, outcome, reason string) {
	v.journal.Refusal(visit, budget.Failures, v.event(visit, about, kind, outcome, reason))
}

func (v *Verifier) event(visit mfa.Caller, about storage.Event, kind, outcome, reason string) storage.Event {
	about.Kind, about.Outcome = kind, outcome
	about.Detail = maps.Clone(about.Detail)
	if reason != "" {
		if about.Detail == nil {
			about.Detail = map[string]string{}
		}
		about.Detail["reason"] = reason
	}
	return v.journal.Event(visit, about)
}

// hash128 is a stable value of identifier shape that only the server can make.
func (v *Verifier) hash128(purpose, value string) [16]byte {
	var out [16]byte
	copy(out[:], v.keyring.MAC("subject", purpose, value))
	return out
}

// proven is the factor a proof becomes.
func proven(method string, proof mfa.Proof, now time.Time) *storage.Factor {
	return &storage.Factor{Method: method, Authenticator: proof.Authenticator, Kinds: proof.Kinds, AMR: proof.AMR,
		PhishingResistant: proof.PhishingResistant, At: now.Truncate(time.Microsecond)}
}

// RecoveryCodes returns a user's unused recovery codes as they are shown.
func (v *Verifier) RecoveryCodes(ctx context.Context, user storage.UserID) ([]string, error) {
	codes, err := v.store.RecoveryCodes(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("read recovery codes: %w", err)
	}
	for i, c := range codes {
		codes[i] = recovery.Show(c)
	}
	return codes, nil
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
