package config

import (
	"net"
	"net/url"
	"slices"
	"strings"

	"sallyport/config/strict"
)

// PasskeyDomain returns the RP ID of passkeys; "": the issuer has no domain, so there are none.
func (c Config) PasskeyDomain() string {
	host := issuerHost(c.Issuer)
	if c.Passkeys.RPID != "" || net.ParseIP(host) != nil {
		return c.Passkeys.RPID
	}
	return host
}

// PasskeyOrigins returns the origins whose pages may use passkeys, that of the issuer first.
func (c Config) PasskeyOrigins() []string {
	return append([]string{c.Issuer}, c.Passkeys.RelatedOrigins...)
}

func issuerHost(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

func (c Config) checkPasskeys(r *strict.Reader) {
	id, host := c.Passkeys.RPID, issuerHost(c.Issuer)
	if id != "" && id != host && !(strings.Contains(id, ".") && strings.HasSuffix(host, "."+id)) || net.ParseIP(id) != nil {
		r.Fault("passkeys.rp_id", "must be the host of the issuer, or a domain above it")
	}
	for i, origin := range c.Passkeys.RelatedOrigins {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != "https" || u.Host == "" || u.Host != strings.ToLower(u.Host) || origin != "https://"+u.Host || slices.Contains(c.Passkeys.RelatedOrigins[:i], origin) {
			r.Fault("passkeys.related_origins", "must name other origins once each, such as https://example.de")
			return
		}
	}
}
