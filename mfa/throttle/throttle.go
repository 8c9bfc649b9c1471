// Package throttle says in which counters failures count, and how long each makes its
// subject wait.
package throttle

import (
	"time"

	"sallyport/storage"
)

// Buckets of consecutive failures. They never feed each other: guessing
// passwords does not lock the second factor, and the other way round.
const (
	Password     = "password"
	Device       = "device" // passwords from a browser that signed this user in before
	Factor       = "factor" // all second factors of a user together
	Passwordless = "passwordless"
	ClientSecret = "client_secret" // of one client from one network; package provider counts in it
	Address      = "address"
)

// Buckets returns every bucket, that of source addresses included.
func Buckets() []string {
	return []string{Password, Device, Factor, Passwordless, ClientSecret, Address}
}

// How long idle counters are kept. Where anyone may try who knows a name, those of unknown
// names are kept as long as those of users: else an old counter would tell which names exist.
const (
	forgetPassword     = 24 * time.Hour
	forgetPasswordless = 30 * 24 * time.Hour
)

// Schedule returns the waits of a bucket (RFC 4226 section 7.3). The second factor
// ends after 100 consecutive failures (NIST SP 800-63B section 5.2.2). Password
// counters have no such end and start over after a day, passwordless ones after
// thirty; the second factor, which only identified users reach, forgets nothing.
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
