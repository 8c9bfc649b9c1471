package server

import (
	"context"
	"fmt"
	"slices"
	"time"

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
	trust, err := s.openTrust(c.Passkeys)
	if err != nil {
		return nil, err
	}
	s.Passkey, err = passkey.New(s.Store, s.Keyring, p.Random, passkey.Options{Product: c.Product, RPID: domain, Origins: c.PasskeyOrigins(),
		TTL: c.Lifetimes.Exchange, Enroll: c.Lifetimes.Enroll, Trust: trust, Attest: c.Passkeys.Attestation == "always"})
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

// openTrust reads the files that say which passkeys are keys in hardware, and registers them; nil:
// there are none.
func (s *Server) openTrust(c config.Passkeys) (*passkey.Trust, error) {
	if !c.Attests() {
		return nil, nil
	}
	t, err := passkey.OpenTrust(passkey.TrustFiles{Roots: c.AttestationRootsFile, Metadata: c.MetadataFile, MetadataRoot: c.MetadataRootFile}, s.Now)
	if err != nil {
		return nil, fmt.Errorf("passkeys: %w", err)
	}
	s.trust = t
	paths := slices.DeleteFunc([]string{c.AttestationRootsFile, c.MetadataFile, c.MetadataRootFile}, func(path string) bool { return path == "" })
	s.addFile("passkeys", "attestation", func(context.Context) error { return t.Load() }, paths...)
	return t, nil
}

// watchMetadata says every day that metadata are to be replaced.
func (s *Server) watchMetadata(ctx context.Context) error {
	warn := func() {
		if until := s.trust.Stale(); !until.IsZero() {
			s.Log.Warn("passkeys.metadata_file is overdue: its models do not count as keys in hardware after this day", "until", until.Format("2006-01-02"))
		}
	}
	warn()
	return every(ctx, 24*time.Hour, warn)
}
