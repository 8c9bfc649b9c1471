package relational

import (
	"context"
	"time"

	"sallyport/storage"
)

const keyColumns = "id, use, alg, kek, sealed, created_at, active_at, retired_at, expires_at"

// Keys implements storage.Keys.
func (e *Engine) Keys(ctx context.Context, now time.Time) ([]storage.Key, error) {
	const query = "SELECT " + keyColumns + " FROM keys WHERE expires_at = 0 OR expires_at > ? ORDER BY created_at, id"
	var out []storage.Key
	err := e.read(ctx, "read keys", func(q querier) error {
		out = nil
		return q.each(query, []any{micro(now)}, func(rows scanner) error {
			var id, use, alg, kek text
			var sealed []byte
			var created, active, retired, expires number
			err := rows.Scan(&id, &use, &alg, &kek, &sealed, &created, &active, &retired, &expires)
			out = append(out, storage.Key{
				ID: storage.KeyID(id), Use: string(use), Alg: string(alg), KEK: string(kek), Sealed: sealed,
				CreatedAt: created.time(), ActiveAt: active.time(), RetiredAt: retired.time(), ExpiresAt: expires.time(),
			})
			return err
		})
	})
	return out, err
}

// AddKeys implements storage.Keys. The version counter identifies the first keys: of two
// servers starting concurrently one increments it from zero, and the other, after waiting
// for the row, finds it changed.
func (e *Engine) AddKeys(ctx context.Context, keys []storage.Key, onlyFirst bool, events []storage.Event) error {
	move := "UPDATE versions SET value = value + 1 WHERE name = 'keys'"
	if onlyFirst {
		move += " AND value = 0"
	}
	return e.step(ctx, "add keys", func(q querier) error {
		if err := q.spend(move); err != nil {
			return err
		}
		if err := q.putKeys(keys); err != nil {
			return err
		}
		return q.putEvents(events)
	})
}

func (q querier) putKeys(keys []storage.Key) error {
	in := insertInto("keys (" + keyColumns + ")")
	for _, k := range keys {
		in.add(ref(k.ID), k.Use, k.Alg, k.KEK, blob(k.Sealed), micro(k.CreatedAt), micro(k.ActiveAt), micro(k.RetiredAt), micro(k.ExpiresAt))
	}
	return in.run(q, "")
}

func (q querier) changeKey(k storage.Key) error {
	return q.change("UPDATE keys SET kek = ?, sealed = ?, active_at = ?, retired_at = ?, expires_at = ? WHERE id = ?",
		k.KEK, blob(k.Sealed), micro(k.ActiveAt), micro(k.RetiredAt), micro(k.ExpiresAt), ref(k.ID))
}

// UpdateKey implements storage.Keys.
func (e *Engine) UpdateKey(ctx context.Context, k storage.Key, events []storage.Event) error {
	return e.step(ctx, "update key", func(q querier) error {
		if err := q.changeKey(k); err != nil {
			return err
		}
		return q.changed(keysVersion, events)
	})
}

// ChangeKeys implements storage.Keys. The version counter is the lock: the second of two
// concurrent callers waits for it and finds it changed.
func (e *Engine) ChangeKeys(ctx context.Context, c storage.KeyChange) error {
	return e.step(ctx, "change keys", func(q querier) error {
		if err := q.spend("UPDATE versions SET value = value + 1 WHERE name = 'keys' AND value = ?", c.Version); err != nil {
			return err
		}
		if err := q.putKeys(c.Add); err != nil {
			return err
		}
		for _, k := range c.Change {
			if err := q.changeKey(k); err != nil {
				return err
			}
		}
		return q.putEvents(c.Events)
	})
}
