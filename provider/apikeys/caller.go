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

// Refusals of callers who hold an API key.
var (
	ErrNotPermitted  = errors.New("an API key changes itself and the keys that it made, and no others")
	ErrOperatorOnly  = errors.New("an API key that is disabled is for the operator to enable, change or delete")
	ErrCallerEnded   = errors.New("the API key that asks has ended meanwhile, or may not write any more")
	ErrTooManyMakers = fmt.Errorf("an API key descends from %d others at most", storage.MaxMakers)
)

// Caller is on whose word API keys are made and changed. The zero Caller may do nothing.
type Caller struct {
	operator bool
	key      storage.APIKey
}

// Operator has no limits: the key of the server's file opens everything.
func Operator() Caller { return Caller{operator: true} }

// Holder is limited to what an API key opens, which is one that Authenticate returned.
func Holder(k storage.APIKey) Caller { return Caller{key: k} }

// ID is that of the caller's API key; "" of the operator.
func (c Caller) ID() storage.APIKeyID { return c.key.ID }

// beyond returns what a key with these settings would open that its caller does not.
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

// common returns what is in both lists.
func common(list, of []string) []string {
	out := []string{}
	for _, s := range list {
		if slices.Contains(of, s) {
			out = append(out, s)
		}
	}
	return out
}

// current returns a caller with what its key opens now: the one that was recognised may
// have been in memory. The new key's line is as long as this one's and itself.
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
	k, err := a.standing(line)
	if err != nil || !k.Allows(DialectAdmin, VerbWrite) {
		return by, nil, ErrCallerEnded
	}
	return Holder(k), line, nil
}

// May returns nil where a caller may change a key: the operator any, an API key itself
// and those that descend from it, as long as nobody disabled them. ErrForeignAPIKey,
// ErrDisabledStays: it may not. ErrNoAPIKey.
func (a *Keys) May(ctx context.Context, by Caller, id storage.APIKeyID) error {
	if by.operator {
		return nil
	}
	_, err := a.owned(ctx, by, id)
	return err
}

// owned reads a key that its caller may change. What it may change is what was read: who
// disables the key meanwhile changes what it is replaced by, and that fails.
func (a *Keys) owned(ctx context.Context, by Caller, id storage.APIKeyID) (storage.APIKey, error) {
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
	if line[0].Disabled { // who disabled it may have had a reason that its maker does not share
		return storage.APIKey{}, ErrOperatorOnly
	}
	return line[0], nil
}

// of reads a key for a change of it that makes it open nothing more than it does.
func (a *Keys) of(ctx context.Context, by Caller, id storage.APIKeyID) (storage.APIKey, error) {
	if _, _, err := a.current(ctx, by); err != nil {
		return storage.APIKey{}, err
	}
	return a.owned(ctx, by, id)
}

// standing returns what the first key of a line opens: no more than any of those it
// descends from, and nothing once one of them is gone, disabled or over.
func (a *Keys) standing(line []storage.APIKey) (storage.APIKey, error) {
	k := line[0]
	switch {
	case k.Disabled:
		return k, ErrDisabled
	case a.over(k):
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

// dialectsFor are the dialects of a maker that a key of its line may speak: in those that
// name a project or an app, both must name the same.
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

func (a *Keys) over(k storage.APIKey) bool {
	return !k.ExpiresAt.IsZero() && !a.now().Before(k.ExpiresAt)
}

func (a *Keys) orphaned(line []storage.APIKey) bool {
	return line[len(line)-1].Maker != "" || slices.ContainsFunc(line[1:], func(m storage.APIKey) bool { return m.Disabled || a.over(m) })
}

// Orphaned reports whether a key opens nothing because one it descends from does not.
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
