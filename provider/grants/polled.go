package grants

import (
	"context"
	"errors"
	"time"

	"github.com/ory/fosite"

	"sallyport/provider/clients"
	"sallyport/provider/oauth"
	"sallyport/storage"
)

const (
	// pollSlack forgives a client whose poll comes a little early: what it measures is not what the
	// network delivers.
	pollSlack = time.Second
	// slowDown is what an early poll adds to the interval (RFC 8628 section 3.5).
	slowDown = 5 * time.Second
)

// polledCodes names the parameter that clients poll with, by grant type.
var polledCodes = map[string]string{clients.DeviceCode: "device_code", clients.CIBA: "auth_req_id"}

// Approve issues the grant that a polled request ends in. The client can redeem it until the given time,
// with the code that it polls with. If id is "", the grant gets a new one.
func (i *Issuer) Approve(c *clients.Client, a storage.Authorization, id storage.GrantID, until time.Time) Issued {
	now := i.now()
	if id == "" {
		id = storage.GrantID(storage.TimeOrdered(now, i.random))
	}
	return Issued{Code: &storage.Grant{ID: id, Authorization: a, CodeUntil: until, CreatedAt: now,
		ExpiresAt: i.end(c, c.GetGrantTypes().Has("refresh_token"), until)}}
}

// polledGrant redeems the grants of polled requests (RFC 8628 section 3.4). fosite has no handler for
// them.
type polledGrant struct {
	store   *store
	access  *accessStrategy
	refresh *refreshStrategy
	id      *idTokenStrategy
}

var _ fosite.TokenEndpointHandler = (*polledGrant)(nil)

func (*polledGrant) CanSkipClientAuth(context.Context, fosite.AccessRequester) bool { return false }

func (*polledGrant) CanHandleTokenEndpointRequest(_ context.Context, r fosite.AccessRequester) bool {
	types := r.GetGrantTypes()
	return len(types) == 1 && polledCodes[types[0]] != ""
}

// HandleTokenEndpointRequest reads the grant of an approved request into the session.
func (h *polledGrant) HandleTokenEndpointRequest(ctx context.Context, r fosite.AccessRequester) error {
	tx, err := current(ctx)
	if err != nil {
		return err
	}
	c, isClient := r.GetClient().(*clients.Client)
	sess, isSession := r.GetSession().(*session)
	access, isAccess := r.(*fosite.AccessRequest)
	if !isClient || !isSession || !isAccess {
		return errSession
	}
	if !c.MayUse(tx.grantType) {
		return oauth.Standard("unauthorized_client").About("grant_type")
	}
	id, err := h.poll(ctx, tx, polledCodes[tx.grantType], r)
	if err != nil {
		return err
	}
	stored, err := h.store.i.store.Grant(ctx, id)
	if errors.Is(err, storage.ErrNotFound) {
		return oauth.Standard("invalid_grant").Because(oauth.RevokedToken)
	}
	if err != nil {
		return readError(err)
	}
	tx.code = &stored
	switch g := stored.Grant; {
	case !g.RedeemedAt.IsZero():
		tx.revoke = g.ID // only the client knows what it polls with, or a thief
		return oauth.Standard("invalid_grant").Because(oauth.UsedCode)
	case !active(stored.Account.User):
		return oauth.Standard("invalid_grant").Because(oauth.DisabledUser)
	case stored.SessionEnded:
		return oauth.Standard("invalid_grant").Because(oauth.SignedOut)
	}
	sess.authorization, sess.account, sess.grant = stored.Grant.Authorization, &stored.Account, id
	access.ID = string(id)
	access.RequestedScope, access.GrantedScope = sess.authorization.Scopes, sess.authorization.Scopes
	return nil
}

// poll returns the grant that a request ended in, or how far it is (RFC 8628 section 3.5).
func (h *polledGrant) poll(ctx context.Context, tx *transaction, name string, r fosite.AccessRequester) (storage.GrantID, error) {
	code := r.GetRequestForm().Get(name)
	if code == "" {
		return "", oauth.NewError("invalid_request", name+" is missing").About(name)
	}
	found, err := h.store.i.store.Poll(ctx, storage.Poll{Code: code, GrantType: tx.grantType, ClientID: tx.client, Slack: pollSlack, Slower: slowDown, Now: tx.now})
	if errors.Is(err, storage.ErrNotFound) {
		e := oauth.Standard("invalid_grant").Because(oauth.UnknownCode).About(name)
		return "", hide(e)
	}
	if err != nil {
		return "", readError(err)
	}
	switch {
	case found.TooSoon:
		return "", hide(oauth.Standard("slow_down").About(name))
	case found.Request.State == storage.PolledDenied:
		return "", hide(oauth.NewError("access_denied", "the user did not allow it").About(name))
	case !tx.now.Before(found.Request.ExpiresAt):
		return "", hide(oauth.Standard("expired_token").About(name))
	case found.Request.State == storage.PolledPending:
		return "", hide(oauth.Standard("authorization_pending").About(name))
	}
	return found.GrantID, nil
}

// hide keeps what a client polls with out of the log: it may still be good.
func hide(e *oauth.Error) *oauth.Error {
	e.Value = "(not shown)"
	return e
}

// PopulateTokenEndpointResponse creates the tokens.
func (h *polledGrant) PopulateTokenEndpointResponse(ctx context.Context, r fosite.AccessRequester, response fosite.AccessResponder) error {
	tx, err := current(ctx)
	if err != nil {
		return err
	}
	token, _, err := h.access.GenerateAccessToken(ctx, r)
	if err != nil {
		return err
	}
	response.SetAccessToken(token)
	response.SetTokenType("bearer")
	if r.GetClient().GetGrantTypes().Has("refresh_token") {
		token, _, err := h.refresh.GenerateRefreshToken(ctx, r)
		if err != nil {
			return err
		}
		response.SetExtra("refresh_token", token)
		tx.refresh = true
	}
	if r.GetGrantedScopes().Has("openid") {
		token, err := h.id.GenerateIDToken(ctx, h.store.i.options.IDTokenTTL, r)
		if err != nil {
			return err
		}
		response.SetExtra("id_token", token)
	}
	tx.redeem, tx.committed = true, true
	return nil
}
