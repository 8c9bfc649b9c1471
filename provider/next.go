package provider

import (
	"bytes"
	"context"
	"errors"
	"strings"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/session"
	"sallyport/provider/claims"
	"sallyport/provider/oauth"
	"sallyport/storage"
)

// Next returns the next step of a login. It reads the request once, writes only the name in
// question (Ask.Lists) and a sealed request (unless Ask.MayBeSealed), and depends on proven factors
// alone, so no step can be skipped. A caller
// who is not the owner of the login gets the step of a new login, however far this one is. The
// error is *mfa.Error with UnknownRequest for a request that is unknown, expired, over (except
// for its owner), or of another browser: callers cannot distinguish these (B-2).
func (p *Provider) Next(ctx context.Context, a Ask) (Step, error) {
	identifier, known := canonical(a.Identifier)
	stored, account, address, err := p.load(ctx, a, identifier, known)
	if err == nil && a.Sub != "" && stored.Parent == nil {
		stored, account, err = p.loadMasked(ctx, a.Sub, stored, account)
	}
	if isNotFound(err) {
		return Step{}, &mfa.Error{Code: mfa.UnknownRequest, Err: err}
	}
	if err != nil {
		return Step{}, err
	}
	r, err := p.reopen(ctx, stored)
	if err != nil {
		return Step{}, unreadable(err)
	}
	o, err := p.ownership(stored, r.client, a)
	if err != nil {
		return Step{}, err
	}
	if stored.Sealed != "" && stored.State == storage.RequestOpen && !a.MayBeSealed {
		if stored, err = p.storeSealed(ctx, stored, a.Visit); err != nil {
			return Step{}, err
		}
	}
	var login *storage.NewLogin
	if !o.owned {
		if stored.State != storage.RequestOpen {
			return Step{}, &mfa.Error{Code: mfa.UnknownRequest, Err: errors.New("the login is over, and the caller is not its owner")}
		}
		login = p.detachedLogin(stored)
		stored, account = publicView(stored, account, identifier)
	}
	if a.Named.Authenticator != "" && identifier == "" && stored.Subject == "" {
		if account, identifier, err = p.verifier.OwnerOf(ctx, stored, a.Named); err != nil {
			return Step{}, err
		}
	}
	st, err := p.newStep(ctx, r, forgetSession(stored, a.SignedIn), account, identifier, o, a)
	st.Login.Detached, st.Login.Address = login, address
	if !o.owned {
		st.LoginHint = "" // contains a name
	} else if stored.Subject != "" {
		st.Login.Sub = p.Masked(st)
	}
	if err == nil && a.Lists && (st.Kind == StepIdentify || r.noCode) {
		err = p.verifier.RememberName(ctx, a.Visit, st.Login)
	}
	return st, err
}

// newStep returns the step of a request that was just read or stored.
func (p *Provider) newStep(ctx context.Context, r *request, stored storage.AuthRequest, account *storage.Account, identifier string, o ownership, a Ask) (Step, error) {
	mfa.Refused(ctx, mfa.Refusal{Client: r.client.ID}) // if the step is refused
	st := Step{Request: stored, Account: account, Client: r.client.Shown(r.redirect), ClientHome: p.homeOf(r.client, r.redirect), Destination: destinationOf(r.redirect), Resources: p.resourcesOf(r), Described: r.client.Document, Unvetted: r.client.Unvetted(), request: r, types: p.options.Details, ask: a, Owned: o.owned, InBrowser: o.inBrowser,
		UILocales: oauth.Fields(r.params.Get("ui_locales")), LoginHint: loginHint(r, stored, account, a.SignedIn),
		LoginPage: loginPage(stored, r.client)}
	st.Login = exchange.Login{Request: stored, Account: account, Identifier: identifier,
		Policy: policy(&r.client.Client), Requirements: p.requirements(r)}
	if stored.State != storage.RequestOpen {
		st.Kind = StepOver
		return st, nil
	}
	return p.decide(ctx, st)
}

// load reads a login with its account and the state of the caller's address; nil: not read.
func (p *Provider) load(ctx context.Context, a Ask, identifier string, known bool) (storage.AuthRequest, *storage.Account, *storage.AddressState, error) {
	switch {
	case a.Track != "":
		r, account, err := p.store.RequestByTrack(ctx, a.Track, p.now())
		if sealed, ok := p.unseal(a.Request); ok {
			a.Request = sealed.ID
		}
		if err == nil && a.Request != "" && a.Request != r.ID && !p.keyring.IsHash("request", string(a.Request), r.Parent) {
			return r, nil, nil, storage.ErrNotFound // of two different logins
		}
		return r, account, nil, err
	case a.Request != "":
		if !known {
			identifier = ""
		}
		return p.loadRequest(ctx, a, identifier)
	}
	return storage.AuthRequest{}, nil, nil, storage.ErrNotFound
}

// loadRequest reads a request. The page for the first factor of a sealed one needs no read, unless
// a user is signed in: in this login, perhaps.
func (p *Provider) loadRequest(ctx context.Context, a Ask, identifier string) (storage.AuthRequest, *storage.Account, *storage.AddressState, error) {
	l := storage.Lookup{ID: a.Request, Identifier: identifier, Credential: a.Credential, Address: a.Visit.Network(), Now: p.now()}
	sealed, isSealed := p.unseal(a.Request)
	lives := isSealed && sealed.ExpiresAt.After(l.Now) // if it is stored, its record says how long
	if isSealed {
		if lives && a.MayBeSealed && !a.MayBeProven && identifier == "" && a.Credential == nil && a.SignedIn == nil {
			return sealed, nil, nil, nil
		}
		l.ID, l.End = sealed.ID, endOf(sealed, l.Now)
	}
	found, err := p.store.Login(ctx, l)
	switch {
	case err != nil:
		return storage.AuthRequest{}, nil, nil, err
	case found.Request != nil:
		if found.Ended {
			found.Request.State = storage.RequestCompleted
		}
		return *found.Request, found.Account, &found.Address, nil
	case !lives:
		return storage.AuthRequest{}, nil, nil, storage.ErrNotFound
	}
	if found.Ended {
		sealed.State = storage.RequestCompleted
	}
	return sealed, found.Account, &found.Address, nil
}

// loadMasked returns the detached login of a masked subject that began for a request, or else
// the request itself.
func (p *Provider) loadMasked(ctx context.Context, sub string, parent storage.AuthRequest, read *storage.Account) (storage.AuthRequest, *storage.Account, error) {
	for _, id := range p.unmask(sub) {
		r, account, err := p.store.Request(ctx, id, "", p.now())
		if err == nil && bytes.Equal(r.Parent, parent.Hash) {
			return r, account, nil
		}
		if err != nil && !isNotFound(err) {
			return r, nil, err
		}
	}
	return parent, read, nil
}

// canonical returns the form of an identifier that is looked up and counted. An invalid
// identifier has no user, but is counted under one spelling too (T-6).
func canonical(typed string) (string, bool) {
	if typed == "" {
		return "", false
	}
	if id, _, err := mfa.Canonical(typed); err == nil {
		return id, true
	}
	typed = strings.ToLower(strings.TrimSpace(typed))
	if len(typed) > 320 {
		typed = typed[:320]
	}
	return typed, false
}

// unreadable converts the refusal of a stored request, whose client was deleted or changed in
// the meantime, to the error for an unknown request.
func unreadable(err error) error {
	var page *PageError
	var refused *oauth.Error
	if errors.As(err, &page) || (errors.As(err, &refused) && refused.Cause == nil) {
		return &mfa.Error{Code: mfa.UnknownRequest, Err: err}
	}
	return err
}

// forgetSession removes the factors that a request copied from a session, if the browser no
// longer has that session: after a logout in another tab the request cannot be finished.
func forgetSession(stored storage.AuthRequest, s *session.SignedIn) storage.AuthRequest {
	if stored.Session == "" || (s != nil && s.Session.ID == stored.Session) {
		return stored
	}
	var proved []storage.Factor
	for _, f := range stored.Factors {
		if !f.At.Before(stored.RequestedAt) {
			proved = append(proved, f)
		}
	}
	stored.Factors = proved
	return stored
}

// loginHint returns the name for the login form: the user who signs in again, or else the hint
// of the client (OpenID Connect Core section 3.1.2.1).
func loginHint(r *request, stored storage.AuthRequest, account *storage.Account, s *session.SignedIn) string {
	if stored.Subject != "" && account != nil {
		return primaryName(account)
	}
	if h := r.params.Get("login_hint"); h != "" && len(h) <= 320 {
		return h
	}
	if s != nil && r.login && (r.hint == "" || r.hint == s.Account.User.ID) {
		return primaryName(&s.Account)
	}
	return ""
}

// primaryName returns the name that a user most likely enters.
func primaryName(a *storage.Account) string {
	for _, kind := range []storage.IdentifierKind{storage.Email, storage.Username, storage.Phone} {
		if i := claims.Identifier(a, kind); i != nil {
			return i.Text()
		}
	}
	return ""
}

// decide determines the step. A request without a code is refused wherever it is; its options are
// there to be listed.
func (p *Provider) decide(ctx context.Context, st Step) (Step, error) {
	st, err := p.decideStep(ctx, st)
	if err == nil && st.request.noCode {
		st = st.refused("invalid_request")
		st.Reason = noChallenge
	}
	return st, err
}

func (p *Provider) decideStep(ctx context.Context, st Step) (Step, error) {
	r, stored := st.request, st.Request
	var subject *storage.Account
	if stored.Subject != "" {
		if st.Account == nil || !st.Account.User.In() {
			return st.refused("access_denied"), nil
		}
		if r.hint != "" && r.hint != stored.Subject {
			return st.refused("login_required"), nil
		}
		subject = st.Account
	}
	var err error
	st.Verdict, st.device, err = p.require(ctx, st.Login.Policy, subject, stored.Factors, st.Login.Requirements, st.ownPages(), st.ask.Visit)
	if err != nil {
		return Step{}, err
	}
	switch st.Verdict.Need {
	case mfa.NeedUnmet:
		return st.refused("unmet_authentication_requirements"), nil
	case mfa.NeedEnroll:
		st.Kind = StepEnroll
		return st, nil
	case mfa.NeedFirst, mfa.NeedSecond:
		st.Kind = StepIdentify
		if st.Verdict.Need == mfa.NeedSecond {
			st.Kind = StepVerify
		}
		if subject != nil || st.Login.Identifier != "" {
			st.Options = p.verifier.Options(st.Login)
		}
		return st, nil
	}
	if st.ask.MayOffer && p.offers(st.Client) && st.LoginPage == "" {
		if st.Offer = p.verifier.Suggest(st.Login); st.Offer != "" {
			st.Kind = StepOffer
			return st, nil
		}
	}
	if stored.ShowRecovery {
		st.Kind = StepRecovery
		return st, nil
	}
	d, err := p.decided(ctx, r, stored.Subject, stored.Consent, interactive(stored, st.ask.SignedIn))
	if err != nil {
		return Step{}, err
	}
	st.Kind, st.allowed = StepDone, d.allowed
	if d.asks {
		st.Kind, st.Scopes, st.Before = StepConsent, d.scopes, d.before
	}
	if r.polled != "" {
		if st.Polled, err = p.pending(ctx, r); err != nil {
			return Step{}, err
		}
	}
	return st, nil
}

func (st Step) refused(code string) Step {
	st.Kind, st.Refusal = StepRefused, code
	return st
}
