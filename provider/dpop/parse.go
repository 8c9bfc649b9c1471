package dpop

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"

	"github.com/go-jose/go-jose/v4"

	"sallyport/provider/signing"
)

const (
	maxProof = 8 << 10
	maxID    = 256
	// A longer RSA key costs more to verify than it is worth; a shorter one can be broken.
	minRSA, maxRSA = 2048, 4096
)

// algorithms do not include RS256: FAPI 2.0 excludes PKCS #1 v1.5, and clients make a key for proofs
// alone.
var algorithms = []jose.SignatureAlgorithm{jose.ES256, jose.PS256, signing.Ed25519, jose.EdDSA}

// Algorithms returns the algorithms of proofs, as discovery lists them.
func Algorithms() []string {
	out := make([]string, len(algorithms))
	for i, a := range algorithms {
		out[i] = string(a)
	}
	return out
}

// claims are those of a proof (RFC 9449 section 4.2). Times may have fractions (RFC 7519 section 2).
type claims struct {
	ID        *string  `json:"jti"`
	Method    string   `json:"htm"`
	URL       string   `json:"htu"`
	Issued    *float64 `json:"iat"`
	NotBefore *float64 `json:"nbf"`
	Expires   *float64 `json:"exp"`
	TokenHash string   `json:"ath"`
	Nonce     string   `json:"nonce"`
}

// parse verifies a proof with the key in it, and returns the key's thumbprint and the claims, or
// what is wrong.
func parse(text string) (string, claims, string) {
	var c claims
	if len(text) > maxProof {
		return "", c, "the proof is too long"
	}
	jws, err := jose.ParseSignedCompact(text, algorithms)
	if err != nil {
		return "", c, "the proof is not a JWT signed with a supported algorithm and a public key in jwk"
	}
	header := jws.Signatures[0].Protected
	if typ, _ := header.ExtraHeaders[jose.HeaderType].(string); typ != "dpop+jwt" {
		return "", c, "typ is not dpop+jwt"
	}
	key := header.JSONWebKey
	if key == nil || !key.Valid() || !key.IsPublic() || !fits(header.Algorithm, key.Key) {
		return "", c, "jwk is not a public key for the algorithm"
	}
	if _, critical := header.ExtraHeaders["crit"]; critical {
		return "", c, "the proof has a critical header"
	}
	payload, ok := signing.Payload(jws, text, key.Key)
	if !ok {
		return "", c, "the signature does not verify"
	}
	if err := json.Unmarshal(payload, &c); err != nil {
		return "", c, "the claims are malformed"
	}
	sum, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return "", c, "jwk is not a public key for the algorithm"
	}
	return base64.RawURLEncoding.EncodeToString(sum), c, ""
}

// fits reports whether a key is of the type and size of an algorithm (RFC 7518 section 3.1).
func fits(algorithm string, key any) bool {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		return algorithm == string(jose.ES256) && k.Curve == elliptic.P256()
	case *rsa.PublicKey:
		return algorithm == string(jose.PS256) && k.N.BitLen() >= minRSA && k.N.BitLen() <= maxRSA
	case ed25519.PublicKey:
		return algorithm == string(jose.EdDSA) || algorithm == signing.Ed25519
	}
	return false
}
