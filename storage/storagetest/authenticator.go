package storagetest

import (
	"slices"
	"time"

	"sallyport/storage"
)

func authenticators(w *fixture) {
	w.test("an enrolment is stored with its status and replaces pending ones", enrolling)
	w.test("only its owner can replace an authenticator", func(w *fixture) {
		p, q := w.addUser(), w.addUser()
		a := w.find(p.id, p.totp)
		a.Secret, a.Counter, a.Name = []byte("another secret"), 9, "new phone"
		m, e := w.message(), w.event(p)
		w.ok(w.s.PutAuthenticator(w.ctx, a, []storage.Event{e}, []storage.Message{m}))
		same(w, w.find(p.id, p.totp), a)
		same(w, w.logged(e), true)
		stolen := a
		stolen.UserID = q.id
		w.is(w.s.PutAuthenticator(w.ctx, stolen, nil, nil), storage.ErrConflict)
		same(w, w.find(p.id, p.totp), a)
		w.is(w.s.PutAuthenticator(w.ctx, w.authenticator(random[storage.UserID](), random[storage.AuthenticatorID](), "totp", "s"), nil, nil),
			storage.ErrNotFound)
	})
	w.test("only its owner can rename, enable and disable an authenticator", func(w *fixture) {
		p, q := w.addUser(), w.addUser()
		later := w.now.Add(time.Minute)
		renamed, off, stolen, m := w.event(p), w.event(p), w.event(q), w.message()
		w.ok(w.s.RenameAuthenticator(w.ctx, p.id, p.totp, "bad \xff name\x00", later, []storage.Event{renamed}))
		a := w.find(p.id, p.totp)
		same(w, a.Name, "bad \uFFFD name\uFFFD")
		same(w, a.UpdatedAt, later)
		w.ok(w.s.SetAuthenticatorState(w.ctx, p.id, p.totp, storage.AuthenticatorDisabled, later, []storage.Event{off}, []storage.Message{m}))
		same(w, w.find(p.id, p.totp).State, storage.AuthenticatorDisabled)
		w.is(w.s.RenameAuthenticator(w.ctx, q.id, p.totp, "mine", later, []storage.Event{stolen}), storage.ErrNotFound)
		w.is(w.s.SetAuthenticatorState(w.ctx, q.id, p.totp, storage.AuthenticatorActive, later, nil, nil), storage.ErrNotFound)
		w.is(w.s.SetAuthenticatorState(w.ctx, p.id, "x", storage.AuthenticatorActive, later, nil, nil), storage.ErrNotFound)
		same(w, []bool{w.logged(renamed), w.logged(off), w.logged(stolen), w.sent(m)}, []bool{true, true, false, true})
	})
	w.test("a counter is lowered once, by who knows it", func(w *fixture) {
		p, q := w.addUser(), w.addUser()
		w.ok(w.s.Spend(w.ctx, storage.Spend{Now: w.now, Credential: &storage.CredentialSpend{User: p.id, Authenticator: p.totp, Step: 900}}))
		lowered, again := w.event(p), w.event(p)
		for _, x := range []struct {
			user     storage.UserID
			from, to int64
		}{{q.id, 900, 500}, {p.id, 899, 500}, {p.id, 900, 900}, {p.id, 900, 901}} {
			w.is(w.s.LowerCounter(w.ctx, x.user, p.totp, x.from, x.to, w.now, []storage.Event{again}), storage.ErrConflict)
		}
		w.ok(w.s.LowerCounter(w.ctx, p.id, p.totp, 900, 500, w.now, []storage.Event{lowered}))
		w.is(w.s.LowerCounter(w.ctx, p.id, p.totp, 900, 500, w.now, []storage.Event{again}), storage.ErrConflict)
		same(w, w.find(p.id, p.totp).Counter, int64(500))
		same(w, []bool{w.logged(lowered), w.logged(again)}, []bool{true, false})
		w.is(w.s.Spend(w.ctx, storage.Spend{Now: w.now, Credential: &storage.CredentialSpend{User: p.id, Authenticator: p.totp, Step: 500}}), storage.ErrConflict)
		w.ok(w.s.Spend(w.ctx, storage.Spend{Now: w.now, Credential: &storage.CredentialSpend{User: p.id, Authenticator: p.totp, Step: 501}}))
	})
	w.test("removing an authenticator removes its statuses and, optionally, ends other sessions", func(w *fixture) {
		p, q := w.addUser(), w.addUser()
		status := w.initiated(w.opened(), p)
		kept, other := w.signedIn(p), w.signedIn(p)
		w.is(w.s.DeleteAuthenticator(w.ctx, storage.Removal{UserID: q.id, Authenticator: p.totp, Now: w.now}), storage.ErrNotFound)
		w.ok(w.s.DeleteAuthenticator(w.ctx, storage.Removal{UserID: p.id, Authenticator: p.totp, EndSessions: kept.ID, Now: w.now}))
		same(w, len(w.account(p.id).Authenticators), 1)
		_, err := w.s.Status(w.ctx, status.ID, w.now)
		w.is(err, storage.ErrNotFound)
		_, _, err = w.s.Session(w.ctx, kept.ID, w.now)
		w.ok(err)
		_, _, err = w.s.Session(w.ctx, other.ID, w.now)
		w.is(err, storage.ErrNotFound)
		w.is(w.s.DeleteAuthenticator(w.ctx, storage.Removal{UserID: p.id, Authenticator: p.totp, Now: w.now}), storage.ErrNotFound)
	})
	w.test("of ways to sign in that are removed at once, one stays", func(w *fixture) {
		p := w.addUser()
		ids := []storage.AuthenticatorID{p.password, random[storage.AuthenticatorID](), random[storage.AuthenticatorID]()}
		for _, id := range ids[1:] {
			w.ok(w.s.PutAuthenticator(w.ctx, w.authenticator(p.id, id, "webauthn", "key"), nil, nil))
		}
		remove := func(i int) error {
			return w.s.DeleteAuthenticator(w.ctx, storage.Removal{UserID: p.id, Authenticator: ids[i], Ways: []string{"password", "webauthn"}, Now: w.now})
		}
		same(w, w.winners(len(ids), remove), len(ids)-1)
		same(w, len(w.account(p.id).Authenticators), 2) // with TOTP, which is no way to sign in
	})
	w.test("an unusable way to sign in is none", func(w *fixture) {
		p, old := w.addUser(), random[storage.AuthenticatorID]()
		w.ok(w.s.PutAuthenticator(w.ctx, w.authenticator(p.id, old, "webauthn", "key"), nil, nil))
		r := storage.Removal{UserID: p.id, Authenticator: p.password, Ways: []string{"password", "webauthn"}, Unusable: []storage.AuthenticatorID{old}, Now: w.now}
		w.is(w.s.DeleteAuthenticator(w.ctx, r), storage.ErrConflict)
		r.Authenticator = old
		w.ok(w.s.DeleteAuthenticator(w.ctx, r))
	})
	w.test("removing an authenticator cancels statuses it may have verified", statusesOfAMethod)
	w.test("removing the last second factor removes recovery codes and MFAEnabled", func(w *fixture) {
		p, q := w.addUser(), w.addUser()
		second := w.authenticator(p.id, random[storage.AuthenticatorID](), "totp", "another")
		w.ok(w.s.PutAuthenticator(w.ctx, second, nil, nil))
		for _, x := range []person{p, q} {
			w.ok(w.s.ReplaceRecoveryCodes(w.ctx, w.codes(x, "ONE"), w.now, nil, nil))
			w.ok(w.s.Spend(w.ctx, storage.Spend{Now: w.now, MFAEnabled: x.id}))
		}
		left := func(x person) (bool, int) {
			a := w.account(x.id)
			return a.User.MFAEnabled, len(a.Authenticators)
		}
		remove := func(id storage.AuthenticatorID) {
			w.ok(w.s.DeleteAuthenticator(w.ctx, storage.Removal{UserID: p.id, Authenticator: id, Lasting: []string{"totp", "webauthn"}, Now: w.now}))
		}
		remove(p.totp)
		enabled, n := left(p)
		same(w, enabled, true)
		same(w, n, 3)
		remove(second.ID)
		enabled, n = left(p)
		same(w, enabled, false)
		same(w, n, 1)
		codes, err := w.s.RecoveryCodes(w.ctx, p.id)
		w.ok(err)
		same(w, len(codes), 0)
		enabled, n = left(q)
		same(w, enabled, true)
		same(w, n, 3)
	})
}

func enrolling(w *fixture) {
	p := w.addUser()
	enroll := func(origin string) storage.Enrollment {
		a := w.authenticator(p.id, random[storage.AuthenticatorID](), "totp", "pending secret")
		a.State, a.Origin, a.ExpiresAt = storage.AuthenticatorPending, origin, w.now.Add(10*time.Minute)
		s := w.newStatus("", p)
		s.Authenticator, s.Usage = a.ID, "enroll"
		n := storage.Enrollment{Authenticator: a, Status: s, Events: []storage.Event{w.event(p)}}
		w.ok(w.s.Enroll(w.ctx, n))
		return n
	}
	first, elsewhere := enroll("login"), enroll("account")
	second := enroll("login")
	same(w, w.find(p.id, second.Authenticator.ID), second.Authenticator)
	w.find(p.id, elsewhere.Authenticator.ID)
	gone := func(a storage.Authenticator) bool { return a.ID == first.Authenticator.ID }
	if slices.ContainsFunc(w.account(p.id).Authenticators, gone) {
		w.Error("an older pending authenticator stayed")
	}
	same(w, w.state(first.Status.ID), storage.StatusSuperseded)
	same(w, w.state(second.Status.ID), storage.StatusInitiated)
	same(w, w.state(elsewhere.Status.ID), storage.StatusInitiated)
	same(w, w.logged(second.Events[0]), true)
	// The active one of the same method does not change.
	same(w, w.find(p.id, p.totp).State, storage.AuthenticatorActive)
}

// codes returns a recovery set of a user.
func (w *fixture) codes(p person, codes ...string) storage.RecoverySet {
	a := w.authenticator(p.id, random[storage.AuthenticatorID](), "recovery", "")
	a.Secret = nil
	return storage.RecoverySet{Authenticator: a, Codes: codes}
}

func recovery(w *fixture) {
	w.test("unused codes are returned in order", func(w *fixture) {
		p := w.addUser()
		set := w.codes(p, "C", "A", "B")
		w.ok(w.s.ReplaceRecoveryCodes(w.ctx, set, w.now, nil, []storage.Message{w.message()}))
		spend := storage.Spend{Now: w.now, Credential: &storage.CredentialSpend{User: p.id, Authenticator: set.Authenticator.ID, Code: "A"}}
		w.ok(w.s.Spend(w.ctx, spend))
		w.is(w.s.Spend(w.ctx, spend), storage.ErrConflict)
		codes, err := w.s.RecoveryCodes(w.ctx, p.id)
		w.ok(err)
		same(w, codes, []string{"C", "B"})
		same(w, w.find(p.id, set.Authenticator.ID).Counter, 1)
	})
	w.test("one of concurrent callers spends a code", func(w *fixture) {
		p := w.addUser()
		set := w.codes(p, "ONE", "TWO")
		w.ok(w.s.ReplaceRecoveryCodes(w.ctx, set, w.now, nil, nil))
		w.one(racers, func(int) error {
			return w.s.Spend(w.ctx, storage.Spend{Now: w.now, Credential: &storage.CredentialSpend{User: p.id, Authenticator: set.Authenticator.ID, Code: "ONE"}})
		})
		same(w, w.find(p.id, set.Authenticator.ID).Counter, 1)
	})
	w.test("a code belongs to one user and one set", func(w *fixture) {
		p, q := w.addUser(), w.addUser()
		old, fresh, foreign := w.codes(p, "OLD"), w.codes(p, "NEW"), w.codes(q, "NEW")
		w.ok(w.s.ReplaceRecoveryCodes(w.ctx, old, w.now, nil, nil))
		w.ok(w.s.ReplaceRecoveryCodes(w.ctx, fresh, w.now, nil, nil))
		w.ok(w.s.ReplaceRecoveryCodes(w.ctx, foreign, w.now, nil, nil))
		for _, c := range []storage.CredentialSpend{
			{User: p.id, Authenticator: old.Authenticator.ID, Code: "OLD"},
			{User: p.id, Authenticator: fresh.Authenticator.ID, Code: "OLD"},
			{User: p.id, Authenticator: foreign.Authenticator.ID, Code: "NEW"},
			{User: q.id, Authenticator: fresh.Authenticator.ID, Code: "NEW"},
			{User: p.id, Authenticator: fresh.Authenticator.ID, Code: "never made"},
		} {
			w.is(w.s.Spend(w.ctx, storage.Spend{Now: w.now, Credential: &c}), storage.ErrConflict)
		}
		same(w, w.find(p.id, fresh.Authenticator.ID).Counter, 0)
	})
	w.test("concurrent replacements leave one complete set", func(w *fixture) {
		p := w.addUser()
		won := w.winners(racers, func(i int) error {
			return w.s.ReplaceRecoveryCodes(w.ctx, w.codes(p, string(rune('A'+i))+"1", string(rune('A'+i))+"2"), w.now, nil, nil)
		})
		codes, err := w.s.RecoveryCodes(w.ctx, p.id)
		w.ok(err)
		if won < 1 || len(codes) != 2 || codes[0][0] != codes[1][0] {
			w.Fatalf("%d replacements left %q, want one set of two", won, codes)
		}
	})
}
