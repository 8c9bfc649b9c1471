package storage

import (
	"cmp"
	"context"
	"encoding/hex"
	"net/url"
	"slices"
	"time"
)

// Kind is the kind of evidence of a factor (NIST SP 800-63B section 2).
type Kind string

// The three kinds.
const (
	Know Kind = "know"
	Have Kind = "have"
	Are  Kind = "are"
)

// Factor is a proof: its method, authenticator and time.
type Factor struct {
	Method            string          `json:"method"`
	Authenticator     AuthenticatorID `json:"authenticator,omitempty"`
	Kinds             []Kind          `json:"kinds"`
	AMR               []string        `json:"amr"` // RFC 8176
	PhishingResistant bool            `json:"phr,omitempty"`
	Hardware          bool            `json:"phrh,omitempty"` // its key is in hardware, and verified its user
	At                time.Time       `json:"at"`
	// New lists what was new about its circumstances, with a first factor; "": not known.
	New string `json:"new,omitempty"`
}

// RequestState is the state of an authorization request.
type RequestState string

// The states of a request. All but open are final.
const (
	RequestOpen      RequestState = "open"
	RequestCompleted RequestState = "completed"
	RequestCancelled RequestState = "cancelled"
)

// AuthRequest is an authorization request, from /authorize to its end, or a detached
// login (NewLogin).
type AuthRequest struct {
	ID RequestID
	// Sealed, if set, is the whole request, sealed: it is not stored. It takes the place of
	// the ID in addresses.
	Sealed   RequestID
	ClientID ClientID
	Params   url.Values // the validated authorization parameters, as received
	Browser  []byte     // keyed hash of the binding cookie; nil: not bound yet
	// Parent is the Hash of the request of a detached login; nil: this is an
	// authorization request.
	Parent []byte
	// Opener is the keyed hash of the parent's binding cookie: the login may end only in
	// that browser; nil: the parent has none.
	Opener []byte
	// Restarts counts restarts. The track is derived with it, so that a restart
	// invalidates it.
	Restarts int64
	// Hash is the keyed hash of ID; set by the engine on reading.
	Hash    []byte
	State   RequestState
	Version int64     // incremented by every change; a change names the version it read
	Subject UserID    // "": no user identified yet
	Factors []Factor  // proofs, including those of the session
	Session SessionID // the session the request began with; "": none
	// Consent holds the scopes the user allowed in this request; nil: not yet decided.
	Consent []string
	// ShowRecovery: new recovery codes have not been shown yet.
	ShowRecovery bool
	Track        []byte // keyed hash of the TrackID; nil: none
	Initiations  int    // statuses begun; at most 20
	// Names are the keyed hashes of the names entered before a user was identified,
	// 16 bytes each. Their pseudonyms are resolved with them.
	Names       [][]byte
	RequestedAt time.Time
	ExpiresAt   time.Time
	UpdatedAt   time.Time
}

// LogName names the login of a request among audit events. A detached login has the name of its
// parent. It opens nothing.
func (r AuthRequest) LogName() string {
	of := r.Hash
	if r.Parent != nil {
		of = r.Parent
	}
	return hex.EncodeToString(of[:min(len(of), 8)])
}

// Address returns what names the request in addresses and forms.
func (r AuthRequest) Address() RequestID { return cmp.Or(r.Sealed, r.ID) }

// Proven returns the request as a change leaves it that adds a factor of a user.
func (r AuthRequest) Proven(user UserID, f Factor, now time.Time) AuthRequest {
	r.Factors = slices.DeleteFunc(slices.Clone(r.Factors), func(o Factor) bool {
		return o.Method == f.Method && o.Authenticator == f.Authenticator
	})
	r.Factors = append(r.Factors, f)
	if r.Subject == "" {
		r.Initiations = 0
	}
	r.Subject, r.Sealed, r.UpdatedAt = user, "", now
	r.Version++
	return r
}

// RequestChange replaces what is not nil, if the request is open and has Version.
// A Subject, once set, is only replaced by Restart.
type RequestChange struct {
	ID           RequestID
	Version      int64
	Subject      UserID   // "": unchanged
	Factor       *Factor  // appended; replaces an earlier one of the same authenticator
	Consent      []string // nil: unchanged
	ShowRecovery *bool
	Track        TrackID // "": unchanged; else its hash is stored and ExpiresAt becomes TrackUntil
	TrackUntil   time.Time
	Restart      bool // clear subject, factors, session, consent and track
	State        RequestState
	// Parent of a detached login that gets State: it gets State too or, with Free, loses
	// its subject, unless a browser is bound to it.
	Parent []byte
	Free   bool
	// MaxInitiations, if not 0, must be more than the request's Initiations.
	MaxInitiations int
	// Open, if not nil, is the request, which is not stored: it is stored with the change.
	// ErrConflict: it was stored meanwhile.
	Open *AuthRequest
	Now  time.Time
}

// Lookup names a login to read.
type Lookup struct {
	ID         RequestID
	Identifier string  // canonical; "": none
	Credential []byte  // Authenticator.Credential, without an Identifier; nil: none
	Address    string  // of the caller (AddressThrottle); "": none
	End        GrantID // the grant that the request ends in; "": none
	Now        time.Time
}

// Found is a login that was read.
type Found struct {
	Request *AuthRequest // in any state; nil: it is not stored, or expired
	Ended   bool         // the grant of Lookup.End is there
	// Account of the request's subject or, without one, of the identifier or credential; nil:
	// there is no such user.
	Account *Account
	Address AddressState
}

// NewLogin is a detached login, begun by a first factor proven outside the browser its
// request is bound to. It belongs to whoever gets its Track. The request does not
// change, except that one without a browser then belongs to the Subject of the login.
type NewLogin struct {
	Login AuthRequest // with Parent, Subject, one factor
	Track TrackID
}

// AuthRequests stores authorization requests.
type AuthRequests interface {
	// OpenRequest stores a new request, unless it is stored already. One statement.
	OpenRequest(ctx context.Context, r AuthRequest) error
	// Login returns a login with its account and the state of the caller's address. One
	// statement.
	Login(ctx context.Context, l Lookup) (Found, error)
	// Request returns an unexpired request, in any state, with the account of its
	// subject or, without a subject, of the canonical identifier (empty: none). The
	// account is nil if there is no such user. One statement. ErrNotFound: unknown or
	// expired.
	Request(ctx context.Context, id RequestID, identifier string, now time.Time) (AuthRequest, *Account, error)
	// RequestByTrack is Request by TrackID.
	RequestByTrack(ctx context.Context, id TrackID, now time.Time) (AuthRequest, *Account, error)
	// BindRequest binds an open, unbound request of this version to a browser and
	// increments the version. ErrConflict: it is bound, changed, over, expired, or belongs
	// to the subject of a detached login.
	BindRequest(ctx context.Context, id RequestID, version int64, browser []byte, now time.Time) error
	// RememberName adds a name to those of an open request, unless it is among them.
	// ErrConflict: not open, expired, or it has most names.
	RememberName(ctx context.Context, id RequestID, name []byte, most int, now time.Time) error
	// ChangeRequest applies one change. ErrConflict: not open, expired or another version.
	ChangeRequest(ctx context.Context, c RequestChange, events []Event) error
}
