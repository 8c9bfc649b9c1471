package storagetest

import (
	"time"

	"sallyport/storage"
)

func housekeeping(w *fixture) {
	w.test("the clock advances", func(w *fixture) {
		first, err := w.s.Clock(w.ctx)
		w.ok(err)
		second, err := w.s.Clock(w.ctx)
		w.ok(err)
		if first.Year() < 2020 || second.Before(first) || second.Sub(first) > time.Minute {
			w.Fatalf("%v, then %v", first, second)
		}
	})
	w.test("what is read can be settled", func(w *fixture) {
		w.ok(w.s.Settle(w.ctx))
	})
	w.test("a sweep removes only expired rows, in batches", func(w *fixture) {
		p := w.addUser()
		b := w.belongings(p)
		pending := w.authenticator(p.id, random[storage.AuthenticatorID](), "totp", "s")
		pending.State, pending.ExpiresAt = storage.AuthenticatorPending, w.now.Add(time.Minute)
		w.ok(w.s.PutAuthenticator(w.ctx, pending, nil, nil))
		w.ok(w.s.RevokeToken(w.ctx, "jti", w.now.Add(time.Minute), nil))
		for range 3 {
			w.opened()
		}
		n, err := w.s.Sweep(w.ctx, w.now, 1000)
		w.ok(err)
		same(w, n, 0)
		w.request(b.request)

		later := w.now.Add(30 * time.Minute)
		total := 0
		for {
			n, err := w.s.Sweep(w.ctx, later, 2)
			w.ok(err)
			if n == 0 {
				break
			}
			total += n
		}
		// Four requests, a pending authenticator and a revoked token.
		same(w, total, 6)
		n, err = w.s.Sweep(w.ctx, later.Add(storage.KeepStatus), 1000)
		w.ok(err)
		same(w, n, 2) // statuses
		same(w, len(w.account(p.id).Authenticators), 2)
		revoked, err := w.s.TokenRevoked(w.ctx, "jti")
		w.ok(err)
		same(w, revoked, false)
		_, err = w.readGrant(b.grant)
		w.ok(err)
	})
	w.test("an ended session stays until the grants it ended are gone", func(w *fixture) {
		p := w.addUser()
		s := w.signedIn(p)
		w.ok(w.s.EndSession(w.ctx, s.ID, false, w.now, nil))
		// Redeemed just after the logout: inactive only because of its session.
		late := w.granted(p, s.ID, false)
		for _, after := range []time.Duration{24 * time.Hour, 700 * time.Hour} {
			_, err := w.s.Sweep(w.ctx, w.now.Add(after), 1000)
			w.ok(err)
			g, err := w.readGrant(late)
			w.ok(err)
			same(w, g.Alive(), false)
		}
		_, err := w.s.Sweep(w.ctx, w.now.Add(3000*time.Hour), 1000)
		w.ok(err)
		_, err = w.readGrant(late)
		w.is(err, storage.ErrNotFound)
	})
}
