package clientkeys

import (
	"fmt"

	"github.com/go-jose/go-jose/v4"

	"sallyport/storage"
)

// SecretAlgorithms returns the algorithms of assertions that clients sign with their secret (RFC 7518
// section 3.2). They are for nothing else: what is signed with a public key is never read with these,
// or the key would pass for a secret (RFC 8725 section 2.1).
func SecretAlgorithms() []string {
	return []string{string(jose.HS256), string(jose.HS384), string(jose.HS512)}
}

// LeastSecret returns how many bytes a secret has at least to sign with an algorithm: as many as the hash
// (RFC 7518 section 3.2). "" is any algorithm; the shortest hash decides.
func LeastSecret(alg string) int {
	switch jose.SignatureAlgorithm(alg) {
	case jose.HS384:
		return 48
	case jose.HS512:
		return 64
	}
	return 32
}

// VerifySecret verifies a JWS in compact form with one of the secrets of a client, by HMAC with an
// algorithm that the client registered; "": with any. The key is the secret as it is written (OpenID
// Connect Core section 9). A secret that is too short for the algorithm verifies nothing.
func VerifySecret(token string, secrets []storage.ClientSecret, alg string) (Signed, error) {
	var algs []jose.SignatureAlgorithm
	for _, name := range SecretAlgorithms() {
		if alg == "" || alg == name {
			algs = append(algs, jose.SignatureAlgorithm(name))
		}
	}
	jws, err := jose.ParseSignedCompact(token, algs)
	if err != nil {
		return Signed{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	header := jws.Signatures[0].Protected
	for _, s := range secrets {
		if len(s) < LeastSecret(header.Algorithm) {
			continue
		}
		if payload, err := jws.Verify([]byte(s)); err == nil {
			return signedOf(header, payload), nil
		}
	}
	return Signed{}, ErrSignature
}

// signedOf returns what a JWS with a verified signature says.
func signedOf(header jose.Header, payload []byte) Signed {
	typ, _ := header.ExtraHeaders[jose.HeaderType].(string)
	return Signed{Payload: payload, Type: typ, Alg: header.Algorithm, KeyID: header.KeyID}
}
