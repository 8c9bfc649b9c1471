package relational

import (
	"context"
	"time"

	"sallyport/storage"
)

const (
	sessionColumns = `id, user_id, origin, factors, generation, address, user_agent, attributes,
		created_at, last_seen_at, idle_until, expires_at, ended_at`
	sessionHead = `CAST(h.id AS text), CAST(h.user_id AS text), h.origin, h.factors, h.generation, h.address, h.user_agent, h.attributes,
		h.created_at, h.last_seen_at, h.idle_until, h.expires_at, h.ended_at`
	sessionAlive = `ended_at = 0 AND expires_at > ? AND (idle_until = 0 OR idle_until > ?)`
)

// Session implements storage.Sessions.
func (e *Engine) Session(ctx context.Context, id storage.SessionID, now time.Time) (storage.Session, storage.Account, error) {
	const query = `WITH h AS (SELECT ` + sessionColumns + ` FROM sessions WHERE id = ? AND ` + sessionAlive + `),
		who (id) AS (SELECT user_id FROM h), ` + accountParts + `
		SELECT ` + sessionHead + `, ` + partColumns + ` FROM h JOIN parts ON TRUE`
	var row sessionRow
	var account *storage.Account
	err := e.quick(ctx, "read session", func(q querier) error {
		var err error
		account, err = q.withAccount(query, []any{ref(id), micro(now), micro(now)}, row.dest()...)
		return err
	})
	if err != nil {
		return storage.Session{}, storage.Account{}, err
	}
	s, err := row.record()
	return s, *account, err
}

// CreateSession implements storage.Sessions.
func (e *Engine) CreateSession(ctx context.Context, s storage.Session, events []storage.Event) error {
	return e.burst(ctx, "create session", func(q querier) error {
		if err := q.putSession(s); err != nil {
			return err
		}
		return q.putEvents(events)
	})
}

func (q querier) putSession(s storage.Session) error {
	in := insertInto("sessions (" + sessionColumns + ")")
	in.add(ref(s.ID), ref(s.UserID), clean(s.Origin), factorLines(s.Factors), s.Generation, clean(s.Address), clean(s.UserAgent),
		clean(s.Attributes), micro(s.CreatedAt), micro(s.LastSeenAt), micro(s.IdleUntil), micro(s.ExpiresAt), micro(s.EndedAt))
	return in.run(q, "")
}

// replaceSession is one compare-and-set on the generation of a valid session.
func (q querier) replaceSession(s storage.Session, generation int64, now time.Time) error {
	return q.spend(`UPDATE sessions SET factors = ?, generation = ?, address = ?, user_agent = ?, attributes = ?,
		last_seen_at = ?, idle_until = ?, expires_at = ? WHERE id = ? AND user_id = ? AND generation = ? AND `+sessionAlive,
		factorLines(s.Factors), s.Generation, clean(s.Address), clean(s.UserAgent), clean(s.Attributes),
		micro(s.LastSeenAt), micro(s.IdleUntil), micro(s.ExpiresAt), ref(s.ID), ref(s.UserID), generation, micro(now), micro(now))
}

// UpdateSession implements storage.Sessions. LastSeenAt is the time of the change.
func (e *Engine) UpdateSession(ctx context.Context, s storage.Session, generation int64, events []storage.Event) error {
	return e.burst(ctx, "update session", func(q querier) error {
		if err := q.replaceSession(s, generation, s.LastSeenAt); err != nil {
			return err
		}
		return q.putEvents(events)
	})
}

// SessionsOf implements storage.Sessions.
func (e *Engine) SessionsOf(ctx context.Context, user storage.UserID, now time.Time) ([]storage.Session, error) {
	const query = `SELECT ` + sessionHead + ` FROM sessions h WHERE user_id = ? AND ` + sessionAlive + ` ORDER BY h.created_at DESC, h.id DESC`
	var out []storage.Session
	err := e.read(ctx, "list sessions", func(q querier) error {
		out = nil
		return q.each(query, []any{ref(user), micro(now), micro(now)}, func(rows scanner) error {
			var row sessionRow
			if err := rows.Scan(row.dest()...); err != nil {
				return err
			}
			s, err := row.record()
			out = append(out, s)
			return err
		})
	})
	return out, err
}

// EndSession implements storage.Sessions.
func (e *Engine) EndSession(ctx context.Context, id storage.SessionID, offline bool, now time.Time, events []storage.Event) error {
	return e.step(ctx, "end session", func(q querier) error {
		if err := q.endSession(id, offline, now); err != nil {
			return err
		}
		return q.putEvents(events)
	})
}

// endSession ends a session and its grants, and tells its clients. The grants are marked too, because
// the row of the session will be removed.
func (q querier) endSession(id storage.SessionID, offline bool, now time.Time) error {
	if err := q.send(endedSessions+" WHERE id = ? AND (ended_at = 0 OR ? AND NOT ended_offline)", micro(now), offline, ref(id), offline); err != nil {
		return err
	}
	if err := q.putLogouts(false, now, "g.session_id = ? AND s.ended_at = ?", ref(id), micro(now)); err != nil {
		return err
	}
	return q.send(`UPDATE grants SET revoked_at = ?, revoke_reason = 'session' WHERE session_id = ? AND revoked_at = 0 AND (NOT offline OR ? OR `+endsOffline+`)`,
		micro(now), ref(id), offline)
}

// endsOffline matches grants of clients that keep no offline grant of an ended session.
const endsOffline = "client_id IN (SELECT id FROM clients WHERE ends_offline)"

// EndLogins implements storage.Sessions with two statements, each with its index.
func (e *Engine) EndLogins(ctx context.Context, browser [][]byte, user storage.UserID, now time.Time) error {
	if len(browser) == 0 {
		return nil
	}
	whose, args := "subject IS NOT NULL", []any{micro(now), browser}
	if user != "" {
		whose, args = "subject = ?", append(args, ref(user))
	}
	return e.burst(ctx, "end logins", func(q querier) error {
		for _, column := range []string{"browser", "opener"} {
			err := q.send(`UPDATE auth_requests SET state = 'cancelled', version = version + 1, updated_at = ?
				WHERE `+column+` IN ? AND `+whose+` AND state = 'open'`, args...)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// HasLogins implements storage.Sessions with one statement, which uses two indexes.
func (e *Engine) HasLogins(ctx context.Context, browser [][]byte, now time.Time) (bool, error) {
	if len(browser) == 0 {
		return false, nil
	}
	const open = " IN ? AND subject IS NOT NULL AND state = 'open' AND expires_at > ?"
	found := false
	err := e.read(ctx, "read logins", func(q querier) error {
		found = false
		return q.each("SELECT 1 FROM auth_requests WHERE browser"+open+" UNION ALL SELECT 1 FROM auth_requests WHERE opener"+open+" LIMIT 1",
			[]any{browser, micro(now), browser, micro(now)}, func(scanner) error {
				found = true
				return nil
			})
	})
	return found, err
}

// EndSessions implements storage.Sessions.
func (e *Engine) EndSessions(ctx context.Context, user storage.UserID, but storage.SessionID, offline bool, now time.Time, events []storage.Event) error {
	return e.step(ctx, "end sessions", func(q querier) error {
		if err := q.endRemembered(user); err != nil {
			return err
		}
		if err := q.endLogins(user, but, now); err != nil {
			return err
		}
		if err := q.endSessions(user, but, offline, now); err != nil {
			return err
		}
		return q.putEvents(events)
	})
}

// endedSessions marks sessions as ended. One ended with its offline grants is marked so
// itself, because a login that finishes at that moment may create a grant that this
// transaction does not see.
const endedSessions = `UPDATE sessions SET ended_at = CASE WHEN ended_at = 0 THEN ? ELSE ended_at END, ended_offline = ended_offline OR ?`

// endSessions ends sessions and grants, in locking order, after endRemembered, and tells the clients
// of both. A grant whose code was not redeemed is not offline yet, and ends in any case.
func (q querier) endSessions(user storage.UserID, but storage.SessionID, offline bool, now time.Time) error {
	kept := ref(but)
	except := func(column string, args ...any) (string, []any) {
		if kept == nil {
			return "", args
		}
		return " AND (" + column + " IS NULL OR " + column + " <> ?)", append(args, kept)
	}
	others, args := except("id", micro(now), offline, ref(user), offline)
	if err := q.send(endedSessions+" WHERE user_id = ? AND (ended_at = 0 OR ? AND NOT ended_offline)"+others, args...); err != nil {
		return err
	}
	ending := " AND (session_id IS NOT NULL AND (NOT offline OR " + endsOffline + ") OR ?)"
	others, args = except("g.session_id", ref(user), micro(now), offline)
	told := "g.user_id = ? AND (s.ended_at = ? OR g.revoked_at = 0 AND g.session_id IS NOT NULL AND (NOT g.offline OR c.ends_offline) OR g.revoked_at = 0 AND ?)"
	if err := q.putLogouts(kept == nil, now, told+others, args...); err != nil {
		return err
	}
	others, args = except("session_id", micro(now), ref(user), offline)
	return q.send("UPDATE grants SET revoked_at = ?, revoke_reason = 'session' WHERE user_id = ? AND revoked_at = 0"+ending+others, args...)
}

// endLogins ends a user's logins in progress outside a session. A login waiting at its last
// step has all its proofs and would sign in whoever began it.
func (q querier) endLogins(user storage.UserID, but storage.SessionID, now time.Time) error {
	requests, statuses := "", ""
	args, more := []any{micro(now), ref(user)}, []any{ref(user)}
	if kept := ref(but); kept != nil {
		requests = " AND (session_id IS NULL OR session_id <> ?)"
		args = append(args, kept)
		statuses = ` AND (request IS NULL OR request NOT IN (SELECT r.hash FROM auth_requests r
			WHERE r.subject = ? AND r.session_id = ? AND r.state = 'open'))`
		more = append(more, ref(user), kept)
	}
	err := q.send("UPDATE auth_requests SET state = 'cancelled', version = version + 1, updated_at = ? WHERE subject = ? AND state = 'open'"+requests, args...)
	if err != nil {
		return err
	}
	err = q.send("UPDATE statuses SET state = 'cancelled' WHERE user_id = ? AND state IN ('initiated', 'last', 'verified')"+statuses, more...)
	return err
}

// renew adds a proof to a valid session without changing its token. If the list is full it
// drops the proof.
func (q querier) renew(id storage.SessionID, r storage.Renewal) error {
	err := q.send("UPDATE sessions SET factors = factors || ? WHERE id = ? AND user_id = ? AND ended_at = 0 AND length(factors) < ?",
		factorLines([]storage.Factor{r.Factor}), ref(id), ref(r.User), maxFactors)
	return err
}

// extend changes a valid session. Where the list of proofs has no room for another line, it
// is written anew, with one line for each authenticator.
func (q querier) extend(x storage.Extension) error {
	var set, where assignments
	set.add("last_seen_at = ?", micro(x.Now))
	where.add("id = ? AND user_id = ?", ref(x.ID), ref(x.User))
	where.add(sessionAlive, micro(x.Now), micro(x.Now))
	if x.Factor != nil {
		set.add("factors = CASE WHEN length(factors) < ? THEN factors || ? ELSE ? END", maxFactors, factorLines([]storage.Factor{*x.Factor}), factorLines(x.Factors))
	}
	if !x.ExpiresAt.IsZero() {
		set.add("expires_at = ?", micro(x.ExpiresAt))
	}
	if x.Attributes != nil {
		set.add("attributes = ?", clean(x.Attributes))
		where.add("attributes = ?", clean(x.Was))
	}
	return q.spend("UPDATE sessions SET "+joined(set, ", ")+" WHERE "+joined(where, " AND "), append(set.args, where.args...)...)
}

// ExtendSession implements storage.Sessions.
func (e *Engine) ExtendSession(ctx context.Context, x storage.Extension, events []storage.Event) error {
	return e.burst(ctx, "extend session", func(q querier) error {
		if err := q.extend(x); err != nil {
			return err
		}
		return q.putEvents(events)
	})
}

// checkBasis checks that a basis is still valid and locks it until the end of the
// transaction.
func (q querier) checkBasis(b storage.Basis, now time.Time) error {
	if b.Secret != "" {
		err := q.spend("UPDATE authenticators SET counter = counter WHERE id = ? AND user_id = ? AND counter = ?", ref(b.Secret), ref(b.User), b.Was)
		if err != nil {
			return err
		}
	}
	if b.Session != "" {
		err := q.spend("UPDATE sessions SET ended_at = ended_at WHERE id = ? AND user_id = ? AND "+sessionAlive,
			ref(b.Session), ref(b.User), micro(now), micro(now))
		if err != nil {
			return err
		}
	}
	if b.Grant != "" {
		return q.spend("UPDATE grants SET revoked_at = revoked_at WHERE id = ? AND user_id = ? AND revoked_at = 0 AND (expires_at = 0 OR expires_at > ?)",
			ref(b.Grant), ref(b.User), micro(now))
	}
	return nil
}

// bySecond groups IDs by second, so that each second is one statement.
func bySecond[T ~string](seen map[T]time.Time) map[time.Time][]T {
	out := map[time.Time][]T{}
	for id, t := range seen {
		t = t.UTC().Truncate(time.Second)
		out[t] = append(out[t], id)
	}
	return out
}

// TouchSessions implements storage.Sessions.
func (e *Engine) TouchSessions(ctx context.Context, seen map[storage.SessionID]time.Time, idle time.Duration) error {
	if len(seen) == 0 {
		return nil
	}
	return e.burst(ctx, "touch sessions", func(q querier) error {
		for t, ids := range bySecond(seen) {
			err := q.send(`UPDATE sessions SET last_seen_at = ?, idle_until = CASE WHEN idle_until = 0 THEN 0 ELSE CAST(? AS bigint) END
				WHERE id IN ? AND ended_at = 0 AND last_seen_at < ? AND (idle_until = 0 OR idle_until > ?)`,
				micro(t), micro(t.Add(idle)), refs(ids), micro(t), micro(t))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

type sessionRow struct {
	id, user, origin, factors      text
	address, userAgent, attributes text
	generation, created, seen      number
	idleUntil, expires, ended      number
}

func (r *sessionRow) dest() []any {
	return []any{&r.id, &r.user, &r.origin, &r.factors, &r.generation, &r.address, &r.userAgent, &r.attributes,
		&r.created, &r.seen, &r.idleUntil, &r.expires, &r.ended}
}

func (r *sessionRow) record() (storage.Session, error) {
	factors, err := factorsOf(r.factors)
	return storage.Session{
		ID: storage.SessionID(r.id), UserID: storage.UserID(r.user), Origin: string(r.origin), Factors: factors,
		Generation: int64(r.generation), Address: string(r.address), UserAgent: string(r.userAgent), Attributes: raw(r.attributes),
		CreatedAt: r.created.time(), LastSeenAt: r.seen.time(), IdleUntil: r.idleUntil.time(), ExpiresAt: r.expires.time(),
		EndedAt: r.ended.time(),
	}, err
}
