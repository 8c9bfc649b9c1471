package provider

import (
	"crypto/hmac"
	"errors"
	"net/url"
	"slices"
	"time"

	"sallyport/mfa"
	"sallyport/provider/clients"
	"sallyport/storage"
)

// loginTTL is how long a login with a track may take after its first factor: enough to set up
// an authenticator.
const loginTTL = time.Hour

// trackEnd returns when a login ends whose track is returned now.
func trackEnd(r storage.AuthRequest, now time.Time) time.Time {
	if until := now.Add(loginTTL); until.After(r.ExpiresAt) {
		return until
	}
	return r.ExpiresAt
}

// ownership is the relation of a caller to a login.
type ownership struct{ owned, inBrowser bool }

// ownership determines whether the caller owns a login. A request that was opened in a browser
// belongs to that browser, which sends its cookie. Clients with headless login do not need the
// cookie, because their pages on other sites cannot send it. For them the owner is the caller
// who proved the first factor, and who sends the track or masked subject from the response.
// Other callers can prove a first factor only.
//
// Pages of other origins are refused, whatever they send: the Origin must be one of the client
// (rule B-4). Programs do not learn why.
func (p *Provider) ownership(stored storage.AuthRequest, c *clients.Client, a Ask) (ownership, error) {
	v := a.Visit
	unknown := &mfa.Error{Code: mfa.UnknownRequest, Err: errors.New("the request belongs to another browser")}
	if a.Program && !p.allowsOrigin(c, v.Origin) {
		return ownership{}, unknown
	}
	bound := len(stored.Browser) > 0
	if v.Browser != "" && bound {
		if p.keyring.IsHash("browser", v.Browser, stored.Browser) {
			return ownership{owned: true, inBrowser: true}, nil
		}
		return ownership{}, unknown
	}
	adopted := bound && (stored.Params.Has(openedAlone) || stored.Params.Has(polledParam))
	if !c.HeadlessLogin || adopted {
		return ownership{}, unknown
	}
	if !p.allowsOrigin(c, v.Origin) {
		return ownership{}, &mfa.Error{Code: mfa.NotAllowed, Err: errors.New("the origin is not one of the client's")}
	}
	proved := a.Track != "" || stored.Subject != "" && a.Sub != "" && slices.ContainsFunc(p.subjects(stored),
		func(s string) bool { return hmac.Equal([]byte(s), []byte(a.Sub)) })
	return ownership{owned: proved}, nil
}

// publicView returns a request without its factors, state and names, for callers who are not
// its owner. They can prove a first factor for its subject alone, if it has one, and for no user
// in a detached login.
func publicView(r storage.AuthRequest, account *storage.Account, identifier string) (storage.AuthRequest, *storage.Account) {
	named := account != nil && slices.ContainsFunc(account.Identifiers, func(i storage.Identifier) bool { return i.Value == identifier })
	if r.Parent != nil || r.Subject != "" && !named {
		account = nil
	}
	params := make(url.Values, len(r.Params))
	for name, values := range r.Params {
		if name != "state" && name != "login_hint" {
			params[name] = values
		}
	}
	return storage.AuthRequest{ID: r.ID, Hash: r.Hash, ClientID: r.ClientID, Params: params, Browser: r.Browser, Parent: r.Parent, Opener: r.Opener,
		State: r.State, Version: r.Version, Initiations: r.Initiations, Names: r.Names, RequestedAt: r.RequestedAt, ExpiresAt: r.ExpiresAt, UpdatedAt: r.UpdatedAt}, account
}

// detachedLogin returns the login that begins when another caller proves a first factor.
func (p *Provider) detachedLogin(r storage.AuthRequest) *storage.NewLogin {
	now := p.now()
	n := storage.NewLogin{Login: storage.AuthRequest{ID: storage.RequestID(storage.Random128(p.random)), ClientID: r.ClientID, Params: r.Params,
		Parent: r.Hash, Opener: r.Browser, Names: r.Names, State: storage.RequestOpen, RequestedAt: r.RequestedAt, ExpiresAt: trackEnd(r, now), UpdatedAt: now}}
	if ids := p.tracks(n.Login); len(ids) > 0 {
		n.Track = ids[0]
	}
	return &n
}
