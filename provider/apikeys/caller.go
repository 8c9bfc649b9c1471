package apikeys

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sallyport/mfa/users"
	"sallyport/storage"
)

// Errors for callers with an API key.
var (
	ErrNotPermitted  = errors.New("an API key changes itself and the keys that it made, and no others")
	ErrOperatorOnly  = errors.New("an API key that is disabled is for the operator to enable, change or delete")
	ErrCallerEnded   = errors.New("the API key that asks has ended meanwhile, or may not write any more")
	ErrTooManyMakers = fmt.Errorf("an API key descends from %d others at most", storage.MaxMakers)
)

// Caller creates and changes API keys. The zero Caller may do nothing.
type Caller struct {
	operator bool
	key      storage.APIKey
}

// Operator returns a Caller without limits, who has the key of the configuration.
func Operator() Caller { return Caller{operator: true} }

// Holder returns a Caller with the limits of an API key that Authenticate returned.
func Holder(k storage.APIKey) Caller { return Caller{key: k} }

// ID returns the ID of the caller's API key; "" for the operator.
func (c Caller) ID() storage.APIKeyID { return c.key.ID }

// beyond returns the rights in a draft that its caller lacks.
func (c Caller) beyond(d Draft) []users.Fault {
	if c.operator {
		return nil
	}
	var out []users.Fault
	fault := func(when bool, field, text string) {
		if when {
			out = append(out, users.Fault{Field: field, Err: errors.New(text)})
		}
	}
	fault(len(common(d.Dialects, c.key.Dialects)) < len(d.Dialects), "dialects", "must be among those of the API key that asks")
	fault(len(common(d.Verbs, c.key.Verbs)) < len(d.Verbs), "verbs", "must be among those of the API key that asks")
	fault(d.Project != "" && d.Project != c.key.Project, "project", "must be that of the API key that asks")
	fault(slices.Contains(d.Dialects, DialectStreambird) && c.key.App != "" && d.App != c.key.App, "app", "must be that of the API key that asks")
	end := c.key.ExpiresAt
	fault(!end.IsZero() && (d.ExpiresAt.IsZero() || d.ExpiresAt.After(end)), "expires_at",
		"must be "+end.UTC().Format(time.RFC3339)+" or earlier: the API key that asks ends then")
	return out
}

// common returns the entries that are in both lists.
func common(list, of []string) []string {
	out := []string{}
	for _, s := range list {
		if slices.Contains(of, s) {
			out = append(out, s)
		}
	}
	return out
}

// current returns the caller with the stored state of its key, as the key may have been
// authenticated from memory, and the chain of keys from that key to the first.
func (a *Keys) current(ctx context.Context, by Caller) (Caller, []storage.APIKey, error) {
	if by.operator {
		return by, nil, nil
	}
	line, err := a.store.APIKeyLine(ctx, by.key.ID)
	if errors.Is(err, storage.ErrNotFound) {
		return by, nil, ErrCallerEnded
	}
	if err != nil {
		return by, nil, fmt.Errorf("read API key: %w", err)
	}
	k, err := a.effective(line)
	if err != nil || !k.Allows(DialectAdmin, VerbWrite) {
		return by, nil, ErrCallerEnded
	}
	return Holder(k), line, nil
}

// May returns nil if a caller may change a key: the operator may change any, an API key may change
// itself and its descendants unless they are disabled. Otherwise it returns ErrNotPermitted,
// ErrOperatorOnly or ErrNotFound.
func (a *Keys) May(ctx context.Context, by Caller, id storage.APIKeyID) error {
	if by.operator {
		return nil
	}
	_, err := a.permitted(ctx, by, id)
	return err
}

// permitted reads a key that the caller may change. If the key is disabled in the meantime, the
// caller's change fails with a conflict.
func (a *Keys) permitted(ctx context.Context, by Caller, id storage.APIKeyID) (storage.APIKey, error) {
	if by.operator {
		return a.Get(ctx, id)
	}
	line, err := a.store.APIKeyLine(ctx, id)
	if errors.Is(err, storage.ErrNotFound) {
		return storage.APIKey{}, ErrNotFound
	}
	if err != nil {
		return storage.APIKey{}, fmt.Errorf("read API key: %w", err)
	}
	if !slices.ContainsFunc(line, func(k storage.APIKey) bool { return k.ID == by.key.ID }) {
		return storage.APIKey{}, ErrNotPermitted
	}
	if line[0].Disabled { // the operator may have had a reason
		return storage.APIKey{}, ErrOperatorOnly
	}
	return line[0], nil
}

// readFor reads a key for a change that does not extend the rights of the key.
func (a *Keys) readFor(ctx context.Context, by Caller, id storage.APIKeyID) (storage.APIKey, error) {
	if _, _, err := a.current(ctx, by); err != nil {
		return storage.APIKey{}, err
	}
	return a.permitted(ctx, by, id)
}

// effective returns the first key of a chain with the limits of all keys it descends from, or an
// error once one of them is deleted, disabled or expired.
func (a *Keys) effective(line []storage.APIKey) (storage.APIKey, error) {
	k := line[0]
	switch {
	case k.Disabled:
		return k, ErrDisabled
	case a.expired(k):
		return k, ErrExpired
	case a.orphaned(line):
		return k, ErrMakerEnded
	}
	for _, m := range line[1:] {
		k.Dialects, k.Verbs = common(k.Dialects, dialectsFor(k, m)), common(k.Verbs, m.Verbs)
		if k.ExpiresAt.IsZero() || !m.ExpiresAt.IsZero() && m.ExpiresAt.Before(k.ExpiresAt) {
			k.ExpiresAt = m.ExpiresAt
		}
	}
	return k, nil
}

// dialectsFor returns the dialects of a maker that its descendant may have: those with a project
// or app require the same one in both.
func dialectsFor(k, maker storage.APIKey) []string {
	out := []string{}
	for _, d := range maker.Dialects {
		if d == DialectStytch && k.Project != maker.Project || d == DialectStreambird && maker.App != "" && k.App != maker.App {
			continue
		}
		out = append(out, d)
	}
	return out
}

func (a *Keys) expired(k storage.APIKey) bool {
	return !k.ExpiresAt.IsZero() && !a.now().Before(k.ExpiresAt)
}

func (a *Keys) orphaned(line []storage.APIKey) bool {
	return line[len(line)-1].Maker != "" || slices.ContainsFunc(line[1:], func(m storage.APIKey) bool { return m.Disabled || a.expired(m) })
}

// Orphaned reports whether a key is refused because a key it descends from is.
func (a *Keys) Orphaned(ctx context.Context, k storage.APIKey) (bool, error) {
	if k.Maker == "" {
		return false, nil
	}
	line, err := a.store.APIKeyLine(ctx, k.ID)
	if errors.Is(err, storage.ErrNotFound) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("read API key: %w", err)
	}
	return a.orphaned(line), nil
}
