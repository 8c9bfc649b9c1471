package relational

import (
	"context"
	"errors"
	"slices"
	"time"

	"sallyport/storage"
)

// Spend implements storage.Steps.
func (e *Engine) Spend(ctx context.Context, s storage.Spend) error {
	return e.burst(ctx, "spend", func(q querier) error {
		for _, part := range []func(storage.Spend) error{q.spendUser, q.spendLogin, q.spendFactor, q.spendSession, q.spendCounters} {
			if err := part(s); err != nil {
				return err
			}
		}
		messages, events := s.Messages, s.Events
		if s.Finish != nil {
			messages, events = slices.Concat(messages, s.Finish.Messages), slices.Concat(events, s.Finish.Events)
		}
		if err := q.notify(messages, events); err != nil || s.Returned == nil {
			return err
		}
		return q.returned(*s.Returned)
	})
}

// spendLogin changes the request of a proof, or begins a detached login, and moves its status.
func (q querier) spendLogin(s storage.Spend) error {
	if s.Request != nil {
		if err := q.changeRequest(*s.Request); err != nil {
			return err
		}
	}
	if s.Login != nil {
		if err := q.putLogin(*s.Login, s.Now); err != nil {
			return err
		}
	}
	if s.Finish != nil {
		if err := q.finishParent(*s.Finish); err != nil {
			return err
		}
	}
	if s.Status != nil {
		if err := q.moveStatus(*s.Status, s.Now); err != nil {
			return err
		}
	}
	if s.EndSessions != "" {
		return q.endLogins(s.EndSessions, s.KeepSession, s.Now)
	}
	return nil
}

// spendFactor spends the credential, replaces recovery codes, and checks the basis of an enrolment.
// What the proof changes of its user comes after its status: that may be of an authenticator that
// the change removes.
func (q querier) spendFactor(s storage.Spend) error {
	if s.Change != nil {
		if err := q.changeUser(*s.Change); err != nil {
			return err
		}
	}
	if s.Credential != nil {
		if err := q.lockAuthenticators(s.Credential.User, s.Reset); err != nil {
			return err
		}
		if err := q.spendCredential(*s.Credential, s.Now); err != nil {
			return err
		}
		if err := q.unmark(s.Credential.User, s.Reset); err != nil {
			return err
		}
		if s.Remove != "" {
			err := q.spend("DELETE FROM authenticators WHERE id = ? AND user_id = ? AND state = 'active'", ref(s.Remove), ref(s.Credential.User))
			if err != nil {
				return err
			}
		}
	}
	if s.Remember != nil {
		if err := q.remember(*s.Remember); err != nil {
			return err
		}
	}
	if s.Recovery != nil {
		if err := q.replaceRecovery(*s.Recovery); err != nil {
			return err
		}
	}
	if s.Basis != nil {
		return q.checkBasis(*s.Basis, s.Now)
	}
	return nil
}

// spendSession ends sessions, changes or creates one, and writes the end of a login.
func (q querier) spendSession(s storage.Spend) error {
	if s.EndSessions != "" {
		if err := q.endSessions(s.EndSessions, s.KeepSession, true, s.Now); err != nil {
			return err
		}
	}
	if s.Renew != nil {
		if err := q.renew(s.KeepSession, *s.Renew); err != nil {
			return err
		}
	}
	if s.Session != nil {
		if err := q.putSession(*s.Session); err != nil {
			return err
		}
	}
	if s.Extend != nil {
		if err := q.extend(*s.Extend); err != nil {
			return err
		}
	}
	if s.Finish != nil {
		return q.finish(*s.Finish)
	}
	return nil
}

// spendCounters resets what was counted. It locks addresses before counters, as CountFailure does.
func (q querier) spendCounters(s storage.Spend) error {
	if err := q.takeBack(s.TakeBack, s.Now); err != nil {
		return err
	}
	if err := q.resetThrottles(s.Reset); err != nil {
		return err
	}
	return q.forgive(s.Forgive, s.Now)
}

// moved replaces the time of a user's last change by a later one, whatever the clocks say
// (storage.User.Next), with movedArgs.
const moved = "updated_at = CASE WHEN updated_at < ? THEN ? ELSE updated_at + 1 END"

func movedArgs(now time.Time, where ...any) []any {
	return append([]any{micro(now), micro(now)}, where...)
}

// spendUser changes the user of a proof.
func (q querier) spendUser(s storage.Spend) error {
	// Serialize by user: of two enrolments with Alone or Sole the second must see the first,
	// and two calls that end each other's sessions must not interleave.
	ended := s.EndSessions
	if c := s.Credential; c != nil && (c.Confirm || c.Changed) {
		ended = c.User
	}
	if ended != "" {
		if err := q.endRemembered(ended); err != nil {
			return err
		}
	} else if s.Change != nil {
		if err := q.spend("UPDATE users SET updated_at = updated_at WHERE id = ?", ref(s.Change.ID)); err != nil {
			return err
		}
	}
	if c := s.Credential; c != nil && c.Confirm {
		// Whoever read the user before must not write what they decided without this authenticator:
		// it may be at an address that goes.
		if err := q.send("UPDATE users SET "+moved+" WHERE id = ?", movedArgs(s.Now, ref(c.User))...); err != nil {
			return err
		}
	}
	if s.MFAEnabled != "" {
		err := q.spend("UPDATE users SET mfa_enabled = TRUE, "+moved+" WHERE id = ?", movedArgs(s.Now, ref(s.MFAEnabled))...)
		if err != nil {
			return err
		}
	}
	if s.Activate != "" {
		err := q.send("UPDATE users SET status = 'active', "+moved+" WHERE id = ? AND status = 'pending'", movedArgs(s.Now, ref(s.Activate))...)
		if err != nil {
			return err
		}
		if err := q.acceptInvitation(s.Activate, s.Now); err != nil {
			return err
		}
	}
	if s.Verify != "" {
		return q.spend(verifying+" WHERE id = ? AND "+unexpired, verifyingArgs(s.Now, ref(s.Verify), micro(s.Now))...)
	}
	return nil
}

// spendCredential spends a credential of a user who may sign in.
func (q querier) spendCredential(c storage.CredentialSpend, now time.Time) error {
	var set, where assignments
	set.add("last_used_at = ?", micro(now))
	where.add("id = ? AND user_id = ?", ref(c.Authenticator), ref(c.User))
	if c.UserAt.IsZero() {
		where.add("EXISTS (SELECT 1 FROM users u WHERE u.id = authenticators.user_id AND u.status <> 'disabled')")
	} else {
		where.add("EXISTS (SELECT 1 FROM users u WHERE u.id = authenticators.user_id AND u.status <> 'disabled' AND u.updated_at = ?)", micro(c.UserAt))
	}
	switch {
	case c.Step != 0:
		set.add("counter = ?", c.Step)
		where.add("counter < ?", c.Step)
	case c.Code != "":
		set.add("counter = counter + 1")
	case c.Same:
		where.add("counter = ?", c.Was)
	}
	if c.Unfailed != "" {
		where.add("replace(failing, ?, '') = failing", bucketEntry(c.Unfailed))
		for _, k := range c.Uncounted {
			where.add("NOT EXISTS (SELECT 1 FROM throttles WHERE bucket = ? AND subject = ?)", clean(k.Bucket), blob(k.Subject))
		}
		if c.Address != "" {
			where.add("NOT EXISTS (SELECT 1 FROM address_throttles WHERE address = ? AND until > ?)", clean(c.Address), micro(now))
		}
	}
	if c.Confirm {
		set.add("state = 'active', expires_at = 0")
		where.add("state = 'pending' AND expires_at > ?", micro(now))
		if len(c.Alone) > 0 {
			where.add("NOT EXISTS (SELECT 1 FROM authenticators o WHERE o.user_id = ? AND o.state <> 'pending' AND o.method IN ?)", ref(c.User), c.Alone)
		}
	} else {
		where.add("state = 'active'")
	}
	if c.Confirm || c.Changed {
		set.add("updated_at = ?", micro(now))
	}
	if c.Data != nil {
		set.add("data = ?", clean(c.Data))
	}
	if c.Credential != nil {
		set.add("credential = ?", blob(c.Credential))
	}
	if c.Secret != nil {
		method, sealed, err := q.resealed(c)
		if err != nil {
			return err
		}
		set.add("secret = ?", blob(sealed))
		where.add("method = ? AND counter = ?", method, c.Was)
		if c.Changed {
			set.add("counter = counter + 1")
		}
	}
	if err := q.spend("UPDATE authenticators SET "+joined(set, ", ")+" WHERE "+joined(where, " AND "), append(set.args, where.args...)...); err != nil {
		return err
	}
	if c.Code == "" {
		return nil
	}
	return q.spend("UPDATE recovery_codes SET used_at = ? WHERE user_id = ? AND authenticator_id = ? AND hash IN ? AND used_at = 0",
		micro(now), ref(c.User), ref(c.Authenticator), q.e.keyring.Hashes(recoveryLabel+string(c.User), c.Code))
}

// resealed seals a new secret; it reads the method, which the seal is bound to.
func (q querier) resealed(c storage.CredentialSpend) (string, []byte, error) {
	var method text
	err := q.one("SELECT method FROM authenticators WHERE id = ? AND user_id = ?", []any{ref(c.Authenticator), ref(c.User)}, &method)
	if errors.Is(err, storage.ErrNotFound) {
		return "", nil, storage.ErrConflict
	}
	if err != nil {
		return "", nil, err // perhaps of an earlier write, which may be retried
	}
	sealed, err := q.e.sealSecret(storage.Authenticator{ID: c.Authenticator, UserID: c.User, Method: string(method), Secret: c.Secret})
	return string(method), sealed, err
}

// FinishRequest implements storage.Steps.
func (e *Engine) FinishRequest(ctx context.Context, f storage.Finish) error {
	return e.burst(ctx, "finish request", func(q querier) error {
		if f.Request != "" {
			err := q.spend(`UPDATE auth_requests SET state = 'completed', version = version + 1, updated_at = ?
				WHERE hash IN ? AND state = 'open' AND version = ? AND expires_at > ?`,
				micro(f.Now), e.keyring.Hashes(requestLabel, string(f.Request)), f.Version, micro(f.Now))
			if err != nil {
				return err
			}
		}
		if err := q.finishParent(f); err != nil {
			return err
		}
		if err := q.finish(f); err != nil {
			return err
		}
		return q.notify(f.Messages, f.Events)
	})
}

// finishParent closes the request of a detached login.
func (q querier) finishParent(f storage.Finish) error {
	if f.Parent == nil {
		return nil
	}
	return q.spend(`UPDATE auth_requests SET state = 'completed', version = version + 1, updated_at = ?
		WHERE hash = ? AND state = 'open'`, micro(f.Now), blob(f.Parent))
}

// finish writes the end of a login, without its requests and its events.
func (q querier) finish(f storage.Finish) error {
	if f.Remembered != nil {
		if err := q.useRemembered(*f.Remembered); err != nil {
			return err
		}
	}
	if err := q.finishSession(f); err != nil {
		return err
	}
	if f.Consent != nil {
		if err := q.putConsent(*f.Consent, f.ConsentSince); err != nil {
			return err
		}
	}
	if f.Polled != nil {
		if err := q.approvePolled(*f.Polled, f.Now); err != nil {
			return err
		}
	}
	for _, g := range []*storage.Grant{f.Code, f.Grant} {
		if g == nil {
			continue
		}
		if err := q.putGrant(*g); err != nil {
			return err
		}
	}
	return nil
}

func (q querier) finishSession(f storage.Finish) error {
	if f.Basis != nil {
		if err := q.checkBasis(*f.Basis, f.Now); err != nil {
			return err
		}
	}
	if f.Session != nil {
		var err error
		if f.NewSession {
			err = q.putSession(*f.Session)
		} else {
			err = q.replaceSession(*f.Session, f.Session.Generation-1, f.Now)
		}
		if err != nil {
			return err
		}
	}
	if f.EndSession != "" {
		return q.endSession(f.EndSession, false, f.Now)
	}
	return nil
}
