package introspection

import (
	"context"
	"errors"
	"net/http"
	"time"

	"sallyport/mfa"
	"sallyport/provider/clients"
	"sallyport/provider/oauth"
	"sallyport/provider/token"
	"sallyport/storage"
)

// Revoke is the revocation endpoint (RFC 7009). A client revokes its own tokens; revoking one
// token of a grant revokes the grant and all its tokens. For tokens that are unknown or of other
// clients the response is the same, but nothing is revoked. A storage failure is reported
// (section 2.2.1), because the token is still active.
func (e *Endpoints) Revoke(w http.ResponseWriter, r *http.Request, caller mfa.Caller) {
	c, presented, fault := e.auth.WithToken(r, caller, true)
	if fault != nil {
		e.respond.Error(w, r, fault)
		return
	}
	if err := e.revoke(r.Context(), c, presented, caller); err != nil {
		e.respond.Error(w, r, oauth.Unavailable(err))
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
}

func (e *Endpoints) revoke(ctx context.Context, c *clients.Client, presented string, caller mfa.Caller) error {
	event := storage.Event{Kind: mfa.EventTokenRevoked, Outcome: mfa.OutcomeOK, Actor: mfa.ActorClient, ClientID: c.ID}
	if token.IsRefresh(presented) {
		id, _, ok := e.codec.ReadRefresh(presented)
		if !ok {
			return nil
		}
		return e.revokeGrant(ctx, c, id, event, caller)
	}
	t, err := e.codec.ReadAccess(presented)
	if err != nil || t.Client != c.ID {
		return nil
	}
	if t.Grant != "" {
		return e.revokeGrant(ctx, c, t.Grant, event, caller)
	}
	return e.store.RevokeToken(ctx, t.ID, time.Unix(t.Expires, 0).UTC(), []storage.Event{e.journal.Event(caller, event)})
}

func (e *Endpoints) revokeGrant(ctx context.Context, c *clients.Client, id storage.GrantID, event storage.Event, caller mfa.Caller) error {
	g, err := e.store.Grant(ctx, id)
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	a := g.Grant.Authorization
	if a.ClientID != c.ID {
		return nil
	}
	if !g.Grant.RevokedAt.IsZero() {
		return e.store.Settle(ctx)
	}
	event.UserID, event.SessionID, event.GrantID = a.UserID, a.SessionID, id
	return e.store.RevokeGrant(ctx, id, "revoked by the client", e.now(), []storage.Event{e.journal.Event(caller, event)})
}
