package provider

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"sallyport/mfa"
	"sallyport/mfa/budget"
	"sallyport/mfa/session"
	"sallyport/provider/oauth"
	"sallyport/storage"
)

// Begin opens an authorization request (RFC 6749 section 4.1.1, OpenID Connect Core section
// 3.1.2.1). If the session satisfies the request, Begin finishes it immediately and stores no
// request. A *PageError must be shown, not redirected; any other error is a failure of the
// server.
func (p *Provider) Begin(ctx context.Context, in Params, v mfa.Caller, s *session.SignedIn) (Begun, error) {
	out, err := p.begin(ctx, in, v, s)
	refused(ctx, err)
	return out, err
}

func (p *Provider) begin(ctx context.Context, in Params, v mfa.Caller, s *session.SignedIn) (Begun, error) {
	values, page := merge(in)
	if page != nil {
		return Begun{}, page
	}
	r, err := p.readNew(ctx, values, p.mayFetch(v))
	if err != nil {
		return p.refuseBegin(ctx, r, s, err)
	}
	if r.revisited {
		if b, err := p.reopened(ctx, r, v, s); b != nil || err != nil {
			return *cmp.Or(b, &Begun{}), err
		}
	}
	verdict, device, err := p.given(ctx, r, v, s)
	if err != nil {
		return Begun{}, err
	}
	e, allowed, done, err := p.ready(ctx, r, s, verdict)
	if err != nil {
		return Begun{}, err
	}
	if e != nil {
		return p.refuseBegin(ctx, r, s, e)
	}
	if done && (r.pushed == "" || r.types.IssuesCode()) { // otherwise only a record ends once
		f, err := p.finishNow(ctx, r, v, s, verdict, device, allowed)
		if err != nil && !errors.Is(err, storage.ErrConflict) {
			return Begun{}, err
		}
		if err == nil {
			return Begun{Finished: &f}, nil
		}
		if r.pushed != "" { // perhaps another visit was faster
			if b, err := p.reopened(ctx, r, v, s); b != nil || err != nil {
				return *cmp.Or(b, &Begun{}), err
			}
		}
		s = nil // the session ended in the meantime
		if r.none {
			return p.refuseBegin(ctx, r, s, oauth.NewError("login_required", "no user is signed in"))
		}
	}
	return p.open(ctx, r, v, s)
}

// refuseBegin returns an error to the client, if it may be redirected.
func (p *Provider) refuseBegin(ctx context.Context, r *request, s *session.SignedIn, err error) (Begun, error) {
	var e *oauth.Error
	if r == nil || !errors.As(err, &e) || e.Cause != nil {
		return Begun{}, err
	}
	trusted, err := p.trusted(ctx, r, s)
	if err != nil {
		return Begun{}, err
	}
	if !trusted {
		return Begun{}, pageOf(r.client, e)
	}
	a, err := p.refuse(ctx, r, e)
	if err != nil {
		return Begun{}, err
	}
	return Begun{Answer: &a}, nil
}

// trusted reports whether a browser may be sent to the client before a page was shown. A link to this server
// that leads to a stranger's site at once is an open redirect (RFC 9700 section 4.11.2), unless the user has
// allowed the client something and it asks for no page.
func (p *Provider) trusted(ctx context.Context, r *request, s *session.SignedIn) (bool, error) {
	if !r.client.Unvetted() {
		return true, nil
	}
	if !r.none || s == nil {
		return false, nil
	}
	_, err := p.store.Consent(ctx, s.Account.User.ID, r.client.ID)
	if err != nil && !isNotFound(err) {
		return false, fmt.Errorf("read consent: %w", err)
	}
	return err == nil, nil
}

// given returns what is missing in the session to satisfy the request, and the device that the
// browser is remembered as.
func (p *Provider) given(ctx context.Context, r *request, v mfa.Caller, s *session.SignedIn) (mfa.Verdict, *storage.RememberedDevice, error) {
	var account *storage.Account
	var factors []storage.Factor
	if s != nil && (r.hint == "" || r.hint == s.Account.User.ID) {
		account, factors = &s.Account, s.Session.Factors
	}
	return p.require(ctx, policy(&r.client.Client), account, factors, p.requirements(r), true, v)
}

// ready reports whether the request can be finished immediately, and with which scopes (nil: all). For prompt=none it returns
// why not, as no page may be shown (OpenID Connect Core section 3.1.2.6).
func (p *Provider) ready(ctx context.Context, r *request, s *session.SignedIn, verdict mfa.Verdict) (*oauth.Error, []string, bool, error) {
	signedIn := s != nil && (r.hint == "" || r.hint == s.Account.User.ID)
	switch {
	case signedIn && verdict.Need == mfa.NeedUnmet && !r.login:
		return oauth.NewError("unmet_authentication_requirements", "the essential acr cannot be reached").About("claims"), nil, false, nil
	case !signedIn || verdict.Need != mfa.NeedNothing:
		if !r.none {
			return nil, nil, false, nil
		}
		if !signedIn || verdict.Need == mfa.NeedFirst {
			return oauth.NewError("login_required", "no user is signed in, or not recently enough"), nil, false, nil
		}
		return oauth.NewError("interaction_required", "a further factor is needed"), nil, false, nil
	}
	d, err := p.remembered(ctx, r, s.Account.User.ID, false)
	switch {
	case err != nil:
		return nil, nil, false, err
	case d.asks && r.none:
		return oauth.NewError("consent_required", "the user has not allowed this application"), nil, false, nil
	case r.impersonable() && r.none:
		return oauth.NewError("interaction_required", "the user has to confirm the login to this application"), nil, false, nil
	}
	return nil, d.allowed, !d.asks && !r.impersonable(), nil
}

// finishNow finishes a request that the session satisfies, in one transaction.
func (p *Provider) finishNow(ctx context.Context, r *request, v mfa.Caller, s *session.SignedIn, verdict mfa.Verdict, device *storage.RememberedDevice, allowed []string) (Finished, error) {
	a := p.authorization(r, s.Account.User.ID, s.Session.ID, verdict, allowed)
	var id storage.GrantID
	if r.pushed != "" {
		id = endOf(storage.AuthRequest{ID: r.pushed, RequestedAt: r.at}, p.now())
	}
	issued, err := p.Grants.Authorize(ctx, r.grant(), a, &s.Account, id)
	if err != nil {
		return Finished{}, err
	}
	f := storage.Finish{Now: p.now(), Code: issued.Code, Grant: issued.Grant, Events: []storage.Event{p.journal.Event(v, storage.Event{
		Kind: issued.Event(), Outcome: mfa.OutcomeOK, UserID: a.UserID, ClientID: a.ClientID, SessionID: a.SessionID,
		GrantID: issued.GrantID(), Detail: spared(map[string]string{"acr": a.ACR, "from": "session"}, verdict, device)})}}
	within(&f, s.Session)
	done := Finished{User: a.UserID}
	if done.Answer, err = p.answer(ctx, r, issued.Fields...); err != nil {
		return Finished{}, err
	}
	p.useRemembered(&f, &done, verdict, device, v)
	if err := p.store.FinishRequest(ctx, f); err != nil {
		return Finished{}, err
	}
	return done, nil
}

// open opens the request, sealed or stored. It copies the factors of the session, unless the
// request requires a new login: then the user may change, too.
func (p *Provider) open(ctx context.Context, r *request, v mfa.Caller, s *session.SignedIn) (Begun, error) {
	stored := storage.AuthRequest{ID: storage.RequestID(storage.Random128(p.random)), ClientID: r.client.ID, Params: r.params,
		State: storage.RequestOpen, RequestedAt: r.at, ExpiresAt: r.at.Add(p.options.RequestTTL), UpdatedAt: r.at}
	if r.pushed != "" {
		stored.ID = r.pushed
	}
	if v.Browser != "" {
		stored.Browser = p.keyring.Hash("browser", v.Browser)
	}
	if s != nil && !r.login && (r.hint == "" || r.hint == s.Account.User.ID) {
		stored.Subject, stored.Factors, stored.Session = s.Account.User.ID, s.Session.Factors, s.Session.ID
	}
	stored, err := p.keep(ctx, r, stored, v)
	if err != nil {
		return Begun{}, err
	}
	p.started.Add(1)
	var account *storage.Account
	if stored.Subject != "" {
		account = &s.Account
	}
	inBrowser := v.Browser != ""
	step, err := p.newStep(ctx, r, stored, account, "", ownership{owned: inBrowser, inBrowser: inBrowser}, Ask{Request: stored.Address(), Visit: v, SignedIn: s})
	return Begun{Request: stored.Address(), Step: step}, err
}

// keep seals a new request, or stores it.
func (p *Provider) keep(ctx context.Context, r *request, stored storage.AuthRequest, v mfa.Caller) (storage.AuthRequest, error) {
	if maySeal(r, stored) {
		sealed, err := p.seal(stored)
		if err != nil || sealed.Sealed != "" {
			sealed.Hash = p.keyring.Hash("request", string(stored.ID))
			return sealed, err
		}
	}
	if err := p.options.Admit.Spend(v, budget.Opens, 1); err != nil {
		return stored, err
	}
	return stored, p.store.OpenRequest(ctx, stored)
}

// reopen reads a stored request, with the current record of the client.
func (p *Provider) reopen(ctx context.Context, stored storage.AuthRequest) (*request, error) {
	return p.read(ctx, stored.Params, stored.RequestedAt)
}
