package throttle

import (
	"bytes"
	"context"
	"fmt"

	"sallyport/storage"
	"sallyport/storage/seal"
)

// Counters is the part of storage that MoveCounters uses.
type Counters interface {
	ListUsers(ctx context.Context, f storage.UserFilter) ([]storage.User, error)
	MoveThrottles(ctx context.Context, buckets []string, moves []storage.SubjectMove) (int, error)
}

// MoveCounters moves the counters of all users to the newest hash key, limit users at a time,
// so that an older key can be removed without resetting them. It calls progress after each
// step. Counters of devices and unknown names are not moved and start over.
func MoveCounters(ctx context.Context, store Counters, keyring *seal.Keyring, limit int, progress func(users, moved int)) error {
	buckets := []string{Password, Factor, Passwordless}
	users, moved := 0, 0
	for after := storage.UserID(""); ; {
		page, err := store.ListUsers(ctx, storage.UserFilter{After: after, Limit: limit})
		if err != nil {
			return fmt.Errorf("list users: %w", err)
		}
		var moves []storage.SubjectMove
		for _, u := range page {
			to := keyring.Hash("user", string(u.ID))
			for _, from := range keyring.Hashes("user", string(u.ID)) {
				if !bytes.Equal(from, to) {
					moves = append(moves, storage.SubjectMove{From: from, To: to})
				}
			}
		}
		n, err := store.MoveThrottles(ctx, buckets, moves)
		if err != nil {
			return fmt.Errorf("move counters: %w", err)
		}
		users, moved = users+len(page), moved+n
		progress(users, moved)
		if len(page) < limit {
			return nil
		}
		after = page[len(page)-1].ID
	}
}
