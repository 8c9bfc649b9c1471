package server

import (
	"fmt"

	"sallyport/config"
	"sallyport/mfa"
	"sallyport/mfa/passkey"
)

// passkeys returns the method for passkeys, if the issuer has a domain that they can belong to.
func (s *Server) passkeys(p Options) ([]mfa.Method, error) {
	c := p.Config
	domain := c.PasskeyDomain()
	if domain == "" {
		return nil, nil
	}
	var err error
	s.Passkey, err = passkey.New(s.Store, s.Keyring, p.Random, passkey.Options{Product: c.Product, RPID: domain, Origins: c.PasskeyOrigins(),
		TTL: c.Lifetimes.Exchange, Enroll: c.Lifetimes.Enroll})
	if err != nil {
		return nil, fmt.Errorf("set up passkeys: %w", err)
	}
	return []mfa.Method{s.Passkey}, nil
}

// passkeyOrigins returns the origins whose pages may use passkeys; nil: there are none.
func (s *Server) passkeyOrigins(c config.Config) []string {
	if s.Passkey == nil {
		return nil
	}
	return c.PasskeyOrigins()
}
