package relational

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"sallyport/storage"
)

const (
	// never is the next attempt of a counter that has reached Max.
	never = math.MaxInt64
	// addressBucket is the Bucket in a Refusal by an address.
	addressBucket = "address"
	// subjectLength is the length of a subject in the list of an address: 8 bytes of its
	// hash in hex and a comma.
	subjectLength = 17
	unbounded     = math.MaxInt32
	// maxCauses is the number of failures of an address of which the cause is kept.
	maxCauses = 1000
)

// blocker identifies the counter that refused an attempt.
type blocker struct {
	throttle *storage.Throttle
	address  *storage.AddressThrottle
	gate     bool   // the address or the name, in checkWaits
	quiet    string // bucket of a counter that refused without being reported
	toll     *storage.Toll
}

// counterRow locates the row of a counter: the column until is the end of its wait, and
// told_at that of the last wait reported.
type counterRow struct {
	bucket, table, until, where string
	args                        []any
	most                        int64 // failures after which waiting does not help
}

// row returns the row of the counter; false: there is none.
func (by blocker) row() (counterRow, bool) {
	switch {
	case by.throttle != nil:
		key := by.throttle.Key
		return counterRow{bucket: key.Bucket, table: "throttles", until: "next_at", where: "bucket = ? AND subject = ?",
			args: []any{clean(key.Bucket), blob(key.Subject)}, most: most(by.throttle.Schedule.Max)}, true
	case by.address != nil:
		return counterRow{bucket: addressBucket, table: "address_throttles", until: "until", where: "address = ?",
			args: []any{clean(by.address.Address)}, most: math.MaxInt64}, true
	}
	return counterRow{}, false
}

// end returns the columns with the end of a wait, or 0, and whether the wait was reported.
func (w counterRow) end() (columns string, args []any) {
	return "CASE WHEN failures >= ? THEN 0 ELSE " + w.until + " END, CASE WHEN told_at = " + w.until + " THEN 1 ELSE 0 END", []any{w.most}
}

// CountAttempt implements storage.Throttles. If a counter refuses, the transaction is rolled
// back and the reason is read afterwards.
func (e *Engine) CountAttempt(ctx context.Context, a storage.Attempt) (storage.Refusal, error) {
	var by blocker
	err := e.burst(ctx, "count attempt", func(q querier) error {
		by = blocker{}
		if err := q.checkWaits(a, func() { by.gate = true }); err != nil {
			return err
		}
		if err := q.countStatus(a); err != nil {
			return err
		}
		if err := q.mark(a); err != nil { // locks authenticators before counters, as Spend does
			return err
		}
		for _, t := range inOrder(a.Throttles) {
			count, miss := q.countThrottle(t, a.Now), func() { by.throttle = &t }
			if a.Name != nil {
				count.otherwise, miss = nil, func() { by.quiet = t.Key.Bucket }
			}
			count.miss = miss
			if err := q.write(count); err != nil {
				return err
			}
		}
		if a.New != nil {
			return q.notify(a.New.Messages, a.New.Events)
		}
		return nil
	})
	if !errors.Is(err, storage.ErrConflict) {
		return storage.Refusal{Bucket: by.quiet}, err
	}
	refusal, failure := e.refusal(ctx, by, a)
	if failure != nil {
		return storage.Refusal{}, failure
	}
	return refusal, err
}

// WouldRefuse implements storage.Throttles.
func (e *Engine) WouldRefuse(ctx context.Context, a storage.Attempt) (storage.Refusal, error) {
	var parts []string
	var args []any
	var all []blocker
	add := func(by blocker, condition string, with ...any) {
		row, _ := by.row()
		columns, these := row.end()
		parts = append(parts, "SELECT "+strconv.Itoa(len(all))+", "+columns+" FROM "+row.table+" WHERE "+row.where+" AND "+condition)
		args, all = slices.Concat(args, these, row.args, with), append(all, by)
	}
	throttles := a.Throttles
	if a.Name != nil {
		throttles = []storage.Throttle{*a.Name}
	}
	for _, t := range inOrder(throttles) {
		add(blocker{throttle: &t}, refuses, refusesArgs(t, a.Now)...)
	}
	if a.Address != nil {
		add(blocker{address: a.Address}, "until > ?", micro(a.Now))
	}
	if len(parts) == 0 {
		return storage.Refusal{}, nil
	}
	var which, until, reported number
	err := e.quick(ctx, "ask counters", func(q querier) error {
		return q.one(strings.Join(parts, " UNION ALL "), args, &which, &until, &reported)
	})
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return storage.Refusal{}, nil
	case err != nil:
		return storage.Refusal{}, err
	}
	refusal, err := e.report(ctx, all[which], until, reported)
	if err != nil {
		return storage.Refusal{}, err
	}
	return refusal, storage.ErrConflict
}

// inOrder sorts counters, so that all attempts lock them in the same order.
func inOrder(ts []storage.Throttle) []storage.Throttle {
	return slices.SortedFunc(slices.Values(ts), func(a, b storage.Throttle) int { return compareKeys(a.Key, b.Key) })
}

func compareKeys(a, b storage.ThrottleKey) int {
	return cmp.Or(cmp.Compare(a.Bucket, b.Bucket), bytes.Compare(a.Subject, b.Subject))
}

// countStatus counts an attempt at an exchange, or creates the status with its first.
func (q querier) countStatus(a storage.Attempt) error {
	if a.New != nil {
		n := *a.New
		n.Status.Attempts = 1
		if a.MaxAttempts == 1 {
			n.Status.State = statusLast
		}
		return q.initiate(n, a.Now)
	}
	if a.Exchange == "" {
		return nil
	}
	return q.spend(`UPDATE statuses SET attempts = attempts + 1, state = CASE WHEN attempts + 1 >= ? THEN 'last' ELSE state END
		WHERE exchange IN ? AND state = 'initiated' AND expires_at > ? AND attempts < ?`,
		int64(a.MaxAttempts), q.e.keyring.Hashes(exchangeLabel, string(a.Exchange)), micro(a.Now), int64(a.MaxAttempts))
}

// countThrottle counts an attempt as a failure in advance, if the counter allows it now.
// After failure n > Free the next attempt is allowed min(First * 2^(n-Free-1), Cap) later;
// after failure Max, never.
func (q querier) countThrottle(t storage.Throttle, now time.Time) write {
	s, us := t.Schedule, micro(now)
	forget := int64(0)
	if s.Forget > 0 {
		forget = micro(now.Add(s.Forget))
	}
	forgotten, args := "excluded.forget_at", []any(nil)
	if s.Fixed {
		forgotten = `CASE WHEN (t.forget_at > 0 AND t.forget_at <= excluded.updated_at) OR t.failures >= ? THEN excluded.forget_at ELSE t.forget_at END`
		args = []any{int64(s.Free)}
	}
	return write{otherwise: storage.ErrConflict, text: `INSERT INTO throttles AS t (bucket, subject, failures, next_at, updated_at, forget_at) VALUES (?, ?, 1, ?, ?, ?)
		ON CONFLICT (bucket, subject) DO UPDATE SET
			failures = CASE WHEN t.forget_at > 0 AND t.forget_at <= excluded.updated_at THEN 1 ELSE t.failures + 1 END,
			next_at = CASE
				WHEN t.forget_at > 0 AND t.forget_at <= excluded.updated_at THEN excluded.next_at
				WHEN t.failures + 1 >= ? THEN ?
				WHEN t.failures + 1 <= ? THEN 0
				WHEN t.failures - ? >= ? THEN excluded.updated_at + ?
				ELSE excluded.updated_at + (CAST(? AS bigint) << CAST(t.failures - ? AS integer)) END,
			updated_at = excluded.updated_at, forget_at = ` + forgotten + `
		WHERE (t.forget_at > 0 AND t.forget_at <= excluded.updated_at) OR (t.next_at <= excluded.updated_at AND t.failures < ?)`,
		args: slices.Concat([]any{clean(t.Key.Bucket), blob(t.Key.Subject), nextAfterFirst(s, us), us, forget,
			most(s.Max), int64(never), int64(s.Free), int64(s.Free), doublings(s), s.Cap.Microseconds(),
			s.First.Microseconds(), int64(s.Free)}, args, []any{most(s.Max)})}
}

// refuses is the condition of a counter that refuses attempts now.
const refuses = "(forget_at = 0 OR forget_at > ?) AND (next_at > ? OR failures >= ?)"

func refusesArgs(t storage.Throttle, now time.Time) []any {
	return []any{micro(now), micro(now), most(t.Schedule.Max)}
}

// most turns 0, which means no bound, into a number that is never reached.
func most(bound int) int64 {
	if bound <= 0 {
		return unbounded
	}
	return int64(bound)
}

func nextAfterFirst(s storage.Schedule, now int64) int64 {
	switch {
	case s.Max == 1:
		return never
	case s.Free >= 1:
		return 0
	}
	return now + min(s.First, s.Cap).Microseconds()
}

// doublings returns how often First is doubled before it reaches Cap.
func doublings(s storage.Schedule) int64 {
	n := int64(0)
	for wait := s.First; wait > 0 && wait < s.Cap; wait *= 2 {
		n++
	}
	return n
}

// refusal reads why a counter refused.
func (e *Engine) refusal(ctx context.Context, by blocker, a storage.Attempt) (storage.Refusal, error) {
	if by.gate {
		a.Throttles = nil
		found, err := e.WouldRefuse(ctx, a)
		if errors.Is(err, storage.ErrConflict) {
			return found, nil
		}
		return storage.Refusal{Bucket: addressBucket, Until: a.Now}, err // reset meanwhile
	}
	row, ok := by.row()
	if !ok {
		return storage.Refusal{}, nil
	}
	columns, args := row.end()
	var until, reported number
	err := e.read(ctx, "read refusal", func(q querier) error {
		return q.one("SELECT "+columns+" FROM "+row.table+" WHERE "+row.where, slices.Concat(args, row.args), &until, &reported)
	})
	if errors.Is(err, storage.ErrNotFound) {
		return storage.Refusal{Bucket: row.bucket, Until: a.Now}, nil // reset meanwhile
	}
	if err != nil {
		return storage.Refusal{}, err
	}
	return e.report(ctx, by, until, reported)
}

// report returns the refusal of a counter. The first refusal of a wait, across servers, is
// the one that changes told_at.
func (e *Engine) report(ctx context.Context, by blocker, until, reported number) (storage.Refusal, error) {
	row, _ := by.row()
	out := storage.Refusal{Bucket: row.bucket, Until: waitUntil(until)}
	if reported != 0 {
		return out, nil
	}
	err := e.write(ctx, "report wait", func(q querier) error {
		n, err := q.exec("UPDATE "+row.table+" SET told_at = "+row.until+" WHERE "+row.where+" AND told_at <> "+row.until, row.args...)
		out.First = n > 0
		return err
	})
	return out, err
}

func waitUntil(next number) time.Time {
	if next == never {
		return time.Time{}
	}
	return next.time()
}

// Waits implements storage.Throttles.
func (e *Engine) Waits(ctx context.Context, keys []storage.ThrottleKey, now time.Time) ([]storage.Refusal, error) {
	keys, addresses := byTable(keys)
	var parts []string
	var args []any
	if len(addresses) > 0 {
		parts, args = append(parts, "SELECT '"+addressBucket+"', until, since FROM address_throttles WHERE address IN ? AND until > ?"), append(args, addresses, micro(now))
	}
	if len(keys) > 0 {
		where, with := anyOf(keys)
		parts = append(parts, "SELECT bucket, next_at, updated_at FROM throttles WHERE ("+where+") AND next_at > ? AND (forget_at = 0 OR forget_at > ?)")
		args = append(append(args, with...), micro(now), micro(now))
	}
	if len(parts) == 0 {
		return nil, nil
	}
	query := strings.Join(parts, " UNION ALL ") + " ORDER BY 1, 2"
	var out []storage.Refusal
	err := e.read(ctx, "read waits", func(q querier) error {
		out = nil
		return q.each(query, args, func(rows scanner) error {
			var bucket text
			var next, since number
			err := rows.Scan(&bucket, &next, &since)
			out = append(out, storage.Refusal{Bucket: string(bucket), Until: waitUntil(next), Since: since.time()})
			return err
		})
	})
	return out, err
}

// ResetThrottle implements storage.Throttles.
func (e *Engine) ResetThrottle(ctx context.Context, keys []storage.ThrottleKey, events []storage.Event) error {
	return e.step(ctx, "reset throttle", func(q querier) error {
		if err := q.resetThrottles(keys); err != nil {
			return err
		}
		return q.putEvents(events)
	})
}

// byTable separates the counters of addresses, which have a table of their own.
func byTable(all []storage.ThrottleKey) (others []storage.ThrottleKey, addresses []string) {
	for _, k := range all {
		if k.Bucket == addressBucket {
			addresses = append(addresses, clean(k.Subject))
		} else {
			others = append(others, k)
		}
	}
	return others, addresses
}

func (q querier) resetThrottles(keys []storage.ThrottleKey) error {
	keys, addresses := byTable(keys)
	if len(addresses) > 0 {
		if err := q.send("DELETE FROM address_throttles WHERE address IN ?", addresses); err != nil {
			return err
		}
	}
	if len(keys) == 0 {
		return nil
	}
	where, args := anyOf(keys)
	err := q.send("DELETE FROM throttles WHERE "+where, args...)
	return err
}

// forgive subtracts one failure from counters and ends their wait.
func (q querier) forgive(keys []storage.ThrottleKey, now time.Time) error {
	if len(keys) == 0 {
		return nil
	}
	where, args := anyOf(keys)
	err := q.send("UPDATE throttles SET failures = failures - 1, next_at = CASE WHEN next_at > ? THEN ? ELSE next_at END WHERE failures > 0 AND ("+where+")",
		append([]any{micro(now), micro(now)}, args...)...)
	return err
}

func anyOf(keys []storage.ThrottleKey) (where string, args []any) {
	for _, k := range slices.SortedFunc(slices.Values(keys), compareKeys) {
		args = append(args, clean(k.Bucket), blob(k.Subject))
	}
	return strings.Repeat(" OR (bucket = ? AND subject = ?)", len(keys))[len(" OR "):], args
}
