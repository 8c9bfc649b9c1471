package provider

import (
	"context"
	"fmt"
	"net/url"
	"slices"

	"sallyport/mfa"
	"sallyport/mfa/session"
	"sallyport/provider/clients"
	"sallyport/provider/oauth"
	"sallyport/provider/token"
	"sallyport/storage"
)

// Logout is what the end-session endpoint found.
type Logout struct {
	Confirm  bool            // ask the person first; nothing was ended
	Redirect string          // go on there; "": show that the person is signed out
	Client   *storage.Client // who asked; nil: nobody we know for sure
	Ended    bool            // nobody is signed in any more: the session cookie goes
}

// EndSession signs out (OpenID Connect RP-Initiated Logout 1.0). Only an ID token of
// the person signed in speaks for them; everything else is asked about (section 6). Where
// nobody is signed in it ends the logins its own user has under way in this browser: a page
// elsewhere that has an ID token, be it its own, must not end those of anybody else.
// The redirect needs the hint of its client and a registered address (rule O-15).
func (p *Provider) EndSession(ctx context.Context, in Params, v mfa.Caller, s *session.SignedIn, confirmed bool) (Logout, error) {
	values, page := merge(in)
	if page != nil {
		return Logout{}, page
	}
	var out Logout
	var told *token.ID
	h, c, err := p.leaving(ctx, values, in.Form)
	if err != nil {
		return Logout{}, err
	}
	if c != nil {
		told, out.Client = h, &c.Client
	}
	state := values.Get("state")
	if len(state) > maxState {
		return Logout{}, &PageError{Code: "invalid_request", Description: "state is longer than 2048 bytes", Parameter: "state"}
	}
	if uri := values.Get("post_logout_redirect_uri"); uri != "" && out.Client != nil {
		if !slices.Contains(out.Client.PostLogoutRedirectURIs, uri) {
			return Logout{}, &PageError{Code: "invalid_request", Description: "the address is not registered for this application",
				Parameter: "post_logout_redirect_uri"}
		}
		out.Redirect = uri
		if state != "" {
			out.Redirect = oauth.AppendQuery(uri, oauth.Encode([][2]string{{"state", state}}))
		}
	}
	if !confirmed && (s == nil && told == nil || s != nil && !speaksFor(told, s)) {
		out.Confirm = true
		return out, nil
	}
	// A login that stands before its last step would sign in whoever sits down here next.
	whose := storage.UserID("")
	if s == nil && !confirmed {
		whose = told.Subject
	}
	if err := p.sessions.EndLogins(ctx, v, whose); err != nil {
		return Logout{}, err
	}
	if s == nil {
		out.Ended = true
		return out, nil
	}
	if err := p.sessions.End(ctx, s, out.Client != nil && out.Client.LogoutEndsOffline, v); err != nil {
		return Logout{}, fmt.Errorf("end session: %w", err)
	}
	out.Ended = true
	return out, nil
}

// speaksFor reports whether a hint is about the person signed in here: their subject,
// and, where it names one, this very session.
func speaksFor(h *token.ID, s *session.SignedIn) bool {
	return h != nil && h.Subject == s.Account.User.ID && (h.Session == "" || h.Session == s.Session.ID)
}

// logoutHint returns the hint and the client it was given to; nil where it proves
// nothing, which is no error: the person is asked instead.
func (p *Provider) logoutHint(ctx context.Context, token, clientID string) (*token.ID, *clients.Client, error) {
	h, err := p.codec.ReadID(token)
	if err != nil || len(h.Audience) != 1 || (clientID != "" && clientID != h.Audience[0]) {
		return nil, nil, nil
	}
	c, err := p.clients.Enabled(ctx, storage.ClientID(h.Audience[0]))
	if c == nil {
		return nil, nil, err
	}
	return &h, c, nil
}

// leaving returns who a call to sign out speaks for, and the client it was given to;
// nil where nothing proves it. Beside the ID token of the standard there is what
// applications of cidaas hold: a living access token. It opens things, so it is read
// from the body only, where no log keeps it (RFC 6750 section 5.3), and one that was
// made for a resource server does not speak for who leaves.
func (p *Provider) leaving(ctx context.Context, values, body url.Values) (*token.ID, *clients.Client, error) {
	if token := values.Get("id_token_hint"); token != "" {
		return p.logoutHint(ctx, token, values.Get("client_id"))
	}
	t, err := p.codec.ReadAccess(body.Get("access_token_hint"))
	if err != nil || t.Grant == "" || !t.OnlyForClient() || (values.Get("client_id") != "" && values.Get("client_id") != string(t.Client)) {
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
	return &token.ID{Subject: storage.UserID(t.Subject), Session: t.Session, Issuer: t.Issuer, Audience: token.Audience{string(t.Client)}}, c, nil
}
