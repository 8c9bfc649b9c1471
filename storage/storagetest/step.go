package storagetest

import (
	"time"

	"sallyport/storage"
)

func spending(w *fixture) {
	w.test("a TOTP step is accepted once, and no older one after it", func(w *fixture) {
		p := w.addUser()
		spend := func(step int64) error {
			return w.s.Spend(w.ctx, storage.Spend{Now: w.now, Credential: &storage.CredentialSpend{User: p.id, Authenticator: p.totp, Step: step}})
		}
		w.one(racers, func(int) error { return spend(100) })
		for _, old := range []int64{100, 99, 1, -5} {
			w.is(spend(old), storage.ErrConflict)
		}
		w.ok(spend(101))
		a := w.find(p.id, p.totp)
		same(w, a.Counter, 101)
		same(w, a.LastUsedAt, w.now)
	})
	w.test("a proof without state updates LastUsedAt", func(w *fixture) {
		p := w.addUser()
		later := w.now.Add(time.Minute)
		w.ok(w.s.Spend(w.ctx, storage.Spend{Now: later, Credential: &storage.CredentialSpend{User: p.id, Authenticator: p.password}}))
		same(w, w.find(p.id, p.password).LastUsedAt, later)
	})
	w.test("a rehashed password replaces the old hash", func(w *fixture) {
		p := w.addUser()
		w.ok(w.s.Spend(w.ctx, storage.Spend{Now: w.now, Credential: &storage.CredentialSpend{User: p.id, Authenticator: p.password, Secret: []byte("better")}}))
		same(w, w.find(p.id, p.password).Secret, []byte("better"))
	})
	w.test("one of concurrent changes of a secret succeeds, and a rehash does not revert it", secretChanged)
	w.test("changing a password, but not rehashing it, updates its time and renews the kept session", passwordChanged)
	w.test("one of concurrent enrolments with Alone is confirmed", confirmedAlone)
	w.test("one of concurrent proofs removes an authenticator", removedOnce)
	w.test("an enrolment is confirmed only while its basis is valid", enrollmentBasis)
	w.test("one of sessions that concurrently end each other remains", concurrentEnds)
	w.test("a proof optionally ends other sessions of the user", func(w *fixture) {
		p, q := w.addUser(), w.addUser()
		kept, other, foreign := w.signedIn(p), w.signedIn(p), w.signedIn(q)
		w.ok(w.s.Spend(w.ctx, storage.Spend{Now: w.now, EndSessions: p.id, KeepSession: kept.ID}))
		for id, want := range map[storage.SessionID]error{kept.ID: nil, other.ID: storage.ErrNotFound, foreign.ID: nil} {
			_, _, err := w.s.Session(w.ctx, id, w.now)
			w.is(err, want)
		}
		w.is(w.s.Spend(w.ctx, storage.Spend{Now: w.now, EndSessions: q.id,
			Credential: &storage.CredentialSpend{User: q.id, Authenticator: q.totp, Step: -5}}), storage.ErrConflict)
		_, _, err := w.s.Session(w.ctx, foreign.ID, w.now)
		w.ok(err)
	})
	w.test("only an active authenticator of a user who may sign in proves anything", credentialRefusals)
	w.test("an enrolment is confirmed once, before it expires", confirmation)
	w.test("a status advances once, and only if it meets the conditions", statusMoves)
	w.test("a decoy never verifies", func(w *fixture) {
		s := w.initiated(w.opened(), person{})
		for _, to := range []storage.StatusState{storage.StatusVerified, storage.StatusRedeemed} {
			w.is(w.s.Spend(w.ctx, storage.Spend{Now: w.now, Status: &storage.StatusMove{Exchange: s.Exchange, From: storage.StatusInitiated, To: to}}),
				storage.ErrConflict)
		}
		w.ok(w.s.Spend(w.ctx, storage.Spend{Now: w.now, Status: &storage.StatusMove{
			Exchange: s.Exchange, From: storage.StatusInitiated, To: storage.StatusFailed,
		}}))
	})
	w.test("a proof can activate a pending user and set MFAEnabled", func(w *fixture) {
		p := w.addUser()
		pending := storage.UserPending
		grant := w.granted(p, "", true)
		alive := func(want bool) {
			g, err := w.readGrant(grant)
			w.ok(err)
			same(w, g.Alive(), want)
		}
		w.ok(w.s.UpdateUser(w.ctx, storage.UserChange{ID: p.id, Status: &pending, Now: w.now}))
		alive(false)
		w.ok(w.s.Spend(w.ctx, storage.Spend{Now: w.now, Activate: p.id, MFAEnabled: p.id}))
		alive(true)
		u := w.account(p.id).User
		same(w, u.Status, storage.UserActive)
		same(w, u.MFAEnabled, true)
		disabled := storage.UserDisabled
		w.ok(w.s.UpdateUser(w.ctx, storage.UserChange{ID: p.id, Status: &disabled, Now: w.now}))
		w.ok(w.s.Spend(w.ctx, storage.Spend{Now: w.now, Activate: p.id}))
		same(w, w.account(p.id).User.Status, storage.UserDisabled)
		w.is(w.s.Spend(w.ctx, storage.Spend{Now: w.now, MFAEnabled: random[storage.UserID]()}), storage.ErrConflict)
	})
	w.test("a right proof resets its counters and writes all of its parts", completeSpend)
	w.test("if one part of a proof fails, nothing happens", failedSpend)
}

func secretChanged(w *fixture) {
	p := w.addUser()
	spend := func(secret string, was int64, changed bool) error {
		return w.s.Spend(w.ctx, storage.Spend{Now: w.now, Credential: &storage.CredentialSpend{User: p.id, Authenticator: p.password,
			Secret: []byte(secret), Was: was, Changed: changed}})
	}
	w.one(racers, func(int) error { return spend("new", 0, true) })
	w.is(spend("old, rehashed", 0, false), storage.ErrConflict)
	same(w, w.find(p.id, p.password).Secret, []byte("new"))
	w.ok(spend("new, rehashed", 1, false))
	w.ok(spend("newer", 1, true))
	same(w, w.find(p.id, p.password).Counter, 2)
}

func credentialRefusals(w *fixture) {
	p, q := w.addUser(), w.addUser()
	off := w.addUser()
	w.ok(w.s.SetAuthenticatorState(w.ctx, off.id, off.totp, storage.AuthenticatorDisabled, w.now, nil, nil))
	pending := w.authenticator(p.id, random[storage.AuthenticatorID](), "totp", "s")
	pending.State, pending.ExpiresAt = storage.AuthenticatorPending, w.now.Add(time.Minute)
	w.ok(w.s.PutAuthenticator(w.ctx, pending, nil, nil))
	gone, disabled := w.addUser(), storage.UserDisabled
	w.ok(w.s.UpdateUser(w.ctx, storage.UserChange{ID: gone.id, Status: &disabled, Now: w.now}))
	for name, c := range map[string]storage.CredentialSpend{
		"another user's":        {User: q.id, Authenticator: p.totp, Step: 1},
		"switched off":          {User: off.id, Authenticator: off.totp, Step: 1},
		"pending":               {User: p.id, Authenticator: pending.ID, Step: 1},
		"of a disabled user":    {User: gone.id, Authenticator: gone.totp, Step: 1},
		"unknown":               {User: p.id, Authenticator: random[storage.AuthenticatorID](), Step: 1},
		"malformed":             {User: p.id, Authenticator: "x", Step: 1},
		"confirmed before":      {User: p.id, Authenticator: p.totp, Step: 1, Confirm: true},
		"replaced, but unknown": {User: p.id, Authenticator: random[storage.AuthenticatorID](), Secret: []byte("s")},
	} {
		w.test(name, func(w *fixture) {
			w.is(w.s.Spend(w.ctx, storage.Spend{Now: w.now, Credential: &c}), storage.ErrConflict)
		})
	}
}

func confirmation(w *fixture) {
	p := w.addUser()
	pending := w.authenticator(p.id, random[storage.AuthenticatorID](), "totp", "s")
	pending.State, pending.ExpiresAt = storage.AuthenticatorPending, w.now.Add(10*time.Minute)
	w.ok(w.s.PutAuthenticator(w.ctx, pending, nil, nil))
	confirm := func(now time.Time) error {
		return w.s.Spend(w.ctx, storage.Spend{Now: now, Credential: &storage.CredentialSpend{User: p.id, Authenticator: pending.ID, Step: 5, Confirm: true}})
	}
	w.is(confirm(pending.ExpiresAt), storage.ErrConflict)
	w.one(racers, func(int) error { return confirm(w.now) })
	a := w.find(p.id, pending.ID)
	same(w, a.State, storage.AuthenticatorActive)
	same(w, a.Counter, 5)
	same(w, a.ExpiresAt, time.Time{})
	w.test("a change decided without a confirmed authenticator is not made", changedMeanwhile)
}

// changedMeanwhile races confirmations with a removal of what was read: one comes first.
func changedMeanwhile(w *fixture) {
	for range 5 {
		p := w.addUser()
		pending := w.pending(p)
		read := w.account(p.id).User
		remove := storage.UserChange{ID: p.id, Was: read.UpdatedAt, Now: read.Next(w.now), Factors: &storage.FactorsChange{Remove: []storage.AuthenticatorID{pending}}}
		spend := storage.Spend{Now: w.now, Credential: &storage.CredentialSpend{User: p.id, Authenticator: pending, Confirm: true, Step: 1}}
		w.one(racers, func(i int) error {
			if i%2 == 0 {
				return w.s.Spend(w.ctx, spend)
			}
			return w.s.UpdateUser(w.ctx, remove)
		})
	}
	p := w.addUser()
	read := w.account(p.id).User
	w.ok(w.s.Spend(w.ctx, storage.Spend{Now: read.UpdatedAt.Add(-time.Second), Credential: &storage.CredentialSpend{User: p.id, Authenticator: w.pending(p), Confirm: true, Step: 1}}))
	if now := w.account(p.id).User; !now.UpdatedAt.After(read.UpdatedAt) {
		w.Errorf("the user changed at %v, want it after %v although the clock is behind", now.UpdatedAt, read.UpdatedAt)
	}
	w.is(w.s.UpdateUser(w.ctx, storage.UserChange{ID: p.id, Was: read.UpdatedAt, Now: read.Next(w.now)}), storage.ErrConflict)
}

func statusMoves(w *fixture) {
	p, q, r := w.addUser(), w.addUser(), w.opened()
	s := w.initiated(r, p)
	spend := func(m storage.StatusMove) error { return w.s.Spend(w.ctx, storage.Spend{Now: w.now, Status: &m}) }
	next := random[storage.ExchangeID]()
	verify := storage.StatusMove{Exchange: s.Exchange, From: storage.StatusInitiated, To: storage.StatusVerified, Rotate: next, ExpiresAt: w.now.Add(time.Minute)}
	redeem := storage.StatusMove{ID: s.ID, From: storage.StatusVerified, To: storage.StatusRedeemed, Request: r, User: p.id, Method: "totp", Usage: "second"}
	w.is(spend(redeem), storage.ErrConflict)
	w.one(racers, func(int) error { return spend(verify) })
	got, _, err := w.s.StatusByExchange(w.ctx, next, w.now)
	w.ok(err)
	same(w, got.State, storage.StatusVerified)
	same(w, got.ExpiresAt, w.now.Add(time.Minute))
	_, _, err = w.s.StatusByExchange(w.ctx, s.Exchange, w.now)
	w.is(err, storage.ErrNotFound)
	for name, change := range map[string]func(*storage.StatusMove){
		"another request": func(m *storage.StatusMove) { m.Request = random[storage.RequestID]() },
		"another user":    func(m *storage.StatusMove) { m.User = q.id },
		"no such user":    func(m *storage.StatusMove) { m.User = "x" },
		"another method":  func(m *storage.StatusMove) { m.Method = "recovery" },
		"another usage":   func(m *storage.StatusMove) { m.Usage = "passwordless" },
		"another status":  func(m *storage.StatusMove) { m.ID = random[storage.StatusID]() },
		"no status":       func(m *storage.StatusMove) { m.ID = "" },
		"another state":   func(m *storage.StatusMove) { m.From = storage.StatusInitiated },
	} {
		w.test(name, func(w *fixture) {
			m := redeem
			change(&m)
			w.is(spend(m), storage.ErrConflict)
		})
	}
	w.is(w.s.Spend(w.ctx, storage.Spend{Now: w.now.Add(time.Minute), Status: &redeem}), storage.ErrConflict)
	w.one(racers, func(int) error { return spend(redeem) })
}

// proof is a Spend with every part.
type proof struct {
	storage.Spend
	person
	status  storage.Status
	counter storage.Throttle
}

func (w *fixture) proof() proof {
	w.Helper()
	p, r := w.addUser(), w.opened()
	s, c := w.initiated(r, p), w.counter("factor", storage.Schedule{Max: 1})
	_, err := w.count(w.now, c)
	w.ok(err)
	set := w.codes(p, "A", "B")
	spend := w.right(s, p, c, 7)
	spend.Recovery, spend.MFAEnabled, spend.Activate = &set, p.id, p.id
	spend.Messages = []storage.Message{w.message()}
	return proof{spend, p, s, c}
}

func completeSpend(w *fixture) {
	x := w.proof()
	w.ok(w.s.Spend(w.ctx, x.Spend))
	same(w, w.find(x.id, x.totp).Counter, 7)
	same(w, w.state(x.status.ID), storage.StatusRedeemed)
	r := w.request(x.status.Request)
	same(w, r.Subject, x.id)
	same(w, r.Factors, []storage.Factor{*x.Request.Factor})
	codes, err := w.s.RecoveryCodes(w.ctx, x.id)
	w.ok(err)
	same(w, codes, []string{"A", "B"})
	same(w, w.account(x.id).User.MFAEnabled, true)
	_, err = w.count(w.now, x.counter)
	w.ok(err)
	same(w, w.logged(x.Events[0]), true)
	same(w, w.sent(x.Messages[0]), true)
}

func failedSpend(w *fixture) {
	for name, spoil := range map[string]func(*storage.Spend){
		"credential": func(s *storage.Spend) { s.Credential.Authenticator = random[storage.AuthenticatorID]() },
		"status":     func(s *storage.Spend) { s.Status.User = random[storage.UserID]() },
		"request":    func(s *storage.Spend) { s.Request.Version = 9 },
		"user":       func(s *storage.Spend) { s.MFAEnabled = random[storage.UserID]() },
	} {
		w.test(name, func(w *fixture) {
			x := w.proof()
			spoil(&x.Spend)
			w.is(w.s.Spend(w.ctx, x.Spend), storage.ErrConflict)
			same(w, w.find(x.id, x.totp).Counter, 0)
			same(w, w.state(x.status.ID), storage.StatusInitiated)
			r := w.request(x.status.Request)
			same(w, r.Version, 0)
			same(w, len(r.Factors), 0)
			codes, err := w.s.RecoveryCodes(w.ctx, x.id)
			w.ok(err)
			same(w, len(codes), 0)
			same(w, w.account(x.id).User.MFAEnabled, false)
			_, err = w.count(w.now, x.counter)
			w.is(err, storage.ErrConflict)
			same(w, w.logged(x.Events[0]), false)
			same(w, w.sent(x.Messages[0]), false)
		})
	}
}

// sent reports whether a message is in the outbox.
func (w *fixture) sent(m storage.Message) bool {
	w.Helper()
	return w.there(m.ID) == 1
}
