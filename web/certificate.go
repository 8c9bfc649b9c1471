package web

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
)

// CertificateHeader is the header in which a proxy that ends TLS passes on the certificate of the
// client.
type CertificateHeader struct {
	Name   string // "": none
	Format string // nginx, haproxy or rfc9440
	// Paths refuse a header that cannot be read. Everywhere else it is none: browsers send what they
	// have where a proxy asks, and need no certificate for a page.
	Paths []string
}

// Formats of a certificate in a header.
const (
	formatNginx   = "nginx"   // PEM, percent-encoded: $ssl_client_escaped_cert
	formatHAProxy = "haproxy" // DER in base64: ssl_c_der,base64
	formatRFC9440 = "rfc9440" // a byte sequence, and the rest of the chain in Client-Cert-Chain
)

// chainHeader has the rest of the chain (RFC 9440 section 2.3).
const chainHeader = "Client-Cert-Chain"

// maxChain bounds the certificates of a chain.
const maxChain = 8

// certificates finds the certificates of the caller: those of the TLS connection, or those that a
// trusted proxy passes on. The header of anybody else is not looked at. A proxy that lets a header of
// the client through beside its own sends two; then neither is believed.
func (s *server) certificates(c *gin.Context) {
	k, r := callOf(c), c.Request
	switch sent := r.Header.Values(s.o.ClientCertificate.Name); {
	case r.TLS != nil && len(r.TLS.PeerCertificates) > 0:
		k.certificates = r.TLS.PeerCertificates
	case s.o.ClientCertificate.Name == "" || len(sent) == 0 || !s.byProxy(r):
	default:
		chain, err := s.o.ClientCertificate.read(sent, r.Header.Values(chainHeader))
		if err != nil && slices.Contains(s.o.ClientCertificate.Paths, r.URL.Path) {
			s.refuse(c, Fault{Status: http.StatusBadRequest, Code: CodeMalformedCertificate, Reason: err.Error()})
			return
		}
		k.certificates = chain
	}
	c.Next()
}

// byProxy reports whether a trusted proxy sends a request.
func (s *server) byProxy(r *http.Request) bool {
	at, ok := parseAddress(r.RemoteAddr)
	return ok && s.trusted(at)
}

var errCertificate = errors.New("the header with the certificate of the client is malformed")

// read returns the certificates in the header, that of the client first; none: it is empty.
func (h CertificateHeader) read(sent, others []string) ([]*x509.Certificate, error) {
	if len(sent) > 1 {
		return nil, errors.New("there is more than one header with the certificate of the client")
	}
	text := strings.TrimSpace(sent[0])
	if text == "" {
		return nil, nil
	}
	switch h.Format {
	case formatNginx:
		return fromPEM(text)
	case formatHAProxy:
		return fromBase64(text)
	}
	chain, err := fromSequences(text)
	if err != nil || len(chain) != 1 {
		return nil, errCertificate
	}
	if strings.TrimSpace(strings.Join(others, "")) == "" {
		return chain, nil
	}
	rest, err := fromSequences(strings.Join(others, ","))
	if err != nil {
		return nil, err
	}
	return append(chain, rest...), nil
}

func fromPEM(text string) ([]*x509.Certificate, error) {
	plain, err := url.PathUnescape(text)
	if err != nil {
		return nil, errCertificate
	}
	block, rest := pem.Decode([]byte(plain))
	if block == nil || block.Type != "CERTIFICATE" || strings.TrimSpace(string(rest)) != "" {
		return nil, errCertificate
	}
	return parsed(block.Bytes)
}

func fromBase64(text string) ([]*x509.Certificate, error) {
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, errCertificate
	}
	return parsed(der)
}

// fromSequences reads byte sequences (RFC 8941 section 3.3.5), as RFC 9440 section 2.1 has them.
func fromSequences(text string) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for item := range strings.SplitSeq(text, ",") {
		item = strings.Trim(item, " \t")
		if len(item) < 2 || item[0] != ':' || item[len(item)-1] != ':' || len(out) == maxChain {
			return nil, errCertificate
		}
		one, err := fromBase64(item[1 : len(item)-1])
		if err != nil {
			return nil, err
		}
		out = append(out, one...)
	}
	return out, nil
}

func parsed(der []byte) ([]*x509.Certificate, error) {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("%w: it is not a certificate", errCertificate)
	}
	return []*x509.Certificate{c}, nil
}
