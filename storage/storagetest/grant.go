package storagetest

import (
	"encoding/json"
	"sync"
	"time"

	"sallyport/storage"
)

func (w *fixture) authorization(p person, session storage.SessionID) storage.Authorization {
	return storage.Authorization{
		ClientID: "app", UserID: p.id, SessionID: session, Scopes: []string{"openid", "offline_access"}, Audience: []string{"api"},
		Nonce: "n", ACR: "aal2", AMR: []string{"pwd", "otp"}, AuthTime: w.now, RequestedAt: w.now.Add(-time.Minute),
		Claims: json.RawMessage(`{"id_token":{}}`),
	}
}

// code returns a grant whose code was not redeemed.
func (w *fixture) code(p person, session storage.SessionID) *storage.Grant {
	return &storage.Grant{
		ID: ordered[storage.GrantID](w.now), Authorization: w.authorization(p, session), CodeUntil: w.now.Add(time.Minute),
		RedirectURI: "https://app.example/cb", CodeChallenge: "c", ExpiresAt: w.now.Add(2161 * time.Hour), CreatedAt: w.now,
	}
}

// issued stores a grant whose code was not redeemed.
func (w *fixture) issued(p person, session storage.SessionID) *storage.Grant {
	w.Helper()
	c := w.code(p, session)
	w.ok(w.s.FinishRequest(w.ctx, storage.Finish{Now: w.now, Code: c}))
	return c
}

// redemption is one for an offline grant.
func (w *fixture) redemption(id storage.GrantID) storage.Redemption {
	return storage.Redemption{ID: id, Offline: true, Refreshable: true, RefreshUntil: w.now.Add(720 * time.Hour), ExpiresAt: w.now.Add(2160 * time.Hour), Now: w.now}
}

func (w *fixture) redeem(c *storage.Grant) error { return w.s.RedeemCode(w.ctx, w.redemption(c.ID)) }

func (w *fixture) grant(p person, session storage.SessionID, offline bool) storage.Grant {
	return storage.Grant{
		ID: ordered[storage.GrantID](w.now), Authorization: w.authorization(p, session), Offline: offline, Refreshable: true,
		RedeemedAt: w.now, RefreshUntil: w.now.Add(720 * time.Hour), ExpiresAt: w.now.Add(2160 * time.Hour), CreatedAt: w.now,
	}
}

// granted stores a valid grant.
func (w *fixture) granted(p person, session storage.SessionID, offline bool) storage.GrantID {
	w.Helper()
	g := w.grant(p, session, offline)
	w.ok(w.s.FinishRequest(w.ctx, storage.Finish{Now: w.now, Grant: &g}))
	return g.ID
}

func grants(w *fixture) {
	redemptions(w)
	usedProofs(w)
	w.test("a grant is returned with what decides its validity", func(w *fixture) {
		p := w.addUser()
		w.ok(w.s.AddIdentifier(w.ctx, w.name(p.id, random[string]()), nil))
		g := w.grant(p, w.signedIn(p).ID, false)
		w.ok(w.s.FinishRequest(w.ctx, storage.Finish{Now: w.now, Grant: &g}))
		got, err := w.readGrant(g.ID)
		w.ok(err)
		want := storage.GrantAccount{Grant: g, Account: w.account(p.id)}
		want.Account.Authenticators = nil
		same(w, got, want)
		same(w, got.Alive(), true)
		for _, id := range malformed(string(g.ID)) {
			_, err := w.readGrant(storage.GrantID(id))
			w.is(err, storage.ErrNotFound)
		}
	})
	w.test("one of concurrent rotations of a refresh token succeeds", rotation)
	w.test("a refresh token that stays is used by all callers at once", keptRotation)
	w.test("an ended grant or one without a refresh token does not rotate", noRotation)
	w.test("a grant is ended once, and ending it again is not an error", revocation)
	w.test("valid grants of a user are listed, newest first", func(w *fixture) {
		p := w.addUser()
		first := w.granted(p, "", true)
		w.now = w.now.Add(time.Minute)
		second, revoked := w.granted(p, "", false), w.granted(p, "", false)
		w.ok(w.s.RevokeGrant(w.ctx, revoked, "r", w.now, nil))
		all, err := w.s.GrantsOf(w.ctx, p.id, w.now)
		w.ok(err)
		if len(all) != 2 || all[0].ID != second || all[1].ID != first {
			w.Fatalf("got %+v, want %s then %s", all, second, first)
		}
		all, err = w.s.GrantsOf(w.ctx, p.id, w.now.Add(3000*time.Hour))
		w.ok(err)
		same(w, len(all), 0)
	})
	w.test("a token without a grant is revoked by its jti", func(w *fixture) {
		jti := random[string]()
		revoked, err := w.s.TokenRevoked(w.ctx, jti)
		w.ok(err)
		same(w, revoked, false)
		for range 2 {
			w.ok(w.s.RevokeToken(w.ctx, jti, w.now.Add(time.Minute), nil))
		}
		revoked, err = w.s.TokenRevoked(w.ctx, jti)
		w.ok(err)
		same(w, revoked, true)
	})
}

func usedProofs(w *fixture) {
	w.test("a proof is used once, by one of concurrent callers", func(w *fixture) {
		id, until := random[string](), w.now.Add(time.Minute)
		w.one(racers, func(int) error { return w.s.UseProof(w.ctx, id, until) })
		w.is(w.s.UseProof(w.ctx, id, until.Add(time.Hour)), storage.ErrConflict)
		w.ok(w.s.UseProof(w.ctx, id+"x", until))
	})
	w.test("a used proof is swept once it is over", func(w *fixture) {
		id, until := random[string](), w.now.Add(time.Minute)
		w.ok(w.s.UseProof(w.ctx, id, until))
		_, err := w.s.Sweep(w.ctx, until.Add(-time.Microsecond), 1000)
		w.ok(err)
		w.is(w.s.UseProof(w.ctx, id, until), storage.ErrConflict)
		_, err = w.s.Sweep(w.ctx, until, 1000)
		w.ok(err)
		w.ok(w.s.UseProof(w.ctx, id, until))
	})
	w.test("refresh tokens are bound to a key and a certificate at the redemption, and at a rotation", func(w *fixture) {
		c := w.issued(w.addUser(), "")
		r := w.redemption(c.ID)
		r.RefreshKey, r.RefreshCertificate = "first", "first certificate"
		w.ok(w.s.RedeemCode(w.ctx, r))
		bound := func(want string) {
			w.Helper()
			got, err := w.readGrant(c.ID)
			w.ok(err)
			same(w, got.Grant.RefreshKey, want)
			same(w, got.Grant.RefreshCertificate, want+" certificate")
		}
		bound("first")
		w.ok(w.s.RotateRefresh(w.ctx, storage.Rotation{ID: c.ID, RefreshKey: "second", RefreshCertificate: "second certificate", Until: w.now.Add(time.Hour), Now: w.now}))
		bound("second")
	})
}

func rotation(w *fixture) {
	id := w.granted(w.addUser(), "", true)
	later, until := w.now.Add(time.Minute), w.now.Add(800*time.Hour)
	rotate := func(generation int64, now time.Time) error {
		return w.s.RotateRefresh(w.ctx, storage.Rotation{ID: id, Generation: generation, Until: until, Now: now})
	}
	w.one(racers, func(int) error { return rotate(0, later) })
	got, err := w.readGrant(id)
	w.ok(err)
	same(w, got.Grant.Generation, 1)
	same(w, got.Grant.RotatedAt, later)
	same(w, got.Grant.RefreshUntil, until)
	w.is(rotate(0, later), storage.ErrConflict)
	w.is(rotate(2, later), storage.ErrConflict)
	w.is(rotate(1, until), storage.ErrConflict)
	w.ok(rotate(1, later))
}

// keptRotation uses a refresh token that stays as it is: all callers at once may.
func keptRotation(w *fixture) {
	id := w.granted(w.addUser(), "", true)
	use := func(generation int64, keep bool, at time.Time) error {
		return w.s.RotateRefresh(w.ctx, storage.Rotation{ID: id, Generation: generation, Keep: keep, Until: at.Add(time.Hour), Now: at})
	}
	w.ok(use(0, false, w.now))
	later := w.now.Add(time.Minute)
	errs := make([]error, racers)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() { errs[i] = use(1, true, later) })
	}
	all.Wait()
	for _, err := range errs {
		w.ok(err)
	}
	got, err := w.readGrant(id)
	w.ok(err)
	same(w, got.Grant.Generation, 1)
	same(w, got.Grant.RotatedAt, w.now)
	same(w, got.Grant.RefreshUntil, later.Add(time.Hour))
	w.is(use(0, true, later), storage.ErrConflict)
	w.is(use(1, true, later.Add(time.Hour)), storage.ErrConflict)
	w.ok(w.s.RevokeGrant(w.ctx, id, "test", later, nil))
	w.is(use(1, true, later), storage.ErrConflict)
}

func noRotation(w *fixture) {
	p := w.addUser()
	revoked, expiring, plain := w.granted(p, "", true), w.grant(p, "", true), w.grant(p, "", false)
	expiring.ExpiresAt = w.now.Add(time.Hour)
	plain.Refreshable = false
	for _, g := range []storage.Grant{expiring, plain} {
		w.ok(w.s.FinishRequest(w.ctx, storage.Finish{Now: w.now, Grant: &g}))
	}
	w.ok(w.s.RevokeGrant(w.ctx, revoked, "test", w.now, nil))
	for id, now := range map[storage.GrantID]time.Time{
		revoked: w.now, expiring.ID: w.now.Add(time.Hour), plain.ID: w.now, random[storage.GrantID](): w.now, "x": w.now,
	} {
		w.is(w.s.RotateRefresh(w.ctx, storage.Rotation{ID: id, Now: now, Until: now.Add(time.Hour)}), storage.ErrConflict)
	}
}

func revocation(w *fixture) {
	p := w.addUser()
	id, first, again := w.granted(p, "", true), w.event(p), w.event(p)
	w.ok(w.s.RevokeGrant(w.ctx, id, "replayed", w.now, []storage.Event{first}))
	w.ok(w.s.RevokeGrant(w.ctx, id, "other", w.now.Add(time.Minute), []storage.Event{again}))
	w.ok(w.s.RevokeGrant(w.ctx, random[storage.GrantID](), "other", w.now, nil))
	w.ok(w.s.RevokeGrant(w.ctx, "x", "other", w.now, nil))
	got, err := w.readGrant(id)
	w.ok(err)
	same(w, got.Grant.RevokedAt, w.now)
	same(w, got.Grant.RevokeReason, "replayed")
	same(w, got.Alive(), false)
	same(w, w.logged(first) && w.logged(again), true)
}

// readGrant reads a grant both ways, which must agree.
func (w *fixture) readGrant(id storage.GrantID) (storage.GrantAccount, error) {
	w.Helper()
	all, err := w.s.Grant(w.ctx, id)
	state, stateErr := w.s.GrantState(w.ctx, id)
	w.is(stateErr, err)
	if err == nil {
		same(w, state.Alive(), all.Alive())
		same(w, state.Account.User.ID, all.Account.User.ID)
		same(w, state.Account.User.Status, all.Account.User.Status)
		same(w, state.Account.User.Roles, all.Account.User.Roles)
	}
	return all, err
}
