package storagetest

import (
	"crypto/rand"
	"time"

	"sallyport/storage"
)

func redemptions(w *fixture) {
	w.test("a code is redeemed once, until it expires", redeemed)
	w.test("one of concurrent redemptions of a code succeeds", func(w *fixture) {
		p := w.addUser()
		c := w.issued(p, "")
		w.one(racers, func(int) error {
			r := w.redemption(c.ID)
			r.Events = []storage.Event{w.event(p)}
			return w.s.RedeemCode(w.ctx, r)
		})
		all, err := w.s.GrantsOf(w.ctx, p.id, w.now)
		w.ok(err)
		same(w, len(all), 1)
	})
	w.test("a grant has neither tokens nor a place in lists until its code is redeemed", func(w *fixture) {
		p := w.addUser()
		c := w.issued(p, "")
		w.alive(p, c.ID, "before the redemption", false)
		w.is(w.s.RotateRefresh(w.ctx, storage.Rotation{ID: c.ID, Until: w.now.Add(time.Hour), Now: w.now}), storage.ErrConflict)
		w.ok(w.redeem(c))
		w.alive(p, c.ID, "after it", true)
		w.ok(w.s.RotateRefresh(w.ctx, storage.Rotation{ID: c.ID, Until: w.now.Add(time.Hour), Now: w.now}))
	})
	w.test("a code ends with its session, its user and its consent", endedCodes)
	w.test("a grant is created once, in one finish", func(w *fixture) {
		p := w.addUser()
		c := w.code(p, "")
		w.one(racers, func(i int) error {
			g := *c
			return w.s.FinishRequest(w.ctx, storage.Finish{Now: w.now, Code: &g, Events: []storage.Event{w.event(p)}})
		})
		w.ok(w.redeem(c))
		w.is(w.s.FinishRequest(w.ctx, storage.Finish{Now: w.now, Code: c}), storage.ErrConflict)
		w.is(w.redeem(c), storage.ErrConflict)
	})
	w.test("grants whose code was not redeemed are swept", sweptCodes)
}

func redeemed(w *fixture) {
	p := w.addUser()
	c := w.issued(p, w.signedIn(p).ID)
	got, err := w.s.Grant(w.ctx, c.ID)
	w.ok(err)
	want := storage.GrantAccount{Grant: *c, Account: w.account(p.id)}
	want.Account.Authenticators = nil
	same(w, got, want)

	e := w.event(p)
	late := w.redemption(c.ID)
	late.Now, late.Events = c.CodeUntil, []storage.Event{e}
	w.is(w.s.RedeemCode(w.ctx, late), storage.ErrConflict)
	same(w, w.logged(e), false)

	r := w.redemption(c.ID)
	r.Now, r.Events = c.CodeUntil.Add(-time.Microsecond), []storage.Event{e}
	w.ok(w.s.RedeemCode(w.ctx, r))
	same(w, w.logged(e), true)
	w.is(w.s.RedeemCode(w.ctx, r), storage.ErrConflict)
	got, err = w.s.Grant(w.ctx, c.ID)
	w.ok(err)
	// The challenge stays, for a second redemption.
	want.Grant.RedeemedAt, want.Grant.RedirectURI, want.Grant.Offline, want.Grant.Refreshable = r.Now, "", true, true
	want.Grant.RefreshUntil, want.Grant.ExpiresAt = r.RefreshUntil, r.ExpiresAt
	same(w, got, want)
	for _, id := range append(malformed(string(c.ID)), random[string]()) {
		w.is(w.s.RedeemCode(w.ctx, w.redemption(storage.GrantID(id))), storage.ErrConflict)
	}
	// A grant that never had a code.
	w.is(w.s.RedeemCode(w.ctx, w.redemption(w.granted(p, "", false))), storage.ErrConflict)
}

// endedCodes: whatever ends a grant ends its code, even where the grant would be offline and
// live on.
func endedCodes(w *fixture) {
	disabled := storage.UserDisabled
	for name, end := range map[string]func(p person, s storage.SessionID) error{
		"session": func(_ person, s storage.SessionID) error { return w.s.EndSession(w.ctx, s, false, w.now, nil) },
		"sessions": func(p person, _ storage.SessionID) error {
			return w.s.EndSessions(w.ctx, p.id, "", false, w.now, nil)
		},
		"another user signs in": func(_ person, s storage.SessionID) error {
			return w.s.FinishRequest(w.ctx, storage.Finish{Now: w.now, EndSession: s})
		},
		"user": func(p person, _ storage.SessionID) error {
			return w.s.UpdateUser(w.ctx, storage.UserChange{ID: p.id, Status: &disabled, Kill: true, Now: w.now})
		},
		"consent": func(p person, _ storage.SessionID) error {
			return w.s.WithdrawConsent(w.ctx, p.id, "app", w.now, nil)
		},
	} {
		p := w.addUser()
		s := w.signedIn(p)
		c := w.issued(p, s.ID)
		w.ok(end(p, s.ID))
		if err := w.redeem(c); err != storage.ErrConflict {
			w.Errorf("%s: redemption = %v, want %v", name, err, storage.ErrConflict)
		}
		w.alive(p, c.ID, name, false)
	}
}

func sweptCodes(w *fixture) {
	p := w.addUser()
	at := func(age time.Duration, until time.Time) *storage.Grant {
		c := w.code(p, "")
		c.ID, c.CodeUntil = storage.GrantID(storage.TimeOrdered(w.now.Add(-age), rand.Reader)), until
		w.ok(w.s.FinishRequest(w.ctx, storage.Finish{Now: w.now, Code: c}))
		return c
	}
	over := w.now.Add(-time.Microsecond)
	swept, there := at(2*time.Hour+time.Minute, w.now), map[string]*storage.Grant{
		"whose code is valid": at(2*time.Hour+time.Minute, w.now.Add(time.Minute)),
		"of a newer request":  at(time.Hour, over),
		"redeemed":            at(2*time.Hour+time.Minute, w.now),
	}
	before := w.redemption(there["redeemed"].ID)
	before.Now = w.now.Add(-time.Second)
	w.ok(w.s.RedeemCode(w.ctx, before))
	n, err := w.s.Sweep(w.ctx, w.now, 1000)
	w.ok(err)
	same(w, n, 1)
	_, err = w.s.Grant(w.ctx, swept.ID)
	w.is(err, storage.ErrNotFound)
	for what, c := range there {
		if _, err := w.s.Grant(w.ctx, c.ID); err != nil {
			w.Errorf("a grant %s: %v, want it there", what, err)
		}
	}
	_, err = w.s.Sweep(w.ctx, w.now.Add(65*time.Minute), 1000)
	w.ok(err)
	_, err = w.s.Grant(w.ctx, there["of a newer request"].ID)
	w.is(err, storage.ErrNotFound)
	w.alive(p, there["redeemed"].ID, "redeemed", true)
	// Those that no sweep saw in time go when their tokens would have.
	_, err = w.s.Sweep(w.ctx, w.now.Add(2200*time.Hour), 1000)
	w.ok(err)
	_, err = w.s.Grant(w.ctx, there["whose code is valid"].ID)
	w.is(err, storage.ErrNotFound)
}
