package provider

import (
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

// "You refused the sign-in" is said of what was refused, not of what the same user allowed in another window.
func TestARefusalThatComesTooLateIsNone(t *testing.T) {
	onBothDatabases(t, func(h *fixture) {
		h.client("till", asking)
		h.client("strict", asking, func(c *storage.Client) { c.MFA = mfa.MFAAlways })
		h.user("ada", totpSecret)
		for _, at := range []StepKind{StepConsent, StepVerify, StepIdentify} {
			s := h.signedIn("ada")
			client := map[bool]string{true: "till", false: "strict"}[at == StepConsent]
			id := h.asked(client)
			w := h.waiting(s)
			late := h.looked(w.ID, s)
			if at == StepIdentify {
				h.ok(h.p.Restart(h.ctx, late, h.visit))
				late = h.next(late.Request.Address(), nil)
			}
			if late.Kind != at {
				t.Fatalf("step = %s, want %s", late.Kind, at)
			}
			other, err := h.p.BeginWaiting(h.ctx, w.ID, h.visit, s)
			h.ok(err)
			st := h.next(other.Request, s)
			if st.Kind == StepVerify {
				h.clock.Advance(30 * time.Second) // a code is used once
				h.prove(other.Request, s)
				st = h.next(other.Request, s)
			}
			_, err = h.confirmed(st, s)
			h.ok(err)
			if a, err := h.p.Cancel(h.ctx, late, h.visit); mfa.CodeOf(err) != mfa.RequestOver {
				t.Errorf("refused at %s after it was allowed: %q, %v", at, a.Location, err)
			}
			if r := h.fetched(client, id); r.Status != 200 {
				t.Errorf("allowed = %s", r.Raw)
			}
		}
		if n := h.events(mfa.EventBackchannelRefused); n != 0 {
			t.Errorf("%d refusals are in the audit trail, want none", n)
		}
	})
}

// A refusal in the login ends the request, also before the user has signed in again, and is in the audit trail.
func TestARefusalInTheLoginEndsTheRequest(t *testing.T) {
	onBothDatabases(t, func(h *fixture) {
		h.client("till", asking)
		ada := h.user("ada", "")
		s := h.signedIn("ada")
		for n, restarted := range []bool{false, true} {
			id := h.asked("till")
			st := h.looked(h.waiting(s).ID, s)
			if restarted {
				h.ok(h.p.Restart(h.ctx, st, h.visit))
				st = h.next(st.Request.Address(), nil)
			}
			a, err := h.p.Cancel(h.ctx, st, h.visit)
			h.ok(err)
			if r := h.fetched("till", id); a.Location != issuer+WaitingDeniedPath || r.get("error") != "access_denied" {
				t.Errorf("restarted %t: the browser goes to %q, the client gets %s", restarted, a.Location, r.Raw)
			}
			h.ok(h.journal.Flush(h.ctx))
			found, err := h.engine.ListEvents(h.ctx, storage.EventFilter{Kind: mfa.EventBackchannelRefused, UserID: ada.ID, Limit: 10})
			h.ok(err)
			if len(found) != n+1 || found[0].ClientID != "till" || found[0].Address != h.visit.Address {
				t.Errorf("restarted %t: events = %+v", restarted, found)
			}
		}
	})
}

// Another user, who signed in where the named one began, refuses nothing, and no page says so.
func TestAnotherUserRefusesNothing(t *testing.T) {
	h := newFixture(t)
	h.client("till", asking)
	h.user("ada", "")
	h.user("eve", "")
	s := h.signedIn("ada")
	id := h.asked("till")
	for _, end := range []string{"finish", "cancel"} {
		st := h.looked(h.waiting(s).ID, s)
		h.ok(h.p.Restart(h.ctx, st, h.visit))
		h.enter(st.Request.Address(), "eve", nil)
		st = h.next(st.Request.Address(), nil)
		var a Answer
		if end == "cancel" {
			var err error
			a, err = h.p.Cancel(h.ctx, st, h.visit)
			h.ok(err)
		} else {
			f, err := h.p.Finish(h.ctx, st, h.visit, nil)
			h.ok(err)
			a = f.Answer
		}
		if r := h.fetched("till", id); a.Location != issuer+WaitingLeftPath || r.get("error") != "authorization_pending" {
			t.Errorf("%s: the browser goes to %q, the client gets %s", end, a.Location, r.Raw)
		}
	}
	if n := h.events(mfa.EventBackchannelRefused); n != 0 {
		t.Errorf("%d refusals are in the audit trail, want none", n)
	}
}
