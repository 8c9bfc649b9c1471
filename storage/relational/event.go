package relational

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"sallyport/storage"
)

// rowsPerInsert keeps multi-row inserts under the parameter limits of both databases.
const rowsPerInsert = 500

// frequentKinds are those of most logins and tokens. They are not in the index of kinds: where
// they are many, the newest lines have some, and others are found by their time.
const frequentKinds = `'api_key.used', 'code.issued', 'code.redeemed', 'login.finished', 'mfa.initiated', 'mfa.ok', 'password.ok', 'token.issued', 'token.refreshed'`

// rare reports whether a kind is in the index of kinds.
func rare(kind string) bool { return !strings.Contains(frequentKinds, "'"+kind+"'") }

// line is the canonical form of an audit event. What columns hold is left out of the stored text,
// which is a third of a row (docs/decisions/0199).
type line struct {
	ID            storage.EventID   `json:"id,omitempty"`
	At            int64             `json:"at,omitempty"` // Unix microseconds
	Kind          string            `json:"kind,omitempty"`
	Outcome       string            `json:"outcome,omitempty"`
	Actor         string            `json:"actor,omitempty"`
	UserID        storage.UserID    `json:"user_id,omitempty"`
	ClientID      storage.ClientID  `json:"client_id,omitempty"`
	SessionID     storage.SessionID `json:"session_id,omitempty"`
	GrantID       storage.GrantID   `json:"grant_id,omitempty"`
	Address       string            `json:"address,omitempty"`
	UserAgent     string            `json:"user_agent,omitempty"`
	CorrelationID string            `json:"correlation_id,omitempty"`
	Login         string            `json:"login,omitempty"`
	Detail        map[string]string `json:"detail,omitempty"`
}

const (
	// selectEvents selects what eventOf scans.
	selectEvents = "SELECT CAST(id AS text), at, kind, CAST(user_id AS text), client_id, correlation_id, login, canonical FROM events WHERE "
	// The name of the table makes it the column and not the text above.
	newestFirst = " ORDER BY events.id DESC LIMIT "
)

// putEvents writes audit lines in one statement. Existing lines do not change, so that a
// journal can repeat unacknowledged writes.
func (q querier) putEvents(events []storage.Event) error {
	for part := range slices.Chunk(events, rowsPerInsert) {
		in := insertInto("events (id, at, kind, user_id, client_id, correlation_id, login, canonical)")
		for _, e := range part {
			in.add(ref(e.ID), micro(e.At), clean(e.Kind), ref(e.UserID), clean(e.ClientID), clean(e.CorrelationID), clean(e.Login),
				encode(line{Outcome: e.Outcome, Actor: e.Actor, SessionID: e.SessionID, GrantID: e.GrantID, Address: e.Address, UserAgent: e.UserAgent, Detail: e.Detail}))
		}
		if err := in.run(q, "ON CONFLICT (id) DO NOTHING"); err != nil {
			return err
		}
	}
	if q.written != nil {
		*q.written = append(*q.written, events...)
	}
	return nil
}

// AppendEvents implements storage.Events.
func (e *Engine) AppendEvents(ctx context.Context, events []storage.Event, messages ...storage.Message) error {
	if len(events)+len(messages) == 0 {
		return nil
	}
	return e.burst(ctx, "append events", func(q querier) error {
		if err := q.addMessages(messages, "ON CONFLICT (id) DO NOTHING"); err != nil {
			return err
		}
		return q.putEvents(events)
	})
}

// ListEvents implements storage.Events.
func (e *Engine) ListEvents(ctx context.Context, f storage.EventFilter) ([]storage.Event, error) {
	where, args := []string{"1 = 1"}, []any{}
	only := func(set bool, condition string, values ...any) {
		if set {
			where, args = append(where, condition), append(args, values...)
		}
	}
	only(f.UserID != "", "user_id = ?", ref(f.UserID))
	only(f.ClientID != "", "client_id = ?", clean(f.ClientID))
	only(f.Kind != "", "kind = ?", clean(f.Kind))
	only(len(f.Kinds) > 0, "kind IN ?", f.Kinds)
	// These conditions let the database use the partial indexes.
	if f.Kind != "" && rare(f.Kind) || len(f.Kinds) > 0 && !slices.ContainsFunc(f.Kinds, func(k string) bool { return !rare(k) }) {
		where = append(where, "kind NOT IN ("+frequentKinds+")")
	}
	only(f.CorrelationID != "", "correlation_id = ? AND correlation_id <> ''", clean(f.CorrelationID))
	only(f.Login != "", "login = ? AND login <> ''", clean(f.Login))
	// IDs are in the order of time, and bound what is looked at.
	only(!f.From.IsZero(), "at >= ? AND id >= ?", micro(f.From), firstOf(f.From))
	only(!f.To.IsZero(), "at < ? AND id < ?", micro(f.To), firstOf(f.To.Add(time.Millisecond)))
	only(f.Before != "", "id < ?", ref(f.Before))
	query := selectEvents + strings.Join(where, " AND ") + newestFirst + "?"
	args = append(args, page(f.Limit))
	var out []storage.Event
	err := e.read(ctx, "list events", func(q querier) error {
		out = nil
		return q.each(query, args, func(rows scanner) error {
			event, err := eventOf(rows)
			out = append(out, event)
			return err
		})
	})
	return out, err
}

// firstOf returns the lowest ID of an event of a millisecond.
func firstOf(t time.Time) any {
	return ref(storage.EventID(storage.TimeOrdered(t, zeros{})))
}

// eventOf reads an event. Lines of versions before hold all of it in their text, too.
func eventOf(rows scanner) (storage.Event, error) {
	var id, kind, user, client, correlation, login, stored text
	var when number
	if err := rows.Scan(&id, &when, &kind, &user, &client, &correlation, &login, &stored); err != nil {
		return storage.Event{}, err
	}
	var l line
	if err := decode("event", stored, &l); err != nil {
		return storage.Event{}, err
	}
	l.ID, l.At, l.Kind, l.UserID = storage.EventID(id), int64(when), string(kind), storage.UserID(user)
	l.ClientID, l.CorrelationID, l.Login = storage.ClientID(client), string(correlation), string(login)
	canonical, err := json.Marshal(l)
	return storage.Event{
		ID: l.ID, At: when.time(), Kind: l.Kind, Outcome: l.Outcome, Actor: l.Actor, UserID: l.UserID,
		ClientID: l.ClientID, SessionID: l.SessionID, GrantID: l.GrantID, Address: l.Address,
		UserAgent: l.UserAgent, CorrelationID: l.CorrelationID, Login: l.Login, Detail: l.Detail, Canonical: canonical,
	}, err
}

// page bounds the number of rows of a list.
func page(limit int) int { return min(max(limit, 1), 1000) }
