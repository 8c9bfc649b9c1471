package storagetest

import (
	"encoding/json"
	"time"

	"sallyport/storage"
)

func users(w *fixture) {
	w.test("a user round-trips", userRoundTrip)
	w.test("a taken name or ID is refused and nothing of the new user is stored", func(w *fixture) {
		p, e := w.addUser(), w.event(person{})
		fresh := storage.NewUser{User: storage.User{ID: random[storage.UserID](), Status: storage.UserActive}, Events: []storage.Event{e}}
		fresh.Identifiers = []storage.Identifier{w.name(fresh.User.ID, random[string]()), w.name(fresh.User.ID, p.email)}
		w.is(w.s.CreateUser(w.ctx, fresh), storage.ErrConflict)
		_, err := w.s.Account(w.ctx, fresh.User.ID)
		w.is(err, storage.ErrNotFound)
		w.is(w.s.CreateUser(w.ctx, storage.NewUser{User: storage.User{ID: p.id, Status: storage.UserActive}}), storage.ErrConflict)
		if w.logged(e) {
			w.Error("the event of a refused user was written")
		}
	})
	w.test("one of concurrent users gets the name", func(w *fixture) {
		value := random[string]() + "@example.com"
		w.one(racers, func(int) error {
			id := random[storage.UserID]()
			return w.s.CreateUser(w.ctx, storage.NewUser{
				User: storage.User{ID: id, Status: storage.UserActive}, Identifiers: []storage.Identifier{w.name(id, value)},
			})
		})
	})
	w.test("unknown or malformed values are not found", func(w *fixture) {
		p := w.addUser()
		for _, id := range malformed(string(p.id)) {
			_, err := w.s.Account(w.ctx, storage.UserID(id))
			w.is(err, storage.ErrNotFound)
			w.is(w.s.UpdateUser(w.ctx, storage.UserChange{ID: storage.UserID(id), Now: w.now}), storage.ErrNotFound)
			w.is(w.s.DeleteUser(w.ctx, storage.UserID(id), w.now, nil), storage.ErrNotFound)
			_, err = w.s.AccountByIdentifier(w.ctx, id, w.now)
			w.is(err, storage.ErrNotFound)
			_, err = w.s.AccountByAuthenticator(w.ctx, storage.AuthenticatorID(id))
			w.is(err, storage.ErrNotFound)
			_, err = w.s.AccountByAuthenticator(w.ctx)
			w.is(err, storage.ErrNotFound)
		}
	})
	w.test("a change replaces what it names and nothing else", userChange)
	w.test("the offer of a passkey is declined once", func(w *fixture) {
		p, q := w.addUser(), w.addUser()
		want := w.account(p.id).User
		w.one(racers, func(int) error { return w.s.DeclinePasskey(w.ctx, p.id, w.now) })
		want.PasskeyDeclinedAt = w.now
		same(w, w.account(p.id).User, want)
		if at := w.account(q.id).User.PasskeyDeclinedAt; !at.IsZero() {
			w.Errorf("another user declined at %s", at)
		}
		for _, id := range malformed(string(p.id)) {
			w.is(w.s.DeclinePasskey(w.ctx, storage.UserID(id), w.now), storage.ErrConflict)
		}
	})
	w.test("a change of names or factors happens completely or not at all", userReplaced)
	w.test("disabling a user with Kill ends logins, sessions and grants", func(w *fixture) { userKill(w, storage.UserDisabled) })
	w.test("setting a user to pending with Kill does too", func(w *fixture) { userKill(w, storage.UserPending) })
	w.test("deleting a user leaves only events", userDelete)
	w.test("users are listed by ID, in pages", func(w *fixture) {
		for range 5 {
			w.addUser()
		}
		var seen []storage.User
		for after := storage.UserID(""); ; {
			page, err := w.s.ListUsers(w.ctx, storage.UserFilter{After: after, Limit: 2})
			w.ok(err)
			if len(page) == 0 {
				break
			}
			seen, after = append(seen, page...), page[len(page)-1].ID
		}
		for i := 1; i < len(seen); i++ {
			if seen[i-1].ID >= seen[i].ID {
				w.Fatalf("%s comes before %s", seen[i-1].ID, seen[i].ID)
			}
		}
		if len(seen) < 5 {
			w.Fatalf("%d users listed, want at least 5", len(seen))
		}
	})
	w.test("names are added, verified and removed", userNames)
	w.test("a change that expects an earlier one is refused after another", userChangedMeanwhile)
	w.test("one of concurrent changes of the same user succeeds", func(w *fixture) {
		p := w.addUser()
		w.one(racers, func(i int) error {
			return w.s.UpdateUser(w.ctx, storage.UserChange{ID: p.id, Was: w.now, Now: w.now.Add(time.Duration(i+1) * time.Microsecond),
				Metadata: json.RawMessage(`{}`)})
		})
	})
	w.test("users are searched by ID, address, part of a name and status", userSearch)
	w.test("a search is paged by ID", userSearchPages)
	w.test("a proof verifies an address", addressVerified)
	w.test("names are in the order of their age", accountInOrder)
	w.test("an expired address is nobody's and is replaced or swept", addressExpired)
	w.test("a verified or kept address does not expire", addressKept)
	w.test("one of concurrent users gets an expired address", func(w *fixture) {
		p := w.addUser()
		old := w.trial(p.id)
		w.ok(w.s.AddIdentifier(w.ctx, old, nil))
		w.one(racers, func(int) error {
			id := random[storage.UserID]()
			fresh := w.name(id, old.Value)
			fresh.CreatedAt, fresh.UpdatedAt = old.ExpiresAt, old.ExpiresAt
			return w.s.CreateUser(w.ctx, storage.NewUser{User: storage.User{ID: id, Status: storage.UserActive}, Identifiers: []storage.Identifier{fresh}})
		})
	})
}

// malformed returns malformed variants of an identifier.
func malformed(id string) []string {
	return []string{
		"", "x", "00000000-0000-0000-0000-000000000000", id + " ", " " + id, "{" + id + "}", id[:35], id[:8] + id[9:],
		id + "\x00", "\xff\xfe", "' OR 1=1 --", string(make([]byte, 36)),
	}
}

func userRoundTrip(w *fixture) {
	id := ordered[storage.UserID](w.now)
	later := w.now.Add(time.Second)
	n := storage.NewUser{
		User: storage.User{
			ID: id, Status: storage.UserPending, MFAEnabled: true, Roles: []string{"auditor", "Größe \" 1"}, Profile: map[string]any{"name": "Zoë \U0001F600", "age": 7.5},
			Metadata: json.RawMessage(`{"plan":"gold"}`), CreatedAt: w.now, UpdatedAt: later,
		},
		Identifiers: []storage.Identifier{
			{ID: random[storage.IdentifierID](), UserID: id, Kind: storage.Email, Value: random[string](), VerifiedAt: later, CreatedAt: w.now, UpdatedAt: w.now},
			{ID: random[storage.IdentifierID](), UserID: id, Kind: storage.Phone, Value: random[string](), CreatedAt: later, UpdatedAt: later},
		},
		Authenticators: []storage.Authenticator{
			{ID: random[storage.AuthenticatorID](), UserID: id, Method: "totp", Name: "phone", Origin: "import", State: storage.AuthenticatorActive,
				Secret: []byte{0, 255, 1}, Data: json.RawMessage(`{"digits":6}`), Counter: 42, CreatedAt: w.now, UpdatedAt: later, LastUsedAt: later},
			{ID: random[storage.AuthenticatorID](), UserID: id, Method: "recovery", Origin: "login", State: storage.AuthenticatorActive, CreatedAt: later},
		},
		RecoveryCodes: []string{"CODE-B", "CODE-A"},
	}
	w.ok(w.s.CreateUser(w.ctx, n))
	want := storage.Account{User: n.User, Identifiers: n.Identifiers, Authenticators: n.Authenticators}
	same(w, w.account(id), want)
	got, err := w.s.AccountByIdentifier(w.ctx, n.Identifiers[1].Value, w.now)
	w.ok(err)
	same(w, got, want)
	for _, a := range n.Authenticators {
		got, err = w.s.AccountByAuthenticator(w.ctx, random[storage.AuthenticatorID](), a.ID, "")
		w.ok(err)
		same(w, got, want)
	}
	codes, err := w.s.RecoveryCodes(w.ctx, id)
	w.ok(err)
	same(w, codes, n.RecoveryCodes)
}

func userChange(w *fixture) {
	p, e := w.addUser(), w.event(person{})
	before := w.account(p.id).User
	yes, disabled := true, storage.UserDisabled
	w.ok(w.s.UpdateUser(w.ctx, storage.UserChange{ID: p.id, MFAEnabled: &yes, Now: w.now, Events: []storage.Event{e}}))
	want := before
	want.MFAEnabled = true
	same(w, w.account(p.id).User, want)
	later := w.now.Add(time.Minute)
	for _, roles := range [][]string{{"admin", "user"}, nil, {"user"}} {
		w.ok(w.s.UpdateUser(w.ctx, storage.UserChange{ID: p.id, Roles: &roles, Now: w.now}))
		want.Roles = roles
		same(w, w.account(p.id).User, want)
	}
	w.ok(w.s.UpdateUser(w.ctx, storage.UserChange{
		ID: p.id, Status: &disabled, Profile: map[string]any{"name": "N"}, Metadata: json.RawMessage(`[1]`), Now: later,
	}))
	want.Status, want.Profile, want.Metadata, want.UpdatedAt = disabled, map[string]any{"name": "N"}, json.RawMessage(`[1]`), later
	same(w, w.account(p.id).User, want)
	if !w.logged(e) {
		w.Error("the event was not written")
	}
}

// belongings has one of each record of a user.
type belongings struct {
	request        storage.RequestID
	pending, shown storage.Status // initiated and verified
	session        storage.Session
	code           *storage.Grant
	grant, offline storage.GrantID
}

func (w *fixture) belongings(p person) belongings {
	w.Helper()
	b := belongings{request: w.opened(), session: w.signedIn(p)}
	b.code = w.code(p, b.session.ID)
	w.ok(w.s.ChangeRequest(w.ctx, storage.RequestChange{ID: b.request, Subject: p.id, Now: w.now}, nil))
	b.shown = w.initiated(b.request, p)
	w.ok(w.s.Spend(w.ctx, storage.Spend{Now: w.now, Status: &storage.StatusMove{
		Exchange: b.shown.Exchange, From: storage.StatusInitiated, To: storage.StatusVerified,
	}}))
	b.pending = w.initiated(b.request, p)
	w.ok(w.s.FinishRequest(w.ctx, storage.Finish{Now: w.now, Code: b.code,
		Consent: &storage.Consent{UserID: p.id, ClientID: "app", Scopes: []string{"openid"}, GrantedAt: w.now}}))
	b.grant, b.offline = w.granted(p, b.session.ID, false), w.granted(p, b.session.ID, true)
	return b
}

func userKill(w *fixture, to storage.UserStatus) {
	p, q := w.addUser(), w.addUser()
	b, other := w.belongings(p), w.belongings(q)
	w.ok(w.s.UpdateUser(w.ctx, storage.UserChange{ID: p.id, Status: &to, Kill: true, Now: w.now}))
	same(w, w.account(p.id).User.Status, to)
	same(w, w.request(b.request).State, storage.RequestCancelled)
	same(w, w.state(b.pending.ID), storage.StatusCancelled)
	same(w, w.state(b.shown.ID), storage.StatusCancelled)
	_, _, err := w.s.Session(w.ctx, b.session.ID, w.now)
	w.is(err, storage.ErrNotFound)
	w.is(w.redeem(b.code), storage.ErrConflict)
	for _, id := range []storage.GrantID{b.grant, b.offline} {
		g, err := w.readGrant(id)
		w.ok(err)
		if g.Alive() || g.Grant.RevokedAt.IsZero() {
			w.Errorf("grant is alive: %+v", g)
		}
	}
	same(w, w.request(other.request).State, storage.RequestOpen)
	same(w, w.state(other.pending.ID), storage.StatusInitiated)
	g, err := w.readGrant(other.grant)
	w.ok(err)
	same(w, g.Alive(), true)
	// Enabling the user restores nothing.
	active := storage.UserActive
	w.ok(w.s.UpdateUser(w.ctx, storage.UserChange{ID: p.id, Status: &active, Now: w.now}))
	g, err = w.readGrant(b.offline)
	w.ok(err)
	same(w, g.Alive(), false)
}

func userDelete(w *fixture) {
	p, e := w.addUser(), w.event(person{})
	b := w.belongings(p)
	w.ok(w.s.ReplaceRecoveryCodes(w.ctx, w.codes(p, "A", "B"), w.now, nil, nil))
	w.ok(w.s.DeleteUser(w.ctx, p.id, w.now, []storage.Event{e}))
	_, err := w.s.Account(w.ctx, p.id)
	w.is(err, storage.ErrNotFound)
	_, err = w.s.AccountByIdentifier(w.ctx, p.email, w.now)
	w.is(err, storage.ErrNotFound)
	_, _, err = w.s.Request(w.ctx, b.request, "", w.now)
	w.is(err, storage.ErrNotFound)
	_, err = w.s.Status(w.ctx, b.pending.ID, w.now)
	w.is(err, storage.ErrNotFound)
	_, _, err = w.s.Session(w.ctx, b.session.ID, w.now)
	w.is(err, storage.ErrNotFound)
	_, err = w.s.Grant(w.ctx, b.code.ID)
	w.is(err, storage.ErrNotFound)
	_, err = w.readGrant(b.offline)
	w.is(err, storage.ErrNotFound)
	_, err = w.s.Consent(w.ctx, p.id, "app")
	w.is(err, storage.ErrNotFound)
	codes, err := w.s.RecoveryCodes(w.ctx, p.id)
	w.ok(err)
	same(w, len(codes), 0)
	if !w.logged(e) {
		w.Error("the event was not written")
	}
}

func userNames(w *fixture) {
	p, q := w.addUser(), w.addUser()
	n := w.name(p.id, random[string]())
	w.ok(w.s.AddIdentifier(w.ctx, n, nil))
	taken := w.name(q.id, n.Value)
	w.is(w.s.AddIdentifier(w.ctx, taken, nil), storage.ErrConflict)
	w.is(w.s.AddIdentifier(w.ctx, w.name(random[storage.UserID](), random[string]()), nil), storage.ErrNotFound)
	later := w.now.Add(time.Minute)
	w.ok(w.s.VerifyIdentifier(w.ctx, n.ID, later, nil))
	a, err := w.s.AccountByIdentifier(w.ctx, n.Value, w.now)
	w.ok(err)
	if got := a.Identifiers[1]; !got.VerifiedAt.Equal(later) && !a.Identifiers[0].VerifiedAt.Equal(later) {
		w.Errorf("the name is not verified: %+v", a.Identifiers)
	}
	w.is(w.s.VerifyIdentifier(w.ctx, random[storage.IdentifierID](), later, nil), storage.ErrNotFound)
	w.ok(w.dropName(q.id, n.ID)) // another user's
	w.is(w.s.AddIdentifier(w.ctx, taken, nil), storage.ErrConflict)
	w.ok(w.dropName(p.id, n.ID))
	w.ok(w.s.AddIdentifier(w.ctx, taken, nil))
}
