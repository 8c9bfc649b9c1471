package signing

import (
	"crypto/ed25519"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// Ed25519 is the name of EdDSA with that curve alone (RFC 9864 section 2.2), which go-jose does not
// have.
const Ed25519 = "Ed25519"

// Payload returns the payload of a JWS that was parsed from a text in compact form, if a public key
// verifies it with the algorithm of its header. The caller has checked that the key is for it.
func Payload(jws *jose.JSONWebSignature, text string, public any) ([]byte, bool) {
	if jws.Signatures[0].Protected.Algorithm != Ed25519 {
		payload, err := jws.Verify(public)
		return payload, err == nil
	}
	if _, critical := jws.Signatures[0].Protected.ExtraHeaders["crit"]; critical {
		return nil, false // RFC 7515 section 4.1.11
	}
	key, ok := public.(ed25519.PublicKey)
	end := strings.LastIndexByte(text, '.')
	if !ok || end < 0 || !ed25519.Verify(key, []byte(text[:end]), jws.Signatures[0].Signature) {
		return nil, false
	}
	return jws.UnsafePayloadWithoutVerification(), true
}
