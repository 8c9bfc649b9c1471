package relational

import (
	"context"
	"errors"
	"fmt"

	"sallyport/input"
	"sallyport/storage"
)

// CompareNames gives every name the value by which this version compares it. The version
// before this one compared by lower case, and goes on doing so until its last server ends: a
// later call finds what it has added. It returns the users with a name that is another user's
// in this version. Such a name stays as it is, and no login finds it.
func (e *Engine) CompareNames(ctx context.Context) ([]storage.UserID, error) {
	type row struct{ id, user, value text }
	var rows []row
	err := e.read(ctx, "read names", func(q querier) error {
		rows = nil
		// Names in ASCII compare as before.
		const query = `SELECT CAST(id AS text), CAST(user_id AS text), value FROM identifiers
			WHERE shown = '' AND octet_length(value) <> length(value) ORDER BY created_at, id`
		return q.each(query, nil, func(s scanner) error {
			var r row
			err := s.Scan(&r.id, &r.user, &r.value)
			if err == nil && input.SameName(string(r.value)) != string(r.value) {
				rows = append(rows, r)
			}
			return err
		})
	})
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
