package mtls

// Settings are how clients present certificates. A nil *Settings says that they cannot.
type Settings struct {
	// URL is where the endpoints are reached with a certificate, "" for where they are without one.
	// It is an origin, without a trailing slash.
	URL string
	// Authorities issue the certificates of clients with tls_client_auth; nil: no client can use it.
	Authorities *Authorities
}

// Paths are those of the endpoints that are reached with a certificate, by their names in the metadata
// (RFC 8705 section 5).
func Paths() map[string]string {
	return map[string]string{"token_endpoint": "/token", "revocation_endpoint": "/revoke", "introspection_endpoint": "/introspect",
		"userinfo_endpoint": "/userinfo", "pushed_authorization_request_endpoint": "/par", "device_authorization_endpoint": "/device_authorization",
		"backchannel_authentication_endpoint": "/bc-authorize"}
}

// Bases returns what the addresses of these endpoints begin with: the issuer, and URL.
func (s *Settings) Bases(issuer string) []string {
	if s == nil || s.URL == "" || s.URL == issuer {
		return []string{issuer}
	}
	return []string{issuer, s.URL}
}

// Aliases returns mtls_endpoint_aliases; nil: the endpoints have no other addresses.
func (s *Settings) Aliases(issuer string) map[string]string {
	bases := s.Bases(issuer)
	if len(bases) < 2 {
		return nil
	}
	out := Paths()
	for name, path := range out {
		out[name] = bases[1] + path
	}
	return out
}

// Methods returns the methods of client authentication that are in force.
func (s *Settings) Methods() []string {
	switch {
	case s == nil:
		return nil
	case s.Authorities == nil:
		return []string{SelfSignedAuth}
	}
	return []string{TLSClientAuth, SelfSignedAuth}
}
