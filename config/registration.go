package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"sallyport/config/strict"
)

// Registration is how programs register themselves as clients (RFC 7591). See
// [registration](guides/registration.md).
type Registration struct {
	// Who may register a client: `off`, `token`, whoever has an initial access token that `sallyport
	// registration-token create` made, or `open`, anybody.
	Mode string `yaml:"mode" env:"MODE"`
	// Scopes that such clients may request. Others are left out of their registration.
	Scopes []string `yaml:"scopes" env:"SCOPES"`
	// Resources that such clients may request (RFC 8707).
	Audience []string `yaml:"audience" env:"AUDIENCE"`
	// Their policy for second factors: `OFF`, `ALWAYS`, `SMART` or `PHR`.
	MFA string `yaml:"mfa" env:"MFA"`
	// Lets confidential ones have the grant `client_credentials`. Its tokens keep a client only if it
	// registered with an initial access token.
	ClientCredentials bool `yaml:"client_credentials" env:"CLIENT_CREDENTIALS"`
	// How long a client stays that has not got any tokens yet.
	Unused time.Duration `yaml:"unused" env:"UNUSED" min:"5m" max:"720h"`
	// How long a client stays that gets no more tokens.
	Idle time.Duration `yaml:"idle" env:"IDLE" min:"24h" max:"17520h"`
	// Clients that may be registered at the same time without having got tokens. Those that register with
	// an initial access token may be more.
	MaxUnused int `yaml:"max_unused" env:"MAX_UNUSED" min:"1" max:"100000"`
	// Issuers of software statements (RFC 7591 section 2.3) that are trusted, each with the address of
	// its keys, `https://`, or a file with them, a JWK Set. What a statement says of a client wins.
	StatementIssuers map[string]string `yaml:"statement_issuers" env:"STATEMENT_ISSUERS" envKeyValSeparator:"="`
}

// policies are those for second factors of clients that no operator made.
var policies = []string{"OFF", "ALWAYS", "SMART", "PHR"}

// checkScopes checks scopes that clients may request.
func checkScopes(r *strict.Reader, key string, scopes []string) {
	for i, s := range scopes {
		if s == "" || len(s) > 255 || strings.ContainsFunc(s, func(x rune) bool { return x <= ' ' || x > '~' || x == '"' || x == '\\' }) {
			r.Fault(fmt.Sprintf("%s[%d]", key, i), "is not a scope (RFC 6749 section 3.3)")
		}
	}
}

func (c Config) checkRegistration(r *strict.Reader) {
	g := c.Registration
	r.OneOf("registration.mode", g.Mode, []string{"off", "token", "open"})
	r.OneOf("registration.mfa", g.MFA, policies)
	if len(g.Scopes) == 0 {
		r.Fault("registration.scopes", "must name a scope")
	}
	checkScopes(r, "registration.scopes", g.Scopes)
	for _, name := range slices.Sorted(maps.Keys(g.StatementIssuers)) {
		from := g.StatementIssuers[name]
		if u, err := url.Parse(from); name == "" || from == "" || err != nil || u.Scheme != "" && u.Scheme != "https" {
			r.Fault("registration.statement_issuers", "%s needs an https address or a file of its keys", name)
		}
	}
}

// KeysOf returns the keys of a trusted issuer: a JWK Set, or the address of one.
func (g Registration) KeysOf(issuer string) (set json.RawMessage, uri string, err error) {
	from := g.StatementIssuers[issuer]
	if strings.HasPrefix(from, "https:") {
		return nil, from, nil
	}
	text, err := os.ReadFile(from)
	if err != nil {
		return nil, "", fmt.Errorf("registration.statement_issuers: %w", err)
	}
	return text, "", nil
}
