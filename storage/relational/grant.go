package relational

import (
	"cmp"
	"context"
	"crypto/sha256"
	"slices"
	"time"

	"sallyport/storage"
)

const (
	grantColumns = `id, client_id, user_id, session_id, auth, code_until, redirect_uri, code_challenge, redeemed_at, offline, refreshable,
		generation, refresh_jkt, refresh_x5t, rotated_at, refresh_until, expires_at, created_at, revoked_at, revoke_reason, sweep_at`
	grantHead = `CAST(g.id AS text), g.client_id, CAST(g.user_id AS text), CAST(g.session_id AS text), g.auth, g.code_until, g.redirect_uri,
		g.code_challenge, g.redeemed_at, g.offline, g.refreshable, g.generation, g.refresh_jkt, g.refresh_x5t, g.rotated_at, g.refresh_until,
		g.expires_at, g.created_at, g.revoked_at, g.revoke_reason`
	// endedColumns are of the session, and of the client's setting for offline grants of one that
	// was ended.
	endedColumns = `s.ended_at, CASE WHEN s.ended_offline OR c.ends_offline THEN 1 ELSE 0 END`
	// accountColumns decide whether a grant is valid: its user, its session, and the user's names.
	accountColumns = `CAST(u.id AS text), u.status, u.mfa_enabled, u.roles, u.profile, u.metadata, u.created_at, u.updated_at, ` + endedColumns + `,
		CAST(i.id AS text), i.kind, i.value, i.shown, i.verified_at, i.expires_at, i.created_at, i.updated_at`
	stateJoins = ` LEFT JOIN users u ON u.id = g.user_id LEFT JOIN sessions s ON s.id = g.session_id
		LEFT JOIN clients c ON c.id = g.client_id`
	accountJoins = stateJoins + ` LEFT JOIN identifiers i ON i.user_id = g.user_id`
	// redeemedBefore is the redeemed_at of the version before, which creates a grant when its
	// code is redeemed.
	redeemedBefore = 1
	// keepGrant is how long a row outlives its refresh token; no access token lives longer.
	keepGrant = 24 * time.Hour
)

// putGrant stores a grant. Every indexed column is set for good, so that a redemption and a
// refresh touch no index.
func (q querier) putGrant(g storage.Grant) error {
	a := g.Authorization
	a.AuthTime, a.RequestedAt = at(micro(a.AuthTime)), at(micro(a.RequestedAt)) // in stored precision
	last := g.CreatedAt
	for _, t := range []time.Time{g.RefreshUntil, g.ExpiresAt} {
		if t.After(last) {
			last = t
		}
	}
	in := insertInto("grants (" + grantColumns + ")")
	in.add(ref(g.ID), clean(a.ClientID), ref(a.UserID), ref(a.SessionID), encode(a), micro(g.CodeUntil), clean(g.RedirectURI),
		clean(g.CodeChallenge), micro(g.RedeemedAt), g.Offline, g.Refreshable, g.Generation, clean(g.RefreshKey), clean(g.RefreshCertificate), micro(g.RotatedAt), micro(g.RefreshUntil),
		micro(g.ExpiresAt), micro(g.CreatedAt), micro(g.RevokedAt), clean(g.RevokeReason), max(micro(last.Add(keepGrant)), micro(g.SessionUntil)))
	return in.run(q, "")
}

// RedeemCode implements storage.Grants.
func (e *Engine) RedeemCode(ctx context.Context, r storage.Redemption) error {
	return e.burst(ctx, "redeem code", func(q querier) error {
		err := q.spend(`UPDATE grants SET redeemed_at = ?, redirect_uri = '', offline = ?, refreshable = ?, refresh_jkt = ?, refresh_x5t = ?,
			refresh_until = ?, expires_at = ?
			WHERE id = ? AND redeemed_at = 0 AND code_until > ? AND revoked_at = 0`,
			micro(r.Now), r.Offline, r.Refreshable, clean(r.RefreshKey), clean(r.RefreshCertificate), micro(r.RefreshUntil), micro(r.ExpiresAt), ref(r.ID), micro(r.Now))
		if err != nil {
			return err
		}
		return q.putEvents(r.Events)
	})
}

// Grant implements storage.Grants.
func (e *Engine) Grant(ctx context.Context, id storage.GrantID) (storage.GrantAccount, error) {
	const query = `SELECT ` + grantHead + `, ` + accountColumns + ` FROM grants g` + accountJoins + ` WHERE g.id = ?`
	var grant grantRow
	var row grantAccountRow
	err := e.quick(ctx, "read grant", func(q querier) error {
		return q.grantAccount(query, []any{ref(id)}, &row, grant.dest()...)
	})
	if err != nil {
		return storage.GrantAccount{}, err
	}
	g, err := grant.record()
	return storage.GrantAccount{Grant: g, Account: row.account, SessionEnded: row.ended != 0, OfflineEnded: row.offline != 0}, err
}

// GrantState implements storage.Grants.
func (e *Engine) GrantState(ctx context.Context, id storage.GrantID) (storage.GrantAccount, error) {
	const query = `SELECT g.offline, g.redeemed_at, g.revoked_at, CAST(u.id AS text), u.status, u.roles, ` + endedColumns + ` FROM grants g` + stateJoins + ` WHERE g.id = ?`
	var out storage.GrantAccount
	var user, status, roles text
	var redeemed, revoked, ended, offlineEnded number
	err := e.quick(ctx, "read grant state", func(q querier) error {
		return q.one(query, []any{ref(id)}, &out.Grant.Offline, &redeemed, &revoked, &user, &status, &roles, &ended, &offlineEnded)
	})
	if err != nil {
		return storage.GrantAccount{}, err
	}
	out.Grant.ID, out.Grant.RedeemedAt, out.Grant.RevokedAt = id, redeemed.time(), revoked.time()
	out.SessionEnded, out.OfflineEnded = ended != 0, offlineEnded != 0
	out.Account.User.ID, out.Account.User.Status = storage.UserID(user), storage.UserStatus(status)
	return out, decode("roles", roles, &out.Account.User.Roles)
}

// RotateRefresh implements storage.Grants.
func (e *Engine) RotateRefresh(ctx context.Context, r storage.Rotation) error {
	step := 1
	if r.Keep {
		step = 0
	}
	return e.burst(ctx, "rotate refresh token", func(q querier) error {
		err := q.spend(`UPDATE grants SET generation = generation + ?, refresh_jkt = ?, refresh_x5t = ?,
			rotated_at = CASE WHEN ? = 0 THEN rotated_at ELSE ? END, refresh_until = ?
			WHERE id = ? AND generation = ? AND revoked_at = 0 AND refreshable
			AND (refresh_until = 0 OR refresh_until > ?) AND (expires_at = 0 OR expires_at > ?)`,
			step, clean(r.RefreshKey), clean(r.RefreshCertificate), step, micro(r.Now), micro(r.Until), ref(r.ID), r.Generation, micro(r.Now), micro(r.Now))
		if err != nil {
			return err
		}
		return q.putEvents(r.Events)
	})
}

// RevokeGrant implements storage.Grants. The events are written even if the grant has
// already ended: reuse of a code is always logged.
func (e *Engine) RevokeGrant(ctx context.Context, id storage.GrantID, reason string, now time.Time, events []storage.Event) error {
	return e.burst(ctx, "revoke grant", func(q querier) error {
		err := q.send("UPDATE grants SET revoked_at = ?, revoke_reason = ? WHERE id = ? AND revoked_at = 0",
			micro(now), clean(reason), ref(id))
		if err != nil {
			return err
		}
		return q.putEvents(events)
	})
}

// GrantsOf implements storage.Grants.
func (e *Engine) GrantsOf(ctx context.Context, user storage.UserID, now time.Time) ([]storage.Grant, error) {
	const query = `SELECT ` + grantHead + ` FROM grants g LEFT JOIN sessions s ON s.id = g.session_id LEFT JOIN clients c ON c.id = g.client_id
		WHERE g.user_id = ? AND g.redeemed_at > 0 AND g.revoked_at = 0 AND g.sweep_at > ?
		AND (NOT g.refreshable OR g.refresh_until = 0 OR g.refresh_until > ?) AND (g.expires_at = 0 OR g.expires_at > ?)
		AND (COALESCE(s.ended_at, 0) = 0 OR g.offline AND NOT s.ended_offline AND NOT COALESCE(c.ends_offline, FALSE)) ORDER BY g.created_at DESC, g.id DESC`
	var out []storage.Grant
	err := e.read(ctx, "list grants", func(q querier) error {
		out = nil
		return q.each(query, []any{ref(user), micro(now), micro(now), micro(now)}, func(rows scanner) error {
			var row grantRow
			if err := rows.Scan(row.dest()...); err != nil {
				return err
			}
			g, err := row.record()
			out = append(out, g)
			return err
		})
	})
	return out, err
}

// RevokeToken implements storage.Grants.
func (e *Engine) RevokeToken(ctx context.Context, jti string, until time.Time, events []storage.Event) error {
	return e.burst(ctx, "revoke token", func(q querier) error {
		err := q.send("INSERT INTO revoked_tokens (hash, expires_at) VALUES (?, ?) ON CONFLICT (hash) DO NOTHING",
			blob(e.keyring.Hash(tokenLabel, jti)), micro(until))
		if err != nil {
			return err
		}
		return q.putEvents(events)
	})
}

// TokenRevoked implements storage.Grants.
func (e *Engine) TokenRevoked(ctx context.Context, jti string) (bool, error) {
	var n number
	err := e.quick(ctx, "read revoked token", func(q querier) error {
		return q.one("SELECT COUNT(*) FROM revoked_tokens WHERE hash IN ?", []any{e.keyring.Hashes(tokenLabel, jti)}, &n)
	})
	return n > 0, err
}

// UseProof implements storage.Grants. The hash has no key: it would differ once the key was rotated,
// and the proof would be good again. IDs of proofs are no secrets.
func (e *Engine) UseProof(ctx context.Context, id string, until time.Time) error {
	sum := sha256.Sum256([]byte(id))
	return e.burst(ctx, "use proof", func(q querier) error {
		return q.spend("INSERT INTO used_proofs (hash, expires_at) VALUES (?, ?) ON CONFLICT (hash) DO NOTHING", blob(sum[:]), micro(until))
	})
}

type grantRow struct {
	id, client, user, session, auth text
	until, redeemed                 number
	redirect, challenge, key, x5t   text
	reason                          text
	offline, refreshable            bool
	generation, rotated, refresh    number
	expires, created, revoked       number
}

func (r *grantRow) dest() []any {
	return []any{&r.id, &r.client, &r.user, &r.session, &r.auth, &r.until, &r.redirect, &r.challenge, &r.redeemed, &r.offline, &r.refreshable,
		&r.generation, &r.key, &r.x5t, &r.rotated, &r.refresh, &r.expires, &r.created, &r.revoked, &r.reason}
}

func (r *grantRow) record() (storage.Grant, error) {
	g := storage.Grant{
		ID: storage.GrantID(r.id), CodeUntil: r.until.time(), RedirectURI: string(r.redirect), CodeChallenge: string(r.challenge),
		RedeemedAt: r.redeemed.time(), Offline: r.offline, Refreshable: r.refreshable, Generation: int64(r.generation), RefreshKey: string(r.key), RefreshCertificate: string(r.x5t),
		RotatedAt: r.rotated.time(), RefreshUntil: r.refresh.time(), ExpiresAt: r.expires.time(), CreatedAt: r.created.time(),
		RevokedAt: r.revoked.time(), RevokeReason: string(r.reason),
	}
	if r.redeemed == redeemedBefore {
		g.RedeemedAt = g.CreatedAt
	}
	err := decode("authorization", r.auth, &g.Authorization)
	a := &g.Authorization
	a.ClientID, a.UserID, a.SessionID = storage.ClientID(r.client), storage.UserID(r.user), storage.SessionID(r.session)
	return g, err
}

// grantAccountRow builds the account of accountColumns, with a row for each identifier.
type grantAccountRow struct {
	user              userRow
	ended, offline    number
	id, kind          text
	value, shown      text
	verified, expires number
	created, updated  number
	account           storage.Account
}

func (q querier) grantAccount(query string, args []any, row *grantAccountRow, head ...any) error {
	dest := append(head, row.user.dest()...)
	dest = append(dest, &row.ended, &row.offline)
	same := len(dest) // in every row
	dest = append(dest, &row.id, &row.kind, &row.value, &row.shown, &row.verified, &row.expires, &row.created, &row.updated)
	row.account = storage.Account{} // what a try that failed halfway has read
	found := false
	err := q.each(query, args, func(rows scanner) error {
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		if !found {
			found = true
			user, err := row.user.record()
			if err != nil {
				return err
			}
			row.account.User = user
			q.ignore(dest[:same])
		}
		if row.id != "" && string(row.kind) != string(storage.Retired) {
			row.account.Identifiers = append(row.account.Identifiers, storage.Identifier{
				ID: storage.IdentifierID(row.id), UserID: row.account.User.ID, Kind: storage.IdentifierKind(row.kind), Value: string(row.value), Shown: string(row.shown),
				VerifiedAt: row.verified.time(), ExpiresAt: row.expires.time(), CreatedAt: row.created.time(), UpdatedAt: row.updated.time(),
			})
		}
		return nil
	})
	if err == nil && !found {
		err = storage.ErrNotFound
	}
	slices.SortFunc(row.account.Identifiers, func(a, b storage.Identifier) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return err
}
