package main

import (
	"sync/atomic"

	"sallyport/mfa"
	"sallyport/storage"
)

// other stands for a label that is in no list: a fault of ours, and never a text that
// came from outside.
const other = "other"

// closedCounts are counters with two labels out of closed lists. All there can be are made at
// the start, so that counting needs no lock and nobody can add one.
type closedCounts map[[2]string]*atomic.Int64

func newClosedCounts(first, second []string) closedCounts {
	c := closedCounts{}
	for _, a := range append([]string{other}, first...) {
		for _, b := range append([]string{other}, second...) {
			c[[2]string{a, b}] = new(atomic.Int64)
		}
	}
	return c
}

func (c closedCounts) add(a, b string) {
	for _, key := range [...][2]string{{a, b}, {a, other}, {other, b}, {other, other}} {
		if n := c[key]; n != nil {
			n.Add(1)
			return
		}
	}
}

// one is a list for counters with one label only.
func one() []string { return []string{""} }

// tally counts the events that this server wrote into the audit trail, after their
// commit, and derives from them what happened to logins, factors and tokens.
type tally struct {
	events, logins, factors, throttled, tokens, replays closedCounts
}

func newTally() *tally {
	return &tally{
		events:    newClosedCounts(mfa.EventKinds(), mfa.Outcomes()),
		logins:    newClosedCounts([]string{"finished", "session", "refused", "cancelled"}, one()),
		throttled: newClosedCounts(mfa.Buckets(), one()),
		tokens:    newClosedCounts([]string{"authorization_code", "refresh_token", "client_credentials", "implicit"}, one()),
		replays:   newClosedCounts([]string{"code", "refresh_token"}, one()),
	}
}

// know makes the counters of these methods, before anybody proves anything with them.
func (t *tally) know(methods []mfa.Info) {
	names := make([]string, len(methods))
	for i, m := range methods {
		names[i] = m.Name
	}
	t.factors = newClosedCounts(names, []string{"ok", "wrong", "replayed", "throttled", "disabled"})
}

// count is called with the events of every commit.
func (t *tally) count(events []storage.Event) {
	for i := range events {
		e := &events[i]
		t.events.add(e.Kind, e.Outcome)
		if outcome := factorOutcome(e.Kind); outcome != "" {
			t.factors.add(e.Detail["method"], outcome)
			continue
		}
		t.countLogin(e)
		t.countToken(e)
	}
}

// refused counts an answer that was not even compared: the trail has one line for a wait,
// however many were refused during it.
func (t *tally) refused(method, bucket string) {
	t.factors.add(method, "throttled")
	t.waited(bucket)
}

// waited counts a try that was refused because of failures before.
func (t *tally) waited(bucket string) { t.throttled.add(bucket, "") }

// of returns how many events of a kind there were, whatever their outcome.
func (t *tally) of(kind string) int64 {
	n := int64(0)
	for _, outcome := range append(mfa.Outcomes(), other) {
		n += t.events[[2]string{kind, outcome}].Load()
	}
	return n
}

func factorOutcome(kind string) string {
	switch kind {
	case mfa.EventPasswordOK, mfa.EventMFAOK:
		return "ok"
	case mfa.EventPasswordFailed, mfa.EventMFAFailed:
		return "wrong"
	case mfa.EventMFAReplayed:
		return "replayed"
	case mfa.EventMFADisabled:
		return "disabled"
	}
	return ""
}

func (t *tally) countLogin(e *storage.Event) {
	switch e.Kind {
	case mfa.EventLoginFinished:
		t.logins.add("finished", "")
	case mfa.EventLoginRefused:
		t.logins.add("refused", "")
	case mfa.EventLoginCancelled:
		t.logins.add("cancelled", "")
	case mfa.EventCodeIssued, mfa.EventTokenIssued:
		if e.Detail["from"] == "session" {
			t.logins.add("session", "")
		}
	}
}

func (t *tally) countToken(e *storage.Event) {
	switch e.Kind {
	case mfa.EventCodeRedeemed:
		t.tokens.add("authorization_code", "")
	case mfa.EventTokenRefresh:
		t.tokens.add("refresh_token", "")
	case mfa.EventTokenIssued:
		if e.UserID != "" { // at the authorization endpoint
			t.tokens.add("implicit", "")
			return
		}
		t.tokens.add("client_credentials", "")
	case mfa.EventCodeReplayed:
		t.replays.add("code", "")
	case mfa.EventRefreshReused:
		t.replays.add("refresh_token", "")
	}
}
