package storage

import (
	"context"
	"encoding/json"
	"time"
)

// CredentialSpend is compared and set when a proof is spent. Step or
// Code is set, or neither if the proof has no state.
type CredentialSpend struct {
	User          UserID
	Authenticator AuthenticatorID
	// Step must be greater than the authenticator's Counter and replaces it: a TOTP
	// step (RFC 6238 section 5.2) or a signature counter. 0: none.
	Step int64
	// Code is a recovery code that must be unused. "": none.
	Code string
	// Confirm activates a pending, unexpired authenticator, and moves the user's UpdatedAt: a
	// UserChange of who read the user before is refused. Without Confirm the authenticator must be
	// active.
	Confirm bool
	// Unfailed, if set, is a bucket in which the user must have no failures (Attempt.User).
	// So an attempt that was not counted is spent only if no other one failed since its
	// account was read.
	Unfailed string
	// Uncounted, with Unfailed, are counters that must not exist: those of the typed name and
	// of the browser can refuse where the user has no failures.
	Uncounted []ThrottleKey
	// Address, with Unfailed, is an address that must not wait; "": none.
	Address string
	// Same: Counter must still be Was, as a password must that was compared.
	Same bool
	// UserAt, if set, is the UpdatedAt that the user must still have.
	UserAt time.Time
	// Alone, with Confirm, are methods of which the user must have no other authenticator
	// except pending ones: an enrolment begun without such a factor is not confirmed
	// beside one. One of two concurrent confirmations succeeds.
	Alone []string
	// Secret, if not nil, replaces the stored secret if its Counter is Was: one of two
	// concurrent changes succeeds, and rehashing an old password never replaces a new
	// one.
	Secret []byte
	Was    int64
	// Changed: Secret is a new secret, not a rehash. It changes Counter and UpdatedAt, so
	// that proofs of the old one can be recognised.
	Changed bool
	// Data, if not nil, replaces the data of the authenticator.
	Data json.RawMessage
	// Credential, if not nil, becomes that of the authenticator. ErrConflict: another
	// authenticator has it.
	Credential []byte
}

// StatusMove advances a Status from one state to another.
type StatusMove struct {
	Exchange ExchangeID // by its current exchange; or
	ID       StatusID   // by its ID
	From, To StatusState
	// Rotate becomes the current exchange. "": unchanged.
	Rotate    ExchangeID
	ExpiresAt time.Time // replaces the expiry; zero: unchanged
	// If set, the Status must be of this request, user, method, usage.
	Request RequestID
	User    UserID
	Method  string
	Usage   string
	// Found is the user identified by the method, for a Status without a user. Otherwise
	// a Status without a user is a decoy and never verifies.
	Found UserID
	// Data, if not nil, replaces the data of the Status with ID, which is sealed with it.
	Data []byte
}

// Renewal is a proof added to a session whose token stays valid.
type Renewal struct {
	User   UserID
	Factor Factor // replaces an earlier one of the same authenticator
}

// Extension changes a valid session without changing its token. ErrConflict: the session is
// not valid, not the user's, or its Attributes have changed.
type Extension struct {
	ID        SessionID
	User      UserID
	Factor    *Factor   // nil: none; replaces an earlier one of the same authenticator
	Factors   []Factor  // all of them with Factor, for a list that has no room left
	ExpiresAt time.Time // zero: unchanged
	// Attributes, if not nil, replace Was.
	Attributes, Was json.RawMessage
	Now             time.Time
}

// Basis is what an enrolment was begun under, or a first password is set under: session, grant and
// password. The enrolment ends with any of them, so that an attacker who loses one cannot finish it.
type Basis struct {
	User    UserID
	Session SessionID // "": none; else it must be neither ended nor expired
	Grant   GrantID   // "": none; else it must be neither revoked nor expired
	// Secret, if set, must still have the Counter Was.
	Secret AuthenticatorID
	Was    int64
}

// Spend spends one proof: everything here happens, or nothing.
type Spend struct {
	Now        time.Time
	Credential *CredentialSpend
	// Remove, if set, is an active authenticator of the Credential's user that is deleted.
	// ErrConflict: it is gone, or not active.
	Remove  AuthenticatorID
	Status  *StatusMove
	Request *RequestChange
	// Login, if not nil, is created. ErrConflict: its request is over or expired, or
	// belongs to another subject.
	Login      *NewLogin
	Recovery   *RecoverySet // created with the first second factor
	MFAEnabled UserID       // "": unchanged; else the user whose MFAEnabled is set
	Activate   UserID       // "": unchanged; else a pending user to activate
	// Verify, if set, is an address that the proof verified. ErrConflict: it is gone.
	Verify IdentifierID
	// Change, if not nil, is what the proof changes of its user.
	Change *UserChange
	// EndSessions, if set, ends all sessions of this user but KeepSession, every grant
	// but those of KeepSession, and logins in progress, as Sessions.EndSessions does with
	// offline set.
	EndSessions UserID
	KeepSession SessionID
	// Renew, if not nil, is a proof to add to KeepSession, which must be of User: whoever
	// changes a secret has proven the old one and knows the new one.
	Renew *Renewal
	// Session, if not nil, is created.
	Session *Session
	// Extend, if not nil, changes a session.
	Extend *Extension
	// Basis, if not nil, must still be valid.
	Basis *Basis
	// Returned, if not nil, is the country and day of a text message whose code came back.
	Returned *Toll
	// Remember, if not nil, is the device that the proof was given on. It replaces the one of
	// its ID.
	Remember *RememberedDevice
	// Finish, if not nil, ends the login with its last proof. Its Request is not set; where
	// the login is stored, Request closes it.
	Finish *Finish
	// Reset are counters to remove. With a Credential its user has no failures in their
	// buckets any more.
	Reset []ThrottleKey
	// TakeBack, if not nil, loses the failures of its Cause, outside a wait: other failures at
	// the address stay.
	TakeBack *AddressThrottle
	// Forgive subtracts one failure from counters: a replay of the last accepted code is
	// not a guess.
	Forgive  []ThrottleKey
	Events   []Event
	Messages []Message
}

// Finish ends an authorization request with a code: everything here happens, or nothing.
type Finish struct {
	Now time.Time
	// Request must be open with this Version; "": single sign-on, no request was stored.
	Request RequestID
	Version int64
	// Parent of the Request must be open and ends with it; nil: none.
	Parent []byte
	// Session, if not nil, is stored: with NewSession it is added, otherwise it replaces
	// the valid session with Generation-1.
	Session    *Session
	NewSession bool
	// Basis, if not nil, must be valid: tokens that nobody asks the engine about again, such as ID
	// tokens, must not be issued in a session that has ended and told its clients.
	Basis      *Basis
	EndSession SessionID // "": none; else a session of another user to end
	// Remembered, if not nil, is the remembered device in place of a second factor.
	// ErrConflict: it has ended, or its token is a replay.
	Remembered *RememberedUse
	Consent    *Consent
	// ConsentSince, if not zero, is when the user was asked: the Consent is stored only if its client is
	// registered and has not changed since.
	ConsentSince time.Time
	Code         *Grant // whose code is to be redeemed; nil: none
	// Polled, if not nil, is the request that the login was for. ErrConflict: it is over, or
	// expired.
	Polled   *PolledEnd
	Grant    *Grant // of the tokens in the response; nil: none
	Events   []Event
	Messages []Message
}

// Steps are the two calls that advance a login.
type Steps interface {
	// Spend spends a proof. ErrConflict: part of it is already spent.
	Spend(ctx context.Context, s Spend) error
	// FinishRequest ends a request. ErrConflict: it is not open, has another version, the
	// session is not valid as required, or there is a grant of that ID.
	FinishRequest(ctx context.Context, f Finish) error
}
