package throttle

import (
	"crypto/aes"
	"encoding/hex"
	"strings"

	"sallyport/storage"
	"sallyport/storage/seal"
)

// Purposes of the hashes of counters.
const (
	nameLabel    = "name"
	unknownLabel = "identifier"
	clientLabel  = "client secret"
)

// NameSubject returns the subject of the counter of a typed name.
func NameSubject(keyring *seal.Keyring, identifier string) []byte {
	return keyring.Hash(nameLabel, string(NameDigest(keyring, identifier)))
}

// NameSubjects returns the subjects of a name under every active hash key.
func NameSubjects(keyring *seal.Keyring, identifier string) [][]byte {
	return keyring.Hashes(nameLabel, string(NameDigest(keyring, identifier)))
}

// UnknownSubject returns the subject of the counter of a name without a user.
func UnknownSubject(keyring *seal.Keyring, identifier string) []byte {
	return keyring.Hash(unknownLabel, string(NameDigest(keyring, identifier)))
}

// NameKeys returns the counters of a name, of which it may have those of an unknown one, under
// every active hash key.
func NameKeys(keyring *seal.Keyring, identifier string) []storage.ThrottleKey {
	unknown := keyring.Hashes(unknownLabel, string(NameDigest(keyring, identifier)))
	return keys(append(NameSubjects(keyring, identifier), unknown...), Password, Passwordless)
}

// UserKeys returns the counters of a user and of the user's names under every active hash key.
// It omits those of known devices: they are not listed anywhere, and expire.
func UserKeys(keyring *seal.Keyring, a storage.Account) []storage.ThrottleKey {
	return keys(userSubjects(keyring, a), Password, Factor, Passwordless, Proof, Username)
}

// PasswordKeys are the UserKeys of the password alone.
func PasswordKeys(keyring *seal.Keyring, a storage.Account) []storage.ThrottleKey {
	return keys(userSubjects(keyring, a), Password)
}

func userSubjects(keyring *seal.Keyring, a storage.Account) [][]byte {
	subjects := keyring.Hashes("user", string(a.User.ID))
	for _, i := range a.Identifiers {
		subjects = append(subjects, NameSubjects(keyring, i.Value)...)
	}
	return subjects
}

func keys(subjects [][]byte, buckets ...string) []storage.ThrottleKey {
	var out []storage.ThrottleKey
	for _, subject := range subjects {
		for _, bucket := range buckets {
			out = append(out, storage.ThrottleKey{Bucket: bucket, Subject: subject})
		}
	}
	return out
}

// ClientSubject returns the subject of the counter of a client, "" for all unknown ones, in a
// network.
func ClientSubject(keyring *seal.Keyring, client storage.ClientID, network string) []byte {
	return keyring.Hash(clientLabel, string(client)+"\x00"+network)
}

// ClientKeys returns the counter of a client in a network under every active hash key.
func ClientKeys(keyring *seal.Keyring, client storage.ClientID, network string) []storage.ThrottleKey {
	return keys(keyring.Hashes(clientLabel, string(client)+"\x00"+network), ClientSecret)
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
