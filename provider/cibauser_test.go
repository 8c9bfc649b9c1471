package provider

import (
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/provider/clients"
	"sallyport/storage"
)

// Conformance (CIBA): CIBA Core 13: `unknown_user_id`, for clients that may know who has an account
func TestHintsThatNameNobody(t *testing.T) {
	h := newFixture(t)
	h.client("till", asking)
	h.client("trusted", asking, func(c *storage.Client) { c.BackchannelUnknownUser = true })
	ada := h.user("ada", "")
	h.disable(h.user("gone", "").ID)
	known := h.backchannel("till")
	for _, name := range []string{"nobody", "nobody@example.org", "gone", strings.Repeat("x", 5000), "+49 151"} {
		r := h.backchannel("till", "login_hint", name)
		if r.Status != 200 || len(r.Raw) != len(known.Raw) || r.Body["expires_in"] != known.Body["expires_in"] {
			t.Errorf("%.20q = %d %s, want what a user gets", name, r.Status, r.Raw)
		}
		if r := h.fetched("till", r.get("auth_req_id")); r.get("error") != "authorization_pending" {
			t.Errorf("%.20q is polled: %s", name, r.Raw)
		}
		if r := h.backchannel("trusted", "login_hint", name); r.Status != 400 || r.get("error") != "unknown_user_id" {
			t.Errorf("%.20q of a client that may know = %d %s", name, r.Status, r.Raw)
		}
	}
	if told := h.announced(); len(told) != 1 || told[0].Recipient != "ada@example.org" {
		t.Errorf("told = %+v, want ada alone", told)
	}
	if list, err := h.p.Waiting(h.ctx, ada.ID); err != nil || len(list) != 1 {
		t.Errorf("%d wait: %v", len(list), err)
	}
	if list, err := h.p.Waiting(h.ctx, ""); err != nil || len(list) != 0 {
		t.Errorf("%d wait for nobody: %v", len(list), err)
	}
}

// Nobody's telephone rings without end: a client asks a user five times in ten minutes, and what they allow
// does not count.
func TestUsersAreNotAskedWithoutEnd(t *testing.T) {
	h := newFixture(t)
	h.client("till", asking)
	h.client("shop", asking)
	h.client("third", asking)
	h.user("ada", "")
	h.user("bea", "")
	s := h.signedIn("ada")
	id := h.asked("till")
	_, err := h.confirmed(h.looked(h.waiting(s).ID, s), s)
	h.ok(err)
	if r := h.fetched("till", id); r.Status != 200 {
		t.Fatalf("allowed = %s", r.Raw)
	}
	for range 5 {
		h.asked("till")
	}
	for _, name := range []string{"ada", "ADA"} {
		if r := h.backchannel("till", "login_hint", name); r.Status != 429 || r.Header.Get("Retry-After") == "" {
			t.Errorf("the sixth for %s = %d %s", name, r.Status, r.Raw)
		}
	}
	for range 5 {
		h.asked("till", "login_hint", "nobody")
	}
	if r := h.backchannel("till", "login_hint", "nobody"); r.Status != 429 {
		t.Errorf("the sixth for nobody = %d %s, want what a user's gets", r.Status, r.Raw)
	}
	h.asked("till", "login_hint", "bea")
	h.asked("shop") // another client
	told := 0
	for _, m := range h.announced() {
		if m.Recipient == "ada@example.org" {
			told++
		}
	}
	if told != 5 {
		t.Errorf("ada got %d messages of 6 requests, want five an hour", told)
	}
	h.clock.Advance(10 * time.Minute)
	h.asked("till")
}

// Only the named user ends a request, with the proof that the client demands.
func TestOthersCannotConfirm(t *testing.T) {
	h := newFixture(t)
	h.client("till", asking, func(c *storage.Client) { c.MFA = mfa.MFAAlways })
	h.client("plain", asking)
	h.user("ada", totpSecret)
	h.user("eve", "")
	ada, eve := h.signedIn("ada"), h.signedIn("eve")
	id := h.asked("till")
	w := h.waiting(ada)
	if _, err := h.p.BeginWaiting(h.ctx, w.ID, h.visit, eve); mfa.CodeOf(err) != mfa.RequestOver {
		t.Errorf("eve opens it: %v", err)
	}
	if err := h.p.RefuseWaiting(h.ctx, w.ID, h.visit, eve.Owner()); mfa.CodeOf(err) != mfa.RequestOver {
		t.Errorf("eve refuses it: %v", err)
	}
	for _, forged := range []storage.PolledID{"", "x", storage.PolledID(id)} {
		if _, err := h.p.BeginWaiting(h.ctx, forged, h.visit, ada); mfa.CodeOf(err) != mfa.RequestOver {
			t.Errorf("%q opens: %v", forged, err)
		}
	}
	// Somebody else signs in where ada began: the request stays hers.
	b, err := h.p.BeginWaiting(h.ctx, w.ID, h.visit, ada)
	h.ok(err)
	st := h.next(b.Request, ada)
	if st.Kind != StepVerify {
		t.Fatalf("step = %s, want the second factor that the client demands", st.Kind)
	}
	h.ok(h.p.Restart(h.ctx, st, h.visit))
	h.enter(b.Request, "eve", nil)
	st = h.next(b.Request, nil)
	if st.Kind != StepRefused || st.Refusal != "login_required" {
		t.Fatalf("eve's step = %s %s", st.Kind, st.Refusal)
	}
	_, err = h.p.Finish(h.ctx, st, h.visit, nil)
	h.ok(err)
	if r := h.fetched("till", id); r.get("error") != "authorization_pending" {
		t.Errorf("after eve = %s", r.Raw)
	}
	// The client cannot be talked down by parameters in the stored request, and acr_values raise it.
	b, err = h.p.BeginWaiting(h.ctx, w.ID, h.visit, ada)
	h.ok(err)
	h.prove(b.Request, ada)
	_, err = h.confirmed(h.next(b.Request, ada), ada)
	h.ok(err)
	claims, _ := h.readJWT(h.fetched("till", id).get("id_token"))
	if claims["acr"] != string(mfa.AAL2) {
		t.Errorf("acr = %v", claims["acr"])
	}
	h.asked("plain", "acr_values", string(mfa.AAL2))
	b, err = h.p.BeginWaiting(h.ctx, h.waiting(h.signedIn("ada")).ID, h.visit, ada)
	h.ok(err)
	if st := h.next(b.Request, ada); st.Kind != StepVerify {
		t.Errorf("with acr_values = %s, want the second factor", st.Kind)
	}
}

// Conformance (CIBA): CIBA Core 11: `access_denied`, `expired_token`, `slow_down`
func TestRequestsThatAreNotConfirmed(t *testing.T) {
	h := newFixture(t)
	h.client("till", asking, pinged)
	u := h.user("ada", "")
	s := h.signedIn("ada")
	token := []string{"client_notification_token", "secret"}
	id := h.asked("till", token...)
	h.ok(h.p.RefuseWaiting(h.ctx, h.waiting(s).ID, h.visit, s.Owner()))
	if r := h.fetched("till", id); r.get("error") != "access_denied" {
		t.Errorf("refused on the account page = %s", r.Raw)
	}
	id = h.asked("till", token...)
	st := h.looked(h.waiting(s).ID, s)
	a, err := h.p.Cancel(h.ctx, st, h.visit)
	h.ok(err)
	if a.Location != issuer+WaitingDeniedPath {
		t.Errorf("the browser goes to %q", a.Location)
	}
	if r := h.fetched("till", id); r.get("error") != "access_denied" {
		t.Errorf("refused in the login = %s", r.Raw)
	}
	if got := len(h.pings()); got != 2 {
		t.Errorf("%d pings, want one for each end", got)
	}
	// A request that expires while its user looks at it ends in nothing.
	id = h.asked("till", append(token, "requested_expiry", "30")...)
	st = h.looked(h.waiting(s).ID, s)
	h.ok(h.p.Allow(h.ctx, st, h.visit, nil))
	next := h.next(st.Request.Address(), s)
	h.clock.Advance(30 * time.Second)
	if _, err := h.p.Finish(h.ctx, next, h.visit, s); mfa.CodeOf(err) != mfa.RequestChanged {
		t.Errorf("after the end: %v", err)
	}
	if r := h.fetched("till", id); r.get("error") != "expired_token" {
		t.Errorf("expired = %s", r.Raw)
	}
	id = h.asked("till", token...)
	if r := h.fetched("till", id); r.get("error") != "authorization_pending" {
		t.Errorf("first = %s", r.Raw)
	}
	if r := h.post(h.p.Grants.Token, "till", url.Values{"grant_type": {clients.CIBA}, "auth_req_id": {id}}); r.get("error") != "slow_down" {
		t.Errorf("at once = %s", r.Raw)
	}
	// Whoever is disabled in between gets no tokens.
	_, err = h.confirmed(h.looked(h.waiting(s).ID, s), s)
	h.ok(err)
	h.disable(u.ID)
	h.clock.Advance(5 * time.Second)
	if r := h.fetched("till", id); r.get("error") != "invalid_grant" {
		t.Errorf("disabled = %s", r.Raw)
	}
}

// Of two windows in which a user allows a request, and one in which they refuse it, one ends it.
func TestARequestEndsOnce(t *testing.T) {
	onBothDatabases(t, func(h *fixture) {
		h.client("till", asking, pinged)
		h.user("ada", "")
		s := h.signedIn("ada")
		id := h.asked("till", "client_notification_token", "secret")
		w := h.waiting(s)
		steps := make([]Step, 6)
		for i := range steps {
			st := h.looked(w.ID, s)
			h.ok(h.p.Allow(h.ctx, st, h.visit, nil))
			steps[i] = h.next(st.Request.Address(), s)
		}
		var all sync.WaitGroup
		ended := make([]bool, len(steps)+1)
		for i, st := range steps {
			all.Go(func() {
				_, err := h.p.Finish(h.ctx, st, h.visit, s)
				ended[i] = err == nil
			})
		}
		all.Go(func() { ended[len(steps)] = h.p.RefuseWaiting(h.ctx, w.ID, h.visit, s.Owner()) == nil })
		all.Wait()
		won := 0
		for _, ok := range ended {
			if ok {
				won++
			}
		}
		if won != 1 || len(h.pings()) != 1 {
			t.Errorf("%d ended it, want 1 and a ping", won)
		}
		want := 200
		if ended[len(steps)] {
			want = 400
		}
		// Of concurrent polls one gets the tokens.
		h.clock.Advance(5 * time.Second)
		got := make([]int, 6)
		for i := range got {
			all.Go(func() {
				got[i] = h.post(h.p.Grants.Token, "till", url.Values{"grant_type": {clients.CIBA}, "auth_req_id": {id}}).Status
			})
		}
		all.Wait()
		tokens := 0
		for _, status := range got {
			if status == 200 {
				tokens++
			}
		}
		if tokens != map[int]int{200: 1, 400: 0}[want] {
			t.Errorf("%d polls got tokens after %v", tokens, ended)
		}
	})
}

// Conformance (CIBA): CIBA Core 7.1: id_token_hint
func TestAUserNamedByAnIDToken(t *testing.T) {
	h := newFixture(t)
	h.client("till", asking)
	h.client("other", asking)
	h.user("ada", "")
	s := h.signedIn("ada")
	id := h.asked("till")
	_, err := h.confirmed(h.looked(h.waiting(s).ID, s), s)
	h.ok(err)
	token := h.fetched("till", id).get("id_token")
	h.clock.Advance(time.Hour) // it has expired, and names its user still
	h.asked("till", "login_hint", "", "id_token_hint", token)
	h.waiting(s)
	if r := h.backchannel("other", "login_hint", "", "id_token_hint", token); r.get("error") != "invalid_request" || strings.Contains(r.Refusal.Value, token) {
		t.Errorf("a token of another client = %s, logged %q", r.Raw, r.Refusal.Value)
	}
}
