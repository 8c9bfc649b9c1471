package apikeys

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"slices"
	"sync"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/audit"
	"sallyport/provider/cache"
	"sallyport/provider/secret"
	"sallyport/storage"
)

// Refusals of APIKeys. Errors of Authenticate that mean "this key opens nothing here"
// all are ErrNoAPIKey to errors.Is; what else they say is for who holds the key.
var (
	ErrNotFound    error = &refusal{"unknown", "there is no such API key"}
	ErrEnvironment error = &refusal{"environment", "the API key is for the other environment: test keys open test servers, live keys live ones"}
	ErrDisabled    error = &refusal{"disabled", "the API key is disabled"}
	ErrExpired     error = &refusal{"expired", "the API key has expired"}
	ErrMakerEnded  error = &refusal{"maker", "the API key has ended with the one that made it"}

	ErrTaken   = errors.New("another API key has this name or this secret")
	ErrChanged = errors.New("the API key was changed by somebody else meanwhile, or its new name or secret is taken")
)

// apiKeyRefusal is why a key opens nothing: in a word for the audit trail, and in words.
type refusal struct{ reason, text string }

func (r *refusal) Error() string { return r.text }

// Is lets errors.Is find ErrNoAPIKey in every refusal.
func (r *refusal) Is(target error) bool { return target == ErrNotFound }

// apiKeyStore is what APIKeys need of storage.
type store interface {
	storage.APIKeys
	// Versions is that of storage.Clients.
	Versions(ctx context.Context) (map[string]int64, error)
}

// APIKeys makes, changes and recognises the keys of backends. Run must be running where
// many calls are to be authenticated.
type Keys struct {
	store       store
	journal     *audit.Journal
	now         func() time.Time
	random      io.Reader
	environment string
	log         *slog.Logger

	verified *cache.Cache[[sha256.Size]byte, []storage.APIKey]

	mu      sync.Mutex
	version int64     // of the keys, as last polled
	polled  time.Time // before it was read; zero: never
	used    map[storage.APIKeyID]use
}

// NewAPIKeys returns the keys of a server of this environment: "test" or "live".
func New(store store, journal *audit.Journal, now func() time.Time, random io.Reader, environment string, log *slog.Logger) *Keys {
	return &Keys{store: store, journal: journal, now: now, random: random, environment: environment, log: log,
		verified: cache.New[[sha256.Size]byte, []storage.APIKey](verifiedMost), used: map[storage.APIKeyID]use{}}
}

// List returns all keys in the order of their names.
func (a *Keys) List(ctx context.Context) ([]storage.APIKey, error) {
	all, err := a.store.ListAPIKeys(ctx)
	if err != nil {
		return nil, fmt.Errorf("list API keys: %w", err)
	}
	return all, nil
}

// Get returns a key: ErrNoAPIKey.
func (a *Keys) Get(ctx context.Context, id storage.APIKeyID) (storage.APIKey, error) {
	k, err := a.store.APIKey(ctx, id)
	if errors.Is(err, storage.ErrNotFound) {
		return k, ErrNotFound
	}
	if err != nil {
		return k, fmt.Errorf("read API key: %w", err)
	}
	return k, nil
}

// Find returns the key that somebody means: by its ID or its name. ErrNoAPIKey.
func (a *Keys) Find(ctx context.Context, which string) (storage.APIKey, error) {
	if k, err := a.Get(ctx, storage.APIKeyID(which)); !errors.Is(err, ErrNotFound) {
		return k, err
	}
	all, err := a.List(ctx)
	if err != nil {
		return storage.APIKey{}, err
	}
	i := slices.IndexFunc(all, func(k storage.APIKey) bool { return k.Name == which })
	if i < 0 {
		return storage.APIKey{}, ErrNotFound
	}
	return all[i], nil
}

// Create adds a key and returns it with its secret, which is kept nowhere; "" where it
// was taken over. An *InvalidAPIKey says what is wrong with the draft. A key that an API
// key makes remembers its maker, opens no more than that and ends with it: ErrCallerEnded,
// ErrTooManyMakers.
func (a *Keys) Create(ctx context.Context, v mfa.Caller, by Caller, d Draft) (storage.APIKey, string, error) {
	by, line, err := a.current(ctx, by)
	if err != nil {
		return storage.APIKey{}, "", err
	}
	if len(line) > storage.MaxMakers {
		return storage.APIKey{}, "", ErrTooManyMakers
	}
	if faults := a.Faults(by, d); len(faults) > 0 {
		return storage.APIKey{}, "", &InvalidError{faults}
	}
	hash, created := d.Hash(), ""
	if hash == nil {
		if created, err = a.newSecret(d.Dialects); err != nil {
			return storage.APIKey{}, "", err
		}
		hash = secret.Sum(created)
	}
	now := a.now()
	k := storage.APIKey{ID: storage.APIKeyID(storage.TimeOrdered(now, a.random)), Hashes: [][]byte{hash}, Maker: by.ID(), CreatedAt: now, UpdatedAt: now}
	k = d.Into(k)
	err = a.store.CreateAPIKey(ctx, k, []storage.Event{a.event(v, mfa.EventAPIKeyCreated, k, "")})
	switch {
	case errors.Is(err, storage.ErrConflict):
		return storage.APIKey{}, "", ErrTaken
	case errors.Is(err, storage.ErrNotFound):
		return storage.APIKey{}, "", ErrCallerEnded
	}
	if err != nil {
		return storage.APIKey{}, "", fmt.Errorf("store API key: %w", err)
	}
	return k, created, nil
}

// Change replaces a key that was read before. ErrAPIKeyChanged: it is not that any more.
// What is said of a Caller's limits at Create holds here, and ErrForeignAPIKey for keys
// that are none of its own, ErrDisabledStays for disabled ones.
func (a *Keys) Change(ctx context.Context, v mfa.Caller, by Caller, was, k storage.APIKey) error {
	by, _, err := a.current(ctx, by)
	if err != nil {
		return err
	}
	if err := a.May(ctx, by, was.ID); err != nil {
		return err
	}
	if faults := a.Faults(by, draftOf(k)); len(faults) > 0 {
		return &InvalidError{faults}
	}
	what := "settings"
	if !reflect.DeepEqual(was.Hashes, k.Hashes) {
		what = "settings and secret"
	}
	return a.change(ctx, v, was, k, what)
}

func (a *Keys) change(ctx context.Context, v mfa.Caller, was, k storage.APIKey, what string) error {
	k.ID, k.UpdatedAt = was.ID, a.now()
	// Who read the key before must see that it changed, however coarse the clock is.
	if next := was.UpdatedAt.Add(time.Microsecond); k.UpdatedAt.Before(next) {
		k.UpdatedAt = next
	}
	err := a.store.ReplaceAPIKey(ctx, k, was.UpdatedAt, []storage.Event{a.event(v, mfa.EventAPIKeyChanged, k, what)})
	if errors.Is(err, storage.ErrConflict) {
		return ErrChanged
	}
	if err != nil {
		return fmt.Errorf("store API key: %w", err)
	}
	return nil
}

// AddSecret begins a rotation: from now on the secret it returns is good beside the old
// one. ErrRotating: finish or withdraw the last one first. ErrForeignAPIKey,
// ErrDisabledStays and ErrCallerEnded, here and below, refuse callers who hold an API key.
func (a *Keys) AddSecret(ctx context.Context, v mfa.Caller, by Caller, id storage.APIKeyID) (string, error) {
	k, err := a.of(ctx, by, id)
	if err != nil {
		return "", err
	}
	if len(k.Hashes) > 1 {
		return "", secret.ErrRotating
	}
	added, err := a.newSecret(k.Dialects)
	if err != nil {
		return "", err
	}
	next := k
	next.Hashes = append([][]byte{secret.Sum(added)}, k.Hashes...)
	return added, a.change(ctx, v, k, next, "secret added")
}

// FinishRotation ends a rotation: only the newest secret is good.
func (a *Keys) FinishRotation(ctx context.Context, v mfa.Caller, by Caller, id storage.APIKeyID) error {
	return a.rotated(ctx, v, by, id, "old secret removed", func(hashes [][]byte) [][]byte { return hashes[:1] })
}

// WithdrawSecret takes a rotation back: the newest secret, which went to nobody or to
// the wrong ones, is worthless.
func (a *Keys) WithdrawSecret(ctx context.Context, v mfa.Caller, by Caller, id storage.APIKeyID) error {
	return a.rotated(ctx, v, by, id, "new secret withdrawn", func(hashes [][]byte) [][]byte { return hashes[1:] })
}

func (a *Keys) rotated(ctx context.Context, v mfa.Caller, by Caller, id storage.APIKeyID, what string, keep func([][]byte) [][]byte) error {
	k, err := a.of(ctx, by, id)
	if err != nil {
		return err
	}
	if len(k.Hashes) < 2 {
		return secret.ErrNotRotating
	}
	next := k
	next.Hashes = keep(slices.Clone(k.Hashes))
	return a.change(ctx, v, k, next, what)
}

// Disable lets a key open nothing until it is enabled again.
func (a *Keys) Disable(ctx context.Context, v mfa.Caller, by Caller, id storage.APIKeyID) error {
	return a.able(ctx, v, by, id, true, "disabled")
}

// Enable takes Disable back.
func (a *Keys) Enable(ctx context.Context, v mfa.Caller, by Caller, id storage.APIKeyID) error {
	return a.able(ctx, v, by, id, false, "enabled")
}

func (a *Keys) able(ctx context.Context, v mfa.Caller, by Caller, id storage.APIKeyID, disabled bool, what string) error {
	k, err := a.of(ctx, by, id)
	if err != nil || k.Disabled == disabled {
		return err
	}
	next := k
	next.Disabled = disabled
	return a.change(ctx, v, k, next, what)
}

// Delete removes a key for good.
func (a *Keys) Delete(ctx context.Context, v mfa.Caller, by Caller, id storage.APIKeyID) error {
	k, err := a.of(ctx, by, id)
	if err != nil {
		return err
	}
	err = a.store.DeleteAPIKey(ctx, id, []storage.Event{a.event(v, mfa.EventAPIKeyDeleted, k, "")})
	if errors.Is(err, storage.ErrNotFound) {
		return ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("delete API key: %w", err)
	}
	return nil
}

func (a *Keys) event(v mfa.Caller, kind string, k storage.APIKey, what string) storage.Event {
	e := storage.Event{Kind: kind, Detail: map[string]string{"api_key": string(k.ID), "name": k.Name}}
	if what != "" {
		e.Detail["change"] = what
	}
	return a.journal.Event(v, e)
}
