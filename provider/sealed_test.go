package provider

import (
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/session"
	"sallyport/storage"
)

// first proves the password of a user in a request as the login page does.
func (h *fixture) first(id storage.RequestID, name string, s *session.SignedIn) (*Proven, error) {
	st, err := h.p.Next(h.ctx, Ask{Request: id, Identifier: name, MayBeSealed: true, Visit: h.visit, SignedIn: s})
	if err != nil {
		return nil, err
	}
	if st.Kind != StepIdentify {
		return &Proven{Step: st}, nil
	}
	login, proven := h.p.WithProof(&st, h.visit)
	return proven, h.verifier.Password(h.ctx, h.visit, login, password)
}

// A login that needs a password only: nothing is written before it, and everything with it.
func TestASealedRequestEndsWithItsProof(t *testing.T) {
	onBothDatabases(t, func(h *fixture) {
		h.client("rp")
		h.user("ada", "")
		h.begin(params("rp"), nil) // reads the client
		before := h.engine.Stats()
		id := h.begin(params("rp"), nil).Request
		st, err := h.p.Next(h.ctx, Ask{Request: id, MayBeSealed: true, Visit: h.visit})
		h.ok(err)
		if after := h.engine.Stats(); st.Kind != StepIdentify || after.Statements != before.Statements {
			h.t.Errorf("step %s after %d statements, want identify after none", st.Kind, after.Statements-before.Statements)
		}
		proven, err := h.first(id, "ada", nil)
		h.ok(err)
		if proven.Finished == nil || h.values(proven.Finished.Answer).Get("code") == "" {
			h.t.Fatalf("after the password: %+v", proven.Step.Kind)
		}
		if after := h.engine.Stats(); after.Commits-before.Commits != 1 {
			h.t.Errorf("%d commits, want 1", after.Commits-before.Commits)
		}
		if r := h.post(h.p.Grants.Token, "rp", redeem(h.values(proven.Finished.Answer).Get("code"))); r.Status != 200 {
			h.t.Errorf("the code = %d %s", r.Status, r.Raw)
		}
		for _, a := range []Ask{{Request: id, Visit: h.visit}, {Request: id, Identifier: "ada", MayBeSealed: true, Visit: h.visit}} {
			if st, err := h.p.Next(h.ctx, a); err != nil || st.Kind != StepOver {
				h.t.Errorf("Next(%+v) = %s, %v, want over", a, st.Kind, err)
			}
		}
	})
}

func TestOneOfConcurrentProofsEndsASealedRequest(t *testing.T) {
	onBothDatabases(t, func(h *fixture) {
		h.client("rp")
		h.user("ada", "")
		id := h.begin(params("rp"), nil).Request
		const callers = 8
		all, errs := make([]*Proven, callers), make([]error, callers)
		var wg sync.WaitGroup
		for i := range callers {
			wg.Go(func() { all[i], errs[i] = h.first(id, "ada", nil) })
		}
		wg.Wait()
		ended := 0
		for i, p := range all {
			switch {
			case errs[i] == nil && p.Finished != nil:
				ended++
			case errs[i] == nil && p.Step.Kind == StepOver:
			case mfa.CodeOf(errs[i]) != mfa.RequestChanged && mfa.CodeOf(errs[i]) != mfa.InvalidCredentials && mfa.CodeOf(errs[i]) != mfa.TooMany:
				h.t.Errorf("caller %d: %v", i, errs[i])
			}
		}
		if ended != 1 {
			h.t.Errorf("%d of %d concurrent proofs ended the login, want 1", ended, callers)
		}
	})
}

func TestASealedRequestBelongsToItsBrowserAndExpires(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	h.user("ada", "")
	id := h.begin(params("rp"), nil).Request
	thief := h.visit
	thief.Browser = strings.Repeat("t", 43)
	for name, a := range map[string]Ask{
		"the page":      {Request: id, MayBeSealed: true, Visit: thief},
		"a proof":       {Request: id, Identifier: "ada", MayBeSealed: true, Visit: thief},
		"an operation":  {Request: id, Visit: thief},
		"without one":   {Request: id, MayBeSealed: true},
		"a changed one": {Request: id[:len(id)-4] + "AAAA", MayBeSealed: true, Visit: h.visit},
		"a shorter one": {Request: id[:len(id)/2], Visit: h.visit},
	} {
		if _, err := h.p.Next(h.ctx, a); codeOf(err) != string(mfa.UnknownRequest) {
			t.Errorf("%s: %v, want unknown", name, err)
		}
	}
	h.wait(h.p.options.RequestTTL + time.Second)
	for _, a := range []Ask{{Request: id, MayBeSealed: true, Visit: h.visit}, {Request: id, Identifier: "ada", MayBeSealed: true, Visit: h.visit}, {Request: id, Visit: h.visit}} {
		if _, err := h.p.Next(h.ctx, a); codeOf(err) != string(mfa.UnknownRequest) {
			t.Errorf("expired: %v, want unknown", err)
		}
	}
}

// Whatever is no first proof stores the request, which then leads to its record from both addresses.
func TestASealedRequestIsStoredByOtherOperations(t *testing.T) {
	h := newFixture(t)
	h.client("rp", func(c *storage.Client) { c.MFA = mfa.MFAAlways })
	h.user("ada", totpSecret)
	id := h.begin(params("rp"), nil).Request
	stored := h.next(id, nil).Request
	if stored.Sealed != "" || stored.ID == id {
		t.Fatalf("the request is %+v, want it stored", stored)
	}
	proven, err := h.first(id, "ada", nil)
	h.ok(err)
	if proven.Finished != nil || proven.Step.Kind != StepVerify || proven.Step.Request.Address() != stored.ID {
		t.Errorf("after the password: %s at %s", proven.Step.Kind, proven.Step.Request.Address())
	}
	for _, address := range []storage.RequestID{id, stored.ID} {
		if st := h.next(address, nil); st.Kind != StepVerify || st.Request.Version != proven.Step.Request.Version {
			t.Errorf("step = %s of version %d, want %s of version %d", st.Kind, st.Request.Version, StepVerify, proven.Step.Request.Version)
		}
	}
	_, err = h.p.Cancel(h.ctx, h.next(id, nil), h.visit)
	h.ok(err)
	if st := h.next(id, nil); st.Kind != StepOver {
		t.Errorf("step = %s after it was cancelled", st.Kind)
	}
}

// In a browser in which something was proven, perhaps in this login, the page reads and writes nothing.
func TestThePageOfASealedRequestWritesNothing(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	id := h.begin(params("rp"), nil).Request
	before := h.engine.Stats()
	st, err := h.p.Next(h.ctx, Ask{Request: id, MayBeSealed: true, MayBeProven: true, Visit: h.visit})
	h.ok(err)
	after := h.engine.Stats()
	if st.Kind != StepIdentify || st.Request.Address() != id || after.Statements-before.Statements != 1 || after.Commits != before.Commits {
		t.Errorf("step %s of %s after %d statements, want that of the sealed request after one read", st.Kind, st.Request.Address(), after.Statements-before.Statements)
	}
}

// Only the pages of the server name a sealed request; a client with pages of its own gets an ID.
func TestWhichRequestsAreSealed(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	h.client("headless", func(c *storage.Client) {
		c.HeadlessLogin, c.AllowedOrigins = true, []string{"https://app.example"}
	})
	h.user("ada", "")
	_, s := h.signIn(params("rp"), "ada")
	long := strings.Repeat("s", maxState)
	for name, tc := range map[string]struct {
		id   storage.RequestID
		want bool
	}{
		"of a browser":       {h.begin(params("rp"), nil).Request, true},
		"with a long state":  {h.begin(params("rp", "state", long), nil).Request, false},
		"of a session":       {h.begin(params("rp", "prompt", "consent"), s).Request, false},
		"for another login":  {h.begin(params("rp", "prompt", "login"), s).Request, true},
		"of headless client": {h.begin(params("headless"), nil).Request, false},
	} {
		if _, plain := storage.Bytes(tc.id); plain == tc.want {
			t.Errorf("%s: %s, want sealed %v", name, tc.id, tc.want)
		}
	}
}
