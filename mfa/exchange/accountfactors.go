package exchange

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"sallyport/mfa"
	"sallyport/mfa/notice"
	"sallyport/mfa/recovery"
	"sallyport/storage"
	"sallyport/storage/seal"
)

// authenticatorsMost bounds the authenticators of one method a user may hold: any of
// them may answer where none is named, so each makes a guess likelier. With three and
// the window of one step, nine of a million codes are right: at most 9e-4 over the 100
// failures after which the factor is switched off (T-1).
const authenticatorsMost = 3

// NewFactor is what an owner chooses for a new authenticator.
type NewFactor struct {
	Method string
	Name   string // "": none
	Shape  mfa.Shape
}

// EnrollFor makes a pending authenticator for a signed-in owner (M-9).
func (v *Verifier) EnrollFor(ctx context.Context, visit mfa.Caller, o mfa.Owner, n NewFactor) (Enrolling, error) {
	enroller, ok := v.methods[n.Method].(mfa.Enroller)
	if !ok {
		return Enrolling{}, &mfa.Error{Code: mfa.NotConfigured}
	}
	if err := v.Fresh(o); err != nil {
		return Enrolling{}, err
	}
	name, err := cleanName(n.Name)
	if err != nil {
		return Enrolling{}, err
	}
	if v.many(o.Account, n.Method) {
		return Enrolling{}, &mfa.Error{Code: mfa.AlreadyEnrolled}
	}
	a, handout, err := shaped(ctx, enroller, labelOf(&o.Account), n.Shape)
	if mfa.CodeOf(err) != "" {
		return Enrolling{}, err
	}
	if err != nil {
		return Enrolling{}, fmt.Errorf("enrol %s: %w", n.Method, err)
	}
	now, user := v.now(), o.Account.User.ID
	a.ID, a.UserID = storage.AuthenticatorID(storage.Random128(v.random)), user
	a.Method, a.Name, a.Origin, a.State = n.Method, name, o.Origin, storage.AuthenticatorPending
	a.CreatedAt, a.UpdatedAt, a.ExpiresAt = now, now, now.Add(v.o.EnrollTTL)
	s := storage.Status{ID: storage.StatusID(storage.Random128(v.random)), Exchange: storage.ExchangeID(storage.Random128(v.random)),
		ClientID: o.Client, UserID: user, Authenticator: a.ID, Method: n.Method, Usage: mfa.UsageEnroll,
		Browser: v.browser(visit), State: storage.StatusInitiated, CreatedAt: now, ExpiresAt: a.ExpiresAt}
	// The session is put aside: another one of the same user can not confirm this.
	s.Data, err = json.Marshal(aside{Subject: v.whom(&o.Account, "").subject, User: user, State: mfa.State(o.Session), Basis: v.basis(o)})
	if err != nil {
		return Enrolling{}, fmt.Errorf("write status: %w", err)
	}
	e := storage.Enrollment{Authenticator: a, Status: s,
		Events: []storage.Event{v.event(visit, v.aboutOwner(o, n.Method, a.ID), mfa.EventEnrollmentStarted, mfa.OutcomeOK, "")}}
	if err := v.store.Enroll(ctx, e); err != nil {
		return Enrolling{}, fmt.Errorf("store enrolment: %w", err)
	}
	return Enrolling{Exchange: s.Exchange, Status: s.ID, Method: n.Method, ExpiresAt: s.ExpiresAt, Handout: handout, Authenticator: a.ID, Text: cmp.Or(name, n.Method)}, nil
}

// many reports whether an account holds as many of a method as it may.
func (v *Verifier) many(a storage.Account, method string) bool {
	n := 0
	for _, x := range a.Authenticators {
		if x.Method == method && x.State != storage.AuthenticatorPending {
			n++
		}
	}
	return n >= authenticatorsMost
}

// PendingFor says again what is to be taken over, while it waits.
func (v *Verifier) PendingFor(ctx context.Context, visit mfa.Caller, o mfa.Owner, exchange storage.ExchangeID) (Enrolling, error) {
	s, a, account, err := v.enrollingFor(ctx, visit, o, exchange)
	if err != nil {
		return Enrolling{}, err
	}
	return v.handOut(exchange, s, *a, account)
}

// enrollingFor returns the pending enrolment of this owner behind an exchange, with
// the account as it is now. One that belongs to a login is not confirmed here.
func (v *Verifier) enrollingFor(ctx context.Context, visit mfa.Caller, o mfa.Owner, exchange storage.ExchangeID) (storage.Status, *storage.Authenticator, *storage.Account, error) {
	over := &mfa.Error{Code: mfa.EnrollmentExpired}
	s, account, err := v.pending(ctx, visit, exchange)
	if mfa.CodeOf(err) == mfa.InvalidExchange {
		return s, nil, nil, over
	}
	if err != nil {
		return s, nil, nil, err
	}
	if s.Usage != mfa.UsageEnroll || len(s.RequestHash) > 0 || account == nil || account.User.ID != o.Account.User.ID ||
		!account.User.In() || !seal.Equal(string(v.aside(s).State), string(o.Session)) {
		return s, nil, nil, over
	}
	a := account.Authenticator(s.Authenticator)
	if a == nil || a.State != storage.AuthenticatorPending || !a.ExpiresAt.After(v.now()) {
		return s, nil, nil, over
	}
	return s, a, account, nil
}

// ConfirmFor takes the first right code of a new authenticator. With the first second
// factor come recovery codes, which are returned to be shown once.
//
// Freshness is asked again, of the account as it is now: if a factor was confirmed
// elsewhere since this began, the password it began with is not enough any more.
func (v *Verifier) ConfirmFor(ctx context.Context, visit mfa.Caller, o mfa.Owner, exchange storage.ExchangeID, r mfa.Response) ([]string, error) {
	s, _, account, err := v.enrollingFor(ctx, visit, o, exchange)
	if err != nil {
		return nil, err
	}
	o.Account = *account
	if err := v.freshFor(o, v.o.EnrollTTL); err != nil {
		return nil, err
	}
	if v.many(*account, s.Method) {
		return nil, &mfa.Error{Code: mfa.AlreadyEnrolled}
	}
	t, release, err := v.answering(ctx, visit, s, account, r)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := v.count(ctx, visit, &t, storage.Attempt{Exchange: exchange, MaxAttempts: v.o.MaxAttempts}); err != nil {
		return nil, err
	}
	proof, err := v.compare(ctx, visit, t, nil, r)
	if err != nil {
		return nil, err
	}
	spend, err := v.confirmedFor(visit, o, t, proof, exchange)
	if err != nil {
		return nil, err
	}
	spend.Basis = v.aside(s).Basis
	err = v.store.Spend(ctx, spend)
	if errors.Is(err, storage.ErrConflict) {
		return nil, &mfa.Error{Code: mfa.RequestChanged}
	}
	if err != nil {
		return nil, fmt.Errorf("confirm enrolment: %w", err)
	}
	if spend.Recovery == nil {
		return nil, nil
	}
	return shown(spend.Recovery.Codes), nil
}

// confirmedFor is everything a confirmed enrolment writes.
func (v *Verifier) confirmedFor(visit mfa.Caller, o mfa.Owner, t try, proof mfa.Proof, exchange storage.ExchangeID) (storage.Spend, error) {
	name := t.method.Info().Name
	t.about = v.aboutOwner(o, name, proof.Authenticator)
	spend := v.spend(visit, t, proof, mfa.EventFactorEnrolled)
	spend.Credential = &proof.Spend
	spend.Credential.Confirm, spend.Credential.Alone = true, v.unaccompanied(&o.Account)
	spend.MFAEnabled = proof.User
	spend.Status = &storage.StatusMove{Exchange: exchange, From: storage.StatusInitiated, To: storage.StatusRedeemed,
		User: proof.User, Method: name, Usage: mfa.UsageEnroll}
	spend.Messages = v.message(visit, &o.Account, notice.FactorEnrolled, map[string]string{"method": name})
	// The code proves the factor to the session, too, or its owner would be asked for the
	// next one at once.
	if o.Session != "" {
		spend.KeepSession = o.Session
		spend.Renew = &storage.Renewal{User: proof.User, Factor: *proven(name, proof, t.attempt.Now)}
	}
	if v.recovery == nil || slices.ContainsFunc(o.Account.Authenticators, func(a storage.Authenticator) bool {
		return a.Method == recovery.Name && mfa.Enrolled(a)
	}) {
		return spend, nil
	}
	set, err := v.recovery.NewSet(v.o.RecoveryCodes, proof.User, t.attempt.Now)
	if err != nil {
		return storage.Spend{}, err
	}
	set.Authenticator.Origin = o.Origin
	spend.Recovery = &set
	spend.Events = append(spend.Events, v.event(visit, t.about, mfa.EventRecoveryRegenerated, mfa.OutcomeOK, "first second factor"))
	return spend, nil
}

// Remove takes an authenticator away (M-9). With the last one that stands for itself
// go the recovery codes and the wish for a second factor. endOthers ends all sessions
// of the owner but this one.
func (v *Verifier) Remove(ctx context.Context, visit mfa.Caller, o mfa.Owner, id storage.AuthenticatorID, endOthers bool) error {
	if err := v.Fresh(o); err != nil {
		return err
	}
	a, i, err := v.own(o, id)
	if err != nil {
		return err
	}
	r := storage.Removal{UserID: a.UserID, Authenticator: a.ID, Now: v.now(),
		Events:   []storage.Event{v.event(visit, v.aboutOwner(o, a.Method, a.ID), mfa.EventFactorDeleted, mfa.OutcomeOK, "")},
		Messages: v.message(visit, &o.Account, notice.FactorRemoved, map[string]string{"method": a.Method, "name": a.Name})}
	if i.Second {
		r.Lasting = v.lasting()
	}
	if endOthers && o.Session != "" {
		r.EndSessions = o.Session
		r.Events = append(r.Events, v.event(visit, v.aboutOwner(o, a.Method, a.ID), mfa.EventLogout, mfa.OutcomeOK, "all other sessions"))
	}
	err = v.store.DeleteAuthenticator(ctx, r)
	if errors.Is(err, storage.ErrNotFound) {
		return &mfa.Error{Code: mfa.NotConfigured}
	}
	if err != nil {
		return fmt.Errorf("remove authenticator: %w", err)
	}
	return nil
}

// lasting are the second factors a user can live with alone: recovery codes are not.
func (v *Verifier) lasting() []string {
	var out []string
	for _, i := range v.infos {
		if i.Second && i.Standalone() {
			out = append(out, i.Name)
		}
	}
	return out
}

// unaccompanied is what must not have appeared when a first factor is confirmed: the
// proof it began with is too weak beside one.
func (v *Verifier) unaccompanied(a *storage.Account) []string {
	if mfa.HasSecond(a, v.infos) {
		return nil
	}
	return v.lasting()
}

// NewRecoveryCodes replaces an owner's recovery codes: the old ones are worthless at
// once. The new ones are returned to be shown once.
func (v *Verifier) NewRecoveryCodes(ctx context.Context, visit mfa.Caller, o mfa.Owner) ([]string, error) {
	if v.recovery == nil || !mfa.HasSecond(&o.Account, v.infos) {
		return nil, &mfa.Error{Code: mfa.NotConfigured}
	}
	if err := v.Fresh(o); err != nil {
		return nil, err
	}
	now := v.now()
	set, err := v.recovery.NewSet(v.o.RecoveryCodes, o.Account.User.ID, now)
	if err != nil {
		return nil, err
	}
	set.Authenticator.Origin = o.Origin
	events := []storage.Event{v.event(visit, v.aboutOwner(o, set.Authenticator.Method, set.Authenticator.ID), mfa.EventRecoveryRegenerated, mfa.OutcomeOK, "")}
	err = v.store.ReplaceRecoveryCodes(ctx, set, now, events, v.message(visit, &o.Account, notice.RecoveryRenewed, map[string]string{}))
	if errors.Is(err, storage.ErrConflict) {
		return nil, &mfa.Error{Code: mfa.RequestChanged}
	}
	if err != nil {
		return nil, fmt.Errorf("replace recovery codes: %w", err)
	}
	return shown(set.Codes), nil
}

// shown writes codes as people read them.
func shown(codes []string) []string {
	out := make([]string, len(codes))
	for i, c := range codes {
		out[i] = recovery.Show(c)
	}
	return out
}
