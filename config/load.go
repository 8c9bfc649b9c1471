package config

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"
	"github.com/goccy/go-yaml"
)

// Prefix begins the name of every environment variable of ours.
const Prefix = "SALLYPORT_"

// Check looks for faults outside the settings themselves, in the files they name. It
// tells each with the path of its key.
type Check func(c Config, fault func(path, text string))

// Load reads the settings: defaults, then the file (path "" reads none), then the
// environment, given as os.Environ gives it. The error lists every fault, those that
// the checks find included.
func Load(path string, environ []string, checks ...Check) (Config, error) {
	var text []byte
	if path != "" {
		var err error
		if text, err = os.ReadFile(path); err != nil {
			return Config{}, fmt.Errorf("read settings: %w", err)
		}
	}
	return Parse(path, text, environ, checks...)
}

// Parse is Load for a text that is in memory; source names it in faults.
func Parse(source string, text []byte, environ []string, checks ...Check) (Config, error) {
	c := Default()
	r := decode(source, text, &c)
	r.environment(&c, environ)
	if len(r.faults) == 0 {
		c.check(r)
		for _, check := range checks {
			check(c, r.tell)
		}
	}
	return c, r.faults.err()
}

func (r *reader) environment(c *Config, environ []string) {
	values := map[string]string{}
	names := Variables()
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, Prefix) || foreign(name) {
			continue
		}
		if !slices.Contains(names, name) {
			r.faults = append(r.faults, Fault{Source: name, Text: "there is no such setting"})
			continue
		}
		values[name] = value
	}
	err := env.ParseWithOptions(c, env.Options{Prefix: Prefix, Environment: values})
	var all env.AggregateError
	if err != nil && !errors.As(err, &all) {
		all.Errors = []error{err}
	}
	for _, e := range all.Errors {
		r.faults = append(r.faults, Fault{Source: "environment", Text: e.Error()})
	}
}

// foreign reports whether a variable with our prefix is not a setting: the path of the
// file itself, what tests use, and what Kubernetes sets for a Service called sallyport.
func foreign(name string) bool {
	rest := strings.TrimPrefix(name, Prefix)
	return rest == "CONFIG" || strings.HasPrefix(rest, "TEST_") ||
		strings.HasPrefix(rest, "SERVICE_") || rest == "PORT" || strings.HasPrefix(rest, "PORT_")
}

// Variables returns the names of all environment variables that are settings.
func Variables() []string {
	var names []string
	var walk func(t reflect.Type, prefix string)
	walk = func(t reflect.Type, prefix string) {
		for i := range t.NumField() {
			field := t.Field(i)
			if inner := field.Tag.Get("envPrefix"); inner != "" {
				walk(field.Type, prefix+inner)
				continue
			}
			names = append(names, prefix+field.Tag.Get("env"))
		}
	}
	walk(reflect.TypeFor[Config](), Prefix)
	return names
}

// Secret is a text that neither prints nor logs itself.
type Secret string

// String hides the secret.
func (Secret) String() string { return "hidden" }

// GoString hides the secret.
func (Secret) GoString() string { return "hidden" }

// LogValue hides the secret.
func (Secret) LogValue() slog.Value { return slog.StringValue("hidden") }

// Reveal returns the text.
func (s Secret) Reveal() string { return string(s) }

// ReadDSN returns the data source name, from its file if it has one.
func (c Config) ReadDSN() (Secret, error) {
	if c.Database.DSNFile == "" {
		return Secret(c.Database.DSN), nil
	}
	text, err := os.ReadFile(c.Database.DSNFile)
	if err != nil {
		return "", fmt.Errorf("read database.dsn_file: %w", err)
	}
	dsn := strings.TrimSpace(string(text))
	if fault := dsnFault(dsn); fault != "" {
		return "", fmt.Errorf("database.dsn_file: its content %s", fault)
	}
	return Secret(dsn), nil
}

// Redacted returns the settings in force as YAML. There is nothing secret among them:
// secrets are in files, and a DSN with a password is refused. Should one be here all
// the same, because the settings were never validated, it is hidden.
func (c Config) Redacted() string {
	if dsnPassword(c.Database.DSN) {
		c.Database.DSN = Secret("").String()
	}
	text, err := yaml.Marshal(c)
	if err != nil {
		return "the settings cannot be shown: " + err.Error() + "\n"
	}
	return string(text)
}
