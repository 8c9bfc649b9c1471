package config

import (
	"fmt"
	"os"
	"time"
)

// State is the desired state of clients, users and API keys, as docs/desired-state.md describes
// it. Keys of a client have the names of RFC 7591 where it has one.
type State struct {
	Clients []Client `yaml:"clients"`
	Users   []User   `yaml:"users"`
	APIKeys []APIKey `yaml:"api_keys"`
}

// Client is an OAuth client as it should be.
type Client struct {
	ID       string `yaml:"client_id"`
	Name     string `yaml:"client_name"`
	Disabled bool   `yaml:"disabled"`
	Public   bool   `yaml:"public"`
	Native   bool   `yaml:"native"`
	// AuthMethod is, when left out, none for public clients, else client_secret_basic.
	AuthMethod string `yaml:"token_endpoint_auth_method"`
	// Secret, or the hexadecimal SHA-256 sum of one; for confidential clients.
	Secret                 string   `yaml:"client_secret"`
	SecretSHA256           string   `yaml:"client_secret_sha256"`
	RedirectURIs           []string `yaml:"redirect_uris"`
	PostLogoutRedirectURIs []string `yaml:"post_logout_redirect_uris"`
	AllowedOrigins         []string `yaml:"allowed_origins"`
	GrantTypes             []string `yaml:"grant_types"`
	ResponseTypes          []string `yaml:"response_types"`
	Scopes                 []string `yaml:"scopes"`
	Audience               []string `yaml:"audience"`
	PKCEOptional           bool     `yaml:"pkce_optional"`
	Profile                string   `yaml:"profile"`

	MFA            string        `yaml:"mfa"`
	MFAInterval    time.Duration `yaml:"mfa_interval"`
	AllowedMethods []string      `yaml:"allowed_methods"`
	Passwordless   bool          `yaml:"passwordless"`
	HeadlessLogin  bool          `yaml:"headless_login"`
	ManagesFactors bool          `yaml:"manages_factors"`
	Consent        string        `yaml:"consent"`

	LoginURL  string `yaml:"login_url"`
	MFAURL    string `yaml:"mfa_url"`
	LogoURI   string `yaml:"logo_uri"`
	PolicyURI string `yaml:"policy_uri"`
	TosURI    string `yaml:"tos_uri"`
	ClientURI string `yaml:"client_uri"`

	IDTokenAlg        string         `yaml:"id_token_signed_response_alg"`
	AccessTokenFormat string         `yaml:"access_token_format"`
	AccessTokenTTL    time.Duration  `yaml:"access_token_ttl"`
	RefreshIdleTTL    time.Duration  `yaml:"refresh_token_idle_ttl"`
	RefreshTTL        time.Duration  `yaml:"refresh_token_ttl"`
	RefreshGrace      *time.Duration `yaml:"refresh_grace"`
	LogoutEndsOffline bool           `yaml:"logout_ends_offline"`
	LegacyTypes       []string       `yaml:"legacy_response_types"`
}

// User is a user as it should be. Of an existing one, what is left out here stays.
type User struct {
	ID            string         `yaml:"id"` // 8-4-4-4-12; left out: made
	Username      string         `yaml:"username"`
	Email         string         `yaml:"email"`
	EmailVerified bool           `yaml:"email_verified"`
	Phone         string         `yaml:"phone_number"`
	PhoneVerified bool           `yaml:"phone_number_verified"`
	Password      string         `yaml:"password"`
	PasswordHash  string         `yaml:"password_hash"` // argon2id or bcrypt, in its own text form
	TOTPSecret    string         `yaml:"totp_secret"`   // base32
	TOTPAlgorithm string         `yaml:"totp_algorithm"`
	TOTPDigits    int            `yaml:"totp_digits"`
	TOTPPeriod    time.Duration  `yaml:"totp_period"`
	RecoveryCodes []string       `yaml:"recovery_codes"`
	Roles         []string       `yaml:"roles"`
	Profile       map[string]any `yaml:"profile"`
	MFAEnabled    *bool          `yaml:"mfa_enabled"`
	Status        string         `yaml:"status"` // active, pending or disabled; left out: a new user is active
}

// StateCheck looks for faults that only a room above can know. It tells each with the
// path of its key; one where the path has a fault already is not told again.
type StateCheck func(s State, fault func(path, text string))

// LoadState reads a desired-state file. The error lists every fault with its line,
// those that the checks find included.
func LoadState(path string, checks ...StateCheck) (State, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return State{}, fmt.Errorf("read desired state: %w", err)
	}
	return ParseState(path, text, checks...)
}

// ParseState is LoadState for a text that is in memory; source names it in faults.
func ParseState(source string, text []byte, checks ...StateCheck) (State, error) {
	var s State
	r := decode(source, text, &s)
	s.defaults()
	s.check(r)
	for _, check := range checks {
		check(s, r.tell)
	}
	return s, r.faults.err()
}

// Validate fills in defaults and returns every fault of a state made in code.
func (s *State) Validate() error {
	r := &reader{lines: map[string]int{}}
	s.defaults()
	s.check(r)
	return r.faults.err()
}

// Users have no defaults: what a file leaves out is not touched.
func (s *State) defaults() {
	for i := range s.Clients {
		s.Clients[i].defaults()
	}
}

// defaults are those of RFC 7591 section 2, where a client says nothing.
func (c *Client) defaults() {
	if c.AuthMethod == "" {
		c.AuthMethod = "client_secret_basic"
		if c.Public {
			c.AuthMethod = "none"
		}
	}
	if len(c.GrantTypes) == 0 {
		c.GrantTypes = []string{"authorization_code"}
	}
	if len(c.ResponseTypes) == 0 && c.has("authorization_code") {
		c.ResponseTypes = []string{"code"}
	}
	if c.MFA == "" {
		c.MFA = "OFF"
	}
	if c.Consent == "" {
		c.Consent = "skip"
	}
}
