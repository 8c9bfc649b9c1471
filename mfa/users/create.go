package users

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/audit"
	"sallyport/mfa/enrollcode"
	"sallyport/mfa/exchange"
	"sallyport/mfa/password"
	"sallyport/mfa/recovery"
	"sallyport/mfa/totp"
	"sallyport/storage"
	"sallyport/storage/seal"
)

// Draft describes a user to create or amend: of an import, a backend or an administrator.
type Draft struct {
	ID                           storage.UserID // "": a new one
	Username, Email, Phone       string
	EmailVerified, PhoneVerified bool
	Password                     string    // hashed here; or
	PasswordHash                 string    // imported: argon2id PHC string or bcrypt
	TOTPSecret                   string    // base32
	TOTPShape                    mfa.Shape // parameters of its app; zero: the server's setting
	TOTPPeriod                   int       // seconds, 30 or 60; 0: 30
	RecoveryCodes                []string
	Roles                        []string // for applications; nil keeps those of an existing user
	Profile                      map[string]any
	MFAEnabled                   bool
	Metadata                     json.RawMessage    // of a backend
	Status                       storage.UserStatus // "": active
}

var errUserID = &mfa.Error{Code: mfa.InvalidRequest, Err: errors.New("not 32 lower-case hexadecimal digits in the layout 8-4-4-4-12")}

// Store is the part of storage that a Registry uses.
type Store interface {
	storage.Users
	recovery.Store
	LowerCounter(ctx context.Context, user storage.UserID, id storage.AuthenticatorID, from, to int64, now time.Time, events []storage.Event) error
	DeleteAuthenticator(ctx context.Context, r storage.Removal) error
	Waits(ctx context.Context, keys []storage.ThrottleKey, now time.Time) ([]storage.Refusal, error)
	SessionsOf(ctx context.Context, user storage.UserID, now time.Time) ([]storage.Session, error)
}

// Registry creates, changes and deletes users.
type Registry struct {
	store    Store
	verifier *exchange.Verifier
	keyring  *seal.Keyring
	password *password.Method
	totp     *totp.Method
	product  string // the sender named in messages
	journal  *audit.Journal
	now      func() time.Time
	random   io.Reader
	codeLife time.Duration // of an enrollment code
}

// WithCodeLife returns the Registry with another life of the codes of ResetFactors.
func (u *Registry) WithCodeLife(life time.Duration) *Registry {
	with := *u
	with.codeLife = life
	return &with
}

// New returns a Registry.
func New(store Store, verifier *exchange.Verifier, keyring *seal.Keyring, password *password.Method, totp *totp.Method, journal *audit.Journal, now func() time.Time, random io.Reader) *Registry {
	return &Registry{store: store, verifier: verifier, keyring: keyring, password: password, totp: totp, product: totp.Product(), journal: journal, now: now, random: random,
		codeLife: enrollcode.DefaultLife}
}

// Create creates the user of a draft in one transaction. It returns IdentifierTaken and the
// errors of New.
func (u *Registry) Create(ctx context.Context, v mfa.Caller, d Draft) (storage.User, error) {
	n, err := u.New(ctx, v, d)
	if err != nil {
		return storage.User{}, err
	}
	if err = u.store.CreateUser(ctx, n); err != nil {
		return storage.User{}, mfa.Refuse("create user", err, storage.ErrConflict, mfa.IdentifierTaken)
	}
	return n.User, nil
}

// New returns the user of a draft, to be stored. It returns InvalidIdentifier, InvalidRequest
// or an error of password.Method.Check.
func (u *Registry) New(ctx context.Context, v mfa.Caller, d Draft) (storage.NewUser, error) {
	now := u.now()
	n := storage.NewUser{User: storage.User{ID: d.ID, Status: cmp.Or(d.Status, storage.UserActive), MFAEnabled: d.MFAEnabled,
		Roles: d.Roles, Profile: d.Profile, Metadata: d.Metadata, CreatedAt: now, UpdatedAt: now}}
	if n.User.ID == "" {
		n.User.ID = storage.UserID(storage.Random128(u.random))
	}
	if _, ok := storage.Bytes(n.User.ID); !ok {
		return n, errUserID
	}
	err := checkRoles(d.Roles)
	if err != nil {
		return n, err
	}
	if len(hiddenClaims(d.Profile)) > 0 {
		return n, errClaim
	}
	if n.Identifiers, err = u.identifiers(d, nil, n.User.ID, now); err != nil {
		return n, err
	}
	n.Authenticators, n.RecoveryCodes, err = u.authenticators(ctx, d, n.User.ID, now)
	n.Events = []storage.Event{u.journal.Event(v, storage.Event{Kind: mfa.EventUserCreated, UserID: n.User.ID})}
	return n, err
}

// identifiers returns the identifiers of a draft. Those the user has need not be possible.
func (u *Registry) identifiers(d Draft, have []storage.Identifier, user storage.UserID, now time.Time) ([]storage.Identifier, error) {
	var out []storage.Identifier
	for _, x := range []struct {
		typed    string
		kind     storage.IdentifierKind
		verified bool
	}{{d.Username, storage.Username, true}, {d.Email, storage.Email, d.EmailVerified}, {d.Phone, storage.Phone, d.PhoneVerified}} {
		if x.typed == "" {
			continue
		}
		i, err := mfa.Identify(x.typed)
		if err != nil {
			return nil, err
		}
		if i.Kind != x.kind {
			return nil, &mfa.Error{Code: mfa.InvalidIdentifier, Err: fmt.Errorf("%s given where %s belongs", i.Kind, x.kind)}
		}
		if !slices.ContainsFunc(have, func(h storage.Identifier) bool { return h.Value == i.Value }) {
			if err := mfa.CheckNew(i.Kind, i.Value); err != nil {
				return nil, err
			}
		}
		i.ID, i.UserID, i.CreatedAt, i.UpdatedAt = storage.IdentifierID(storage.TimeOrdered(now, u.random)), user, now, now
		if x.verified {
			i.VerifiedAt = now
		}
		out = append(out, i)
	}
	if len(out) == 0 {
		return nil, &mfa.Error{Code: mfa.InvalidIdentifier, Err: errors.New("a user needs a name")}
	}
	return out, nil
}

func (u *Registry) authenticators(ctx context.Context, d Draft, user storage.UserID, now time.Time) ([]storage.Authenticator, []string, error) {
	var out []storage.Authenticator
	add := func(a storage.Authenticator) {
		out = append(out, u.completeAuthenticator(a, user, "import", now))
	}
	hash, err := u.passwordHash(ctx, d)
	if err != nil {
		return nil, nil, err
	}
	if hash != "" {
		add(storage.Authenticator{Method: password.Name, Secret: []byte(hash)})
	}
	if d.TOTPSecret != "" {
		a, err := u.totp.Import(d.TOTPSecret, d.TOTPShape, d.TOTPPeriod)
		if err != nil {
			return nil, nil, err
		}
		add(a)
	}
	if len(d.RecoveryCodes) == 0 {
		return out, nil, nil
	}
	a, codes, err := recovery.Import(d.RecoveryCodes)
	if err != nil {
		return nil, nil, err
	}
	add(a)
	return out, codes, nil
}

func (u *Registry) passwordHash(ctx context.Context, d Draft) (string, error) {
	if d.PasswordHash != "" {
		return d.PasswordHash, password.CheckHash(d.PasswordHash)
	}
	if d.Password == "" {
		return "", nil
	}
	if err := u.password.Check(d.Password, d.words()...); err != nil {
		return "", err
	}
	return u.password.Hash(ctx, mfa.Place{}, d.Password)
}

func (d Draft) words() []string {
	return password.Words([]string{d.Username, d.Email, d.Phone}, d.Profile)
}
