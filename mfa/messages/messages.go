// Package messages lets administrators see the messages that the server sends, send them
// again and drop them. It shows no code: the names of a message's values, never a value.
package messages

import (
	"context"
	"errors"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/audit"
	"sallyport/mfa/notice"
	"sallyport/storage"
)

// Refusals. Their texts are for operators.
var (
	ErrNotFound   = errors.New("there is no such message, or it ended long ago")
	ErrDelivered  = errors.New("it was delivered; its content is erased, and a message is sent once")
	ErrDropped    = errors.New("it was dropped, and its content is erased")
	ErrSending    = errors.New("it is being sent; try again in a minute")
	ErrExpired    = errors.New("what it holds has expired; the user must ask for a new one")
	ErrUnreadable = errors.New("its content cannot be decrypted")
	ErrChanged    = errors.New("it changed in the meantime; look again")
)

// Store is the part of storage that a Registry uses.
type Store interface {
	ListMessages(ctx context.Context, f storage.MessageFilter) ([]storage.MessageRecord, error)
	ResendMessage(ctx context.Context, id storage.MessageID, now, expires time.Time, events []storage.Event) error
	DropMessage(ctx context.Context, id storage.MessageID, now time.Time, events []storage.Event) error
}

// Registry is the outbox as administrators see it.
type Registry struct {
	store   Store
	journal *audit.Journal
	now     func() time.Time
}

// New returns a Registry.
func New(store Store, journal *audit.Journal, now func() time.Time) *Registry {
	return &Registry{store: store, journal: journal, now: now}
}

// List returns messages, newest first. A recipient may be spelt as at a login.
func (r *Registry) List(ctx context.Context, f storage.MessageFilter) ([]storage.MessageRecord, error) {
	f.Now = r.now()
	if i, err := mfa.Identify(f.Recipient); err == nil && i.Kind != storage.Username { // that may be a client_id
		f.Recipient = i.Text()
	}
	list, err := r.store.ListMessages(ctx, f)
	return list, mfa.Wrap("list messages", err)
}

// Get returns a message, and ErrNotFound if there is none.
func (r *Registry) Get(ctx context.Context, id storage.MessageID) (storage.MessageRecord, error) {
	if id == "" {
		return storage.MessageRecord{}, ErrNotFound
	}
	list, err := r.List(ctx, storage.MessageFilter{ID: id, Limit: 1})
	if err == nil && len(list) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return storage.MessageRecord{}, err
	}
	return list[0], nil
}

// Resend makes a message due now, under its ID and with its attempts counted on.
func (r *Registry) Resend(ctx context.Context, v mfa.Caller, id storage.MessageID) error {
	m, err := r.changeable(ctx, id)
	if err != nil {
		return err
	}
	now := r.now()
	until := notice.Until(now, m.Message)
	switch {
	case m.Broken:
		return ErrUnreadable
	case !until.IsZero() && !now.Before(until):
		return ErrExpired
	}
	return changed("resend message", r.store.ResendMessage(ctx, id, now, until, r.event(v, mfa.EventMessageResent, m)))
}

// Drop gives a message up and erases its content.
func (r *Registry) Drop(ctx context.Context, v mfa.Caller, id storage.MessageID) error {
	m, err := r.changeable(ctx, id)
	if err != nil {
		return err
	}
	return changed("drop message", r.store.DropMessage(ctx, id, r.now(), r.event(v, mfa.EventMessageDropped, m)))
}

// changeable returns a message, and a refusal if it can be neither resent nor dropped.
func (r *Registry) changeable(ctx context.Context, id storage.MessageID) (storage.MessageRecord, error) {
	m, err := r.Get(ctx, id)
	switch {
	case err != nil:
	case m.State == storage.MessageDelivered:
		err = ErrDelivered
	case m.Erased:
		err = ErrDropped
	case m.Leased:
		err = ErrSending
	}
	return m, err
}

func changed(operation string, err error) error {
	if errors.Is(err, storage.ErrConflict) {
		return ErrChanged
	}
	return mfa.Wrap(operation, err)
}

// event names the message and what it is about, not its recipient: an audit trail holds no
// names.
func (r *Registry) event(v mfa.Caller, kind string, m storage.MessageRecord) []storage.Event {
	return []storage.Event{r.journal.Event(v, storage.Event{Kind: kind,
		Detail: map[string]string{"message": string(m.ID), "kind": m.Kind, "template": m.Template}})}
}
