package server

import (
	"crypto/tls"
	"os"
	"strings"
	"sync/atomic"

	"sallyport/config"
	"sallyport/input"
)

// Certificate is the certificate of a listener, which can be read again.
type Certificate struct {
	setting string
	files   config.TLS
	current atomic.Pointer[tls.Certificate]
}

// LoadCertificate reads a certificate. setting is that of the listener's address.
func LoadCertificate(setting string, files config.TLS) (*Certificate, error) {
	c := &Certificate{setting: strings.TrimSuffix(setting, "listen") + "tls", files: files}
	return c, c.load()
}

// load reads the files; connections from then on get what is in them.
func (c *Certificate) load() error {
	cert, err := ReadCertificate(c.files)
	if err != nil {
		return err
	}
	c.current.Store(&cert)
	return nil
}

// ciphers are those of TLS 1.2 (RFC 9325 section 4.2, FAPI 2.0 Security Profile section 5.2.1); TLS 1.3
// has none that is not recommended.
var ciphers = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384}

// Config offers HTTP/2, which net/http adds only to listeners it opens.
func (c *Certificate) Config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, CipherSuites: ciphers, NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current.Load(), nil }}
}

// ReadCertificate reads a certificate and its key.
func ReadCertificate(t config.TLS) (tls.Certificate, error) {
	cert, err := os.ReadFile(t.Cert)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := os.ReadFile(t.Key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(input.WithoutMark(cert), input.WithoutMark(key))
}
