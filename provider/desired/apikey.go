package desired

import (
	"encoding/hex"
	"fmt"
	"time"

	"sallyport/config/strict"
)

// APIKey is the desired state of an API key. A new key needs `secret` or `secret_sha256`;
// without them an existing key keeps its secret.
type APIKey struct {
	// Required. 1 to 100 characters. The name identifies the key.
	Name string `yaml:"name"`
	// The APIs it may call: `admin`, `streambird`, `stytch`.
	Dialects []string `yaml:"dialects"`
	// What it may do there: `read`, `write` or both.
	Verbs []string `yaml:"verbs"`
	// With `stytch`: its project, `project-live-` and a UUID, or `project-test-` if the
	// `environment` is `test`.
	Project string `yaml:"project"`
	// With `streambird`: the name of the application, optional.
	App string `yaml:"app"`
	// Refuse the key. Default: a new key is enabled, an existing one does not change.
	Disabled *bool `yaml:"disabled"`
	// When it expires, with time zone (RFC 3339); default: never.
	ExpiresAt time.Time `yaml:"expires_at"`
	// 32 to 255 random characters, to import an existing key. Only its SHA-256 is stored. A
	// secret of the other environment (`sk_test_`, `secret-test-`,
	// `sallyport_test_` on a live server) is refused.
	Secret string `yaml:"secret"`
	// Its SHA-256 as 64 hexadecimal digits, so that the file holds no secret.
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
