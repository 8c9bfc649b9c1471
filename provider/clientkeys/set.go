package clientkeys

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"

	"sallyport/provider/signing"
)

const (
	// MaxSet is the size of a key set in bytes, and maxKeys the number of keys in it.
	MaxSet  = 64 << 10
	maxKeys = 50
	// minRSA and maxRSA bound the modulus in bits (RFC 7518 section 3.3): a longer one would only
	// cost time.
	minRSA, maxRSA = 2048, 4096

	// Values of use (RFC 7517 section 4.2).
	forSignatures, forEncryption = "sig", "enc"
)

// Algorithms returns the algorithms that clients may sign with: those of the server's tokens, and
// EdDSA by its new name too (RFC 9864).
func Algorithms() []string { return append(signing.Algorithms(), signing.Ed25519) }

// AlgorithmsOf returns those that a client may sign with: the one it registered, if any. RS256 is
// excluded by the FAPI 2.0 Security Profile, section 5.4.1.
func AlgorithmsOf(registered string, fapi bool) []string {
	switch {
	case registered != "":
		return []string{registered}
	case fapi:
		return slices.DeleteFunc(Algorithms(), func(alg string) bool { return alg == string(jose.RS256) })
	}
	return Algorithms()
}

// CheckSet checks a JWK Set (RFC 7517 section 5) as a client registers it by value. It refuses a set
// with a private or symmetric key, and one without a key that can be used: for signatures, encryption, or
// also for certificates.
func CheckSet(text []byte, certificates bool) error {
	keys, hidden, err := parse(text, forSignatures)
	switch {
	case err != nil:
		return err
	case hidden:
		return errors.New("has a private or symmetric key; register public keys only")
	case certificates && len(keys) == 0:
		return errors.New("has no public key")
	case !certificates && !slices.ContainsFunc(keys, usable) &&
		!slices.ContainsFunc(EncryptionAlgorithms(), func(alg string) bool { return CanEncrypt(text, alg) }):
		return errors.New("has no key for RS256, PS256, ES256 or Ed25519, and none for encryption; RSA keys have 2048 to 4096 bits")
	}
	return nil
}

// parse returns the public keys of a set for a use, and those that are for any. Others are ignored, as
// are keys of a type that is unknown (RFC 7517 section 5); hidden reports whether one was not public.
func parse(text []byte, use string) (keys []jose.JSONWebKey, hidden bool, err error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if len(text) > MaxSet {
		return nil, false, fmt.Errorf("is longer than %d bytes", MaxSet)
	}
	if err := json.Unmarshal(text, &set); err != nil || set.Keys == nil {
		return nil, false, errors.New("is not a JWK Set (RFC 7517 section 5)")
	}
	if len(set.Keys) > maxKeys {
		return nil, false, fmt.Errorf("has more than %d keys", maxKeys)
	}
	for _, raw := range set.Keys {
		var secret struct {
			Type string          `json:"kty"`
			D    json.RawMessage `json:"d"`
			K    json.RawMessage `json:"k"`
			Ops  json.RawMessage `json:"key_ops"`
		}
		var key jose.JSONWebKey
		if json.Unmarshal(raw, &secret) == nil && (secret.Type == "oct" || secret.D != nil || secret.K != nil) {
			hidden = true
			continue
		}
		if json.Unmarshal(raw, &key) == nil && key.IsPublic() && (key.Use == "" || key.Use == use) && mayDo(use, secret.Ops) {
			keys = append(keys, key)
		}
	}
	return keys, hidden, nil
}

// mayDo reports whether key_ops, if a key has it, allows a use (RFC 7517 section 4.3): what is encrypted
// for a key that only verifies could not be read. Signatures are verified whatever it says: sets list
// "sign" for public keys, too.
func mayDo(use string, list json.RawMessage) bool {
	var operations []string
	if use != forEncryption || list == nil || json.Unmarshal(list, &operations) != nil {
		return true
	}
	return slices.ContainsFunc(operations, func(op string) bool {
		return slices.Contains([]string{"encrypt", "wrapKey", "deriveKey", "deriveBits"}, op)
	})
}

// usable reports whether a key can verify at least one algorithm.
func usable(key jose.JSONWebKey) bool {
	for _, alg := range Algorithms() {
		if fits(key, alg) {
			return true
		}
	}
	return false
}

// fits reports whether a key is for an algorithm (RFC 7518 section 3.1, RFC 8037 section 3.1).
func fits(key jose.JSONWebKey, alg string) bool {
	if key.Algorithm != "" && modern(key.Algorithm) != modern(alg) {
		return false
	}
	switch public := key.Key.(type) {
	case *rsa.PublicKey:
		return (alg == string(jose.RS256) || alg == string(jose.PS256)) && wellSized(public)
	case *ecdsa.PublicKey:
		return alg == string(jose.ES256) && public.Curve == elliptic.P256()
	case ed25519.PublicKey:
		return modern(alg) == signing.Ed25519
	}
	return false
}

func wellSized(key *rsa.PublicKey) bool {
	bits := key.N.BitLen()
	return bits >= minRSA && bits <= maxRSA
}

// modern returns the name of an algorithm, which for Ed25519 has two.
func modern(alg string) string {
	if alg == string(jose.EdDSA) {
		return signing.Ed25519
	}
	return alg
}
