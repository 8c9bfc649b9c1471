package relational

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sallyport/storage"
	"sallyport/storage/seal"
)

// Names of the version counters.
const (
	clientsVersion = "clients"
	apiKeysVersion = "api_keys"
	keysVersion    = "keys"
)

// Client implements storage.Clients.
func (e *Engine) Client(ctx context.Context, id storage.ClientID) (storage.Client, error) {
	if !plain(id) {
		return storage.Client{}, storage.ErrNotFound
	}
	var row clientRow
	err := e.read(ctx, "read client", func(q querier) error {
		return q.one("SELECT "+clientColumns+" FROM clients WHERE id = ?", []any{string(id)}, row.dest()...)
	})
	if err != nil {
		return storage.Client{}, err
	}
	return e.clientOf(&row)
}

const (
	clientColumns = "document, secrets, used_at, expires_at"
	clientLabel   = "client" // of its sealed secrets
)

// clientRow is a row of clients.
type clientRow struct {
	document      text
	secrets       []byte
	used, expires number
}

func (r *clientRow) dest() []any { return []any{&r.document, &r.secrets, &r.used, &r.expires} }

// clientOf returns the client in a row. If its secrets do not open, they were changed or moved here from
// another row: the client is broken, and the others keep working.
func (e *Engine) clientOf(r *clientRow) (storage.Client, error) {
	var c storage.Client
	if err := decode("client", r.document, &c); err != nil {
		return c, err
	}
	if c.Registration != nil {
		c.Registration.UsedAt, c.Registration.ExpiresAt = r.used.time(), r.expires.time()
	}
	if r.secrets == nil {
		return c, nil
	}
	plain, err := e.keyring.Open(clientLabel, string(c.ID), r.secrets)
	if errors.Is(err, seal.ErrTampered) {
		e.log.Error("sealed secrets do not open", "client", string(c.ID))
		c.Broken = true
		return c, nil
	}
	if err != nil {
		return c, fmt.Errorf("secrets of client %q: %w", c.ID, err)
	}
	return c, decode("secrets of a client", text(plain), &c.Secrets)
}

// sealSecrets returns the secrets of a client as its row has them; nil: it has none.
func (e *Engine) sealSecrets(c storage.Client) ([]byte, error) {
	if len(c.Secrets) == 0 {
		return nil, nil
	}
	plain, err := json.Marshal(c.Secrets)
	if err != nil {
		return nil, fmt.Errorf("write secrets of a client: %w", err)
	}
	return e.keyring.Seal(clientLabel, string(c.ID), plain)
}

// ListClients implements storage.Clients.
func (e *Engine) ListClients(ctx context.Context) ([]storage.Client, error) {
	var out []storage.Client
	err := e.read(ctx, "list clients", func(q querier) error {
		out = nil
		return q.each("SELECT "+clientColumns+" FROM clients ORDER BY id", nil, func(rows scanner) error {
			var row clientRow
			if err := rows.Scan(row.dest()...); err != nil {
				return err
			}
			c, err := e.clientOf(&row)
			out = append(out, c)
			return err
		})
	})
	return out, err
}

// PutClient implements storage.Clients.
func (e *Engine) PutClient(ctx context.Context, c storage.Client, events []storage.Event) error {
	c.CreatedAt, c.UpdatedAt = at(micro(c.CreatedAt)), at(micro(c.UpdatedAt))
	secrets, err := e.sealSecrets(c)
	if err != nil {
		return err
	}
	return e.step(ctx, "put client", func(q querier) error {
		err := q.send(`INSERT INTO clients (id, document, secrets, updated_at) VALUES (?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET document = excluded.document, secrets = excluded.secrets, updated_at = excluded.updated_at`,
			string(c.ID), encode(c), blob(secrets), micro(c.UpdatedAt))
		if err != nil {
			return err
		}
		return q.changed(clientsVersion, events)
	})
}

// ReplaceClient implements storage.Clients.
func (e *Engine) ReplaceClient(ctx context.Context, c storage.Client, was time.Time, events []storage.Event) error {
	return e.replaceClient(ctx, c, was, events, "")
}

// replaceClient replaces a client, and then runs a statement about its ID; "": none.
func (e *Engine) replaceClient(ctx context.Context, c storage.Client, was time.Time, events []storage.Event, also string) error {
	c.CreatedAt, c.UpdatedAt = at(micro(c.CreatedAt)), at(micro(c.UpdatedAt))
	secrets, err := e.sealSecrets(c)
	if err != nil {
		return err
	}
	return e.step(ctx, "replace client", func(q querier) error {
		var err error
		if was.IsZero() {
			err = q.spend("INSERT INTO clients (id, document, secrets, updated_at) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
				string(c.ID), encode(c), blob(secrets), micro(c.UpdatedAt))
		} else {
			set := "document = ?, secrets = ?, updated_at = ?"
			if c.Registration == nil {
				set += ", expires_at = 0, used_at = 0"
			}
			err = q.spend("UPDATE clients SET "+set+" WHERE id = ? AND updated_at = ?",
				encode(c), blob(secrets), micro(c.UpdatedAt), string(c.ID), micro(was))
		}
		if err == nil && also != "" {
			err = q.send(also, string(c.ID))
		}
		if err != nil {
			return err
		}
		return q.changed(clientsVersion, events)
	})
}

// changed increments a version counter and writes the audit lines of the change.
func (q querier) changed(version string, events []storage.Event) error {
	if err := q.change("UPDATE versions SET value = value + 1 WHERE name = ?", version); err != nil {
		return err
	}
	return q.putEvents(events)
}

// deleteBatch is the number of rows removed in one transaction.
const deleteBatch = 1000

// DeleteClient implements storage.Clients. A client may have millions of grants: they are
// removed in batches first, and new ones with the client. The first batch writes the events,
// so that an interrupted deletion is logged too.
func (e *Engine) DeleteClient(ctx context.Context, id storage.ClientID, events []storage.Event) error {
	if _, err := e.Client(ctx, id); err != nil {
		return err
	}
	if err := e.deleteGrants(ctx, id, events); err != nil {
		return err
	}
	return e.removeClient(ctx, id, "DELETE FROM clients WHERE id = ?", string(id))
}

// deleteGrants removes the grants of a client in batches. The first one writes the events.
func (e *Engine) deleteGrants(ctx context.Context, id storage.ClientID, events []storage.Event) error {
	for more := true; more; {
		err := e.step(ctx, "delete grants", func(q querier) error {
			n, err := q.exec("DELETE FROM grants WHERE id IN (SELECT id FROM grants WHERE client_id = ? LIMIT ?)", string(id), deleteBatch)
			if err != nil {
				return err
			}
			more = n == deleteBatch
			return q.putEvents(events)
		})
		if err != nil {
			return err
		}
		events = nil // written
	}
	return nil
}

// removeClient removes a client by a statement, with what belongs to it.
func (e *Engine) removeClient(ctx context.Context, id storage.ClientID, remove string, args ...any) error {
	return e.step(ctx, "delete client", func(q querier) error {
		if err := q.change(remove, args...); err != nil {
			return err
		}
		for _, text := range []string{
			"DELETE FROM consents WHERE client_id = ?",
			"DELETE FROM grants WHERE client_id = ?",
			"DELETE FROM pushed_requests WHERE client_id = ?",
			"DELETE FROM polled_requests WHERE client_id = ?",
		} {
			if err := q.send(text, string(id)); err != nil {
				return err
			}
		}
		return q.changed(clientsVersion, nil)
	})
}

// Versions implements storage.Clients.
func (e *Engine) Versions(ctx context.Context) (map[string]int64, error) {
	out := map[string]int64{}
	err := e.read(ctx, "read versions", func(q querier) error {
		return q.each("SELECT name, value FROM versions", nil, func(rows scanner) error {
			var name text
			var value int64
			err := rows.Scan(&name, &value)
			out[string(name)] = value
			return err
		})
	})
	return out, err
}

// putConsent stores a consent; since is as in storage.Finish. A change to the client that is under way
// is waited for, and the next one removes the consent if it must.
func (q querier) putConsent(c storage.Consent, since time.Time) error {
	values := "VALUES (?, ?, ?, ?, ?, ?)"
	args := []any{ref(c.UserID), clean(c.ClientID), list(c.Scopes), list(c.Declined), list(c.Resources), micro(c.GrantedAt)}
	if !since.IsZero() {
		id, lock := "CAST(? AS text)", "" // SQLite has one writer
		if q.e.dialect == postgresDialect {
			id, lock = "CAST(? AS uuid)", " FOR SHARE"
		}
		values = "SELECT " + id + `, CAST(? AS text), CAST(? AS text), CAST(? AS text), CAST(? AS text), CAST(? AS bigint)
			FROM clients WHERE id = ? AND updated_at <= ?` + lock
		args = append(args, clean(c.ClientID), micro(since))
	}
	return q.send("INSERT INTO consents (user_id, client_id, scopes, declined, resources, granted_at) "+values+`
		ON CONFLICT (user_id, client_id) DO UPDATE SET scopes = excluded.scopes, declined = excluded.declined, resources = excluded.resources,
		granted_at = excluded.granted_at`, args...)
}

// Consent implements storage.Clients.
func (e *Engine) Consent(ctx context.Context, user storage.UserID, client storage.ClientID) (storage.Consent, error) {
	if !plain(client) {
		return storage.Consent{}, storage.ErrNotFound
	}
	found, err := e.consents(ctx, "user_id = ? AND client_id = ?", ref(user), string(client))
	if err != nil {
		return storage.Consent{}, err
	}
	if len(found) == 0 {
		return storage.Consent{}, storage.ErrNotFound
	}
	return found[0], nil
}

// ConsentsOf implements storage.Clients.
func (e *Engine) ConsentsOf(ctx context.Context, user storage.UserID) ([]storage.Consent, error) {
	return e.consents(ctx, "user_id = ?", ref(user))
}

func (e *Engine) consents(ctx context.Context, where string, args ...any) ([]storage.Consent, error) {
	query := "SELECT CAST(user_id AS text), client_id, scopes, declined, resources, granted_at FROM consents WHERE " + where + " ORDER BY client_id"
	var out []storage.Consent
	err := e.read(ctx, "read consents", func(q querier) error {
		out = nil
		return q.each(query, args, func(rows scanner) error {
			var user, client, scopes, declined, resources text
			var granted number
			if err := rows.Scan(&user, &client, &scopes, &declined, &resources, &granted); err != nil {
				return err
			}
			c := storage.Consent{UserID: storage.UserID(user), ClientID: storage.ClientID(client), GrantedAt: granted.time()}
			err := errors.Join(decode("scopes", scopes, &c.Scopes), decode("declined scopes", declined, &c.Declined), decode("resources", resources, &c.Resources))
			out = append(out, c)
			return err
		})
	})
	return out, err
}

// WithdrawConsent implements storage.Clients. A client that skips consent has none to
// remove, but grants to end.
func (e *Engine) WithdrawConsent(ctx context.Context, user storage.UserID, client storage.ClientID, now time.Time, events []storage.Event) error {
	if !plain(client) {
		return storage.ErrNotFound
	}
	return e.step(ctx, "withdraw consent", func(q querier) error {
		consents, err := q.exec("DELETE FROM consents WHERE user_id = ? AND client_id = ?", ref(user), string(client))
		if err != nil {
			return err
		}
		grants, err := q.exec(`UPDATE grants SET revoked_at = ?, revoke_reason = 'consent'
			WHERE user_id = ? AND client_id = ? AND revoked_at = 0`, micro(now), ref(user), string(client))
		if err != nil {
			return err
		}
		if consents+grants == 0 {
			return storage.ErrNotFound
		}
		return q.putEvents(events)
	})
}
