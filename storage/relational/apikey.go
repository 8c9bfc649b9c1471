package relational

import (
	"bytes"
	"context"
	"time"

	"sallyport/storage"
)

// apiKeysWhere and apiKeysOrder, around a condition, read keys with one row per hash.
const (
	apiKeysWhere = `SELECT CAST(k.id AS text), k.name, k.dialects, k.verbs, k.project, k.app, k.disabled, k.expires_at,
		k.created_at, k.updated_at, k.last_used_at, CAST(k.maker AS text), s.hash FROM api_keys k LEFT JOIN api_key_secrets s ON s.key_id = k.id `
	apiKeysOrder = " ORDER BY k.name, s.position"
	// apiKeyLine begins a query for a key and its makers.
	apiKeyLine     = "WITH RECURSIVE line (id, maker, depth) AS (SELECT id, maker, 0 FROM api_keys WHERE id = "
	apiKeyLineRest = ` UNION ALL SELECT m.id, m.maker, line.depth + 1 FROM api_keys m JOIN line ON m.id = line.maker WHERE line.depth < ?) `
	apiKeyLineTail = "JOIN line ON line.id = k.id ORDER BY line.depth, s.position"
)

// APIKey implements storage.APIKeys.
func (e *Engine) APIKey(ctx context.Context, id storage.APIKeyID) (storage.APIKey, error) {
	found, err := e.apiKeys(ctx, apiKeysWhere+"WHERE k.id = ?"+apiKeysOrder, ref(id))
	if err == nil && len(found) == 0 {
		err = storage.ErrNotFound
	}
	if err != nil {
		return storage.APIKey{}, err
	}
	return found[0], nil
}

// APIKeyLine implements storage.APIKeys.
func (e *Engine) APIKeyLine(ctx context.Context, id storage.APIKeyID) ([]storage.APIKey, error) {
	return e.apiKeyLine(ctx, "?", ref(id))
}

// APIKeyByHash implements storage.APIKeys.
func (e *Engine) APIKeyByHash(ctx context.Context, hash []byte) ([]storage.APIKey, error) {
	return e.apiKeyLine(ctx, "(SELECT key_id FROM api_key_secrets WHERE hash = ?)", blob(hash))
}

func (e *Engine) apiKeyLine(ctx context.Context, which string, arg any) ([]storage.APIKey, error) {
	found, err := e.apiKeys(ctx, apiKeyLine+which+apiKeyLineRest+apiKeysWhere+apiKeyLineTail, arg, storage.MaxMakers)
	if err == nil && len(found) == 0 {
		err = storage.ErrNotFound
	}
	return found, err
}

// APIKeyHash implements storage.APIKeys.
func (e *Engine) APIKeyHash(ctx context.Context, prefix []byte) ([]byte, error) {
	const hashBytes = 32
	if len(prefix) == 0 || len(prefix) > hashBytes {
		return nil, storage.ErrNotFound
	}
	last := append(bytes.Clone(prefix), bytes.Repeat([]byte{0xff}, hashBytes-len(prefix))...)
	var found [][]byte
	err := e.read(ctx, "find API key", func(q querier) error {
		found = nil
		return q.each("SELECT hash FROM api_key_secrets WHERE hash BETWEEN ? AND ? LIMIT 2", []any{blob(prefix), blob(last)}, func(rows scanner) error {
			var hash []byte
			err := rows.Scan(&hash)
			found = append(found, hash)
			return err
		})
	})
	if err == nil && len(found) != 1 {
		err = storage.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

// ListAPIKeys implements storage.APIKeys.
func (e *Engine) ListAPIKeys(ctx context.Context) ([]storage.APIKey, error) {
	return e.apiKeys(ctx, apiKeysWhere+apiKeysOrder)
}

func (e *Engine) apiKeys(ctx context.Context, query string, args ...any) ([]storage.APIKey, error) {
	var out []storage.APIKey
	err := e.read(ctx, "read API keys", func(q querier) error {
		out = nil
		return q.each(query, args, func(rows scanner) error {
			k, err := apiKeyOf(rows)
			if err != nil {
				return err
			}
			if n := len(out); n > 0 && out[n-1].ID == k.ID {
				out[n-1].Hashes = append(out[n-1].Hashes, k.Hashes...)
				return nil
			}
			out = append(out, k)
			return nil
		})
	})
	return out, err
}

func apiKeyOf(rows scanner) (storage.APIKey, error) {
	var id, name, dialects, verbs, project, app, maker text
	var disabled bool
	var expires, created, updated, used number
	var hash []byte
	err := rows.Scan(&id, &name, &dialects, &verbs, &project, &app, &disabled, &expires, &created, &updated, &used, &maker, &hash)
	if err != nil {
		return storage.APIKey{}, err
	}
	k := storage.APIKey{ID: storage.APIKeyID(id), Name: string(name), Project: string(project), App: string(app), Disabled: disabled, Maker: storage.APIKeyID(maker),
		ExpiresAt: expires.time(), CreatedAt: created.time(), UpdatedAt: updated.time(), LastUsedAt: used.time()}
	if hash != nil {
		k.Hashes = [][]byte{hash}
	}
	if err := decode("dialects", dialects, &k.Dialects); err != nil {
		return k, err
	}
	err = decode("verbs", verbs, &k.Verbs)
	return k, err
}

// CreateAPIKey implements storage.APIKeys.
func (e *Engine) CreateAPIKey(ctx context.Context, k storage.APIKey, events []storage.Event) error {
	return e.step(ctx, "create API key", func(q querier) error {
		if err := q.lockMaker(k); err != nil {
			return err
		}
		err := q.send(`INSERT INTO api_keys (id, name, dialects, verbs, project, app, disabled, expires_at, created_at, updated_at, last_used_at, maker)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			ref(k.ID), clean(k.Name), list(k.Dialects), list(k.Verbs), clean(k.Project), clean(k.App), k.Disabled,
			micro(k.ExpiresAt), micro(k.CreatedAt), micro(k.UpdatedAt), micro(k.LastUsedAt), ref(k.Maker))
		if err != nil {
			return err
		}
		if err := q.putHashes(k); err != nil {
			return err
		}
		return q.changed(apiKeysVersion, events)
	})
}

// lockMaker locks the maker of a new key, so that of a concurrent deletion and creation the
// second sees the first.
func (q querier) lockMaker(k storage.APIKey) error {
	if k.Maker == "" {
		return nil
	}
	return q.change("UPDATE api_keys SET disabled = disabled WHERE id = ? AND NOT disabled AND (expires_at = 0 OR expires_at > ?)",
		ref(k.Maker), micro(k.CreatedAt))
}

// ReplaceAPIKey implements storage.APIKeys.
func (e *Engine) ReplaceAPIKey(ctx context.Context, k storage.APIKey, was time.Time, events []storage.Event) error {
	return e.step(ctx, "replace API key", func(q querier) error {
		err := q.spend(`UPDATE api_keys SET name = ?, dialects = ?, verbs = ?, project = ?, app = ?, disabled = ?, expires_at = ?, updated_at = ?
			WHERE id = ? AND updated_at = ?`,
			clean(k.Name), list(k.Dialects), list(k.Verbs), clean(k.Project), clean(k.App), k.Disabled, micro(k.ExpiresAt), micro(k.UpdatedAt),
			ref(k.ID), micro(was))
		if err != nil {
			return err
		}
		if err := q.send("DELETE FROM api_key_secrets WHERE key_id = ?", ref(k.ID)); err != nil {
			return err
		}
		if err := q.putHashes(k); err != nil {
			return err
		}
		return q.changed(apiKeysVersion, events)
	})
}

func (q querier) putHashes(k storage.APIKey) error {
	in := insertInto("api_key_secrets (hash, key_id, position)")
	for i, hash := range k.Hashes {
		in.add(blob(hash), ref(k.ID), i)
	}
	return in.run(q, "")
}

// DeleteAPIKey implements storage.APIKeys.
func (e *Engine) DeleteAPIKey(ctx context.Context, id storage.APIKeyID, events []storage.Event) error {
	return e.step(ctx, "delete API key", func(q querier) error {
		if err := q.change("DELETE FROM api_keys WHERE id = ?", ref(id)); err != nil {
			return err
		}
		return q.changed(apiKeysVersion, events)
	})
}

// TouchAPIKeys implements storage.APIKeys.
func (e *Engine) TouchAPIKeys(ctx context.Context, used map[storage.APIKeyID]time.Time) error {
	if len(used) == 0 {
		return nil
	}
	return e.step(ctx, "touch API keys", func(q querier) error {
		for t, ids := range bySecond(used) {
			err := q.send("UPDATE api_keys SET last_used_at = ? WHERE id IN ? AND last_used_at < ?", micro(t), refs(ids), micro(t))
			if err != nil {
				return err
			}
		}
		return nil
	})
}
