package relational

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"sallyport/storage"
)

// outboxListed is the outbox with the state of each message, and whether it is being sent.
const outboxListed = `SELECT outbox.*, CASE WHEN delivered_at > 0 THEN 'delivered' WHEN dead_at > 0 OR (expires_at > 0 AND expires_at <= ?) THEN 'dead'
		WHEN attempts > 0 THEN 'retrying' ELSE 'waiting' END AS state,
		CASE WHEN ` + outboxWaiting + ` AND settled < attempts AND next_at > ? THEN 1 ELSE 0 END AS leased
	FROM outbox`

// outboxIdle is the condition of a message that an operator may resend or drop.
const outboxIdle = "id = ? AND delivered_at = 0 AND sealed IS NOT NULL AND (dead_at > 0 OR settled = attempts OR next_at <= ?)"

// ListMessages implements storage.Outbox. It reads from the newest message on until it has
// found enough: do not search often for what is rare.
func (e *Engine) ListMessages(ctx context.Context, f storage.MessageFilter) ([]storage.MessageRecord, error) {
	where, args := []string{"1 = 1"}, []any{micro(f.Now), micro(f.Now)}
	only := func(set bool, condition string, value any) {
		if set {
			where, args = append(where, condition), append(args, value)
		}
	}
	only(f.ID != "", "o.id = ?", ref(f.ID))
	only(f.State != "", "o.state = ?", string(f.State))
	only(f.Kind != "", "o.kind = ?", clean(f.Kind))
	only(f.Recipient != "", "o.recipient = ?", clean(f.Recipient))
	only(f.Before != "", "o.id < ?", ref(f.Before))
	query := "SELECT " + outboxReturned + ", state, leased FROM (" + outboxListed + ") o WHERE " + strings.Join(where, " AND ") + " ORDER BY o.id DESC LIMIT ?"
	args = append(args, page(f.Limit))
	var out []storage.MessageRecord
	err := e.read(ctx, "list messages", func(q querier) error {
		out = nil
		return q.each(query, args, func(rows scanner) error {
			var state text
			var leased number
			m, sealed, err := scanMessage(rows, &state, &leased)
			if err != nil {
				return err
			}
			q.openMessage(&m, sealed)
			values := slices.Sorted(maps.Keys(m.Data))
			m.Data = nil
			out = append(out, storage.MessageRecord{Message: m, State: storage.MessageState(state), Leased: leased == 1,
				Values: values, Erased: sealed == nil})
			return nil
		})
	})
	return out, err
}

// ResendMessage implements storage.Outbox. The caller accepts that an earlier attempt may have
// arrived: the next one is not an interrupted one.
func (e *Engine) ResendMessage(ctx context.Context, id storage.MessageID, now, expires time.Time, events []storage.Event) error {
	return e.changeMessage(ctx, "resend message", events, "UPDATE outbox SET next_at = ?, expires_at = ?, dead_at = 0, settled = attempts WHERE "+outboxIdle,
		micro(now), micro(expires), ref(id), micro(now))
}

// DropMessage implements storage.Outbox.
func (e *Engine) DropMessage(ctx context.Context, id storage.MessageID, now time.Time, events []storage.Event) error {
	return e.changeMessage(ctx, "drop message", events, `UPDATE outbox SET dead_at = CASE WHEN dead_at = 0 THEN ? ELSE dead_at END,
		last_error = ?, sealed = NULL WHERE `+outboxIdle, micro(now), storage.MessageDropped, ref(id), micro(now))
}

func (e *Engine) changeMessage(ctx context.Context, operation string, events []storage.Event, statement string, args ...any) error {
	return e.burst(ctx, operation, func(q querier) error {
		if err := q.spend(statement, args...); err != nil {
			return err
		}
		return q.putEvents(events)
	})
}
