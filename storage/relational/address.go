package relational

import (
	"context"
	"encoding/hex"
	"strings"
	"time"

	"sallyport/storage"
)

// mayTry refuses while an address or a name waits. It locks nothing: people behind one
// address sign in side by side.
func (q querier) mayTry(a storage.Attempt, miss func()) error {
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
	return q.demand(miss, "SELECT 1 WHERE "+strings.Join(conditions, " AND "), args...)
}

// CountFailure implements storage.Throttles. The window of an address starts with its
// first failure; the wait starts when Max is reached or MaxSubjects is passed. A name that
// began to wait meanwhile counts no more.
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
	return q.send(`INSERT INTO address_throttles AS t (address, since, failures, subjects, until, expires_at) VALUES (?, ?, 1, ?, ?, ?)
		ON CONFLICT (address) DO UPDATE SET
			since = CASE WHEN `+stale+` THEN excluded.since ELSE t.since END,
			failures = CASE WHEN `+stale+` THEN 1 ELSE t.failures + 1 END,
			subjects = CASE WHEN `+stale+` THEN excluded.subjects ELSE `+subjects+` END,
			until = CASE
				WHEN `+stale+` THEN excluded.until
				WHEN t.failures + 1 >= ? OR length(`+subjects+`) > ? THEN excluded.since + ?
				ELSE 0 END,
			expires_at = excluded.expires_at
		WHERE t.until <= excluded.since`,
		clean(a.Address), us, subjectOf(a), until, us+2*window,
		window, window, window, window, most(a.Max), subjectsLength(a), window)
}

// subjectOf is a subject in the list of an address; nobody in particular adds nothing to it.
func subjectOf(a storage.AddressThrottle) string {
	if len(a.Subject) == 0 {
		return ""
	}
	return hex.EncodeToString(a.Subject[:min(len(a.Subject), (subjectLength-1)/2)]) + ","
}

// subjectsLength is how long the list of subjects may become.
func subjectsLength(a storage.AddressThrottle) int64 {
	if a.MaxSubjects <= 0 {
		return unbounded
	}
	return subjectLength * int64(a.MaxSubjects)
}
