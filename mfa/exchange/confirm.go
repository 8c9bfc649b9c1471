package exchange

import (
	"context"
	"slices"

	"sallyport/mfa"
	"sallyport/mfa/notice"
	"sallyport/storage"
	"sallyport/storage/seal"
)

// ConfirmAlone takes the first right code of a new authenticator from a caller who
// shows nothing but the exchange, which is enough: only who began the enrolment was
// given it. An enrolment of a login leaves a verified Status, which Claim makes a
// factor of that login; no recovery codes are made, for nobody would be shown them.
//
// It dies with the session, the token or the password it was begun under. Whoever began
// was asked for a young proof. If another factor was confirmed since,
// that proof may be too weak by now, and nobody is here to be asked again.
func (v *Verifier) ConfirmAlone(ctx context.Context, visit mfa.Caller, a Answer) (Verified, error) {
	s, account, err := v.pending(ctx, visit, a.Exchange)
	if err != nil {
		return Verified{}, err
	}
	if err := a.judged(s); err != nil {
		return Verified{}, err
	}
	pending, err := v.waiting(s, account, a)
	if err != nil {
		return Verified{}, err
	}
	t, release, err := v.answering(ctx, visit, s, account, a.Response)
	if err != nil {
		return Verified{}, err
	}
	defer release()
	if err := v.count(ctx, visit, &t, storage.Attempt{Exchange: a.Exchange, MaxAttempts: v.o.MaxAttempts}); err != nil {
		return Verified{}, err
	}
	proof, err := v.compare(ctx, visit, t, nil, a.Response)
	if err != nil {
		return Verified{}, err
	}
	out := Verified{Exchange: storage.ExchangeID(storage.Random128(v.random)), Status: s.ID, Sub: v.subOf(s),
		ExpiresAt: t.attempt.Now.Add(v.o.VerifiedTTL), User: proof.User}
	t.about.Detail = map[string]string{"method": s.Method, "authenticator": string(pending.ID)}
	spend := v.spend(visit, t, proof, mfa.EventFactorEnrolled)
	spend.Credential = &proof.Spend
	spend.Credential.Confirm, spend.Credential.Alone = true, v.unaccompanied(account)
	spend.Messages = v.message(visit, account, notice.FactorEnrolled, map[string]string{"method": s.Method})
	spend.Status = &storage.StatusMove{Exchange: a.Exchange, From: storage.StatusInitiated, To: storage.StatusRedeemed, Rotate: out.Exchange,
		ExpiresAt: out.ExpiresAt, User: proof.User, Method: s.Method, Usage: mfa.UsageEnroll}
	spend.Basis = v.aside(s).Basis
	if len(s.RequestHash) > 0 {
		spend.Status.To = storage.StatusVerified
		spend.MFAEnabled = proof.User // enrolled in a login (G-13)
	}
	if err := v.settleSpend(ctx, visit, t, proof, spend, mfa.InvalidExchange); err != nil {
		return Verified{}, err
	}
	return out, nil
}

// waiting returns the pending authenticator a Status confirms, if the caller's words fit.
func (v *Verifier) waiting(s storage.Status, account *storage.Account, a Answer) (*storage.Authenticator, error) {
	if s.Usage != mfa.UsageEnroll || s.Method != a.Method || account == nil || !account.User.In() ||
		a.Sub != "" && !seal.Equal(a.Sub, v.subOf(s)) {
		return nil, &mfa.Error{Code: mfa.InvalidExchange}
	}
	pending := account.Authenticator(s.Authenticator)
	if pending == nil || pending.State != storage.AuthenticatorPending || !pending.ExpiresAt.After(v.now()) {
		return nil, &mfa.Error{Code: mfa.EnrollmentExpired}
	}
	if pending.Origin == mfa.OriginAccount {
		return nil, &mfa.Error{Code: mfa.InvalidExchange} // begun by a session, which has to confirm it too
	}
	if v.many(*account, s.Method) {
		return nil, &mfa.Error{Code: mfa.AlreadyEnrolled}
	}
	newer := slices.ContainsFunc(account.Authenticators, func(x storage.Authenticator) bool {
		i, ok := v.Info(x.Method)
		return ok && i.Second && mfa.Enrolled(x) && x.UpdatedAt.After(s.CreatedAt)
	})
	if newer {
		return nil, &mfa.Error{Code: mfa.ReauthenticationRequired}
	}
	return pending, nil
}

// subOf is how the caller of an enrolment knows its user: masked in a login, and by
// the subject where a token of theirs was shown.
func (v *Verifier) subOf(s storage.Status) string {
	if len(s.RequestHash) == 0 {
		return string(s.UserID)
	}
	return v.aside(s).Sub
}

// NameEnrolled names the authenticator that was enrolled in this very login.
func (v *Verifier) NameEnrolled(ctx context.Context, visit mfa.Caller, p Proving, method, name string) error {
	s, err := v.claimed(ctx, p, Claim{Usages: []string{mfa.UsageEnroll}})
	if err != nil {
		return err
	}
	if p.Account == nil || s.Method != method || s.UserID != p.Account.User.ID {
		return &mfa.Error{Code: mfa.InvalidExchange}
	}
	o := mfa.Owner{Account: *p.Account, Client: p.Request.ClientID}
	return v.Rename(ctx, visit, o, s.Authenticator, name)
}
