package relational_test

import (
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"net/url"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"sallyport/storage"
	"sallyport/storage/relational"
)

func random[T ~string]() T  { return T(storage.Random128(rand.Reader)) }
func ordered[T ~string]() T { return T(storage.TimeOrdered(t0, rand.Reader)) }

// direct opens the database without the engine.
func direct(tb testing.TB, dsn string) *sql.DB {
	tb.Helper()
	driver, address := "pgx", dsn
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		driver, address = "sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?_pragma=busy_timeout(5000)"
	}
	db, err := sql.Open(driver, address)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	return db
}

func change(tb testing.TB, db *sql.DB, statement string) {
	tb.Helper()
	if _, err := db.ExecContext(tb.Context(), statement); err != nil {
		tb.Fatalf("%s: %v", statement, err)
	}
}

// login is a user in a login, with known secrets.
type login struct {
	user           storage.UserID
	email          string
	password, totp storage.AuthenticatorID
	recovery       storage.AuthenticatorID
	request        storage.RequestID
	track          storage.TrackID
	status         storage.Status
	session        storage.Session
	grant          storage.Grant // whose code is to be redeemed
	message        storage.Message
	apiKey         storage.APIKey
	apiKeySecret   string
	ticket         storage.Ticket
}

const (
	passwordSecret = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$dGFndGFndGFn"
	totpSecret     = "twenty bytes of totp"
	recoverySecret = "ABCDEFGHIJKLMNOPQRSTUVWX"
	hintSecret     = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
	stateSecret    = "what the method put aside"
	mailSecret     = "314159"
	linkSecret     = "0123456789abcdef-of-a-link"
	codeSecret     = "27182818"
	dataSecret     = "what the reader of the link comes back to"
)

func newLogin() login {
	l := login{
		user: ordered[storage.UserID](), email: random[string]() + "@example.com", password: random[storage.AuthenticatorID](),
		totp: random[storage.AuthenticatorID](), recovery: random[storage.AuthenticatorID](), request: random[storage.RequestID](),
		track: random[storage.TrackID](),
	}
	l.status = storage.Status{
		ID: random[storage.StatusID](), Exchange: random[storage.ExchangeID](), Request: l.request, ClientID: "app", UserID: l.user,
		Authenticator: l.totp, Method: "totp", Usage: "second", Data: []byte(stateSecret), CreatedAt: t0, ExpiresAt: t0.Add(5 * time.Minute),
	}
	l.session = storage.Session{ID: ordered[storage.SessionID](), UserID: l.user, Origin: "browser", Generation: 1, CreatedAt: t0, ExpiresAt: t0.Add(time.Hour)}
	authorization := storage.Authorization{ClientID: "app", UserID: l.user, SessionID: l.session.ID, Scopes: []string{"openid"}, AuthTime: t0, RequestedAt: t0}
	l.grant = storage.Grant{
		ID: ordered[storage.GrantID](), Authorization: authorization, CodeUntil: t0.Add(time.Minute), RedirectURI: "https://app.example/cb",
		CodeChallenge: "c", CreatedAt: t0, ExpiresAt: t0.Add(time.Hour),
	}
	l.message = storage.Message{
		ID: ordered[storage.MessageID](), Kind: "mail", Recipient: l.email, Data: map[string]string{"code": mailSecret},
		CreatedAt: t0, NextAt: t0, ExpiresAt: t0.Add(time.Hour),
	}
	l.apiKeySecret = random[string]()
	sum := sha256.Sum256([]byte(l.apiKeySecret))
	l.apiKey = storage.APIKey{ID: ordered[storage.APIKeyID](), Name: l.email, Hashes: [][]byte{sum[:]}, Dialects: []string{"admin"}, CreatedAt: t0, UpdatedAt: t0}
	l.ticket = storage.Ticket{
		ID: ordered[storage.TicketID](), Purpose: "password_reset", UserID: l.user, Link: linkSecret + string(l.user), Code: codeSecret, Data: []byte(dataSecret),
		CreatedAt: t0, ExpiresAt: t0.Add(time.Hour),
	}
	return l
}

// guess returns a guess of the code of the ticket.
func (l login) guess(code string) storage.TicketGuess {
	return storage.TicketGuess{Purpose: l.ticket.Purpose, User: l.user, Code: code, Count: l.throttle(), Now: t0}
}

func (l login) authenticator(id storage.AuthenticatorID, method, secret string) storage.Authenticator {
	a := storage.Authenticator{ID: id, UserID: l.user, Method: method, Origin: "login", State: storage.AuthenticatorActive, CreatedAt: t0}
	if secret != "" {
		a.Secret = []byte(secret)
	}
	return a
}

func (l login) newUser() storage.NewUser {
	return storage.NewUser{
		User:        storage.User{ID: l.user, Status: storage.UserActive, CreatedAt: t0, UpdatedAt: t0},
		Identifiers: []storage.Identifier{{ID: random[storage.IdentifierID](), UserID: l.user, Kind: storage.Email, Value: l.email, CreatedAt: t0}},
		Authenticators: []storage.Authenticator{
			l.authenticator(l.password, "password", passwordSecret), l.authenticator(l.totp, "totp", totpSecret),
			l.authenticator(l.recovery, "recovery", ""),
		},
		RecoveryCodes: []string{recoverySecret},
	}
}

func (l login) authRequest() storage.AuthRequest {
	return storage.AuthRequest{
		ID: l.request, ClientID: "app", Params: url.Values{"id_token_hint": {hintSecret}}, Browser: []byte("browser"),
		State: storage.RequestOpen, RequestedAt: t0, ExpiresAt: t0.Add(time.Hour),
	}
}

func (l login) event() storage.Event {
	return storage.Event{ID: ordered[storage.EventID](), At: t0, Kind: "k", UserID: l.user, ClientID: "app"}
}

func (l login) throttle() storage.Throttle {
	return storage.Throttle{
		Key:      storage.ThrottleKey{Bucket: "factor", Subject: []byte(l.user)},
		Schedule: storage.Schedule{Free: 4, First: time.Second, Cap: time.Hour, Max: 100},
	}
}

func (l login) address() *storage.AddressThrottle {
	return &storage.AddressThrottle{Address: "192.0.2.1", Subject: []byte(l.user), Window: time.Minute, Max: 100, MaxSubjects: 10}
}

// spend returns the Spend of a right TOTP code.
func (l login) spend() storage.Spend {
	return storage.Spend{
		Now: t0, Credential: &storage.CredentialSpend{User: l.user, Authenticator: l.totp, Step: 1},
		Status: &storage.StatusMove{Exchange: l.status.Exchange, From: storage.StatusInitiated, To: storage.StatusRedeemed},
		Request: &storage.RequestChange{ID: l.request, Subject: l.user, Now: t0,
			Factor: &storage.Factor{Method: "totp", Authenticator: l.totp, Kinds: []storage.Kind{storage.Have}, AMR: []string{"otp"}, At: t0}},
		Reset: []storage.ThrottleKey{l.throttle().Key}, Events: []storage.Event{l.event(), l.event()},
	}
}

// only is the only proof of a login, not counted before, with the end of the login.
func (l login) only() storage.Spend {
	s, g := l.session, l.grant
	s.ID, g.ID = ordered[storage.SessionID](), ordered[storage.GrantID]()
	return storage.Spend{Now: t0, Credential: &storage.CredentialSpend{User: l.user, Authenticator: l.password, Unfailed: "password"},
		Finish: &storage.Finish{Now: t0, Session: &s, NewSession: true, Code: &g, Events: []storage.Event{l.event()}}, Events: []storage.Event{l.event()}}
}

func (l login) redemption() storage.Redemption {
	return storage.Redemption{ID: l.grant.ID, Refreshable: true, RefreshUntil: t0.Add(time.Hour), ExpiresAt: t0.Add(time.Hour), Now: t0,
		Events: []storage.Event{l.event()}}
}

// step is one storage call with its budget.
type step struct {
	name                string
	statements, commits int64
	do                  func() error
}

// steps returns the calls of a login, from the authorization request to a refresh, with
// their budgets.
func (l login) steps(t *testing.T, e *relational.Engine) []step {
	ctx := t.Context()
	return []step{
		{"create user", 4, 1, func() error { return e.CreateUser(ctx, l.newUser()) }},
		{"authorize", 1, 1, func() error { return e.OpenRequest(ctx, l.authRequest()) }},
		{"next", 1, 0, func() error { _, _, err := e.Request(ctx, l.request, l.email, t0); return err }},
		{"count password", 2, 1, func() error {
			_, err := e.CountAttempt(ctx, storage.Attempt{Throttles: []storage.Throttle{l.throttle()}, Address: l.address(), Now: t0})
			return err
		}},
		{"first post of a code", 6, 1, func() error {
			n := &storage.NewStatus{Status: l.status, MaxInitiations: 20, Supersede: true, Events: []storage.Event{l.event()}}
			_, err := e.CountAttempt(ctx, storage.Attempt{New: n, MaxAttempts: 5, Throttles: []storage.Throttle{l.throttle()}, Address: l.address(), Now: t0})
			return err
		}},
		{"further post of a code", 3, 1, func() error {
			_, err := e.CountAttempt(ctx, storage.Attempt{Exchange: l.status.Exchange, MaxAttempts: 5, Throttles: []storage.Throttle{l.throttle()}, Address: l.address(), Now: t0})
			return err
		}},
		{"status by exchange", 1, 0, func() error { _, _, err := e.StatusByExchange(ctx, l.status.Exchange, t0); return err }},
		{"spend", 6, 1, func() error { return e.Spend(ctx, l.spend()) }},
		{"track", 1, 1, func() error {
			return e.ChangeRequest(ctx, storage.RequestChange{ID: l.request, Version: 1, Track: l.track, TrackUntil: t0.Add(time.Hour), Now: t0}, nil)
		}},
		{"initiate", 4, 1, func() error {
			s := l.status
			s.ID, s.Exchange = random[storage.StatusID](), random[storage.ExchangeID]()
			return e.Initiate(ctx, storage.NewStatus{Status: s, MaxInitiations: 20, Supersede: true, Messages: []storage.Message{l.message}}, t0)
		}},
		{"finish", 4, 1, func() error {
			return e.FinishRequest(ctx, storage.Finish{Now: t0, Request: l.request, Version: 2, Session: &l.session, NewSession: true,
				Code: &l.grant, Events: []storage.Event{l.event(), l.event()}})
		}},
		{"session", 1, 0, func() error { _, _, err := e.Session(ctx, l.session.ID, t0); return err }},
		{"grant of a code", 1, 0, func() error { _, err := e.Grant(ctx, l.grant.ID); return err }},
		{"redeem code", 2, 1, func() error { return e.RedeemCode(ctx, l.redemption()) }},
		{"grant", 1, 0, func() error { _, err := e.Grant(ctx, l.grant.ID); return err }},
		{"refresh", 2, 1, func() error {
			return e.RotateRefresh(ctx, storage.Rotation{ID: l.grant.ID, Until: t0.Add(time.Hour), Now: t0, Events: []storage.Event{l.event()}})
		}},
		{"revoke", 2, 1, func() error {
			return e.RevokeGrant(ctx, l.grant.ID, "client", t0, []storage.Event{l.event()})
		}},
		{"introspect without grant", 1, 0, func() error { _, err := e.TokenRevoked(ctx, "jti"); return err }},
		{"use proof", 1, 1, func() error { return e.UseProof(ctx, random[string](), t0.Add(time.Minute)) }},
		{"poll", 1, 0, func() error { _, err := e.Versions(ctx); return err }},
		{"journal", 1, 1, func() error { return e.AppendEvents(ctx, []storage.Event{l.event(), l.event(), l.event()}) }},
		{"touch", 1, 1, func() error {
			return e.TouchSessions(ctx, map[storage.SessionID]time.Time{l.session.ID: t0, random[storage.SessionID](): t0}, time.Minute)
		}},
		{"create ticket", 2, 1, func() error {
			return e.CreateTicket(ctx, storage.NewTicket{Ticket: l.ticket, Events: []storage.Event{l.event()}}, t0)
		}},
		{"ticket by link", 1, 0, func() error { _, err := e.TicketByLink(ctx, l.ticket.Purpose, l.ticket.Link); return err }},
		{"guess ticket", 3, 1, func() error { _, err := e.GuessTicket(ctx, l.guess(codeSecret)); return err }},
		{"create API key", 4, 1, func() error { return e.CreateAPIKey(ctx, l.apiKey, []storage.Event{l.event()}) }},
		{"API key by hash", 1, 0, func() error { _, err := e.APIKeyByHash(ctx, l.apiKey.Hashes[0]); return err }},
		{"replace API key", 5, 1, func() error { return e.ReplaceAPIKey(ctx, l.apiKey, t0, []storage.Event{l.event()}) }},
		{"touch API keys", 1, 1, func() error {
			return e.TouchAPIKeys(ctx, map[storage.APIKeyID]time.Time{l.apiKey.ID: t0, random[storage.APIKeyID](): t0})
		}},
	}
}

// column returns the rows of a query of one text column.
func column(tb testing.TB, db *sql.DB, query string) []string {
	tb.Helper()
	rows, err := db.QueryContext(tb.Context(), query)
	if err != nil {
		tb.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			tb.Fatal(err)
		}
		out = append(out, s)
	}
	if err := rows.Err(); err != nil {
		tb.Fatal(err)
	}
	return out
}
