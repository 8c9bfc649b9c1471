package config

import (
	"fmt"
	"net"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"sallyport/config/strict"
	"sallyport/input"
)

// algorithms may sign tokens. HS* and none are not supported.
var algorithms = []string{"RS256", "PS256", "ES256", "EdDSA"}

// Algorithms returns the signing algorithms a setting may name.
func Algorithms() []string { return slices.Clone(algorithms) }

// levels are the acr values an alias may name.
var levels = []string{"aal1", "aal2", "phr", "phrh"}

// Validate returns every fault of the settings as strict.Faults, or nil.
func (c Config) Validate() error {
	r := strict.New()
	c.check(r)
	return r.Err()
}

func (c Config) check(r *strict.Reader) {
	c.bounds(r)
	c.checkIssuer(r)
	c.checkListeners(r)
	c.checkMTLS(r)
	c.checkTracing(r)
	c.checkDatabase(r)
	c.checkMail(r)
	c.checkHook(r)
	c.checkCodes(r)
	c.checkPasskeys(r)
	c.checkFetch(r)
	c.checkRegistration(r)
	if c.OutboxFile != "" && c.Environment == "live" {
		r.Fault("outbox_file", "is for environment: test only, because it holds codes in plaintext")
	}
	c.checkWords(r)
	c.checkClientDocuments(r)
	c.checkSupport(r)
	c.checkSignUp(r)
	if c.KeyFile == "" {
		r.Fault("key_file", "is required: the path of the file with the key-encryption keys")
	}
	// A new key is published a day before it signs.
	if after := c.Keys.RotateAfter; after > 0 && after < 48*time.Hour {
		r.Fault("keys.rotate_after", "must be 0 or at least 48h")
	}
	if after := c.Keys.RotateOwnAfter; after > 0 && after < 48*time.Hour {
		r.Fault("keys.rotate_own_after", "must be 0 or at least 48h")
	}
	l := c.Lifetimes
	// As long as messages are counted: whoever requests all that are allowed leaves the owner one
	// that is valid.
	if life := l.PasswordReset; life > 0 && life < time.Hour {
		r.Fault("lifetimes.password_reset", "must be 0 or at least 1h")
	}
	if l.RefreshIdle > l.RefreshMax {
		r.Fault("lifetimes.refresh_idle", "is longer than lifetimes.refresh_max")
	}
	if l.SessionIdle > l.SessionMax {
		r.Fault("lifetimes.session_idle", "is longer than lifetimes.session_max")
	}
}

// bounds compares every value that has min and max tags with them.
func (c Config) bounds(r *strict.Reader) {
	walk(reflect.ValueOf(c), "", "", func(s setting) {
		lowest, highest := s.tag.Get("min"), s.tag.Get("max")
		if lowest == "" {
			return
		}
		if n := amount(s.value); !(n >= limit(s.value, lowest) && n <= limit(s.value, highest)) { // NaN is not within bounds
			r.Fault(s.path, "must be from %s to %s", lowest, highest)
		}
	})
}

func amount(v reflect.Value) float64 {
	switch {
	case v.CanUint():
		return float64(v.Uint())
	case v.CanFloat():
		return v.Float()
	}
	return float64(v.Int())
}

// limit parses a bound as its field's type. Bounds are constants of this package: an
// invalid one is a programming error that every test run finds.
func limit(field reflect.Value, tag string) float64 {
	if field.Type() == reflect.TypeFor[time.Duration]() {
		d, err := time.ParseDuration(tag)
		if err != nil {
			panic("config: bound: " + err.Error())
		}
		return float64(d)
	}
	n, err := strconv.ParseFloat(tag, 64)
	if err != nil {
		panic("config: bound: " + err.Error())
	}
	return n
}

// checkIssuer: OpenID Connect Discovery section 3 requires https without query and
// fragment. Plain http is for a development server on loopback only. Cookies are set for
// the whole host, so an issuer has no path.
func (c Config) checkIssuer(r *strict.Reader) {
	const path = "issuer"
	u, err := url.Parse(c.Issuer)
	switch {
	case c.Issuer == "":
		r.Fault(path, "is required: the URL under which browsers and clients reach the server")
		return
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(c.Issuer, "#"):
		r.Fault(path, "must be a URL of scheme and host only, such as https://login.example.com")
		return
	case u.Path != "":
		r.Fault(path, "must have no path, not even a final slash")
	case u.Scheme != "https" && (u.Scheme != "http" || !input.Loopback(u.Hostname())):
		r.Fault(path, "must begin with https:// (http:// is for localhost only)")
	case u.Scheme == "http" && c.TLS != (TLS{}):
		r.Fault(path, "must begin with https:// because tls is set")
	case u.Host != strings.ToLower(u.Host):
		r.Fault(path, "must be in lower case")
	case strings.ContainsFunc(c.Issuer, func(x rune) bool { return x > '~' }):
		r.Fault(path, "must have an international host name in its ASCII form, such as https://xn--bcher-kva.example")
	}
}

func validAddress(address string) bool {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

func (c Config) checkWords(r *strict.Reader) {
	r.OneOf("environment", c.Environment, []string{"test", "live"})
	r.OneOf("log_level", c.LogLevel, []string{"debug", "info", "warn", "error"})
	// The product name is the issuer part of an otpauth label, which a colon ends.
	if c.Product == "" || len(c.Product) > 64 || strings.Contains(c.Product, ":") || !input.Shown(c.Product) {
		r.Fault("product", "must be 1 to 64 bytes without colon, and "+input.NameFault)
	}
	if len(c.SigningAlgs) == 0 {
		r.Fault("signing_algs", "must name at least one of %s", strings.Join(algorithms, ", "))
	}
	for i, alg := range c.SigningAlgs {
		path := fmt.Sprintf("signing_algs[%d]", i)
		r.OneOf(path, alg, algorithms)
		if slices.Contains(c.SigningAlgs[:i], alg) {
			r.Fault(path, "is named twice")
		}
	}
	for _, alias := range strict.SortedKeys(c.ACRAliases) {
		path := strict.Join("acr_aliases", alias)
		r.OneOf(path, c.ACRAliases[alias], levels)
		if alias == "" || strings.ContainsAny(alias, " \t\r\n\"\\") || slices.Contains(levels, alias) {
			r.Fault(path, "is not valid as an alias: it must have no spaces and not be one of %s", strings.Join(levels, ", "))
		}
	}
}
