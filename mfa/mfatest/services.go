// Package mfatest provides the services of package mfa over a real database, for tests, and
// Fixture with the steps of a login.
package mfatest

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"log/slog"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/audit"
	"sallyport/mfa/backend"
	"sallyport/mfa/exchange"
	"sallyport/mfa/passcode"
	"sallyport/mfa/passkey"
	"sallyport/mfa/password"
	"sallyport/mfa/recovery"
	"sallyport/mfa/selfservice"
	"sallyport/mfa/session"
	"sallyport/mfa/totp"
	"sallyport/mfa/users"
	"sallyport/storage"
	"sallyport/storage/relational"
	"sallyport/storage/seal"
	"sallyport/storage/storagetest"
)

// Options configure Services. Only Now is required.
type Options struct {
	Now      func() time.Time // the clock of the test
	Algs     []string         // algorithms of the signing keys; nil: ES256. RSA keys are slow to create
	Options  exchange.Options // without a Product: Sallyport
	Password password.Options
	Log      *slog.Logger                             // nil: discarded
	DSN      string                                   // of an empty database; "": a SQLite file
	Codes    bool                                     // the Verifier sends codes by mail and text message
	Toll     func(number string) (storage.Toll, bool) // of text messages; nil: see passcode.Options
	Passkeys string                                   // domain of passkeys, whose pages are https; "": there are none
	Trust    *passkey.Trust                           // which makers of passkeys are trusted; nil: none
}

// Services are those of a server, over a database that is removed after the test and with
// cheap password hashes.
type Services struct {
	Store    *relational.Engine
	Keyring  *seal.Keyring
	Journal  *audit.Journal
	Password *password.Method
	TOTP     *totp.Method
	Recovery *recovery.Method
	Passkey  *passkey.Method // nil: there are none
	Verifier *exchange.Verifier
	Accounts *selfservice.Accounts
	Sessions *session.Registry
	Users    *users.Registry
	Backend  *backend.Service

	t testing.TB
}

// Open returns new Services.
func Open(t testing.TB, m Options) *Services {
	t.Helper()
	if m.Algs == nil {
		m.Algs = []string{"ES256"}
	}
	if m.Options.Product == "" {
		m.Options.Product = "Sallyport"
	}
	if m.Password.Memory == 0 {
		m.Password = password.Options{Memory: 64, Time: 1, Parallel: 8}
	}
	if m.Log == nil {
		m.Log = slog.New(slog.DiscardHandler)
	}
	ctx, r := context.Background(), &Services{t: t}
	var rows []storage.Key
	r.Keyring, rows = storagetest.Keyring(t, m.Now(), m.Algs...)
	var err error
	dsn := m.DSN
	if dsn == "" {
		dsn = newSQLite(t, r.Keyring)
	}
	r.Store, err = relational.Open(ctx, dsn, r.Keyring, relational.Options{})
	must(t, err)
	t.Cleanup(func() { _ = r.Store.Close() })
	if m.DSN != "" {
		must(t, r.Store.Migrate(ctx))
	}
	must(t, r.Store.AddKeys(ctx, rows, true, nil))
	r.Journal = audit.NewJournal(r.Store, m.Now, rand.Reader, m.Log, m.Options.Admit)
	r.Password = password.New(r.Keyring, m.Now, rand.Reader, m.Password)
	r.TOTP = totp.New(rand.Reader, m.Options.Product, totp.Options{})
	r.Recovery = recovery.New(r.Store, rand.Reader)
	methods := []mfa.Method{r.Password, r.TOTP}
	if m.Passkeys != "" {
		keys, err := passkey.New(r.Store, r.Keyring, rand.Reader, passkey.Options{Product: m.Options.Product, RPID: m.Passkeys,
			Origins: []string{"https://" + m.Passkeys}, TTL: 5 * time.Minute, Enroll: 10 * time.Minute, Trust: m.Trust})
		must(t, err)
		r.Passkey, methods = keys, append(methods, keys)
	}
	m.Options.SendsMail = m.Options.SendsMail || m.Codes
	if m.Codes {
		o := passcode.Options{Product: m.Options.Product}
		mail := passcode.NewEmail(r.Keyring, rand.Reader, o)
		o.Toll = m.Toll
		methods = append(methods, mail, passcode.NewSMS(r.Keyring, rand.Reader, o))
	}
	r.Verifier = exchange.NewVerifier(r.Store, r.Keyring, r.Journal, m.Now, rand.Reader, m.Options, append(methods, r.Recovery)...)
	r.Accounts = selfservice.New(r.Store, r.Verifier, r.Password, r.Journal, m.Now, rand.Reader,
		selfservice.Options{Product: m.Options.Product, Editable: selfservice.ProfileClaims(), Usernames: selfservice.Usernames{Editable: true, Reserved: []string{"admin"}}})
	r.Sessions = session.New(r.Store, r.Keyring, r.Journal, m.Now, rand.Reader, session.Options{})
	r.Users = users.New(r.Store, r.Verifier, r.Keyring, r.Password, r.TOTP, r.Journal, m.Now, rand.Reader)
	r.Backend = backend.New(r.Store, r.Verifier, r.Sessions, r.Users, r.Journal, m.Now, rand.Reader, backend.Options{})
	return r
}

// User creates a user with a name, a verified e-mail address, a password and, if key is not
// empty, an authenticator app.
func (r *Services) User(name, password, key string, codes ...string) storage.UserID {
	r.t.Helper()
	u, err := r.Users.Create(context.Background(), mfa.Caller{}, users.Draft{Username: name, Email: name + "@example.org", EmailVerified: true,
		Password: password, TOTPSecret: key, RecoveryCodes: codes})
	must(r.t, err)
	return u.ID
}

// Code returns the code of an app with a base32 key at a time.
func (r *Services) Code(key string, at time.Time) string {
	r.t.Helper()
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(key)
	must(r.t, err)
	return r.TOTP.CodeAt(secret, at)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
