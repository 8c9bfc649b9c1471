package storage

import (
	"context"
	"time"
)

// ThrottleKey names one counter of consecutive failures.
type ThrottleKey struct {
	Bucket  string // "factor", "password", "device", "passwordless", "client_secret"
	Subject []byte // keyed hash of a user ID, of an unknown identifier, or of a client and a network
}

// Schedule says when a counter lets the next attempt pass.
type Schedule struct {
	Free   int           // failures without any wait
	First  time.Duration // wait after failure Free+1; doubles with each further one
	Cap    time.Duration // longest wait
	Max    int           // failures after which no attempt passes; 0: no such end
	Forget time.Duration // a counter untouched for so long starts anew; 0: never
	// Fixed: Forget runs from the first failure, and again from each wait, but not from
	// the failures between. So failures far apart never add up to a wait.
	Fixed bool
}

// Throttle is one counter with its schedule.
type Throttle struct {
	Key      ThrottleKey
	Schedule Schedule
}

// Attempt is everything that is counted before a secret is compared. If one
// counter refuses, none counts.
type Attempt struct {
	// Exchange, if set, must be current and initiated; its attempts grow, bounded
	// by MaxAttempts. On the last one the Status becomes failed unless it is spent.
	Exchange    ExchangeID
	MaxAttempts int
	// New, if set, is a Status stored by this very attempt, with Attempts 1: for
	// methods that send nothing, so that showing a page writes nothing.
	New       *NewStatus
	Throttles []Throttle
	// Name, if set, is the counter of the name that was typed. A user may have several
	// names, whose failures one counter adds up: its wait must not be told to who types
	// another of them. So with Name a refusal by Throttles is none; it only leaves the
	// attempt out of them. Name itself refuses while it waits, and counts nothing:
	// CountFailure does.
	Name *Throttle
	// Address, if set, refuses while it waits. Nothing is counted in it: CountFailure does.
	Address *AddressThrottle
	Now     time.Time
}

// AddressThrottle bounds failures by source address (IPv4 /32, IPv6 /64): a wait
// of Window follows when Max attempts, or attempts for more than MaxSubjects different
// subjects, fail within Window.
type AddressThrottle struct {
	Address     string
	Subject     []byte // whom the attempt was for; nil: nobody in particular
	Window      time.Duration
	Max         int
	MaxSubjects int
}

// Refusal says why an attempt was not counted.
type Refusal struct {
	Bucket string    // "" with an exchange that is spent, foreign or out of attempts
	Until  time.Time // when the next attempt passes; zero: not by waiting
	// First: of all that were refused during this wait, by whichever server, this one was
	// the first. Whoever writes waits down writes it down, and no other.
	First bool
}

// Throttles bounds guessing over all servers and restarts.
type Throttles interface {
	// CountAttempt counts one attempt before it is compared. On ErrConflict the
	// Refusal says why, and nothing was counted. A Refusal without an error has the Bucket
	// of one of Throttles: the attempt was counted but there, and must fail.
	CountAttempt(ctx context.Context, a Attempt) (Refusal, error)
	// CountFailure counts an attempt that failed in its Address and its Name.
	CountFailure(ctx context.Context, a Attempt) error
	// WouldRefuse is CountAttempt without the counting: ErrConflict and the Refusal
	// where the name, the address, or without a name a counter refuses now. Exchanges are
	// not looked at. One
	// statement, and a second where the Refusal is the First. What it lets pass may still
	// be refused when it is counted.
	WouldRefuse(ctx context.Context, a Attempt) (Refusal, error)
	// Waits returns the counters that refuse now.
	Waits(ctx context.Context, keys []ThrottleKey, now time.Time) ([]Refusal, error)
	// ResetThrottle forgets counters: an administrator's unlock.
	ResetThrottle(ctx context.Context, keys []ThrottleKey, events []Event) error
	// MoveThrottles adds the counters of these buckets to others of the same bucket,
	// because their subjects are hashed under a newer key, and returns how many moved.
	MoveThrottles(ctx context.Context, buckets []string, moves []SubjectMove) (int, error)
}

// SubjectMove names one subject under two keys.
type SubjectMove struct{ From, To []byte }
