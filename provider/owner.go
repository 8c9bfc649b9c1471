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

// loginTTL is how long a login may take from its first factor on, where its owner holds
// a track: time enough to set up an app.
const loginTTL = time.Hour

// ownedUntil is how long a login lives whose owner is told a track now.
func ownedUntil(r storage.AuthRequest, now time.Time) time.Time {
	if until := now.Add(loginTTL); until.After(r.ExpiresAt) {
		return until
	}
	return r.ExpiresAt
}

// ownership is what a caller is to a login.
type ownership struct{ owned, inBrowser bool }

// ownership finds out whether a call is its owner's. A request opened in a browser is that
// browser's, which shows its cookie. A client with headless login may do without: its
// pages on other sites can not send the cookie. Then the owner is who gave the first
// factor, and shows the track or the masked subject told in the answer to that. Everybody
// else may give a first factor, and no more.
//
// A foreign page is refused whatever it shows: an Origin that was sent has to be one of
// the client's (rule B-4). A program is never told why.
func (p *Provider) ownership(stored storage.AuthRequest, c *clients.Client, a Ask) (ownership, error) {
	v := a.Visit
	unknown := &mfa.Error{Code: mfa.UnknownRequest, Err: errors.New("the request is another browser's")}
	if a.Program && !p.speaks(c, v.Origin) {
		return ownership{}, unknown
	}
	bound := len(stored.Browser) > 0
	if v.Browser != "" && bound {
		if p.keyring.IsHash("browser", v.Browser, stored.Browser) {
			return ownership{owned: true, inBrowser: true}, nil
		}
		return ownership{}, unknown
	}
	adopted := bound && stored.Params.Has(openedAlone)
	if !c.HeadlessLogin || adopted {
		return ownership{}, unknown
	}
	if !p.speaks(c, v.Origin) {
		return ownership{}, &mfa.Error{Code: mfa.NotAllowed, Err: errors.New("the origin is not one of the client's")}
	}
	shown := a.Track != "" || stored.Subject != "" && a.Sub != "" && slices.ContainsFunc(p.subjects(stored),
		func(s string) bool { return hmac.Equal([]byte(s), []byte(a.Sub)) })
	return ownership{owned: shown}, nil
}

// publicView is what a request shows to those who are not its owner: nothing of what was
// proven in it, no state and no name. A first factor counts for its subject alone, if it
// has one, and for nobody in somebody's own login.
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

// loginOf is the login of its own that a stranger's first factor begins for a request.
func (p *Provider) loginOf(r storage.AuthRequest) *storage.NewLogin {
	now := p.now()
	n := storage.NewLogin{Login: storage.AuthRequest{ID: storage.RequestID(storage.Random128(p.random)), ClientID: r.ClientID, Params: r.Params,
		Parent: r.Hash, Opener: r.Browser, Names: r.Names, State: storage.RequestOpen, RequestedAt: r.RequestedAt, ExpiresAt: ownedUntil(r, now), UpdatedAt: now}}
	if ids := p.tracks(n.Login); len(ids) > 0 {
		n.Track = ids[0]
	}
	return &n
}
