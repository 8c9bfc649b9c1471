package throttle

import (
	"bytes"
	"context"
	"fmt"

	"sallyport/storage"
	"sallyport/storage/seal"
)

// Counters is the slice of storage that MoveCounters needs.
type Counters interface {
	ListUsers(ctx context.Context, f storage.UserFilter) ([]storage.User, error)
	MoveThrottles(ctx context.Context, buckets []string, moves []storage.SubjectMove) (int, error)
}

// MoveCounters brings the counters of all users under the newest hash key, limit
// users at a time, so that an older one may go without giving anybody new tries.
// Counters of devices and of unknown names stay behind: they start anew.
func MoveCounters(ctx context.Context, store Counters, keyring *seal.Keyring, limit int, told func(users, moved int)) error {
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
		told(users, moved)
		if len(page) < limit {
			return nil
		}
		after = page[len(page)-1].ID
	}
}
