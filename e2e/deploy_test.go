package e2e

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"sallyport/config"
	"sallyport/storage/seal"
)

// TestDeploymentFiles checks the container and unit files for rules that a container
// engine or a service manager does not enforce. The tests have neither.
func TestDeploymentFiles(t *testing.T) {
	for _, f := range shippingFaults(t, "..") {
		t.Error(f)
	}
}

func shippingFaults(t *testing.T, root string) []string {
	t.Helper()
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	out := dockerfileFaults(read("deploy/Dockerfile"))
	out = append(out, composeFaults(root, []byte(read("docker-compose.yml")))...)
	for _, unit := range []string{"deploy/sallyport.service", "deploy/sallyport-migrate.service"} {
		for _, f := range unitFaults(read(unit)) {
			out = append(out, unit+": "+f)
		}
	}
	slices.Sort(out)
	return out
}

// pinned matches an image with an exact version or a digest.
var pinned = regexp.MustCompile(`^[a-z0-9./-]+(:[0-9]+\.[0-9]+[a-z0-9.-]*|@sha256:[0-9a-f]{64})$`)

func dockerfileFaults(text string) []string {
	var out []string
	fault := func(format string, args ...any) { out = append(out, "Dockerfile: "+fmt.Sprintf(format, args...)) }
	last := map[string]string{} // of the last build stage
	stages := map[string]bool{"scratch": true}
	text = strings.ReplaceAll(regexp.MustCompile(`(?m)^\s*#.*\n`).ReplaceAllString(text, ""), "\\\n", " ")
	for line := range strings.Lines(text) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "FROM":
			words := strings.Fields(rest)
			if !stages[words[0]] && !pinned.MatchString(words[0]) {
				fault("%s is not pinned", words[0])
			}
			if len(words) == 3 {
				stages[words[2]] = true
			}
			last = map[string]string{"FROM": words[0]}
			continue
		case "ADD":
			fault("ADD takes anything from anywhere; COPY does not")
		case "ENV", "ARG":
			if secretName.MatchString(rest) {
				fault("a secret in %s stays in the image: %s", word, rest)
			}
		}
		last[word] += rest
	}
	if last["FROM"] != "scratch" {
		fault("the last stage is from %s", last["FROM"])
	}
	if user, _, _ := strings.Cut(last["USER"], ":"); user == "" || user == "0" || user == "root" {
		fault("runs as root")
	}
	for word, want := range map[string]string{"HEALTHCHECK": `CMD ["/sallyport", "health"]`, "ENTRYPOINT": `["/sallyport"]`, "LABEL": "org.opencontainers.image.revision="} {
		if !strings.Contains(last[word], want) {
			fault("no %s with %s", word, want)
		}
	}
	return out
}

// secretName matches variables that hold a secret, not its file.
var secretName = regexp.MustCompile(`(?i)(password|secret|token|dsn|_key)(=|$)`)

// composeFile has the checked parts of a compose file.
type composeFile struct {
	Services map[string]composeService `yaml:"services"`
	Secrets  map[string]struct {
		File string `yaml:"file"`
	} `yaml:"secrets"`
	Networks map[string]struct {
		Internal bool `yaml:"internal"`
	} `yaml:"networks"`
	Volumes map[string]any `yaml:"volumes"`
}

type composeService struct {
	Image       string            `yaml:"image"`
	Build       map[string]string `yaml:"build"`
	User        string            `yaml:"user"`
	ReadOnly    bool              `yaml:"read_only"`
	Privileged  bool              `yaml:"privileged"`
	CapDrop     []string          `yaml:"cap_drop"`
	SecurityOpt []string          `yaml:"security_opt"`
	Environment map[string]string `yaml:"environment"`
	Secrets     []string          `yaml:"secrets"`
	Networks    []string          `yaml:"networks"`
	Ports       []string          `yaml:"ports"`
	Healthcheck struct {
		Test    []string `yaml:"test"`
		Disable bool     `yaml:"disable"`
	} `yaml:"healthcheck"`
	DependsOn map[string]struct {
		Condition string `yaml:"condition"`
	} `yaml:"depends_on"`
}

func composeFaults(root string, text []byte) []string {
	var out []string
	fault := func(format string, args ...any) {
		out = append(out, "docker-compose.yml: "+fmt.Sprintf(format, args...))
	}
	var c composeFile
	if err := yaml.Unmarshal(text, &c); err != nil {
		fault("%v", err)
		return out
	}
	for name, s := range c.Secrets {
		if !strings.HasPrefix(s.File, "./secrets/") {
			fault("secret %s is not in ./secrets, which no image and no commit takes in", name)
		}
	}
	for name, s := range c.Services {
		for _, f := range s.faults(root, c) {
			fault("%s %s", name, f)
		}
	}
	return out
}

func (s composeService) faults(root string, c composeFile) []string {
	var out []string
	fault := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	built := s.Build != nil
	if !built && !pinned.MatchString(s.Image) {
		fault("has an image that is not pinned: %s", s.Image)
	}
	if _, err := os.Stat(filepath.Join(root, s.Build["context"], s.Build["dockerfile"])); built && err != nil {
		fault("is built from what is not there: %v", err)
	}
	if built && (!s.ReadOnly || !slices.Contains(s.CapDrop, "ALL") || s.User == "" || strings.HasPrefix(s.User, "0:")) {
		fault("must be read_only, without capabilities, and have a user")
	}
	if s.Privileged || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
		fault("may get privileges")
	}
	if len(s.Healthcheck.Test) == 0 && !s.Healthcheck.Disable {
		fault("has no health check")
	}
	for _, secret := range s.Secrets {
		if _, ok := c.Secrets[secret]; !ok {
			fault("wants a secret that is not there: %s", secret)
		}
	}
	for _, network := range s.Networks {
		if _, ok := c.Networks[network]; !ok {
			fault("is on a network that is not there: %s", network)
		}
	}
	for other, d := range s.DependsOn {
		if _, ok := c.Services[other]; !ok || d.Condition == "service_started" {
			fault("does not wait until %s is ready", other)
		}
	}
	for _, port := range s.Ports {
		if !strings.HasPrefix(port, "127.0.0.1:") {
			fault("publishes %s to everybody: TLS is not here", port)
		}
	}
	for name, value := range s.Environment {
		out = append(out, variableFaults(name, value)...)
		if file, ok := strings.CutPrefix(value, "/run/secrets/"); ok && !slices.Contains(s.Secrets, file) {
			fault("names a secret that it does not get: %s", value)
		}
	}
	if s.Environment["SALLYPORT_DATABASE_TLS"] == "any" && slices.ContainsFunc(s.Networks, func(n string) bool {
		return n == "database" && !c.Networks[n].Internal
	}) {
		fault("speaks plaintext on a network that is not internal")
	}
	return out
}

// variableFaults: every variable is a setting, and none is a secret.
func variableFaults(name, value string) []string {
	var out []string
	if _, setting := config.Variables()[name]; strings.HasPrefix(name, config.Prefix) && !setting {
		out = append(out, "sets "+name+", which is no setting")
	}
	if secretName.MatchString(name) && value != "" {
		out = append(out, "has a secret in a variable: "+name)
	}
	return out
}

// hardening has the directives of every unit.
var hardening = map[string]string{
	"DynamicUser": "yes", "NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes", "PrivateTmp": "yes",
	"PrivateDevices": "yes", "MemoryDenyWriteExecute": "yes", "CapabilityBoundingSet": "", "SystemCallFilter": "@system-service",
	"SystemCallArchitectures": "native", "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX", "UMask": "0077",
}

func unitFaults(text string) []string {
	var out []string
	says := map[string][]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, "[") {
			continue
		}
		key, value, _ := strings.Cut(line, "=")
		says[key] = append(says[key], value)
	}
	for key, want := range hardening {
		if !slices.Contains(says[key], want) {
			out = append(out, "does not say "+key+"="+want)
		}
	}
	credentials := map[string]bool{}
	for _, c := range says["LoadCredential"] {
		name, _, _ := strings.Cut(c, ":")
		credentials["%d/"+name] = true
	}
	for _, pair := range says["Environment"] {
		name, value, _ := strings.Cut(pair, "=")
		out = append(out, variableFaults(name, "")...)
		if strings.HasPrefix(value, "%d/") && !credentials[value] {
			out = append(out, "names a credential that it does not get: "+value)
		}
	}
	exec := strings.Join(says["ExecStart"], "")
	if strings.Contains(exec, " serve ") && !slices.Contains(says["Type"], "notify") {
		out = append(out, "does not wait for the listeners: Type=notify")
	}
	return out
}

func TestDeploymentFilesCatchesEveryFault(t *testing.T) {
	for _, tc := range []struct {
		name string
		got  []string
		want []string
	}{
		{"Dockerfile", dockerfileFaults("FROM golang:1.26 AS build\nFROM debian:latest\nENV DATABASE_PASSWORD=x\nADD http://x /\nFROM build\nUSER root\n"), []string{
			"debian:latest is not pinned", "a secret in ENV", "ADD takes", "the last stage is from build", "runs as root", "no HEALTHCHECK", "no ENTRYPOINT", "no LABEL"}},
		{"compose", composeFaults(t.TempDir(), []byte(`
services:
  a: {build: {context: ., dockerfile: none}, environment: {SALLYPORT_ISUER: x, POSTGRES_PASSWORD: x, SALLYPORT_KEY_FILE: /run/secrets/keys}, secrets: [none],
      ports: ["8080:8080"], depends_on: {b: {condition: service_started}}, networks: [none]}
  b: {image: "postgres:17", privileged: true}
  c: {image: "postgres:17.7", security_opt: ["no-new-privileges:true"], healthcheck: {disable: true}, environment: {SALLYPORT_DATABASE_TLS: any}, networks: [database]}
networks: {database: {}}
secrets: {dsn: {file: /etc/dsn}}
`)), []string{
			"secret dsn is not in ./secrets", "a is built from what is not there", "a must be read_only", "a may get privileges", "a has no health check", "a wants a secret that is not there: none",
			"a is on a network that is not there", "a does not wait until b is ready", "a publishes 8080:8080", "a sets SALLYPORT_ISUER", "a has a secret in a variable: POSTGRES_PASSWORD",
			"a names a secret that it does not get", "b has an image that is not pinned", "b may get privileges", "b has no health check", "c speaks plaintext"}},
		{"unit", unitFaults("[Service]\nExecStart=/x serve --config y\nEnvironment=SALLYPORT_KEYFILE=%d/keys\n"), slices.AppendSeq([]string{
			"sets SALLYPORT_KEYFILE", "names a credential", "does not wait for the listeners"}, maps.Keys(hardening))},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, want := range tc.want {
				if !slices.ContainsFunc(tc.got, func(f string) bool { return strings.Contains(f, want) }) {
					t.Errorf("%q was not found", want)
				}
			}
			if len(tc.got) != len(tc.want) {
				t.Errorf("%d faults, want %d:\n%s", len(tc.got), len(tc.want), strings.Join(tc.got, "\n"))
			}
		})
	}
}

// TestDeploySecrets: deploy/secrets creates secrets that the server accepts, that others
// cannot read, and that are never replaced.
func TestDeploySecrets(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "secrets")
	run := func() string {
		t.Helper()
		out, err := exec.Command("../deploy/secrets", folder).CombinedOutput()
		if err != nil {
			t.Fatalf("deploy/secrets: %v: %s", err, out)
		}
		return string(out)
	}
	first := run()
	if _, err := seal.ReadKeyFile(filepath.Join(folder, "keys")); err != nil {
		t.Error(err)
	}
	c := config.Default()
	c.Database.DSNFile, c.Database.TLS = filepath.Join(folder, "dsn"), "any"
	dsn, err := c.ReadDSN()
	if err != nil {
		t.Fatal(err)
	}
	contents := map[string]string{}
	for _, name := range []string{"postgres_password", "dsn", "keys", "../.env"} {
		path := filepath.Join(folder, name)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		contents[name] = string(text)
		if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v; want it unreadable to others", name, info, err)
		}
		if secret := strings.TrimSpace(contents[name]); name != "../.env" && strings.Contains(first, secret) {
			t.Errorf("%s was printed", name)
		}
	}
	if len(contents["postgres_password"]) != 48 || !strings.Contains(dsn.Reveal(), contents["postgres_password"]) {
		t.Errorf("the DSN does not hold the password, or it is short")
	}
	if env := contents["../.env"]; !regexp.MustCompile(`^SALLYPORT_UID=[1-9]\d*\nSALLYPORT_GID=\d+\n$`).MatchString(env) {
		t.Errorf(".env = %q: no user, or root", env)
	}
	run()
	for name, was := range contents {
		if text, err := os.ReadFile(filepath.Join(folder, name)); err != nil || string(text) != was {
			t.Errorf("a second run changed %s: %v", name, err)
		}
	}
}
