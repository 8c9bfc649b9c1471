package exchange

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"unicode/utf8"

	"sallyport/mfa"
	"sallyport/storage"
)

// Login takes an identifier and a password: it counts the attempt, compares, and
// adds the factor to the request, whose subject it sets. Unknown and disabled users
// cost and get the same as a wrong password.
//
// A request that has a subject already keeps it. Another user's identifier is then
// refused as a wrong password, whether it exists or not: the page offers to start
// over for somebody else.
func (v *Verifier) Login(ctx context.Context, visit mfa.Caller, p Proving, password string) error {
	m, ok := v.methods["password"]
	policy := mfa.Table{Policy: p.Policy, Methods: v.infos}
	if !ok || !policy.Allowed(m.Info()) {
		return &mfa.Error{Code: mfa.NotConfigured}
	}
	if !utf8.ValidString(password) || p.Identifier == "" && p.Account == nil {
		return &mfa.Error{Code: mfa.InvalidRequest}
	}
	account := p.Account
	if v.strange(p) {
		account = nil
	}
	now := v.now()
	attempt := mfa.Attempt{Account: account, Usage: mfa.UsageFirst, Locale: visit.Locale, Now: now}
	r := mfa.Typed(password)
	if err := parse(m, attempt, r); err != nil {
		return err
	}
	t := v.newTry(visit, m, attempt, v.whom(account, p.Identifier), p.Request.ClientID)
	release, err := v.reserve(ctx, visit, &t)
	if err != nil {
		return err
	}
	defer release()
	if err := v.count(ctx, visit, &t, storage.Attempt{}); err != nil {
		return err
	}
	proof, err := v.compare(ctx, visit, t, nil, r)
	if err != nil {
		return err
	}
	return v.accept(ctx, visit, p, t, proof)
}

// accept spends a first factor and adds it to the request.
func (v *Verifier) accept(ctx context.Context, visit mfa.Caller, p Proving, t try, proof mfa.Proof) error {
	s := v.spend(visit, t, proof, mfa.EventPasswordOK)
	p.advance(&s, proof.User, proven("password", proof, t.attempt.Now), t.attempt.Now)
	err := v.store.Spend(ctx, s)
	if errors.Is(err, storage.ErrConflict) {
		return &mfa.Error{Code: mfa.RequestChanged}
	}
	if err != nil {
		return fmt.Errorf("spend password: %w", err)
	}
	return nil
}

// spend is what every right answer spends: the credential, its counters, the event.
func (v *Verifier) spend(visit mfa.Caller, t try, proof mfa.Proof, kind string) storage.Spend {
	t.about.UserID = proof.User
	t.about.Detail = maps.Clone(t.about.Detail)
	t.about.Detail["authenticator"] = string(proof.Authenticator)
	s := storage.Spend{Now: t.attempt.Now, Reset: t.resets(), Messages: v.told(visit, t, proof),
		Events: []storage.Event{v.event(visit, t.about, kind, mfa.OutcomeOK, "")}}
	if proof.Spend.Authenticator != "" {
		s.Credential = &proof.Spend
	}
	if t.attempt.Account != nil && t.attempt.Account.User.Status == storage.UserPending {
		s.Activate = proof.User
	}
	return s
}
