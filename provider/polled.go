package provider

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"sallyport/mfa"
	"sallyport/provider/clients"
	"sallyport/provider/grants"
	"sallyport/provider/oauth"
	"sallyport/storage"
)

// A client that cannot show a page, or runs where the person is not, sends its authorization request
// itself and polls for the end (storage.PolledRequest). A person ends it in a login of their own
// browser: the request that is opened there names the polled one, and always asks for consent, on a
// page that says where it came from.

// polledParam is the stored parameter for the polled request that a login is for. askedParam says that
// its client named the user, who is asked (CIBA); without it a device shows a code.
const polledParam, askedParam = "polled", "asked"

// pollInterval is how long a client waits between two polls (RFC 8628 section 3.2: the default).
const pollInterval = 5 * time.Second

// deliveryTime is the least time that a client has for its tokens after the end of a login.
const deliveryTime = time.Minute

// polledParams are the parameters of a request that its client polls for.
var polledParams = []string{"scope", "resource", "acr_values", "max_age", "nonce", "claims", "authorization_details", "ui_locales"}

// readPolled reads and checks the parameters of a request that its client polls for, as they were sent
// or stored. It has no redirect URI, and its response no parameters that could be stolen on the way.
func (p *Provider) readPolled(ctx context.Context, c *clients.Client, values url.Values, at time.Time) (*request, *oauth.Error) {
	r := &request{client: c, at: at, maxAge: -1, mode: modeQuery, polled: storage.PolledID(values.Get(polledParam)), asked: values.Has(askedParam)}
	kept := url.Values{"client_id": {string(c.ID)}}
	for _, name := range append([]string{polledParam, askedParam, hintSubject}, polledParams...) {
		if v, ok := values[name]; ok {
			kept[name] = v
		}
	}
	r.keep(kept)
	for _, name := range []string{polledParam, askedParam, hintSubject} { // external requests lose them
		if v, ok := kept[name]; ok {
			r.params[name] = v
		}
	}
	for _, check := range []func(context.Context, *request, url.Values) *oauth.Error{
		checkSizes, checkScopes, p.checkPrompt, p.checkClaims, p.checkHint, p.checkResource, p.checkDetails,
	} {
		if e := check(ctx, r, kept); e != nil {
			return r, e
		}
	}
	// A stored one was checked when it came, and has grown since.
	if r.polled == "" && len(r.params.Encode()) > maxSealed {
		return r, oauth.NewError("invalid_request", "the request is longer than 4096 bytes")
	}
	return r, nil
}

// checkScopes refuses scopes that the client has not registered. In requests with a redirect URI
// grants.Issuer.Check does.
func checkScopes(_ context.Context, r *request, _ url.Values) *oauth.Error {
	if !oauth.Covers(r.client.Scopes, r.scopes) {
		return oauth.Standard("invalid_scope")
	}
	return nil
}

// pending returns the request that a login is for. One that is over or expired cannot be ended by
// anybody else: that is said, as its end may have been this person's own.
func (p *Provider) pending(ctx context.Context, r *request) (*storage.PolledRequest, error) {
	found, err := p.store.Polled(ctx, r.polled, p.now())
	if isNotFound(err) {
		return nil, &mfa.Error{Code: mfa.RequestOver, Err: err}
	}
	if err != nil {
		return nil, fmt.Errorf("read polled request: %w", err)
	}
	return &found, nil
}

// foreign reports whether somebody else signed in than the user whom the client named.
func (st Step) foreign() bool {
	return st.request.asked && st.Request.Subject != "" && st.Request.Subject != st.request.hint
}

// deny ends the polled request of a login, if it has one, and it is not another user's. RequestOver: it
// is over, and was of a user whom its client named. They are told, as they may have allowed it in another
// window.
func (p *Provider) deny(ctx context.Context, st Step, v mfa.Caller) error {
	r := st.request
	if r.polled == "" || st.foreign() {
		return nil
	}
	found := st.Polled
	if found == nil {
		var err error
		if found, err = p.pending(ctx, r); !r.asked && mfa.CodeOf(err) == mfa.RequestOver {
			return nil
		} else if err != nil {
			return err
		}
	}
	d := storage.PolledDenial{ID: found.ID, User: st.Request.Subject, Messages: p.ping(found, found.ExpiresAt), Now: p.now()}
	if r.asked {
		d.User = r.hint // who may not have signed in again yet
		d.Events = []storage.Event{p.journal.Event(v, storage.Event{Kind: mfa.EventBackchannelRefused, Outcome: mfa.OutcomeOK, UserID: d.User, ClientID: found.ClientID})}
	}
	err := p.store.DenyPolled(ctx, d)
	switch {
	case r.asked:
		return mfa.Refuse("deny polled request", err, storage.ErrConflict, mfa.RequestOver)
	case err != nil && !errors.Is(err, storage.ErrConflict):
		return fmt.Errorf("deny polled request: %w", err)
	}
	return nil
}

// approve adds to the end of a login for a polled request: a grant that its client can redeem with
// what it polls with, as long as it may poll, and that no code belongs to.
func (p *Provider) approve(f *storage.Finish, st Step, a storage.Authorization, id storage.GrantID) grants.Issued {
	until := p.now().Add(deliveryTime)
	if st.Polled != nil && st.Polled.ExpiresAt.After(until) {
		until = st.Polled.ExpiresAt
	}
	issued := p.Grants.Approve(st.request.client, a, id, until)
	f.Polled = &storage.PolledEnd{ID: st.request.polled, User: a.UserID, GrantID: issued.Code.ID, Until: until}
	f.Messages = append(f.Messages, p.ping(st.Polled, until)...)
	return issued
}

// ends returns the pages where a login for a polled request ends.
func (r *request) ends() (allowed, denied string) {
	if r.asked {
		return WaitingAllowedPath, WaitingDeniedPath
	}
	return DeviceAllowedPath, DeviceDeniedPath
}

// polls reports whether the client may still poll for the end of a request.
func (r *request) polls() bool {
	if r.asked {
		return r.client.MayUse(clients.CIBA)
	}
	return r.client.MayUse(clients.DeviceCode)
}
