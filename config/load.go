package config

import (
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"reflect"
	"strings"
	"unicode/utf8"

	"sallyport/config/strict"

	"github.com/caarlos0/env/v11"
	"github.com/goccy/go-yaml"
)

// Prefix begins the name of every environment variable that is a setting.
const Prefix = "SALLYPORT_"

// Check looks for faults outside the settings, in the files they name, and reports each
// with the path of its key.
type Check func(c Config, fault func(path, text string))

// Load reads the settings: defaults, then the file (path "" reads none), then the
// environment in the form of os.Environ. The error lists every fault, including those
// that the checks find.
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

// Parse is Load for a text in memory; source names it in faults.
func Parse(source string, text []byte, environ []string, checks ...Check) (Config, error) {
	c := Default()
	r := strict.Decode(source, text, &c)
	environment(r, &c, environ)
	if !r.Broken {
		r.BeginChecks()
		c.check(r)
		for _, check := range checks {
			check(c, r.Report)
		}
	}
	return c, r.Err()
}

// environment reads the variables, which take precedence over the file.
func environment(r *strict.Reader, c *Config, environ []string) {
	paths := Variables()
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, Prefix) || foreign(name) {
			continue
		}
		path, ok := paths[name]
		if !ok {
			r.Add(strict.Fault{Source: name, Text: "there is no such setting"})
			continue
		}
		if value == "" {
			continue
		}
		if !utf8.ValidString(value) {
			r.Add(strict.Fault{Source: name, Text: "is not UTF-8"})
			continue
		}
		r.SetBy(path, name)
		// One at a time, because the error names neither the variable nor the key. The
		// error quotes the value, so it is not reported.
		if err := env.ParseWithOptions(c, env.Options{Prefix: Prefix, Environment: map[string]string{name: value}}); err != nil {
			r.Fault(path, "%s", wanted(c, path))
		}
	}
}

// wanted returns what the variable of a key must look like.
func wanted(c *Config, path string) string {
	text := ""
	walk(reflect.ValueOf(*c), "", Prefix, func(s setting) {
		if s.path == path {
			text = "must be " + strict.Wants[strict.KindOf(s.value.Type())]
		}
	})
	return text
}

// foreign reports whether a variable with Prefix is not a setting: the path of the file,
// the variables of tests, and those that Kubernetes sets for a Service called sallyport.
func foreign(name string) bool {
	rest := strings.TrimPrefix(name, Prefix)
	return rest == "CONFIG" || strings.HasPrefix(rest, "TEST_") ||
		strings.HasPrefix(rest, "SERVICE_") || rest == "PORT" || strings.HasPrefix(rest, "PORT_")
}

// setting is one value of the settings with its path, its variable and its tags.
type setting struct {
	path, variable string
	value          reflect.Value
	tag            reflect.StructTag
}

// walk visits every setting in a Config.
func walk(v reflect.Value, path, prefix string, each func(setting)) {
	for i := range v.NumField() {
		field, tag := v.Field(i), v.Type().Field(i).Tag
		inner := strict.Join(path, tag.Get("yaml"))
		if field.Kind() == reflect.Struct {
			walk(field, inner, prefix+tag.Get("envPrefix"), each)
			continue
		}
		each(setting{inner, prefix + tag.Get("env"), field, tag})
	}
}

// Variables returns the environment variables that are settings, with their keys.
func Variables() map[string]string {
	names := map[string]string{}
	walk(reflect.ValueOf(Default()), "", Prefix, func(s setting) { names[s.variable] = s.path })
	return names
}

// Secret is a text that is hidden when it is printed or logged.
type Secret string

// String hides the secret.
func (Secret) String() string { return "hidden" }

// GoString hides the secret.
func (Secret) GoString() string { return "hidden" }

// LogValue hides the secret.
func (Secret) LogValue() slog.Value { return slog.StringValue("hidden") }

// Reveal returns the text.
func (s Secret) Reveal() string { return string(s) }

// Redacted returns the settings in effect as YAML. None of them is secret: secrets are in
// files, and a DSN with a password is refused. In settings that were not validated such
// a value is hidden.
func (c Config) Redacted() string {
	if dsnPassword(c.Database.DSN) {
		c.Database.DSN = Secret("").String()
	}
	for _, address := range []*string{&c.Tracing.Endpoint, &c.Hook.URL} {
		if u, err := url.Parse(*address); err != nil || u.User != nil {
			*address = Secret("").String()
		}
	}
	text, err := yaml.Marshal(c)
	if err != nil {
		return "the settings cannot be shown: " + err.Error() + "\n"
	}
	return string(text)
}
