package introspection

import (
	"net/http"

	"sallyport/mfa"
	"sallyport/provider/oauth"
)

// IntrospectAsBearer is introspection for callers that present an access token instead of a
// client secret, as resource servers without credentials do; the introspected token may be the
// same. The response is that for the client of the presented token, except that refresh tokens
// are inactive. A token for resource servers alone may introspect only itself.
func (e *Endpoints) IntrospectAsBearer(w http.ResponseWriter, r *http.Request, v mfa.Caller) {
	presented, fault := oauth.AccessToken(r)
	if fault != nil {
		e.respond.ResourceError(w, r, fault)
		return
	}
	t, err := e.codec.ReadAccess(presented.Token)
	if err != nil {
		e.respond.ResourceError(w, r, errInactive(oauth.UnknownToken))
		return
	}
	mfa.Refused(r.Context(), mfa.Refusal{Client: t.Client}) // if it is refused
	proof, fault := e.checkHolder(w, r, v, presented, t)
	if fault != nil {
		e.respond.ResourceError(w, r, fault)
		return
	}
	_, active, err := e.Active(r.Context(), t)
	if err != nil {
		e.respond.ResourceError(w, r, oauth.Unavailable(err))
		return
	}
	c, err := e.clients.Holder(r.Context(), t.Client)
	if err != nil {
		e.respond.ResourceError(w, r, oauth.Unavailable(err))
		return
	}
	if !active || c == nil {
		e.respond.ResourceError(w, r, errInactive(oauth.RevokedToken))
		return
	}
	if fault := e.proofs.Use(r.Context(), proof); fault != nil {
		e.respond.ResourceError(w, r, fault)
		return
	}
	form, fault := oauth.ReadForm(r)
	if fault == nil && form.Get("token") == "" {
		fault = oauth.NewError("invalid_request", "token is missing").Because(oauth.NoToken).About("token")
	}
	if fault != nil {
		e.respond.Error(w, r, fault)
		return
	}
	subject := form.Get("token")
	if !t.ForClient() && subject != presented.Token {
		e.respond.ResourceError(w, r, errAudience())
		return
	}
	var out response
	if _, _, refresh := e.codec.ReadRefresh(subject); !refresh {
		if out, fault = e.introspect(r.Context(), c, subject); fault != nil {
			e.respond.Error(w, r, fault)
			return
		}
	}
	oauth.WriteJSON(w, http.StatusOK, out)
}
