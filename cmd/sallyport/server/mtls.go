package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"

	"sallyport/config"
	"sallyport/provider/mtls"
	"sallyport/web"
)

// mutualTLS reads how clients present certificates; nil: they cannot.
func (s *Server) mutualTLS(c config.MTLS) (*mtls.Settings, error) {
	if !c.Enabled() {
		return nil, nil
	}
	out := &mtls.Settings{URL: c.URL}
	if c.ClientCAFile == "" {
		return out, nil
	}
	authorities, err := mtls.ReadAuthorities(c.ClientCAFile)
	if err != nil {
		return nil, fmt.Errorf("mtls.client_ca_file: %w", err)
	}
	s.addFile("mtls.client_ca_file", "certificate", func(context.Context) error { return authorities.Load() }, c.ClientCAFile)
	out.Authorities = authorities
	return out, nil
}

// certificateHeader is where a proxy passes on certificates.
func certificateHeader(c config.MTLS) web.CertificateHeader {
	return web.CertificateHeader{Name: c.ProxyHeader, Format: c.ProxyFormat, Paths: slices.Collect(maps.Values(mtls.Paths()))}
}

// ListenMTLS opens the listener that asks clients for certificates; nil: there is none. It takes any,
// of any authority or of none, and names no authorities, so that clients send what they have:
// who may use which is not decided by the connection.
func ListenMTLS(c config.Config) (net.Listener, *Certificate, error) {
	if c.MTLS.Listen == "" {
		return nil, nil, nil
	}
	l, err := net.Listen("tcp", c.MTLS.Listen)
	if err != nil {
		return nil, nil, fmt.Errorf("mtls.listen: %w", err)
	}
	cert := &Certificate{setting: "mtls", files: config.TLS{Cert: c.MTLS.Cert, Key: c.MTLS.Key}}
	if err := cert.load(); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("mtls: %w", err), l.Close())
	}
	settings := cert.Config()
	settings.ClientAuth = tls.RequestClientCert
	return tls.NewListener(web.Bound(l, c.MaxConnections), settings), cert, nil
}

// ForCertificates is the handler of that listener: the endpoints for clients, and no pages. Their
// connections end here, so no proxy writes X-Forwarded-For: what is in it is the caller's word.
func (s *Server) ForCertificates() http.Handler {
	served := map[string]bool{}
	for _, path := range mtls.Paths() {
		served[path] = true
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !served[r.URL.Path] {
			http.NotFound(w, r)
			return
		}
		r.Header.Del("X-Forwarded-For")
		s.Handler.ServeHTTP(w, r)
	})
}
