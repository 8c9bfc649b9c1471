package storagetest

import (
	"context"
	"crypto/rand"
	"errors"
	"reflect"
	"sync"
	"testing"
	"time"

	"sallyport/storage"
)

// Run tests the storage contracts. open returns an empty, migrated store and closes it when
// its test ends. The keys of its keyring are not stored in it.
func Run(t *testing.T, open func(t *testing.T) storage.Store) {
	for _, part := range []struct {
		name  string
		tests func(w *fixture)
	}{
		{"users", users},
		{"authenticators", authenticators},
		{"credentials", credentials},
		{"recovery codes", recovery},
		{"requests", requests},
		{"pushed requests", pushed},
		{"polled requests", polled},
		{"polled requests for a user", polledFor},
		{"logins", logins},
		{"statuses", statuses},
		{"sending", sending},
		{"tickets", tickets},
		{"invitations", invitations},
		{"tickets of addresses", addressTickets},
		{"throttles", throttles},
		{"addresses", addresses},
		{"names", names},
		{"retired names", retiredNames},
		{"proven addresses", provenAddresses},
		{"attempts", attempts},
		{"spending", spending},
		{"finishing", finishing},
		{"logins in one step", inOneStep},
		{"uncounted attempts", uncounted},
		{"sessions", sessions},
		{"remembered devices", rememberedDevices},
		{"extensions", extensions},
		{"clients", clients},
		{"registrations", registrations},
		{"API keys", apiKeys},
		{"codes and grants", grants},
		{"keys", keys},
		{"events", events},
		{"logouts", logouts},
		{"outbox", outbox},
		{"outbox for operators", outboxAdmin},
		{"housekeeping", housekeeping},
	} {
		t.Run(part.name, func(t *testing.T) {
			part.tests(&fixture{T: t, s: open(t), ctx: t.Context(), now: time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)})
		})
	}
}

// racers is the number of concurrent callers for what may happen once.
const racers = 16

// fixture is a store with a fixed clock and helpers.
type fixture struct {
	*testing.T
	s   storage.Store
	ctx context.Context
	now time.Time
}

// test runs a test of one promise, on the store shared with its part.
func (w *fixture) test(promise string, check func(w *fixture)) {
	w.Helper()
	w.Run(promise, func(t *testing.T) {
		check(&fixture{T: t, s: w.s, ctx: t.Context(), now: w.now})
	})
}

func random[T ~string]() T               { return T(storage.Random128(rand.Reader)) }
func ordered[T ~string](now time.Time) T { return T(storage.TimeOrdered(now, rand.Reader)) }

// ok fails the test on an error.
func (w *fixture) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatalf("got %v, want no error", err)
	}
}

// is checks for an error or nil.
func (w *fixture) is(got, want error) {
	w.Helper()
	if !errors.Is(got, want) {
		w.Fatalf("got %v, want %v", got, want)
	}
}

// same compares records.
func same[T any](w *fixture, got, want T) {
	w.Helper()
	if !reflect.DeepEqual(got, want) {
		w.Fatalf("\n got %+v\nwant %+v", got, want)
	}
}

// one runs n concurrent callers, of which one must succeed and the others get ErrConflict.
func (w *fixture) one(n int, do func(i int) error) {
	w.Helper()
	if won := w.winners(n, do); won != 1 {
		w.Fatalf("%d of %d racing callers got nil, want 1", won, n)
	}
}

// winners runs n concurrent callers and returns how many got nil.
func (w *fixture) winners(n int, do func(i int) error) int {
	w.Helper()
	start, errs := make(chan struct{}), make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-start
			errs[i] = do(i)
		})
	}
	close(start)
	all.Wait()
	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, storage.ErrConflict):
			w.Fatalf("a loser got %v, want %v", err, storage.ErrConflict)
		}
	}
	return won
}

// person is a user with a name, a password and a TOTP device.
type person struct {
	id             storage.UserID
	email          string
	password, totp storage.AuthenticatorID
}

// addUser adds an active user.
func (w *fixture) addUser() person {
	w.Helper()
	p := person{
		id: ordered[storage.UserID](w.now), email: random[string]() + "@example.com",
		password: random[storage.AuthenticatorID](), totp: random[storage.AuthenticatorID](),
	}
	w.ok(w.s.CreateUser(w.ctx, storage.NewUser{
		User:        storage.User{ID: p.id, Status: storage.UserActive, Roles: []string{"member"}, CreatedAt: w.now, UpdatedAt: w.now},
		Identifiers: []storage.Identifier{w.name(p.id, p.email)},
		Authenticators: []storage.Authenticator{
			w.authenticator(p.id, p.password, "password", "argon2id-of-a-password"),
			w.authenticator(p.id, p.totp, "totp", "twenty-bytes-of-totp"),
		},
	}))
	return p
}

func (w *fixture) name(user storage.UserID, value string) storage.Identifier {
	return storage.Identifier{
		ID: random[storage.IdentifierID](), UserID: user, Kind: storage.Email, Value: value, CreatedAt: w.now, UpdatedAt: w.now,
	}
}

func (w *fixture) authenticator(user storage.UserID, id storage.AuthenticatorID, method, secret string) storage.Authenticator {
	return storage.Authenticator{
		ID: id, UserID: user, Method: method, Origin: "login", State: storage.AuthenticatorActive, Secret: []byte(secret),
		CreatedAt: w.now, UpdatedAt: w.now,
	}
}

// account reads a user, who must exist.
func (w *fixture) account(id storage.UserID) storage.Account {
	w.Helper()
	a, err := w.s.Account(w.ctx, id)
	w.ok(err)
	return a
}

// find returns one authenticator of a user.
func (w *fixture) find(user storage.UserID, id storage.AuthenticatorID) storage.Authenticator {
	w.Helper()
	for _, a := range w.account(user).Authenticators {
		if a.ID == id {
			return a
		}
	}
	w.Fatalf("authenticator %s is gone", id)
	return storage.Authenticator{}
}

// opened stores an open request without a subject.
func (w *fixture) opened() storage.RequestID {
	w.Helper()
	id := random[storage.RequestID]()
	w.ok(w.s.OpenRequest(w.ctx, storage.AuthRequest{
		ID: id, ClientID: "app", State: storage.RequestOpen, RequestedAt: w.now, ExpiresAt: w.now.Add(30 * time.Minute),
	}))
	return id
}

// request reads a request, which must exist.
func (w *fixture) request(id storage.RequestID) storage.AuthRequest {
	w.Helper()
	r, _, err := w.s.Request(w.ctx, id, "", w.now)
	w.ok(err)
	return r
}

// newStatus returns a new status of a user in a request.
func (w *fixture) newStatus(r storage.RequestID, p person) storage.Status {
	return storage.Status{
		ID: random[storage.StatusID](), Exchange: random[storage.ExchangeID](), Request: r, ClientID: "app", UserID: p.id,
		Authenticator: p.totp, Method: "totp", Usage: "second", State: storage.StatusInitiated,
		CreatedAt: w.now, ExpiresAt: w.now.Add(5 * time.Minute),
	}
}

// initiated stores a new status.
func (w *fixture) initiated(r storage.RequestID, p person) storage.Status {
	w.Helper()
	s := w.newStatus(r, p)
	w.ok(w.s.Initiate(w.ctx, storage.NewStatus{Status: s, MaxInitiations: 20}, w.now))
	return s
}

// state reads the state of a status.
func (w *fixture) state(id storage.StatusID) storage.StatusState {
	w.Helper()
	s, err := w.s.Status(w.ctx, id, w.now)
	w.ok(err)
	return s.State
}

// signedIn stores a valid session.
func (w *fixture) signedIn(p person) storage.Session {
	w.Helper()
	s := w.session(p)
	w.ok(w.s.CreateSession(w.ctx, s, nil))
	return s
}

func (w *fixture) session(p person) storage.Session {
	return storage.Session{
		ID: ordered[storage.SessionID](w.now), UserID: p.id, Origin: "browser", Generation: 1,
		CreatedAt: w.now, LastSeenAt: w.now, IdleUntil: w.now.Add(30 * time.Minute), ExpiresAt: w.now.Add(12 * time.Hour),
		Factors: []storage.Factor{{Method: "password", Authenticator: p.password, Kinds: []storage.Kind{storage.Know}, AMR: []string{"pwd"}, At: w.now}},
	}
}

// event returns an audit line with a unique kind.
func (w *fixture) event(p person) storage.Event {
	return storage.Event{ID: ordered[storage.EventID](w.now), At: w.now, Kind: "test." + random[string](), Outcome: "ok", UserID: p.id}
}

// logged reports whether an audit line was written.
func (w *fixture) logged(e storage.Event) bool {
	w.Helper()
	found, err := w.s.ListEvents(w.ctx, storage.EventFilter{Kind: e.Kind, Limit: 10})
	w.ok(err)
	return len(found) > 0
}

// message returns an undelivered message.
func (w *fixture) message() storage.Message {
	return storage.Message{
		ID: ordered[storage.MessageID](w.now), Kind: "mail", Recipient: "a@example.com", Template: "code", Locale: "en",
		Data: map[string]string{"code": "123456"}, CreatedAt: w.now, NextAt: w.now, ExpiresAt: w.now.Add(time.Hour),
	}
}
