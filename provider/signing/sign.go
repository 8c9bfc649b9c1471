package signing

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// header returns the header of tokens of a type as go-jose writes it, in base64url and with the
// dot after it. It is the same in every token, so it is written once.
func (key *signingKey) header(typ string) (string, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: key.alg, Key: jose.JSONWebKey{Key: key.Key, KeyID: key.kid}},
		(&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
	if err != nil {
		return "", err
	}
	jws, err := signer.Sign(nil)
	if err != nil {
		return "", err
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		return "", err
	}
	header, _, _ := strings.Cut(text, ".")
	return header + ".", nil
}

// sign writes a token in the compact serialization (RFC 7515 section 7.1).
func (key *signingKey) sign(typ string, payload []byte, random io.Reader) (string, error) {
	header := key.headers[typ]
	text := make([]byte, 0, len(header)+base64.RawURLEncoding.EncodedLen(len(payload))+1+base64.RawURLEncoding.EncodedLen(key.signatureLen()))
	text = append(text, header...)
	text = base64.RawURLEncoding.AppendEncode(text, payload)
	signature, err := key.signature(text, random)
	if err != nil {
		return "", err
	}
	text = append(text, '.')
	return string(base64.RawURLEncoding.AppendEncode(text, signature)), nil
}

// signatureLen returns the length of a signature in bytes (RFC 7518 sections 3.3 to 3.5, RFC 8032 section 5.1.6).
func (key *signingKey) signatureLen() int {
	if public, ok := key.public.(*rsa.PublicKey); ok {
		return public.Size()
	}
	return 64
}

// signature signs a text (RFC 7518 sections 3.3 to 3.5, RFC 8037 section 3.1).
func (key *signingKey) signature(text []byte, random io.Reader) ([]byte, error) {
	digest := sha256.Sum256(text)
	switch key.alg {
	case jose.EdDSA:
		return key.Key.Sign(random, text, crypto.Hash(0))
	case jose.RS256:
		return key.Key.Sign(random, digest[:], crypto.SHA256)
	case jose.PS256:
		return key.Key.Sign(random, digest[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256})
	case jose.ES256:
		private, ok := key.Key.(*ecdsa.PrivateKey)
		if !ok {
			return nil, fmt.Errorf("%w: a %T does not sign ES256", errKey, key.Key)
		}
		r, s, err := ecdsa.Sign(random, private, digest[:])
		if err != nil {
			return nil, err
		}
		out := make([]byte, 64)
		r.FillBytes(out[:32])
		s.FillBytes(out[32:])
		return out, nil
	}
	return nil, fmt.Errorf("%w: algorithm %q", errKey, key.alg)
}
