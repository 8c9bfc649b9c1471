package config

import (
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"sallyport/config/strict"
)

// MTLS is how clients present certificates: to a listener of the server, or to a proxy that passes them
// on. Empty: they cannot. See [client authentication](guides/client-authentication.md#certificates).
type MTLS struct {
	// Where clients reach the endpoints with a certificate, `https://` and host only: published as
	// `mtls_endpoint_aliases`. Required with `mtls.listen`; behind a proxy empty if it is the issuer.
	URL string `yaml:"url" env:"URL"`
	// Address and port of a listener that asks for certificates. It serves the endpoints for clients,
	// and no pages.
	Listen string `yaml:"listen" env:"LISTEN"`
	// Certificate chain of that listener, PEM.
	Cert string `yaml:"cert" env:"CERT"`
	// Its private key, PEM.
	Key string `yaml:"key" env:"KEY"`
	// Certificates of the authorities that issue those of clients with `tls_client_auth`, PEM. Without
	// it no client can use that method.
	ClientCAFile string `yaml:"client_ca_file" env:"CLIENT_CA_FILE"`
	// Header in which the `trusted_proxies` pass on the certificate of the client, instead of
	// `mtls.listen`. They must remove it from what they receive.
	ProxyHeader string `yaml:"proxy_header" env:"PROXY_HEADER"`
	// What is in it: `nginx` (`$ssl_client_escaped_cert`), `haproxy` (`ssl_c_der,base64`) or
	// `rfc9440` (`Client-Cert`).
	ProxyFormat string `yaml:"proxy_format" env:"PROXY_FORMAT"`
}

// Enabled reports whether clients can present certificates.
func (m MTLS) Enabled() bool { return m.Listen != "" || m.ProxyHeader != "" }

// certificateFormats are those of a certificate in a header of a proxy.
var certificateFormats = []string{"nginx", "haproxy", "rfc9440"}

func (c Config) checkMTLS(r *strict.Reader) {
	m := c.MTLS
	switch {
	case m == (MTLS{}):
		return
	case !m.Enabled():
		r.Fault("mtls", "needs listen, or proxy_header")
		return
	case m.Listen != "" && m.ProxyHeader != "":
		r.Fault("mtls.proxy_header", "and mtls.listen exclude each other: whoever reaches the listener could send the header")
	}
	if m.URL != "" && !plainOrigin(m.URL) {
		r.Fault("mtls.url", "must be https:// and a host in lower case only, such as https://mtls.login.example.com")
	}
	c.checkMTLSListener(r)
	switch {
	case m.ProxyHeader == "" && m.ProxyFormat != "":
		r.Fault("mtls.proxy_format", "needs mtls.proxy_header")
	case m.ProxyHeader == "":
	case !validHeader(m.ProxyHeader):
		r.Fault("mtls.proxy_header", "must be the name of a header that nothing else is in, such as X-SSL-Client-Cert")
	case !slices.Contains(certificateFormats, m.ProxyFormat):
		r.Fault("mtls.proxy_format", "must be one of %s", strings.Join(certificateFormats, ", "))
	case len(c.TrustedProxies) == 0:
		r.Fault("mtls.proxy_header", "needs trusted_proxies: nobody else may send it")
	}
}

func (c Config) checkMTLSListener(r *strict.Reader) {
	m := c.MTLS
	switch {
	case m.Listen == "" && m.Cert+m.Key != "":
		r.Fault("mtls", "cert and key need mtls.listen")
	case m.Listen == "":
	case !validAddress(m.Listen):
		r.Fault("mtls.listen", "must be an address and a port, such as 0.0.0.0:8443")
	case m.Listen == c.Listen || m.Listen == c.AdminListen:
		r.Fault("mtls.listen", "must not be the address of another listener")
	case m.Cert == "" || m.Key == "":
		r.Fault("mtls", "needs both cert and key")
	case m.URL == "" || m.URL == c.Issuer:
		r.Fault("mtls.url", "is required with mtls.listen, and is not the issuer: browsers would ask their users for a certificate")
	}
}

// plainOrigin reports whether a text is the origin of an https address.
func plainOrigin(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Scheme == "https" && u.Hostname() != "" && text == "https://"+u.Host && text == strings.ToLower(text)
}

// validHeader reports whether a text is the name of a header (RFC 9110 section 5.1) that has no other
// meaning here.
func validHeader(text string) bool {
	name := textproto.CanonicalMIMEHeaderKey(text)
	return text != "" && !strings.ContainsFunc(text, func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-'
	}) && !slices.Contains([]string{"X-Forwarded-For", "Authorization", "Dpop", "Cookie", "Host", "Origin", "Content-Type", "Content-Length", "User-Agent",
		"Accept", "Accept-Language", "Client-Cert-Chain"}, name)
}
