// Package throttle says in which counters failures count, and how long each makes its
// subject wait.
package throttle

import (
	"crypto/aes"
	"encoding/hex"
	"strings"
	"time"

	"sallyport/storage"
	"sallyport/storage/seal"
)

// Buckets of consecutive failures. They never feed each other: a stranger who
// guesses passwords does not lock the second factor, and the other way round.
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

// How long counters are kept that nobody adds to. Where anybody may try who knows a
// name, those of names nobody has are kept as long as those of users: else what is
// still remembered tells who is one.
const (
	forgetPassword     = 24 * time.Hour
	forgetPasswordless = 30 * 24 * time.Hour
)

// schedule returns the waits of a bucket (RFC 4226 section 7.3). The second factor
// ends after 100 consecutive failures (NIST SP 800-63B section 5.2.2). Password
// counters have no such end and start anew after a day, passwordless ones after
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

// nameLabel is the purpose of the hashes that counters of names are kept under.
const NameLabel = "name"

// nameSubjects are the subjects of a name under every living key.
func NameSubjects(keyring *seal.Keyring, identifier string) [][]byte {
	return keyring.Hashes(NameLabel, string(NameDigest(keyring, identifier)))
}

// faced begins the identifier that stands for a name known by its hash alone. No typed
// identifier is like it: text with a NUL never gets past the front door.
const digestPrefix = "name\x00"

// face is what stands for a name, whether a user has it or not.
func NameDigest(keyring *seal.Keyring, identifier string) []byte {
	if text, ok := strings.CutPrefix(identifier, digestPrefix); ok {
		b, err := hex.DecodeString(text)
		if err == nil {
			return b
		}
	}
	return keyring.MAC("subject", "name", identifier)[:aes.BlockSize]
}

// byFace is the identifier that stands for a face.
func DigestIdentifier(face []byte) string { return digestPrefix + hex.EncodeToString(face) }
