package mtls

import (
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"sallyport/provider/oauth"
)

// Methods of client authentication (RFC 8705 section 2).
const (
	TLSClientAuth  = "tls_client_auth"             // a certificate of an authority, by its name
	SelfSignedAuth = "self_signed_tls_client_auth" // a certificate that the client registered
)

// IsMethod reports whether a token_endpoint_auth_method is one with a certificate.
func IsMethod(method string) bool { return method == TLSClientAuth || method == SelfSignedAuth }

// minRSA is the least size of an RSA key in bits.
const minRSA = 2048

// Refusals of certificates.
var (
	ErrNone      = errors.New("there is no certificate")
	ErrTime      = errors.New("the certificate has expired or is not valid yet")
	ErrWeak      = errors.New("the RSA key of the certificate is too short")
	ErrAuthority = errors.New("no authority that issues certificates of clients issued it for them")
)

// Fit returns what is wrong with the first certificate of a chain at a time, whoever issued it; nil:
// nothing.
func Fit(chain []*x509.Certificate, now time.Time) error {
	if len(chain) == 0 {
		return ErrNone
	}
	c := chain[0]
	if now.Before(c.NotBefore) || now.After(c.NotAfter) {
		return ErrTime
	}
	if key, ok := c.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() < minRSA {
		return ErrWeak
	}
	return nil
}

// Reason returns the reason of a refusal for the log.
func Reason(err error) string {
	if errors.Is(err, ErrNone) {
		return oauth.NoCertificate
	}
	return oauth.InvalidCertificate
}

// Thumbprint returns the SHA-256 thumbprint of the first certificate of a chain in base64url, as in
// x5t#S256 (RFC 8705 section 3.1); "" without one.
func Thumbprint(chain []*x509.Certificate) string {
	if len(chain) == 0 {
		return ""
	}
	sum := sha256.Sum256(chain[0].Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Authorities issue the certificates of clients with tls_client_auth. Their file can be read again.
type Authorities struct {
	path    string
	current atomic.Pointer[x509.CertPool]
}

// ReadAuthorities reads a file of certificates in PEM.
func ReadAuthorities(path string) (*Authorities, error) {
	a := &Authorities{path: path}
	return a, a.Load()
}

// Load reads the file again. A failure keeps what was read before.
func (a *Authorities) Load() error {
	text, err := os.ReadFile(a.path)
	if err != nil {
		return err
	}
	pool, n := x509.NewCertPool(), 0
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return fmt.Errorf("%s: a block of type %q is not a certificate", a.path, block.Type)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return fmt.Errorf("%s: certificate %d: %w", a.path, n+1, err)
		}
		if !c.IsCA {
			return fmt.Errorf("%s: certificate %d is not of an authority", a.path, n+1)
		}
		pool.AddCert(c)
		n++
	}
	if n == 0 {
		return fmt.Errorf("%s: the file has no certificate", a.path)
	}
	a.current.Store(pool)
	return nil
}

// Verify verifies that one of the authorities issued the first certificate of a chain to a client. The
// others of the chain may lead to it.
func (a *Authorities) Verify(chain []*x509.Certificate, now time.Time) error {
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: a.current.Load(), Intermediates: between, CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAuthority, err)
	}
	return nil
}
