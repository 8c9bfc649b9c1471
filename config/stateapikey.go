package config

import (
	"encoding/hex"
	"fmt"
	"time"
)

// APIKey is the key of a backend as it should be. What its settings may be only the
// rooms above know; here are the faults of a file.
type APIKey struct {
	Name     string   `yaml:"name"`
	Dialects []string `yaml:"dialects"`
	Verbs    []string `yaml:"verbs"`
	Project  string   `yaml:"project"`
	App      string   `yaml:"app"`
	// Disabled, left out: a key that is there stays as it is.
	Disabled *bool `yaml:"disabled"`
	// ExpiresAt in UTC; zero: never.
	ExpiresAt time.Time `yaml:"expires_at"`
	// Secret, or the hexadecimal SHA-256 sum of one. Left out: a key that is there keeps its own.
	Secret       string `yaml:"secret"`
	SecretSHA256 string `yaml:"secret_sha256"`
}

func (s *State) checkAPIKeys(r *reader) {
	names := map[string]bool{}
	for i := range s.APIKeys {
		k, path := &s.APIKeys[i], fmt.Sprintf("api_keys[%d]", i)
		if names[k.Name] && k.Name != "" {
			r.fault(path+".name", "another API key has this name")
		}
		names[k.Name] = true
		if b, err := hex.DecodeString(k.SecretSHA256); err != nil || len(b) != 32 && k.SecretSHA256 != "" {
			r.fault(path+".secret_sha256", "must be 64 hexadecimal digits")
		}
	}
}
