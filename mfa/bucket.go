package mfa

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
	BucketPassword     = "password"
	BucketDevice       = "device" // passwords from a browser that signed this user in before
	BucketFactor       = "factor" // all second factors of a user together
	BucketPasswordless = "passwordless"
	BucketClientSecret = "client_secret" // of one client from one network; package provider counts in it
	bucketAddress      = "address"
)

// Buckets returns every bucket, that of source addresses included.
func Buckets() []string {
	return []string{BucketPassword, BucketDevice, BucketFactor, BucketPasswordless, BucketClientSecret, bucketAddress}
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
func schedule(bucket string) storage.Schedule {
	s := storage.Schedule{Free: 4, First: 30 * time.Second}
	switch bucket {
	case BucketPassword, BucketDevice:
		s.Cap, s.Forget = 15*time.Minute, forgetPassword
	case BucketPasswordless:
		s.Cap, s.Max, s.Forget = time.Hour, 100, forgetPasswordless
	default:
		s.Cap, s.Max = time.Hour, 100
	}
	return s
}

// nameLabel is the purpose of the hashes that counters of names are kept under.
const nameLabel = "name"

// nameSubjects are the subjects of a name under every living key.
func nameSubjects(keyring *seal.Keyring, identifier string) [][]byte {
	return keyring.Hashes(nameLabel, string(face(keyring, identifier)))
}

// faced begins the identifier that stands for a name known by its hash alone. No typed
// identifier is like it: text with a NUL never gets past the front door.
const faced = "name\x00"

// face is what stands for a name, whether a user has it or not.
func face(keyring *seal.Keyring, identifier string) []byte {
	if text, ok := strings.CutPrefix(identifier, faced); ok {
		b, err := hex.DecodeString(text)
		if err == nil {
			return b
		}
	}
	return keyring.MAC("subject", "name", identifier)[:aes.BlockSize]
}

// byFace is the identifier that stands for a face.
func byFace(face []byte) string { return faced + hex.EncodeToString(face) }
