package config

import (
	"fmt"
	"net/url"
	"strings"

	"sallyport/config/strict"
)

// ClientDocuments are clients that nobody registered: their client_id is the address of a document
// that describes them.
type ClientDocuments struct {
	// Whether applications that nobody registered can ask users for access: their `client_id` is the https
	// address of a [document](guides/clients-by-document.md) that describes them.
	Enabled bool `yaml:"enabled" env:"ENABLED"`
	// Hosts, with their port if it is not 443, whose documents are accepted. Empty: of any host, which
	// lets everybody who has a web page ask your users.
	Hosts []string `yaml:"hosts" env:"HOSTS"`
	// Scopes that these applications may request. Add those of your `resources`.
	Scopes []string `yaml:"scopes" env:"SCOPES"`
	// What their users prove: `OFF`, `ALWAYS`, `SMART` or `PHR`, as for [clients](desired-state.md#clients).
	MFA string `yaml:"mfa" env:"MFA"`
}

func (c Config) checkClientDocuments(r *strict.Reader) {
	d := c.ClientDocuments
	r.OneOf("client_documents.mfa", d.MFA, policies)
	for i, host := range d.Hosts {
		if u, err := url.Parse("https://" + host); err != nil || u.Host != host || host == "" || host != strings.ToLower(host) || u.Port() == "443" {
			r.Fault(fmt.Sprintf("client_documents.hosts[%d]", i), "must be a host in lower case such as editor.example.com or editor.example.com:8443")
		}
	}
	checkScopes(r, "client_documents.scopes", d.Scopes)
	for i, text := range c.Resources {
		if u, err := url.Parse(text); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || strings.Contains(text, "#") || len(text) > 2048 {
			r.Fault(fmt.Sprintf("resources[%d]", i), "must be an https address without user and fragment (RFC 8707 section 2)")
		}
	}
}
