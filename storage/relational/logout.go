package relational

import (
	"bytes"
	"context"
	"crypto/sha256"
	"time"

	"sallyport/storage"
)

// logout is what a client is told: that a session has ended, or, without one, all of its user's.
type logout struct {
	client, user, session text
}

// putLogouts writes a message to the clients with a back-channel whose grants match: one for each
// session, or, if all of a user's sessions have ended, one for each client that can do without the
// session. Revoked grants match as others do, because a client may have signed the user in with any
// of its tokens. A client is told once however many callers end a session: only the statement that
// ended it has put its time there, and a second message at that time would have the same ID.
func (q querier) putLogouts(all bool, now time.Time, where string, args ...any) error {
	query := `SELECT DISTINCT g.client_id, CAST(g.user_id AS text), CAST(g.session_id AS text), CASE WHEN c.backchannel_sid THEN 1 ELSE 0 END
		FROM grants g JOIN clients c ON c.id = g.client_id LEFT JOIN sessions s ON s.id = g.session_id
		WHERE c.backchannel AND ` + where
	var messages []storage.Message
	told := map[logout]bool{}
	err := q.each(query, args, func(rows scanner) error {
		var l logout
		var needsSession number
		if err := rows.Scan(&l.client, &l.user, &l.session, &needsSession); err != nil {
			return err
		}
		if all && needsSession == 0 {
			l.session = ""
		} else if l.session == "" {
			return nil
		}
		if !told[l] {
			told[l] = true
			messages = append(messages, l.message(now))
		}
		return nil
	})
	if err != nil || len(messages) == 0 {
		return err
	}
	return q.addMessages(messages, " ON CONFLICT (id) DO NOTHING")
}

func (l logout) message(now time.Time) storage.Message {
	sum := sha256.Sum256([]byte(l.client + "\x00" + l.user + "\x00" + l.session))
	data := map[string]string{storage.LogoutUser: string(l.user)}
	if l.session != "" {
		data[storage.LogoutSession] = string(l.session)
	}
	return storage.Message{ID: storage.MessageID(storage.TimeOrdered(now, bytes.NewReader(sum[:]))), Kind: storage.BackchannelLogout,
		Recipient: string(l.client), Template: storage.LogoutToken, Data: data, CreatedAt: now, NextAt: now, ExpiresAt: now.Add(storage.KeepLogout)}
}

// FrontchannelClients implements storage.Sessions.
func (e *Engine) FrontchannelClients(ctx context.Context, id storage.SessionID) ([]storage.ClientID, error) {
	const query = `SELECT DISTINCT g.client_id FROM grants g JOIN clients c ON c.id = g.client_id WHERE c.frontchannel AND g.session_id = ? ORDER BY g.client_id`
	var out []storage.ClientID
	err := e.read(ctx, "read clients of session", func(q querier) error {
		out = nil
		return q.each(query, []any{ref(id)}, func(rows scanner) error {
			var client text
			err := rows.Scan(&client)
			out = append(out, storage.ClientID(client))
			return err
		})
	})
	return out, err
}
