package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"

	"sallyport/config"
	"sallyport/web"
)

// listen opens a listener, with TLS where there is a certificate. setting names its
// address in errors, "tls" or "admin_tls" its certificate; most bounds its connections, 0: nothing does.
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
	cert, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%stls: %w", strings.TrimSuffix(setting, "listen"), err), l.Close())
	}
	return tls.NewListener(l, TLSConfig(cert)), nil
}

// tlsConfig offers HTTP/2 by hand, because the listener is ours and not net/http's.
func TLSConfig(cert tls.Certificate) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
}
