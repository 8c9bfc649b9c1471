package throttle

import (
	"crypto/aes"
	"encoding/hex"
	"strings"

	"sallyport/storage/seal"
)

// nameLabel is the purpose of the hash of a name's counter.
const nameLabel = "name"

// NameSubject returns the subject of the counter of a typed name.
func NameSubject(keyring *seal.Keyring, identifier string) []byte {
	return keyring.Hash(nameLabel, string(NameDigest(keyring, identifier)))
}

// NameSubjects returns the subjects of a name under every active hash key.
func NameSubjects(keyring *seal.Keyring, identifier string) [][]byte {
	return keyring.Hashes(nameLabel, string(NameDigest(keyring, identifier)))
}

// digestPrefix marks an identifier of which only the digest is known. Typed identifiers never
// have it: surfaces refuse NUL.
const digestPrefix = "name\x00"

// NameDigest returns the keyed digest of a typed identifier.
func NameDigest(keyring *seal.Keyring, identifier string) []byte {
	if text, ok := strings.CutPrefix(identifier, digestPrefix); ok {
		b, err := hex.DecodeString(text)
		if err == nil {
			return b
		}
	}
	return keyring.MAC("subject", "name", identifier)[:aes.BlockSize]
}

// DigestIdentifier returns an identifier with the given NameDigest.
func DigestIdentifier(digest []byte) string { return digestPrefix + hex.EncodeToString(digest) }
