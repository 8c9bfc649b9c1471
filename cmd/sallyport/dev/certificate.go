package dev

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"slices"
	"time"

	"sallyport/config"
)

const certificateLife = 90 * 24 * time.Hour

// certName is the file of the certificate in the data folder.
const certName = "tls.crt"

// certificate returns the files of the folder's certificate for localhost and this machine's
// addresses. It is kept, so that a browser that trusts it continues to, and replaced when it
// has expired or lacks an address.
func (f *folder) certificate(at place, now time.Time, random io.Reader) (config.TLS, error) {
	files := config.TLS{Cert: f.path(certName), Key: f.path("tls.key")}
	cert, err := tls.LoadX509KeyPair(files.Cert, files.Key)
	if err == nil && cert.Leaf.VerifyHostname(at.name) == nil && now.Before(cert.Leaf.NotAfter) {
		return files, nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return files, err
	}
	certPEM, keyPEM, err := NewCertificate(at.name, now, random)
	if err != nil {
		return files, fmt.Errorf("create: %w", err)
	}
	return files, errors.Join(os.WriteFile(files.Cert, certPEM, 0o600), os.WriteFile(files.Key, keyPEM, 0o600))
}

// authority returns the certificate, in DER, that a device has to trust: the root at the end of the
// folder's certificate. nil: there is none, as where the operator brought a certificate of their own.
func (f *folder) authority() []byte {
	rest, err := os.ReadFile(f.path(certName))
	if err != nil {
		return nil
	}
	var last *x509.Certificate
	for b, more := pem.Decode(rest); b != nil; b, more = pem.Decode(more) {
		if last, err = x509.ParseCertificate(b.Bytes); err != nil {
			return nil
		}
	}
	if last == nil || !last.IsCA || last.CheckSignatureFrom(last) != nil {
		return nil
	}
	return last.Raw
}

// NewCertificate returns a certificate for localhost, this machine's addresses and a further host,
// and its root: phones can be made to trust a root, but no certificate that signed itself. The key of the
// root is thrown away, so whoever gets hold of the files can imitate these hosts, and no others.
func NewCertificate(host string, now time.Time, random io.Reader) (certPEM, keyPEM []byte, err error) {
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), random)
	if err != nil {
		return nil, nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), random)
	if err != nil {
		return nil, nil, err
	}
	root := newTemplate("sallyport dev root", now, random)
	root.IsCA, root.MaxPathLenZero, root.KeyUsage = true, true, x509.KeyUsageCertSign
	leaf := newTemplate("sallyport dev", now, random)
	leaf.KeyUsage, leaf.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	leaf.DNSNames, leaf.IPAddresses = hosts(host)
	for _, c := range []struct {
		template *x509.Certificate
		public   *ecdsa.PublicKey
	}{{leaf, &key.PublicKey}, {root, &rootKey.PublicKey}} {
		der, err := x509.CreateCertificate(random, c.template, root, c.public, rootKey)
		if err != nil {
			return nil, nil, err
		}
		certPEM = append(certPEM, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	return certPEM, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), nil
}

func newTemplate(name string, now time.Time, random io.Reader) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber:          new(big.Int).SetBytes(generator{random}.bytes(16)),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.Add(certificateLife),
		BasicConstraintsValid: true,
	}
}

// hosts returns what a certificate is for.
func hosts(host string) (names []string, ips []net.IP) {
	ips = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	for _, a := range lanAddresses() {
		ips = append(ips, a.AsSlice())
	}
	names = []string{"localhost"}
	switch ip := net.ParseIP(host); {
	case ip == nil && host != "localhost":
		names = append(names, host)
	case ip != nil && !slices.ContainsFunc(ips, ip.Equal):
		ips = append(ips, ip)
	}
	return names, ips
}
