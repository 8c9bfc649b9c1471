package relational

import (
	"context"
	"encoding/hex"
	"strings"
	"time"

	"sallyport/storage"
)

// statusLast is the state of an initiated status whose last attempt was counted. It reads as
// failed, but that attempt may still turn out right.
const statusLast = "last"

const statusColumns = `hash, exchange, request, client_id, user_id, authenticator_id, method, usage, browser, state,
	attempts, sealed, created_at, verified_at, expires_at`

const statusHead = `h.hash, h.request, h.client_id, CAST(h.user_id AS text), CAST(h.authenticator_id AS text), h.method, h.usage,
	h.browser, h.state, h.attempts, h.sealed, h.created_at, h.verified_at, h.expires_at`

// putStatus stores a status. Its ID is sealed with the method's data, so that it can be
// returned to a caller with only the exchange.
func (q querier) putStatus(s storage.Status) error {
	if s.State == "" {
		s.State = storage.StatusInitiated
	}
	var request []byte
	if s.Request != "" {
		request = q.e.keyring.Hash(requestLabel, string(s.Request))
	}
	hash := q.e.keyring.Hash(statusLabel, string(s.ID))
	sealed, err := q.e.keyring.Seal(statusLabel, hex.EncodeToString(hash), statusSecrets(s))
	if err != nil {
		return err
	}
	in := insertInto("statuses (" + statusColumns + ")")
	in.add(blob(hash), blob(q.e.keyring.Hash(exchangeLabel, string(s.Exchange))), blob(request), clean(s.ClientID), ref(s.UserID),
		ref(s.Authenticator), s.Method, s.Usage, blob(s.Browser), string(s.State), int64(s.Attempts), blob(sealed),
		micro(s.CreatedAt), micro(s.VerifiedAt), micro(s.ExpiresAt))
	return in.run(q, "")
}

// statusSecrets joins the ID and the data; without data there is no line break.
func statusSecrets(s storage.Status) []byte {
	out := []byte(s.ID)
	if s.Data != nil {
		out = append(append(out, '\n'), s.Data...)
	}
	return out
}

// initiate stores a new status of an open request.
func (q querier) initiate(n storage.NewStatus, now time.Time) error {
	s := n.Status
	if s.Request != "" {
		hashes := q.e.keyring.Hashes(requestLabel, string(s.Request))
		set, where := "initiations = initiations + 1, updated_at = ?", "hash IN ? AND state = 'open' AND expires_at > ? AND initiations < ?"
		args, demanded := []any{micro(now)}, []any{hashes, micro(now), int64(n.MaxInitiations)}
		if n.Name != nil {
			one := nameList([][]byte{n.Name})
			set, args = set+", "+addName, append(args, one, one)
			where, demanded = where+" AND "+nameFits, append(demanded, one, int64(nameLength*n.MaxNames))
		}
		err := q.spend("UPDATE auth_requests SET "+set+" WHERE "+where, append(args, demanded...)...)
		if err != nil {
			return err
		}
		if n.Supersede {
			err = q.send(`UPDATE statuses SET state = 'superseded' WHERE request IN ? AND method = ? AND state IN ('initiated', 'last')`,
				hashes, s.Method)
		}
		if err != nil {
			return err
		}
	}
	return q.putStatus(s)
}

// Initiate implements storage.Statuses.
func (e *Engine) Initiate(ctx context.Context, n storage.NewStatus, now time.Time) error {
	return e.counted(ctx, "initiate", sending{n.Sends, n.Toll, now}, func(q querier) error {
		if n.User != nil {
			if err := q.putUser(*n.User); err != nil {
				return err
			}
		}
		if n.Identifier != nil {
			if err := q.putIdentifiers([]storage.Identifier{*n.Identifier}); err != nil {
				return err
			}
		}
		if n.Replace {
			if err := q.send("DELETE FROM statuses WHERE exchange IN ?", e.keyring.Hashes(exchangeLabel, string(n.Status.Exchange))); err != nil {
				return err
			}
		}
		if err := q.initiate(n, now); err != nil {
			return err
		}
		for range n.Idle {
			if err := q.send("UPDATE outbox SET next_at = next_at WHERE id IS NULL"); err != nil {
				return err
			}
		}
		return q.notify(n.Messages, n.Events)
	})
}

// moveStatus is one compare-and-set on the state and all conditions.
func (q querier) moveStatus(m storage.StatusMove, now time.Time) error {
	var set, where assignments
	set.add("state = ?", string(m.To))
	if m.Rotate != "" {
		set.add("exchange = ?", blob(q.e.keyring.Hash(exchangeLabel, string(m.Rotate))))
	}
	if !m.ExpiresAt.IsZero() {
		set.add("expires_at = ?", micro(m.ExpiresAt))
	}
	if m.To == storage.StatusVerified {
		set.add("verified_at = ?", micro(now))
	}
	if m.Data != nil {
		hash := q.e.keyring.Hash(statusLabel, string(m.ID))
		sealed, err := q.e.keyring.Seal(statusLabel, hex.EncodeToString(hash), statusSecrets(storage.Status{ID: m.ID, Data: m.Data}))
		if err != nil {
			return err
		}
		set.add("hash = ?, sealed = ?", blob(hash), blob(sealed))
		where.add("hash IN ?", q.e.keyring.Hashes(statusLabel, string(m.ID)))
	}
	where.add("expires_at > ?", micro(now))
	switch {
	case m.Exchange != "":
		where.add("exchange IN ?", q.e.keyring.Hashes(exchangeLabel, string(m.Exchange)))
	case m.ID != "":
		where.add("hash IN ?", q.e.keyring.Hashes(statusLabel, string(m.ID)))
	default:
		return storage.ErrConflict
	}
	if m.From == storage.StatusInitiated {
		where.add("state IN ('initiated', 'last')")
	} else {
		where.add("state = ?", string(m.From))
	}
	switch {
	case m.Found != "":
		set.add("user_id = ?", ref(m.Found))
		where.add("user_id IS NULL")
	case m.To == storage.StatusVerified || m.To == storage.StatusRedeemed:
		where.add("user_id IS NOT NULL") // a decoy never verifies
	}
	if m.Request != "" {
		where.add("request IN ?", q.e.keyring.Hashes(requestLabel, string(m.Request)))
	}
	if m.User != "" {
		where.add("user_id = ?", ref(m.User))
	}
	if m.Method != "" {
		where.add("method = ?", clean(m.Method))
	}
	if m.Usage != "" {
		where.add("usage = ?", clean(m.Usage))
	}
	return q.spend("UPDATE statuses SET "+strings.Join(set.parts, ", ")+" WHERE "+strings.Join(where.parts, " AND "),
		append(set.args, where.args...)...)
}

// StatusByExchange implements storage.Statuses.
func (e *Engine) StatusByExchange(ctx context.Context, id storage.ExchangeID, now time.Time) (storage.Status, *storage.Account, error) {
	const query = `WITH h AS (SELECT ` + statusColumns + ` FROM statuses WHERE exchange IN ? AND expires_at > ?),
		who (id) AS (SELECT user_id FROM h), ` + accountParts + `
		SELECT ` + statusHead + `, ` + partColumns + ` FROM h LEFT JOIN parts ON TRUE`
	var row statusRow
	var account *storage.Account
	err := e.quick(ctx, "read status", func(q querier) error {
		var err error
		account, err = q.withAccount(query, []any{e.keyring.Hashes(exchangeLabel, string(id)), micro(now)}, row.dest()...)
		return err
	})
	if err != nil {
		return storage.Status{}, nil, err
	}
	s, err := row.record(e)
	return s, account, err
}

// Status implements storage.Statuses.
func (e *Engine) Status(ctx context.Context, id storage.StatusID, now time.Time) (storage.Status, error) {
	return e.status(ctx, "h.hash IN ? AND h.expires_at > ?", e.keyring.Hashes(statusLabel, string(id)), micro(now))
}

// VerifiedStatus implements storage.Statuses.
func (e *Engine) VerifiedStatus(ctx context.Context, id storage.RequestID, usage string, user storage.UserID, now time.Time) (storage.Status, error) {
	return e.status(ctx, `h.request IN ? AND h.usage = ? AND h.user_id = ? AND h.expires_at > ? AND h.state = 'verified'
		ORDER BY h.verified_at DESC, h.created_at DESC LIMIT 1`,
		e.keyring.Hashes(requestLabel, string(id)), clean(usage), ref(user), micro(now))
}

// SentStatus implements storage.Statuses.
func (e *Engine) SentStatus(ctx context.Context, q storage.SentQuery) (storage.Status, error) {
	if len(q.Browser) == 0 {
		return storage.Status{}, storage.ErrNotFound
	}
	where, args := "h.request IN ? AND h.browser IN ? AND h.usage = ? AND h.expires_at > ? AND h.state = 'initiated'",
		[]any{e.keyring.Hashes(requestLabel, string(q.Request)), q.Browser, clean(q.Usage), micro(q.Now)}
	if q.Method != "" {
		where, args = where+" AND h.method = ?", append(args, clean(q.Method))
	}
	return e.status(ctx, where+" ORDER BY h.created_at DESC LIMIT 1", args...)
}

func (e *Engine) status(ctx context.Context, where string, args ...any) (storage.Status, error) {
	var row statusRow
	err := e.quick(ctx, "read status", func(q querier) error {
		return q.one("SELECT "+statusHead+" FROM statuses h WHERE "+where, args, row.dest()...)
	})
	if err != nil {
		return storage.Status{}, err
	}
	return row.record(e)
}

// CancelStatus implements storage.Statuses.
func (e *Engine) CancelStatus(ctx context.Context, id storage.ExchangeID, now time.Time, events []storage.Event) error {
	return e.burst(ctx, "cancel status", func(q querier) error {
		err := q.spend(`UPDATE statuses SET state = 'cancelled'
			WHERE exchange IN ? AND state IN ('initiated', 'verified') AND expires_at > ?`,
			e.keyring.Hashes(exchangeLabel, string(id)), micro(now))
		if err != nil {
			return err
		}
		return q.putEvents(events)
	})
}

type statusRow struct {
	hash, request, browser, sealed    []byte
	client, user, authenticator       text
	method, usage, state              text
	attempts, created, verified, ends number
}

func (r *statusRow) dest() []any {
	return []any{&r.hash, &r.request, &r.client, &r.user, &r.authenticator, &r.method, &r.usage, &r.browser, &r.state, &r.attempts,
		&r.sealed, &r.created, &r.verified, &r.ends}
}

func (r *statusRow) record(e *Engine) (storage.Status, error) {
	s := storage.Status{
		ClientID: storage.ClientID(r.client), UserID: storage.UserID(r.user), Authenticator: storage.AuthenticatorID(r.authenticator),
		Method: string(r.method), Usage: string(r.usage), Browser: r.browser, State: storage.StatusState(r.state),
		Attempts: int(r.attempts), CreatedAt: r.created.time(), VerifiedAt: r.verified.time(), ExpiresAt: r.ends.time(),
		RequestHash: r.request,
	}
	if r.state == statusLast {
		s.State = storage.StatusFailed
	}
	secrets, err := e.keyring.Open(statusLabel, hex.EncodeToString(r.hash), r.sealed)
	if err != nil {
		return s, err
	}
	id, data, found := strings.Cut(string(secrets), "\n")
	s.ID = storage.StatusID(id)
	if found {
		s.Data = []byte(data)
	}
	return s, nil
}
