package desired

import (
	"encoding/hex"
	"fmt"
	"time"

	"sallyport/config/strict"
)

// APIKey is the key of a backend as it should be. A secret or its hash is needed for a
// key that is not there yet; one that a command or the admin API made keeps the secret
// it was given.
type APIKey struct {
	// Required. 1 to 100 characters. Another name is another key.
	Name string `yaml:"name"`
	// The APIs it opens: `admin`, `streambird`, `stytch`.
	Dialects []string `yaml:"dialects"`
	// What it may do there: `read`, `write` or both.
	Verbs []string `yaml:"verbs"`
	// With `stytch`: the project it is shown with, `project-live-` and a UUID, or
	// `project-test-` where the `environment` is `test`.
	Project string `yaml:"project"`
	// With `streambird`, if wanted: the name of the application.
	App string `yaml:"app"`
	// A disabled key opens nothing. Left out: a new key is not, and one that is there stays
	// as it is.
	Disabled *bool `yaml:"disabled"`
	// Moment with its zone (RFC 3339) from which on it opens nothing; left out: never.
	ExpiresAt time.Time `yaml:"expires_at"`
	// 32 to 255 characters, made at random: one that programs have already. Only its SHA-256
	// is kept. One that names the other environment (`sk_test_`, `secret-test-`,
	// `sallyport_test_` on a live server) is refused.
	Secret string `yaml:"secret"`
	// The same as 64 hexadecimal digits, so that the file holds no secret.
	SecretSHA256 string `yaml:"secret_sha256"`
}

func (s *State) checkAPIKeys(r *strict.Reader) {
	names := map[string]bool{}
	for i := range s.APIKeys {
		k, path := &s.APIKeys[i], fmt.Sprintf("api_keys[%d]", i)
		if names[k.Name] && k.Name != "" {
			r.Fault(path+".name", "another API key has this name")
		}
		names[k.Name] = true
		if b, err := hex.DecodeString(k.SecretSHA256); err != nil || len(b) != 32 && k.SecretSHA256 != "" {
			r.Fault(path+".secret_sha256", "must be 64 hexadecimal digits")
		}
	}
}
