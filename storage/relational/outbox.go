package relational

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"sallyport/storage"
)

const outboxColumns = `id, kind, recipient, template, locale, sealed, created_at, next_at, expires_at, attempts,
	delivered_at, dead_at, last_error`

const outboxReturned = `CAST(id AS text), kind, recipient, template, locale, sealed, created_at, next_at, expires_at, attempts,
	settled, delivered_at, dead_at, last_error`

// outboxWaiting is the condition of the index of messages that wait.
const outboxWaiting = "delivered_at = 0 AND dead_at = 0"

// putMessages writes messages in the transaction of their cause.
func (q querier) putMessages(messages []storage.Message) error { return q.addMessages(messages, "") }

// addMessages inserts any number of messages. Each has 13 parameters, of which SQLite takes 32766 in
// a statement.
func (q querier) addMessages(messages []storage.Message, ending string) error {
	for chunk := range slices.Chunk(messages, 500) {
		in := insertInto("outbox (" + outboxColumns + ")")
		for _, m := range chunk {
			if err := q.addMessage(in, m); err != nil {
				return err
			}
		}
		if err := in.run(q, ending); err != nil {
			return err
		}
	}
	return nil
}

func (q querier) addMessage(in *insertion, m storage.Message) error {
	var data []byte
	if m.Data != nil {
		var err error
		if data, err = json.Marshal(m.Data); err != nil {
			return fmt.Errorf("write message: %w", err)
		}
	}
	sealed, err := q.e.keyring.Seal(outboxLabel, string(m.ID), data)
	if err != nil {
		return err
	}
	in.add(ref(m.ID), clean(m.Kind), clean(m.Recipient), clean(m.Template), clean(m.Locale), blob(sealed), micro(m.CreatedAt),
		micro(m.NextAt), micro(m.ExpiresAt), int64(0), int64(0), int64(0), "")
	return nil
}

// PutMessages implements storage.Outbox.
func (e *Engine) PutMessages(ctx context.Context, messages []storage.Message, sends []storage.Throttle, now time.Time) error {
	return e.counted(ctx, "put messages", sending{sends, nil, now}, func(q querier) error { return q.putMessages(messages) })
}

// LeaseMessages implements storage.Outbox. A lease moves the next attempt to its end; of
// two servers that choose the same row the second finds it changed.
func (e *Engine) LeaseMessages(ctx context.Context, l storage.Lease) ([]storage.Message, error) {
	const due = outboxWaiting + ` AND kind = ? AND next_at <= ? AND (expires_at = 0 OR expires_at > ?)`
	const query = `UPDATE outbox SET next_at = ?, attempts = attempts + 1
		WHERE id IN (SELECT id FROM outbox WHERE ` + due + ` ORDER BY next_at LIMIT ?) AND ` + due + ` RETURNING ` + outboxReturned
	us := micro(l.Now)
	var out []storage.Message
	err := e.write(ctx, "lease messages", func(q querier) error {
		var err error
		out, err = q.messages(query, micro(l.Now.Add(l.For)), l.Kind, us, us, page(l.Limit), l.Kind, us, us)
		return err
	})
	slices.SortFunc(out, func(a, b storage.Message) int { return cmp.Compare(a.ID, b.ID) })
	return out, err
}

// SettleMessage implements storage.Outbox.
func (e *Engine) SettleMessage(ctx context.Context, d storage.Delivery) error {
	var delivered, dead int64
	switch {
	case d.OK:
		delivered = micro(d.Now)
	case d.Dead:
		dead = micro(d.Now)
	}
	return e.write(ctx, "settle message", func(q querier) error {
		return q.spend(`UPDATE outbox SET settled = attempts, next_at = CASE WHEN ? THEN ? ELSE next_at END, delivered_at = ?, dead_at = ?,
			last_error = ?, sealed = CASE WHEN ? THEN NULL ELSE sealed END
			WHERE id = ? AND attempts = ? AND settled < attempts AND `+outboxWaiting,
			!d.NextAt.IsZero(), micro(d.NextAt), delivered, dead, clean(d.Error), d.OK, ref(d.ID), d.Attempt)
	})
}

// ExpireMessages implements storage.Outbox. A leased message is still being sent: it expires
// once its lease is over.
func (e *Engine) ExpireMessages(ctx context.Context, now time.Time, limit int) ([]storage.Message, error) {
	const late = outboxWaiting + ` AND expires_at > 0 AND expires_at <= ? AND (settled = attempts OR next_at <= ?)`
	const query = `UPDATE outbox SET dead_at = ?, last_error = CASE WHEN last_error = '' THEN 'expired' ELSE 'expired: ' || last_error END
		WHERE id IN (SELECT id FROM outbox WHERE ` + late + ` LIMIT ?) AND ` + late + ` RETURNING ` + outboxReturned
	us := micro(now)
	var out []storage.Message
	err := e.write(ctx, "expire messages", func(q querier) error {
		var err error
		out, err = q.messages(query, us, us, us, page(limit), us, us)
		return err
	})
	return out, err
}

// Message implements storage.Outbox.
func (e *Engine) Message(ctx context.Context, id storage.MessageID) (storage.Message, error) {
	var out storage.Message
	err := e.read(ctx, "read message", func(q querier) error {
		found, err := q.messages("SELECT "+outboxReturned+" FROM outbox WHERE id = ?", ref(id))
		if err == nil && len(found) == 0 {
			err = storage.ErrNotFound
		}
		if err == nil {
			out = found[0]
		}
		return err
	})
	return out, err
}

// OutboxState implements storage.Outbox. Waiting messages are counted by index, dead ones by
// a scan: do not call it often.
func (e *Engine) OutboxState(ctx context.Context, now time.Time) (storage.OutboxState, error) {
	const most = "10000"
	const query = `SELECT w.waiting, w.retrying, w.oldest, (SELECT COUNT(*) FROM (SELECT id FROM outbox WHERE dead_at > 0 LIMIT ` + most + `) d)
		FROM (SELECT COUNT(*) AS waiting, COALESCE(SUM(CASE WHEN attempts > 0 THEN 1 ELSE 0 END), 0) AS retrying, COALESCE(MIN(created_at), 0) AS oldest
			FROM (SELECT attempts, created_at FROM outbox WHERE ` + outboxWaiting + ` AND (expires_at = 0 OR expires_at > ?)
				ORDER BY next_at LIMIT ` + most + `) o) w`
	var waiting, retrying, oldest, dead number
	err := e.read(ctx, "count messages", func(q querier) error {
		return q.one(query, []any{micro(now)}, &waiting, &retrying, &oldest, &dead)
	})
	return storage.OutboxState{Waiting: int(waiting), Retrying: int(retrying), Dead: int(dead), Oldest: oldest.time()}, err
}

func (q querier) messages(query string, args ...any) ([]storage.Message, error) {
	var out []storage.Message
	err := q.each(query, args, func(rows scanner) error {
		m, sealed, err := scanMessage(rows)
		if err != nil {
			return err
		}
		q.openMessage(&m, sealed)
		out = append(out, m)
		return nil
	})
	return out, err
}

// scanMessage scans outboxReturned and what follows it. Data is still sealed; nil: erased.
func scanMessage(rows scanner, more ...any) (m storage.Message, sealed []byte, err error) {
	var id, kind, recipient, template, locale, lastError text
	var created, next, expires, attempts, settled, delivered, dead number
	err = rows.Scan(append([]any{&id, &kind, &recipient, &template, &locale, &sealed, &created, &next, &expires, &attempts, &settled, &delivered, &dead, &lastError}, more...)...)
	return storage.Message{
		ID: storage.MessageID(id), Kind: string(kind), Recipient: string(recipient), Template: string(template), Locale: string(locale),
		CreatedAt: created.time(), NextAt: next.time(), ExpiresAt: expires.time(), Attempts: int(attempts),
		Interrupted: settled < attempts-1,
		DeliveredAt: delivered.time(), DeadAt: dead.time(), LastError: string(lastError),
	}, sealed, err
}

// openMessage sets the data of a message. One that does not open must not keep those beside
// it from being sent or listed.
func (q querier) openMessage(m *storage.Message, sealed []byte) {
	data, err := q.e.keyring.Open(outboxLabel, string(m.ID), sealed)
	if err == nil {
		err = decode("message", text(data), &m.Data)
	}
	if m.Broken = err != nil; m.Broken {
		q.e.log.Error("sealed message does not open", "message", string(m.ID))
	}
}
