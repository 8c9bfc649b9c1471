package mfatest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"net/url"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/backend"
	"sallyport/mfa/exchange"
	"sallyport/mfa/password"
	"sallyport/mfa/selfservice"
	"sallyport/mfa/users"
	"sallyport/storage"
)

// Fixture is Services with a clock, a caller and a client policy. Its methods are the steps of
// a login.
type Fixture struct {
	*Services
	*Clock
	T            *testing.T
	Policy       mfa.Policy
	requirements mfa.Requirements
	Caller       mfa.Caller
}

// Credentials of the user of CreateAda.
const (
	TOTPKey    = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	Password   = "a quiet harbour at dawn"
	Email      = "ada@example.com"
	OtherEmail = "bob@example.com"
)

// New returns a Fixture over an empty SQLite database.
func New(t *testing.T) *Fixture {
	t.Helper()
	return NewAt(t, "")
}

// NewAt is New over the empty database of a DSN.
func NewAt(t *testing.T, dsn string) *Fixture {
	t.Helper()
	h := &Fixture{T: t, Clock: NewClock(time.Date(2026, 11, 20, 10, 0, 5, 0, time.UTC)), Caller: mfa.Caller{Browser: "browser-a", UserAgent: "test", CorrelationID: "c-1", Locale: "en"}}
	h.Services = Open(t, Options{Now: h.Now, DSN: dsn,
		Password: password.Options{Memory: 64, Time: 1, Parallel: 2, Queue: 100, Wait: time.Minute}})
	h.Open(exchange.Options{Product: "Sallyport", AddressMax: -1})
	return h
}

// Open replaces the Verifier by one with other options or more methods.
func (h *Fixture) Open(o exchange.Options, more ...mfa.Method) {
	h.Verifier = exchange.NewVerifier(h.Store, h.Keyring, h.Journal, h.Now, rand.Reader, o, append([]mfa.Method{h.Password, h.TOTP, h.Recovery}, more...)...)
	h.Accounts = selfservice.New(h.Store, h.Verifier, h.Password, h.Journal, h.Now, rand.Reader, selfservice.Options{Product: "Sallyport", Usernames: selfservice.Usernames{Editable: true, Reserved: []string{"admin", "Große"}}})
	h.Users = users.New(h.Store, h.Verifier, h.Keyring, h.Password, h.TOTP, h.Journal, h.Now, rand.Reader)
	h.Backend = backend.New(h.Store, h.Verifier, h.Sessions, h.Users, h.Journal, h.Now, rand.Reader, backend.Options{
		MatchCodes: []string{backend.MatchIP, backend.MatchUserAgent}, MatchSessions: []string{backend.MatchIP}, Product: "Sallyport"})
}

// CreateAda creates a user with a password, TOTP and three recovery codes.
func (h *Fixture) CreateAda() storage.User {
	h.T.Helper()
	return h.Create(users.Draft{Username: "ada", Email: Email, EmailVerified: true, Password: Password, TOTPSecret: TOTPKey,
		RecoveryCodes: []string{"aaaaaaaaaaaaaaaaaaaaaaaa", "bbbb-bbbb-bbbb", "ccccc-ccccc"}, MFAEnabled: true})
}

// Create creates the user of a draft.
func (h *Fixture) Create(d users.Draft) storage.User {
	h.T.Helper()
	u, err := h.Users.Create(context.Background(), h.Caller, d)
	if err != nil {
		h.T.Fatalf("create %s: %v", d.Email, err)
	}
	return u
}

// OpenRequest opens an authorization request.
func (h *Fixture) OpenRequest() storage.RequestID {
	h.T.Helper()
	now := h.Now()
	id := storage.RequestID(storage.Random128(rand.Reader))
	err := patiently(func() error {
		return h.Store.OpenRequest(context.Background(), storage.AuthRequest{ID: id, ClientID: "app", Params: url.Values{}, State: storage.RequestOpen,
			RequestedAt: now, UpdatedAt: now, ExpiresAt: now.Add(30 * time.Minute)})
	})
	if err != nil {
		h.T.Fatalf("open request: %v", err)
	}
	return id
}

// Read reads a request with the account of an identifier, as package provider does.
func (h *Fixture) Read(id storage.RequestID, identifier string) exchange.Login {
	h.T.Helper()
	var r storage.AuthRequest
	var a *storage.Account
	err := patiently(func() (err error) {
		r, a, err = h.Store.Request(context.Background(), id, identifier, h.Now())
		return err
	})
	if err != nil {
		h.T.Fatalf("read request: %v", err)
	}
	return exchange.Login{Request: r, Account: a, Identifier: identifier, Policy: h.Policy, Requirements: h.requirements}
}

// patiently repeats a call until the database has time for it: tests race a hundred callers.
func patiently(call func() error) error {
	for {
		if err := call(); !errors.Is(err, storage.ErrUnavailable) {
			return err
		}
	}
}

// SignIn proves a password in a request.
func (h *Fixture) SignIn(id storage.RequestID, identifier, password string) error {
	h.T.Helper()
	return patiently(func() error {
		return h.Verifier.Password(context.Background(), h.Caller, h.Read(id, identifier), password)
	})
}

// SignedIn opens a request and proves the password of Email.
func (h *Fixture) SignedIn() storage.RequestID {
	h.T.Helper()
	id := h.OpenRequest()
	if err := h.SignIn(id, Email, Password); err != nil {
		h.T.Fatalf("login: %v", err)
	}
	return id
}

// Prove proves a typed code as a login page does.
func (h *Fixture) Prove(id storage.RequestID, method, typed string, x storage.ExchangeID) (storage.ExchangeID, error) {
	h.T.Helper()
	return h.Verifier.Prove(context.Background(), h.Caller, h.Read(id, ""), exchange.Choice{Method: method}, x, mfa.Typed(typed))
}

// Code returns the code of TOTPSecret at an offset from now.
func (h *Fixture) Code(offset time.Duration) string {
	return h.TOTP.CodeAt(TOTPSecret, h.Now().Add(offset))
}

// TOTPSecret is TOTPKey decoded.
var TOTPSecret = []byte("Hello!\xde\xad\xbe\xefHello!\xde\xad\xbe\xef")

// Wrong returns a code that is wrong within five minutes of now.
func (h *Fixture) Wrong() string {
	right := map[string]bool{}
	for d := -5 * time.Minute; d < 5*time.Minute; d += 30 * time.Second {
		right[h.Code(d)] = true
	}
	for _, c := range []string{"000000", "111111", "222222", "333333"} {
		if !right[c] {
			return c
		}
	}
	return "444444"
}

// Verdict applies the policy table to a request.
func (h *Fixture) Verdict(id storage.RequestID) mfa.Verdict {
	p := h.Read(id, "")
	return mfa.Require(p.Policy, p.Account, p.Request.Factors, p.Requirements, h.Verifier.Methods(), h.Now())
}

// Want fails the test unless err has the code; "": unless err is nil.
func Want(t *testing.T, what string, err error, code mfa.Code) {
	t.Helper()
	if code == "" && err != nil {
		t.Fatalf("%s: got %v, want success", what, err)
	}
	if code != "" && mfa.CodeOf(err) != code {
		t.Fatalf("%s: got %v, want %s", what, err, code)
	}
}

// Events returns the kinds of all audit events, oldest first.
func (h *Fixture) Events() []string {
	h.T.Helper()
	if err := h.Journal.Flush(context.Background()); err != nil {
		h.T.Fatal(err)
	}
	list, err := h.Store.ListEvents(context.Background(), storage.EventFilter{Limit: 1000})
	if err != nil {
		h.T.Fatal(err)
	}
	var kinds []string
	for _, e := range list {
		kinds = append([]string{e.Kind}, kinds...)
		if bytes.Contains(e.Canonical, []byte(Password)) {
			h.T.Errorf("event %s holds the password", e.Kind)
		}
	}
	return kinds
}

// Messages returns the messages to users that wait for delivery.
func (h *Fixture) Messages() []storage.Message {
	h.T.Helper()
	list, err := h.Store.ListMessages(context.Background(), storage.MessageFilter{Now: h.Now(), Limit: 100})
	if err != nil {
		h.T.Fatal(err)
	}
	var out []storage.Message
	for _, r := range list {
		m, err := h.Store.Message(context.Background(), r.ID)
		if err != nil {
			h.T.Fatal(err)
		}
		out = append(out, m)
	}
	return out
}
