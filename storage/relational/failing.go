package relational

import (
	"context"
	"slices"
	"strings"

	"sallyport/storage"
)

// The column failing of authenticators lists the buckets in which their user failed since a
// success there, each with a comma. Where a bucket is not in it, the user's own counter does not
// refuse; the counters of a name and of a browser may, and the spend checks them. A count locks the
// rows of the user's authenticators and writes the list. A spend without a count locks one of them
// and compares the list, so one of the two comes first.

func bucketEntry(bucket string) string { return bucket + "," }

func bucketsOf(list text) []string {
	if list == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(list), ","), ",")
}

// mark adds the buckets of an attempt to all authenticators of its user: any of them may be
// spent next. For the name of no user it does nothing, with as many statements as for a user's.
func (q querier) mark(a storage.Attempt) error {
	if a.User == "" && a.Name == nil {
		return nil
	}
	keys := make([]storage.ThrottleKey, len(a.Throttles))
	for i, t := range a.Throttles {
		keys[i] = t.Key
	}
	if err := q.lockAuthenticators(a.User, keys); err != nil {
		return err
	}
	for _, bucket := range bucketsIn(keys) {
		if err := q.markBucket(a.User, bucket); err != nil {
			return err
		}
	}
	return nil
}

func (q querier) markBucket(user storage.UserID, bucket string) error {
	entry := bucketEntry(bucket)
	return q.send("UPDATE authenticators SET failing = failing || ? WHERE user_id = ? AND replace(failing, ?, '') = failing", entry, ref(user), entry)
}

// MarkFailing implements storage.Throttles.
func (e *Engine) MarkFailing(ctx context.Context, user storage.UserID, bucket string) error {
	return e.burst(ctx, "mark failing", func(q querier) error {
		if err := q.lockAuthenticators(user, []storage.ThrottleKey{{Bucket: bucket}}); err != nil {
			return err
		}
		return q.markBucket(user, bucket)
	})
}

// unmark removes the buckets of counters that are reset.
func (q querier) unmark(user storage.UserID, reset []storage.ThrottleKey) error {
	for _, bucket := range bucketsIn(reset) {
		entry := bucketEntry(bucket)
		err := q.send("UPDATE authenticators SET failing = replace(failing, ?, '') WHERE user_id = ? AND replace(failing, ?, '') <> failing",
			entry, ref(user), entry)
		if err != nil {
			return err
		}
	}
	return nil
}

// bucketsIn returns the buckets of keys that are noted with users.
func bucketsIn(keys []storage.ThrottleKey) []string {
	var buckets []string
	for _, k := range keys {
		if k.Bucket != addressBucket {
			buckets = append(buckets, k.Bucket)
		}
	}
	slices.Sort(buckets)
	return slices.Compact(buckets)
}

// lockAuthenticators locks all authenticators of a user, in one order, before counters are changed:
// a count must not overtake the reset of another transaction, nor the reverse. SQLite has one writer.
func (q querier) lockAuthenticators(user storage.UserID, keys []storage.ThrottleKey) error {
	if q.e.dialect != postgresDialect || len(bucketsIn(keys)) == 0 {
		return nil
	}
	return q.send("SELECT 1 FROM authenticators WHERE user_id = ? ORDER BY id FOR NO KEY UPDATE", ref(user))
}
