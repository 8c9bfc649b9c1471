package mfa

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

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
	AddressMaxSubjects int           // different users failing per address: 10
	AddressWindow      time.Duration // 10 minutes
	// Throttled, if not nil, is told the method of every answer that was refused because
	// of failures before, and whose counter it was. It must not block.
	Throttled func(method, bucket string)
}

func (o Options) filled() Options {
	o.MaxAttempts = or(o.MaxAttempts, 5)
	o.MaxInitiations = or(o.MaxInitiations, 20)
	o.ExchangeTTL = or(o.ExchangeTTL, 5*time.Minute)
	o.EnrollTTL = or(o.EnrollTTL, 10*time.Minute)
	o.VerifiedTTL = or(o.VerifiedTTL, 5*time.Minute)
	o.Reauth = or(o.Reauth, 15*time.Minute)
	o.RecoveryCodes = or(o.RecoveryCodes, 10)
	o.AddressMax = or(o.AddressMax, 100)
	o.AddressMaxSubjects = or(o.AddressMaxSubjects, 10)
	o.AddressWindow = or(o.AddressWindow, 10*time.Minute)
	return o
}

// Parser is a Method that tells a malformed response before anything is counted.
type Parser interface {
	Parse(a Attempt, r Response) error
}

// Reserver is a Method whose Finish is costly. The place is reserved before the
// attempt is counted, so that a full queue costs nobody a try.
type Reserver interface {
	Reserve(ctx context.Context, p Place) (release func(), err error)
}

// Verifier counts, spends and speaks for all methods.
type Verifier struct {
	store    Store
	keyring  *seal.Keyring
	journal  *Journal
	now      func() time.Time
	random   io.Reader
	o        Options
	methods  map[string]Method
	infos    []Info
	recovery *Recovery // makes codes with the first second factor; nil: none are made
}

// NewVerifier returns a Verifier of these methods, in the order they are offered.
func NewVerifier(store Store, keyring *seal.Keyring, journal *Journal, now func() time.Time, random io.Reader, o Options, methods ...Method) *Verifier {
	v := &Verifier{store: store, keyring: keyring, journal: journal, now: now, random: random, o: o.filled(),
		methods: map[string]Method{}}
	for _, m := range methods {
		i := m.Info()
		v.methods[i.Name] = m
		v.infos = append(v.infos, i)
		if r, ok := m.(*Recovery); ok {
			v.recovery = r
		}
	}
	return v
}

// Methods describes the methods in the order they are offered.
func (v *Verifier) Methods() []Info { return slices.Clone(v.infos) }

// Info describes a method.
func (v *Verifier) Info(name string) (Info, bool) {
	m, ok := v.methods[name]
	if !ok {
		return Info{}, false
	}
	return m.Info(), true
}

// Proving is the login a proof is for, as provider read and checked it.
type Proving struct {
	Request    storage.AuthRequest
	Account    *storage.Account // of the request's subject, else of the identifier; nil: unknown
	Identifier string           // canonical; what was typed, for decoys and counters
	Policy     Policy
	Asked      Asked
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
func (v *Verifier) masked(p Proving, user storage.UserID) string {
	if p.Sub != "" {
		return p.Sub
	}
	return v.keyring.Mask(p.Request.ID, user)
}

// verdict is the policy table over the proofs of the request.
func (v *Verifier) verdict(p Proving) Verdict {
	return Require(p.Policy, p.Account, p.Request.Factors, p.Asked, v.infos, v.now())
}

// try is one answer on its way: counted, compared, spent.
type try struct {
	method   Method
	attempt  Attempt
	who      whom
	throttle *storage.Throttle // nil: the exchange alone bounds it
	address  *storage.AddressThrottle
	about    storage.Event // template of its events
	failed   string        // event kinds
	locked   string
	release  func() // gives back the method's place, once
}

func (t try) throttles() []storage.Throttle {
	if t.throttle == nil {
		return nil
	}
	return []storage.Throttle{*t.throttle}
}

// counter is what this attempt was counted in.
func (t try) counter() []storage.ThrottleKey {
	if t.throttle == nil {
		return nil
	}
	return []storage.ThrottleKey{t.throttle.Key}
}

// keys are the counters a right answer resets: those from before a rotation of the
// hash key too, or they would come back when they are moved.
func (t try) keys() []storage.ThrottleKey {
	keys := t.counter()
	if keys == nil {
		return nil
	}
	for _, subject := range t.who.older {
		if t.throttle.Key.Bucket != BucketDevice && !bytes.Equal(subject, t.throttle.Key.Subject) {
			keys = append(keys, storage.ThrottleKey{Bucket: t.throttle.Key.Bucket, Subject: subject})
		}
	}
	return keys
}

// bucketOf chooses the counter of a usage; "" counts in none. What anybody can try
// who knows a name never counts where the second factor does. Enrolling with a wrong
// code guesses nothing: the secret is on the caller's own screen.
func bucketOf(i Info, usage string) string {
	switch {
	case usage == UsageEnroll:
		return ""
	case i.Bucket == BucketPassword:
		return BucketPassword
	case usage != UsageSecond:
		return BucketPasswordless
	}
	return BucketFactor
}

// newTry prepares an answer to be counted.
func (v *Verifier) newTry(visit Visit, m Method, a Attempt, w whom, client storage.ClientID) try {
	i := m.Info()
	t := try{method: m, attempt: a, who: w, address: v.address(visit, w.subject), failed: EventMFAFailed, locked: EventMFALocked,
		about: storage.Event{UserID: w.user, ClientID: client, Detail: map[string]string{"method": i.Name, "usage": a.Usage}}}
	if i.Bucket == BucketPassword {
		t.failed, t.locked = EventPasswordFailed, EventPasswordLocked
	}
	if bucket := bucketOf(i, a.Usage); bucket != "" && w.subject != nil {
		th := v.throttle(visit, bucket, w)
		t.throttle = &th
	}
	return t
}

// parse refuses a malformed response before anything is counted.
func parse(m Method, a Attempt, r Response) error {
	if p, ok := m.(Parser); ok {
		return p.Parse(a, r)
	}
	return nil
}

// reserve takes the method's place, if it needs one. Where none is free, whoever would
// be refused for a running wait is refused now: else one blocked address could fill
// the queue with attempts that are not even compared.
func (v *Verifier) reserve(ctx context.Context, visit Visit, t *try) (func(), error) {
	t.release = func() {}
	r, ok := t.method.(Reserver)
	if !ok {
		return t.release, nil
	}
	p := Place{Queue: func(ctx context.Context) error {
		a := storage.Attempt{Throttles: t.throttles(), Address: t.address, Now: t.attempt.Now}
		refusal, err := v.store.WouldRefuse(ctx, a)
		return v.passed(visit, refusal, err, a.Now, t.about, t.locked)
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
func (v *Verifier) compare(ctx context.Context, visit Visit, t try, s State, r Response) (Proof, error) {
	v.alarm(visit, t)
	proof, err := t.method.Finish(ctx, t.attempt, s, r)
	t.release()
	if a := t.attempt.Account; err == nil && (a != nil && proof.User != a.User.ID || a == nil && t.attempt.Usage != UsageFirst) {
		err = &Error{Code: InvalidPasscode} // only a first factor may find its user by itself
	}
	switch code := CodeOf(err); code {
	case "":
		return proof, err
	case Replayed:
		return Proof{}, v.replayed(ctx, visit, t)
	case InvalidPasscode, InvalidCredentials:
		if failure := v.failure(ctx, visit, t, code); failure != nil {
			return Proof{}, &Error{Code: code, Err: failure}
		}
	}
	return Proof{}, err
}

// failure accounts for a wrong answer, also for a caller who has hung up: whoever
// closes their half of the connection while the answer is looked for still reads it.
func (v *Verifier) failure(ctx context.Context, visit Visit, t try, code Code) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), failureWait)
	defer cancel()
	v.note(visit, t.about, t.failed, OutcomeRefused, string(code))
	if t.address != nil {
		if err := v.store.CountFailure(ctx, *t.address, t.attempt.Now); err != nil {
			return fmt.Errorf("count failure: %w", err)
		}
	}
	return v.lockIfOver(ctx, visit, t)
}

// alarm notes secrets that do not open: somebody changed them or moved them to
// another row. They prove nothing, and somebody should look.
func (v *Verifier) alarm(visit Visit, t try) {
	if t.attempt.Account == nil {
		return
	}
	for _, a := range t.attempt.Account.Authenticators {
		if a.Broken && a.Method == t.about.Detail["method"] {
			v.note(visit, t.about, EventDecryptFailure, OutcomeFailed, "authenticator "+string(a.ID))
		}
	}
}

// note writes an event nobody waits for.
func (v *Verifier) note(visit Visit, about storage.Event, kind, outcome, reason string) {
	v.journal.Note(v.event(visit, about, kind, outcome, reason))
}

func (v *Verifier) event(visit Visit, about storage.Event, kind, outcome, reason string) storage.Event {
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
func proven(method string, proof Proof, now time.Time) *storage.Factor {
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
		codes[i] = ShowRecovery(c)
	}
	return codes, nil
}
