package storage

import (
	"context"
	"time"
)

// ThrottleKey identifies a counter of consecutive failures.
type ThrottleKey struct {
	Bucket string // see package mfa/throttle
	// Subject is a keyed hash of a user ID, of an unknown identifier, or of a client and a
	// network; in the bucket "address", for Waits and ResetThrottle, the network itself.
	Subject []byte
}

// Schedule determines when a counter allows the next attempt.
type Schedule struct {
	Free   int           // failures without any wait
	First  time.Duration // wait after failure Free+1; doubles with each further one
	Cap    time.Duration // longest wait
	Max    int           // failures after which no attempt is allowed; 0: unlimited
	Forget time.Duration // a counter unchanged for this long is reset; 0: never
	// Fixed: Forget runs from the first failure and from each wait, not from the
	// failures between. So failures far apart never add up to a wait.
	Fixed bool
}

// Throttle is one counter with its schedule.
type Throttle struct {
	Key      ThrottleKey
	Schedule Schedule
}

// Attempt is what is counted for one response. If one counter refuses, none
// counts.
type Attempt struct {
	// Exchange, if set, must be current and initiated; the attempt is counted in its
	// Status, up to MaxAttempts. After the last one the Status is failed unless spent.
	Exchange    ExchangeID
	MaxAttempts int
	// New, if set, is a Status created by this attempt, with Attempts 1: for methods
	// that send nothing, so that showing a page writes nothing.
	New       *NewStatus
	Throttles []Throttle
	// User, if set, is whose failures Throttles count: the user's authenticators then have
	// the buckets in Failing.
	User UserID
	// Name, if set, is the counter of the name as entered. One counter in Throttles
	// sums the failures of all names of a user, and its wait must not be shown for
	// another name. So with Name a refusal by Throttles is not an error; the attempt is
	// only not counted there. Name itself refuses during its wait. CountFailure counts
	// in it.
	Name *Throttle
	// Address, if set, refuses during its wait. CountFailure counts in it.
	Address *AddressThrottle
	Now     time.Time
}

// AddressThrottle bounds failures by source address (IPv4 /32, IPv6 /64): a wait
// of Window follows when Max attempts, or attempts for more than MaxSubjects different
// subjects, fail within Window.
type AddressThrottle struct {
	Address     string
	Subject     []byte // the name the attempt was for; nil: none
	Cause       []byte // the name or the identified user; their success takes its failures back
	Window      time.Duration
	Max         int
	MaxSubjects int
}

// AddressState is what the failures at an address mean for the next attempt.
type AddressState struct {
	Waits    bool // it must wait
	Failures bool // there are some
}

// Refusal says why an attempt was not counted.
type Refusal struct {
	Bucket string    // "": the exchange is spent, unknown or out of attempts
	Until  time.Time // when the next attempt is allowed; zero: never
	Since  time.Time // of Waits only: when the wait began
	// First marks the first refusal of this wait, across servers. Only this one goes
	// to the audit trail.
	First bool
}

// RefusedError is an ErrConflict because of a counter.
type RefusedError struct{ Refusal }

// Error implements error.
func (e *RefusedError) Error() string { return "storage: counter " + e.Bucket + " refuses" }

// Is reports whether target is ErrConflict.
func (e *RefusedError) Is(target error) bool { return target == ErrConflict }

// Throttles bounds guessing across servers and restarts.
type Throttles interface {
	// CountAttempt counts one attempt before its result is told. On ErrConflict the
	// Refusal says why, and nothing was counted. A Refusal without an error names a
	// Bucket of Throttles that did not count the attempt, which must then fail.
	CountAttempt(ctx context.Context, a Attempt) (Refusal, error)
	// MarkFailing notes failures of a user in a bucket (Authenticator.Failing) whose count was
	// refused, so that the next attempt is counted before it is compared.
	MarkFailing(ctx context.Context, user UserID, bucket string) error
	// CountFailure counts a failed attempt in its Address and its Name.
	CountFailure(ctx context.Context, a Attempt) error
	// WouldRefuse checks without counting: it returns ErrConflict and the Refusal if
	// the name, the address or, without a name, a counter refuses now. It ignores
	// exchanges. One statement, and a second if the Refusal is the First. An attempt it
	// allows may still be refused when it is counted.
	WouldRefuse(ctx context.Context, a Attempt) (Refusal, error)
	// Waits returns the counters that refuse now.
	Waits(ctx context.Context, keys []ThrottleKey, now time.Time) ([]Refusal, error)
	// ResetThrottle removes counters: an administrator's unlock.
	ResetThrottle(ctx context.Context, keys []ThrottleKey, events []Event) error
	// MoveThrottles adds the counters of these buckets to those of the same subjects
	// hashed under a newer key, and returns how many it moved.
	MoveThrottles(ctx context.Context, buckets []string, moves []SubjectMove) (int, error)
}

// SubjectMove is one subject hashed under two keys.
type SubjectMove struct{ From, To []byte }
