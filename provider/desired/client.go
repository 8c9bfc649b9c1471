package desired

import (
	"fmt"
	"strings"
	"time"

	"sallyport/config/strict"
	"sallyport/provider/clients"
)

func (s *State) check(r *strict.Reader) {
	seen := map[string]bool{}
	for i := range s.Clients {
		c, path := &s.Clients[i], fmt.Sprintf("clients[%d]", i)
		if seen[c.ID] && c.ID != "" {
			r.Fault(path+".client_id", "another client has this client_id")
		}
		seen[c.ID] = true
		c.check(r, path)
	}
	names := map[string]string{}
	for i := range s.Users {
		s.Users[i].check(r, fmt.Sprintf("users[%d]", i), names)
	}
	s.checkAPIKeys(r)
}

// check adds the faults of the client's record, and of what the record does not contain.
func (c *Client) check(r *strict.Reader, path string) {
	for _, f := range clients.Faults(newClient(c)) {
		r.Fault(strings.TrimSuffix(path+"."+f.Field, "."), "%s", f.Text)
	}
	// Only its SHA-256 is stored, so a secret must be impossible to guess.
	if c.Secret != "" && len(c.Secret) < 32 {
		r.Fault(path+".client_secret", "must have 32 characters or more, made at random")
	}
	if c.Secret != "" && c.SecretSHA256 != "" && !c.Public {
		r.Fault(path, "a confidential client needs either client_secret or client_secret_sha256")
	}
	var grace time.Duration
	if c.RefreshGrace != nil {
		grace = *c.RefreshGrace
	}
	for key, d := range map[string]time.Duration{"refresh_grace": grace, "mfa_interval": c.MFAInterval, "mfa_remember": c.MFARemember, "access_token_ttl": c.AccessTokenTTL,
		"refresh_token_idle_ttl": c.RefreshIdleTTL, "refresh_token_ttl": c.RefreshTTL} {
		if d%time.Second != 0 {
			r.Fault(path+"."+key, "must be in whole seconds")
		}
	}
}
