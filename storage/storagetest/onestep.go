package storagetest

import (
	"net/url"
	"time"

	"sallyport/storage"
)

// unsaved returns a request that is not stored.
func (w *fixture) unsaved() storage.AuthRequest {
	return storage.AuthRequest{ID: random[storage.RequestID](), Sealed: "sealed", ClientID: "app", Params: url.Values{"scope": {"openid"}}, Browser: []byte("hash of a cookie"),
		State: storage.RequestOpen, RequestedAt: w.now, ExpiresAt: w.now.Add(time.Minute), UpdatedAt: w.now}
}

// only returns the only proof of a login and its end.
func (w *fixture) only(p person) storage.Spend {
	s := w.session(p)
	return storage.Spend{Now: w.now, Credential: &storage.CredentialSpend{User: p.id, Authenticator: p.password, Unfailed: "password", Same: true},
		Finish: &storage.Finish{Now: w.now, Session: &s, NewSession: true, Code: w.code(p, s.ID), Events: []storage.Event{w.event(p)}},
		Events: []storage.Event{w.event(p)}}
}

func (w *fixture) sessionsOf(p person) int {
	w.Helper()
	all, err := w.s.SessionsOf(w.ctx, p.id, w.now)
	w.ok(err)
	return len(all)
}

func inOneStep(w *fixture) {
	w.test("a request that is not stored is found with its account and its end", func(w *fixture) {
		p := w.addUser()
		l := storage.Lookup{ID: random[storage.RequestID](), Identifier: p.email, End: random[storage.GrantID](), Now: w.now}
		found, err := w.s.Login(w.ctx, l)
		w.ok(err)
		same(w, found, storage.Found{Account: ptr(w.account(p.id))})
		l.End, l.Identifier = w.granted(p, "", true), ""
		found, err = w.s.Login(w.ctx, l)
		w.ok(err)
		same(w, found, storage.Found{Ended: true})
	})
	w.test("a lookup says whether the address waits", func(w *fixture) {
		a := &storage.AddressThrottle{Address: "192.0.2.77", Subject: []byte("12345678"), Window: time.Minute, Max: 2}
		for _, want := range []storage.AddressState{{}, {Failures: true}, {Failures: true, Waits: true}} {
			found, err := w.s.Login(w.ctx, storage.Lookup{ID: random[storage.RequestID](), Address: a.Address, Now: w.now})
			w.ok(err)
			same(w, found.Address, want)
			w.ok(w.s.CountFailure(w.ctx, storage.Attempt{Address: a, Now: w.now}))
		}
	})
	w.test("one of concurrent first proofs stores the request", func(w *fixture) {
		p, r := w.addUser(), w.unsaved()
		f := storage.Factor{Method: "password", Authenticator: p.password, At: w.now}
		change := storage.RequestChange{ID: r.ID, Subject: p.id, Factor: &f, Open: &r, Now: w.now}
		w.one(racers, func(int) error { return w.s.Spend(w.ctx, storage.Spend{Now: w.now, Request: &change}) })
		want := r.Proven(p.id, f, w.now)
		got := w.request(r.ID)
		want.Hash, want.Factors = got.Hash, got.Factors
		same(w, got, want)
		same(w, len(got.Factors), 1)
	})
	w.test("a request that is stored cancelled is over", func(w *fixture) {
		r := w.unsaved()
		w.ok(w.s.ChangeRequest(w.ctx, storage.RequestChange{ID: r.ID, State: storage.RequestCancelled, Open: &r, Now: w.now}, nil))
		same(w, w.request(r.ID).State, storage.RequestCancelled)
		late := w.unsaved()
		w.is(w.s.ChangeRequest(w.ctx, storage.RequestChange{ID: late.ID, State: storage.RequestCancelled, Open: &late, Now: late.ExpiresAt}, nil), storage.ErrConflict)
	})
	w.test("one of concurrent proofs ends the login", func(w *fixture) {
		p, first := w.addUser(), w.only(w.addUser())
		id := first.Finish.Code.ID // of every end of one login
		w.one(racers, func(int) error {
			s := w.only(p)
			s.Finish.Code.ID = id
			return w.s.Spend(w.ctx, s)
		})
		same(w, w.sessionsOf(p), 1)
		again := w.only(p)
		again.Finish.Code.ID, again.Now = id, w.now.Add(time.Second)
		w.is(w.s.Spend(w.ctx, again), storage.ErrConflict)
		same(w, w.find(p.id, p.password).LastUsedAt, w.now) // nothing of it happened
		same(w, w.logged(again.Events[0]), false)
	})
}

func ptr[T any](v T) *T { return &v }

func uncounted(w *fixture) {
	counting := func(w *fixture, p person) (storage.Attempt, storage.ThrottleKey) {
		c := w.counter("password", secondFactor())
		return storage.Attempt{Throttles: []storage.Throttle{c}, User: p.id, Now: w.now}, c.Key
	}
	w.test("a failure makes every uncounted spend in its bucket fail, until a success", func(w *fixture) {
		p := w.addUser()
		a, key := counting(w, p)
		w.ok(w.s.Spend(w.ctx, w.only(p)))
		_, err := w.s.CountAttempt(w.ctx, a)
		w.ok(err)
		for _, x := range w.account(p.id).Authenticators {
			same(w, x.Failing, []string{"password"})
		}
		w.is(w.s.Spend(w.ctx, w.only(p)), storage.ErrConflict)
		same(w, w.sessionsOf(p), 1)
		other := w.only(p)
		other.Credential.Unfailed = "factor"
		w.ok(w.s.Spend(w.ctx, other))
		counted := w.only(p)
		counted.Credential.Unfailed, counted.Reset = "", []storage.ThrottleKey{key}
		w.ok(w.s.Spend(w.ctx, counted))
		w.ok(w.s.Spend(w.ctx, w.only(p)))
		for _, x := range w.account(p.id).Authenticators {
			same(w, x.Failing, nil)
		}
	})
	w.test("a counter that exists makes an uncounted spend fail", func(w *fixture) {
		p := w.addUser()
		c := w.counter("password", secondFactor())
		s := w.only(p)
		s.Credential.Uncounted = []storage.ThrottleKey{{Bucket: "password", Subject: []byte("another")}, c.Key}
		_, err := w.count(w.now, c)
		w.ok(err)
		w.is(w.s.Spend(w.ctx, s), storage.ErrConflict)
		w.ok(w.s.ResetThrottle(w.ctx, []storage.ThrottleKey{c.Key}, nil))
		w.ok(w.s.MarkFailing(w.ctx, p.id, "password"))
		w.is(w.s.Spend(w.ctx, s), storage.ErrConflict)
		same(w, w.find(p.id, p.totp).Failing, []string{"password"})
	})
	w.test("an uncounted spend needs an address that does not wait, and a request with initiations left", func(w *fixture) {
		p := w.addUser()
		a := &storage.AddressThrottle{Address: "192.0.2.78", Subject: []byte("12345678"), Window: time.Minute, Max: 1}
		s := w.only(p)
		s.Credential.Address = a.Address
		w.ok(w.s.CountFailure(w.ctx, storage.Attempt{Address: a, Now: w.now}))
		w.is(w.s.Spend(w.ctx, s), storage.ErrConflict)
		s.Now, s.Finish.Now = w.now.Add(time.Minute), w.now.Add(time.Minute)
		w.ok(w.s.Spend(w.ctx, s))
		r := w.opened()
		w.initiated(r, p)
		f := storage.Factor{Method: "totp", Authenticator: p.totp, At: w.now}
		c := storage.RequestChange{ID: r, Subject: p.id, Factor: &f, MaxInitiations: 1, Now: w.now}
		w.is(w.s.Spend(w.ctx, storage.Spend{Now: w.now, Request: &c}), storage.ErrConflict)
		c.MaxInitiations = 2
		w.ok(w.s.Spend(w.ctx, storage.Spend{Now: w.now, Request: &c}))
	})
	w.test("the end of a login needs the user that was read", func(w *fixture) {
		p := w.addUser()
		s := w.only(p)
		s.Credential.UserAt = w.account(p.id).User.UpdatedAt
		on := true
		w.ok(w.s.UpdateUser(w.ctx, storage.UserChange{ID: p.id, MFAEnabled: &on, Now: w.now.Add(time.Second)}))
		w.is(w.s.Spend(w.ctx, s), storage.ErrConflict)
		s.Credential.UserAt = w.account(p.id).User.UpdatedAt
		w.ok(w.s.Spend(w.ctx, s))
	})
	w.test("an uncounted spend needs the secret that was compared", func(w *fixture) {
		p := w.addUser()
		s := w.only(p)
		w.ok(w.s.Spend(w.ctx, w.changePassword(p)))
		w.is(w.s.Spend(w.ctx, s), storage.ErrConflict)
	})
	w.test("failures and uncounted spends have an order", func(w *fixture) {
		p := w.addUser()
		a, _ := counting(w, p)
		won := w.winners(racers, func(i int) error {
			if i%4 == 0 {
				_, err := w.s.CountAttempt(w.ctx, a)
				return err
			}
			return w.s.Spend(w.ctx, w.only(p))
		})
		if won < racers/4 {
			w.Errorf("%d of %d calls succeeded, want all %d counts", won, racers, racers/4)
		}
		w.is(w.s.Spend(w.ctx, w.only(p)), storage.ErrConflict)
	})
}
