package relational

import (
	"slices"
	"strings"

	"sallyport/storage"
)

// The column failing of authenticators lists the buckets in which their user failed since a
// success there, each with a comma. It spares a login without failures the counters: where the
// column does not have a bucket, no counter of the user there refuses. Whoever counts a failure
// writes the column, and a spend without a count names the bucket in its condition, so the row
// of the authenticator orders the two.

func bucketEntry(bucket string) string { return bucket + "," }

func bucketsOf(list text) []string {
	if list == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(list), ","), ",")
}

// mark adds the buckets of an attempt to all authenticators of its user: any of them may be
// spent next. It changes, and locks, only those without the bucket.
func (q querier) mark(a storage.Attempt) error {
	if a.User == "" {
		return nil
	}
	for _, t := range inOrder(a.Throttles) {
		entry := bucketEntry(t.Key.Bucket)
		err := q.send("UPDATE authenticators SET failing = failing || ? WHERE user_id = ? AND replace(failing, ?, '') = failing",
			entry, ref(a.User), entry)
		if err != nil {
			return err
		}
	}
	return nil
}

// unmark removes the buckets of counters that are reset.
func (q querier) unmark(user storage.UserID, reset []storage.ThrottleKey) error {
	var buckets []string
	for _, k := range reset {
		if k.Bucket != addressBucket {
			buckets = append(buckets, k.Bucket)
		}
	}
	slices.Sort(buckets)
	for _, bucket := range slices.Compact(buckets) {
		entry := bucketEntry(bucket)
		err := q.send("UPDATE authenticators SET failing = replace(failing, ?, '') WHERE user_id = ? AND replace(failing, ?, '') <> failing",
			entry, ref(user), entry)
		if err != nil {
			return err
		}
	}
	return nil
}
