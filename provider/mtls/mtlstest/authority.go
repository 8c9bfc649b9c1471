// Package mtlstest makes certificates for tests.
package mtlstest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority issues certificates.
type Authority struct {
	*x509.Certificate
	t   testing.TB
	key crypto.Signer
}

// New returns an authority with a name, valid for a year from now.
func New(t testing.TB, name string, now time.Time) *Authority {
	t.Helper()
	c := SelfSigned(t, name, now, func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage, c.ExtKeyUsage = true, true, x509.KeyUsageCertSign, nil
	})
	return &Authority{c.Leaf, t, c.PrivateKey.(crypto.Signer)}
}

// Issue issues a certificate for clients, changed.
func (a *Authority) Issue(name string, now time.Time, changes ...func(*x509.Certificate)) tls.Certificate {
	a.t.Helper()
	return issue(a.t, a.Certificate, a.key, name, now, changes...)
}

// PEM returns the certificate of the authority.
func (a *Authority) PEM() []byte { return PEM(a.Certificate) }

// File writes the certificate of the authority to a file, and returns its path.
func (a *Authority) File() string {
	a.t.Helper()
	path := filepath.Join(a.t.TempDir(), "authorities.pem")
	if err := os.WriteFile(path, a.PEM(), 0o600); err != nil {
		a.t.Fatal(err)
	}
	return path
}

// SelfSigned returns a certificate that nobody issued, changed.
func SelfSigned(t testing.TB, name string, now time.Time, changes ...func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	return issue(t, nil, nil, name, now, changes...)
}

// PEM writes a certificate.
func PEM(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

// KeyPEM writes the key of a certificate.
func KeyPEM(t testing.TB, c tls.Certificate) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func issue(t testing.TB, by *x509.Certificate, with crypto.Signer, name string, now time.Time, changes ...func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(365 * 24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	for _, change := range changes {
		change(about)
	}
	if by == nil {
		by, with = about, key
	}
	der, err := x509.CreateCertificate(rand.Reader, about, by, key.Public(), with)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// Below returns an authority with the certificate of another's.
func Below(t testing.TB, c tls.Certificate) *Authority {
	t.Helper()
	return &Authority{c.Leaf, t, c.PrivateKey.(crypto.Signer)}
}

// Again returns another certificate of the same key, self-signed.
func (a *Authority) Again(name string, now time.Time) tls.Certificate {
	a.t.Helper()
	about := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, about, about, a.key.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: a.key, Leaf: leaf}
}
