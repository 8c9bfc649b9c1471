package provider

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/url"
	"strings"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/budget"
	"sallyport/provider/clientkeys"
	"sallyport/provider/clients"
	"sallyport/provider/fetch"
	"sallyport/provider/oauth"
	"sallyport/provider/requestobject"
	"sallyport/storage"
)

const (
	// maxObject is the size of a request object in bytes.
	maxObject = 32 << 10
	// objectKept is how long a fetched request object is used again, if its Cache-Control says so.
	objectKept = 5 * time.Minute
	// objectRefetch is how long it is used again in any case. After that a fragment that is not the
	// hash of the object makes the server fetch it again: an address with other content has another
	// fragment (OpenID Connect Core section 6.2). Anybody can send such fragments.
	objectRefetch = 15 * time.Second
	// hidden stands for a request object or its address in the log: they are long, and about a user.
	hidden = "(not shown)"
)

// readNew reads a new authorization request: its parameters, or those of the request object or
// pushed request that it names. It uses no parameter beside one of these but client_id (RFC 9101
// section 5, RFC 9126 section 4). The errors are those of read. admit is called before anything is
// fetched.
func (p *Provider) readNew(ctx context.Context, sent url.Values, admit func() error) (*request, error) {
	c, err := p.clientOf(ctx, sent, admit)
	if err != nil {
		return nil, err
	}
	var e *oauth.Error
	values := sent
	switch uri := sent.Get("request_uri"); {
	case uri != "" && sent.Has("request"):
		e = oauth.NewError("invalid_request", "request and request_uri exclude each other").About("request_uri")
	case strings.HasPrefix(uri, pushedPrefix):
		return p.readPushed(ctx, c, uri)
	case p.needsPushed(c):
		e = oauth.NewError("invalid_request", "the client has to push its requests first (RFC 9126)").About("request_uri")
	case uri != "":
		values, e = p.objectAt(ctx, c, uri, admit)
	case sent.Has("request"):
		values, e = p.object(ctx, c, sent.Get("request"), objectRules{alg: c.RequestObjectAlg, admit: admit})
	case c.RequireSignedRequestObject:
		e = noObject()
	}
	if e != nil && e.Cause != nil {
		return nil, e
	}
	if e != nil {
		return p.refuseOutside(c, sent, e)
	}
	return p.read(ctx, values, storedTime(p.now()))
}

func noObject() *oauth.Error {
	return oauth.NewError("invalid_request", "the client has to send a signed request object (RFC 9101)").About("request")
}

// refuseOutside returns a refusal of parameters that could not be read. It is redirected if the
// parameters beside them have a redirect URI of the client.
func (p *Provider) refuseOutside(c *clients.Client, sent url.Values, e *oauth.Error) (*request, error) {
	r := &request{client: c, redirect: sent.Get("redirect_uri"), state: sent.Get("state"), mode: modeQuery}
	if c.CheckRedirect(r.redirect) != "" || checkState(sent) != nil {
		return nil, &PageError{Code: e.Code, Description: e.Description, Parameter: e.Parameter, Reason: e.Reason, Client: c.ID}
	}
	r.setMode(sent)
	return r, e
}

// clientOf returns the client that a request names, or a *PageError.
func (p *Provider) clientOf(ctx context.Context, values url.Values, admit func() error) (*clients.Client, error) {
	id := values.Get("client_id")
	if id == "" {
		return nil, &PageError{Code: "invalid_request", Reason: oauth.NoClient, Description: "the parameter is missing", Parameter: "client_id"}
	}
	c, err := p.clients.Described(ctx, storage.ClientID(id), admit)
	if e := notAdmitted(err); e != nil {
		return nil, e
	}
	if page := undescribed(id, err); page != nil {
		return nil, page
	}
	if err != nil && !isNotFound(err) {
		return nil, err
	}
	if err != nil || c.Disabled {
		return nil, &PageError{Code: "invalid_client", Description: "there is no such application", Parameter: "client_id",
			Reason: p.noClient(ctx, values), Client: mfa.Claimed(id), Value: id}
	}
	mfa.Refused(ctx, mfa.Refusal{Client: c.ID}) // if the request is refused
	return c, nil
}

// undescribed returns the refusal of a client whose document cannot be used; nil: err says something
// else.
func undescribed(id string, err error) *PageError {
	d, ok := errors.AsType[*clients.DocumentError](err)
	if !ok {
		return nil
	}
	page := &PageError{Code: "invalid_client", Description: d.Text, Parameter: "client_id", Reason: oauth.NoDocument, Client: mfa.Claimed(id), Value: id}
	if d.Err != nil {
		page.Value = id + " (" + d.Err.Error() + ")"
	}
	return page
}

// objectAt fetches a request object from an address that the client registered (RFC 9101 section
// 5.2).
func (p *Provider) objectAt(ctx context.Context, c *clients.Client, uri string, admit func() error) (url.Values, *oauth.Error) {
	switch {
	case len(c.RequestURIs) == 0 || !clientkeys.Has(&c.Client):
		return nil, oauth.NewError("request_uri_not_supported", "the client has registered no request_uris, or no keys").About("request_uri")
	case !c.MayFetch(uri):
		return nil, oauth.NewError("invalid_request_uri", "the address is not registered for this client").About("request_uri")
	}
	w := fetch.Want{URL: uri, Max: maxObject, Least: objectRefetch, Most: objectKept, Admit: admit}
	d, err := p.objects.Get(ctx, w)
	if err == nil && !isOf(uri, d.Body) && p.now().Sub(d.At) >= objectRefetch {
		d, err = p.objects.Newer(ctx, w, d.At)
	}
	if e := notAdmitted(err); e != nil {
		return nil, e
	}
	if err != nil {
		e := oauth.NewError("invalid_request_uri", "the request object can not be fetched").About("request_uri")
		e.Value = err.Error()
		return nil, e
	}
	return p.object(ctx, c, strings.TrimSpace(string(d.Body)), objectRules{alg: c.RequestObjectAlg, admit: admit})
}

// isOf reports whether the fragment of an address, if it has one, is the hash of the object there.
func isOf(uri string, object []byte) bool {
	_, fragment, has := strings.Cut(uri, "#")
	sum := sha256.Sum256(object)
	return !has || fragment == base64.RawURLEncoding.EncodeToString(sum[:])
}

// objectRules are what a request object is for.
type objectRules struct {
	alg      string       // that must have signed it; "": any that clients may use
	complete bool         // it is a backchannel authentication request
	admit    func() error // is called before keys are fetched
}

// object returns the parameters of a request object that its client signed.
func (p *Provider) object(ctx context.Context, c *clients.Client, text string, of objectRules) (url.Values, *oauth.Error) {
	refuse := func(description string, err error) (url.Values, *oauth.Error) {
		e := oauth.NewError("invalid_request_object", description).About("request")
		e.Value = hidden
		if err != nil {
			e.Value = err.Error()
		}
		return nil, e
	}
	if !clientkeys.Has(&c.Client) {
		e := oauth.NewError("request_not_supported", "the client has registered no keys (jwks or jwks_uri)").About("request")
		e.Value = hidden
		return nil, e
	}
	if len(text) > maxObject {
		return refuse("the request object is too large", nil)
	}
	signed, err := p.ClientKeys.Verify(ctx, &c.Client, text, clientkeys.AlgorithmsOf(of.alg, c.Profile == clients.FAPI2), of.admit)
	if e := notAdmitted(err); e != nil {
		return nil, e
	}
	switch {
	case errors.Is(err, clientkeys.ErrUnavailable):
		return refuse("the keys of the client can not be fetched", err)
	case err != nil:
		return refuse("it is not signed with a key of the client and an algorithm that it may use", err)
	}
	if err := requestobject.CheckType(signed.Type); err != nil {
		return refuse(err.Error(), nil)
	}
	values, err := requestobject.Read(signed.Payload, requestobject.Rules{Issuer: p.options.Issuer, Client: string(c.ID), Now: p.now(), Bounded: c.Profile == clients.FAPI2 || of.complete, Complete: of.complete})
	if err != nil {
		return refuse(err.Error(), nil)
	}
	if _, fault := oauth.CheckParams(values); fault != "" {
		return refuse(fault, nil)
	}
	return external(values), nil
}

// mayFetch admits that a caller who has proven nothing makes the server fetch what a client
// published. It counts as a begun login.
func (p *Provider) mayFetch(v mfa.Caller) func() error {
	return func() error { return p.options.Admit.Spend(v, budget.Opens, 1) }
}

// notAdmitted returns the refusal of a caller who caused too much; nil: err says something else.
func notAdmitted(err error) *oauth.Error {
	refused, ok := errors.AsType[*mfa.Error](err)
	if !ok {
		return nil
	}
	return oauth.TooMany(refused)
}

// external removes the parameters that only the server sets.
func external(values url.Values) url.Values {
	delete(values, hintSubject)
	delete(values, withoutCode)
	delete(values, polledParam)
	delete(values, askedParam)
	return values
}

// needsPushed reports whether the requests of a client must be pushed (RFC 9126 sections 5 and 6).
func (p *Provider) needsPushed(c *clients.Client) bool {
	return p.options.RequirePushed && !p.builtIn(c.ID) || c.RequirePushed || c.Profile == clients.FAPI2
}

// builtIn reports whether a client is one of the server itself.
func (p *Provider) builtIn(id storage.ClientID) bool {
	for _, c := range p.options.BuiltIn {
		if c.ID == id {
			return true
		}
	}
	return false
}

// pageOf returns a refusal as one that is not redirected.
func pageOf(c *clients.Client, e *oauth.Error) *PageError {
	return &PageError{Code: e.Code, Description: e.Description, Parameter: e.Parameter, Reason: cmp.Or(e.Reason, e.Code), Client: c.ID}
}
