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

// Confirm checks the first code of a new authenticator. The code also proves the factor to
// the login or session, and its step is spent. With the first second factor it creates
// recovery codes: returned to a signed-in user, or shown on the next page of a login.
//
// Freshness is checked again with the current account: if another factor was confirmed
// meanwhile, a password is no longer enough.
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
	if err := v.checkFresh(e, v.o.EnrollTTL); err != nil {
		return nil, err
	}
	if v.atLimit(*account, s.Method) {
		return nil, &mfa.Error{Code: mfa.AlreadyEnrolled}
	}
	if !v.meetsDemand(s, account) {
		return nil, &mfa.Error{Code: mfa.EnrollmentCodeRequired}
	}
	r, err := v.responseTo(caller, s, account, exchange, text)
	if err != nil {
		return nil, err
	}
	r.conflict = mfa.RequestChanged
	var codes []string
	event := e.owner.Event(mfa.EventFactorEnrolled, s.Method, s.Authenticator)
	r.event = &event
	r.spend = func(_ context.Context, spend *storage.Spend, t try, proof mfa.Proof) error {
		v.addConfirmation(spend, caller, account, proof, storage.StatusMove{Exchange: exchange, To: storage.StatusRedeemed, Method: s.Method})
		if e.login != nil {
			spend.Status.Request = e.login.Request.ID
			spend.Request = &storage.RequestChange{ID: e.login.Request.ID, Version: e.login.Request.Version, Factor: factorOf(proof, t), Now: t.attempt.Now}
		} else {
			spend.Basis = v.dataOf(s).Basis
			// The session gets the factor too: else the user would have to prove it again.
			if e.owner.Session != "" {
				spend.KeepSession = e.owner.Session
				spend.Renew = &storage.Renewal{User: proof.User, Factor: *factorOf(proof, t)}
			}
		}
		var err error
		codes, err = v.addRecoveryCodes(spend, caller, e, *account, s.Method, proof)
		return err
	}
	if err := v.process(ctx, caller, r); err != nil {
		return nil, err
	}
	return codes, nil
}

// addConfirmation adds the writes of a confirmed enrolment to a spend.
func (v *Verifier) addConfirmation(spend *storage.Spend, caller mfa.Caller, account *storage.Account, proof mfa.Proof, move storage.StatusMove) {
	spend.Credential = &proof.Spend
	spend.Credential.Confirm = true
	// With a passkey the user signs in as strongly without the password. The setting would lock
	// them out of every device that has none.
	if i, _ := v.Info(move.Method); !i.First {
		spend.MFAEnabled = proof.User
	}
	if !v.HasSecond(*account) {
		// Fail if one is confirmed meanwhile: then a password is not enough.
		spend.Credential.Alone = v.StandaloneMethods()
	}
	if demand := v.demand(account); demand != nil {
		spend.Remove = demand.ID
	}
	move.From, move.User, move.Usage = storage.StatusInitiated, proof.User, mfa.UsageEnroll
	spend.Status = &move
	// The code came back from the address, which is verified if it is also a name of the user.
	spend.Verify = v.unverified(account, account.Authenticator(proof.Authenticator), spend.Now)
	spend.Messages = v.message(caller, account, notice.FactorEnrolled, map[string]string{"method": move.Method})
}

// addRecoveryCodes adds recovery codes if the account has none. It returns them for a
// signed-in user, and makes a login show them on its next page.
func (v *Verifier) addRecoveryCodes(spend *storage.Spend, caller mfa.Caller, e Enrollee, account storage.Account, method string, proof mfa.Proof) ([]string, error) {
	if v.recovery == nil || slices.ContainsFunc(account.Authenticators, func(a storage.Authenticator) bool {
		return a.Method == recovery.Name && mfa.IsEnrolled(a)
	}) {
		return nil, nil
	}
	set, err := v.NewRecoverySet(e.owner)
	if err != nil {
		return nil, err
	}
	spend.Recovery = &set
	event := e.owner.Event(mfa.EventRecoveryRegenerated, method, proof.Authenticator)
	event.Detail["reason"] = "first second factor"
	spend.Events = append(spend.Events, v.journal.Event(caller, event))
	if e.login != nil {
		show := true
		spend.Request.ShowRecovery = &show
		return nil, nil
	}
	return recovery.ShowAll(set.Codes), nil
}

// NewRecoverySet returns new recovery codes of an owner, to be stored. It returns
// NotConfigured without a recovery method.
func (v *Verifier) NewRecoverySet(o mfa.Owner) (storage.RecoverySet, error) {
	if v.recovery == nil {
		return storage.RecoverySet{}, &mfa.Error{Code: mfa.NotConfigured}
	}
	set, err := v.recovery.NewSet(v.o.RecoveryCodes, o.Account.User.ID, v.now())
	set.Authenticator.Origin = o.Origin
	return set, err
}

// ConfirmAlone checks the first code of a new authenticator from a caller who presents only
// the exchange, a secret of the caller who started the enrolment. In a login the status
// becomes verified, for Claim to add the factor. It creates no recovery codes, as no page
// would show them.
//
// It fails if the session, grant or password of the enrolment has ended or changed, and with
// ReauthenticationRequired if another factor was confirmed meanwhile.
func (v *Verifier) ConfirmAlone(ctx context.Context, caller mfa.Caller, a Answer) (Verified, error) {
	s, account, err := v.findPending(ctx, caller, a.Exchange)
	if err != nil {
		return Verified{}, err
	}
	if err := a.authorize(s); err != nil {
		return Verified{}, err
	}
	if err := v.checkConfirmable(s, account, a); err != nil {
		return Verified{}, err
	}
	r, err := v.responseTo(caller, s, account, a.Exchange, a.Response)
	if err != nil {
		return Verified{}, err
	}
	out := v.result(s, r)
	out.Sub = v.subOf(s)
	event := storage.Event{Kind: mfa.EventFactorEnrolled, ClientID: s.ClientID, Detail: map[string]string{"method": s.Method}}
	r.event = &event
	r.spend = func(_ context.Context, spend *storage.Spend, t try, proof mfa.Proof) error {
		out.User = proof.User
		v.addConfirmation(spend, caller, account, proof, storage.StatusMove{Exchange: a.Exchange, To: storage.StatusRedeemed, Method: s.Method,
			Rotate: out.Exchange, ExpiresAt: out.ExpiresAt})
		spend.Basis = v.dataOf(s).Basis
		if len(s.RequestHash) == 0 {
			spend.MFAEnabled = "" // not in a login (G-13)
			return nil
		}
		spend.Status.To = storage.StatusVerified
		return v.keepProof(spend.Status, s, t, proof)
	}
	if err := v.process(ctx, caller, r); err != nil {
		return Verified{}, err
	}
	return out, nil
}

// checkConfirmable refuses enrolments that ConfirmAlone must not confirm.
func (v *Verifier) checkConfirmable(s storage.Status, account *storage.Account, a Answer) error {
	if s.Usage != mfa.UsageEnroll || s.Method != a.Method || account == nil || !account.User.In() ||
		a.Sub != "" && !seal.Equal(a.Sub, v.subOf(s)) {
		return &mfa.Error{Code: mfa.InvalidExchange}
	}
	pending := account.Authenticator(s.Authenticator)
	if pending == nil || pending.State != storage.AuthenticatorPending || !pending.ExpiresAt.After(v.now()) {
		return &mfa.Error{Code: mfa.EnrollmentExpired}
	}
	if pending.Origin == mfa.OriginAccount {
		return &mfa.Error{Code: mfa.InvalidExchange} // only the session that started it may confirm it
	}
	if v.atLimit(*account, s.Method) {
		return &mfa.Error{Code: mfa.AlreadyEnrolled}
	}
	if !v.meetsDemand(s, account) {
		return &mfa.Error{Code: mfa.EnrollmentCodeRequired}
	}
	newer := slices.ContainsFunc(account.Authenticators, func(x storage.Authenticator) bool {
		i, ok := v.Info(x.Method)
		return ok && i.Second && mfa.IsEnrolled(x) && x.UpdatedAt.After(s.CreatedAt)
	})
	if newer {
		return &mfa.Error{Code: mfa.ReauthenticationRequired}
	}
	return nil
}

// subOf returns the subject that the caller of an enrolment knows: masked in a login, and
// the user ID with an access token.
func (v *Verifier) subOf(s storage.Status) string {
	if len(s.RequestHash) == 0 {
		return string(s.UserID)
	}
	return v.dataOf(s).Sub
}

// VerifiedEnrollment returns the verified enrolment of a method in a login, and
// InvalidExchange if there is none.
func (v *Verifier) VerifiedEnrollment(ctx context.Context, p Login, method string) (storage.Status, error) {
	s, err := v.findClaim(ctx, p, Claim{Usages: []string{mfa.UsageEnroll}})
	if err == nil && (p.Account == nil || s.Method != method || s.UserID != p.Account.User.ID) {
		err = &mfa.Error{Code: mfa.InvalidExchange}
	}
	return s, err
}
