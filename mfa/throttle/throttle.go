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
	Proof        = "address_proof" // codes that a signed-in user types to prove an address
	UserCode     = "user_code"     // codes of devices that a network types (RFC 8628 section 5.1)
	Username     = "username"      // user names that a signed-in user tries to get

	Backchannel       = "backchannel"        // backchannel authentication requests of a client for a user
	BackchannelClient = "backchannel_client" // those of a client for all users
)

// Buckets of messages with codes.
const (
	Send        = "send"         // pauses between codes to an address
	SendHour    = "send_hour"    // codes to an address, or for a typed name, in an hour
	SendAddress = "send_address" // codes to an address in an hour that others than its owner request
	SendCaller  = "send_caller"  // codes that a user requests in an hour
	SendNetwork = "send_network" // codes that a network requests in an hour, before a user is identified
	SendBackend = "send_backend" // codes that backends send to an address in ten minutes
	SendCountry = "send_country" // text messages to a country on a day (storage.Toll)
)

// Ticket counts wrong codes of messages that let their reader do something (storage.TicketGuess).
const Ticket = "ticket"

// Buckets returns every bucket.
func Buckets() []string {
	return []string{Password, Device, Factor, Passwordless, ClientSecret, Address, Proof, UserCode, Username, Backchannel, BackchannelClient, Send, SendHour, SendAddress, SendCaller, SendNetwork, SendBackend, SendCountry, Ticket}
}

// How long idle counters are kept. Counters of unknown names are kept as long as those of
// users: else an old counter would reveal which names exist.
const (
	forgetPassword     = 24 * time.Hour
	forgetPasswordless = 30 * 24 * time.Hour
)

// Resend is how long the next message to an address, or to a name, has to wait at most.
const Resend = time.Minute

// Schedule returns the waits of a bucket (RFC 4226 section 7.3). 100 consecutive failures
// disable a second factor (NIST SP 800-63B section 5.2.2). Idle password counters expire
// after a day, passwordless ones after thirty days, those of the second factor never. No success
// resets Proof: whoever adds addresses has one of their own to prove.
func Schedule(bucket string) storage.Schedule {
	s := storage.Schedule{Free: 4, First: 30 * time.Second}
	switch bucket {
	case Password, Device:
		s.Cap, s.Forget = 15*time.Minute, forgetPassword
	case Passwordless:
		s.Cap, s.Max, s.Forget = time.Hour, 100, forgetPasswordless
	case Send:
		s.Free, s.Cap, s.Forget = 0, Resend, time.Hour
	case SendHour, SendAddress, SendCaller:
		return within(5, time.Hour)
	case SendNetwork:
		return within(20, time.Hour)
	case UserCode:
		return within(20, 10*time.Minute)
	case Backchannel:
		return within(5, 10*time.Minute)
	case BackchannelClient:
		return within(10_000, 10*time.Minute)
	case SendBackend:
		return within(10, 10*time.Minute)
	case Proof, Username, Ticket:
		return within(10, 24*time.Hour)
	default:
		s.Cap, s.Max = time.Hour, 100
	}
	return s
}

// PerAsker is the schedule of codes that are right for one asker alone: five wrong ones a day
// (docs/decisions/0120).
func PerAsker() storage.Schedule { return within(5, 24*time.Hour) }

// within allows n messages in a window, and the next one a window after the last.
func within(n int, window time.Duration) storage.Schedule {
	return storage.Schedule{Free: n - 1, First: window, Cap: window, Forget: window, Fixed: true}
}
