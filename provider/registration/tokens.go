package registration

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"sallyport/input"
	"sallyport/mfa"
	"sallyport/mfa/audit"
	"sallyport/provider/secret"
	"sallyport/storage"
)

// Refusals of Tokens.
var (
	ErrNoToken = errors.New("there is no such registration token")
	ErrName    = errors.New("name must have 1 to 64 bytes that can be shown")
	ErrUses    = errors.New("uses must be from 1 to 1000000")
	ErrLife    = errors.New("the token must expire within a year, and not before now")
)

const (
	// prefix begins initial access tokens, so that scanners for leaked secrets recognise them.
	prefix      = "sallyport_registration_"
	maxName     = 64
	maxUses     = 1_000_000
	longestLife = 366 * 24 * time.Hour
)

// Tokens creates and revokes initial access tokens.
type Tokens struct {
	store   storage.Registrations
	journal *audit.Journal
	now     func() time.Time
	random  io.Reader
}

// NewTokens returns Tokens.
func NewTokens(store storage.Registrations, journal *audit.Journal, now func() time.Time, random io.Reader) *Tokens {
	return &Tokens{store: store, journal: journal, now: now, random: random}
}

// Create adds a token, and returns it with its secret, which is not stored.
func (t *Tokens) Create(ctx context.Context, v mfa.Caller, name string, uses int64, expires time.Time) (storage.RegistrationToken, string, error) {
	now := t.now().UTC()
	switch {
	case name == "" || len(name) > maxName || !input.Shown(name):
		return storage.RegistrationToken{}, "", ErrName
	case uses < 1 || uses > maxUses:
		return storage.RegistrationToken{}, "", ErrUses
	case !expires.After(now) || expires.Sub(now) > longestLife:
		return storage.RegistrationToken{}, "", ErrLife
	}
	random, err := secret.New(t.random)
	if err != nil {
		return storage.RegistrationToken{}, "", err
	}
	whole := prefix + random
	made := storage.RegistrationToken{ID: storage.RegistrationTokenID(storage.TimeOrdered(now, t.random)), Hash: secret.Sum(whole), Name: name,
		MaxUses: uses, CreatedAt: now, ExpiresAt: expires.UTC()}
	if err := t.store.CreateRegistrationToken(ctx, made, []storage.Event{t.event(v, mfa.EventRegistrationTokenCreated, made.ID)}); err != nil {
		return made, "", fmt.Errorf("create registration token: %w", err)
	}
	return made, whole, nil
}

// List returns all tokens, newest first.
func (t *Tokens) List(ctx context.Context) ([]storage.RegistrationToken, error) {
	out, err := t.store.ListRegistrationTokens(ctx)
	if err != nil {
		return nil, fmt.Errorf("list registration tokens: %w", err)
	}
	return out, nil
}

// Revoke removes a token, or returns ErrNoToken. Clients that registered with it stay.
func (t *Tokens) Revoke(ctx context.Context, v mfa.Caller, id storage.RegistrationTokenID) error {
	err := t.store.DeleteRegistrationToken(ctx, id, []storage.Event{t.event(v, mfa.EventRegistrationTokenRevoked, id)})
	if errors.Is(err, storage.ErrNotFound) {
		return ErrNoToken
	}
	if err != nil {
		return fmt.Errorf("revoke registration token: %w", err)
	}
	return nil
}

func (t *Tokens) event(v mfa.Caller, kind string, id storage.RegistrationTokenID) storage.Event {
	return t.journal.Event(v, storage.Event{Kind: kind, Detail: map[string]string{"token": string(id)}})
}
