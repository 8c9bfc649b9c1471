package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"sallyport/config"
	"sallyport/input"
	"sallyport/web"
)

// Listen opens a listener, with TLS if there is a certificate. Errors name the setting of
// the address. most bounds the connections; 0: nothing does.
func Listen(setting, address string, most int, t config.TLS) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", setting, err)
	}
	if most > 0 {
		l = web.Bound(l, most)
	}
	if t.Cert == "" {
		return l, nil
	}
	cert, err := Certificate(t)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%stls: %w", strings.TrimSuffix(setting, "listen"), err), l.Close())
	}
	return tls.NewListener(l, TLSConfig(cert)), nil
}

// Certificate reads a certificate and its key.
func Certificate(t config.TLS) (tls.Certificate, error) {
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

// TLSConfig offers HTTP/2, which net/http adds only to listeners it opens.
func TLSConfig(cert tls.Certificate) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
}
