// Package throttle defines the counters of failures and the waits they impose.
package throttle

import (
	"time"

	"sallyport/storage"
)

// Buckets of consecutive failures. Each counts for itself: guessed passwords do not lock the
// second factor, nor the reverse.
const (
	Password     = "password"
	Device       = "device" // passwords from a browser that the user signed in with before
	Factor       = "factor" // all second factors of a user together
	Passwordless = "passwordless"
	ClientSecret = "client_secret" // of one client from one network; package provider counts in it
	Address      = "address"
)

// Buckets returns every bucket.
func Buckets() []string {
	return []string{Password, Device, Factor, Passwordless, ClientSecret, Address}
}

// How long idle counters are kept. Counters of unknown names are kept as long as those of
// users: else an old counter would reveal which names exist.
const (
	forgetPassword     = 24 * time.Hour
	forgetPasswordless = 30 * 24 * time.Hour
)

// Schedule returns the waits of a bucket (RFC 4226 section 7.3). 100 consecutive failures
// disable a second factor (NIST SP 800-63B section 5.2.2). Idle password counters expire
// after a day, passwordless ones after thirty days, those of the second factor never.
func Schedule(bucket string) storage.Schedule {
	s := storage.Schedule{Free: 4, First: 30 * time.Second}
	switch bucket {
	case Password, Device:
		s.Cap, s.Forget = 15*time.Minute, forgetPassword
	case Passwordless:
		s.Cap, s.Max, s.Forget = time.Hour, 100, forgetPasswordless
	default:
		s.Cap, s.Max = time.Hour, 100
	}
	return s
}
