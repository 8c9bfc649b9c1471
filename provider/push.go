package provider

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/session"
	"sallyport/provider/clients"
	"sallyport/provider/dpop"
	"sallyport/provider/oauth"
	"sallyport/storage"
)

const (
	// pushedPrefix begins the request_uri of a pushed request (RFC 9126 section 2.2).
	pushedPrefix = "urn:ietf:params:oauth:request_uri:"
	// pushedLife is how long a pushed request waits for a browser to open it.
	pushedLife = time.Minute
)

// pushed is the response of the endpoint for pushed requests (RFC 9126 section 2.2).
type pushed struct {
	RequestURI string `json:"request_uri"`
	ExpiresIn  int64  `json:"expires_in"`
}

// Push is the endpoint for pushed authorization requests (RFC 9126 section 2). The client
// authenticates as at the token endpoint, and the request is checked as at the authorization
// endpoint.
func (p *Provider) Push(w http.ResponseWriter, r *http.Request, v mfa.Caller) {
	out, e := p.push(w, r, v)
	if e != nil {
		p.respond.Error(w, r, e)
		return
	}
	oauth.WriteJSON(w, http.StatusCreated, out)
}

func (p *Provider) push(w http.ResponseWriter, r *http.Request, v mfa.Caller) (pushed, *oauth.Error) {
	form, e := oauth.ReadForm(r)
	if e != nil {
		return pushed{}, e
	}
	// Before the client is authenticated: an assertion is good once, and a proof without a nonce is
	// sent again.
	proof, e := p.proofs.Read(w, r, "")
	if e != nil {
		return pushed{}, e
	}
	c, err := p.ClientAuth.Authenticate(r, form, v)
	if err != nil {
		return pushed{}, oauth.ErrorOf(err)
	}
	ctx := r.Context()
	var admit func() error
	if c.Anonymous() {
		admit = p.mayFetch(v)
	}
	read, e := p.readPush(ctx, c, form, admit)
	if e != nil {
		return pushed{}, e
	}
	if e := bindProof(read, proof); e != nil {
		return pushed{}, e
	}
	if admit != nil {
		if e := notAdmitted(admit()); e != nil {
			return pushed{}, e
		}
	}
	if e := p.proofs.Use(ctx, proof); e != nil {
		return pushed{}, e
	}
	id, now := storage.PushedID(storage.Random128(p.random)), p.now()
	err = p.store.PushRequest(ctx, storage.PushedRequest{ID: id, ClientID: c.ID, Params: read.params, CreatedAt: now, ExpiresAt: now.Add(pushedLife)})
	if err != nil {
		return pushed{}, oauth.Unavailable(err)
	}
	return pushed{pushedPrefix + string(id), int64(pushedLife / time.Second)}, nil
}

// bindProof binds the code of a request to the key of the proof that was pushed with it (RFC 9449
// section 10.1).
func bindProof(r *request, proof *dpop.Proof) *oauth.Error {
	key, named := proof.Thumbprint(), r.params.Get("dpop_jkt")
	if key == "" {
		return nil
	}
	if named != "" && named != key {
		return oauth.NewError("invalid_request", "dpop_jkt is not the key of the proof").About("dpop_jkt")
	}
	r.params.Set("dpop_jkt", key)
	return nil
}

// readPush reads and checks the request in the form of a client that has authenticated.
func (p *Provider) readPush(ctx context.Context, c *clients.Client, form url.Values, admit func() error) (*request, *oauth.Error) {
	values := external(form)
	switch {
	case form.Has("request_uri"): // RFC 9126 section 2.1
		e := oauth.NewError("invalid_request", "request_uri is not allowed in a pushed request").About("request_uri")
		e.Value = hidden
		return nil, e
	case form.Has("request"):
		var e *oauth.Error
		if values, e = p.object(ctx, c, form.Get("request"), objectRules{alg: c.RequestObjectAlg, admit: admit}); e != nil {
			return nil, e
		}
	case c.RequireSignedRequestObject:
		return nil, noObject()
	}
	values.Set("client_id", string(c.ID))
	r, err := p.read(ctx, values, storedTime(p.now()))
	if page, ok := errors.AsType[*PageError](err); ok {
		e := oauth.NewError(page.Code, page.Description).About(page.Parameter)
		e.Reason, e.Status = page.Reason, http.StatusBadRequest
		return nil, e
	}
	if err != nil {
		return nil, oauth.ErrorOf(err)
	}
	return r, nil
}

// readPushed reads the request behind the request_uri of a pushed one. It can be opened any number
// of times while it lives, an hour at most: its ID and the time of its first visit, and so the ID of
// the grant it ends in (endOf), are always the same, so it ends once.
func (p *Provider) readPushed(ctx context.Context, c *clients.Client, uri string) (*request, error) {
	id := storage.PushedID(strings.TrimPrefix(uri, pushedPrefix))
	now := storedTime(p.now())
	found, err := p.store.OpenPushed(ctx, id, c.ID, now, now.Add(min(p.options.RequestTTL, sealedLife)))
	if isNotFound(err) {
		return nil, notPushed(c)
	}
	if err != nil {
		return nil, err
	}
	r, err := p.read(ctx, found.Params, found.OpenedAt)
	if r != nil {
		sum := sha256.Sum256([]byte("request of pushed request " + string(id)))
		r.pushed = storage.FromBytes[storage.RequestID]([16]byte(sum[:16]))
		r.revisited = !found.OpenedAt.Equal(now)
	}
	return r, err
}

// notPushed refuses a pushed request that is unknown, over, expired, or another client's. Nothing
// tells these apart.
func notPushed(c *clients.Client) *PageError {
	return pageOf(c, oauth.NewError("invalid_request_uri", "the request is unknown, expired, or was used already; go back to the application and begin again").About("request_uri"))
}

// reopened returns the login of a pushed request that was opened before; nil: nothing has been
// proven or decided in it, and it may begin again. The error is a *PageError if it is over, or
// another browser is in it.
func (p *Provider) reopened(ctx context.Context, r *request, v mfa.Caller, s *session.SignedIn) (*Begun, error) {
	ended, found, err := p.outcome(ctx, storage.AuthRequest{ID: r.pushed, RequestedAt: r.at})
	switch {
	case err != nil:
		return nil, err
	case ended || found != nil && found.State != storage.RequestOpen:
		return nil, notPushed(r.client)
	case found == nil:
		return nil, nil
	}
	st, err := p.Next(ctx, Ask{Request: found.ID, Visit: v, SignedIn: s})
	if e, ok := errors.AsType[*mfa.Error](err); ok && e.Code == mfa.UnknownRequest {
		return nil, notPushed(r.client)
	}
	if err != nil {
		return nil, err
	}
	return &Begun{Request: found.ID, Step: st}, nil
}

// outcome reports whether the grant that a request ends in is there, and returns its record; nil:
// it is not stored.
func (p *Provider) outcome(ctx context.Context, r storage.AuthRequest) (ended bool, stored *storage.AuthRequest, err error) {
	now := p.now()
	found, err := p.store.Login(ctx, storage.Lookup{ID: r.ID, End: endOf(r, now), Now: now})
	return found.Ended, found.Request, err
}
