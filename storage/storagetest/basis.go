package storagetest

import (
	"time"

	"sallyport/storage"
)

// enrolling stores a pending authenticator and returns the Spend that confirms it under a basis.
func (w *fixture) enrolling(p person, b storage.Basis) storage.Spend {
	w.Helper()
	a := w.authenticator(p.id, random[storage.AuthenticatorID](), "app", "pending secret")
	a.State, a.ExpiresAt = storage.AuthenticatorPending, w.now.Add(10*time.Minute)
	w.ok(w.s.PutAuthenticator(w.ctx, a, nil, nil))
	b.User = p.id
	return storage.Spend{Now: w.now, Basis: &b, Credential: &storage.CredentialSpend{User: p.id, Authenticator: a.ID, Step: 5, Confirm: true}}
}

// changePassword returns a password change.
func (w *fixture) changePassword(p person) storage.Spend {
	return storage.Spend{Now: w.now, Credential: &storage.CredentialSpend{User: p.id, Authenticator: p.password, Secret: []byte("new"),
		Was: w.find(p.id, p.password).Counter, Changed: true}}
}

func enrollmentBasis(w *fixture) {
	q := w.addUser()
	foreign := w.signedIn(q)
	foreignGrant := w.granted(q, foreign.ID, true)
	for name, tc := range map[string]struct {
		end  func(p person, s storage.Session, g storage.GrantID)
		want error
	}{
		"nothing happened": {func(person, storage.Session, storage.GrantID) {}, nil},
		"the session ended": {func(_ person, s storage.Session, _ storage.GrantID) {
			w.ok(w.s.EndSession(w.ctx, s.ID, false, w.now, nil))
		}, storage.ErrConflict},
		"every session ended": {func(p person, _ storage.Session, _ storage.GrantID) {
			w.ok(w.s.EndSessions(w.ctx, p.id, "", false, w.now, nil))
		}, storage.ErrConflict},
		"the grant ended": {func(_ person, _ storage.Session, g storage.GrantID) {
			w.ok(w.s.RevokeGrant(w.ctx, g, "test", w.now, nil))
		}, storage.ErrConflict},
		"the consent is withdrawn": {func(p person, _ storage.Session, _ storage.GrantID) {
			w.ok(w.s.WithdrawConsent(w.ctx, p.id, "app", w.now, nil))
		}, storage.ErrConflict},
		"another password": {func(p person, _ storage.Session, _ storage.GrantID) { w.ok(w.s.Spend(w.ctx, w.changePassword(p))) }, storage.ErrConflict},
		"its hash was renewed": {func(p person, _ storage.Session, _ storage.GrantID) {
			s := w.changePassword(p)
			s.Credential.Changed = false
			w.ok(w.s.Spend(w.ctx, s))
		}, nil},
		"another's ended": {func(person, storage.Session, storage.GrantID) {
			w.ok(w.s.EndSession(w.ctx, foreign.ID, true, w.now, nil))
		}, nil},
	} {
		p := w.addUser()
		s := w.signedIn(p)
		g := w.granted(p, s.ID, true)
		spend := w.enrolling(p, storage.Basis{Session: s.ID, Grant: g, Secret: p.password})
		tc.end(p, s, g)
		if err := w.s.Spend(w.ctx, spend); err != tc.want {
			w.Errorf("%s: %v, want %v", name, err, tc.want)
		}
		want := storage.AuthenticatorActive
		if tc.want != nil {
			want = storage.AuthenticatorPending
		}
		same(w, w.find(p.id, spend.Credential.Authenticator).State, want)
	}
	p := w.addUser()
	s := w.signedIn(p)
	for name, b := range map[string]storage.Basis{
		"another's session": {Session: foreign.ID}, "another's grant": {Grant: foreignGrant}, "another's password": {Secret: q.password},
		"a password that was another": {Secret: p.password, Was: 1}, "an unknown session": {Session: "x"},
	} {
		if err := w.s.Spend(w.ctx, w.enrolling(p, b)); err != storage.ErrConflict {
			w.Errorf("%s: %v, want %v", name, err, storage.ErrConflict)
		}
	}
	for name, now := range map[string]time.Time{"an idle session": s.IdleUntil, "one that expired": s.ExpiresAt} {
		spend := w.enrolling(p, storage.Basis{Session: s.ID})
		spend.Now, spend.Credential.Confirm = now, false // the authenticator does not matter here
		spend.Credential.Authenticator = p.totp
		if err := w.s.Spend(w.ctx, spend); err != storage.ErrConflict {
			w.Errorf("%s: %v, want %v", name, err, storage.ErrConflict)
		}
	}
}

// concurrentEnds lets sessions of one user concurrently confirm an authenticator and end
// all others: one succeeds.
func concurrentEnds(w *fixture) {
	p := w.addUser()
	var spends []storage.Spend
	for range racers {
		s := w.signedIn(p)
		spend := w.enrolling(p, storage.Basis{Session: s.ID, Grant: w.granted(p, s.ID, true)})
		spend.EndSessions, spend.KeepSession = p.id, s.ID
		spends = append(spends, spend)
	}
	w.one(racers, func(i int) error { return w.s.Spend(w.ctx, spends[i]) })
	left, err := w.s.SessionsOf(w.ctx, p.id, w.now)
	w.ok(err)
	same(w, len(left), 1)
	all, err := w.s.GrantsOf(w.ctx, p.id, w.now)
	w.ok(err)
	same(w, len(all), 1)
}
