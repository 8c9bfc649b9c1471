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
	// never is the next attempt of a counter that has reached its end.
	never = math.MaxInt64
	// addressBucket is the Refusal of an address.
	addressBucket = "address"
	// subjectLength is what one subject takes in the list of an address: 8 bytes of
	// its hash in hex and a comma.
	subjectLength = 17
	unbounded     = math.MaxInt32
)

// refused says which counter stopped an attempt.
type refused struct {
	throttle *storage.Throttle
	address  *storage.AddressThrottle
	gate     bool   // the address or the name
	quiet    string // bucket of a counter that refuses and must not say so
}

// waiting is the row of a counter that may refuse: the column until ends its wait, and
// told_at is the wait that somebody was told of already.
type waiting struct {
	bucket, table, until, where string
	args                        []any
	most                        int64 // failures after which no waiting helps
}

// row finds the counter that refused; false: none did.
func (by refused) row() (waiting, bool) {
	switch {
	case by.throttle != nil:
		key := by.throttle.Key
		return waiting{bucket: key.Bucket, table: "throttles", until: "next_at", where: "bucket = ? AND subject = ?",
			args: []any{clean(key.Bucket), blob(key.Subject)}, most: most(by.throttle.Schedule.Max)}, true
	case by.address != nil:
		return waiting{bucket: addressBucket, table: "address_throttles", until: "until", where: "address = ?",
			args: []any{clean(by.address.Address)}, most: math.MaxInt64}, true
	}
	return waiting{}, false
}

// end is the column list of a row: when its wait ends, 0 where it does not, and whether
// that was told of.
func (w waiting) end() (columns string, args []any) {
	return "CASE WHEN failures >= ? THEN 0 ELSE " + w.until + " END, CASE WHEN told_at = " + w.until + " THEN 1 ELSE 0 END", []any{w.most}
}

// CountAttempt implements storage.Throttles. It is one transaction; if a counter
// refuses it is rolled back, and the reason is read afterwards.
func (e *Engine) CountAttempt(ctx context.Context, a storage.Attempt) (storage.Refusal, error) {
	var by refused
	err := e.burst(ctx, "count attempt", func(q querier) error {
		by = refused{}
		if err := q.mayTry(a, func() { by.gate = true }); err != nil {
			return err
		}
		if err := q.countStatus(a); err != nil {
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
			return q.tell(a.New.Messages, a.New.Events)
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
	var all []refused
	add := func(by refused, condition string, with ...any) {
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
		add(refused{throttle: &t}, refuses, refusesArgs(t, a.Now)...)
	}
	if a.Address != nil {
		add(refused{address: a.Address}, "until > ?", micro(a.Now))
	}
	if len(parts) == 0 {
		return storage.Refusal{}, nil
	}
	var which, until, told number
	err := e.quick(ctx, "ask counters", func(q querier) error {
		return q.one(strings.Join(parts, " UNION ALL "), args, &which, &until, &told)
	})
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return storage.Refusal{}, nil
	case err != nil:
		return storage.Refusal{}, err
	}
	refusal, err := e.told(ctx, all[which], until, told)
	if err != nil {
		return storage.Refusal{}, err
	}
	return refusal, storage.ErrConflict
}

// inOrder sorts counters, so that two attempts lock them in the same order.
func inOrder(ts []storage.Throttle) []storage.Throttle {
	return slices.SortedFunc(slices.Values(ts), func(a, b storage.Throttle) int { return compareKeys(a.Key, b.Key) })
}

func compareKeys(a, b storage.ThrottleKey) int {
	return cmp.Or(cmp.Compare(a.Bucket, b.Bucket), bytes.Compare(a.Subject, b.Subject))
}

// countStatus counts an attempt at an exchange, or makes the status with its first.
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

// countThrottle counts one more failure before it is known to be one, if the
// counter lets an attempt pass now. After failure n > Free the next one passes
// min(First * 2^(n-Free-1), Cap) later; after failure Max none does.
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

// refuses is the condition of a counter that lets nothing pass now.
const refuses = "(forget_at = 0 OR forget_at > ?) AND (next_at > ? OR failures >= ?)"

func refusesArgs(t storage.Throttle, now time.Time) []any {
	return []any{micro(now), micro(now), most(t.Schedule.Max)}
}

// most turns "0: no such bound" into a number that is never reached.
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

// doublings returns how often First can be doubled before it reaches Cap.
func doublings(s storage.Schedule) int64 {
	n := int64(0)
	for wait := s.First; wait > 0 && wait < s.Cap; wait *= 2 {
		n++
	}
	return n
}

// refusal reads why a counter refused.
func (e *Engine) refusal(ctx context.Context, by refused, a storage.Attempt) (storage.Refusal, error) {
	if by.gate {
		a.Throttles = nil
		found, err := e.WouldRefuse(ctx, a)
		if errors.Is(err, storage.ErrConflict) {
			return found, nil
		}
		return storage.Refusal{Bucket: addressBucket, Until: a.Now}, err // reset in this very moment
	}
	row, ok := by.row()
	if !ok {
		return storage.Refusal{}, nil
	}
	columns, args := row.end()
	var until, told number
	err := e.read(ctx, "read refusal", func(q querier) error {
		return q.one("SELECT "+columns+" FROM "+row.table+" WHERE "+row.where, slices.Concat(args, row.args), &until, &told)
	})
	if errors.Is(err, storage.ErrNotFound) {
		return storage.Refusal{Bucket: row.bucket, Until: a.Now}, nil // reset in this very moment
	}
	if err != nil {
		return storage.Refusal{}, err
	}
	return e.told(ctx, by, until, told)
}

// told makes the refusal of a counter. Of all that are refused during one wait the one
// who changes told_at is the first, whichever server asks.
func (e *Engine) told(ctx context.Context, by refused, until, told number) (storage.Refusal, error) {
	row, _ := by.row()
	out := storage.Refusal{Bucket: row.bucket, Until: waitUntil(until)}
	if told != 0 {
		return out, nil
	}
	err := e.write(ctx, "tell of a wait", func(q querier) error {
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
	if len(keys) == 0 {
		return nil, nil
	}
	where, args := anyOf(keys)
	args = append(args, micro(now), micro(now))
	query := "SELECT bucket, next_at FROM throttles WHERE (" + where + ") AND next_at > ? AND (forget_at = 0 OR forget_at > ?) ORDER BY bucket, subject"
	var out []storage.Refusal
	err := e.read(ctx, "read waits", func(q querier) error {
		out = nil
		return q.each(query, args, func(rows scanner) error {
			var bucket text
			var next number
			err := rows.Scan(&bucket, &next)
			out = append(out, storage.Refusal{Bucket: string(bucket), Until: waitUntil(next)})
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

func (q querier) resetThrottles(keys []storage.ThrottleKey) error {
	if len(keys) == 0 {
		return nil
	}
	where, args := anyOf(keys)
	err := q.send("DELETE FROM throttles WHERE "+where, args...)
	return err
}

// forgive takes one failure off counters, and with it the wait that it began.
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
