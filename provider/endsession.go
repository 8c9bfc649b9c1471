package provider

import (
	"context"
	"net/url"
	"slices"

	"sallyport/mfa"
	"sallyport/mfa/session"
	"sallyport/provider/clients"
	"sallyport/provider/oauth"
	"sallyport/storage"
)

// Logout is the result of EndSession.
type Logout struct {
	Confirm  bool            // ask the user for confirmation; nothing was ended
	Redirect string          // "": show a page that says that the user is signed out
	Client   *storage.Client // the application, by the hint or by client_id alone; nil: unknown
	Ended    bool            // delete the session cookie
	// Frontchannel are addresses of applications for the browser to load (OpenID Connect
	// Front-Channel Logout 1.0 section 3), before it goes on.
	Frontchannel []string
}

// EndSession signs out (OpenID Connect RP-Initiated Logout 1.0). Without an ID token of the
// signed-in user it requires confirmation (section 6). A session that has expired ends as others do: its
// applications and their tokens go on until then. If no user is signed in, it ends the session that the
// token names, and the logins in progress of the token's user in this browser, and no others, because any
// page can have an ID token of its own user; without a token it asks if there are any, and else does
// nothing. A redirect requires a client, by a hint or client_id, and a URI that it registered (rule O-15).
func (p *Provider) EndSession(ctx context.Context, in Params, v mfa.Caller, s *session.SignedIn, confirmed bool) (Logout, error) {
	out, err := p.endSession(ctx, in, v, s, confirmed)
	refused(ctx, err)
	return out, err
}

func (p *Provider) endSession(ctx context.Context, in Params, v mfa.Caller, s *session.SignedIn, confirmed bool) (Logout, error) {
	values, page := merge(in)
	if page != nil {
		return Logout{}, page
	}
	var out Logout
	var hint *subject
	h, c, err := p.logoutHint(ctx, values, in.Form)
	if err != nil {
		return Logout{}, err
	}
	if c != nil {
		hint = h
	} else if c, err = p.clients.Enabled(ctx, storage.ClientID(values.Get("client_id"))); err != nil {
		return Logout{}, err
	}
	if c != nil {
		out.Client = &c.Client
	}
	state := values.Get("state")
	if e := checkState(values); e != nil {
		return Logout{}, e
	}
	if uri := values.Get("post_logout_redirect_uri"); uri != "" && out.Client != nil {
		if !slices.Contains(out.Client.PostLogoutRedirectURIs, uri) {
			return Logout{}, &PageError{Code: "invalid_request", Description: "the address is not registered for this application",
				Parameter: "post_logout_redirect_uri", Client: out.Client.ID, Value: uri, Registered: out.Client.PostLogoutRedirectURIs}
		}
		out.Redirect = uri
		if state != "" {
			out.Redirect = oauth.AppendQuery(uri, oauth.Encode([][2]string{{"state", state}}))
		}
	}
	if c != nil && c.Unvetted() && !confirmed && (s == nil || !matchesSession(hint, s)) {
		out.Redirect = "" // a link to this server would lead to the site of a stranger
	}
	lapsed := false
	if s == nil {
		if s, err = p.sessions.Lapsed(ctx, v); err != nil {
			return Logout{}, err
		}
		lapsed = s != nil
	}
	if !confirmed && s != nil && !matchesSession(hint, s) {
		out.Confirm = true
		return out, nil
	}
	if !confirmed && s == nil && hint == nil {
		out.Confirm, err = p.sessions.HasLogins(ctx, v)
		out.Ended = err == nil && !out.Confirm // nothing is there
		return out, err
	}
	// A login in progress could be finished by the next user of this browser.
	whose := storage.UserID("")
	if (s == nil || lapsed) && !confirmed {
		whose = hint.user
	}
	if err := p.sessions.EndLogins(ctx, v, whose); err != nil {
		return Logout{}, err
	}
	out.Ended = true
	by := storage.ClientID("")
	if hint != nil {
		by = c.ID
	}
	if s == nil {
		return out, p.endNamed(ctx, v, c, hint)
	}
	if out.Frontchannel, err = p.frontchannel(ctx, s.Session.ID); err != nil {
		return Logout{}, err
	}
	return out, p.sessions.End(ctx, s, v, by)
}

// endNamed ends the session that a hint names, whose cookie the caller does not have: a program of the
// application calls, or its window shares no cookies with the browser. Whoever has the ID token could as
// well send the user here. An application that nobody vetted can not, nor does the caller, who need not
// be the user, learn which other applications there are.
func (p *Provider) endNamed(ctx context.Context, v mfa.Caller, c *clients.Client, hint *subject) error {
	if hint == nil || c.Unvetted() {
		return nil
	}
	s, err := p.sessions.Named(ctx, hint.session, hint.user)
	if err != nil || s == nil {
		return err
	}
	return p.sessions.End(ctx, s, v, c.ID)
}

// frontchannel returns the addresses at which the clients of a session sign its browser out.
func (p *Provider) frontchannel(ctx context.Context, id storage.SessionID) ([]string, error) {
	ids, err := p.sessions.FrontchannelClients(ctx, id)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, client := range ids {
		c, err := p.clients.Client(ctx, client)
		if err != nil && !isNotFound(err) {
			return nil, err
		}
		if err == nil && c.FrontchannelLogoutURI != "" {
			sid, err := p.codec.SessionID(c, id)
			if err != nil {
				return nil, err
			}
			out = append(out, oauth.AppendQuery(c.FrontchannelLogoutURI, oauth.Encode([][2]string{{"iss", p.options.Issuer}, {"sid", sid}})))
		}
	}
	return out, nil
}

// subject is whom a hint is about.
type subject struct {
	user    storage.UserID
	session storage.SessionID // "": any
}

// matchesSession reports whether a hint is for the user who is signed in and, if it contains a
// session, for this one.
func matchesSession(h *subject, s *session.SignedIn) bool {
	return h != nil && h.user == s.Account.User.ID && (h.session == "" || h.session == s.Session.ID)
}

// idTokenHint returns whom an id_token_hint is about, and its client. An invalid hint is no error: it returns
// nil, and the user is asked for confirmation.
func (p *Provider) idTokenHint(ctx context.Context, token, clientID string) (*subject, *clients.Client, error) {
	h, err := p.codec.ReadID(token)
	if err != nil || len(h.Audience) != 1 || (clientID != "" && clientID != h.Audience[0]) {
		return nil, nil, nil
	}
	c, err := p.clients.Enabled(ctx, storage.ClientID(h.Audience[0]))
	if c == nil {
		return nil, nil, err
	}
	return p.subjectOf(c, h.Subject, h.Session), c, nil
}

func (p *Provider) subjectOf(c *clients.Client, sub, sid string) *subject {
	return &subject{p.codec.UserOf(c, sub), p.codec.SessionOf(c, sid)}
}

// logoutHint returns the user for whom a client signs out, and that client; nil without a valid
// hint. Besides the ID token of the standard it accepts an active access token, which
// applications of cidaas send. It reads that from the body only, because servers log the query
// (RFC 6750 section 5.3), and refuses tokens for resource servers and those
// that are bound to a key.
func (p *Provider) logoutHint(ctx context.Context, values, body url.Values) (*subject, *clients.Client, error) {
	if token := values.Get("id_token_hint"); token != "" {
		return p.idTokenHint(ctx, token, values.Get("client_id"))
	}
	t, err := p.codec.ReadAccess(body.Get("access_token_hint"))
	if err != nil || t.Grant == "" || !t.OnlyForClient() || t.Confirmation != nil || (values.Get("client_id") != "" && values.Get("client_id") != string(t.Client)) {
		return nil, nil, nil
	}
	_, active, err := p.Introspection.Active(ctx, t)
	if err != nil || !active {
		return nil, nil, err
	}
	c, err := p.clients.Enabled(ctx, t.Client)
	if c == nil {
		return nil, nil, err
	}
	return p.subjectOf(c, t.Subject, t.Session), c, nil
}
