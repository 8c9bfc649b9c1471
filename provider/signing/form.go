package signing

import (
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"math/big"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sallyport/storage"
)

// Form is how a key set names and describes its keys.
type Form struct {
	KID func(storage.KeyID) string // kid of a key; nil: its ID
	// Detailed adds key_ops (RFC 7517 section 4.3) and a self-signed certificate of the key
	// (x5c, x5t#S256) to each key. The certificate proves nothing.
	Detailed bool
}

// published is a JWK Set (RFC 7517 section 5).
type published struct {
	Keys []any `json:"keys"`
}

func (f Form) kid(id storage.KeyID) string {
	if f.KID == nil {
		return string(id)
	}
	return f.KID(id)
}

// describe returns the public key as the key set contains it.
func (f Form) describe(key signingKey) (any, error) {
	jwk := jose.JSONWebKey{Key: key.public, KeyID: key.kid, Algorithm: string(key.alg), Use: "sig"}
	if !f.Detailed {
		return jwk, nil
	}
	certificate, err := selfSigned(key)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(certificate.Raw)
	jwk.Certificates, jwk.CertificateThumbprintSHA256 = []*x509.Certificate{certificate}, sum[:]
	text, err := json.Marshal(jwk)
	if err != nil {
		return nil, fmt.Errorf("write key: %w", err)
	}
	var members map[string]any
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, fmt.Errorf("write key: %w", err)
	}
	members["key_ops"] = []string{"verify"}
	return members, nil
}

// selfSigned returns the certificate of a key. It is the same on every server, and never
// expires (RFC 5280 section 4.1.2.5): the key set says how long a key is valid.
func selfSigned(key signingKey) (*x509.Certificate, error) {
	serial, _ := storage.Bytes(key.ID)
	about := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial[:]),
		Subject:      pkix.Name{CommonName: key.kid},
		NotBefore:    key.ActiveAt.UTC(),
		NotAfter:     time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
	// Without randomness, signatures are deterministic.
	der, err := x509.CreateCertificate(nil, about, about, key.public, key.Key)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}
