package clientauth

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/budget"
	"sallyport/mfa/throttle"
	"sallyport/provider/clients"
	"sallyport/provider/mtls"
	"sallyport/provider/oauth"
	"sallyport/storage"
)

// A client may fail 20 times within ten minutes from one network. Then it waits ten minutes.
const (
	maxFailures   = 20
	window        = 10 * time.Minute
	slots         = 1 << 14
	cacheWait     = time.Second     // how long a wait is cached
	refundTimeout = 2 * time.Second // to undo the count of an attempt
	turnTimeout   = 3 * time.Second // to wait for other attempts of the slot
)

// recentFailures records which clients failed on this server within the window. Their
// attempts are counted in the database before the secret is compared. The table has a fixed
// size: a keyed hash of client and network selects a slot, which others may share. Then an
// attempt may be counted, and refunded, without need.
type recentFailures []slot

type slot struct {
	turn   atomic.Pointer[turn]       // attempts of a slot run one at a time; nil before the first
	failed int64                      // time of the last failure in microseconds; guarded by turn
	unfit  atomic.Int64               // that of the last certificate that failed
	wait   atomic.Pointer[cachedWait] // the last wait that was read
}

// turn is full while an attempt runs.
type turn chan struct{}

// cachedWait is a wait that is returned without reading the database again.
type cachedWait struct {
	subject     string
	until, read time.Time
}

func newRecentFailures() recentFailures { return make(recentFailures, slots) }

func (s *slot) turns() turn {
	if t := s.turn.Load(); t != nil {
		return *t
	}
	t := make(turn, 1)
	s.turn.CompareAndSwap(nil, &t)
	return *s.turn.Load()
}

func (s recentFailures) slot(subject []byte) *slot {
	return &s[binary.BigEndian.Uint64(subject)%slots]
}

// remaining returns how long a subject still has to wait, if a cached wait says so.
func (s *slot) remaining(subject string, now time.Time) (time.Duration, bool) {
	w := s.wait.Load()
	if w == nil || w.subject != subject || !now.Before(w.until) || now.Sub(w.read) >= cacheWait {
		return 0, false
	}
	return w.until.Sub(now), true
}

// enter waits for a turn, but not for long: the database may be down.
func (s *slot) enter(ctx context.Context) error {
	select {
	case s.turns() <- struct{}{}:
		return nil
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, turnTimeout)
	defer cancel()
	select {
	case s.turns() <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait to compare a client secret: %w", ctx.Err())
	}
}

// attempt is one attempt of a client to authenticate.
type attempt struct {
	sent    credentials
	client  *clients.Client // nil: unknown
	caller  mfa.Caller
	path    string // of the endpoint
	subject []byte
	claims  assertion // of its assertion, once that is verified
}

// fault returns why an attempt fails, for the log and the audit trail; "": it succeeds. A client must
// use its registered method. An unknown client takes as long as a wrong secret. An error says that it
// cannot be told: that is no guess.
func (a *Authenticator) fault(ctx context.Context, t *attempt) (string, *oauth.Error) {
	ok := t.sent.secret != "" && !t.sent.signs() && matches(t.sent.secret, t.client)
	switch {
	case t.client == nil:
		return oauth.UnknownClient, nil
	case t.client.Disabled:
		return oauth.DisabledClient, nil
	case t.client.AuthenticationMethod() != t.sent.method:
		return oauth.WrongMethod, nil
	case t.sent.signs():
		return a.assert(ctx, t)
	case mtls.IsMethod(t.sent.method):
		return a.certify(ctx, t)
	case !ok:
		return oauth.WrongSecret, nil
	}
	return "", nil
}

// verify verifies what a client sent, which may fail 20 times from one network within ten minutes. All
// unknown names share one counter per network, so that invented names create no rows.
//
// An attempt is counted before it is judged, one at a time, and refunded on success: a client that has
// to wait costs no comparison and no signature. Only the first attempt after ten minutes without a
// failure is judged first, so a client that succeeds causes no reads or writes. If that attempt fails
// it is counted before the next one of its slot. So every start of a server allows one more attempt
// than 20, and concurrent attempts allow no more. Certificates are not counted: see verifyCertificate.
func (a *Authenticator) verify(ctx context.Context, t *attempt) *oauth.Error {
	name := storage.ClientID("")
	if t.client != nil {
		name = t.client.ID
	}
	t.subject = throttle.ClientSubject(a.keyring, name, t.caller.Network())
	s := a.recent.slot(t.subject)
	if mtls.IsMethod(t.sent.method) {
		return a.verifyCertificate(ctx, s, t)
	}
	if wait, ok := s.remaining(string(t.subject), a.now()); ok {
		return a.refuse(wait)
	}
	if err := s.enter(ctx); err != nil {
		return oauth.Unavailable(err)
	}
	defer func() { <-s.turns() }()
	now := a.now()
	if wait, ok := s.remaining(string(t.subject), now); ok {
		return a.refuse(wait)
	}
	if now.UnixMicro()-s.failed >= window.Microseconds() {
		return a.judgeFirst(ctx, s, t, now)
	}
	if e := a.checkBudget(t, 0); e != nil {
		return e
	}
	if e := a.count(ctx, s, t, now); e != nil {
		return e
	}
	fault, e := a.fault(ctx, t)
	if fault == "" {
		a.refund(ctx, t, now)
		return e
	}
	s.failed = now.UnixMicro()
	a.failures.Add(1)
	_ = a.options.Admit.Spend(t.caller, budget.Refusals, 1) // checkBudget found that some is left
	return refusal(t, fault)
}

// judgeFirst judges the first attempt of a slot after ten minutes without a failure. Success spends
// nothing.
func (a *Authenticator) judgeFirst(ctx context.Context, s *slot, t *attempt, now time.Time) *oauth.Error {
	fault, e := a.fault(ctx, t)
	if fault == "" {
		return e
	}
	s.failed = now.UnixMicro()
	if e := a.checkBudget(t, 1); e != nil {
		return e
	}
	if e := a.count(ctx, s, t, now); e != nil {
		return e
	}
	a.failures.Add(1)
	a.report(t, map[string]string{"reason": fault})
	return refusal(t, fault)
}

// refusal is the same for every fault.
func refusal(t *attempt, fault string) *oauth.Error {
	e := oauth.Standard("invalid_client").Because(fault)
	e.Basic = t.sent.method == "client_secret_basic"
	return e
}

// explain returns the error of an attempt with what the log says about it.
func (t *attempt) explain(e *oauth.Error) *oauth.Error {
	if e.Cause != nil {
		return e
	}
	e.Event = mfa.EventClientFailed
	switch {
	case t.client == nil:
		e.Parameter, e.Value = "client_id", t.sent.id
		return e
	case e.Reason == oauth.WrongMethod:
		e.Parameter, e.Value = "token_endpoint_auth_method", t.sent.method
	}
	e.Client = t.client.ID
	return e
}

func (t *attempt) throttle() storage.Throttle {
	return storage.Throttle{Key: storage.ThrottleKey{Bucket: throttle.ClientSecret, Subject: t.subject},
		Schedule: storage.Schedule{Free: maxFailures - 1, First: window, Cap: window, Forget: window, Fixed: true}}
}

// count counts an attempt, or refuses it. The first server that refuses during a wait
// reports it.
func (a *Authenticator) count(ctx context.Context, s *slot, t *attempt, now time.Time) *oauth.Error {
	r, err := a.store.CountAttempt(ctx, storage.Attempt{Throttles: []storage.Throttle{t.throttle()}, Now: now})
	if err == nil {
		return nil
	}
	s.failed = now.UnixMicro() // even if it was not counted: the next attempt is counted first
	if !errors.Is(err, storage.ErrConflict) {
		return oauth.Unavailable(err)
	}
	s.wait.Store(&cachedWait{subject: string(t.subject), until: r.Until, read: now})
	if r.First {
		a.report(t, map[string]string{"reason": string(mfa.TooMany), "bucket": throttle.ClientSecret})
	}
	return a.refuse(r.Until.Sub(now))
}

// refund undoes the count of a successful attempt, even if the caller disconnected. If that
// fails the attempt stays counted.
func (a *Authenticator) refund(ctx context.Context, t *attempt, now time.Time) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refundTimeout)
	defer cancel()
	err := a.store.Spend(ctx, storage.Spend{Now: now, Forgive: []storage.ThrottleKey{t.throttle().Key}})
	if err != nil {
		a.options.Logger.ErrorContext(ctx, "a successful client authentication stays counted as a failure", "client", t.client.ID, "error", err)
	}
}

// refuse refuses an attempt without comparing the secret.
func (a *Authenticator) refuse(wait time.Duration) *oauth.Error {
	a.failures.Add(1)
	if a.options.Throttled != nil {
		a.options.Throttled(throttle.ClientSecret)
	}
	return tooOften(wait)
}

// checkBudget refuses an attempt from an address or network that failed so often, under any
// names, that nothing more is written for it.
func (a *Authenticator) checkBudget(t *attempt, spends int) *oauth.Error {
	refused, ok := errors.AsType[*mfa.Error](a.options.Admit.Spend(t.caller, budget.Refusals, spends))
	if !ok {
		return nil
	}
	a.failures.Add(1)
	return tooOften(refused.RetryAfter)
}

func tooOften(wait time.Duration) *oauth.Error {
	return &oauth.Error{Code: "invalid_client", Description: "client authentication failed too often; Retry-After says how long to wait",
		Reason: string(mfa.TooMany), Status: http.StatusTooManyRequests, RetryAfter: max(wait, time.Second)}
}

// report adds the first failure within the window, and each wait, to the audit trail. It omits
// unknown names: they may be secrets in the wrong field.
func (a *Authenticator) report(t *attempt, detail map[string]string) {
	e := storage.Event{Kind: mfa.EventClientFailed, Outcome: mfa.OutcomeRefused, Detail: detail}
	if t.client != nil {
		e.ClientID = t.client.ID
	}
	a.journal.NoteRefusal(t.caller, budget.Refusals, a.journal.Event(t.caller, e))
}
