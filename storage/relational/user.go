package relational

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"sallyport/storage"
)

const userColumns = "id, status, mfa_enabled, roles, profile, metadata, created_at, updated_at"

// CreateUser implements storage.Users.
func (e *Engine) CreateUser(ctx context.Context, n storage.NewUser) error {
	return e.step(ctx, "create user", func(q querier) error { return q.putUser(n) })
}

// putUser stores a new user with everything created with it.
func (q querier) putUser(n storage.NewUser) error {
	u := n.User
	in := insertInto("users (" + userColumns + ", terms)")
	in.add(ref(u.ID), string(u.Status), u.MFAEnabled, roles(u.Roles), profile(u.Profile), clean(u.Metadata), micro(u.CreatedAt), micro(u.UpdatedAt), terms(u.Terms))
	if err := in.run(q, ""); err != nil {
		return err
	}
	if err := q.giveWay(n.Over); err != nil {
		return err
	}
	// Names before the ticket: of concurrent users of an address one waits here for the other,
	// while neither has a ticket that the other would end.
	if err := q.putIdentifiers(n.Identifiers); err != nil {
		return err
	}
	if n.Ticket != nil {
		if err := q.spendTicket("", *n.Ticket, u.CreatedAt); err != nil {
			return err
		}
	}
	if err := q.putAuthenticators(n.Authenticators, ""); err != nil {
		return err
	}
	for _, a := range n.Authenticators {
		if a.Method != recoveryMethod {
			continue
		}
		if err := q.putRecoveryCodes(storage.RecoverySet{Authenticator: a, Codes: n.RecoveryCodes}); err != nil {
			return err
		}
	}
	return q.notify(n.Messages, n.Events)
}

// terms encodes accepted terms; "": none.
func terms(t storage.Terms) any {
	if t == (storage.Terms{}) {
		return ""
	}
	return encode(t)
}

// roles encodes roles as a list; "": none.
func roles(r []string) any {
	if len(r) == 0 {
		return ""
	}
	return encode(r)
}

func profile(p map[string]any) any {
	if p == nil {
		return ""
	}
	return encode(p)
}

// UpdateUser implements storage.Users.
func (e *Engine) UpdateUser(ctx context.Context, c storage.UserChange) error {
	return e.step(ctx, "update user", func(q querier) error { return q.changeUser(c) })
}

// changeUser changes a user. It locks the user's row first.
func (q querier) changeUser(c storage.UserChange) error {
	set, args := []string{"updated_at = ?"}, []any{micro(c.Now)}
	replace := func(given bool, column string, value func() any) {
		if given {
			set, args = append(set, column+" = ?"), append(args, value())
		}
	}
	replace(c.Status != nil, "status", func() any { return string(*c.Status) })
	replace(c.MFAEnabled != nil, "mfa_enabled", func() any { return *c.MFAEnabled })
	replace(c.Roles != nil, "roles", func() any { return roles(*c.Roles) })
	replace(c.Profile != nil, "profile", func() any { return profile(c.Profile) })
	replace(c.Metadata != nil, "metadata", func() any { return clean(c.Metadata) })
	replace(c.Terms != nil, "terms", func() any { return terms(*c.Terms) })
	where, otherwise := " WHERE id = ?", storage.ErrNotFound
	args = append(args, ref(c.ID))
	if !c.Was.IsZero() {
		where, otherwise = where+" AND updated_at = ?", storage.ErrConflict
		args = append(args, micro(c.Was))
	}
	if err := q.write(write{text: "UPDATE users SET " + strings.Join(set, ", ") + where, args: args, otherwise: otherwise}); err != nil {
		return err
	}
	if c.EndTickets {
		if err := q.endTickets(c.ID, c.Now); err != nil {
			return err
		}
	}
	if c.Ticket != nil {
		if err := q.spendTicket(c.ID, *c.Ticket, c.Now); err != nil {
			return err
		}
	}
	for _, t := range c.Issue {
		if err := q.putTicket(t); err != nil {
			return err
		}
	}
	if c.Names != nil {
		if err := q.changeNames(c, *c.Names); err != nil {
			return err
		}
	}
	if c.Factors != nil {
		if err := q.changeFactors(c, *c.Factors); err != nil {
			return err
		}
	}
	if c.Kill {
		if err := q.kill(c); err != nil {
			return err
		}
	}
	if c.Status != nil && *c.Status == storage.UserActive {
		if err := q.acceptInvitation(c.ID, c.Now); err != nil {
			return err
		}
	}
	if err := q.resetThrottles(c.Reset); err != nil {
		return err
	}
	if c.Basis != nil {
		if err := q.checkBasis(*c.Basis, c.Now); err != nil {
			return err
		}
	}
	return q.notify(c.Messages, c.Events)
}

func (q querier) changeFactors(c storage.UserChange, f storage.FactorsChange) error {
	if len(f.Drop)+len(f.Remove)+len(f.Add) > 0 {
		if err := q.endRemembered(c.ID); err != nil {
			return err
		}
	}
	if len(f.Drop) > 0 {
		for _, text := range []string{
			"DELETE FROM statuses WHERE user_id = ? AND method IN ?",
			"DELETE FROM authenticators WHERE user_id = ? AND method IN ?",
		} {
			if err := q.send(text, ref(c.ID), f.Drop); err != nil {
				return err
			}
		}
	}
	for _, id := range f.Remove {
		if err := q.dropAuthenticator(storage.Removal{UserID: c.ID, Authenticator: id}); err != nil && !errors.Is(err, storage.ErrNotFound) {
			return err
		}
	}
	if f.Enable {
		err := q.send("UPDATE authenticators SET state = 'active', updated_at = ? WHERE user_id = ? AND state = 'disabled'", micro(c.Now), ref(c.ID))
		if err != nil {
			return err
		}
	}
	if err := q.putAuthenticators(f.Add, ""); err != nil {
		return err
	}
	for _, a := range f.Add {
		if a.Method != recoveryMethod {
			continue
		}
		if err := q.putRecoveryCodes(storage.RecoverySet{Authenticator: a, Codes: f.RecoveryCodes}); err != nil {
			return err
		}
	}
	if len(f.Lasting) > 0 {
		return q.endSecondFactor(c.ID, f.Lasting, c.Now)
	}
	return nil
}

// kill ends a user's logins in progress, sessions, grants and tickets.
func (q querier) kill(c storage.UserChange) error {
	if err := q.endRemembered(c.ID); err != nil {
		return err
	}
	now, id := micro(c.Now), ref(c.ID)
	for _, s := range []struct {
		text string
		args []any
	}{
		{"UPDATE auth_requests SET state = 'cancelled', version = version + 1, updated_at = ? WHERE subject = ? AND state = 'open'", []any{now, id}},
		{"UPDATE statuses SET state = 'cancelled' WHERE user_id = ? AND state IN ('initiated', 'last', 'verified')", []any{id}},
		{endedSessions + " WHERE user_id = ? AND (ended_at = 0 OR NOT ended_offline)", []any{now, true, id}},
	} {
		if err := q.send(s.text, s.args...); err != nil {
			return err
		}
	}
	if err := q.putLogouts(endedAll, c.Now, "g.user_id = ? AND (s.ended_at = ? OR g.revoked_at = 0)", id, now); err != nil {
		return err
	}
	for _, s := range []struct {
		text string
		args []any
	}{
		{"UPDATE grants SET revoked_at = ?, revoke_reason = 'user' WHERE user_id = ? AND revoked_at = 0", []any{now, id}},
		{"UPDATE tickets SET ended_at = ? WHERE user_id = ? AND ended_at = 0 AND NOT outlives", []any{now, id}},
	} {
		if err := q.send(s.text, s.args...); err != nil {
			return err
		}
	}
	return nil
}

// DeclinePasskey implements storage.Users.
func (e *Engine) DeclinePasskey(ctx context.Context, id storage.UserID, now time.Time) error {
	return e.step(ctx, "decline passkey", func(q querier) error {
		return q.spend("UPDATE users SET passkey_declined_at = ? WHERE id = ? AND passkey_declined_at = 0", micro(now), ref(id))
	})
}

// DeleteUser implements storage.Users. Foreign keys remove dependent rows.
func (e *Engine) DeleteUser(ctx context.Context, id storage.UserID, now time.Time, events []storage.Event) error {
	return e.step(ctx, "delete user", func(q querier) error {
		// Lock the user first: of two callers one tells the clients.
		if err := q.change("UPDATE users SET updated_at = updated_at WHERE id = ?", ref(id)); err != nil {
			return err
		}
		if err := q.putLogouts(endedAll, now, "g.user_id = ? AND (s.ended_at = 0 OR g.revoked_at = 0)", ref(id)); err != nil {
			return err
		}
		if err := q.change("DELETE FROM users WHERE id = ?", ref(id)); err != nil {
			return err
		}
		if err := q.dropLogins(id); err != nil {
			return err
		}
		return q.putEvents(events)
	})
}

// dropLogins removes what a user leaves in tables without a foreign key.
func (q querier) dropLogins(id storage.UserID) error {
	for _, text := range []string{
		"DELETE FROM auth_requests WHERE subject = ?",
		"DELETE FROM statuses WHERE user_id = ?",
		"DELETE FROM grants WHERE user_id = ?",
	} {
		if err := q.send(text, ref(id)); err != nil {
			return err
		}
	}
	return nil
}

// ListUsers implements storage.Users.
func (e *Engine) ListUsers(ctx context.Context, f storage.UserFilter) ([]storage.User, error) {
	query, args := "SELECT "+userColumns+" FROM users ORDER BY id LIMIT ?", []any{page(f.Limit)}
	if f.After != "" {
		query, args = "SELECT "+userColumns+" FROM users WHERE id > ? ORDER BY id LIMIT ?", []any{ref(f.After), page(f.Limit)}
	}
	var out []storage.User
	err := e.read(ctx, "list users", func(q querier) error {
		out = nil
		return q.each(query, args, func(rows scanner) error {
			var r userRow
			if err := rows.Scan(r.dest()...); err != nil {
				return err
			}
			u, err := r.record()
			out = append(out, u)
			return err
		})
	})
	return out, err
}

type userRow struct {
	id, status, roles, profile, metadata text
	mfa                                  sql.NullBool
	created, updated                     number
}

func (r *userRow) dest() []any {
	return []any{&r.id, &r.status, &r.mfa, &r.roles, &r.profile, &r.metadata, &r.created, &r.updated}
}

func (r *userRow) record() (storage.User, error) {
	u := storage.User{
		ID: storage.UserID(r.id), Status: storage.UserStatus(r.status), MFAEnabled: r.mfa.Bool,
		Metadata: raw(r.metadata), CreatedAt: r.created.time(), UpdatedAt: r.updated.time(),
	}
	if err := decode("roles", r.roles, &u.Roles); err != nil {
		return u, err
	}
	return u, decode("profile", r.profile, &u.Profile)
}
