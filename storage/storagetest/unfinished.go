package storagetest

import (
	"time"

	"sallyport/storage"
)

// unfinished is an unfinished login: an open request with an initiated and a verified
// status.
type unfinished struct {
	request       storage.RequestID
	waits, proven storage.StatusID
}

func (w *fixture) unfinished(p person, session storage.SessionID) unfinished {
	w.Helper()
	out := unfinished{request: random[storage.RequestID]()}
	w.ok(w.s.OpenRequest(w.ctx, storage.AuthRequest{ID: out.request, ClientID: "app", State: storage.RequestOpen, Subject: p.id, Session: session,
		RequestedAt: w.now, ExpiresAt: w.now.Add(30 * time.Minute)}))
	out.proven = w.verified(w.initiated(out.request, p))
	out.waits = w.initiated(out.request, p).ID
	return out
}

// verified verifies a status.
func (w *fixture) verified(s storage.Status) storage.StatusID {
	w.Helper()
	w.ok(w.s.Spend(w.ctx, storage.Spend{Now: w.now, Status: &storage.StatusMove{Exchange: s.Exchange, From: storage.StatusInitiated, To: storage.StatusVerified}}))
	return s.ID
}

// lives checks whether an unfinished login can continue.
func (w *fixture) lives(p unfinished, name string, want bool) {
	w.Helper()
	request, waits, proven := storage.RequestOpen, storage.StatusInitiated, storage.StatusVerified
	if !want {
		request, waits, proven = storage.RequestCancelled, storage.StatusCancelled, storage.StatusCancelled
	}
	if r, a, b := w.request(p.request).State, w.state(p.waits), w.state(p.proven); r != request || a != waits || b != proven {
		w.Errorf("%s: request %s, statuses %s and %s; want %s, %s and %s", name, r, a, b, request, waits, proven)
	}
}

func unfinishedLogins(w *fixture) {
	p, q := w.addUser(), w.addUser()
	kept, gone := w.signedIn(p), w.signedIn(p)
	for name, end := range map[string]func() error{
		"by themselves": func() error { return w.s.EndSessions(w.ctx, p.id, kept.ID, false, w.now, nil) },
		"with a proof": func() error {
			return w.s.Spend(w.ctx, storage.Spend{Now: w.now, EndSessions: p.id, KeepSession: kept.ID})
		},
		"with a factor": func() error {
			a := w.authenticator(p.id, random[storage.AuthenticatorID](), "email", "another")
			w.ok(w.s.PutAuthenticator(w.ctx, a, nil, nil))
			return w.s.DeleteAuthenticator(w.ctx, storage.Removal{UserID: p.id, Authenticator: a.ID, EndSessions: kept.ID, Now: w.now})
		},
	} {
		own, other, nowhere, foreign := w.unfinished(p, kept.ID), w.unfinished(p, gone.ID), w.unfinished(p, ""), w.unfinished(q, "")
		alone := w.initiated("", p)
		w.ok(end())
		w.lives(own, name+", of the kept session", true)
		w.lives(other, name+", of another session", false)
		w.lives(nowhere, name+", of no session", false)
		w.lives(foreign, name+", of another user", true)
		same(w, w.state(alone.ID), storage.StatusCancelled)
	}
	last := w.unfinished(p, kept.ID)
	w.ok(w.s.EndSessions(w.ctx, p.id, "", false, w.now, nil))
	w.lives(last, "when every session ends", false)
}

func statusesOfAMethod(w *fixture) {
	p, q := w.addUser(), w.addUser()
	any := func(p person, method string) storage.StatusID {
		s := w.newStatus(w.opened(), p)
		s.Authenticator, s.Method = "", method
		w.ok(w.s.Initiate(w.ctx, storage.NewStatus{Status: s, MaxInitiations: 20}, w.now))
		return w.verified(s)
	}
	w.ok(w.s.ReplaceRecoveryCodes(w.ctx, w.codes(p, "A"), w.now, nil, nil))
	second := w.authenticator(p.id, random[storage.AuthenticatorID](), "totp", "another")
	w.ok(w.s.PutAuthenticator(w.ctx, second, nil, nil))
	named := w.verified(w.initiated(w.opened(), p))
	code, recovery, foreign := any(p, "totp"), any(p, "recovery"), any(q, "totp")
	remove := func(id storage.AuthenticatorID) {
		w.ok(w.s.DeleteAuthenticator(w.ctx, storage.Removal{UserID: p.id, Authenticator: id, Lasting: []string{"totp"}, Now: w.now}))
	}
	remove(second.ID)
	same(w, w.state(code), storage.StatusCancelled)
	same(w, w.state(named), storage.StatusVerified)
	same(w, w.state(recovery), storage.StatusVerified)
	same(w, w.state(foreign), storage.StatusVerified)
	remove(p.totp)
	same(w, w.state(recovery), storage.StatusCancelled) // its codes were removed with the last factor
}

// passwordChanged checks that proofs of an old password can be recognised.
func passwordChanged(w *fixture) {
	p, q := w.addUser(), w.addUser()
	kept, foreign := w.signedIn(p), w.signedIn(q)
	spend := func(changed bool, session storage.SessionID, at time.Time) {
		w.ok(w.s.Spend(w.ctx, storage.Spend{Now: at, KeepSession: session,
			Credential: &storage.CredentialSpend{User: p.id, Authenticator: p.password, Secret: []byte("hash"), Changed: changed, Was: w.find(p.id, p.password).Counter},
			Renew: &storage.Renewal{User: p.id, Factor: storage.Factor{Method: "password", Authenticator: p.password, Kinds: []storage.Kind{storage.Know},
				AMR: []string{"pwd"}, At: at}}}))
	}
	later := w.now.Add(time.Minute)
	spend(false, foreign.ID, later)
	same(w, w.find(p.id, p.password).UpdatedAt, w.now)
	spend(true, kept.ID, later)
	same(w, w.find(p.id, p.password).UpdatedAt, later)
	got, _, err := w.s.Session(w.ctx, kept.ID, w.now)
	w.ok(err)
	same(w, len(got.Factors), 1)
	same(w, got.Factors[0].At, later)
	same(w, got.Generation, kept.Generation)
	got, _, err = w.s.Session(w.ctx, foreign.ID, w.now)
	w.ok(err)
	same(w, got, foreign)
	w.ok(w.s.EndSession(w.ctx, kept.ID, false, w.now, nil))
	spend(true, kept.ID, later) // a session ended meanwhile is not an error
}

func confirmedAlone(w *fixture) {
	begin := func(p person) storage.CredentialSpend {
		a := w.authenticator(p.id, random[storage.AuthenticatorID](), "app", "pending secret")
		a.State, a.ExpiresAt = storage.AuthenticatorPending, w.now.Add(10*time.Minute)
		w.ok(w.s.PutAuthenticator(w.ctx, a, nil, nil))
		return storage.CredentialSpend{User: p.id, Authenticator: a.ID, Confirm: true, Alone: []string{"app", "key"}}
	}
	p := w.addUser()
	var begun []storage.CredentialSpend
	for range racers {
		begun = append(begun, begin(p))
	}
	w.one(racers, func(i int) error { return w.s.Spend(w.ctx, storage.Spend{Now: w.now, Credential: &begun[i]}) })
	beside := begin(p)
	w.is(w.s.Spend(w.ctx, storage.Spend{Now: w.now, Credential: &beside}), storage.ErrConflict)
	beside.Alone = []string{"key"}
	w.ok(w.s.Spend(w.ctx, storage.Spend{Now: w.now, Credential: &beside}))
}

func removedOnce(w *fixture) {
	p, other := w.addUser(), w.addUser()
	demand := w.authenticator(p.id, random[storage.AuthenticatorID](), "enrollment_code", "hashes")
	w.ok(w.s.PutAuthenticator(w.ctx, demand, nil, nil))
	spend := func(user storage.UserID, credential storage.AuthenticatorID) error {
		return w.s.Spend(w.ctx, storage.Spend{Now: w.now, Remove: demand.ID, Credential: &storage.CredentialSpend{User: user, Authenticator: credential}})
	}
	w.is(spend(other.id, other.password), storage.ErrConflict)
	w.ok(w.s.SetAuthenticatorState(w.ctx, p.id, demand.ID, storage.AuthenticatorDisabled, w.now, nil, nil))
	w.is(spend(p.id, p.password), storage.ErrConflict)
	w.ok(w.s.SetAuthenticatorState(w.ctx, p.id, demand.ID, storage.AuthenticatorActive, w.now, nil, nil))
	w.one(racers, func(int) error { return spend(p.id, p.password) })
}

func wouldRefuse(w *fixture) {
	waiting, free := w.counter("password", storage.Schedule{First: time.Minute, Cap: time.Minute, Forget: time.Hour}), w.counter("factor", secondFactor())
	full := w.counter("factor", storage.Schedule{Max: 1})
	busy := storage.AddressThrottle{Address: random[string](), Subject: []byte("somebody"), Window: 10 * time.Minute, Max: 1}
	_, err := w.count(w.now, waiting, full)
	w.ok(err)
	w.ok(w.s.CountFailure(w.ctx, storage.Attempt{Address: &busy, Now: w.now}))
	fresh := storage.AddressThrottle{Address: random[string](), Subject: []byte("somebody"), Window: time.Minute, Max: 1}
	for _, x := range []struct {
		name    string
		attempt storage.Attempt
		after   time.Duration
		want    storage.Refusal
		err     error
	}{
		{"nothing to check", storage.Attempt{}, 0, storage.Refusal{}, nil},
		{"a counter that allows", storage.Attempt{Throttles: []storage.Throttle{free}, Address: &fresh}, 0, storage.Refusal{}, nil},
		{"a waiting counter", storage.Attempt{Throttles: []storage.Throttle{free, waiting}}, 0,
			storage.Refusal{Bucket: "password", Until: w.now.Add(time.Minute)}, storage.ErrConflict},
		{"after its wait", storage.Attempt{Throttles: []storage.Throttle{waiting}}, time.Minute, storage.Refusal{}, nil},
		{"a counter at Max", storage.Attempt{Throttles: []storage.Throttle{full}}, 1000 * time.Hour, storage.Refusal{Bucket: "factor"}, storage.ErrConflict},
		{"a waiting address", storage.Attempt{Throttles: []storage.Throttle{free}, Address: &busy}, 0,
			storage.Refusal{Bucket: "address", Until: w.now.Add(10 * time.Minute)}, storage.ErrConflict},
		{"a name that allows, beside a waiting counter", storage.Attempt{Name: &free, Throttles: []storage.Throttle{waiting}}, 0, storage.Refusal{}, nil},
		{"an address after its wait", storage.Attempt{Address: &busy}, 10 * time.Minute, storage.Refusal{}, nil},
	} {
		for n := range 3 { // WouldRefuse does not count
			x.want.First = n == 0 && x.err != nil
			x.attempt.Now = w.now.Add(x.after)
			got, err := w.s.WouldRefuse(w.ctx, x.attempt)
			if err != x.err || got != x.want {
				w.Errorf("%s: %+v, %v; want %+v, %v", x.name, got, err, x.want, x.err)
			}
		}
	}
}
