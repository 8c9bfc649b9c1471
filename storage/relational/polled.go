package relational

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sallyport/storage"
)

const (
	polledLabel   = "polled"
	userCodeLabel = "user code"

	polledColumns = "id, hash, user_code, grant_type, client_id, user_id, details, state, grant_id, wait, next_at, slowed_at, created_at, expires_at"
	polledRead    = "CAST(id AS text), grant_type, client_id, CAST(user_id AS text), details, state, wait, created_at, expires_at"
)

// CreatePolled implements storage.PolledRequests.
func (e *Engine) CreatePolled(ctx context.Context, n storage.NewPolled) error {
	r := n.Request
	details, err := json.Marshal(r.Details)
	if err != nil {
		return fmt.Errorf("write details: %w", err)
	}
	if details, err = e.keyring.Seal(polledLabel, string(r.ID), details); err != nil {
		return err
	}
	return e.counted(ctx, "create polled request", sending{n.Sends, nil, r.CreatedAt}, func(q querier) error {
		in := insertInto("polled_requests (" + polledColumns + ")")
		// Nobody types a code of 256 bits.
		in.add(ref(r.ID), blob(e.keyring.Hash(polledLabel, r.Code)), blob(e.keyring.Hash(userCodeLabel, cmp.Or(r.UserCode, r.Code))), clean(r.GrantType), clean(r.ClientID), ref(r.UserID), blob(details),
			string(storage.PolledPending), nil, r.Interval.Microseconds(), int64(0), int64(0), micro(r.CreatedAt), micro(r.ExpiresAt))
		if err := in.run(q, ""); err != nil {
			return err
		}
		if err := q.putMessages(n.Messages); err != nil {
			return err
		}
		return q.putEvents(n.Events)
	})
}

type polledRow struct {
	id, grantType, client, user, state text
	details                            []byte
	wait, created, expires             number
}

func (r *polledRow) dest() []any {
	return []any{&r.id, &r.grantType, &r.client, &r.user, &r.details, &r.state, &r.wait, &r.created, &r.expires}
}

func (r *polledRow) record() storage.PolledRequest {
	return storage.PolledRequest{ID: storage.PolledID(r.id), GrantType: string(r.grantType), ClientID: storage.ClientID(r.client), UserID: storage.UserID(r.user),
		State: storage.PolledState(r.state), Interval: time.Duration(r.wait) * time.Microsecond, CreatedAt: r.created.time(), ExpiresAt: r.expires.time()}
}

// opened returns the record with its details.
func (r *polledRow) opened(e *Engine) (storage.PolledRequest, error) {
	out := r.record()
	plain, err := e.keyring.Open(polledLabel, string(r.id), r.details)
	if err != nil {
		return out, err
	}
	return out, decode("details", text(plain), &out.Details)
}

const (
	pendingPolled = " AND state = 'pending' AND expires_at > ?"
	// ownPolled: a request that was created for a user is ended by nobody else.
	ownPolled = " AND (user_id IS NULL OR user_id = ?)"
)

// Polled implements storage.PolledRequests.
func (e *Engine) Polled(ctx context.Context, id storage.PolledID, now time.Time) (storage.PolledRequest, error) {
	return e.polledWhere(ctx, "id = ?", ref(id), now)
}

// PolledByUserCode implements storage.PolledRequests.
func (e *Engine) PolledByUserCode(ctx context.Context, code string, now time.Time) (storage.PolledRequest, error) {
	return e.polledWhere(ctx, "user_code IN ?", e.keyring.Hashes(userCodeLabel, code), now)
}

func (e *Engine) polledWhere(ctx context.Context, where string, arg any, now time.Time) (storage.PolledRequest, error) {
	var row polledRow
	err := e.read(ctx, "read polled request", func(q querier) error {
		return q.one("SELECT "+polledRead+" FROM polled_requests WHERE "+where+pendingPolled, []any{arg, micro(now)}, row.dest()...)
	})
	if err != nil {
		return storage.PolledRequest{}, err
	}
	return row.opened(e)
}

// Poll implements storage.PolledRequests. What the statement returns is the row as it leaves it, so a
// poll that was too early is known by its own time in the row. A request that expired, or whose
// interval has outgrown its life, ends in nothing however often it is polled, so it is only read.
func (e *Engine) Poll(ctx context.Context, p storage.Poll) (storage.Polled, error) {
	if !plain(p.ClientID) || !plain(p.GrantType) {
		return storage.Polled{}, storage.ErrNotFound
	}
	const which, read = " WHERE hash IN ? AND client_id = ? AND grant_type = ?", polledRead + ", CAST(grant_id AS text), slowed_at"
	now, slower := micro(p.Now), p.Slower.Microseconds()
	key := []any{e.keyring.Hashes(polledLabel, p.Code), string(p.ClientID), p.GrantType}
	var row polledRow
	var grant text
	var slowed number
	dest := append(row.dest(), &grant, &slowed)
	err := e.burst(ctx, "poll", func(q querier) error {
		args := append([]any{now, slower, now, now, now - p.Slack.Microseconds(), now, slower}, key...)
		return q.one(`UPDATE polled_requests SET wait = CASE WHEN next_at > ? THEN wait + ? ELSE wait END,
				slowed_at = CASE WHEN next_at > ? THEN ? ELSE slowed_at END,
				next_at = ? + CASE WHEN next_at > ? THEN wait + ? ELSE wait END`+
			which+" AND expires_at > ? AND wait < expires_at - created_at RETURNING "+read, append(args, now), dest...)
	})
	if err == nil {
		return storage.Polled{Request: row.record(), GrantID: storage.GrantID(grant), TooSoon: int64(slowed) == now}, nil
	}
	if !errors.Is(err, storage.ErrNotFound) {
		return storage.Polled{}, err
	}
	err = e.read(ctx, "read polled request", func(q querier) error {
		return q.one("SELECT "+read+" FROM polled_requests"+which, key, dest...)
	})
	if err != nil {
		return storage.Polled{}, err
	}
	r := row.record()
	return storage.Polled{Request: r, GrantID: storage.GrantID(grant), TooSoon: r.State != storage.PolledDenied && r.ExpiresAt.After(p.Now)}, nil
}

// DenyPolled implements storage.PolledRequests.
func (e *Engine) DenyPolled(ctx context.Context, d storage.PolledDenial) error {
	return e.burst(ctx, "deny polled request", func(q querier) error {
		if err := q.spend("UPDATE polled_requests SET state = 'denied' WHERE id = ?"+ownPolled+pendingPolled, ref(d.ID), ref(d.User), micro(d.Now)); err != nil {
			return err
		}
		if err := q.putMessages(d.Messages); err != nil {
			return err
		}
		return q.putEvents(d.Events)
	})
}

// PolledOf implements storage.PolledRequests.
func (e *Engine) PolledOf(ctx context.Context, user storage.UserID, now time.Time, limit int) ([]storage.PolledRequest, error) {
	var out []storage.PolledRequest
	err := e.read(ctx, "read polled requests", func(q querier) error {
		out = nil
		return q.each("SELECT "+polledRead+" FROM polled_requests WHERE user_id = ?"+pendingPolled+" ORDER BY created_at DESC, id DESC LIMIT ?",
			[]any{ref(user), micro(now), page(limit)}, func(rows scanner) error {
				var row polledRow
				if err := rows.Scan(row.dest()...); err != nil {
					return err
				}
				r, err := row.opened(e)
				out = append(out, r)
				return err
			})
	})
	return out, err
}

// approvePolled ends a request with a grant.
func (q querier) approvePolled(p storage.PolledEnd, now time.Time) error {
	return q.spend(`UPDATE polled_requests SET state = 'approved', user_id = ?, grant_id = ?,
			expires_at = CASE WHEN expires_at < ? THEN ? ELSE expires_at END
		WHERE id = ?`+ownPolled+pendingPolled,
		ref(p.User), ref(p.GrantID), micro(p.Until), micro(p.Until), ref(p.ID), ref(p.User), micro(now))
}
