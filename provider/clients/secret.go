package clients

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"

	"sallyport/provider/clientkeys"
	"sallyport/provider/secret"
	"sallyport/storage"
)

// SecretJWT is the method of clients that sign assertions with their secret (OpenID Connect Core section
// 9). Theirs alone are stored so that the server can read them.
const SecretJWT = "client_secret_jwt"

// SigningSecrets returns the secrets that verify the client's assertions, the newest first; nil unless
// its method is client_secret_jwt. A server of an earlier version, which knows only the hashes, may have
// ended a rotation, so those decide.
func (c *Client) SigningSecrets() []storage.ClientSecret {
	if c.AuthMethod != SecretJWT {
		return nil
	}
	var out []storage.ClientSecret
	for _, s := range c.Secrets {
		if secret.Matches(c.SecretHashes, secret.Sum(string(s))) {
			out = append(out, s)
		}
	}
	return out
}

// AddSecret adds a secret to a client, as the newest.
func AddSecret(c *storage.Client, text string) {
	c.SecretHashes = slices.Concat([][]byte{secret.Sum(text)}, c.SecretHashes)
	if c.AuthMethod == SecretJWT {
		c.Secrets = slices.Concat([]storage.ClientSecret{storage.ClientSecret(text)}, c.Secrets)
	}
}

// TakeSecrets gives a client the secrets that it had before a change, or none if it needs none, and
// reports whether it can authenticate with them. One that signs with its secret cannot if only hashes were
// stored.
func TakeSecrets(c *storage.Client, had storage.Client) bool {
	c.SecretHashes, c.Secrets = had.SecretHashes, nil
	if New(*c).HasNoSecret() {
		c.SecretHashes = nil
		return true
	}
	if c.AuthMethod != SecretJWT {
		return len(c.SecretHashes) > 0
	}
	c.Secrets = New(had).SigningSecrets()
	return len(c.Secrets) > 0 && len(c.Secrets) == len(c.SecretHashes)
}

// checkSecrets checks what the client authenticates with, if that is a secret.
func (k *checker) checkSecrets() {
	k.fault(k.Public && len(k.SecretHashes) > 0, "", "a public client has no secret (RFC 6749 section 2.1)")
	k.fault(k.HasNoSecret() && !k.Public && len(k.SecretHashes) > 0, "", "a client with "+k.AuthMethod+" has no secret")
	k.fault(!k.HasNoSecret() && len(k.SecretHashes) == 0, "", "a confidential client needs either client_secret or client_secret_sha256")
	for _, h := range k.SecretHashes {
		k.fault(len(h) != sha256.Size, "client_secret_sha256", "must be 64 hexadecimal digits")
	}
	if k.AuthMethod != SecretJWT {
		return
	}
	known, least := k.SigningSecrets(), clientkeys.LeastSecret(k.AuthSigningAlg)
	k.fault(len(known) < len(k.SecretHashes), "client_secret", "is required with "+SecretJWT+": a hash verifies no signature")
	k.fault(slices.ContainsFunc(known, func(s storage.ClientSecret) bool { return len(s) < least }), "client_secret",
		fmt.Sprintf("must have %d characters or more with %s (RFC 7518 section 3.2)", least, cmp.Or(k.AuthSigningAlg, SecretJWT)))
}

// secretFaults returns what is wrong with the secrets of a client.
func secretFaults(c storage.Client) []Fault {
	k := &checker{Client: New(c)}
	k.checkSecrets()
	return k.faults
}
