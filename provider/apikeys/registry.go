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

// Errors of Keys. For errors.Is, every refusal of Authenticate is an ErrNotFound; the text is for
// the holder of the key.
var (
	ErrNotFound    error = &refusal{"unknown", "there is no such API key"}
	ErrEnvironment error = &refusal{"environment", "the API key is for the other environment: test keys open test servers, live keys live ones"}
	ErrDisabled    error = &refusal{"disabled", "the API key is disabled"}
	ErrExpired     error = &refusal{"expired", "the API key has expired"}
	ErrDialect     error = &refusal{"dialect", "the API key is for other APIs"}
	ErrProject     error = &refusal{"project", "the API key is for another project"}
	ErrMakerEnded  error = &refusal{"maker", "the API key has ended with the one that made it"}

	ErrTaken   = errors.New("another API key has this name or this secret")
	ErrChanged = errors.New("the API key was changed by somebody else meanwhile, or its new name or secret is taken")
)

// refusal is why a key is refused, with a reason for the audit trail.
type refusal struct{ reason, text string }

func (r *refusal) Error() string { return r.text }

// Is makes every refusal an ErrNotFound.
func (r *refusal) Is(target error) bool { return target == ErrNotFound }

// store is the storage that Keys needs.
type store interface {
	storage.APIKeys
	// Versions is that of storage.Clients.
	Versions(ctx context.Context) (map[string]int64, error)
}

// Keys creates, changes and authenticates API keys. To authenticate many requests, Run must be
// running.
type Keys struct {
	store       store
	journal     *audit.Journal
	now         func() time.Time
	random      io.Reader
	environment string
	log         *slog.Logger

	verified *cache.Cache[[sha256.Size]byte, []storage.APIKey]

	mu      sync.Mutex
	version int64     // of the keys at the last poll
	polled  time.Time // time of the last poll; zero: never
	used    map[storage.APIKeyID]lastUse
}

// New returns the Keys of a server in this environment: "test" or "live".
func New(store store, journal *audit.Journal, now func() time.Time, random io.Reader, environment string, log *slog.Logger) *Keys {
	return &Keys{store: store, journal: journal, now: now, random: random, environment: environment, log: log,
		verified: cache.New[[sha256.Size]byte, []storage.APIKey](cacheSize), used: map[storage.APIKeyID]lastUse{}}
}

// List returns all keys in the order of their names.
func (a *Keys) List(ctx context.Context) ([]storage.APIKey, error) {
	all, err := a.store.ListAPIKeys(ctx)
	if err != nil {
		return nil, fmt.Errorf("list API keys: %w", err)
	}
	return all, nil
}

// Get returns a key, or ErrNotFound.
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

// Find returns a key by its ID or name, or ErrNotFound.
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

// Create adds a key and returns it with its secret, which is not stored; "" if the draft contains
// one. It returns an *InvalidError for an invalid draft. A key that was created with another key
// has no right that one lacks and ends with it: ErrCallerEnded, ErrTooManyMakers.
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

// Change replaces a key that was read before, or returns ErrChanged. Callers have the limits of
// Create; for keys that they may not change they get ErrNotPermitted, and for disabled ones
// ErrOperatorOnly.
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
	// Every change must have another time, however coarse the clock is.
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

// AddSecret begins a rotation: the secret that it returns and the old one are valid. During a
// rotation it returns secret.ErrRotating. Here and below, callers with an API key may get
// ErrNotPermitted, ErrOperatorOnly and ErrCallerEnded.
func (a *Keys) AddSecret(ctx context.Context, v mfa.Caller, by Caller, id storage.APIKeyID) (string, error) {
	k, err := a.readFor(ctx, by, id)
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

// FinishRotation ends a rotation: only the newest secret is valid.
func (a *Keys) FinishRotation(ctx context.Context, v mfa.Caller, by Caller, id storage.APIKeyID) error {
	return a.rotated(ctx, v, by, id, "old secret removed", func(hashes [][]byte) [][]byte { return hashes[:1] })
}

// WithdrawSecret undoes a rotation: only the old secret is valid.
func (a *Keys) WithdrawSecret(ctx context.Context, v mfa.Caller, by Caller, id storage.APIKeyID) error {
	return a.rotated(ctx, v, by, id, "new secret withdrawn", func(hashes [][]byte) [][]byte { return hashes[1:] })
}

func (a *Keys) rotated(ctx context.Context, v mfa.Caller, by Caller, id storage.APIKeyID, what string, keep func([][]byte) [][]byte) error {
	k, err := a.readFor(ctx, by, id)
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

// Disable disables a key until it is enabled again.
func (a *Keys) Disable(ctx context.Context, v mfa.Caller, by Caller, id storage.APIKeyID) error {
	return a.setDisabled(ctx, v, by, id, true, "disabled")
}

// Enable enables a disabled key.
func (a *Keys) Enable(ctx context.Context, v mfa.Caller, by Caller, id storage.APIKeyID) error {
	return a.setDisabled(ctx, v, by, id, false, "enabled")
}

func (a *Keys) setDisabled(ctx context.Context, v mfa.Caller, by Caller, id storage.APIKeyID, disabled bool, what string) error {
	k, err := a.readFor(ctx, by, id)
	if err != nil || k.Disabled == disabled {
		return err
	}
	next := k
	next.Disabled = disabled
	return a.change(ctx, v, k, next, what)
}

// Delete deletes a key.
func (a *Keys) Delete(ctx context.Context, v mfa.Caller, by Caller, id storage.APIKeyID) error {
	k, err := a.readFor(ctx, by, id)
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
