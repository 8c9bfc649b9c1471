package storagetest

import (
	"encoding/json"
	"time"

	"sallyport/storage"
)

func extensions(w *fixture) {
	w.test("a session is extended without a new token", func(w *fixture) {
		p := w.addUser()
		s := w.signedIn(p)
		f := storage.Factor{Method: "sms", Authenticator: random[storage.AuthenticatorID](), Kinds: []storage.Kind{storage.Have}, AMR: []string{"sms"}, At: w.now.Add(time.Minute)}
		x := storage.Extension{ID: s.ID, User: p.id, Factor: &f, Factors: append(s.Factors, f), ExpiresAt: w.now.Add(5 * time.Hour),
			Attributes: json.RawMessage(`{"a":1}`), Was: s.Attributes, Now: w.now.Add(time.Minute)}
		w.ok(w.s.ExtendSession(w.ctx, x, nil))
		got, _, err := w.s.Session(w.ctx, s.ID, w.now.Add(time.Minute))
		w.ok(err)
		same(w, got.Factors, x.Factors)
		same(w, got.ExpiresAt, x.ExpiresAt)
		same(w, string(got.Attributes), `{"a":1}`)
		same(w, got.Generation, s.Generation)
		w.is(w.s.ExtendSession(w.ctx, x, nil), storage.ErrConflict) // other attributes now
		x.Was = got.Attributes
		w.one(racers, func(i int) error {
			y := x
			y.Attributes = json.RawMessage(`{"b":` + string(rune('0'+i%10)) + `}`)
			return w.s.Spend(w.ctx, storage.Spend{Now: w.now, Extend: &y})
		})
		for range 200 { // more than the list has room for
			x.Attributes, x.ExpiresAt = nil, time.Time{}
			w.ok(w.s.ExtendSession(w.ctx, x, nil))
		}
		got, _, err = w.s.Session(w.ctx, s.ID, w.now.Add(time.Minute))
		w.ok(err)
		same(w, got.Factors, x.Factors)
	})
	w.test("no session of another user, and none that is over, is extended", func(w *fixture) {
		p, q := w.addUser(), w.addUser()
		s := w.signedIn(p)
		w.is(w.s.ExtendSession(w.ctx, storage.Extension{ID: s.ID, User: q.id, ExpiresAt: w.now.Add(time.Hour), Now: w.now}, nil), storage.ErrConflict)
		w.is(w.s.ExtendSession(w.ctx, storage.Extension{ID: s.ID, User: p.id, Now: s.ExpiresAt}, nil), storage.ErrConflict)
		w.ok(w.s.EndSession(w.ctx, s.ID, false, w.now, nil))
		w.is(w.s.ExtendSession(w.ctx, storage.Extension{ID: s.ID, User: p.id, Now: w.now}, nil), storage.ErrConflict)
	})
	w.test("a session that a proof creates exists with the proof only", func(w *fixture) {
		p := w.addUser()
		s := w.session(p)
		spend := storage.Spend{Now: w.now, Session: &s, Credential: &storage.CredentialSpend{User: p.id, Authenticator: random[storage.AuthenticatorID](), Step: 1}}
		w.is(w.s.Spend(w.ctx, spend), storage.ErrConflict)
		_, _, err := w.s.Session(w.ctx, s.ID, w.now)
		w.is(err, storage.ErrNotFound)
		spend.Credential = nil
		w.ok(w.s.Spend(w.ctx, spend))
		_, _, err = w.s.Session(w.ctx, s.ID, w.now)
		w.ok(err)
	})
}
