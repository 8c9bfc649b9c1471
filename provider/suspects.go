package provider

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
	"sallyport/storage"
)

// How often one client may fail to authenticate from one network: 20 times within ten
// minutes, then it waits as long.
const (
	secretTries  = 20
	secretWindow = 10 * time.Minute
	suspectSlots = 1 << 14
	believedFor  = time.Second     // a wait that was read is not read again for so long
	forgiveWait  = 2 * time.Second // for a count to be taken back
	turnWait     = 3 * time.Second // for those who try before
)

// suspects remember who failed to authenticate here within the last ten minutes, and for
// whom the counter is therefore asked before anything is compared. Nothing is forgotten
// early and nothing grows: a client and a network share a slot with whom chance puts
// there, by a hash under a key nobody outside has. The worst that does is that somebody
// who never failed is counted, and forgiven, without need.
type suspects []suspect

type suspect struct {
	turn    chan struct{}         // those who try a secret here do so one by one
	failed  int64                 // last failure here, in microseconds; guarded by turn
	refused atomic.Pointer[pause] // a wait that was read a moment ago
}

// pause is a wait that is told without asking the database again.
type pause struct {
	subject      string
	until, asked time.Time
}

func newSuspects() suspects {
	s := make(suspects, suspectSlots)
	for i := range s {
		s[i].turn = make(chan struct{}, 1)
	}
	return s
}

func (s suspects) of(subject []byte) *suspect {
	return &s[binary.BigEndian.Uint64(subject)%suspectSlots]
}

// waits reports whether a subject was told to wait a moment ago, and for how long still.
func (s *suspect) waits(subject string, now time.Time) (time.Duration, bool) {
	r := s.refused.Load()
	if r == nil || r.subject != subject || !now.Before(r.until) || now.Sub(r.asked) >= believedFor {
		return 0, false
	}
	return r.until.Sub(now), true
}

// enter waits for a turn. While the database does not answer nobody stands in line for long.
func (s *suspect) enter(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
		return nil
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, turnWait)
	defer cancel()
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait to compare a client secret: %w", ctx.Err())
	}
}

// proof is one try of a client to show who it is.
type proof struct {
	shown   credentials
	client  *clients.Client // nil: nobody has that name
	visit   mfa.Caller
	subject []byte
}

// right compares. A client has one registered method and may use no other. An unknown
// client costs the same work as a wrong secret.
func (t proof) right() bool {
	ok := matches(t.shown.secret, t.client)
	return ok && t.client != nil && !t.client.Disabled && t.client.AuthenticationMethod() == t.shown.method
}

// prove lets a client prove who it is, at most 20 times in vain from one network within
// ten minutes. Names nobody has share one counter a network: whoever invents names makes
// no rows.
//
// A try is counted before it is compared, one by one, and taken back if it was right. Only
// the first after ten minutes without a failure is compared first: who always shows the
// right secret reads and writes nothing here. If it was wrong it is counted before anybody
// else of its slot is heard. So each server, and each start of one, adds one try to the
// twenty at most, and no number of parallel ones adds any.
func (p *Provider) prove(ctx context.Context, v mfa.Caller, shown credentials, c *clients.Client) *oauthError {
	t := proof{shown: shown, client: c, visit: v}
	name := ""
	if c != nil {
		name = string(c.ID)
	}
	t.subject = p.keyring.Hash("client secret", name+"\x00"+v.Network())
	s := p.suspects.of(t.subject)
	if wait, ok := s.waits(string(t.subject), p.now()); ok {
		return p.tooMany(t, wait)
	}
	if err := s.enter(ctx); err != nil {
		return unavailable(err)
	}
	defer func() { <-s.turn }()
	now := p.now()
	if wait, ok := s.waits(string(t.subject), now); ok {
		return p.tooMany(t, wait)
	}
	first := now.UnixMicro()-s.failed >= secretWindow.Microseconds()
	spends := 0 // of a budget; who is right spends nothing
	if first {
		if t.right() {
			return nil
		}
		spends = 1
		s.failed = now.UnixMicro()
	}
	if e := p.overBudget(t, spends); e != nil {
		return e
	}
	if e := p.countProof(ctx, s, t, now); e != nil {
		return e
	}
	if !first && t.right() {
		p.forgiveProof(ctx, t, now)
		return nil
	}
	s.failed = now.UnixMicro()
	p.clientFailures.Add(1)
	if first {
		p.noteClientFailed(t, nil)
	} else {
		_ = p.options.Admit.Spend(v, budget.Refusals, 1) // there was something left a moment ago
	}
	return &oauthError{code: "invalid_client", description: describeCode("invalid_client"), status: statusOf("invalid_client"),
		basic: shown.method == "client_secret_basic"}
}

func (t proof) throttle() storage.Throttle {
	return storage.Throttle{Key: storage.ThrottleKey{Bucket: throttle.ClientSecret, Subject: t.subject},
		Schedule: storage.Schedule{Free: secretTries - 1, First: secretWindow, Cap: secretWindow, Forget: secretWindow, Fixed: true}}
}

// countProof counts a try, or refuses it. The trail is told of a wait once, by whichever
// server refuses first during it.
func (p *Provider) countProof(ctx context.Context, s *suspect, t proof, now time.Time) *oauthError {
	r, err := p.store.CountAttempt(ctx, storage.Attempt{Throttles: []storage.Throttle{t.throttle()}, Now: now})
	if err == nil {
		return nil
	}
	s.failed = now.UnixMicro() // also where nothing could be counted: the next is asked about first
	if !errors.Is(err, storage.ErrConflict) {
		return unavailable(err)
	}
	s.refused.Store(&pause{subject: string(t.subject), until: r.Until, asked: now})
	if r.First {
		p.noteClientFailed(t, map[string]string{"reason": string(mfa.TooMany), "bucket": throttle.ClientSecret})
	}
	return p.tooMany(t, r.Until.Sub(now))
}

// forgiveProof takes back what a right try counted, also for a caller who has hung up.
// Where that fails the try stays counted, which makes nobody wait who fails less often.
func (p *Provider) forgiveProof(ctx context.Context, t proof, now time.Time) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), forgiveWait)
	defer cancel()
	err := p.store.Spend(ctx, storage.Spend{Now: now, Forgive: []storage.ThrottleKey{t.throttle().Key}})
	if err != nil {
		p.log.ErrorContext(ctx, "a right client secret stays counted", "client", t.client.ID, "error", err)
	}
}

// tooMany refuses a try that was not compared.
func (p *Provider) tooMany(t proof, wait time.Duration) *oauthError {
	p.clientFailures.Add(1)
	if p.options.Throttled != nil {
		p.options.Throttled(throttle.ClientSecret)
	}
	return tooOften(wait)
}

// overBudget refuses a try from an address or network that failed so often, in whatever
// names, that nothing more is written for it: then nothing is compared that had to be counted.
func (p *Provider) overBudget(t proof, spends int) *oauthError {
	refused, ok := errors.AsType[*mfa.Error](p.options.Admit.Spend(t.visit, budget.Refusals, spends))
	if !ok {
		return nil
	}
	p.clientFailures.Add(1)
	return tooOften(refused.RetryAfter)
}

func tooOften(wait time.Duration) *oauthError {
	return &oauthError{code: "invalid_client", description: "client authentication did not succeed too often; Retry-After says how long to wait",
		status: http.StatusTooManyRequests, retryAfter: max(wait, time.Second)}
}

// noteClientFailed leaves a trace of a client that did not authenticate: of the first
// failure here in ten minutes, and of each wait. What an unknown client was called may be
// a secret in the wrong field.
func (p *Provider) noteClientFailed(t proof, detail map[string]string) {
	e := storage.Event{Kind: mfa.EventClientFailed, Outcome: mfa.OutcomeRefused, Detail: detail}
	if t.client != nil {
		e.ClientID = t.client.ID
	}
	p.journal.NoteRefusal(t.visit, budget.Refusals, p.journal.Event(t.visit, e))
}

// ClientFailures returns how often clients could not authenticate since the server
// started. Most of those are in no audit line.
func (p *Provider) ClientFailures() int64 { return p.clientFailures.Load() }
