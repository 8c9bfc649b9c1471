package provider

import (
	"net/http"

	"sallyport/mfa"
	"sallyport/provider/oauth"
)

// InspectAsBearer is introspection for callers that show a living access token in the
// place of a client secret, as resource servers without credentials do; the token may
// be the one inspected. It shows what the client of that token would be shown, except
// that refresh tokens are nothing to a bearer. A token for resource servers alone does
// not speak for its client: it may be shown for itself only.
func (p *Provider) InspectAsBearer(w http.ResponseWriter, r *http.Request, _ mfa.Caller) {
	token, e := oauth.Bearer(r)
	if e != nil {
		p.respond.BearerError(w, r, e)
		return
	}
	dead := oauth.NewError("invalid_token", "the access token is unknown, expired or revoked")
	t, err := p.readAccess(token)
	if err != nil {
		p.respond.BearerError(w, r, dead)
		return
	}
	_, alive, err := p.counts(r.Context(), t)
	if err != nil {
		p.respond.BearerError(w, r, oauth.Unavailable(err))
		return
	}
	c, err := p.clients.Client(r.Context(), t.Client)
	if err != nil && !isNotFound(err) {
		p.respond.BearerError(w, r, oauth.Unavailable(err))
		return
	}
	if !alive || err != nil || c.Disabled {
		p.respond.BearerError(w, r, dead)
		return
	}
	form, e := oauth.ReadForm(r)
	if e == nil && form.Get("token") == "" {
		e = oauth.NewError("invalid_request", "token is missing")
	}
	if e != nil {
		p.respond.Error(w, r, e)
		return
	}
	if !p.meant(t) && form.Get("token") != token {
		p.respond.BearerError(w, r, otherAudience())
		return
	}
	answer := introspection{}
	if _, _, refresh := p.openRefresh(form.Get("token")); !refresh {
		if answer, e = p.introspect(r.Context(), c, form.Get("token")); e != nil {
			p.respond.Error(w, r, e)
			return
		}
	}
	oauth.WriteJSON(w, http.StatusOK, answer)
}
