package relational

import (
	"context"
	"encoding/hex"
	"strings"
	"time"

	"sallyport/storage"
)

// checkWaits refuses during a wait of the address or the name. It takes no locks: users
// behind one address sign in concurrently.
func (q querier) checkWaits(a storage.Attempt, miss func()) error {
	var conditions []string
	var args []any
	if a.Address != nil {
		conditions = append(conditions, "NOT EXISTS (SELECT 1 FROM address_throttles WHERE address = ? AND until > ?)")
		args = append(args, clean(a.Address.Address), micro(a.Now))
	}
	if a.Name != nil {
		conditions = append(conditions, "NOT EXISTS (SELECT 1 FROM throttles WHERE bucket = ? AND subject = ? AND "+refuses+")")
		args = append(args, clean(a.Name.Key.Bucket), blob(a.Name.Key.Subject))
		args = append(args, refusesArgs(*a.Name, a.Now)...)
	}
	if len(conditions) == 0 {
		return nil
	}
	return q.requireRow(miss, "SELECT 1 WHERE "+strings.Join(conditions, " AND "), args...)
}

// CountFailure implements storage.Throttles. The window of an address starts with its
// first failure; the wait starts when Max is reached or MaxSubjects is exceeded. During a
// wait a name does not count.
func (e *Engine) CountFailure(ctx context.Context, a storage.Attempt) error {
	address := a.Address != nil && a.Address.Address != "" && (a.Address.Max > 0 || a.Address.MaxSubjects > 0)
	if !address && a.Name == nil {
		return nil
	}
	return e.burst(ctx, "count failure", func(q querier) error {
		if address {
			if err := q.countFailure(*a.Address, a.Now); err != nil {
				return err
			}
		}
		if a.Name == nil {
			return nil
		}
		count := q.countThrottle(*a.Name, a.Now)
		count.otherwise = nil
		return q.write(count)
	})
}

func (q querier) countFailure(a storage.AddressThrottle, now time.Time) error {
	const stale = `(t.until > 0 OR t.since + ? <= excluded.since)`
	const subjects = `CASE WHEN replace(t.subjects, excluded.subjects, '') <> t.subjects THEN t.subjects ELSE t.subjects || excluded.subjects END`
	window, us, until := a.Window.Microseconds(), micro(now), int64(0)
	if a.Max == 1 {
		until = us + window
	}
	return q.send(`INSERT INTO address_throttles AS t (address, since, failures, subjects, causes, until, expires_at) VALUES (?, ?, 1, ?, ?, ?, ?)
		ON CONFLICT (address) DO UPDATE SET
			since = CASE WHEN `+stale+` THEN excluded.since ELSE t.since END,
			failures = CASE WHEN `+stale+` THEN 1 ELSE t.failures + 1 END,
			subjects = CASE WHEN `+stale+` THEN excluded.subjects ELSE `+subjects+` END,
			causes = CASE WHEN `+stale+` THEN excluded.causes WHEN length(t.causes) < ? THEN t.causes || excluded.causes ELSE t.causes END,
			until = CASE
				WHEN `+stale+` THEN excluded.until
				WHEN t.failures + 1 >= ? OR length(`+subjects+`) > ? THEN excluded.since + ?
				ELSE 0 END,
			expires_at = excluded.expires_at
		WHERE t.until <= excluded.since`,
		clean(a.Address), us, entryOf(a.Subject), entryOf(a.Cause), until, us+2*window,
		window, window, window, window, int64(maxCauses*subjectLength), window, most(a.Max), subjectsLength(a), window)
}

// takeBack removes the failures of a cause from its address. Where there are none it changes,
// and locks, nothing: callers behind one address sign in concurrently.
func (q querier) takeBack(a *storage.AddressThrottle, now time.Time) error {
	if a == nil || len(a.Cause) == 0 {
		return nil
	}
	entry := entryOf(a.Cause)
	const theirs = "(length(causes) - length(replace(causes, ?, ''))) / ?"
	return q.send(`UPDATE address_throttles SET failures = CASE WHEN failures > `+theirs+` THEN failures - `+theirs+` ELSE 0 END,
		subjects = replace(subjects, ?, ''), causes = replace(causes, ?, '')
		WHERE address = ? AND until <= ? AND replace(causes, ?, '') <> causes`,
		entry, int64(subjectLength), entry, int64(subjectLength), entry, entry, clean(a.Address), micro(now), entry)
}

// entryOf returns the entry of a subject in the lists of an address; "" if there is none.
func entryOf(subject []byte) string {
	if len(subject) == 0 {
		return ""
	}
	return hex.EncodeToString(subject[:min(len(subject), (subjectLength-1)/2)]) + ","
}

// subjectsLength returns the maximum length of the list of subjects.
func subjectsLength(a storage.AddressThrottle) int64 {
	if a.MaxSubjects <= 0 {
		return unbounded
	}
	return subjectLength * int64(a.MaxSubjects)
}
