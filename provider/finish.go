package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/budget"
	"sallyport/mfa/session"
	"sallyport/provider/claims"
	"sallyport/provider/grants"
	"sallyport/provider/oauth"
	"sallyport/storage"
)

// Finish ends a login in step done or refused. It stores everything (closed request, session,
// consent, grant, events) in one transaction. Of concurrent calls one gets the code, the others
// get *mfa.Error with RequestChanged.
//
// A login that began in a browser must end there, and so must one that ends in tokens: they
// have no other protection, while a code is useless without its verifier.
func (p *Provider) Finish(ctx context.Context, st Step, v mfa.Caller, s *session.SignedIn) (Finished, error) {
	switch st.Kind {
	case StepDone:
		if !st.Owned || !st.InBrowser && (st.ForBrowser() || st.EndsInBrowser()) {
			return Finished{}, &mfa.Error{Code: mfa.NotAllowed, Err: errors.New("the login must end in the browser that it is bound to")}
		}
		return p.finish(ctx, st, v, s)
	case StepRefused:
		a, err := p.close(ctx, st, v, mfa.EventLoginRefused, oauth.NewError(st.Refusal, st.Reason))
		return Finished{Answer: a, User: st.Request.Subject}, err
	}
	return Finished{}, &mfa.Error{Code: mfa.InvalidRequest, Err: fmt.Errorf("finish of step %q", st.Kind)}
}

func (p *Provider) finish(ctx context.Context, st Step, v mfa.Caller, s *session.SignedIn) (Finished, error) {
	f, done, err := p.ending(ctx, st, v, s)
	if err != nil {
		return Finished{}, err
	}
	f.Request, f.Version = st.Request.ID, st.Request.Version
	err = p.store.FinishRequest(ctx, f)
	if errors.Is(err, storage.ErrConflict) {
		code := mfa.RequestChanged
		if ended, stored, e := p.outcome(ctx, st.Request); e == nil && ended && stored != nil && stored.State == storage.RequestOpen {
			code = mfa.UnknownRequest // a pushed request that another visit ended
		}
		return Finished{}, &mfa.Error{Code: code, Err: err}
	}
	if err != nil {
		return Finished{}, fmt.Errorf("finish request: %w", err)
	}
	p.takeBack(ctx, st.Polled)
	return done, nil
}

// ending returns what the end of a login writes, besides its request, and what the caller gets
// once that is written.
func (p *Provider) ending(ctx context.Context, st Step, v mfa.Caller, s *session.SignedIn) (storage.Finish, Finished, error) {
	r, stored := st.request, st.Request
	f := storage.Finish{Now: p.now(), Parent: stored.Parent}
	session, isNew, ends := p.sessions.ForLogin(s, stored, stored.Subject, st.Verdict.Factors, v)
	if isNew && ends == "" {
		// The cookie of an expired session is about to be replaced.
		before, err := p.sessions.Lapsed(ctx, v)
		if err != nil {
			return f, Finished{}, err
		}
		if before != nil && before.Session.UserID != stored.Subject {
			ends = before.Session.ID
		}
	}
	if isNew || session.Generation != s.Session.Generation {
		f.Session, f.NewSession, f.EndSession = &session, isNew, ends
	}
	a := p.authorization(r, stored.Subject, session.ID, st.Verdict, st.allowed)
	var issued grants.Issued
	var err error
	if end := endOf(stored, f.Now); r.polled != "" {
		issued = p.approve(&f, st, a, end)
	} else if issued, err = p.Grants.Authorize(ctx, r.grant(), a, st.Account, end); err != nil {
		return f, Finished{}, err
	}
	f.Code, f.Grant = issued.Code, issued.Grant
	within(&f, session)
	var given *storage.Consent
	if stored.Consent != nil {
		if given, err = p.consentAfter(ctx, r, stored); err != nil {
			return f, Finished{}, err
		}
	}
	// What a client elsewhere was allowed answers no question of another login, and what the user was
	// shown before the client changed none of what it is now.
	if r.polled == "" && !r.client.UpdatedAt.After(stored.RequestedAt) {
		if f.Consent = given; !r.client.Document {
			f.ConsentSince = stored.RequestedAt // this server may not know of a change yet
		}
	}
	f.Events = p.finishEvents(v, a, issued, given, p.detail(st, a))
	answer, err := p.answer(ctx, r, issued.Fields...)
	if err != nil {
		return f, Finished{}, err
	}
	done := Finished{Answer: answer, User: a.UserID, Session: f.Session,
		Familiar: st.Verdict.ACR.AtLeast(mfa.AAL2), DevicesEnded: st.Account.User.DevicesEnded}
	if isNew && st.InBrowser {
		f.Messages = append(f.Messages, p.verifier.NewDevice(v, st.Account, st.Verdict.Factors)...)
	}
	p.useRemembered(&f, &done, st.Verdict, st.device, v)
	if f.Session != nil {
		done.SessionToken = p.sessions.Token(*f.Session)
	}
	return f, done, nil
}

// within ties the end of a login to a session: its grants live as long as that, and tokens in the
// response are issued only while it is valid.
func within(f *storage.Finish, x storage.Session) {
	for _, g := range []*storage.Grant{f.Code, f.Grant} {
		if g != nil {
			g.SessionUntil = x.ExpiresAt
		}
	}
	if f.Grant != nil && f.Session == nil {
		f.Basis = &storage.Basis{User: x.UserID, Session: x.ID}
	}
}

func (p *Provider) finishEvents(v mfa.Caller, a storage.Authorization, issued grants.Issued, given *storage.Consent, detail map[string]string) []storage.Event {
	base := storage.Event{Outcome: mfa.OutcomeOK, UserID: a.UserID, ClientID: a.ClientID, SessionID: a.SessionID}
	event := func(kind string, grant storage.GrantID, detail map[string]string) storage.Event {
		e := base
		e.Kind, e.GrantID, e.Detail = kind, grant, detail
		return p.journal.Event(v, e)
	}
	events := []storage.Event{event(mfa.EventLoginFinished, issued.GrantID(), detail)}
	if issued.Code == nil {
		events = append(events, event(issued.Event(), issued.GrantID(), nil))
	}
	if given != nil {
		events = append(events, event(mfa.EventConsentGiven, "", scopesOf(*given)))
	}
	return events
}

// authorization returns the content of all tokens of a login. allowed are the scopes that the user
// allowed; nil: all.
func (p *Provider) authorization(r *request, user storage.UserID, sid storage.SessionID, verdict mfa.Verdict, allowed []string) storage.Authorization {
	a := storage.Authorization{ClientID: r.client.ID, UserID: user, SessionID: sid, Scopes: r.scopes, Audience: r.resource,
		Nonce: r.nonce, ACR: p.acrValue(r, verdict.ACR), AMR: verdict.AMR, AuthTime: verdict.AuthTime, RequestedAt: r.at, Factors: verdict.Factors}
	a.CodeKey = r.params.Get("dpop_jkt")
	asked := r.params.Get("claims")
	if allowed != nil {
		a.Scopes = common(r.scopes, allowed)
		asked = claims.Limit(asked, allowed)
	}
	if asked != "" {
		a.Claims = json.RawMessage(asked)
	}
	if wanted := r.params.Get("authorization_details"); wanted != "" {
		a.Details = json.RawMessage(wanted)
	}
	return a
}

// Seen records that the user has seen the new recovery codes.
func (p *Provider) Seen(ctx context.Context, st Step, v mfa.Caller) error {
	no := false
	return p.change(ctx, storage.RequestChange{ID: st.Request.ID, Version: st.Request.Version, ShowRecovery: &no, Now: p.now()}, nil)
}

// Restart deletes the factors of a login, so that another user can sign in. A detached login
// ends, and another can begin for its request.
func (p *Provider) Restart(ctx context.Context, st Step, v mfa.Caller) error {
	if !st.Owned {
		return notOwner()
	}
	if err := p.options.Admit.Spend(v, budget.Initiations, 1); err != nil {
		return err
	}
	e := p.journal.Event(v, storage.Event{Kind: mfa.EventLoginRestarted, Outcome: mfa.OutcomeOK, UserID: st.Request.Subject,
		ClientID: st.Request.ClientID})
	c := storage.RequestChange{ID: st.Request.ID, Version: st.Request.Version, Restart: true, Now: p.now()}
	if st.Request.Parent != nil {
		c.Restart, c.State, c.Parent, c.Free = false, storage.RequestCancelled, st.Request.Parent, true
	}
	return p.change(ctx, c, []storage.Event{e})
}

// notOwner refuses operations that only the owner of a login may perform.
func notOwner() error {
	return &mfa.Error{Code: mfa.NotAllowed, Err: errors.New("the caller is not the owner of the login")}
}

// Cancel ends a login for the user (RFC 6749 section 4.1.2.1, access_denied).
func (p *Provider) Cancel(ctx context.Context, st Step, v mfa.Caller) (Answer, error) {
	if st.Kind == StepOver {
		return Answer{}, &mfa.Error{Code: mfa.RequestOver}
	}
	if !st.Owned {
		return Answer{}, notOwner()
	}
	return p.close(ctx, st, v, mfa.EventLoginCancelled, oauth.NewError("access_denied", "the login was cancelled"))
}

// close ends a request with an error for the client.
func (p *Provider) close(ctx context.Context, st Step, v mfa.Caller, kind string, e *oauth.Error) (Answer, error) {
	if err := p.deny(ctx, st, v); err != nil {
		return Answer{}, err
	}
	event := p.journal.Event(v, storage.Event{Kind: kind, Outcome: mfa.OutcomeRefused, UserID: st.Request.Subject,
		ClientID: st.Request.ClientID, Detail: map[string]string{"error": e.Code}})
	c := storage.RequestChange{ID: st.Request.ID, Version: st.Request.Version, State: storage.RequestCancelled, Now: p.now()}
	if st.InBrowser || !st.EndsInBrowser() {
		c.Parent = st.Request.Parent
	}
	if st.Request.Sealed != "" {
		c.Open = &st.Request
	}
	a, err := p.refusal(ctx, st.request, e) // signed before the request is over
	if err != nil {
		return Answer{}, err
	}
	if st.foreign() {
		a.Location = p.url(WaitingLeftPath)
	}
	if err := p.change(ctx, c, []storage.Event{event}); err != nil {
		return Answer{}, err
	}
	st.request.refused(ctx, e)
	return a, nil
}

func (p *Provider) change(ctx context.Context, c storage.RequestChange, events []storage.Event) error {
	err := p.store.ChangeRequest(ctx, c, events)
	if errors.Is(err, storage.ErrConflict) {
		return &mfa.Error{Code: mfa.RequestChanged, Err: err}
	}
	if err != nil {
		return fmt.Errorf("change request: %w", err)
	}
	return nil
}

// storedTime returns a time with the precision of storage, so that comparisons have the same
// result before and after storing (prompt=login compares microseconds).
func storedTime(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
