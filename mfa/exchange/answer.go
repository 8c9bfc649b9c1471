package exchange

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/budget"
	"sallyport/mfa/throttle"
	"sallyport/storage"
)

// failureWait bounds the writes about a wrong response after its caller has hung up.
const failureWait = 3 * time.Second

// response is a user's response to a method, and what a right one writes.
type response struct {
	method  mfa.Method
	attempt mfa.Attempt
	subject subject
	client  storage.ClientID
	text    mfa.Response

	// open returns the status the response is for, once the method has a place; nil: none.
	open func() (openStatus, error)
	// keepsPlace keeps the method's place for spend, which computes too.
	keepsPlace bool
	// event is the audit line of a right response; nil: that of the attempt.
	event *storage.Event
	// spend adds to what every right response writes.
	spend func(s *storage.Spend, t try, p mfa.Proof) error
	// conflict is the refusal when something else was written first.
	conflict mfa.Code
}

// openStatus is a status that waits for a response.
type openStatus struct {
	exchange storage.ExchangeID
	new      *storage.NewStatus // nil: it is stored already
	state    mfa.State
	last     bool // this is the last attempt it takes
}

// answer takes every response there is, whatever the surface: it checks the form, takes
// the method's place, counts the attempt, compares, and spends the proof. The count is
// committed before the comparison, and the proof is spent before the caller learns that
// it was right.
func (v *Verifier) answer(ctx context.Context, caller mfa.Caller, r response) error {
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
	var on openStatus
	if r.open != nil {
		if on, err = r.open(); err != nil {
			return err
		}
		counted = storage.Attempt{New: on.new, MaxAttempts: v.o.MaxAttempts}
		if on.new == nil {
			counted.Exchange = on.exchange
		}
	}
	if err := v.count(ctx, caller, &t, counted); err != nil {
		return err
	}
	if on.new != nil {
		v.begun.Add(1)
	}
	if err := v.switchedOff(t); err != nil {
		return err
	}
	proof, err := v.compare(ctx, caller, t, on.state, r.text)
	if err != nil {
		return err
	}
	if err := v.find(ctx, &t, proof); err != nil {
		return err
	}
	spend := v.spend(caller, t, proof, r.event)
	if err := r.spend(&spend, t, proof); err != nil {
		return err
	}
	return v.settle(ctx, caller, t, proof, spend, r.conflict)
}

// reserve takes the method's place, if it needs one. A caller without budget for a failure
// gets none. Where no place is free, a caller who would have to wait anyway is refused
// now: else one blocked address could fill the queue with attempts that are not compared.
func (v *Verifier) reserve(ctx context.Context, caller mfa.Caller, t *try) (func(), error) {
	t.release = func() {}
	if err := v.o.Admit.Spend(caller, budget.Failures, 0); err != nil {
		return nil, err
	}
	r, ok := t.method.(mfa.Reserver)
	if !ok {
		return t.release, nil
	}
	p := mfa.Place{Queue: func(ctx context.Context) error {
		refusal, err := v.store.WouldRefuse(ctx, t.counts(storage.Attempt{}))
		return v.passed(caller, refusal, err, t.attempt.Now, t.about, t.locked)
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

// compare asks the method, after the attempt was counted, and accounts for a wrong
// response. It frees the method's place: what is written next computes nothing.
func (v *Verifier) compare(ctx context.Context, caller mfa.Caller, t try, s mfa.State, r mfa.Response) (mfa.Proof, error) {
	v.alarm(caller, t)
	attempt := t.attempt
	if t.waits {
		attempt.Account, attempt.Authenticator = nil, nil // it costs what a wrong response costs
	}
	proof, err := t.method.Finish(ctx, attempt, s, r)
	if !t.keepsPlace {
		t.release()
	}
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
		return mfa.Proof{}, v.replayed(ctx, caller, t)
	case mfa.InvalidPasscode, mfa.InvalidCredentials:
		if failure := v.failure(ctx, caller, t, code); failure != nil {
			return mfa.Proof{}, &mfa.Error{Code: code, Err: failure}
		}
	}
	return mfa.Proof{}, err
}

// failure accounts for a wrong response, also of a caller who has hung up: one who closes
// their half of the connection while the response is compared still reads the result.
func (v *Verifier) failure(ctx context.Context, caller mfa.Caller, t try, code mfa.Code) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), failureWait)
	defer cancel()
	reason := code
	if t.waits {
		reason = mfa.TooMany // which the caller is not told
	}
	v.note(caller, t.about, t.failed, mfa.OutcomeRefused, string(reason))
	if err := v.store.CountFailure(ctx, t.counts(storage.Attempt{})); err != nil {
		return fmt.Errorf("count failure: %w", err)
	}
	return v.lockIfOver(ctx, caller, t)
}

// find loads the account of a user whom the method found by itself. It must be one that
// may sign in.
func (v *Verifier) find(ctx context.Context, t *try, proof mfa.Proof) error {
	if t.attempt.Account != nil {
		return nil
	}
	account, err := v.store.Account(ctx, proof.User)
	if errors.Is(err, storage.ErrNotFound) {
		return &mfa.Error{Code: mfa.InvalidCredentials}
	}
	if err != nil {
		return fmt.Errorf("read account: %w", err)
	}
	if account.User.Status == storage.UserDisabled {
		return &mfa.Error{Code: mfa.InvalidCredentials}
	}
	t.attempt.Account, t.subject.user = &account, ""
	return nil
}

// wrong is the refusal of a method for what does not prove its user.
func wrong(i mfa.Info) mfa.Code {
	if i.Bucket == throttle.Password {
		return mfa.InvalidCredentials
	}
	return mfa.InvalidPasscode
}
