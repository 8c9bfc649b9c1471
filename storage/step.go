package storage

import (
	"context"
	"time"
)

// CredentialSpend is what must be compared and set for a proof to count. One of
// Step, Code and Password is used, or none where the proof needs no memory.
type CredentialSpend struct {
	User          UserID
	Authenticator AuthenticatorID
	// Step must be greater than the authenticator's Counter and replaces it: a TOTP
	// step (RFC 6238 section 5.2) or a signature counter. 0: none.
	Step int64
	// Code is a recovery code that must be unused. "": none.
	Code string
	// Confirm makes a pending, unexpired authenticator active; it demands that it is
	// pending. Without Confirm the authenticator must be active.
	Confirm bool
	// Alone, with Confirm, are methods of which the user must hold nothing else, pending
	// authenticators excepted: what was begun while there was no such factor is not
	// confirmed beside one. Of two that race one is confirmed.
	Alone []string
	// Secret replaces the stored secret if it is not nil (a password hashed anew), and
	// only the one whose Counter was Was: of two changes that race one is made, and the
	// old password hashed anew never takes the place of a new one.
	Secret []byte
	Was    int64
	// Changed says that Secret is another secret and not the same one hashed anew: it
	// moves the Counter and UpdatedAt, so that proofs of the old one can be told.
	Changed bool
}

// StatusMove moves a Status from one state to the next.
type StatusMove struct {
	Exchange ExchangeID // by its current exchange; or
	ID       StatusID   // by its ID
	From, To StatusState
	// Rotate becomes the current exchange. "": the exchange is left as it is.
	Rotate    ExchangeID
	ExpiresAt time.Time // replaces the expiry; zero: left
	// Demands, empty where not asked for: the Status must be of this request, user, method, usage.
	Request RequestID
	User    UserID
	Method  string
	Usage   string
	// Found is the user a method found by itself: a Status that has none gets this
	// one. Without Found a Status without a user is a decoy and never verifies.
	Found UserID
}

// Renewal is a proof given within a session that lives on, with its token.
type Renewal struct {
	User   UserID
	Factor Factor // replaces an earlier one of the same authenticator
}

// Basis is what an enrolment was begun under. It dies with any of it: whoever lost a
// session, a token or a password to its owner must not finish what they began by it.
type Basis struct {
	User    UserID
	Session SessionID // "": none; else it must be neither ended nor expired
	Grant   GrantID   // "": none; else it must be neither revoked nor expired
	// Secret, if set, must not have been changed since its Counter was Was.
	Secret AuthenticatorID
	Was    int64
}

// Spend is one proof that counts: everything here happens, or nothing.
type Spend struct {
	Now        time.Time
	Credential *CredentialSpend
	Status     *StatusMove
	Request    *RequestChange
	// Login, if not nil, is begun. ErrConflict: its request is over or expired, or
	// belongs to another subject.
	Login      *NewLogin
	Recovery   *RecoverySet // made together with the first second factor
	MFAEnabled UserID       // "": leave; else the user's wish for a second factor is switched on
	Activate   UserID       // "": leave; else a pending user becomes active
	// EndSessions, if set, ends all sessions of this user but KeepSession, every grant
	// but those of KeepSession, and what the user has under way, as Sessions.EndSessions
	// does with offline set.
	EndSessions UserID
	KeepSession SessionID
	// Renew, if not nil, is a proof that KeepSession, which must be of User, gets too:
	// whoever changes a secret has shown the old one and knows the new one.
	Renew *Renewal
	// Basis, if not nil, is what this was begun under and what must still stand.
	Basis *Basis
	Reset []ThrottleKey
	// Forgive takes one failure off counters that counted it: a replay of the code
	// accepted last is no guess.
	Forgive  []ThrottleKey
	Events   []Event
	Messages []Message
}

// Finish ends an authorization request in a code: everything here happens, or nothing.
type Finish struct {
	Now time.Time
	// Request must be open with this Version; "" where a session answered the
	// authorize call at once and no request was stored.
	Request RequestID
	Version int64
	// Parent of the Request, which ends with it and must be open; nil: none.
	Parent []byte
	// Session, if not nil, is stored: NewSession says whether it is added, or must
	// be alive with Generation-1 and is replaced.
	Session    *Session
	NewSession bool
	EndSession SessionID // "": none; else this session of another user ends
	Consent    *Consent
	Code       *Code // nil where the answer is a token
	Grant      *Grant
	Events     []Event
}

// Steps are the two moments in which a login moves forward.
type Steps interface {
	// Spend makes a proof count. ErrConflict: something of it was spent before.
	Spend(ctx context.Context, s Spend) error
	// FinishRequest ends a request. ErrConflict: it is not open, has another version,
	// or the session is not alive as demanded.
	FinishRequest(ctx context.Context, f Finish) error
}
