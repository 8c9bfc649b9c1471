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

// certificate returns the files of the folder's certificate for localhost and this machine's
// addresses. It is kept, so that a browser that trusts it continues to, and replaced when it
// has expired or lacks an address.
func (f *folder) certificate(at place, now time.Time, random io.Reader) (config.TLS, error) {
	files := config.TLS{Cert: f.path("tls.crt"), Key: f.path("tls.key")}
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

// NewCertificate returns a self-signed certificate for localhost, this machine's addresses and a
// further host.
func NewCertificate(host string, now time.Time, random io.Reader) (certPEM, keyPEM []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), random)
	if err != nil {
		return nil, nil, err
	}
	ips := []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	for _, a := range lanAddresses() {
		ips = append(ips, a.AsSlice())
	}
	names := []string{"localhost"}
	switch ip := net.ParseIP(host); {
	case ip == nil && host != "localhost":
		names = append(names, host)
	case ip != nil && !slices.ContainsFunc(ips, ip.Equal):
		ips = append(ips, ip)
	}
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(generator{random}.bytes(16)),
		Subject:      pkix.Name{CommonName: "sallyport dev"},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(certificateLife),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:     names,
		IPAddresses:  ips,
	}
	der, err := x509.CreateCertificate(random, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	certPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	return certPEM, keyPEM, nil
}
