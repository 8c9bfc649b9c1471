package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/budget"
	"sallyport/mfa/throttle"
	"sallyport/storage"
)

// failureWait limits the writes about a wrong response whose caller has disconnected.
const failureWait = 3 * time.Second

// response is a user's response to a method, and what a right one writes.
type response struct {
	method  mfa.Method
	attempt mfa.Attempt
	subject subject
	client  storage.ClientID
	text    mfa.Response
	// disabled: the user is disabled, so that no response is right.
	disabled bool

	// address is that of the login; nil: every attempt is counted before it is compared.
	address *storage.AddressState
	// open returns the status of the response, after a place is reserved; nil: none.
	open func() (openStatus, error)
	// keepsPlace keeps the method's place until spend has released it.
	keepsPlace bool
	// event is the audit event of a right response; nil: that of the method.
	event *storage.Event
	// spend adds to the writes of a right response. It may be called twice.
	spend func(ctx context.Context, s *storage.Spend, t try, p mfa.Proof) error
	// conflict is the code of the refusal when another write came first.
	conflict mfa.Code
}

// openStatus is a status that expects a response.
type openStatus struct {
	exchange storage.ExchangeID
	new      *storage.NewStatus // nil: it is stored
	state    mfa.State
	last     bool // this is its last attempt
}

// process handles every response: it parses it, reserves the method's place, counts the
// attempt, compares, and spends the proof. The proof is spent before the caller learns that it
// was right, and the attempt is counted before the caller learns that it was wrong.
//
// It is counted before the comparison as well, except where nothing has been counted against the
// user since the last success: then a right response is spent on the condition that this is still
// so and that no counter refuses, and is counted if it is not. So callers learn the results of no
// more guesses than the counters allow, however many run at once (docs/decisions/0082).
func (v *Verifier) process(ctx context.Context, caller mfa.Caller, r response) error {
	if p, ok := r.method.(mfa.Parser); ok {
		if err := p.Parse(r.attempt, r.text); err != nil {
			return err
		}
	}
	t := v.newTry(caller, r)
	release, err := v.reserve(ctx, caller, &t)
	if err != nil {
		return err
	}
	defer release()
	var counted storage.Attempt
	var open openStatus
	if r.open != nil {
		if open, err = r.open(); err != nil {
			return err
		}
		counted = storage.Attempt{New: open.new, MaxAttempts: v.o.MaxAttempts}
		if open.new == nil {
			counted.Exchange = open.exchange
		}
	}
	t.counted = counted
	if t.uncounted = v.mayCountLater(r, t, open); !t.uncounted {
		if err := v.count(ctx, caller, &t); err != nil {
			return err
		}
	}
	if open.new != nil {
		v.initiations.Add(1)
	}
	if err := v.checkDisabled(t); err != nil {
		return err
	}
	proof, err := v.compare(ctx, caller, &t, open.state, r.text)
	if err != nil {
		return err
	}
	if err := v.findAccount(ctx, caller, &t, proof); err != nil {
		return err
	}
	err = v.spendProof(ctx, caller, t, proof, r)
	if err == nil || !t.uncounted {
		return err
	}
	// The error tells the caller that the response was right.
	if refusal := v.countLate(ctx, caller, &t); refusal != nil {
		return refusal
	}
	if t.blocked {
		return v.fail(ctx, caller, &t, &mfa.Error{Code: wrongCode(t.method.Info())})
	}
	if !errors.Is(err, errUncounted) {
		return err
	}
	return v.spendProof(ctx, caller, t, proof, r)
}

// errUncounted is the result of a spend that was not counted, when it had to be.
var errUncounted = errors.New("exchange: something was counted against the user meanwhile")

// countLate counts an attempt after its comparison, even if the caller has disconnected. It marks the
// user first, with a commit of its own: whatever refuses the count then, other attempts that were
// not counted are not spent, and the next one is counted before it is compared.
func (v *Verifier) countLate(ctx context.Context, caller mfa.Caller, t *try) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), failureWait)
	defer cancel()
	if t.throttle != nil {
		if err := v.store.MarkFailing(ctx, t.subject.user, t.throttle.Key.Bucket); err != nil {
			return fmt.Errorf("mark failing: %w", err)
		}
	}
	return v.count(ctx, caller, t)
}

// mayCountLater reports whether a response may be counted after its comparison: nothing has been
// counted against its user, its address does not wait, and it is the first try at a factor. Where
// no counter counts it, only the last is needed.
func (v *Verifier) mayCountLater(r response, t try, open openStatus) bool {
	a := t.attempt.Account
	switch {
	case t.free:
		return r.open == nil || open.new != nil && r.address != nil
	case r.address == nil || r.address.Waits && !t.known, a == nil || len(a.Authenticators) == 0 || t.disabled, r.open != nil && open.new == nil:
		return false
	case t.throttle == nil || t.method.Info().Sends:
		return false
	}
	return !slices.ContainsFunc(a.Authenticators, func(x storage.Authenticator) bool {
		return slices.Contains(x.Failing, t.throttle.Key.Bucket)
	})
}

// spendProof spends a proof with what a right response writes.
func (v *Verifier) spendProof(ctx context.Context, caller mfa.Caller, t try, proof mfa.Proof, r response) error {
	if t.uncounted && proof.Spend.Authenticator == "" {
		return errUncounted // no row orders it and a failure
	}
	spend := v.spend(caller, t, proof, r.event)
	if t.uncounted && (r.address == nil || !r.address.Failures) { // nothing was counted that could be taken back
		spend.TakeBack = nil
	}
	if err := r.spend(ctx, &spend, t, proof); err != nil {
		return err
	}
	return v.settle(ctx, caller, t, proof, spend, r.conflict)
}

// reserve reserves the method's place, if it needs one. It refuses a caller without budget
// for a failure, but not in a browser that the user signed in with before: its network may be
// full of others. Nor does it refuse a response that cannot be guessed. Where no place is free, it also refuses one whose attempt a counter would
// refuse: else one blocked address could fill the queue with attempts that are not compared.
func (v *Verifier) reserve(ctx context.Context, caller mfa.Caller, t *try) (func(), error) {
	t.release = func() {}
	if !t.known && !t.free {
		if err := v.o.Admit.Spend(caller, budget.Failures, 0); err != nil {
			return nil, err
		}
	}
	r, ok := t.method.(mfa.Reserver)
	if !ok {
		return t.release, nil
	}
	from := t.network
	if t.known {
		from = "user " + string(t.subject.user)
	}
	p := mfa.Place{From: from, Queue: func(ctx context.Context) error {
		refusal, err := v.store.WouldRefuse(ctx, t.withCounters(storage.Attempt{}))
		return v.checkRefusal(caller, refusal, err, t.attempt.Now, t.about, t.lockedEvent)
	}}
	release, err := r.Reserve(ctx, p)
	if err != nil {
		return nil, err
	}
	t.release = sync.OnceFunc(release)
	return t.release, nil
}

// compare lets the method check the response, counts a wrong one as a failure, and releases
// the method's place unless keepsPlace is set.
func (v *Verifier) compare(ctx context.Context, caller mfa.Caller, t *try, s mfa.State, r mfa.Response) (mfa.Proof, error) {
	v.noteBroken(caller, *t)
	attempt := t.attempt
	if t.blocked {
		attempt.Account, attempt.Authenticator = nil, nil // as costly as a wrong response
	}
	proof, err := t.method.Finish(ctx, attempt, s, r)
	if !t.keepsPlace {
		t.release()
	}
	if err == nil && t.blocked {
		err = &mfa.Error{Code: wrongCode(t.method.Info())}
	}
	if a := t.attempt.Account; err == nil && (a != nil && proof.User != a.User.ID || a == nil && t.attempt.Usage != mfa.UsageFirst) {
		err = &mfa.Error{Code: mfa.InvalidPasscode} // only a first factor may identify the user
	}
	switch code := mfa.CodeOf(err); code {
	case "":
		return proof, err
	case mfa.Replayed, mfa.PasscodeExpired:
		if t.uncounted {
			if err := v.countLate(ctx, caller, t); err != nil {
				return mfa.Proof{}, err
			}
		}
		if t.blocked {
			return mfa.Proof{}, v.fail(ctx, caller, t, &mfa.Error{Code: wrongCode(t.method.Info())})
		}
		return mfa.Proof{}, v.noteReplay(ctx, caller, *t, code)
	case mfa.InvalidPasscode, mfa.InvalidCredentials:
		return mfa.Proof{}, v.fail(ctx, caller, t, err)
	}
	return mfa.Proof{}, err
}

// fail counts a wrong response, even if the caller has disconnected: with half of the connection
// closed they can still read the result. It returns the error for the caller: wrong, or that of a
// counter that refuses an attempt not counted before.
func (v *Verifier) fail(ctx context.Context, caller mfa.Caller, t *try, wrong error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), failureWait)
	defer cancel()
	if t.uncounted {
		if err := v.countLate(ctx, caller, t); err != nil {
			return err
		}
	}
	code := mfa.CodeOf(wrong)
	if err := v.noteFailure(ctx, caller, *t, code); err != nil {
		return &mfa.Error{Code: code, Err: err}
	}
	return wrong
}

// noteFailure logs a wrong response and counts it against the address and the typed name.
func (v *Verifier) noteFailure(ctx context.Context, caller mfa.Caller, t try, code mfa.Code) error {
	reason := string(code)
	switch {
	case t.disabled:
		reason = mfa.ReasonDisabledUser
	case t.blocked:
		reason = string(mfa.TooMany)
	}
	mfa.Refused(ctx, mfa.Refusal{Reason: reason, Event: t.failedEvent})
	v.noteTry(caller, t, reason)
	if err := v.store.CountFailure(ctx, t.withCounters(storage.Attempt{})); err != nil {
		return fmt.Errorf("count failure: %w", err)
	}
	return v.disableAtLimit(ctx, caller, t)
}

// findAccount loads the account of a user whom the method identified. It returns
// InvalidCredentials if the user may not sign in.
func (v *Verifier) findAccount(ctx context.Context, caller mfa.Caller, t *try, proof mfa.Proof) error {
	if t.attempt.Account != nil {
		return nil
	}
	account, err := v.store.Account(ctx, proof.User)
	if err != nil {
		return mfa.Refuse("read account", err, storage.ErrNotFound, mfa.InvalidCredentials)
	}
	if isDisabled(&account) {
		t.about.UserID = account.User.ID
		v.noteTry(caller, *t, mfa.ReasonDisabledUser)
		mfa.Refused(ctx, mfa.Refusal{Reason: mfa.ReasonDisabledUser, Event: t.failedEvent})
		return &mfa.Error{Code: mfa.InvalidCredentials}
	}
	t.attempt.Account, t.subject.user = &account, ""
	return nil
}

// isDisabled reports whether an account, which may be nil, is of a disabled user.
func isDisabled(a *storage.Account) bool { return a != nil && a.User.Status == storage.UserDisabled }

// wrongCode returns the code for a wrong response to a method.
func wrongCode(i mfa.Info) mfa.Code {
	if i.Bucket == throttle.Password {
		return mfa.InvalidCredentials
	}
	return mfa.InvalidPasscode
}
