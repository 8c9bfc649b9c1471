package config

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"os"

	"sallyport/config/strict"
)

// Fetch is what the server fetches from addresses that clients registered, such as their `jwks_uri`:
// over https, from the internet only, without following redirects.
type Fetch struct {
	// Networks, such as `10.1.0.0/16`, that are not on the internet and may be fetched from. Whoever
	// registers clients can then make the server call any https address in them.
	AllowedNetworks []string `yaml:"allowed_networks" env:"ALLOWED_NETWORKS"`
	// Certificates that are trusted besides those that the system trusts, PEM.
	CAFile string `yaml:"ca_file" env:"CA_FILE"`
}

// Networks returns AllowedNetworks, parsed.
func (f Fetch) Networks() []netip.Prefix {
	var out []netip.Prefix
	for _, text := range f.AllowedNetworks {
		if p, err := netip.ParsePrefix(text); err == nil {
			out = append(out, p.Masked())
		}
	}
	return out
}

// Roots returns the trusted certificates; nil: those that the system trusts.
func (f Fetch) Roots() (*x509.CertPool, error) {
	if f.CAFile == "" {
		return nil, nil
	}
	text, err := os.ReadFile(f.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read fetch.ca_file: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, errors.New("fetch.ca_file: the file has no certificate")
	}
	return pool, nil
}

func (c Config) checkFetch(r *strict.Reader) {
	for i, text := range c.Fetch.AllowedNetworks {
		if _, err := netip.ParsePrefix(text); err != nil {
			r.Fault(fmt.Sprintf("fetch.allowed_networks[%d]", i), "must be a network such as 10.1.0.0/16")
		}
	}
}
