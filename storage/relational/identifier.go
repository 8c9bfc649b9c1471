package relational

import (
	"context"
	"slices"
	"strings"
	"time"

	"sallyport/storage"
)

const (
	// unexpired is true of identifiers that a lookup finds.
	unexpired = "((expires_at = 0 OR expires_at > ?) AND kind <> 'retired')"
	// retiring keeps user names for the user who gives them up. They expire as unverified names do.
	retiring = "UPDATE identifiers SET kind = 'retired', verified_at = 0, expires_at = ?, updated_at = ?"
	// verifying verifies identifiers, unless they are, with verifyingArgs.
	verifying = `UPDATE identifiers SET updated_at = CASE WHEN verified_at = 0 THEN ? ELSE updated_at END,
		verified_at = CASE WHEN verified_at = 0 THEN ? ELSE verified_at END, expires_at = 0`
)

func verifyingArgs(now time.Time, where ...any) []any {
	return append([]any{micro(now), micro(now)}, where...)
}

// putIdentifiers adds names. Each replaces an expired one of the same value, whoever has it.
func (q querier) putIdentifiers(names []storage.Identifier) error {
	// In order, so that concurrent calls with the same values do not deadlock.
	names = slices.SortedFunc(slices.Values(names), func(a, b storage.Identifier) int { return strings.Compare(a.Value, b.Value) })
	for _, i := range names {
		err := q.spend(`INSERT INTO identifiers AS i (id, user_id, kind, value, shown, verified_at, expires_at, created_at, updated_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (value) DO UPDATE SET id = excluded.id, user_id = excluded.user_id, kind = excluded.kind, shown = excluded.shown,
				verified_at = excluded.verified_at, expires_at = excluded.expires_at, created_at = excluded.created_at, updated_at = excluded.updated_at
			WHERE i.verified_at = 0 AND i.expires_at > 0 AND i.expires_at <= excluded.updated_at`,
			ref(i.ID), ref(i.UserID), string(i.Kind), i.Value, i.Shown, micro(i.VerifiedAt), micro(i.ExpiresAt), micro(i.CreatedAt), micro(i.UpdatedAt))
		if err != nil {
			return err
		}
	}
	return nil
}

// changeNames drops names before it adds others, so that a value can move between users.
func (q querier) changeNames(c storage.UserChange, n storage.NamesChange) error {
	for _, s := range []struct {
		ids  []storage.IdentifierID
		text string
		args []any
	}{
		{n.Drop, "DELETE FROM identifiers", nil},
		{n.Verify, verifying, verifyingArgs(c.Now)},
		{n.Keep, "UPDATE identifiers SET expires_at = 0", nil},
		{n.Retire, retiring, []any{micro(n.Until), micro(c.Now)}},
	} {
		if len(s.ids) == 0 {
			continue
		}
		if err := q.send(s.text+" WHERE user_id = ? AND id IN ?", append(s.args, ref(c.ID), refs(s.ids))...); err != nil {
			return err
		}
	}
	if err := q.giveWay(n.Over); err != nil {
		return err
	}
	return q.putIdentifiers(n.Add)
}

// giveWay drops names that nobody has proven.
func (q querier) giveWay(names []storage.IdentifierID) error {
	if len(names) == 0 {
		return nil
	}
	return q.send("DELETE FROM identifiers WHERE id IN ? AND verified_at = 0", refs(names))
}

// AddIdentifier implements storage.Users.
func (e *Engine) AddIdentifier(ctx context.Context, i storage.Identifier, events []storage.Event) error {
	return e.step(ctx, "add identifier", func(q querier) error {
		if err := q.putIdentifiers([]storage.Identifier{i}); err != nil {
			return err
		}
		return q.putEvents(events)
	})
}

// VerifyIdentifier implements storage.Users.
func (e *Engine) VerifyIdentifier(ctx context.Context, id storage.IdentifierID, now time.Time, events []storage.Event) error {
	return e.step(ctx, "verify identifier", func(q querier) error {
		err := q.change(verifying+" WHERE id = ? AND "+unexpired, verifyingArgs(now, ref(id), micro(now))...)
		if err != nil {
			return err
		}
		return q.putEvents(events)
	})
}
