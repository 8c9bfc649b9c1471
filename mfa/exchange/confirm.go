package exchange

import (
	"context"
	"slices"

	"sallyport/mfa"
	"sallyport/mfa/notice"
	"sallyport/mfa/recovery"
	"sallyport/storage"
	"sallyport/storage/seal"
)

// Confirm takes the first right code of a new authenticator. The code proves the factor
// for the login or session too, and its step counts as used. With the first second factor
// come recovery codes: returned to a signed-in user, kept for the next page of a login.
//
// Freshness is checked again, of the account as it is now: if a factor was confirmed
// elsewhere since this began, the password it began with is not enough any more.
func (v *Verifier) Confirm(ctx context.Context, caller mfa.Caller, e Enrollee, exchange storage.ExchangeID, text mfa.Response) ([]string, error) {
	s, _, account, err := v.pendingEnrollment(ctx, caller, e, exchange)
	if err != nil {
		return nil, err
	}
	if e.login != nil {
		p := *e.login
		p.Account = account
		e = v.InLogin(p)
	} else {
		e.owner.Account = *account
	}
	if err := v.fresh(e, v.o.EnrollTTL); err != nil {
		return nil, err
	}
	if v.full(*account, s.Method) {
		return nil, &mfa.Error{Code: mfa.AlreadyEnrolled}
	}
	r, err := v.responseTo(caller, s, account, exchange, text)
	if err != nil {
		return nil, err
	}
	r.conflict = mfa.RequestChanged
	var codes []string
	r.confirms(e.event(mfa.EventFactorEnrolled, s.Method, s.Authenticator), func(spend *storage.Spend, t try, proof mfa.Proof) error {
		v.confirm(spend, caller, account, proof, storage.StatusMove{Exchange: exchange, To: storage.StatusRedeemed, Method: s.Method})
		spend.MFAEnabled = proof.User
		if e.login != nil {
			spend.Status.Request = e.login.Request.ID
			spend.Request = &storage.RequestChange{ID: e.login.Request.ID, Version: e.login.Request.Version, Factor: proven(proof, t), Now: t.attempt.Now}
		} else {
			spend.Basis = v.aside(s).Basis
			// The code proves the factor to the session too, or its owner would be asked for
			// the next one immediately.
			if e.owner.Session != "" {
				spend.KeepSession = e.owner.Session
				spend.Renew = &storage.Renewal{User: proof.User, Factor: *proven(proof, t)}
			}
		}
		var err error
		codes, err = v.firstCodes(spend, caller, e, *account, s.Method, proof)
		return err
	})
	if err := v.answer(ctx, caller, r); err != nil {
		return nil, err
	}
	return codes, nil
}

// confirms makes a response the first one of a new authenticator.
func (r *response) confirms(event storage.Event, spend func(*storage.Spend, try, mfa.Proof) error) {
	r.event, r.spend = &event, spend
}

// confirm is what every confirmed enrolment writes.
func (v *Verifier) confirm(spend *storage.Spend, caller mfa.Caller, account *storage.Account, proof mfa.Proof, move storage.StatusMove) {
	spend.Credential = &proof.Spend
	spend.Credential.Confirm = true
	if !v.HasSecond(*account) {
		// None must have been confirmed meanwhile: the proof this began with is too weak
		// beside a second factor.
		spend.Credential.Alone = v.Lasting()
	}
	move.From, move.User, move.Usage = storage.StatusInitiated, proof.User, mfa.UsageEnroll
	spend.Status = &move
	spend.Messages = v.message(caller, account, notice.FactorEnrolled, map[string]string{"method": move.Method})
}

// firstCodes adds recovery codes where the account has none, and returns them as a
// signed-in user reads them.
func (v *Verifier) firstCodes(spend *storage.Spend, caller mfa.Caller, e Enrollee, account storage.Account, method string, proof mfa.Proof) ([]string, error) {
	if v.recovery == nil || slices.ContainsFunc(account.Authenticators, func(a storage.Authenticator) bool {
		return a.Method == recovery.Name && mfa.Enrolled(a)
	}) {
		return nil, nil
	}
	set, err := v.NewRecoverySet(e.owner)
	if err != nil {
		return nil, err
	}
	spend.Recovery = &set
	event := e.event(mfa.EventRecoveryRegenerated, method, proof.Authenticator)
	event.Detail["reason"] = "first second factor"
	spend.Events = append(spend.Events, v.journal.Event(caller, event))
	if e.login != nil {
		show := true
		spend.Request.ShowRecovery = &show
		return nil, nil
	}
	return recovery.ShowAll(set.Codes), nil
}

// NewRecoverySet makes recovery codes for an owner, not stored yet.
func (v *Verifier) NewRecoverySet(o mfa.Owner) (storage.RecoverySet, error) {
	if v.recovery == nil {
		return storage.RecoverySet{}, &mfa.Error{Code: mfa.NotConfigured}
	}
	set, err := v.recovery.NewSet(v.o.RecoveryCodes, o.Account.User.ID, v.now())
	set.Authenticator.Origin = o.Origin
	return set, err
}

// ConfirmAlone takes the first right code of a new authenticator from a caller who shows
// nothing but the exchange, which is enough: only the caller who began the enrolment was
// given it. An enrolment of a login leaves a verified status, which Claim makes a factor
// of that login; no recovery codes are made, as no page would show them.
//
// It ends with the session, the token or the password it was begun under. The caller was
// asked for a fresh proof at the beginning. If another factor was confirmed since, that
// proof may be too weak by now, and there is no user here to ask again.
func (v *Verifier) ConfirmAlone(ctx context.Context, caller mfa.Caller, a Answer) (Verified, error) {
	s, account, err := v.pending(ctx, caller, a.Exchange)
	if err != nil {
		return Verified{}, err
	}
	if err := a.authorized(s); err != nil {
		return Verified{}, err
	}
	if err := v.confirmable(s, account, a); err != nil {
		return Verified{}, err
	}
	r, err := v.responseTo(caller, s, account, a.Exchange, a.Response)
	if err != nil {
		return Verified{}, err
	}
	out := v.result(s, r)
	out.Sub = v.subOf(s)
	event := storage.Event{Kind: mfa.EventFactorEnrolled, ClientID: s.ClientID, Detail: map[string]string{"method": s.Method}}
	r.confirms(event, func(spend *storage.Spend, _ try, proof mfa.Proof) error {
		out.User = proof.User
		v.confirm(spend, caller, account, proof, storage.StatusMove{Exchange: a.Exchange, To: storage.StatusRedeemed, Method: s.Method,
			Rotate: out.Exchange, ExpiresAt: out.ExpiresAt})
		spend.Basis = v.aside(s).Basis
		if len(s.RequestHash) > 0 {
			spend.Status.To = storage.StatusVerified
			spend.MFAEnabled = proof.User // enrolled in a login (G-13)
		}
		return nil
	})
	if err := v.answer(ctx, caller, r); err != nil {
		return Verified{}, err
	}
	return out, nil
}

// confirmable refuses what ConfirmAlone must not confirm.
func (v *Verifier) confirmable(s storage.Status, account *storage.Account, a Answer) error {
	if s.Usage != mfa.UsageEnroll || s.Method != a.Method || account == nil || !account.User.In() ||
		a.Sub != "" && !seal.Equal(a.Sub, v.subOf(s)) {
		return &mfa.Error{Code: mfa.InvalidExchange}
	}
	pending := account.Authenticator(s.Authenticator)
	if pending == nil || pending.State != storage.AuthenticatorPending || !pending.ExpiresAt.After(v.now()) {
		return &mfa.Error{Code: mfa.EnrollmentExpired}
	}
	if pending.Origin == mfa.OriginAccount {
		return &mfa.Error{Code: mfa.InvalidExchange} // begun by a session, which has to confirm it too
	}
	if v.full(*account, s.Method) {
		return &mfa.Error{Code: mfa.AlreadyEnrolled}
	}
	newer := slices.ContainsFunc(account.Authenticators, func(x storage.Authenticator) bool {
		i, ok := v.Info(x.Method)
		return ok && i.Second && mfa.Enrolled(x) && x.UpdatedAt.After(s.CreatedAt)
	})
	if newer {
		return &mfa.Error{Code: mfa.ReauthenticationRequired}
	}
	return nil
}

// subOf is how the caller of an enrolment knows its user: masked in a login, and by the
// subject where an access token was shown.
func (v *Verifier) subOf(s storage.Status) string {
	if len(s.RequestHash) == 0 {
		return string(s.UserID)
	}
	return v.aside(s).Sub
}

// EnrolledIn returns the verified enrolment of a method in this very login.
func (v *Verifier) EnrolledIn(ctx context.Context, p Login, method string) (storage.Status, error) {
	s, err := v.claimed(ctx, p, Claim{Usages: []string{mfa.UsageEnroll}})
	if err == nil && (p.Account == nil || s.Method != method || s.UserID != p.Account.User.ID) {
		err = &mfa.Error{Code: mfa.InvalidExchange}
	}
	return s, err
}
