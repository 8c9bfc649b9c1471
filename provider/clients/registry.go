package clients

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/audit"
	"sallyport/provider/secret"
	"sallyport/storage"
)

// Refusals of a Registry.
var (
	ErrNotFound = errors.New("there is no such client")
	ErrChanged  = errors.New("the client was changed by somebody else meanwhile")
	ErrReserved = errors.New("the client_id belongs to the server itself")
	ErrNoSecret = errors.New("the client is public or authenticates with a key or certificate: it has no secret")
)

// Registry changes clients. Servers notice a change within a second.
type Registry struct {
	store    storage.Clients
	journal  *audit.Journal
	now      func() time.Time
	random   io.Reader
	reserved []storage.ClientID
}

// NewRegistry returns a Registry. The names of the built-in clients are reserved.
func NewRegistry(store storage.Clients, journal *audit.Journal, now func() time.Time, random io.Reader, builtIn ...storage.Client) *Registry {
	r := &Registry{store: store, journal: journal, now: now, random: random}
	for _, c := range builtIn {
		r.reserved = append(r.reserved, c.ID)
	}
	return r
}

// Reserved reports whether a client_id belongs to a built-in client.
func (r *Registry) Reserved(id storage.ClientID) bool { return slices.Contains(r.reserved, id) }

// Client returns a client, or ErrNotFound.
func (r *Registry) Client(ctx context.Context, id storage.ClientID) (storage.Client, error) {
	c, err := r.store.Client(ctx, id)
	if errors.Is(err, storage.ErrNotFound) {
		return c, ErrNotFound
	}
	if err != nil {
		return c, fmt.Errorf("read client: %w", err)
	}
	return c, nil
}

// List returns all clients in the order of their IDs.
func (r *Registry) List(ctx context.Context) ([]storage.Client, error) {
	out, err := r.store.ListClients(ctx)
	if err != nil {
		return nil, fmt.Errorf("list clients: %w", err)
	}
	return out, nil
}

// Create adds a client. It returns an *InvalidError for one that breaks the rules, and
// ErrChanged if the name is taken by now.
func (r *Registry) Create(ctx context.Context, v mfa.Caller, c storage.Client) error {
	if r.Reserved(c.ID) {
		return ErrReserved
	}
	if faults := Faults(c); len(faults) > 0 {
		return &InvalidError{faults}
	}
	now := r.now()
	c.CreatedAt, c.UpdatedAt = now, now
	return r.replace(ctx, c, time.Time{}, r.event(v, mfa.EventClientCreated, c.ID, ""))
}

// Change replaces a client that was read before. It returns an *InvalidError for one that
// breaks the rules.
func (r *Registry) Change(ctx context.Context, v mfa.Caller, was, c storage.Client) error {
	c.ID = was.ID
	if faults := Faults(c); len(faults) > 0 {
		return &InvalidError{faults}
	}
	return r.change(ctx, v, was, c, "settings")
}

func (r *Registry) change(ctx context.Context, v mfa.Caller, was, c storage.Client, what string) error {
	c.ID, c.CreatedAt, c.UpdatedAt = was.ID, was.CreatedAt, r.now()
	return r.replace(ctx, c, was.UpdatedAt, r.event(v, mfa.EventClientChanged, c.ID, what))
}

func (r *Registry) replace(ctx context.Context, c storage.Client, was time.Time, e storage.Event) error {
	err := r.store.ReplaceClient(ctx, c, was, []storage.Event{e})
	if errors.Is(err, storage.ErrConflict) {
		return ErrChanged
	}
	if err != nil {
		return fmt.Errorf("store client: %w", err)
	}
	return nil
}

// Delete removes a client with its grants, codes and consents.
func (r *Registry) Delete(ctx context.Context, v mfa.Caller, id storage.ClientID) error {
	err := r.store.DeleteClient(ctx, id, []storage.Event{r.event(v, mfa.EventClientDeleted, id, "")})
	if errors.Is(err, storage.ErrNotFound) {
		return ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("delete client: %w", err)
	}
	return nil
}

// NewSecret returns a new client secret.
func (r *Registry) NewSecret() (string, error) { return secret.ForClient(r.random) }

// AddSecret begins a rotation: the new secret and the old one are valid. It returns an *InvalidError for
// a secret that the client cannot sign with.
func (r *Registry) AddSecret(ctx context.Context, v mfa.Caller, id storage.ClientID, added string) error {
	c, err := r.Client(ctx, id)
	if err != nil {
		return err
	}
	switch {
	case New(c).HasNoSecret():
		return ErrNoSecret
	case len(c.SecretHashes) > 1:
		return secret.ErrRotating
	}
	next := c
	AddSecret(&next, added)
	if faults := secretFaults(next); len(faults) > 0 {
		return &InvalidError{faults}
	}
	return r.change(ctx, v, c, next, "secret added")
}

// FinishRotation ends a rotation: only the newest secret is valid.
func (r *Registry) FinishRotation(ctx context.Context, v mfa.Caller, id storage.ClientID) error {
	c, err := r.Client(ctx, id)
	if err != nil {
		return err
	}
	switch {
	case New(c).HasNoSecret():
		return ErrNoSecret
	case len(c.SecretHashes) < 2:
		return secret.ErrNotRotating
	}
	next := c
	next.SecretHashes = c.SecretHashes[:1]
	next.Secrets = New(next).SigningSecrets()
	return r.change(ctx, v, c, next, "old secret removed")
}

func (r *Registry) event(v mfa.Caller, kind string, id storage.ClientID, what string) storage.Event {
	e := storage.Event{Kind: kind, ClientID: id}
	if what != "" {
		e.Detail = map[string]string{"change": what}
	}
	return r.journal.Event(v, e)
}
