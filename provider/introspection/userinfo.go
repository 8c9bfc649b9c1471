package introspection

import (
	"errors"
	"net/http"
	"slices"

	"sallyport/mfa"
	"sallyport/provider/claims"
	"sallyport/provider/oauth"
	"sallyport/provider/token"
	"sallyport/storage"
)

// Userinfo is the userinfo endpoint (OpenID Connect Core section 5.3). It refuses tokens for
// resource servers alone: those must not learn who the user is.
func (e *Endpoints) Userinfo(w http.ResponseWriter, r *http.Request, v mfa.Caller) {
	presented, fault := oauth.AccessToken(r)
	if fault != nil || presented.Token == "" {
		e.respond.ResourceError(w, r, fault)
		return
	}
	out, fault := e.userinfo(w, r, v, presented)
	if fault != nil {
		e.respond.ResourceError(w, r, fault)
		return
	}
	oauth.Write(w, http.StatusOK, out.mediaType, []byte(out.text))
}

// answer is a response of the userinfo endpoint.
type answer struct{ mediaType, text string }

func (e *Endpoints) userinfo(w http.ResponseWriter, r *http.Request, v mfa.Caller, presented oauth.Presented) (answer, *oauth.Error) {
	ctx := r.Context()
	t, err := e.codec.ReadAccess(presented.Token)
	if err != nil || t.Grant == "" {
		return answer{}, errInactive(oauth.UnknownToken)
	}
	mfa.Refused(ctx, mfa.Refusal{Client: t.Client}) // if it is refused
	if !t.ForClient() && !slices.Contains(t.Audience, e.issuer+oauth.UserinfoPath) {
		return answer{}, errAudience()
	}
	proof, fault := e.checkHolder(w, r, v, presented, t)
	if fault != nil {
		return answer{}, fault
	}
	g, err := e.store.Grant(ctx, t.Grant)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return answer{}, oauth.Unavailable(err)
	}
	if err != nil || !g.Alive() {
		return answer{}, errInactive(oauth.RevokedToken)
	}
	if fault := e.proofs.Use(ctx, proof); fault != nil {
		return answer{}, fault
	}
	scopes := oauth.Fields(t.Scope)
	if !slices.Contains(scopes, "openid") {
		return answer{}, oauth.NewError("insufficient_scope", "the scope openid was not granted")
	}
	c, err := e.clients.Holder(ctx, t.Client)
	if err != nil {
		return answer{}, oauth.Unavailable(err)
	}
	if c == nil {
		return answer{}, errInactive(oauth.DisabledClient)
	}
	content := claims.UserInfo(g.Grant.Authorization.Claims, &g.Account, scopes, c.Scopes)
	text, jwt, err := e.codec.WriteUserinfo(ctx, content, g.Grant.Authorization.UserID, c)
	switch {
	case err != nil:
		return answer{}, token.ErrorOf(err)
	case jwt:
		return answer{"application/jwt", text}, nil
	}
	return answer{"application/json", text}, nil
}

// errInactive refuses a token that is unknown or no longer active (RFC 6750 section 3.1).
func errInactive(reason string) *oauth.Error {
	return oauth.NewError("invalid_token", "the access token is unknown, expired or revoked").Because(reason)
}

// errAudience refuses a token for resource servers alone (RFC 6750 section 3.1).
func errAudience() *oauth.Error {
	return oauth.NewError("invalid_token", "the access token is for another audience").Because(oauth.OtherAudience)
}
