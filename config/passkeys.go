package config

import (
	"net"
	"net/url"
	"slices"
	"strings"

	"sallyport/config/strict"
)

// Passkeys are where passkeys can be used.
type Passkeys struct {
	// Domain that new passkeys belong to (RP ID): the host of the issuer, or a domain above it. Empty:
	// the host of the issuer. Passkeys of another domain are not asked for any more, so it has
	// to stay as it is. Without a domain (an issuer with an IP address) there are no passkeys.
	RPID string `yaml:"rp_id" env:"RP_ID"`
	// Other origins whose pages may use the passkeys of this server, such as
	// `https://example.de`; browsers read them at `/.well-known/webauthn` of the RP ID.
	RelatedOrigins []string `yaml:"related_origins" env:"RELATED_ORIGINS"`
	// Whether a user who signs in with a password is offered a passkey afterwards, in a browser that
	// can keep one. Who declines is not asked again. Clients may decide with `passkey_offer`.
	Offer bool `yaml:"offer" env:"OFFER"`
	// PEM file with the certificates of makers whose authenticators count as [keys in
	// hardware](guides/passkeys.md#keys-in-hardware), the level `phrh`. Read again when it changes.
	AttestationRootsFile string `yaml:"attestation_roots_file" env:"ATTESTATION_ROOTS_FILE"`
	// File of the FIDO Metadata Service, `blob.jwt`, whose models count as keys in hardware as long as it says
	// so. Read again when it changes.
	MetadataFile string `yaml:"metadata_file" env:"METADATA_FILE"`
	// PEM file with the certificate below which `metadata_file` is signed. Empty: that of the FIDO Alliance.
	MetadataRootFile string `yaml:"metadata_root_file" env:"METADATA_ROOT_FILE"`
	// When a new passkey is asked for an attestation, of which browsers warn: `demanded`, where a login
	// demands `phrh`, or `always`.
	Attestation string `yaml:"attestation" env:"ATTESTATION"`
}

// Attests reports whether some passkeys count as keys in hardware.
func (p Passkeys) Attests() bool { return p.AttestationRootsFile != "" || p.MetadataFile != "" }

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
	if p := c.Passkeys; p.Attestation != "demanded" && p.Attestation != "always" {
		r.Fault("passkeys.attestation", "must be demanded or always")
	}
	if p := c.Passkeys; p.Attestation == "always" && !p.Attests() {
		r.Fault("passkeys.attestation", "needs passkeys.attestation_roots_file or passkeys.metadata_file")
	}
	if p := c.Passkeys; p.MetadataRootFile != "" && p.MetadataFile == "" {
		r.Fault("passkeys.metadata_root_file", "needs passkeys.metadata_file")
	}
	for i, origin := range c.Passkeys.RelatedOrigins {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != "https" || u.Host == "" || u.Host != strings.ToLower(u.Host) || origin != "https://"+u.Host || slices.Contains(c.Passkeys.RelatedOrigins[:i], origin) {
			r.Fault("passkeys.related_origins", "must name other origins once each, such as https://example.de")
			return
		}
	}
}
