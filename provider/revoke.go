package provider

import (
	"context"
	"net/http"
	"strings"
	"time"

	"sallyport/mfa"
	"sallyport/provider/clients"
	"sallyport/storage"
)

// Revoke is the revocation endpoint (RFC 7009). A client ends its own tokens: with one
// token of a grant the grant goes, and all its tokens. A token that is unknown or
// another client's is answered like one that was revoked, and left alone. Trouble with
// storage is said aloud (section 2.2.1): the client must not believe a live token dead.
func (p *Provider) Revoke(w http.ResponseWriter, r *http.Request, v mfa.Caller) {
	c, token, e := p.callerWithToken(r, v, true)
	if e != nil {
		p.writeError(w, r, e)
		return
	}
	if err := p.revoke(r.Context(), c, token, v); err != nil {
		p.writeError(w, r, unavailable(err))
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
}

func (p *Provider) revoke(ctx context.Context, c *clients.Client, token string, v mfa.Caller) error {
	event := storage.Event{Kind: mfa.EventTokenRevoked, Outcome: mfa.OutcomeOK, Actor: "client", ClientID: c.ID}
	if strings.HasPrefix(token, refreshPrefix) {
		id, _, ok := p.openRefresh(token)
		if !ok {
			return nil
		}
		return p.revokeGrant(ctx, c, id, event, v)
	}
	t, err := p.readAccess(token)
	if err != nil || t.Client != c.ID {
		return nil
	}
	if t.Grant != "" {
		return p.revokeGrant(ctx, c, t.Grant, event, v)
	}
	return p.store.RevokeToken(ctx, t.ID, time.Unix(t.Expires, 0).UTC(), []storage.Event{p.journal.Event(v, event)})
}

func (p *Provider) revokeGrant(ctx context.Context, c *clients.Client, id storage.GrantID, event storage.Event, v mfa.Caller) error {
	standing, err := p.store.Grant(ctx, id)
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	a := standing.Grant.Authorization
	if a.ClientID != c.ID || !standing.Grant.RevokedAt.IsZero() {
		return nil
	}
	event.UserID, event.SessionID, event.GrantID = a.UserID, a.SessionID, id
	return p.store.RevokeGrant(ctx, id, "revoked by the client", p.now(), []storage.Event{p.journal.Event(v, event)})
}
