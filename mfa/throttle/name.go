package throttle

import (
	"crypto/aes"
	"encoding/hex"
	"strings"

	"sallyport/storage/seal"
)

// nameLabel is the purpose of the hashes that counters of names are kept under.
const nameLabel = "name"

// NameSubject is the subject that failures by a typed name count for.
func NameSubject(keyring *seal.Keyring, identifier string) []byte {
	return keyring.Hash(nameLabel, string(NameDigest(keyring, identifier)))
}

// NameSubjects are the subjects of a name under every living hash key.
func NameSubjects(keyring *seal.Keyring, identifier string) [][]byte {
	return keyring.Hashes(nameLabel, string(NameDigest(keyring, identifier)))
}

// digestPrefix begins the identifier of a name of which only the digest is known. No typed
// identifier is like it: surfaces refuse text with a NUL.
const digestPrefix = "name\x00"

// NameDigest names a typed identifier, whether a user has it or not, without showing it.
func NameDigest(keyring *seal.Keyring, identifier string) []byte {
	if text, ok := strings.CutPrefix(identifier, digestPrefix); ok {
		b, err := hex.DecodeString(text)
		if err == nil {
			return b
		}
	}
	return keyring.MAC("subject", "name", identifier)[:aes.BlockSize]
}

// DigestIdentifier is an identifier with this digest.
func DigestIdentifier(digest []byte) string { return digestPrefix + hex.EncodeToString(digest) }
