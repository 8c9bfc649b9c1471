package mfa_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"net/url"
	"sync"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/mfatest"
	"sallyport/storage"
	"sallyport/storage/relational"
	"sallyport/storage/seal"
)

// house is the real room on the real engine, with a clock that is a variable.
type house struct {
	t        *testing.T
	mu       sync.Mutex
	at       time.Time
	store    *relational.Engine
	keyring  *seal.Keyring
	journal  *mfa.Journal
	password *mfa.Password
	totp     *mfa.TOTP
	recovery *mfa.Recovery
	users    *mfa.Users
	sessions *mfa.Sessions
	verifier *mfa.Verifier
	policy   mfa.Policy
	asked    mfa.Asked
	visit    mfa.Visit
}

const (
	secret32  = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	ownPass   = "a quiet harbour at dawn"
	ownMail   = "ada@example.com"
	otherMail = "bob@example.com"
)

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, at: time.Date(2026, 11, 20, 10, 0, 5, 0, time.UTC), visit: mfa.Visit{Browser: "browser-a", UserAgent: "test", CorrelationID: "c-1", Locale: "en"}}
	rooms := mfatest.Open(t, mfatest.Making{Now: h.now,
		Password: mfa.PasswordOptions{Memory: 64, Time: 1, Parallel: 2, Queue: 100, Wait: time.Minute}})
	h.store, h.keyring, h.journal, h.password, h.totp, h.recovery = rooms.Store, rooms.Keyring, rooms.Journal, rooms.Password, rooms.TOTP, rooms.Recovery
	h.users, h.sessions = rooms.Users, rooms.Sessions
	h.open(mfa.Options{Product: "Sallyport", AddressMax: -1})
	return h
}

// open builds the verifier anew with other options or more methods.
func (h *house) open(o mfa.Options, more ...mfa.Method) {
	h.verifier = mfa.NewVerifier(h.store, h.keyring, h.journal, h.now, rand.Reader, o, append([]mfa.Method{h.password, h.totp, h.recovery}, more...)...)
}

func (h *house) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.at
}

func (h *house) wait(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at = h.at.Add(d)
}

// ada is a user with password, TOTP and three recovery codes.
func (h *house) ada() storage.User {
	h.t.Helper()
	return h.create(mfa.Draft{Username: "ada", Email: ownMail, EmailVerified: true, Password: ownPass, TOTPSecret: secret32,
		RecoveryCodes: []string{"aaaaaaaaaaaaaaaaaaaaaaaa", "bbbb-bbbb-bbbb", "ccccc-ccccc"}, MFAEnabled: true})
}

func (h *house) create(d mfa.Draft) storage.User {
	h.t.Helper()
	u, err := h.users.Create(context.Background(), h.visit, d)
	if err != nil {
		h.t.Fatalf("create %s: %v", d.Email, err)
	}
	return u
}

// begin opens an authorization request.
func (h *house) begin() storage.RequestID {
	h.t.Helper()
	now := h.now()
	id := storage.RequestID(storage.Random128(rand.Reader))
	err := h.store.OpenRequest(context.Background(), storage.AuthRequest{ID: id, ClientID: "app", Params: url.Values{}, State: storage.RequestOpen,
		RequestedAt: now, UpdatedAt: now, ExpiresAt: now.Add(30 * time.Minute)})
	if err != nil {
		h.t.Fatalf("open request: %v", err)
	}
	return id
}

// proving reads a request as provider does.
func (h *house) proving(id storage.RequestID, identifier string) mfa.Proving {
	h.t.Helper()
	r, a, err := h.store.Request(context.Background(), id, identifier, h.now())
	if err != nil {
		h.t.Fatalf("read request: %v", err)
	}
	return mfa.Proving{Request: r, Account: a, Identifier: identifier, Policy: h.policy, Asked: h.asked}
}

func (h *house) login(id storage.RequestID, identifier, password string) error {
	h.t.Helper()
	return h.verifier.Login(context.Background(), h.visit, h.proving(id, identifier), password)
}

// loggedIn is a request whose password is proven.
func (h *house) loggedIn() storage.RequestID {
	h.t.Helper()
	id := h.begin()
	if err := h.login(id, ownMail, ownPass); err != nil {
		h.t.Fatalf("login: %v", err)
	}
	return id
}

func (h *house) prove(id storage.RequestID, method, typed string, exchange storage.ExchangeID) (storage.ExchangeID, error) {
	h.t.Helper()
	return h.verifier.Prove(context.Background(), h.visit, h.proving(id, ""), mfa.Choice{Method: method}, exchange, mfa.Typed(typed))
}

// code is what the phone shows, some seconds from now.
func (h *house) code(offset time.Duration) string {
	return h.totp.CodeAt(secretBytes, h.now().Add(offset))
}

var secretBytes = []byte("Hello!\xde\xad\xbe\xefHello!\xde\xad\xbe\xef")

// wrong is a code that is wrong now and for the next hours.
func (h *house) wrong() string {
	right := map[string]bool{}
	for d := -5 * time.Minute; d < 5*time.Minute; d += 30 * time.Second {
		right[h.code(d)] = true
	}
	for _, c := range []string{"000000", "111111", "222222", "333333"} {
		if !right[c] {
			return c
		}
	}
	return "444444"
}

func (h *house) verdict(id storage.RequestID) mfa.Verdict {
	p := h.proving(id, "")
	return mfa.Require(p.Policy, p.Account, p.Request.Factors, p.Asked, h.verifier.Methods(), h.now())
}

// want fails the test unless err has the code ("" for none).
func want(t *testing.T, what string, err error, code mfa.Code) {
	t.Helper()
	if code == "" && err != nil {
		t.Fatalf("%s: got %v, want success", what, err)
	}
	if code != "" && mfa.CodeOf(err) != code {
		t.Fatalf("%s: got %v, want %s", what, err, code)
	}
}

// events returns the kinds written so far, oldest first.
func (h *house) events() []string {
	h.t.Helper()
	if err := h.journal.Flush(context.Background()); err != nil {
		h.t.Fatal(err)
	}
	list, err := h.store.ListEvents(context.Background(), storage.EventFilter{Limit: 1000})
	if err != nil {
		h.t.Fatal(err)
	}
	var kinds []string
	for _, e := range list {
		kinds = append([]string{e.Kind}, kinds...)
		if bytes.Contains(e.Canonical, []byte(ownPass)) {
			h.t.Errorf("event %s holds the password", e.Kind)
		}
	}
	return kinds
}

func (h *house) messages() []storage.Message {
	h.t.Helper()
	ms, err := h.store.ListMessages(context.Background(), 100)
	if err != nil {
		h.t.Fatal(err)
	}
	return ms
}
