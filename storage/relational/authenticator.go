package relational

import (
	"context"
	"fmt"
	"slices"
	"time"

	"sallyport/storage"
)

const (
	recoveryMethod = "recovery"
	recoveryLabel  = "recovery:" // hash purpose, followed by the user; also the seal purpose

	authenticatorColumns = `id, user_id, method, name, origin, state, secret, data, counter,
		created_at, updated_at, last_used_at, expires_at, failing, credential`
	// An authenticator is replaced only by one of the same owner.
	authenticatorUpsert = `ON CONFLICT (id) DO UPDATE SET method = excluded.method, name = excluded.name,
		origin = excluded.origin, state = excluded.state, secret = excluded.secret, data = excluded.data,
		counter = excluded.counter, created_at = excluded.created_at, updated_at = excluded.updated_at,
		last_used_at = excluded.last_used_at, expires_at = excluded.expires_at,
		credential = COALESCE(excluded.credential, authenticators.credential)
		WHERE authenticators.user_id = excluded.user_id`
)

func (q querier) putAuthenticators(as []storage.Authenticator, ending string) error {
	in := insertInto("authenticators (" + authenticatorColumns + ")")
	for _, a := range as {
		sealed, err := q.e.sealSecret(a)
		if err != nil {
			return err
		}
		in.add(ref(a.ID), ref(a.UserID), a.Method, clean(a.Name), clean(a.Origin), string(a.State), blob(sealed), clean(a.Data),
			a.Counter, micro(a.CreatedAt), micro(a.UpdatedAt), micro(a.LastUsedAt), micro(a.ExpiresAt), "", blob(a.Credential))
	}
	return in.run(q, ending)
}

// Enroll implements storage.Authenticators.
func (e *Engine) Enroll(ctx context.Context, n storage.Enrollment) error {
	a := n.Authenticator
	return e.counted(ctx, "enrol", sending{n.Sends, n.Toll, a.CreatedAt}, func(q querier) error {
		if n.Sole {
			// The lock on the user keeps a confirmation and another enrolment out.
			err := q.spend(`UPDATE users SET updated_at = updated_at WHERE id = ? AND NOT EXISTS (SELECT 1 FROM authenticators k
				WHERE k.user_id = users.id AND k.method = ? AND k.origin = ? AND k.state <> 'pending')`, ref(a.UserID), a.Method, clean(a.Origin))
			if err != nil {
				return err
			}
		}
		older := `SELECT id FROM authenticators WHERE user_id = ? AND method = ? AND origin = ? AND state = 'pending'`
		which := []any{ref(a.UserID), a.Method, clean(a.Origin)}
		err := q.send(`UPDATE statuses SET state = 'superseded' WHERE user_id = ? AND state IN ('initiated', 'last')
			AND authenticator_id IN (`+older+`)`, append([]any{ref(a.UserID)}, which...)...)
		if err != nil {
			return err
		}
		if err := q.send(`DELETE FROM authenticators WHERE id IN (`+older+`)`, which...); err != nil {
			return err
		}
		if err := q.putAuthenticators([]storage.Authenticator{a}, ""); err != nil {
			return err
		}
		if err := q.putStatus(n.Status); err != nil {
			return err
		}
		return q.notify(n.Messages, n.Events)
	})
}

// PutAuthenticator implements storage.Authenticators.
func (e *Engine) PutAuthenticator(ctx context.Context, a storage.Authenticator, events []storage.Event, messages []storage.Message) error {
	return e.step(ctx, "put authenticator", func(q querier) error {
		sealed, err := e.sealSecret(a)
		if err != nil {
			return err
		}
		err = q.spend("INSERT INTO authenticators ("+authenticatorColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "+authenticatorUpsert,
			ref(a.ID), ref(a.UserID), a.Method, clean(a.Name), clean(a.Origin), string(a.State), blob(sealed), clean(a.Data),
			a.Counter, micro(a.CreatedAt), micro(a.UpdatedAt), micro(a.LastUsedAt), micro(a.ExpiresAt), "", blob(a.Credential))
		if err != nil {
			return err
		}
		return q.notify(messages, events)
	})
}

// RenameAuthenticator implements storage.Authenticators.
func (e *Engine) RenameAuthenticator(ctx context.Context, user storage.UserID, id storage.AuthenticatorID, name string, now time.Time,
	events []storage.Event) error {
	return e.step(ctx, "rename authenticator", func(q querier) error {
		err := q.change("UPDATE authenticators SET name = ?, updated_at = ? WHERE id = ? AND user_id = ?",
			clean(name), micro(now), ref(id), ref(user))
		if err != nil {
			return err
		}
		return q.putEvents(events)
	})
}

// SetAuthenticatorState implements storage.Authenticators.
func (e *Engine) SetAuthenticatorState(ctx context.Context, user storage.UserID, id storage.AuthenticatorID,
	state storage.AuthenticatorState, now time.Time, events []storage.Event, messages []storage.Message) error {
	return e.step(ctx, "set authenticator state", func(q querier) error {
		err := q.change(`UPDATE authenticators SET state = ?, updated_at = ?, expires_at = CASE WHEN ? THEN expires_at ELSE 0 END
			WHERE id = ? AND user_id = ?`, string(state), micro(now), state == storage.AuthenticatorPending, ref(id), ref(user))
		if err != nil {
			return err
		}
		return q.notify(messages, events)
	})
}

// LowerCounter implements storage.Authenticators.
func (e *Engine) LowerCounter(ctx context.Context, user storage.UserID, id storage.AuthenticatorID, from, to int64, now time.Time,
	events []storage.Event) error {
	return e.step(ctx, "lower counter", func(q querier) error {
		err := q.spend("UPDATE authenticators SET counter = ?, updated_at = ? WHERE id = ? AND user_id = ? AND counter = ? AND counter > ?",
			to, micro(now), ref(id), ref(user), from, to)
		if err != nil {
			return err
		}
		return q.putEvents(events)
	})
}

// DeleteAuthenticator implements storage.Authenticators.
func (e *Engine) DeleteAuthenticator(ctx context.Context, r storage.Removal) error {
	return e.step(ctx, "delete authenticator", func(q querier) error {
		if err := q.endRemembered(r.UserID); err != nil {
			return err
		}
		if r.EndSessions != "" {
			if err := q.endLogins(r.UserID, r.EndSessions, r.Now); err != nil {
				return err
			}
		}
		if err := q.dropAuthenticator(r); err != nil {
			return err
		}
		if len(r.Lasting) > 0 {
			if err := q.endSecondFactor(r.UserID, r.Lasting, r.Now); err != nil {
				return err
			}
		}
		if r.EndSessions != "" {
			if err := q.endSessions(r.UserID, r.EndSessions, true, r.Now); err != nil {
				return err
			}
		}
		return q.notify(r.Messages, r.Events)
	})
}

// dropAuthenticator removes an authenticator with its statuses, and those that it may have verified.
func (q querier) dropAuthenticator(r storage.Removal) error {
	user, id := r.UserID, r.Authenticator
	err := q.send("DELETE FROM statuses WHERE user_id = ? AND authenticator_id = ?", ref(user), ref(id))
	if err != nil {
		return err
	}
	err = q.send(`UPDATE statuses SET state = 'cancelled' WHERE user_id = ? AND authenticator_id IS NULL AND state IN ('initiated', 'last', 'verified')
		AND method = (SELECT a.method FROM authenticators a WHERE a.id = ? AND a.user_id = ?)`, ref(user), ref(id), ref(user))
	if err != nil {
		return err
	}
	return q.deleteAuthenticator(r)
}

// deleteAuthenticator deletes an authenticator unless the user would keep no way to sign in; no
// ways: unconditionally. Two at once take turns at the row of the user, so that each sees what the
// other has left.
func (q querier) deleteAuthenticator(r storage.Removal) error {
	const text = "DELETE FROM authenticators WHERE id = ? AND user_id = ?"
	if len(r.Ways) == 0 {
		return q.change(text, ref(r.Authenticator), ref(r.UserID))
	}
	if err := q.change("UPDATE users SET mfa_enabled = mfa_enabled WHERE id = ?", ref(r.UserID)); err != nil {
		return err
	}
	return q.spend(text+" AND EXISTS (SELECT 1 FROM authenticators k WHERE k.user_id = ? AND k.id NOT IN ? AND k.state = 'active' AND k.method IN ?)",
		ref(r.Authenticator), ref(r.UserID), ref(r.UserID), refs(append(slices.Clip(r.Unusable), r.Authenticator)), r.Ways)
}

// endSecondFactor removes recovery codes and MFAEnabled with the last second factor.
func (q querier) endSecondFactor(user storage.UserID, lasting []string, now time.Time) error {
	const last = ` AND NOT EXISTS (SELECT 1 FROM authenticators k WHERE k.user_id = ? AND k.state <> 'pending' AND k.method IN ?)`
	err := q.send("UPDATE users SET mfa_enabled = FALSE, "+moved+" WHERE id = ?"+last, movedArgs(now, ref(user), ref(user), lasting)...)
	if err != nil {
		return err
	}
	err = q.send("UPDATE statuses SET state = 'cancelled' WHERE user_id = ? AND method = 'recovery' AND state IN ('initiated', 'last', 'verified')"+last,
		ref(user), ref(user), lasting)
	if err != nil {
		return err
	}
	return q.send("DELETE FROM authenticators WHERE user_id = ? AND method = 'recovery'"+last, ref(user), ref(user), lasting)
}

// ReplaceRecoveryCodes implements storage.Authenticators.
func (e *Engine) ReplaceRecoveryCodes(ctx context.Context, set storage.RecoverySet, _ time.Time,
	events []storage.Event, messages []storage.Message) error {
	return e.step(ctx, "replace recovery codes", func(q querier) error {
		if err := q.replaceRecovery(set); err != nil {
			return err
		}
		return q.notify(messages, events)
	})
}

// replaceRecovery stores a new set. One of two concurrent calls violates the unique index
// over the users' sets and fails.
func (q querier) replaceRecovery(set storage.RecoverySet) error {
	if err := q.send("DELETE FROM authenticators WHERE user_id = ? AND method = 'recovery'", ref(set.Authenticator.UserID)); err != nil {
		return err
	}
	if err := q.putAuthenticators([]storage.Authenticator{set.Authenticator}, ""); err != nil {
		return err
	}
	return q.putRecoveryCodes(set)
}

func (q querier) putRecoveryCodes(set storage.RecoverySet) error {
	a := set.Authenticator
	in := insertInto("recovery_codes (user_id, hash, authenticator_id, position, sealed, used_at)")
	for i, code := range set.Codes {
		sealed, err := q.e.keyring.Seal(recoveryLabel, recoveryRow(a.UserID, a.ID, int64(i)), []byte(code))
		if err != nil {
			return err
		}
		in.add(ref(a.UserID), blob(q.e.keyring.Hash(recoveryLabel+string(a.UserID), code)), ref(a.ID), int64(i), blob(sealed), int64(0))
	}
	return in.run(q, "")
}

func recoveryRow(user storage.UserID, id storage.AuthenticatorID, position int64) string {
	return fmt.Sprintf("%s/%s/%d", user, id, position)
}

// RecoveryCodes implements storage.Authenticators.
func (e *Engine) RecoveryCodes(ctx context.Context, user storage.UserID) ([]string, error) {
	const query = `SELECT CAST(authenticator_id AS text), position, sealed FROM recovery_codes
		WHERE user_id = ? AND used_at = 0 ORDER BY position`
	var out []string
	err := e.read(ctx, "read recovery codes", func(q querier) error {
		out = nil
		return q.each(query, []any{ref(user)}, func(rows scanner) error {
			var id text
			var position int64
			var sealed []byte
			if err := rows.Scan(&id, &position, &sealed); err != nil {
				return err
			}
			code, err := e.keyring.Open(recoveryLabel, recoveryRow(user, storage.AuthenticatorID(id), position), sealed)
			out = append(out, string(code))
			return err
		})
	})
	return out, err
}

// notify writes messages, then audit lines.
func (q querier) notify(messages []storage.Message, events []storage.Event) error {
	if err := q.putMessages(messages); err != nil {
		return err
	}
	return q.putEvents(events)
}
