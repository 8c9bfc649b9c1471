package backend

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/notice"
	"sallyport/mfa/passcode"
	"sallyport/mfa/recovery"
	"sallyport/mfa/totp"
	"sallyport/storage"
)

// SessionUse says what a proof does to a session.
//
//	Given  Duration   effect
//	no     0          none
//	no     > 0        a new session
//	yes    0          the session gets the factor
//	yes    > 0        the session gets the factor and expires Duration from now
type SessionUse struct {
	Given    bool              // a session was named, by token or JWT
	ID       storage.SessionID // "" with Given: what was named is no live session
	Duration time.Duration
	// Claims are merged into the session's custom claims; null removes one.
	Claims map[string]json.RawMessage
}

// Proof is a response to check. Checks come in this order: user, session, device, wait,
// response. A call that fails before the response is compared counts and spends nothing.
type Proof struct {
	User        storage.UserID       // TOTP and recovery codes
	Identifier  storage.IdentifierID // one-time codes
	Code        string
	Session     SessionUse
	Fingerprint Fingerprint
	// Match names members of the fingerprint that must be known, and those of the call that
	// had the one-time code sent.
	Match []string
}

// Proven is the result of a right response.
type Proven struct {
	Account       storage.Account
	Authenticator storage.AuthenticatorID // the TOTP authenticator, or the set of recovery codes
	Identifier    storage.Identifier      // of a one-time code
	Session       *storage.Session        // nil: none
	SessionToken  string                  // "" without a session
}

// ProveTOTP checks a TOTP code. The first right one activates a pending authenticator, and a
// pending user.
//
// UserNotFound; SessionNotFound; OtherUser: the session is another user's; DeviceMismatch;
// NotConfigured: the user has no TOTP authenticator; EnrollmentExpired: only one that was not
// confirmed in time; InvalidRequest: malformed; TooMany; Locked; InvalidPasscode; Replayed;
// RequestChanged: another call changed the session.
func (s *Service) ProveTOTP(ctx context.Context, caller mfa.Caller, p Proof) (Proven, error) {
	account, err := s.User(ctx, p.User)
	if err != nil {
		return Proven{}, err
	}
	held, expired := false, false
	for _, x := range account.Authenticators {
		if x.Method != totp.Name {
			continue
		}
		late := x.State == storage.AuthenticatorPending && !x.ExpiresAt.After(s.now())
		expired = expired || late && x.Origin == mfa.OriginBackend
		held = held || !late && (x.State != storage.AuthenticatorPending || x.Origin == mfa.OriginBackend)
	}
	use, err := s.sessionFor(ctx, account.User.ID, p)
	switch {
	case err != nil:
		return Proven{}, err
	case held:
	case expired:
		return Proven{}, &mfa.Error{Code: mfa.EnrollmentExpired}
	default:
		return Proven{}, &mfa.Error{Code: mfa.NotConfigured}
	}
	return s.prove(ctx, caller, p, use, Proven{Account: account}, totp.Name)
}

// ProveRecovery checks a recovery code. Errors as ProveTOTP; a used code is InvalidPasscode.
func (s *Service) ProveRecovery(ctx context.Context, caller mfa.Caller, p Proof) (Proven, error) {
	account, err := s.User(ctx, p.User)
	if err != nil {
		return Proven{}, err
	}
	use, err := s.sessionFor(ctx, account.User.ID, p)
	if err != nil {
		return Proven{}, err
	}
	if _, ok := recovery.Canonical(p.Code); !ok {
		return Proven{}, &mfa.Error{Code: mfa.InvalidRequest}
	}
	out, err := s.prove(ctx, caller, p, use, Proven{Account: account}, recovery.Name)
	if mfa.CodeOf(err) == mfa.Replayed {
		err = &mfa.Error{Code: mfa.InvalidPasscode}
	}
	return out, err
}

// ProveOTP checks a one-time code sent to p.Identifier. A right one verifies the address and
// activates a pending user.
//
// Errors as ProveTOTP, and IdentifierNotFound; InvalidPasscode: wrong, superseded, or no code
// is outstanding; Replayed: right but used; PasscodeExpired: right but expired.
func (s *Service) ProveOTP(ctx context.Context, caller mfa.Caller, p Proof) (Proven, error) {
	account, identifier, err := s.identifier(ctx, p.Identifier)
	if err != nil {
		return Proven{}, err
	}
	use, err := s.sessionFor(ctx, account.User.ID, p)
	if err != nil {
		return Proven{}, err
	}
	device, err := s.verifier.CodeDevice(ctx, identifier.ID)
	if err != nil {
		return Proven{}, mfa.Wrap("read code", err)
	}
	sent := Fingerprint{IP: device[MatchIP], UserAgent: device[MatchUserAgent]}
	if s.differs(s.o.MatchCodes, p.Fingerprint, sent) || slices.ContainsFunc(p.Match, func(name string) bool {
		own := p.Fingerprint.member(name)
		return own == "" || own != sent.member(name)
	}) {
		return Proven{}, &mfa.Error{Code: mfa.DeviceMismatch}
	}
	return s.prove(ctx, caller, p, use, Proven{Account: account, Identifier: identifier}, methodOf(identifier.Kind))
}

// methodOf returns the method that sends codes to a kind of address.
func methodOf(kind storage.IdentifierKind) string {
	if kind == storage.Phone {
		return passcode.SMS
	}
	return passcode.Email
}

// prove checks a response and completes the result.
func (s *Service) prove(ctx context.Context, caller mfa.Caller, p Proof, use sessionUse, out Proven, method string) (Proven, error) {
	caller = p.Fingerprint.describe(caller)
	err := s.verifier.ProveBackend(ctx, caller, exchange.BackendProof{Account: out.Account, Method: method, Identifier: out.Identifier.ID,
		Response: mfa.Typed(p.Code),
		Spend: func(spend *storage.Spend, proof mfa.Proof, f storage.Factor) error {
			out.Authenticator = proof.Authenticator
			if out.Identifier.ID != "" {
				spend.Verify = out.Identifier.ID
				f.Authenticator = storage.AuthenticatorID(out.Identifier.ID)
			}
			if proof.Spend.Confirm {
				if err := s.addConfirmation(ctx, caller, spend, out.Account, proof.Authenticator); err != nil {
					return err
				}
			}
			var err error
			out.Session, err = s.addSession(spend, caller, use, out.Account.User.ID, f)
			return err
		}})
	if mfa.CodeOf(err) == mfa.RequestChanged && use.current != nil {
		if _, _, gone := s.SessionByID(ctx, use.current.ID); gone != nil {
			return Proven{}, gone
		}
	}
	if err != nil {
		return Proven{}, err
	}
	if out.Session != nil {
		out.SessionToken = s.TokenOf(*out.Session)
	}
	out.Account, err = s.User(ctx, out.Account.User.ID)
	return out, err
}

// addConfirmation adds what the first right code of a backend's authenticator writes.
func (s *Service) addConfirmation(ctx context.Context, caller mfa.Caller, spend *storage.Spend, account storage.Account, id storage.AuthenticatorID) error {
	owner := mfa.Owner{Account: account}
	spend.Events = append(spend.Events, s.journal.Event(caller, owner.Event(mfa.EventFactorEnrolled, totp.Name, id)))
	spend.Messages = append(spend.Messages, s.notice(caller, account, notice.FactorEnrolled, map[string]string{"method": totp.Name})...)
	codes, err := s.verifier.PendingCodes(ctx, id)
	if err != nil || codes == nil {
		return mfa.Wrap("read recovery codes", err)
	}
	set := recovery.SetOf(storage.AuthenticatorID(storage.Random128(s.random)), account.User.ID, codes, s.now())
	set.Authenticator.Origin = mfa.OriginBackend
	spend.Recovery = &set
	return nil
}
