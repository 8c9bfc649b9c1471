package relational

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"sallyport/storage"
)

const pushedLabel = "pushed"

// PushRequest implements storage.PushedRequests.
func (e *Engine) PushRequest(ctx context.Context, r storage.PushedRequest) error {
	hash := e.keyring.Hash(pushedLabel, string(r.ID))
	params, err := json.Marshal(r.Params)
	if err != nil {
		return fmt.Errorf("write parameters: %w", err)
	}
	if params, err = e.keyring.Seal(pushedLabel, hex.EncodeToString(hash), params); err != nil {
		return err
	}
	return e.burst(ctx, "push request", func(q querier) error {
		in := insertInto("pushed_requests (hash, client_id, params, created_at, opened_at, expires_at)")
		in.add(blob(hash), clean(r.ClientID), blob(params), micro(r.CreatedAt), int64(0), micro(r.ExpiresAt))
		return in.run(q, "")
	})
}

// OpenPushed implements storage.PushedRequests.
func (e *Engine) OpenPushed(ctx context.Context, id storage.PushedID, client storage.ClientID, now, until time.Time) (storage.PushedRequest, error) {
	out := storage.PushedRequest{ID: id, ClientID: client}
	if !plain(client) {
		return out, storage.ErrNotFound
	}
	var hash, params []byte
	var created, opened, expires number
	err := e.write(ctx, "open pushed request", func(q querier) error {
		return q.one(`UPDATE pushed_requests SET expires_at = CASE WHEN opened_at = 0 THEN ? ELSE expires_at END,
				opened_at = CASE WHEN opened_at = 0 THEN ? ELSE opened_at END
			WHERE hash IN ? AND client_id = ? AND expires_at > ? RETURNING hash, params, created_at, opened_at, expires_at`,
			[]any{micro(until), micro(now), e.keyring.Hashes(pushedLabel, string(id)), string(client), micro(now)},
			&hash, &params, &created, &opened, &expires)
	})
	if err != nil {
		return out, err
	}
	plain, err := e.keyring.Open(pushedLabel, hex.EncodeToString(hash), params)
	if err != nil {
		return out, err
	}
	var values url.Values
	err = decode("params", text(plain), &values)
	out.Params, out.CreatedAt, out.OpenedAt, out.ExpiresAt = values, created.time(), opened.time(), expires.time()
	return out, err
}
