package provider

import (
	"strings"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/storage"
)

// elsewhere is a page of the client on another site, or a program: it has no binding cookie.
var elsewhere = mfa.Caller{Origin: "https://app.example"}

// outside reads a login as a caller who knows only its ID.
func (h *fixture) outside(id storage.RequestID, name string) Step {
	h.t.Helper()
	st, err := h.p.Next(h.ctx, Ask{Request: id, Identifier: name, Program: true})
	h.ok(err)
	return st
}

// newHeadlessFixture has one client with its own login pages, and two users.
func newHeadlessFixture(t *testing.T) *fixture {
	h := newFixture(t)
	h.client("own", public, func(c *storage.Client) {
		c.HeadlessLogin, c.AllowedOrigins = true, []string{"https://app.example"}
	})
	h.client("rp")
	h.user("ada", appKey)
	h.user("bob", "")
	return h
}

// beginDetached proves a first factor from elsewhere and reads the detached login that it began.
func (h *fixture) beginDetached(id storage.RequestID, name string) Step {
	h.t.Helper()
	st := h.outside(id, name)
	h.ok(h.verifier.Password(h.ctx, elsewhere, st.Login, password))
	st, err := h.p.Next(h.ctx, st.Again())
	h.ok(err)
	return st
}

// checkOutsider checks what a caller can see and do who knows only the ID of a login.
func (h *fixture) checkOutsider(id storage.RequestID) {
	h.t.Helper()
	st := h.outside(id, "")
	if st.Kind != StepIdentify || st.Owned || st.Request.Subject != "" || st.Request.Factors != nil || st.LoginHint != "" || st.Account != nil ||
		st.Request.Params.Has("state") || st.Request.Params.Has("login_hint") || h.p.Masked(st) != "" || st.Client.ID == "" {
		h.t.Errorf("an outsider sees %+v", st)
	}
	for name, err := range map[string]error{
		"finish":  second(h.p.Finish(h.ctx, st, elsewhere, nil)),
		"cancel":  second(h.p.Cancel(h.ctx, st, elsewhere)),
		"restart": h.p.Restart(h.ctx, st, elsewhere),
		"allow":   h.p.Allow(h.ctx, st, elsewhere, nil),
		"track":   second(h.p.Track(h.ctx, st, elsewhere)),
	} {
		if code := codeOf(err); code != "not_allowed" && code != "invalid_request" {
			h.t.Errorf("an outsider may %s: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestAFirstFactorFromElsewhereBeginsADetachedLogin(t *testing.T) {
	for _, where := range []string{"a program", "a browser"} {
		t.Run("opened in "+where, func(t *testing.T) {
			h := newHeadlessFixture(t)
			values := params("own", "login_hint", "ada@example.com", "acr_values", "aal2")
			id := h.begin(values, nil).Request
			if where == "a program" {
				var err error
				id, err = h.p.Open(h.ctx, values, elsewhere)
				h.ok(err)
			}
			h.checkOutsider(id)
			st := h.beginDetached(id, "ada")
			if !st.Owned || st.InBrowser || st.Kind != StepVerify || st.Request.ID == id || st.Request.Params.Get("state") == "" {
				t.Fatalf("step = %+v", st)
			}
			h.checkOutsider(id)
			h.checkOutsider(st.Request.ID)
			own := Ask{Request: st.Request.ID, Sub: h.p.Masked(st), Program: true}
			if got, err := h.p.Next(h.ctx, own); err != nil || !got.Owned {
				t.Errorf("its masked subject: %v, owned %v", err, got.Owned)
			}
			track, err := h.p.Track(h.ctx, st, elsewhere)
			h.ok(err)
			for name, ask := range map[string]Ask{
				"a track with the request":      {Request: id, Track: track},
				"a track with the login":        {Request: st.Request.ID, Track: track},
				"a track alone":                 {Track: track},
				"a subject with the request":    {Request: id, Sub: h.p.Masked(st)},
				"a subject from before a proof": {Request: st.Request.ID, Sub: h.keyring.Mask(id, st.Request.Subject)},
			} {
				ask.Program = true
				got, err := h.p.Next(h.ctx, ask)
				h.ok(err)
				if want := name != "a subject from before a proof"; got.Owned != want {
					t.Errorf("%s: owned %v, want %v", name, got.Owned, want)
				}
			}
			for name, ask := range map[string]Ask{
				"another origin":       {Track: track, Visit: mfa.Caller{Origin: "https://evil.example"}},
				"another request":      {Request: h.begin(values, nil).Request, Track: track},
				"the ID for the track": {Track: storage.TrackID(st.Request.ID)},
			} {
				ask.Program = true
				if _, err := h.p.Next(h.ctx, ask); codeOf(err) != "unknown_request" {
					t.Errorf("%s = %v, want unknown_request", name, err)
				}
			}
			other := h.beginDetached(h.begin(values, nil).Request, "bob")
			for _, at := range []storage.RequestID{id, st.Request.ID} {
				if got, err := h.p.Next(h.ctx, Ask{Request: at, Sub: h.p.Masked(other), Program: true}); err != nil || got.Owned {
					t.Errorf("the subject of another login: owned %v, %v", got.Owned, err)
				}
			}
		})
	}
}

func TestOneDetachedLoginOfARequestFinishes(t *testing.T) {
	h := newHeadlessFixture(t)
	id, err := h.p.Open(h.ctx, params("own"), elsewhere)
	h.ok(err)
	bob := h.beginDetached(id, "bob")
	if bob.Kind != StepDone {
		t.Fatalf("step = %s", bob.Kind)
	}
	for name, at := range map[string]storage.RequestID{"ada": id, "nobody": id, "bob": bob.Request.ID} {
		if err := h.verifier.Password(h.ctx, elsewhere, h.outside(at, name).Login, password); codeOf(err) != "invalid_credentials" {
			t.Errorf("%s: %v, want a wrong password", name, err)
		}
	}
	// A caller without the token starts a new login with one factor.
	again := h.beginDetached(id, "bob")
	if again.Request.ID == bob.Request.ID || len(again.Request.Factors) != 1 {
		t.Errorf("again = %+v", again.Request)
	}
	f, err := h.p.Finish(h.ctx, bob, elsewhere, nil)
	h.ok(err)
	if q := h.values(f.Answer); q.Get("code") == "" {
		t.Errorf("response = %v", q)
	}
	if _, err := h.p.Finish(h.ctx, again, elsewhere, nil); codeOf(err) != "request_changed" {
		t.Errorf("a second login of one request finishes: %v", err)
	}
	if _, err := h.p.Next(h.ctx, Ask{Request: id, Program: true}); codeOf(err) != "unknown_request" {
		t.Errorf("an outsider learns that it is over: %v", err)
	}
}

func TestOthersCannotDisturbABoundRequest(t *testing.T) {
	h := newHeadlessFixture(t)
	id := h.begin(params("own"), nil).Request
	st := h.beginDetached(id, "bob")
	if _, err := h.p.Finish(h.ctx, st, elsewhere, nil); codeOf(err) != "not_allowed" {
		t.Errorf("it finishes outside its browser: %v", err)
	}
	choice := exchange.Choice{Method: "password", Usage: mfa.UsageFirst}
	mine, err := h.verifier.Initiate(h.ctx, h.visit, h.nextFor(id, "ada").Login, choice)
	h.ok(err)
	for range 30 {
		_, err := h.verifier.Initiate(h.ctx, elsewhere, h.outside(id, "ada").Login, choice)
		if err != nil && codeOf(err) != "too_many_initiations" {
			t.Fatal(err)
		}
	}
	_, err = h.verifier.Prove(h.ctx, h.visit, h.nextFor(id, "ada").Login, choice, mine.Exchange, mfa.Typed(password))
	h.ok(err)
	got := h.next(id, nil)
	if got.Request.Subject == "" || got.Account.User.ID == st.Request.Subject || got.Request.Initiations != 0 {
		t.Errorf("request = %+v", got.Request)
	}
	h.checkOutsider(id)
	if err := h.verifier.Password(h.ctx, elsewhere, h.outside(id, "bob").Login, password); codeOf(err) != "invalid_credentials" {
		t.Errorf("a name that contradicts the proven subject: %v", err)
	}
	ok, _ := h.finish(id, nil)
	if ok.User != got.Request.Subject {
		t.Errorf("the login ended as %s", ok.User)
	}
}

// nextFor reads a login in its browser, with a name typed there.
func (h *fixture) nextFor(id storage.RequestID, name string) Step {
	h.t.Helper()
	st, err := h.p.Next(h.ctx, Ask{Request: id, Identifier: name, Visit: h.visit})
	h.ok(err)
	return st
}

func TestWhichBrowserAdoptsALogin(t *testing.T) {
	h := newHeadlessFixture(t)
	other := mfa.Caller{Browser: strings.Repeat("c", 43)}
	open := func() storage.RequestID {
		id, err := h.p.Open(h.ctx, params("own"), elsewhere)
		h.ok(err)
		return id
	}
	fresh, detached, another, bound := open(), open(), open(), h.begin(params("own"), nil).Request
	early := h.outside(detached, "")
	own, anotherLogin := h.beginDetached(detached, "bob"), h.beginDetached(another, "bob")
	began := h.beginDetached(bound, "bob")
	for _, tc := range []struct {
		name string
		st   Step
		v    mfa.Caller
		want string
	}{
		{"a fresh request", h.outside(fresh, ""), h.visit, ""},
		{"the same in another browser", h.outside(fresh, ""), other, "outside"},
		{"a request with a detached login", h.outside(detached, ""), h.visit, "unknown_request"},
		{"the same, read before the login began", early, h.visit, "unknown_request"},
		{"a detached login by its ID", h.outside(own.Request.ID, ""), h.visit, "unknown_request"},
		{"without a browser", own, elsewhere, "unknown_request"},
		{"by its owner", own, h.visit, ""},
		{"by its owner, in any browser", anotherLogin, other, ""},
		{"twice", anotherLogin, h.visit, "unknown_request"},
		{"begun for the request of another browser", began, other, "unknown_request"},
		{"begun for the request of this browser", began, h.visit, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.want == "outside" {
				if _, err := h.p.Next(h.ctx, Ask{Request: fresh, Visit: tc.v}); codeOf(err) != "unknown_request" {
					t.Errorf("Next = %v", err)
				}
				return
			}
			if err := h.p.Adopt(h.ctx, tc.st, tc.v); codeOf(err) != tc.want {
				t.Errorf("Adopt = %v, want %q", err, tc.want)
			}
		})
	}
	// From then on calls without the cookie are refused where a program opened the request.
	for name, ask := range map[string]Ask{"the owner": own.Again(), "the ID": {Request: own.Request.ID}, "of the request": {Request: fresh}} {
		ask.Program, ask.Visit = true, elsewhere
		if _, err := h.p.Next(h.ctx, ask); codeOf(err) != "unknown_request" {
			t.Errorf("%s = %v, want unknown_request", name, err)
		}
	}
	if f, _ := h.finish(began.Request.ID, nil); f.Session == nil {
		t.Error("its browser has no session")
	}
	if got := h.next(bound, nil); got.Kind != StepOver {
		t.Errorf("the request is at %s, want over", got.Kind)
	}
	if got := h.events(mfa.EventLoginAdopted); got != 4 {
		t.Errorf("%d adoptions in the audit trail, want 4", got)
	}
}

func TestRestartingADetachedLogin(t *testing.T) {
	h := newHeadlessFixture(t)
	id, err := h.p.Open(h.ctx, params("own"), elsewhere)
	h.ok(err)
	bob := h.beginDetached(id, "bob")
	h.ok(h.p.Restart(h.ctx, bob, elsewhere))
	if st, err := h.p.Next(h.ctx, bob.Again()); err != nil || st.Kind != StepOver {
		t.Errorf("the old login is at %q, %v", st.Kind, err)
	}
	if st := h.beginDetached(id, "ada"); st.Account.User.ID == bob.Account.User.ID {
		t.Error("the login is still bob's")
	}
	// In its browser the request keeps its ID; its earlier track and subject are no longer valid.
	id = h.begin(params("own", "acr_values", "aal2"), nil).Request
	h.enter(id, "ada", nil)
	st := h.next(id, nil)
	track, err := h.p.Track(h.ctx, st, h.visit)
	h.ok(err)
	sub := h.p.Masked(st)
	h.ok(h.p.Restart(h.ctx, h.next(id, nil), h.visit))
	h.enter(id, "ada", nil)
	if _, err := h.p.Next(h.ctx, Ask{Track: track, Program: true}); codeOf(err) != "unknown_request" {
		t.Errorf("the track from before: %v", err)
	}
	if st, err := h.p.Next(h.ctx, Ask{Request: id, Sub: sub, Program: true}); err != nil || st.Owned {
		t.Errorf("the subject from before: owned %v, %v", st.Owned, err)
	}
}

func TestSigningOutCancelsUnfinishedLogins(t *testing.T) {
	h := newHeadlessFixture(t)
	h.client("asks", func(c *storage.Client) { c.Consent = "ask" })
	_, s := h.signIn(params("rp"), "bob")
	h.wait(time.Second)
	parked := h.begin(params("asks"), s).Request
	own := h.begin(params("asks", "prompt", "login"), s).Request
	h.enter(own, "bob", s)
	another := h.begin(params("asks", "prompt", "login"), s).Request
	h.enter(another, "ada", s)
	page := h.beginDetached(h.begin(params("own", "prompt", "login"), s).Request, "bob")
	untouched := h.begin(params("rp"), nil).Request
	for _, id := range []storage.RequestID{parked, own} {
		if st := h.next(id, s); st.Kind != StepConsent {
			t.Fatalf("%s is at %s", id, st.Kind)
		}
	}
	out, err := h.p.EndSession(h.ctx, Params{}, h.visit, s, true)
	h.ok(err)
	if !out.Ended {
		t.Fatal("not signed out")
	}
	for name, id := range map[string]storage.RequestID{"begun with the session": parked, "with its own password": own, "of another user": another} {
		if st := h.next(id, nil); st.Kind != StepOver {
			t.Errorf("a login %s is at %s, want over", name, st.Kind)
		}
	}
	if st, err := h.p.Next(h.ctx, page.Again()); err != nil || st.Kind != StepOver {
		t.Errorf("a detached login for this browser is at %q, %v, want over", st.Kind, err)
	}
	if st := h.next(untouched, nil); st.Kind != StepIdentify {
		t.Errorf("a login without a factor is at %s", st.Kind)
	}
}
