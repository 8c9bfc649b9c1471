package relational

import (
	"bytes"
	"context"
	"errors"
	"time"

	"sallyport/storage"
)

const (
	ticketLabel     = "ticket:"      // hash and seal purpose, followed by that of the ticket
	ticketCodeLabel = "ticket code:" // hash purpose, followed by purpose and owner of the ticket
	ticketOwner     = "ticket owner" // hash purpose of an address

	ticketColumns  = "id, purpose, user_id, owner, identifier_id, link, code, client_id, sealed, outlives, created_at, expires_at, ended_at"
	ticketReturned = `CAST(id AS text), purpose, CAST(user_id AS text), CAST(identifier_id AS text), client_id, sealed,
		CASE WHEN outlives THEN 1 ELSE 0 END, created_at, expires_at, ended_at`
)

// codeLabel is that of the codes of a user or an address: an ID has no '@'.
func codeLabel(purpose string, user storage.UserID, address string) string {
	return ticketCodeLabel + purpose + ":" + string(user) + address
}

// ownedBy is the condition that a ticket is of a user or of an address.
func (e *Engine) ownedBy(user storage.UserID, address string) (string, any) {
	if address != "" {
		return "owner IN ?", e.keyring.Hashes(ticketOwner, address)
	}
	return "user_id = ?", ref(user)
}

// CreateTicket implements storage.Tickets.
func (e *Engine) CreateTicket(ctx context.Context, n storage.NewTicket, now time.Time) error {
	return e.counted(ctx, "create ticket", sending{n.Sends, n.Toll, now}, func(q querier) error {
		return q.sendTicket(n)
	})
}

// sendTicket stores a ticket with its message.
func (q querier) sendTicket(n storage.NewTicket) error {
	if err := q.putTicket(n.Ticket); err != nil {
		return err
	}
	return q.notify(n.Messages, n.Events)
}

func (q querier) putTicket(t storage.Ticket) error {
	sealed, err := q.e.keyring.Seal(ticketLabel+t.Purpose, string(t.ID), append([]byte(t.Link+"\n"), t.Data...))
	if err != nil {
		return err
	}
	var code, owner []byte
	if t.Code != "" {
		code = q.e.keyring.Hash(codeLabel(t.Purpose, t.UserID, t.Address), t.Code)
	}
	if t.Address != "" {
		owner = q.e.keyring.Hash(ticketOwner, t.Address)
	}
	in := insertInto("tickets (" + ticketColumns + ")")
	in.add(ref(t.ID), clean(t.Purpose), ref(t.UserID), blob(owner), ref(t.Identifier), blob(q.e.keyring.Hash(ticketLabel+t.Purpose, t.Link)), blob(code),
		clean(t.ClientID), blob(sealed), t.Outlives, micro(t.CreatedAt), micro(t.ExpiresAt), int64(0))
	return in.run(q, "")
}

// ticketSecrets returns the secret of the link and the data of an opened column.
func ticketSecrets(plain []byte) (link string, data []byte) {
	secret, data, _ := bytes.Cut(plain, []byte("\n"))
	if len(data) == 0 {
		data = nil
	}
	return string(secret), data
}

// TicketByLink implements storage.Tickets.
func (e *Engine) TicketByLink(ctx context.Context, purpose, link string) (storage.Ticket, error) {
	var out storage.Ticket
	err := e.quick(ctx, "read ticket", func(q querier) error {
		var err error
		out, err = q.ticket("purpose = ? AND link IN ?", clean(purpose), e.keyring.Hashes(ticketLabel+purpose, link))
		return err
	})
	return out, err
}

// GuessTicket implements storage.Tickets.
func (e *Engine) GuessTicket(ctx context.Context, g storage.TicketGuess) (storage.Ticket, error) {
	var out storage.Ticket
	found := false
	err := e.counted(ctx, "guess ticket", sending{[]storage.Throttle{g.Count}, nil, g.Now}, func(q querier) error {
		owned, owner := e.ownedBy(g.User, g.Address)
		t, err := q.ticket(owned+" AND purpose = ? AND code IN ? AND ended_at = 0 AND expires_at > ? LIMIT 1",
			owner, clean(g.Purpose), e.keyring.Hashes(codeLabel(g.Purpose, g.User, g.Address), g.Code), micro(g.Now))
		if found = err == nil; !found {
			if errors.Is(err, storage.ErrNotFound) {
				return nil // what was counted is committed
			}
			return err
		}
		out = t
		return q.forgive([]storage.ThrottleKey{g.Count.Key}, g.Now)
	})
	if err == nil && !found {
		err = storage.ErrNotFound
	}
	return out, err
}

// spendTicket spends a ticket of a user, or of an address, and ends its siblings.
func (q querier) spendTicket(user storage.UserID, s storage.TicketSpend, now time.Time) error {
	var where assignments
	owned, owner := q.e.ownedBy(user, s.Address)
	where.add("id = ? AND "+owned+" AND purpose = ? AND ended_at = 0 AND expires_at > ?", ref(s.ID), owner, clean(s.Purpose), micro(now))
	if s.Proven {
		where.add("EXISTS (SELECT 1 FROM identifiers i WHERE i.id = tickets.identifier_id AND i.user_id = tickets.user_id AND i.verified_at > 0)")
	}
	if s.Secret != "" {
		where.add("EXISTS (SELECT 1 FROM authenticators a WHERE a.id = ? AND a.user_id = tickets.user_id AND a.counter = ?)", ref(s.Secret), s.Was)
	}
	if err := q.spend("UPDATE tickets SET ended_at = ? WHERE "+joined(where, " AND "), append([]any{micro(now)}, where.args...)...); err != nil {
		return err
	}
	if s.Returned != nil {
		if err := q.returned(*s.Returned); err != nil {
			return err
		}
	}
	siblings, args := "", []any{micro(now), owner, clean(s.Purpose)}
	if s.Later {
		siblings, args = " AND created_at >= (SELECT t.created_at FROM tickets t WHERE t.id = ?)", append(args, ref(s.ID))
	}
	return q.send("UPDATE tickets SET ended_at = ? WHERE "+owned+" AND purpose = ? AND ended_at = 0"+siblings, args...)
}

// endTickets ends every ticket of a user.
func (q querier) endTickets(user storage.UserID, now time.Time) error {
	return q.send("UPDATE tickets SET ended_at = ? WHERE user_id = ? AND ended_at = 0", micro(now), ref(user))
}

func (q querier) ticket(where string, args ...any) (storage.Ticket, error) {
	var id, purpose, user, identifier, client text
	var sealed []byte
	var outlives, created, expires, ended number
	err := q.one("SELECT "+ticketReturned+" FROM tickets WHERE "+where, args,
		&id, &purpose, &user, &identifier, &client, &sealed, &outlives, &created, &expires, &ended)
	if err != nil {
		return storage.Ticket{}, err
	}
	t := storage.Ticket{
		ID: storage.TicketID(id), Purpose: string(purpose), UserID: storage.UserID(user), Identifier: storage.IdentifierID(identifier),
		ClientID: storage.ClientID(client), Outlives: outlives == 1, CreatedAt: created.time(), ExpiresAt: expires.time(), EndedAt: ended.time(),
	}
	plain, err := q.e.keyring.Open(ticketLabel+t.Purpose, string(t.ID), sealed)
	if err != nil {
		return storage.Ticket{}, err
	}
	t.Link, t.Data = ticketSecrets(plain)
	return t, nil
}
