package provider

import (
	"context"
	"errors"
	"net/url"

	"sallyport/mfa"
	"sallyport/provider/clients"
	"sallyport/provider/oauth"
	"sallyport/storage"
)

// openedAlone is our own name in the stored parameters for a request that was opened
// by a program and not in a browser.
const openedAlone = "opened_alone"

// Open opens an authorization request without a browser, for a client with headless
// login: the same parameters and the same checks as Begin, but nobody's session, and
// no redirect: every refusal is a *PageError. A client that may not do this, a page of
// somebody else's, and a client that does not exist get one and the same refusal.
func (p *Provider) Open(ctx context.Context, values url.Values, v mfa.Caller) (storage.RequestID, error) {
	values, page := merge(Params{Form: values})
	if page != nil {
		return "", page
	}
	c, err := p.clients.Client(ctx, storage.ClientID(values.Get("client_id")))
	if err != nil && !isNotFound(err) {
		return "", err
	}
	if err != nil || c.Disabled || !c.HeadlessLogin || !p.speaks(c, v.Origin) {
		return "", &PageError{Code: "unauthorized_client", Parameter: "client_id",
			Description: "there is no such application, it has no headless_login, or the call comes from an origin that is not its own"}
	}
	r, err := p.read(ctx, values, storedTime(p.now()))
	var refused *oauth.Error
	if errors.As(err, &refused) && refused.Cause == nil {
		return "", &PageError{Code: refused.Code, Description: oauth.Sanitize(refused.Description)}
	}
	if err != nil {
		return "", err
	}
	if r.none {
		return "", &PageError{Code: "login_required", Parameter: "prompt", Description: "nobody is signed in where there is no browser"}
	}
	r.params.Set(openedAlone, "1")
	v.Browser = "" // a cookie that came along binds nothing: the page on the other origin could not send it again
	begun, err := p.open(ctx, r, v, nil)
	return begun.Request, err
}

// speaks reports whether a call may come from a page of this origin: one of the
// client's, or ours. Programs that are no browsers send none.
func (p *Provider) speaks(c *clients.Client, origin string) bool {
	return origin == "" || origin == clients.OriginOf(p.options.Issuer) || c.Origins[origin]
}

// MayContinue says whether a call that shows an exchange and names no request may come
// from where it comes (rule B-4): what began in a browser goes on in it, unless the
// client may do without, and an Origin has to be one of the client's.
func (p *Provider) MayContinue(ctx context.Context, s storage.Status, v mfa.Caller) error {
	c, err := p.clients.Client(ctx, s.ClientID)
	if err != nil && !isNotFound(err) {
		return err
	}
	reason := ""
	switch {
	case err != nil || c.Disabled:
		reason = "the client is gone or disabled"
	case !p.speaks(c, v.Origin):
		reason = "the origin is not one of the client's"
	case len(s.Browser) > 0 && v.Browser == "" && !c.HeadlessLogin:
		reason = "the cookie is missing"
	default:
		return nil
	}
	return &mfa.Error{Code: mfa.InvalidExchange, Err: errors.New(reason)}
}

// Adopt binds a login without a browser to the one that came for it, so that it goes on
// on our pages and ends there with a session: a request opened without a browser in
// which nobody has proven anything, or a login of its own, whose owner hands it over. Of
// two browsers one wins, and calls without its cookie are refused from then on.
//
// A login that was begun for the request of a browser is taken over in that browser
// alone. Else anybody could send a browser to a login of theirs, to sign it in as them.
func (p *Provider) Adopt(ctx context.Context, st Step, v mfa.Caller) error {
	unknown := &mfa.Error{Code: mfa.UnknownRequest, Err: errors.New("the request can not be adopted")}
	switch {
	case st.request == nil || v.Browser == "" || !st.Unbound() || !st.Client.HeadlessLogin:
		return unknown
	case st.Kind == StepOver:
		return &mfa.Error{Code: mfa.RequestOver}
	case st.Request.Parent != nil && !st.Owned:
		return unknown
	case len(st.Request.Opener) > 0 && !p.keyring.IsHash("browser", v.Browser, st.Request.Opener):
		return unknown
	}
	err := p.store.BindRequest(ctx, st.Request.ID, st.Request.Version, p.keyring.Hash("browser", v.Browser), p.now())
	if errors.Is(err, storage.ErrConflict) {
		return unknown
	}
	if err != nil {
		return err
	}
	p.journal.Note(p.journal.Event(v, storage.Event{Kind: mfa.EventLoginAdopted, Outcome: mfa.OutcomeOK,
		UserID: st.Request.Subject, ClientID: st.Request.ClientID}))
	return nil
}

// Elsewhere returns a step as the calls of the client's own page see it. On another
// origin than ours the page sends no cookies, so whatever the browser's session proved
// counts for nothing there: a page that was opened for the second factor would find its
// calls asking for the first.
func (p *Provider) Elsewhere(ctx context.Context, st Step, page string) (Step, error) {
	if st.Kind != StepVerify && st.Kind != StepEnroll || clients.OriginOf(page) == clients.OriginOf(p.options.Issuer) {
		return st, nil
	}
	st.Request = forgetSession(st.Request, nil)
	st.Login.Request = st.Request
	return p.decide(ctx, st)
}

// Unbound reports whether the login belongs to no browser yet.
func (st Step) Unbound() bool { return len(st.Request.Browser) == 0 }

// EndsInBrowser reports whether the login can end in a browser alone: it is bound to one,
// or was begun for a request that is.
func (st Step) EndsInBrowser() bool { return len(st.Request.Browser) > 0 || len(st.Request.Opener) > 0 }

// ForBrowser reports whether the login ends in tokens, which nothing but the browser it
// is bound to protects.
func (st Step) ForBrowser() bool { return st.request != nil && st.request.types.Legacy() }

// loginPage is the client's own page for a request that began in a browser; "" says
// that ours are shown. A request that a browser adopted stays on ours: calls without
// its cookie are refused.
func loginPage(stored storage.AuthRequest, c *clients.Client) string {
	if !c.HeadlessLogin || c.LoginURL == "" || stored.Params.Has(openedAlone) {
		return ""
	}
	u, err := url.Parse(c.LoginURL)
	if err != nil {
		return ""
	}
	u.RawQuery = oauth.AppendQuery("?"+u.RawQuery, oauth.Encode([][2]string{{"requestId", string(stored.ID)}}))[1:]
	return u.String()
}
