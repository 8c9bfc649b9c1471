package storagetest

import (
	"encoding/json"
	"time"

	"sallyport/storage"
)

// pending stores a pending enrolment of a user.
func (w *fixture) pending(p person) storage.AuthenticatorID {
	w.Helper()
	a := w.authenticator(p.id, random[storage.AuthenticatorID](), "passkey", "")
	a.State, a.ExpiresAt, a.Secret = storage.AuthenticatorPending, w.now.Add(time.Minute), nil
	s := w.newStatus("", p)
	s.Authenticator, s.Method, s.Usage = a.ID, a.Method, "enroll"
	w.ok(w.s.Enroll(w.ctx, storage.Enrollment{Authenticator: a, Status: s}))
	return a.ID
}

func (w *fixture) confirmCredential(p person, id storage.AuthenticatorID, credential []byte) error {
	return w.s.Spend(w.ctx, storage.Spend{Now: w.now, Credential: &storage.CredentialSpend{User: p.id, Authenticator: id, Confirm: true, Step: 3,
		Secret: []byte("record"), Data: json.RawMessage(`{"rp_id":"a"}`), Credential: credential}})
}

func credentials(w *fixture) {
	w.test("an authenticator is found by its credential until it is removed", func(w *fixture) {
		p, name := w.addUser(), []byte(random[string]())
		_, err := w.s.AccountByCredential(w.ctx, name)
		w.is(err, storage.ErrNotFound)
		id := w.pending(p)
		w.ok(w.confirmCredential(p, id, name))
		a := w.find(p.id, id)
		same(w, []string{string(a.Secret), string(a.Data), string(a.State)}, []string{"record", `{"rp_id":"a"}`, string(storage.AuthenticatorActive)})
		same(w, a.Counter, int64(3))
		w.ok(w.s.PutAuthenticator(w.ctx, a, nil, nil)) // its credential stays
		got, err := w.s.AccountByCredential(w.ctx, name)
		w.ok(err)
		same(w, got, w.account(p.id))
		r := w.opened()
		found, err := w.s.Login(w.ctx, storage.Lookup{ID: r, Credential: name, Now: w.now})
		w.ok(err)
		if found.Account == nil || found.Account.User.ID != p.id || found.Request == nil {
			w.Fatalf("found %+v, want the request and its user", found)
		}
		w.ok(w.s.DeleteAuthenticator(w.ctx, storage.Removal{UserID: p.id, Authenticator: id, Now: w.now}))
		_, err = w.s.AccountByCredential(w.ctx, name)
		w.is(err, storage.ErrNotFound)
		found, err = w.s.Login(w.ctx, storage.Lookup{ID: r, Credential: name, Now: w.now})
		w.ok(err)
		if found.Account != nil {
			w.Fatalf("a removed credential finds %+v", found.Account)
		}
	})
	w.test("the subject of a request comes before a credential, and nothing is none", func(w *fixture) {
		p, q, name := w.addUser(), w.addUser(), []byte(random[string]())
		w.ok(w.confirmCredential(p, w.pending(p), name))
		r := w.opened()
		w.ok(w.s.ChangeRequest(w.ctx, storage.RequestChange{ID: r, Subject: q.id, Now: w.now}, nil))
		found, err := w.s.Login(w.ctx, storage.Lookup{ID: r, Credential: name, Now: w.now})
		w.ok(err)
		same(w, found.Account.User.ID, q.id)
		for _, none := range [][]byte{nil, {}} {
			_, err := w.s.AccountByCredential(w.ctx, none)
			w.is(err, storage.ErrNotFound)
		}
	})
	w.test("one of concurrent users gets a credential", func(w *fixture) {
		name := []byte(random[string]())
		people, ids := make([]person, racers), make([]storage.AuthenticatorID, racers)
		for i := range people {
			people[i] = w.addUser()
			ids[i] = w.pending(people[i])
		}
		w.one(racers, func(i int) error { return w.confirmCredential(people[i], ids[i], name) })
	})
	w.test("new data of an authenticator is written with its proof, or not at all", func(w *fixture) {
		p := w.addUser()
		spend := func(step int64, data string) error {
			return w.s.Spend(w.ctx, storage.Spend{Now: w.now, Credential: &storage.CredentialSpend{User: p.id, Authenticator: p.totp, Step: step, Data: json.RawMessage(data)}})
		}
		w.ok(spend(7, `{"backed_up":true}`))
		w.is(spend(7, `{"backed_up":false}`), storage.ErrConflict)
		same(w, string(w.find(p.id, p.totp).Data), `{"backed_up":true}`)
	})
	w.test("a status gets new data as it advances", func(w *fixture) {
		p := w.addUser()
		s := w.initiated(w.opened(), p)
		w.ok(w.s.Spend(w.ctx, storage.Spend{Now: w.now, Status: &storage.StatusMove{ID: s.ID, Exchange: s.Exchange, From: storage.StatusInitiated,
			To: storage.StatusVerified, Data: []byte("proof")}}))
		got, err := w.s.Status(w.ctx, s.ID, w.now)
		w.ok(err)
		same(w, []string{string(got.Data), string(got.State), string(got.ID)}, []string{"proof", string(storage.StatusVerified), string(s.ID)})
		other := w.initiated(w.opened(), p)
		w.is(w.s.Spend(w.ctx, storage.Spend{Now: w.now, Status: &storage.StatusMove{ID: s.ID, Exchange: other.Exchange, From: storage.StatusInitiated,
			To: storage.StatusVerified, Data: []byte("proof")}}), storage.ErrConflict)
	})
}
