package grants

import (
	"context"
	"errors"
	"slices"
	"time"

	"sallyport/mfa"
	"sallyport/provider/clients"
	"sallyport/provider/oauth"
	"sallyport/storage"
)

// revokeFamily revokes a grant whose code or refresh token was used twice (RFC 6749 section
// 10.5, RFC 9700 section 4.14.2).
func (i *Issuer) revokeFamily(ctx context.Context, tx *transaction) *oauth.Error {
	kind, reason := mfa.EventRefreshReused, "refresh token reuse"
	var a storage.Authorization
	if tx.code != nil {
		kind, reason, a = mfa.EventCodeReplayed, "code replay", tx.code.Grant.Authorization
	}
	if tx.grant != nil {
		a = tx.grant.Grant.Authorization
	}
	e := i.journal.Event(tx.caller, storage.Event{Kind: kind, Outcome: mfa.OutcomeRefused, UserID: a.UserID, ClientID: a.ClientID,
		SessionID: a.SessionID, GrantID: tx.revoke})
	if err := i.store.RevokeGrant(ctx, tx.revoke, reason, tx.now, []storage.Event{e}); err != nil {
		return oauth.Unavailable(err)
	}
	return tx.reused()
}

// settle writes the transaction of a request, if it has one.
func (i *Issuer) settle(ctx context.Context, tx *transaction, s *session, c *clients.Client) *oauth.Error {
	switch {
	case tx.redeem && tx.committed && tx.code != nil:
		return i.redeem(ctx, tx, c)
	case tx.rotate && tx.committed && tx.grant != nil:
		return i.rotate(ctx, tx, c)
	case s.grant == "":
		i.journal.Note(i.journal.Event(tx.caller, storage.Event{Kind: mfa.EventTokenIssued, Outcome: mfa.OutcomeOK, ClientID: c.ID}))
	}
	return nil
}

// redeem redeems a code. The second of two concurrent requests has used the code twice.
func (i *Issuer) redeem(ctx context.Context, tx *transaction, c *clients.Client) *oauth.Error {
	id, a := tx.code.Grant.ID, tx.code.Grant.Authorization
	end := i.end(c, tx.refresh, tx.now)
	r := storage.Redemption{ID: id, Refreshable: tx.refresh, Offline: tx.refresh && slices.Contains(a.Scopes, "offline_access"),
		RefreshUntil: end, ExpiresAt: end, Now: tx.now, Events: []storage.Event{i.journal.Event(tx.caller, storage.Event{
			Kind: mfa.EventCodeRedeemed, Outcome: mfa.OutcomeOK, UserID: a.UserID, ClientID: a.ClientID, SessionID: a.SessionID, GrantID: id})}}
	if tx.refresh {
		r.RefreshKey, r.RefreshCertificate = tx.refreshBinding(c, storage.Grant{})
		r.RefreshUntil = earlier(tx.now.Add(i.refreshIdle(c)), end)
	}
	err := i.store.RedeemCode(ctx, r)
	if err == nil {
		return nil
	}
	if !errors.Is(err, storage.ErrConflict) {
		return oauth.Unavailable(err)
	}
	stored, err := i.store.Grant(ctx, id)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return oauth.Unavailable(err)
	}
	if err != nil || stored.Grant.RedeemedAt.IsZero() {
		return oauth.Standard("invalid_grant").Because(oauth.RevokedToken).About("code")
	}
	tx.revoke = id
	return i.revokeFamily(ctx, tx)
}

// rotate uses a refresh token, and moves the grant to its next generation unless the client keeps the
// token. Of a token that rotates, the second of two concurrent requests is
// treated like a later one: it gets the same successor within the grace period, otherwise the
// family is revoked.
func (i *Issuer) rotate(ctx context.Context, tx *transaction, c *clients.Client) *oauth.Error {
	grant := tx.grant.Grant
	a := grant.Authorization
	e := i.journal.Event(tx.caller, storage.Event{Kind: mfa.EventTokenRefresh, Outcome: mfa.OutcomeOK, UserID: a.UserID,
		ClientID: a.ClientID, SessionID: a.SessionID, GrantID: grant.ID})
	key, certificate := tx.refreshBinding(c, grant)
	err := i.store.RotateRefresh(ctx, storage.Rotation{ID: grant.ID, Generation: tx.presented, Keep: c.KeepsRefreshToken(), RefreshKey: key, RefreshCertificate: certificate, Now: tx.now,
		Until: earlier(tx.now.Add(i.refreshIdle(c)), grant.ExpiresAt), Events: []storage.Event{e}})
	if err == nil {
		return nil
	}
	if !errors.Is(err, storage.ErrConflict) {
		return oauth.Unavailable(err)
	}
	stored, err := i.store.Grant(ctx, grant.ID)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return oauth.Unavailable(err)
	}
	if err != nil || !stored.Alive() {
		return oauth.Standard("invalid_grant").Because(oauth.RevokedToken).About("refresh_token")
	}
	if inGrace(stored.Grant, tx.presented, c, tx.now) {
		if parameter, reason := tx.unbound("refresh_token", stored.Grant.RefreshKey, stored.Grant.RefreshCertificate); reason != "" {
			return oauth.Standard("invalid_grant").Because(reason).About(parameter)
		}
		return nil
	}
	tx.revoke = grant.ID
	return i.revokeFamily(ctx, tx)
}

func (i *Issuer) refreshIdle(c *clients.Client) time.Duration {
	if c.RefreshTokenIdleTTL > 0 {
		return c.RefreshTokenIdleTTL.Duration()
	}
	return i.options.RefreshIdleTTL
}

func (i *Issuer) refreshTTL(c *clients.Client) time.Duration {
	if c.RefreshTokenTTL > 0 {
		return c.RefreshTokenTTL.Duration()
	}
	return i.options.RefreshTTL
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
