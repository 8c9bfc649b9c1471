package relational

import (
	"context"
	"errors"
	"fmt"

	"sallyport/input"
	"sallyport/storage"
)

// oldName is a name with the value by which the version before this one compared it.
type oldName struct{ id, user, value text }

// oldNames returns the names that this version compares by another value. No login finds them.
func (e *Engine) oldNames(ctx context.Context) ([]oldName, error) {
	var rows []oldName
	err := e.read(ctx, "read names", func(q querier) error {
		rows = nil
		// Names in ASCII compare as before.
		const query = `SELECT CAST(id AS text), CAST(user_id AS text), value FROM identifiers
			WHERE shown = '' AND octet_length(value) <> length(value) ORDER BY created_at, id`
		return q.each(query, nil, func(s scanner) error {
			var r oldName
			err := s.Scan(&r.id, &r.user, &r.value)
			if err == nil && input.SameName(string(r.value)) != string(r.value) {
				rows = append(rows, r)
			}
			return err
		})
	})
	return rows, err
}

// OldNames returns how many names CompareNames would change, if no other user has them.
func (e *Engine) OldNames(ctx context.Context) (int, error) {
	rows, err := e.oldNames(ctx)
	return len(rows), err
}

// CompareNames gives every name the value by which this version compares it. No server of the
// version before may serve any more: it would take the value for the address of a mailbox. It
// returns the users with a name that is another user's in this version. Such a name stays as it
// is.
func (e *Engine) CompareNames(ctx context.Context) ([]storage.UserID, error) {
	rows, err := e.oldNames(ctx)
	var taken []storage.UserID
	for _, r := range rows {
		if err != nil {
			break
		}
		value := input.SameName(string(r.value))
		err = e.step(ctx, "compare name", func(q querier) error {
			return q.spend("UPDATE identifiers SET shown = value, value = ? WHERE id = ? AND value = ? AND NOT EXISTS (SELECT 1 FROM identifiers o WHERE o.value = ?)",
				value, ref(storage.IdentifierID(r.id)), string(r.value), value)
		})
		if errors.Is(err, storage.ErrConflict) {
			taken, err = append(taken, storage.UserID(r.user)), nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("compare names: %w", err)
	}
	return taken, nil
}
