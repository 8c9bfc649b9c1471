package clientkeys

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sallyport/storage"
)

// ErrNoEncryptionKey says that no key of a client is for encryption with its algorithm.
var ErrNoEncryptionKey = errors.New("no key of the client is for encryption with its algorithm")

// keyAlgorithms are the algorithms of JWE that encrypt or agree on the key of the content (RFC 7518
// section 4.1). RSA1_5 and RSA-OAEP with SHA-1 are left out, and so are those with a secret that both
// sides know: passwords, dir, AES alone.
var keyAlgorithms = [...]jose.KeyAlgorithm{jose.RSA_OAEP_256, jose.ECDH_ES, jose.ECDH_ES_A128KW, jose.ECDH_ES_A256KW}

// contentAlgorithms are those that encrypt the content (RFC 7518 section 5.1).
var contentAlgorithms = [...]jose.ContentEncryption{jose.A128CBC_HS256, jose.A128GCM, jose.A256GCM}

// EncryptionAlgorithms returns the values of alg for what is encrypted for clients.
func EncryptionAlgorithms() []string {
	var out []string
	for _, alg := range keyAlgorithms {
		out = append(out, string(alg))
	}
	return out
}

// ContentEncryptions returns the values of enc. The first is the default of OpenID Connect Dynamic
// Client Registration section 2.
func ContentEncryptions() []string {
	var out []string
	for _, enc := range contentAlgorithms {
		out = append(out, string(enc))
	}
	return out
}

// Encryption is how something is encrypted for a client.
type Encryption struct {
	Alg string // "": it is not encrypted
	Enc string // "": A128CBC-HS256
	// Issuer, if not "", is repeated in the header (RFC 7519 section 5.3).
	Issuer string
}

// Encrypt encrypts a payload for a client, in compact form (RFC 7516 section 7.1); nested says that the
// payload is a JWT (RFC 7519 section 5.2). It takes the first key of the client for the algorithm, one
// that is for encryption alone before others, and names it by its kid. A set at a jwks_uri is fetched
// again as by Verify. Nothing is compressed: the length would tell of the content (RFC 8725 section 3.6).
// The error is ErrNoKeys, ErrUnavailable or ErrNoEncryptionKey if it is of the client's keys.
func (r *Resolver) Encrypt(ctx context.Context, c *storage.Client, e Encryption, payload []byte, nested bool) (string, error) {
	if !Has(c) {
		return "", ErrNoKeys
	}
	keys, d, err := r.keys(ctx, c, forEncryption, time.Time{}, nil)
	if err != nil {
		return "", err
	}
	key, found := encryptionKey(keys, e.Alg)
	if !found && c.JWKSURI != "" && r.again(d) {
		if keys, _, err = r.keys(ctx, c, forEncryption, d.At, nil); err != nil {
			return "", err
		}
		key, found = encryptionKey(keys, e.Alg)
	}
	if !found {
		return "", ErrNoEncryptionKey
	}
	return encrypt(key, e, payload, nested)
}

func encrypt(key jose.JSONWebKey, e Encryption, payload []byte, nested bool) (string, error) {
	if e.Enc == "" {
		e.Enc = string(contentAlgorithms[0])
	}
	o := &jose.EncrypterOptions{}
	if nested {
		o = o.WithContentType("JWT")
	}
	if e.Issuer != "" {
		o = o.WithHeader("iss", e.Issuer)
	}
	encrypter, err := jose.NewEncrypter(jose.ContentEncryption(e.Enc),
		jose.Recipient{Algorithm: jose.KeyAlgorithm(e.Alg), Key: key.Key, KeyID: key.KeyID}, o)
	if err != nil {
		return "", fmt.Errorf("encrypt for key %q: %w", key.KeyID, err)
	}
	jwe, err := encrypter.Encrypt(payload)
	if err != nil {
		return "", fmt.Errorf("encrypt for key %q: %w", key.KeyID, err)
	}
	return jwe.CompactSerialize()
}

// encryptionKey returns the key of a set for an algorithm.
func encryptionKey(keys []jose.JSONWebKey, alg string) (jose.JSONWebKey, bool) {
	for _, use := range []string{forEncryption, ""} {
		for _, key := range keys {
			if key.Use == use && encrypts(key, alg) {
				return key, true
			}
		}
	}
	return jose.JSONWebKey{}, false
}

// encrypts reports whether a key is for an algorithm (RFC 7518 section 4.1).
func encrypts(key jose.JSONWebKey, alg string) bool {
	if key.Algorithm != "" && key.Algorithm != alg || !slices.Contains(keyAlgorithms[:], jose.KeyAlgorithm(alg)) {
		return false
	}
	switch public := key.Key.(type) {
	case *rsa.PublicKey:
		return alg == string(jose.RSA_OAEP_256) && wellSized(public)
	case *ecdsa.PublicKey:
		return alg != string(jose.RSA_OAEP_256) &&
			(public.Curve == elliptic.P256() || public.Curve == elliptic.P384() || public.Curve == elliptic.P521())
	}
	return false
}

// CanEncrypt reports whether a JWK Set has a key for an algorithm.
func CanEncrypt(set []byte, alg string) bool {
	keys, _, err := parse(set, forEncryption)
	if err != nil {
		return false
	}
	_, found := encryptionKey(keys, alg)
	return found
}

// CanVerify reports whether a JWK Set has a key for signatures.
func CanVerify(set []byte) bool {
	keys, _, err := parse(set, forSignatures)
	return err == nil && slices.ContainsFunc(keys, usable)
}
