package storage

import (
	"context"
	"net/url"
	"time"
)

// Kind is the sort of evidence a factor is (NIST SP 800-63B section 2).
type Kind string

// The three kinds.
const (
	Know Kind = "know"
	Have Kind = "have"
	Are  Kind = "are"
)

// Factor is a proof that was given: how, with what, when.
type Factor struct {
	Method            string          `json:"method"`
	Authenticator     AuthenticatorID `json:"authenticator,omitempty"`
	Kinds             []Kind          `json:"kinds"`
	AMR               []string        `json:"amr"` // RFC 8176
	PhishingResistant bool            `json:"phr,omitempty"`
	At                time.Time       `json:"at"`
}

// RequestState is where an authorization request is in its life.
type RequestState string

// The states of a request. All but open are final.
const (
	RequestOpen      RequestState = "open"
	RequestCompleted RequestState = "completed"
	RequestCancelled RequestState = "cancelled"
)

// AuthRequest is one authorize call, from its opening to its end, or a login that was
// begun from outside the browser of one (NewLogin).
type AuthRequest struct {
	ID       RequestID
	ClientID ClientID
	Params   url.Values // the validated authorization parameters, as they came
	Browser  []byte     // keyed hash of the binding cookie; nil: not bound yet
	// Parent is the Hash of the request a login of its own was begun for; nil: this is
	// an authorize call itself.
	Parent []byte
	// Opener is the keyed hash of the binding cookie of the parent's browser, in which
	// alone the login may end; nil: the parent has none.
	Opener []byte
	// Restarts counts how often the request was begun anew. What names the login to its
	// owner is derived with it, so that it does not outlive its proofs.
	Restarts int64
	// Hash is the keyed hash of ID; filled by the engine on reading.
	Hash    []byte
	State   RequestState
	Version int64     // grows with every change; changes demand the version they read
	Subject UserID    // "": nobody identified yet
	Factors []Factor  // proofs given, those taken over from the session included
	Session SessionID // the session the request began with; "": none
	// Consent holds the scopes the user allowed in this request; nil: not asked.
	Consent []string
	// ShowRecovery: fresh recovery codes wait to be seen by their owner.
	ShowRecovery bool
	Track        []byte // keyed hash of the TrackID; nil: none
	Initiations  int    // statuses begun; 20 at most
	// Names are the keyed hashes of the names that were asked about before anybody was
	// identified, 16 bytes each: what was told of them is read again by these.
	Names       [][]byte
	RequestedAt time.Time
	ExpiresAt   time.Time
	UpdatedAt   time.Time
}

// RequestChange replaces what is not nil, if the request is open and has Version.
// A Subject that is set already is never changed to another, except by Restart.
type RequestChange struct {
	ID           RequestID
	Version      int64
	Subject      UserID   // "": leave
	Factor       *Factor  // appended; replaces an earlier one of the same authenticator
	Consent      []string // nil: leave
	ShowRecovery *bool
	Track        TrackID // "": leave; else its hash is kept and ExpiresAt becomes TrackUntil
	TrackUntil   time.Time
	Restart      bool // forget subject, factors, session, consent and track
	State        RequestState
	// Parent of a login that comes to State: it does so too, or, with Free, it is not the
	// subject's any more, if no browser is bound to it.
	Parent []byte
	Free   bool
	Now    time.Time
}

// NewLogin is a login of its own, begun by a first factor that was proven from outside
// the browser its request is bound to. It belongs to whoever is told its Track. The
// request stays as it is, but that one without a browser belongs to the Subject of the
// login from then on.
type NewLogin struct {
	Login AuthRequest // with Parent, Subject, one factor
	Track TrackID
}

// AuthRequests keeps authorization requests.
type AuthRequests interface {
	// OpenRequest stores a new request. One statement.
	OpenRequest(ctx context.Context, r AuthRequest) error
	// Request returns an unexpired request with the account of its subject, or, where
	// it has none yet, of the canonical identifier (empty: none). A nil account says
	// that nobody was found. One statement. ErrNotFound: unknown or expired. Requests
	// of every state are returned.
	Request(ctx context.Context, id RequestID, identifier string, now time.Time) (AuthRequest, *Account, error)
	// RequestByTrack is Request by TrackID.
	RequestByTrack(ctx context.Context, id TrackID, now time.Time) (AuthRequest, *Account, error)
	// BindRequest binds an open request that is not bound yet and has this version, and
	// raises it. ErrConflict: it is bound, changed, over, expired, or it belongs to the
	// subject of a login of its own.
	BindRequest(ctx context.Context, id RequestID, version int64, browser []byte, now time.Time) error
	// RememberName adds a name to those of an open request, unless it has it. ErrConflict:
	// not open, expired, or it has as many as it may.
	RememberName(ctx context.Context, id RequestID, name []byte, most int, now time.Time) error
	// ChangeRequest applies one change. ErrConflict: not open, expired or another version.
	ChangeRequest(ctx context.Context, c RequestChange, events []Event) error
}
