package token

import (
	"errors"
	"time"

	"sallyport/provider/clientkeys"
	"sallyport/provider/signing"
	"sallyport/storage/seal"
)

// Codec writes and reads the tokens of a server.
type Codec struct {
	issuer      string
	environment string
	alg         string // for clients that registered none
	keyring     *seal.Keyring
	keys        *signing.Keys
	clientKeys  *clientkeys.Resolver // encrypts for clients
	now         func() time.Time
}

// NewCodec returns the Codec of an issuer. Opaque tokens are valid in its environment only.
func NewCodec(issuer, environment, alg string, keyring *seal.Keyring, keys *signing.Keys, clientKeys *clientkeys.Resolver, now func() time.Time) *Codec {
	return &Codec{issuer: issuer, environment: environment, alg: alg, keyring: keyring, keys: keys, clientKeys: clientKeys, now: now}
}

// maxLength bounds the tokens that are read.
const maxLength = 8192

// ErrInvalid says that a token was not issued by this server, or has expired.
var ErrInvalid = errors.New("token: invalid")
