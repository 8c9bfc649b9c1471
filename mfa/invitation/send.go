package invitation

import (
	"context"
	"errors"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/notice"
	"sallyport/mfa/throttle"
	"sallyport/storage"
)

// ticket returns the ticket of another link, and its message or the link itself, which it sets.
func (r *Registry) ticket(v mfa.Caller, m *Made, address storage.Identifier, kind string, h Hand) storage.NewTicket {
	i := m.Invitation
	link := storage.Random128(r.random)
	e := r.event(v, kind, i)
	out := storage.NewTicket{Ticket: storage.Ticket{ID: storage.TicketID(storage.TimeOrdered(i.SentAt, r.random)), Purpose: storage.PurposeInvitation,
		UserID: i.UserID, Identifier: address.ID, Link: link, ClientID: i.ClientID, CreatedAt: i.SentAt, ExpiresAt: i.ExpiresAt}}
	if h.Link {
		// Whoever the administrator gives it to proves nothing of the address: the trail says that it
		// was handed over.
		e.Detail["link"] = "returned"
		m.Link = r.o.Page + link
	} else {
		data := map[string]string{"product": r.o.Product, "link": r.o.Page + link, "until": i.ExpiresAt.UTC().Format(time.RFC3339)}
		if h.Application != "" {
			data["application"] = h.Application
		}
		if i.Inviter != "" {
			data["inviter"] = i.Inviter
		}
		out.Sends = []storage.Throttle{r.counter("address|" + address.Value)}
		out.Messages = []storage.Message{notice.Message(i.SentAt, r.random, notice.Locale(&m.Account, v.Locale), address.Text(), notice.Invitation, data, i.ExpiresAt)}
	}
	out.Events = []storage.Event{e}
	return out
}

// counter counts the messages to an address, apart from the codes and links its owner asks for.
func (r *Registry) counter(subject string) storage.Throttle {
	return storage.Throttle{Key: storage.ThrottleKey{Bucket: throttle.SendAddress, Subject: r.keyring.Hash("invitation", subject)},
		Schedule: throttle.Schedule(throttle.SendAddress)}
}

// pages of invitations that Sweep reads at a time.
const batch = 100

// Sweep ends the invitations that expired a while ago, with the users that they created: an address
// that nobody accepts is free again. It returns how many it ended.
func (r *Registry) Sweep(ctx context.Context) (int, error) {
	expired, n := r.now().Add(-grace), 0
	for {
		list, err := r.store.ListInvitations(ctx, storage.InvitationFilter{Now: r.now(), Expired: expired, Limit: batch})
		if err != nil {
			return n, mfa.Wrap("list invitations", err)
		}
		ended := 0
		for _, i := range list {
			_, err := r.end(ctx, mfa.Caller{Actor: actorSystem}, i, mfa.EventInvitationExpired, expired)
			switch {
			case errors.Is(err, storage.ErrConflict): // sent again, accepted, or another server's
			case err != nil:
				return n, mfa.Wrap("end invitation", err)
			default:
				ended++
			}
		}
		if n += ended; ended == 0 || len(list) < batch {
			return n, nil
		}
	}
}

// actorSystem is the actor of what the server does by itself.
const actorSystem = "system"
