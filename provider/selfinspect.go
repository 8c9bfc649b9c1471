package provider

import (
	"net/http"

	"sallyport/mfa"
)

// InspectAsBearer is introspection for callers that show a living access token in the
// place of a client secret, as resource servers without credentials do; the token may
// be the one inspected. It shows what the client of that token would be shown, except
// that refresh tokens are nothing to a bearer. A token for resource servers alone does
// not speak for its client: it may be shown for itself only.
func (p *Provider) InspectAsBearer(w http.ResponseWriter, r *http.Request, _ mfa.Caller) {
	token, e := bearer(r)
	if e != nil {
		p.writeBearerError(w, r, e)
		return
	}
	dead := refusal("invalid_token", "the access token is unknown, expired or revoked")
	t, err := p.readAccess(token)
	if err != nil {
		p.writeBearerError(w, r, dead)
		return
	}
	_, alive, err := p.counts(r.Context(), t)
	if err != nil {
		p.writeBearerError(w, r, unavailable(err))
		return
	}
	c, err := p.clients.Client(r.Context(), t.Client)
	if err != nil && !isNotFound(err) {
		p.writeBearerError(w, r, unavailable(err))
		return
	}
	if !alive || err != nil || c.Disabled {
		p.writeBearerError(w, r, dead)
		return
	}
	form, e := readForm(r)
	if e == nil && form.Get("token") == "" {
		e = refusal("invalid_request", "token is missing")
	}
	if e != nil {
		p.writeError(w, r, e)
		return
	}
	if !p.meant(t) && form.Get("token") != token {
		p.writeBearerError(w, r, otherAudience())
		return
	}
	answer := introspection{}
	if _, _, refresh := p.openRefresh(form.Get("token")); !refresh {
		if answer, e = p.introspect(r.Context(), c, form.Get("token")); e != nil {
			p.writeError(w, r, e)
			return
		}
	}
	writeJSON(w, http.StatusOK, answer)
}
