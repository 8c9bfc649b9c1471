package provider

import (
	"context"
	"errors"
	"net/url"

	"sallyport/mfa"
	"sallyport/provider/clients"
	"sallyport/provider/oauth"
	"sallyport/provider/origin"
	"sallyport/storage"
)

// openedAlone marks the stored parameters of a request that a program opened without a browser.
const openedAlone = "opened_alone"

// withoutCode marks the parameters of a request that shows its client and lists methods, and ends
// in a refusal: its code would be useless without a challenge.
const withoutCode = "without_code"

// endsIn is the stored parameter for the grant that a pushed request ends in. A login that a program
// begins in it has an ID of its own, but ends in the same grant, and so once.
const endsIn = "ends_in"

// Open opens an authorization request without a browser, for a client with headless login. It
// checks the same parameters as Begin, but has no session and no redirect: every refusal is a
// *PageError. The refusal is the same for a client that may not do this, for a page of another
// origin, and for an unknown client.
func (p *Provider) Open(ctx context.Context, values url.Values, v mfa.Caller) (storage.RequestID, error) {
	return p.openOrRefuse(ctx, values, v, false)
}

// OpenUnchallenged is Open for libraries that send no code_challenge. A request without one, of a
// public client, shows the client and lists the methods of users; no factor is proved in it, and it
// never ends in a code.
func (p *Provider) OpenUnchallenged(ctx context.Context, values url.Values, v mfa.Caller) (storage.RequestID, error) {
	return p.openOrRefuse(ctx, values, v, true)
}

func (p *Provider) openOrRefuse(ctx context.Context, values url.Values, v mfa.Caller, unchallenged bool) (storage.RequestID, error) {
	id, err := p.openAlone(ctx, values, v, unchallenged)
	refused(ctx, err)
	return id, err
}

func (p *Provider) openAlone(ctx context.Context, values url.Values, v mfa.Caller, unchallenged bool) (storage.RequestID, error) {
	values, page := merge(Params{Form: values})
	if page != nil {
		return "", page
	}
	c, err := p.clients.Enabled(ctx, storage.ClientID(values.Get("client_id")))
	if err != nil {
		return "", err
	}
	if why := p.mayNotOpen(ctx, c, values, v.Origin); why != "" {
		return "", &PageError{Code: "unauthorized_client", Parameter: "client_id", Reason: why, Client: mfa.Claimed(values.Get("client_id")), Value: values.Get("client_id"),
			Description: "there is no such application, it has no headless_login, or the call comes from an origin that is not its own"}
	}
	if values.Has("request") || values.Has("request_uri") {
		unchallenged = false // the parameters beside it do not count
	}
	types, _ := clients.ParseResponseTypes(values.Get("response_type"))
	if unchallenged && c.Public && types.IssuesCode() && !values.Has("code_challenge") && !values.Has("code_challenge_method") {
		values.Set(withoutCode, "1")
	}
	r, err := p.readNew(ctx, values, p.mayFetch(v))
	var fault *oauth.Error
	if errors.As(err, &fault) && fault.Cause == nil {
		fault.Refused(ctx, c.ID, values.Get)
		return "", &PageError{Code: fault.Code, Description: oauth.Sanitize(fault.Description)}
	}
	if err != nil {
		return "", err
	}
	if r.none {
		return "", &PageError{Code: "login_required", Parameter: "prompt", Client: c.ID, Value: "none", Description: "no user can be signed in without a browser"}
	}
	if r.revisited {
		if id, err := p.reopenedAlone(ctx, r); id != "" || err != nil {
			return id, err
		}
	}
	r.params.Set(openedAlone, "1")
	if r.pushed != "" {
		r.params.Set(endsIn, string(endOf(storage.AuthRequest{ID: r.pushed, RequestedAt: r.at}, r.at)))
	}
	v.Browser = "" // ignore a cookie: the page on the other origin could not send it again
	begun, err := p.open(ctx, r, v, nil)
	return begun.Request, err
}

// reopenedAlone returns the request of a pushed one that a program opened before; "": nothing has
// been proven or decided in it, and it may begin again. The error is a *PageError if it is over, or
// a browser is in it.
func (p *Provider) reopenedAlone(ctx context.Context, r *request) (storage.RequestID, error) {
	ended, found, err := p.outcome(ctx, storage.AuthRequest{ID: r.pushed, RequestedAt: r.at})
	switch {
	case err != nil:
		return "", err
	case ended || found != nil && (found.State != storage.RequestOpen || len(found.Browser) > 0):
		return "", notPushed(r.client)
	case found != nil:
		return found.ID, nil
	}
	return "", nil
}

// mayNotOpen returns why a client may not open a request without a browser, for the log; "": it
// may.
func (p *Provider) mayNotOpen(ctx context.Context, c *clients.Client, values url.Values, origin string) string {
	switch {
	case c == nil:
		return p.noClient(ctx, values)
	case !c.HeadlessLogin:
		return "no_headless_login"
	case !p.allowsOrigin(c, origin):
		return "other_origin"
	}
	return ""
}

// noClient returns why no enabled client has the client_id of a request, for the log.
func (p *Provider) noClient(ctx context.Context, values url.Values) string {
	if c, err := p.clients.Client(ctx, storage.ClientID(values.Get("client_id"))); err == nil && c.Disabled {
		return oauth.DisabledClient
	}
	return oauth.UnknownClient
}

// allowsOrigin reports whether a page of this origin may call: one of the client or of this
// server. Programs other than browsers send none.
func (p *Provider) allowsOrigin(c *clients.Client, from string) bool {
	return from == "" || from == origin.Of(p.options.Issuer) || c.Origins[from]
}

// MayContinue checks the origin of a call that continues an exchange without naming the request
// (rule B-4): a login that began in a browser continues there, unless the client has headless
// login, and the Origin must be one of the client.
func (p *Provider) MayContinue(ctx context.Context, s storage.Status, v mfa.Caller) error {
	c, err := p.clients.Enabled(ctx, s.ClientID)
	if err != nil {
		return err
	}
	reason := ""
	switch {
	case c == nil:
		reason = "the client was deleted or disabled"
	case !p.allowsOrigin(c, v.Origin):
		reason = "the origin is not one of the client's"
	case len(s.Browser) > 0 && v.Browser == "" && !c.HeadlessLogin:
		reason = "the cookie is missing"
	default:
		return nil
	}
	return &mfa.Error{Code: mfa.InvalidExchange, Err: errors.New(reason)}
}

// Adopt binds a login without a browser to the caller's browser, so that it continues on the
// pages of this server and ends there with a session. It accepts a request that was opened
// without a browser and has no factors, or a detached login of the caller. Only one browser can
// adopt a login; calls without its cookie are refused from then on.
//
// A detached login that began for the request of a browser can be adopted by that browser alone.
// Otherwise an attacker could send a browser to the attacker's login and sign it in.
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

// Elsewhere returns the step that calls from the client's own page get. A page on another origin
// sends no cookies, so the factors of the browser's session do not count there: a page that was
// opened for the second factor would be asked for the first.
func (p *Provider) Elsewhere(ctx context.Context, st Step, page string) (Step, error) {
	if st.Kind != StepVerify && st.Kind != StepEnroll || origin.Same(page, p.options.Issuer) {
		return st, nil
	}
	st.Request = forgetSession(st.Request, nil)
	st.Login.Request = st.Request
	return p.decide(ctx, st)
}

// Unbound reports whether the login is not bound to a browser yet.
func (st Step) Unbound() bool { return len(st.Request.Browser) == 0 }

// EndsInBrowser reports whether the login must end in a browser: it is bound to one, or began
// for a request that is.
func (st Step) EndsInBrowser() bool { return len(st.Request.Browser) > 0 || len(st.Request.Opener) > 0 }

// ForBrowser reports whether the login ends in tokens, which only the binding to a browser
// protects.
func (st Step) ForBrowser() bool { return st.request != nil && st.request.types.Legacy() }

// loginPage returns the client's own page for a request that began in a browser; "" means the
// pages of this server. An adopted request stays on these, because calls without the cookie are
// refused, and so does one for a polled request: only these say where that came from.
func loginPage(stored storage.AuthRequest, c *clients.Client) string {
	if !c.HeadlessLogin || c.LoginURL == "" || stored.Params.Has(openedAlone) || stored.Params.Has(polledParam) {
		return ""
	}
	u, err := url.Parse(c.LoginURL)
	if err != nil {
		return ""
	}
	u.RawQuery = oauth.AppendQuery("?"+u.RawQuery, oauth.Encode([][2]string{{"requestId", string(stored.ID)}}))[1:]
	return u.String()
}
