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

// Listen opens a listener, with TLS if there is a certificate, which it also returns. Errors
// name the setting of the address. most bounds the connections; 0: nothing does.
func Listen(setting, address string, most int, t config.TLS) (net.Listener, *Certificate, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", setting, err)
	}
	if most > 0 {
		l = web.Bound(l, most)
	}
	if t.Cert == "" {
		return l, nil, nil
	}
	cert, err := LoadCertificate(setting, t)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%stls: %w", strings.TrimSuffix(setting, "listen"), err), l.Close())
	}
	return tls.NewListener(l, cert.Config()), cert, nil
}
