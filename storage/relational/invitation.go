package relational

import (
	"context"
	"strings"
	"time"

	"sallyport/storage"
)

const (
	invitationColumns  = "id, user_id, identifier_id, actor, inviter, client_id, created_user, sent, created_at, sent_at, expires_at, accepted_at"
	invitationReturned = `CAST(id AS text), CAST(user_id AS text), CAST(identifier_id AS text), actor, inviter, client_id,
		CASE WHEN created_user THEN 1 ELSE 0 END, sent, created_at, sent_at, expires_at, accepted_at`

	// lockPending locks a user who is pending. Like every change of a user it comes first, so that
	// concurrent changes wait for each other in one order.
	lockPending = "UPDATE users SET status = status WHERE id = ? AND status = 'pending'"
)

// CreateInvitation implements storage.Invitations.
func (e *Engine) CreateInvitation(ctx context.Context, n storage.NewInvitation, now time.Time) error {
	i := n.Invitation
	return e.counted(ctx, "create invitation", sending{n.Ticket.Sends, n.Ticket.Toll, now}, func(q querier) error {
		var err error
		if n.User != nil {
			err = q.putUser(*n.User)
		} else {
			err = q.spend(lockPending, ref(i.UserID))
		}
		if err != nil {
			return err
		}
		in := insertInto("invitations (" + invitationColumns + ")")
		in.add(ref(i.ID), ref(i.UserID), ref(i.Identifier), clean(i.Actor), clean(i.Inviter), clean(i.ClientID), i.Created, int64(1), micro(i.CreatedAt),
			micro(i.SentAt), micro(i.ExpiresAt), int64(0))
		if err := in.run(q, ""); err != nil {
			return err
		}
		return q.sendTicket(n.Ticket)
	})
}

// RenewInvitation implements storage.Invitations.
func (e *Engine) RenewInvitation(ctx context.Context, id storage.InvitationID, t storage.NewTicket, now time.Time) error {
	return e.counted(ctx, "renew invitation", sending{t.Sends, t.Toll, now}, func(q querier) error {
		if err := q.spend(lockPending, ref(t.Ticket.UserID)); err != nil {
			return err
		}
		err := q.spend("UPDATE invitations SET sent = sent + 1, identifier_id = ?, sent_at = ?, expires_at = ?, accepted_at = 0 WHERE id = ? AND user_id = ?",
			ref(t.Ticket.Identifier), micro(t.Ticket.CreatedAt), micro(t.Ticket.ExpiresAt), ref(id), ref(t.Ticket.UserID))
		if err != nil {
			return err
		}
		return q.sendTicket(t)
	})
}

// acceptInvitation marks the invitation of a user who becomes active, whose row is locked.
func (q querier) acceptInvitation(user storage.UserID, now time.Time) error {
	if err := q.send("UPDATE invitations SET accepted_at = ? WHERE user_id = ? AND accepted_at = 0", micro(now), ref(user)); err != nil {
		return err
	}
	return q.endInvitationTickets(user, now)
}

func (q querier) endInvitationTickets(user storage.UserID, now time.Time) error {
	return q.send("UPDATE tickets SET ended_at = ? WHERE user_id = ? AND purpose = ? AND ended_at = 0", micro(now), ref(user), storage.PurposeInvitation)
}

// EndInvitation implements storage.Invitations.
func (e *Engine) EndInvitation(ctx context.Context, x storage.InvitationEnd) (bool, error) {
	i, removed := x.Invitation, int64(0)
	err := e.step(ctx, "end invitation", func(q querier) error {
		removed = 0
		if err := q.spend("UPDATE users SET status = status WHERE id = ?", ref(i.UserID)); err != nil {
			return err
		}
		where, args := "id = ? AND user_id = ? AND accepted_at = 0", []any{ref(i.ID), ref(i.UserID)}
		if !x.Expired.IsZero() {
			where, args = where+" AND expires_at <= ?", append(args, micro(x.Expired))
		}
		if err := q.spend("DELETE FROM invitations WHERE "+where, args...); err != nil {
			return err
		}
		if err := q.endInvitationTickets(i.UserID, x.Now); err != nil {
			return err
		}
		if i.Created {
			var err error
			removed, err = q.exec(`DELETE FROM users WHERE id = ? AND status = 'pending' AND updated_at = created_at
				AND NOT EXISTS (SELECT 1 FROM authenticators a WHERE a.user_id = users.id)
				AND NOT EXISTS (SELECT 1 FROM identifiers n WHERE n.user_id = users.id AND (n.id <> ? OR n.verified_at > 0))`,
				ref(i.UserID), ref(i.Identifier))
			if err != nil {
				return err
			}
		}
		if removed == 0 {
			return q.putEvents(x.Events)
		}
		if err := q.dropLogins(i.UserID); err != nil {
			return err
		}
		return q.putEvents(append(x.Events[:len(x.Events):len(x.Events)], x.Removal...))
	})
	return err == nil && removed > 0, err
}

// ListInvitations implements storage.Invitations.
func (e *Engine) ListInvitations(ctx context.Context, f storage.InvitationFilter) ([]storage.Invitation, error) {
	where, args := []string{"1 = 1"}, []any{}
	only := func(set bool, condition string, values ...any) {
		if set {
			where, args = append(where, condition), append(args, values...)
		}
	}
	only(f.ID != "", "id = ?", ref(f.ID))
	only(f.User != "", "user_id = ?", ref(f.User))
	only(f.State == storage.InvitationAccepted, "accepted_at > 0")
	only(f.State == storage.InvitationPending, "accepted_at = 0 AND expires_at > ?", micro(f.Now))
	only(f.State == storage.InvitationExpired, "accepted_at = 0 AND expires_at <= ?", micro(f.Now))
	only(!f.Expired.IsZero(), "accepted_at = 0 AND expires_at <= ?", micro(f.Expired))
	only(f.Before != "", "id < ?", ref(f.Before))
	query := "SELECT " + invitationReturned + " FROM invitations WHERE " + strings.Join(where, " AND ") + " ORDER BY id DESC LIMIT ?"
	args = append(args, page(f.Limit))
	var out []storage.Invitation
	err := e.read(ctx, "list invitations", func(q querier) error {
		out = nil
		return q.each(query, args, func(rows scanner) error {
			var id, user, identifier, actor, inviter, client text
			var created, sent, createdAt, sentAt, expires, accepted number
			if err := rows.Scan(&id, &user, &identifier, &actor, &inviter, &client, &created, &sent, &createdAt, &sentAt, &expires, &accepted); err != nil {
				return err
			}
			out = append(out, storage.Invitation{
				ID: storage.InvitationID(id), UserID: storage.UserID(user), Identifier: storage.IdentifierID(identifier), Actor: string(actor), Inviter: string(inviter),
				ClientID: storage.ClientID(client), Created: created == 1, Sent: int(sent), CreatedAt: createdAt.time(), SentAt: sentAt.time(),
				ExpiresAt: expires.time(), AcceptedAt: accepted.time(),
			})
			return nil
		})
	})
	return out, err
}
