package relational

import (
	"context"
	"errors"
	"math"
	"time"

	"sallyport/storage"
)

const (
	clientsTable = "clients"
	expiryFinal  = 1 // expires_at of a client that is being removed
)

// RegisterClient implements storage.Registrations. Concurrent registrations may exceed the limit by as
// many as there are.
func (e *Engine) RegisterClient(ctx context.Context, c storage.Client, maxUnused int, now time.Time, events []storage.Event) error {
	c.CreatedAt, c.UpdatedAt = at(micro(c.CreatedAt)), at(micro(c.UpdatedAt))
	secrets, err := e.sealSecrets(c)
	if err != nil {
		return err
	}
	return e.step(ctx, "register client", func(q querier) error {
		if token := c.Registration.Token; token != "" {
			err := q.change("UPDATE registration_tokens SET uses = uses + 1, used_at = ? WHERE id = ? AND expires_at > ? AND uses < max_uses",
				micro(now), ref(token), micro(now))
			if err != nil {
				return err
			}
		}
		admitted, limit := c.Registration.Token != "", int64(maxUnused)
		if admitted {
			limit = math.MaxInt64
		}
		err := q.spend(`INSERT INTO clients (id, document, secrets, updated_at, used_at, expires_at, admitted)
			SELECT CAST(? AS text), CAST(? AS text), `+e.typed([]string{"bytea"})[0]+`, CAST(? AS bigint), 0, CAST(? AS bigint), CAST(? AS boolean)
			WHERE (SELECT COUNT(*) FROM clients WHERE expires_at > 0 AND used_at = 0 AND NOT admitted) < ? ON CONFLICT (id) DO NOTHING`,
			string(c.ID), encode(c), blob(secrets), micro(c.UpdatedAt), micro(c.Registration.ExpiresAt), admitted, limit)
		if err != nil {
			return err
		}
		return q.changed(clientsVersion, events)
	})
}

// ReplaceRegistration implements storage.Registrations.
func (e *Engine) ReplaceRegistration(ctx context.Context, c storage.Client, was time.Time, forget bool, events []storage.Event) error {
	also := ""
	if forget {
		also = "DELETE FROM consents WHERE client_id = ?"
	}
	return e.replaceClient(ctx, c, was, events, also)
}

// UseClient implements storage.Registrations.
func (e *Engine) UseClient(ctx context.Context, id storage.ClientID, now, keep time.Time) error {
	return e.write(ctx, "use client", func(q querier) error {
		return q.send("UPDATE clients SET used_at = ?, expires_at = ? WHERE id = ? AND expires_at > ? AND used_at < ?",
			micro(now), micro(keep), string(id), expiryFinal, micro(now))
	})
}

// sweepClients removes clients that registered themselves and have expired.
func (e *Engine) sweepClients(ctx context.Context, now time.Time, limit int) (int, error) {
	for total := 0; ; {
		took := e.stopwatch()
		found, removed, err := e.sweepSomeClients(ctx, now, limit)
		if total += removed; err != nil || found < limit {
			return total, err
		}
		if err := rest(ctx, took()); err != nil {
			return total, err
		}
	}
}

// sweepSomeClients finds up to limit clients that have expired, and removes them.
func (e *Engine) sweepSomeClients(ctx context.Context, now time.Time, limit int) (found, removed int, err error) {
	var expired []storage.ClientID
	err = e.read(ctx, "find expired clients", func(q querier) error {
		expired = nil
		return q.each("SELECT id FROM clients WHERE expires_at > 0 AND expires_at <= ? LIMIT ?", []any{micro(now), limit}, func(rows scanner) error {
			var id text
			err := rows.Scan(&id)
			expired = append(expired, storage.ClientID(id))
			return err
		})
	})
	for _, id := range expired {
		if err != nil {
			break
		}
		switch err = e.removeExpired(ctx, id, now); {
		case err == nil:
			removed++
		case errors.Is(err, storage.ErrNotFound): // it was used or deleted meanwhile
			err = nil
		}
	}
	e.meter.swept[clientsTable].Add(int64(removed))
	return len(expired), removed, err
}

// removeExpired removes a client that has expired. It may have more grants than one transaction
// should remove, so its expiry becomes final first: from then on no use keeps it.
func (e *Engine) removeExpired(ctx context.Context, id storage.ClientID, now time.Time) error {
	err := e.step(ctx, "end expired client", func(q querier) error {
		return q.change("UPDATE clients SET expires_at = ? WHERE id = ? AND expires_at > 0 AND expires_at <= ?", expiryFinal, string(id), micro(now))
	})
	if err == nil {
		err = e.deleteGrants(ctx, id, nil)
	}
	if err == nil {
		err = e.removeClient(ctx, id, "DELETE FROM clients WHERE id = ? AND expires_at = ?", string(id), expiryFinal)
	}
	return err
}

const tokenRest = "hash, name, max_uses, uses, created_at, used_at, expires_at"

// CreateRegistrationToken implements storage.Registrations.
func (e *Engine) CreateRegistrationToken(ctx context.Context, t storage.RegistrationToken, events []storage.Event) error {
	return e.step(ctx, "create registration token", func(q querier) error {
		in := insertInto("registration_tokens (id, " + tokenRest + ")")
		in.add(ref(t.ID), blob(t.Hash), clean(t.Name), t.MaxUses, t.Uses, micro(t.CreatedAt), micro(t.UsedAt), micro(t.ExpiresAt))
		if err := in.run(q, ""); err != nil {
			return err
		}
		return q.putEvents(events)
	})
}

// RegistrationToken implements storage.Registrations.
func (e *Engine) RegistrationToken(ctx context.Context, hash []byte) (storage.RegistrationToken, error) {
	found, err := e.registrationTokens(ctx, "WHERE hash = ?", blob(hash))
	if err == nil && len(found) == 0 {
		err = storage.ErrNotFound
	}
	if err != nil {
		return storage.RegistrationToken{}, err
	}
	return found[0], nil
}

// ListRegistrationTokens implements storage.Registrations.
func (e *Engine) ListRegistrationTokens(ctx context.Context) ([]storage.RegistrationToken, error) {
	return e.registrationTokens(ctx, "ORDER BY id DESC")
}

func (e *Engine) registrationTokens(ctx context.Context, which string, args ...any) ([]storage.RegistrationToken, error) {
	var out []storage.RegistrationToken
	err := e.read(ctx, "read registration tokens", func(q querier) error {
		out = nil
		return q.each("SELECT CAST(id AS text), "+tokenRest+" FROM registration_tokens "+which, args, func(rows scanner) error {
			var id, name text
			var hash []byte
			var most, uses, created, used, expires number
			err := rows.Scan(&id, &hash, &name, &most, &uses, &created, &used, &expires)
			out = append(out, storage.RegistrationToken{ID: storage.RegistrationTokenID(id), Hash: hash, Name: string(name), MaxUses: int64(most), Uses: int64(uses),
				CreatedAt: created.time(), UsedAt: used.time(), ExpiresAt: expires.time()})
			return err
		})
	})
	return out, err
}

// DeleteRegistrationToken implements storage.Registrations.
func (e *Engine) DeleteRegistrationToken(ctx context.Context, id storage.RegistrationTokenID, events []storage.Event) error {
	return e.step(ctx, "delete registration token", func(q querier) error {
		if err := q.change("DELETE FROM registration_tokens WHERE id = ?", ref(id)); err != nil {
			return err
		}
		return q.putEvents(events)
	})
}
