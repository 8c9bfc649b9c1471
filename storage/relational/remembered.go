package relational

import (
	"context"
	"time"

	"sallyport/storage"
)

const (
	rememberedColumns = `id, user_id, factor, generation, rotated_at, user_agent, created_at, last_used_at, expires_at`
	rememberedQuery   = `SELECT CAST(id AS text), CAST(user_id AS text), factor, generation, rotated_at, user_agent, created_at, last_used_at, expires_at
		FROM remembered_devices WHERE user_id = ? AND expires_at > ?`
)

// Remembered implements storage.RememberedDevices.
func (e *Engine) Remembered(ctx context.Context, user storage.UserID, ids []storage.RememberedID, now time.Time) ([]storage.RememberedDevice, error) {
	var out []storage.RememberedDevice
	err := e.quick(ctx, "read remembered devices", func(q querier) error {
		var err error
		out, err = q.remembered(rememberedQuery+" AND id IN ?", ref(user), micro(now), refs(ids))
		return err
	})
	return out, err
}

// RememberedOf implements storage.RememberedDevices.
func (e *Engine) RememberedOf(ctx context.Context, user storage.UserID, now time.Time) ([]storage.RememberedDevice, error) {
	var out []storage.RememberedDevice
	err := e.read(ctx, "list remembered devices", func(q querier) error {
		var err error
		out, err = q.remembered(rememberedQuery+" ORDER BY created_at DESC, id", ref(user), micro(now))
		return err
	})
	return out, err
}

func (q querier) remembered(query string, args ...any) ([]storage.RememberedDevice, error) {
	var out []storage.RememberedDevice
	err := q.each(query, args, func(rows scanner) error {
		var id, user, factor, agent text
		var generation, rotated, created, used, expires number
		if err := rows.Scan(&id, &user, &factor, &generation, &rotated, &agent, &created, &used, &expires); err != nil {
			return err
		}
		d := storage.RememberedDevice{ID: storage.RememberedID(id), UserID: storage.UserID(user), Generation: int64(generation), RotatedAt: rotated.time(),
			UserAgent: string(agent), CreatedAt: created.time(), LastUsedAt: used.time(), ExpiresAt: expires.time()}
		err := decode("factor", factor, &d.Factor)
		out = append(out, d)
		return err
	})
	return out, err
}

// EndRemembered implements storage.RememberedDevices.
func (e *Engine) EndRemembered(ctx context.Context, user storage.UserID, id storage.RememberedID, events []storage.Event) error {
	text, args := "DELETE FROM remembered_devices WHERE user_id = ?", []any{ref(user)}
	if id != "" {
		text, args = text+" AND id = ?", append(args, ref(id))
	}
	return e.step(ctx, "end remembered devices", func(q querier) error {
		if err := q.change(text, args...); err != nil {
			return err
		}
		return q.putEvents(events)
	})
}

// endRemembered ends all remembered devices of a user, and what browsers keep as familiar. It locks
// the user's row first.
func (q querier) endRemembered(user storage.UserID) error {
	if err := q.send("UPDATE users SET devices_ended = devices_ended + 1 WHERE id = ?", ref(user)); err != nil {
		return err
	}
	return q.send("DELETE FROM remembered_devices WHERE user_id = ?", ref(user))
}

// remember stores a device, or replaces the one of its ID.
func (q querier) remember(d storage.RememberedDevice) error {
	d.Factor.At = at(micro(d.Factor.At))
	return q.spend(`INSERT INTO remembered_devices (`+rememberedColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET factor = excluded.factor, generation = excluded.generation, rotated_at = excluded.rotated_at,
			user_agent = excluded.user_agent, last_used_at = excluded.last_used_at, expires_at = excluded.expires_at
		WHERE remembered_devices.user_id = excluded.user_id`,
		ref(d.ID), ref(d.UserID), encode(d.Factor), d.Generation, micro(d.RotatedAt), clean(d.UserAgent), micro(d.CreatedAt), micro(d.LastUsedAt), micro(d.ExpiresAt))
}

// useRemembered is one compare-and-set on the generation. The token before the last one is good
// until it was replaced too long ago, and changes nothing.
func (q querier) useRemembered(u storage.RememberedUse) error {
	return q.spend(`UPDATE remembered_devices SET rotated_at = CASE WHEN generation = ? THEN ? ELSE rotated_at END, generation = ?, last_used_at = ?
		WHERE id = ? AND user_id = ? AND expires_at > ? AND (generation = ? OR generation = ? AND rotated_at > ?)`,
		u.Generation, micro(u.Now), u.Generation+1, micro(u.Now),
		ref(u.ID), ref(u.User), micro(u.Now), u.Generation, u.Generation+1, micro(u.Since))
}
