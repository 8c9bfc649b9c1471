package relational

import (
	"context"
	"strconv"
	"time"

	"sallyport/storage"
)

const (
	microsecondsADay = int64(24 * time.Hour / time.Microsecond)
	keepTolls        = 31 // days

	keepMessage = 7 * 24 * time.Hour  // after it was delivered or given up
	keepUnsent  = 30 * 24 * time.Hour // that neither happened to
	keepSession = time.Hour
	keepToken   = 30 * 24 * time.Hour // for registrations, so that operators see that it has expired

	// keepCode is longer than a code ends after the time in the ID of its grant, which may be
	// that of the request: an hour and a minute at most. Each sweep looks at the grants
	// that are between that age and sweepCodes older.
	keepCode   = 2 * time.Hour
	sweepCodes = 10 * time.Minute

	events = "events"
)

// expired selects the rows to remove from a short-lived table, in the order of an index.
type expired struct {
	table, key, by, where string
	args                  []any
}

func (e *Engine) sweepable(now time.Time) []expired {
	us, ended := micro(now), micro(now.Add(-keepMessage))
	return []expired{
		{"auth_requests", "hash", "expires_at", "expires_at <= ?", []any{us}},
		{"pushed_requests", "hash", "expires_at", "expires_at <= ?", []any{us}},
		{"registration_tokens", "id", "expires_at", "expires_at <= ?", []any{micro(now.Add(-keepToken))}},
		{"polled_requests", "id", "expires_at", "expires_at <= ?", []any{micro(now.Add(-storage.KeepPolled))}},
		{"statuses", "hash", "expires_at", "expires_at <= ?", []any{micro(now.Add(-storage.KeepStatus))}},
		{"tickets", "id", "expires_at", "expires_at <= ?", []any{micro(now.Add(-storage.KeepTicket))}},
		{"codes", "hash", "expires_at", "expires_at <= ?", []any{us}}, // of the version before
		{"authenticators", "id", "expires_at", "state = 'pending' AND expires_at <= ? AND expires_at > 0", []any{us}},
		{"identifiers", "id", "expires_at", "expires_at > 0 AND expires_at <= ? AND verified_at = 0", []any{us}},
		{"throttles", "(bucket, subject)", "forget_at", "forget_at > 0 AND forget_at <= ?", []any{us}},
		{"address_throttles", "address", "expires_at", "expires_at <= ?", []any{us}},
		{"remembered_devices", "id", "expires_at", "expires_at <= ?", []any{us}},
		{"revoked_tokens", "hash", "expires_at", "expires_at <= ?", []any{us}},
		{"used_proofs", "hash", "expires_at", "expires_at <= ?", []any{us}},
		{"grants", "id", "sweep_at", "sweep_at <= ? AND refresh_until <= ? AND NOT (" + remembered + ")", []any{us, micro(now.Add(-keepGrant)), us}},
		// Grants whose code was not redeemed, in a range of the primary key, for which they need
		// no index of their own. What no server sees in that time stays until its sweep_at.
		{"grants", "id", "id", "id >= ? AND id < ? AND redeemed_at = 0 AND code_until <= ?",
			[]any{firstOf(now.Add(-keepCode - sweepCodes)), firstOf(now.Add(-keepCode)), us}},
		// An ended session stays while a grant is inactive only because of it.
		{"sessions", "id", "expires_at", `expires_at <= ? AND NOT (ended_at > 0 AND EXISTS (SELECT 1 FROM grants g
			WHERE g.session_id = sessions.id AND g.revoked_at = 0
			AND (sessions.ended_offline OR NOT g.offline OR ` + endsOffline + `)))`, []any{micro(now.Add(-keepSession))}},
		// Written at least as long ago, which has an index.
		{"outbox", "id", "created_at", "created_at <= ? AND (delivered_at BETWEEN 1 AND ? OR dead_at BETWEEN 1 AND ? OR created_at <= ?)",
			[]any{ended, ended, ended, micro(now.Add(-keepUnsent))}},
		{"text_messages", "(country, day)", "day", "day < ?", []any{us/microsecondsADay - keepTolls}},
		{events, "id", "id", "id < ?", []any{e.oldestEvent(now)}},
	}
}

// remembered matches the last grant of a client that is to be told of the end of a session, as long
// as the session lives: it may have been extended since the grant.
const remembered = `client_id IN (SELECT id FROM clients WHERE backchannel OR frontchannel)
	AND EXISTS (SELECT 1 FROM sessions s WHERE s.id = grants.session_id AND s.ended_at = 0 AND s.expires_at > ?)
	AND NOT EXISTS (SELECT 1 FROM grants later WHERE later.session_id = grants.session_id AND later.client_id = grants.client_id
		AND later.redeemed_at > 0 AND later.id > grants.id)`

// oldestEvent returns the lowest ID of the lines to keep.
func (e *Engine) oldestEvent(now time.Time) any {
	if e.o.KeepEvents <= 0 {
		return firstOf(time.UnixMilli(0))
	}
	return firstOf(now.Add(-e.o.KeepEvents))
}

// zeros reads as zeros, for the lowest ID of a time.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// Sweep implements storage.Housekeeping.
func (e *Engine) Sweep(ctx context.Context, now time.Time, limit int) (int, error) {
	total := 0
	for _, x := range e.sweepable(now) {
		n, err := e.sweepTable(ctx, x, page(limit))
		if total += n; err != nil {
			return total, err
		}
	}
	n, err := e.sweepClients(ctx, now, page(limit))
	return total + n, err
}

// sweepTable removes rows until a statement finds fewer than limit.
func (e *Engine) sweepTable(ctx context.Context, x expired, limit int) (int, error) {
	text, args := x.sweeping(limit, e.dialect)
	for total := 0; ; {
		removed, took := int64(0), e.stopwatch()
		err := e.write(ctx, "sweep "+x.table, func(q querier) error {
			var err error
			removed, err = q.exec(text, args...)
			return err
		})
		if err != nil {
			return total, err
		}
		total += int(removed)
		e.meter.swept[x.table].Add(removed)
		if removed < int64(limit) {
			return total, nil
		}
		if err := rest(ctx, took()); err != nil {
			return total, err
		}
	}
}

// idle is how many times as long as a statement took the sweep rests after it, so that
// requests have most of the database, also while there is much to remove.
const idle = 3

// rest waits after a statement of a sweep, a second at most.
func rest(ctx context.Context, took time.Duration) error {
	timer := time.NewTimer(min(idle*took, time.Second))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// stopwatch returns a function that returns the time since this call; 0 without a clock.
func (e *Engine) stopwatch() func() time.Duration {
	if e.o.Now == nil {
		return func() time.Duration { return 0 }
	}
	began := e.o.Now()
	return func() time.Duration { return e.o.Now().Sub(began) }
}

// sweeping returns a statement that removes up to limit rows. Of servers that sweep at the same time
// each removes rows that no other does, and none waits. With the order and the limit in its text
// PostgreSQL plans to read the beginning of an index; for a limit that it does not know it expects a tenth
// of what matches, and compiles the statement first.
func (x expired) sweeping(limit int, on dialect) (string, []any) {
	which := func(key string) string {
		return "SELECT " + key + " FROM " + x.table + " WHERE " + x.where + " ORDER BY " + x.by + " LIMIT " + strconv.Itoa(limit)
	}
	if on == postgresDialect { // locked rows stay where they are
		return "DELETE FROM " + x.table + " WHERE ctid = ANY(ARRAY(" + which("ctid") + " FOR UPDATE SKIP LOCKED))", x.args
	}
	return "DELETE FROM " + x.table + " WHERE " + x.key + " IN (" + which(columnsOf(x.key)) + ")", x.args
}

// columnsOf returns the columns of a key without parentheses.
func columnsOf(key string) string {
	if key[0] == '(' {
		return key[1 : len(key)-1]
	}
	return key
}
