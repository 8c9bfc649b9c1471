package config

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/config/strict"
	"sallyport/config/strict/stricttest"
)

// good is the smallest file that starts a server.
const good = `issuer: https://login.example.com
key_file: /etc/sallyport/keys
trusted_proxies: [127.0.0.1]
database: {dsn_file: /etc/sallyport/dsn}
`

func TestEnvironmentOverridesFileOverridesDefaults(t *testing.T) {
	c, err := Parse("s.yaml", []byte(good+"product: Acme\nlifetimes:\n  code: 30s\nsigning_algs: [ES256, RS256]\n"), []string{
		"SALLYPORT_PRODUCT=Acme GmbH", "SALLYPORT_LIFETIMES_REQUEST=10m", "SALLYPORT_TRUSTED_PROXIES=10.0.0.0/8,::1",
		"SALLYPORT_ACR_ALIASES=urn:example:loa2=aal2", "SALLYPORT_ARGON2_MEMORY=65536",
		"PATH=/bin", "SALLYPORT_CONFIG=x", "SALLYPORT_TEST_POSTGRES=x", "SALLYPORT_PORT_80_TCP=tcp://10.0.0.1:80", "SALLYPORT_SERVICE_HOST=10.0.0.1",
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ what, got, want any }{
		{"from the environment over the file", c.Product, "Acme GmbH"},
		{"from the environment over the default", c.Lifetimes.Request, 10 * time.Minute},
		{"from the file over the default", c.Lifetimes.Code, 30 * time.Second},
		{"list from the file", strings.Join(c.SigningAlgs, " "), "ES256 RS256"},
		{"list from the environment", strings.Join(c.TrustedProxies, " "), "10.0.0.0/8 ::1"},
		{"table from the environment", c.ACRAliases["urn:example:loa2"], "aal2"},
		{"number from the environment", c.Argon2.Memory, uint32(65536)},
		{"default", c.Lifetimes.SessionMax, 12 * time.Hour},
	} {
		if tc.got != tc.want {
			t.Errorf("%s: got %v, want %v", tc.what, tc.got, tc.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		environ    []string
		want       []string // faults, in order
	}{
		{"an empty file lacks the three required settings", "", nil, []string{
			"database: either dsn", "issuer: is required", "key_file: is required"}},
		{"unknown keys at every level, with their lines", good + "isuer: x\nlifetimes:\n  codes: 1m\n", nil, []string{
			"s.yaml:5: there is no such key; did you mean issuer?", "s.yaml:7: lifetimes: there is no such key; did you mean code?"}},
		{"a key given twice", good + "product: a\nproduct: b\n", nil, []string{"s.yaml:6: not valid YAML"}},
		{"a second document", good + "---\n" + good, nil, []string{"more than one document"}},
		{"an alias", "issuer: &x https://a.example\nkey_file: *x\n", nil, []string{"database: either dsn", "s.yaml:1: issuer: anchors", "s.yaml:2: key_file: anchors"}},
		{"a value of the wrong shape", good + "totp_window: one\nlifetimes: 5m\ntls: [a]\nsigning_algs: RS256\nlegacy_response_types: yes please\n", nil, []string{
			"s.yaml:5: totp_window: must be a whole number", "s.yaml:6: lifetimes: must be a set", "s.yaml:7: tls: must be a set",
			"s.yaml:8: signing_algs: must be a list", "s.yaml:9: legacy_response_types: must be true or false"}},
		{"a duration without unit", good + "lifetimes: {code: 60}\n", nil, []string{"s.yaml:5: lifetimes.code: must be a duration"}},
		{"a number instead of text", good + "product: 7\n", nil, []string{"s.yaml:5: product: must be text"}},
		{"a key without value", good + "product:\n", nil, []string{"s.yaml:5: product: has no value"}},
		{"values beyond the bounds", good + `totp_window: 2
lifetimes: {request: 61m, code: 61s, access_token: 61m, exchange: 59s}
argon2: {memory: 19455, time: 1}
`, nil, []string{"s.yaml:5: totp_window: must be from 0 to 1", "s.yaml:6: lifetimes.access_token: must be from 1m to 1h",
			"s.yaml:6: lifetimes.code: must be from 10s to 60s", "s.yaml:6: lifetimes.exchange: must be from 60s to 600s",
			"s.yaml:6: lifetimes.request: must be from 1m to 60m", "s.yaml:7: argon2.memory: must be from 19456", "s.yaml:7: argon2.time: must be from 2"}},
		{"an idle lifetime longer than the maximum", good + "lifetimes: {session_idle: 2h, session_max: 1h, refresh_idle: 3h, refresh_max: 2h}\n", nil, []string{
			"lifetimes.refresh_idle: is longer", "lifetimes.session_idle: is longer"}},
		{"a link for a new password that ends before another is sent", good + "lifetimes: {password_reset: 30m}\n", nil, []string{
			"lifetimes.password_reset: must be 0 or at least 1h"}},
		{"words that are not in their lists", good + "environment: prod\nlog_level: loud\nsigning_algs: [HS256, RS256, RS256]\nacr_aliases: {gold: aal3}\nproduct: 'a:b'\n", nil, []string{
			"s.yaml:5: environment: must be one of test, live", "s.yaml:6: log_level", "s.yaml:7: signing_algs[0]: must be one of RS256",
			"s.yaml:7: signing_algs[2]: is named twice", "s.yaml:8: acr_aliases: must be one of aal1", "s.yaml:9: product"}},
		{"names that may not be shown", good + "product: \"a\\u202Eb\"\nmail: {host: a.example, from: \"=?utf-8?q?a=E2=80=AEb?= <a@b.example>\"}\n", nil, []string{
			"s.yaml:5: product: must be 1 to 64 bytes", "s.yaml:6: mail.from: must not have control"}},
		{"passkeys of another domain", good + "passkeys: {rp_id: example.org}\n", nil, []string{"s.yaml:5: passkeys.rp_id: must be the host of the issuer"}},
		{"passkeys of a public suffix", good + "passkeys: {rp_id: com}\n", nil, []string{"s.yaml:5: passkeys.rp_id: must be the host of the issuer"}},
		{"passkeys of an address", strings.Replace(good, "login.example.com", "10.0.0.1", 1) + "passkeys: {rp_id: 10.0.0.1}\n", nil, []string{"passkeys.rp_id: must be the host"}},
		{"related origins that are none", good + "passkeys: {related_origins: ['https://a.example/']}\n", nil, []string{"s.yaml:5: passkeys.related_origins: must name other origins"}},
		{"related origins without TLS", good + "passkeys: {related_origins: ['http://a.example']}\n", nil, []string{"passkeys.related_origins"}},
		{"a port alone", good + "listen: 8080\n", nil, []string{"s.yaml:5: listen: must be text"}},
		{"invalid listeners, proxies and certificates", strings.Replace(good, "127.0.0.1", "10.0.0.0/33", 1) + "listen: localhost\nadmin_listen: 127.0.0.1\ntls: {cert: a}\n", nil, []string{
			"s.yaml:3: trusted_proxies[0]", "s.yaml:5: listen", "s.yaml:6: admin_listen", "s.yaml:7: tls: needs both cert and key"}},
		{"the whole internet as a proxy", strings.Replace(good, "127.0.0.1", "'::/0'", 1), nil, []string{"s.yaml:3: trusted_proxies[0]: is the whole internet"}},
		{"neither a certificate nor a proxy", strings.Replace(good, "[127.0.0.1]", "[]", 1), nil, []string{"s.yaml:3: trusted_proxies: is required"}},
		{"the same address for both listeners", good + "listen: ':8080'\nadmin_listen: ':8080'\nadmin_plaintext: true\n", nil, []string{"admin_listen: must not be"}},
		{"a password in the settings", strings.Replace(good, "dsn_file: /etc/sallyport/dsn", "dsn: postgres://u:geheim@localhost/s", 1), nil, []string{
			"s.yaml:4: database.dsn: holds a password"}},
		{"a password in a parameter", strings.Replace(good, "dsn_file: /etc/sallyport/dsn", "dsn: postgres://localhost/s?user=u&password=geheim", 1), nil, []string{
			"database.dsn: holds a password"}},
		{"two databases", good + "", []string{"SALLYPORT_DATABASE_DSN=sqlite:a.db"}, []string{"database: dsn and dsn_file exclude"}},
		{"an unsupported database", strings.Replace(good, "dsn_file: /etc/sallyport/dsn", "dsn: mysql://db/s", 1), nil, []string{"database.dsn: must begin"}},
		{"an unknown variable", good, []string{"SALLYPORT_ISUER=x"}, []string{"SALLYPORT_ISUER: there is no such setting"}},
		{"variables of the wrong shape, named and not quoted", good, []string{"SALLYPORT_TOTP_WINDOW=geheim", "SALLYPORT_LIFETIMES_CODE=geheim", "SALLYPORT_ARGON2_THREADS=-1",
			"SALLYPORT_LEGACY_RESPONSE_TYPES=geheim", "SALLYPORT_ACR_ALIASES=geheim"}, []string{
			"SALLYPORT_ACR_ALIASES: acr_aliases: must be name=value pairs", "SALLYPORT_ARGON2_THREADS: argon2.threads: must be a whole number", "SALLYPORT_LEGACY_RESPONSE_TYPES: legacy_response_types: must be true or false",
			"SALLYPORT_LIFETIMES_CODE: lifetimes.code: must be a duration", "SALLYPORT_TOTP_WINDOW: totp_window: must be a whole number"}},
		{"a variable beyond the bounds, over a file within them", good + "totp_window: 1\n", []string{"SALLYPORT_TOTP_WINDOW=7"}, []string{"SALLYPORT_TOTP_WINDOW: totp_window: must be from 0 to 1"}},
		{"an empty variable is ignored", good, []string{"SALLYPORT_ISSUER=", "SALLYPORT_TOTP_WINDOW=", "SALLYPORT_PRODUCT=a:b"}, []string{"SALLYPORT_PRODUCT: product: "}},
		{"every kind of fault together", good + "isuer: x\ntotp_window: 2\nlisten: 8080\n", []string{"SALLYPORT_ISUER=x", "SALLYPORT_KEYS_ROTATE_AFTER=1h", "SALLYPORT_DRAIN_TIME=soon"}, []string{
			"SALLYPORT_ISUER: there is no such setting", "SALLYPORT_DRAIN_TIME: drain_time: must be a duration", "SALLYPORT_KEYS_ROTATE_AFTER: keys.rotate_after: must be 0 or",
			"s.yaml:5: there is no such key; did you mean issuer?", "s.yaml:6: totp_window: must be from", "s.yaml:7: listen: must be text"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Parse("s.yaml", []byte(tc.text), tc.environ)
			stricttest.Want(t, err, tc.want)
		})
	}
}

func TestIssuer(t *testing.T) {
	for issuer, want := range map[string]bool{
		"https://login.example.com":      true,
		"https://login.example.com:8443": true,
		"http://localhost:8080":          true,
		"http://127.0.0.1:8080":          true,
		"http://[::1]:8080":              true,
		"http://login.example.com":       false,
		"http://localhost.example.com":   false,
		"https://login.example.com/":     false,
		"https://login.example.com/auth": false,
		"https://Login.example.com":      false,
		"https://bücher.example":         false,
		"https://xn--bcher-kva.example":  true,
		"https://login.example.com?":     false,
		"https://login.example.com?a=b":  false,
		"https://login.example.com#":     false,
		"https://u@login.example.com":    false,
		"login.example.com":              false,
		"https://":                       false,
		"":                               false,
	} {
		c := Default()
		c.Issuer, c.KeyFile, c.Database.DSN, c.TrustedProxies = issuer, "k", "sqlite:a.db", []string{"::1"}
		if err := c.Validate(); (err == nil) != want {
			t.Errorf("Validate with issuer %q = %v, want accepted: %v", issuer, err, want)
		}
	}
}

func TestDSNIsHidden(t *testing.T) {
	file := filepath.Join(t.TempDir(), "dsn")
	if err := os.WriteFile(file, []byte("postgres://u:geheim@db/s?sslmode=verify-full\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := Default()
	c.Database.DSNFile = file
	dsn, err := c.ReadDSN()
	if err != nil {
		t.Fatal(err)
	}
	if want := "postgres://u:geheim@db/s?sslmode=verify-full"; dsn.Reveal() != want {
		t.Fatalf("dsn = %q, want %q", dsn.Reveal(), want)
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("start", "dsn", dsn)
	printed := fmt.Sprintf("%v %s %q %#v %+v", dsn, dsn, dsn, dsn, struct{ D Secret }{dsn}) + log.String()
	if strings.Contains(printed, "geheim") {
		t.Errorf("the secret is in %s", printed)
	}
	c.Database = Database{DSN: "postgres://u:geheim@db/s"}
	if text := c.Redacted(); strings.Contains(text, "geheim") || !strings.Contains(text, "lifetimes:") {
		t.Errorf("redacted settings = %s", text)
	}
}

func TestDefaultsAreWithinTheirBounds(t *testing.T) {
	c := Default()
	c.Issuer, c.KeyFile, c.Database.DSN, c.TrustedProxies = "https://login.example.com", "k", "sqlite:a.db", []string{"::1"}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}

func TestRedactedSettingsCanBeReadAgain(t *testing.T) {
	c, err := Parse("s.yaml", []byte(good), nil)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse("again.yaml", []byte(c.Redacted()), nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, c.Redacted())
	}
	if got, want := again.Redacted(), c.Redacted(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(good)
	f.Add(good + "lifetimes: {code: 30s}\nargon2:\n  memory: 65536\nacr_aliases: {gold: aal2}\n")
	f.Add("issuer: &a [*a]\n? x\n: y\n<<: {}\n---\n")
	f.Add("tls: {cert: |\n  x\n, key: >-\n  y\n}")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse("f.yaml", []byte(text), nil)
		if err == nil && c.Validate() != nil {
			t.Errorf("%q was accepted with faults: %v", text, c.Validate())
		}
		var faults strict.Faults
		if err != nil && !errors.As(err, &faults) {
			t.Errorf("%q: error is %T, want Faults", text, err)
		}
	})
}
