package adminclient

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"

	"sallyport/config"
	"sallyport/input"
)

// trusting returns TLS that trusts the certificates of a file and, if system, of the system.
func trusting(file string, system bool) (*tls.Config, []*x509.Certificate, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, err
	}
	var chain []*x509.Certificate
	for block, rest := pem.Decode(input.WithoutMark(text)); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", file, err)
		}
		chain = append(chain, c)
	}
	if len(chain) == 0 {
		return nil, nil, fmt.Errorf("%s holds no certificate", file)
	}
	pool := x509.NewCertPool()
	if system {
		if found, err := x509.SystemCertPool(); err == nil {
			pool = found
		}
	}
	for _, c := range chain {
		pool.AddCert(c)
	}
	return secureTo("", pool), chain, nil
}

// secureTo returns TLS to a server of this name, with the protocol that prover speaks.
func secureTo(name string, roots *x509.CertPool) *tls.Config {
	return &tls.Config{ServerName: name, RootCAs: roots, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
}

// trustOwn returns TLS that recognises the admin listener by the certificate of the settings,
// at whatever address it is reached; nil without a certificate.
func trustOwn(c config.Config) (*tls.Config, error) {
	if c.AdminTLS.Cert == "" {
		return nil, nil
	}
	trust, chain, err := trusting(c.AdminTLS.Cert, true)
	if err != nil {
		return nil, fmt.Errorf("admin_tls.cert: %w", err)
	}
	switch leaf := chain[0]; {
	case len(leaf.DNSNames) > 0:
		trust.ServerName = strings.Replace(leaf.DNSNames[0], "*.", "any.", 1)
	case len(leaf.IPAddresses) > 0:
		trust.ServerName = leaf.IPAddresses[0].String()
	default:
		return nil, errors.New("admin_tls.cert: the certificate names no host")
	}
	return trust, nil
}
