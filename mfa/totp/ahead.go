package totp

import (
	"time"

	"sallyport/storage"
)

// stepOf returns the time step of an authenticator (RFC 6238 section 4.2).
func stepOf(a storage.Authenticator, at time.Time) int64 {
	return at.Unix() / int64(parametersOf(a).Period)
}

// AheadUntil returns when codes of an authenticator are accepted again, if the last accepted one
// is of a later step than a phone shows now because the server's clock was ahead; else the zero
// time.
func AheadUntil(a storage.Authenticator, now time.Time) time.Time {
	// A phone may be a step ahead.
	if a.Method != Name || a.Counter <= stepOf(a, now)+1 {
		return time.Time{}
	}
	return time.Unix((a.Counter+1)*int64(parametersOf(a).Period), 0).UTC()
}

// PresentStep returns the counter that an authenticator gets in place of one that is ahead:
// codes up to now stay used.
func PresentStep(a storage.Authenticator, now time.Time) int64 { return stepOf(a, now) }
