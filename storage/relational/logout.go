package relational

import (
	"bytes"
	"context"
	"crypto/sha256"
	"slices"
	"time"

	"sallyport/storage"
)

// logout is what a client is told: that a session has ended, or, without one, all of its user's.
type logout struct {
	client, user, session text
}

// ending says which sessions of a user have ended.
type ending int

const (
	endedOne ending = iota
	endedOthers
	endedAll
)

// putLogouts writes a message to the clients with a back-channel whose grants match: one for each
// session, or, if all of a user's sessions have ended, one for each client that can do without the
// session. Revoked grants match as others do, because a client may have signed the user in with any
// of its tokens, and so do those with an unredeemed code: a client may have got an ID token beside it.
// A client is told once however many callers end a session: only the statement that
// ended it has put its time there, and a second message at that time would have the same ID.
func (q querier) putLogouts(e ending, now time.Time, where string, args ...any) error {
	const (
		none   = "CAST(NULL AS text)"
		strict = "CASE WHEN c.backchannel_sid THEN CAST(g.session_id AS text) END"
		named  = " AND g.session_id IS NOT NULL"
	)
	var list []logout
	var err error
	switch e {
	case endedOne:
		list, err = q.logouts("CAST(g.session_id AS text)", where, args)
	case endedOthers:
		list, err = q.logouts("CAST(g.session_id AS text)", where+named+" LIMIT ?", append(slices.Clone(args), storage.MaxLogouts+1))
	case endedAll:
		list, err = q.logouts(strict, where+" AND (NOT c.backchannel_sid OR g.session_id IS NOT NULL) LIMIT ?", append(slices.Clone(args), storage.MaxLogouts+1))
	}
	if err == nil && e != endedOne && len(list) > storage.MaxLogouts {
		var newest []logout
		if list, err = q.logouts(none, where, args); err == nil {
			newest, err = q.logouts(strict, where+named+" AND c.backchannel_sid ORDER BY 3 DESC LIMIT ?", append(slices.Clone(args), storage.MaxLogouts))
		}
		list = append(list, newest...)
	}
	if err != nil || len(list) == 0 {
		return err
	}
	messages := make([]storage.Message, len(list))
	for i, l := range list {
		messages[i] = l.message(now)
	}
	return q.addMessages(messages, " ON CONFLICT (id) DO NOTHING")
}

// logouts returns the clients of the grants that match, each with a user and what session selects.
func (q querier) logouts(session, where string, args []any) ([]logout, error) {
	var out []logout
	err := q.each("SELECT DISTINCT g.client_id, CAST(g.user_id AS text), "+session+`
		FROM grants g JOIN clients c ON c.id = g.client_id LEFT JOIN sessions s ON s.id = g.session_id
		WHERE c.backchannel AND `+where, args, func(rows scanner) error {
		var l logout
		err := rows.Scan(&l.client, &l.user, &l.session)
		out = append(out, l)
		return err
	})
	return out, err
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
