package e2e

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"sallyport/config"
	"sallyport/storage/seal"
)

// Helm is large, so `make chart` builds it, lints the chart and renders it into deploy/helm/rendered;
// these tests read what it rendered, which names the chart it is from.

const (
	chart    = "../deploy/helm/sallyport"
	rendered = "../deploy/helm/rendered"
)

var helm = flag.String("helm", "", "the command that runs Helm, to lint the chart and render it again")

// variants are values for the chart, from what everybody has to say to everything.
var variants = []string{"least", "all"}

// chartSum is the first line of what is rendered.
func chartSum(t *testing.T, variant string) string {
	t.Helper()
	sum := sha256.New()
	add := func(name string) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(sum, "%s %d\n%s", filepath.Base(name), len(text), text)
	}
	err := filepath.WalkDir(chart, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			add(name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	add(filepath.Join(rendered, variant+".values.yaml"))
	return fmt.Sprintf("# make chart: %x\n", sum.Sum(nil))
}

func TestTheRenderedChartIsCurrent(t *testing.T) {
	for _, variant := range variants {
		values, file := filepath.Join(rendered, variant+".values.yaml"), filepath.Join(rendered, variant+".yaml")
		if *helm != "" {
			run := func(args ...string) []byte {
				t.Helper()
				words := append(strings.Fields(*helm), args...)
				out, err := exec.Command(words[0], words[1:]...).Output()
				if err != nil {
					t.Fatalf("helm %s: %v\n%s", strings.Join(args, " "), err, out)
				}
				return out
			}
			run("lint", "--strict", chart, "--values", values)
			text := run("template", "login", chart, "--namespace", "login", "--values", values)
			if err := os.WriteFile(file, append([]byte(chartSum(t, variant)), text...), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		text, err := os.ReadFile(file)
		if err != nil || !strings.HasPrefix(string(text), chartSum(t, variant)) {
			t.Errorf("%s is not rendered from the chart as it is: run make chart (%v)", file, err)
		}
	}
}

// object has the checked parts of objects of Kubernetes.
type object struct {
	Kind     string `yaml:"kind"`
	Metadata struct {
		Name        string            `yaml:"name"`
		Annotations map[string]string `yaml:"annotations"`
	} `yaml:"metadata"`
	Data map[string]string `yaml:"data"`
	Spec struct {
		Ingress []struct {
			Ports []struct {
				Port string `yaml:"port"`
			} `yaml:"ports"`
			From []map[string]any `yaml:"from"`
		} `yaml:"ingress"`
		Template struct {
			Spec pod `yaml:"spec"`
		} `yaml:"template"`
	} `yaml:"spec"`
}

type pod struct {
	Automount       *bool `yaml:"automountServiceAccountToken"`
	Grace           int   `yaml:"terminationGracePeriodSeconds"`
	SecurityContext struct {
		NonRoot bool `yaml:"runAsNonRoot"`
		Group   int  `yaml:"fsGroup"`
	} `yaml:"securityContext"`
	Containers []struct {
		Args            []string         `yaml:"args"`
		Env             []map[string]any `yaml:"env"`
		Readiness       map[string]any   `yaml:"readinessProbe"`
		Liveness        map[string]any   `yaml:"livenessProbe"`
		SecurityContext struct {
			Escalation bool `yaml:"allowPrivilegeEscalation"`
			ReadOnly   bool `yaml:"readOnlyRootFilesystem"`
			Drop       struct {
				Drop []string `yaml:"drop"`
			} `yaml:"capabilities"`
		} `yaml:"securityContext"`
		Resources struct {
			Limits map[string]string `yaml:"limits"`
		} `yaml:"resources"`
	} `yaml:"containers"`
	Volumes []struct {
		Name      string `yaml:"name"`
		Projected struct {
			Mode    int `yaml:"defaultMode"`
			Sources []struct {
				Secret struct {
					Name  string `yaml:"name"`
					Items []struct {
						Path string `yaml:"path"`
					} `yaml:"items"`
				} `yaml:"secret"`
			} `yaml:"sources"`
		} `yaml:"projected"`
	} `yaml:"volumes"`
}

// objects returns the objects of a rendered chart.
func objects(t *testing.T, variant string) []object {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(rendered, variant+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var out []object
	for _, part := range strings.Split(string(text), "\n---\n") {
		var o object
		if err := yaml.Unmarshal([]byte(part), &o); err != nil {
			t.Fatalf("%v\n%s", err, part)
		}
		if o.Kind != "" {
			out = append(out, o)
		}
	}
	return out
}

// TestTheChart checks what the chart renders: objects that nobody may forget, pods without
// privileges, secrets by reference alone, and settings that the server accepts.
func TestTheChart(t *testing.T) {
	for variant, want := range map[string][]string{
		"least": {"ConfigMap", "ConfigMap", "Deployment", "Job", "NetworkPolicy", "PodDisruptionBudget", "Service", "ServiceAccount"},
		"all":   {"ConfigMap", "ConfigMap", "Deployment", "HorizontalPodAutoscaler", "Ingress", "Job", "NetworkPolicy", "PodDisruptionBudget", "Service", "Service", "ServiceAccount"},
	} {
		t.Run(variant, func(t *testing.T) {
			var kinds []string
			for _, o := range objects(t, variant) {
				kinds = append(kinds, o.Kind)
				switch o.Kind {
				case "Secret":
					t.Error("the chart creates a Secret, and its values would hold what is in it")
				case "ConfigMap":
					acceptable(t, o.Data["sallyport.yaml"])
				case "NetworkPolicy":
					for _, rule := range o.Spec.Ingress {
						if len(rule.From) == 0 {
							t.Errorf("every pod reaches the port %v, and a trusted proxy may be among them", rule.Ports)
						}
					}
				case "Deployment", "Job":
					for _, f := range podFaults(o) {
						t.Errorf("%s: %s", o.Kind, f)
					}
				}
			}
			if slices.Sort(kinds); !slices.Equal(kinds, want) {
				t.Errorf("objects: %v, want %v", kinds, want)
			}
		})
	}
}

// acceptable checks settings as the server does, with files where the pod has its secrets.
func acceptable(t *testing.T, settings string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"keys": string(seal.NewKeyFile(strings.NewReader(strings.Repeat("k", 64)))), "admin": strings.Repeat("a", 43) + "\n",
		"dsn": "postgres://sallyport:secret@db.example.com/sallyport?sslmode=verify-full\n", "mail": "secret\n", "tls.crt": "", "tls.key": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text := strings.NewReplacer("/run/secrets/sallyport-admin/", dir+"/", "/run/secrets/sallyport/", dir+"/").Replace(settings)
	c, err := config.Parse("sallyport.yaml", []byte(text), nil)
	if err != nil {
		t.Errorf("the server refuses the settings: %v\n%s", err, settings)
		return
	}
	if _, err := c.ReadDSN(); err != nil {
		t.Error(err)
	}
	if c.Listen != "0.0.0.0:8080" || c.AdminPlaintext {
		t.Errorf("listeners: %s, plaintext %t", c.Listen, c.AdminPlaintext)
	}
}

func podFaults(o object) []string {
	var out []string
	fault := func(bad bool, text string) {
		if bad {
			out = append(out, text)
		}
	}
	p := o.Spec.Template.Spec
	fault(!p.SecurityContext.NonRoot || p.SecurityContext.Group == 0, "the pod may run as root, or cannot read its secrets")
	fault(p.Automount == nil || *p.Automount, "the pod has a token of the cluster")
	files := map[string]bool{}
	for _, v := range p.Volumes {
		for _, s := range v.Projected.Sources {
			for _, item := range s.Secret.Items {
				files[item.Path] = true
			}
		}
		fault(v.Name == "secrets" && v.Projected.Mode&0o027 != 0, "others can read the secrets")
	}
	fault(!files["keys"] || !files["admin"] || !files["dsn"], "a secret has no file")
	for _, c := range p.Containers {
		s := c.SecurityContext
		fault(s.Escalation || !s.ReadOnly || !slices.Contains(s.Drop.Drop, "ALL"), "the container has privileges or a file system to write to")
		fault(len(c.Env) > 0, "the container has variables: settings are in the file")
		fault(c.Resources.Limits["memory"] == "", "the container has no limit of memory")
		fault(o.Kind == "Deployment" && (c.Readiness == nil || c.Liveness == nil), "a probe is missing")
	}
	fault(o.Kind == "Deployment" && p.Grace < 30, "the pod is killed before drain_time and running requests end")
	fault(o.Kind == "Job" && !strings.Contains(o.Metadata.Annotations["helm.sh/hook"], "pre-upgrade"), "the schema does not come before the servers")
	return out
}

func TestTheChartsFaultsAreCaught(t *testing.T) {
	var o object
	bad := "kind: Deployment\nspec: {template: {spec: {containers: [{env: [{name: X}]}], volumes: [{name: secrets, projected: {defaultMode: 0444, sources: []}}]}}}\n"
	if err := yaml.Unmarshal([]byte(bad), &o); err != nil {
		t.Fatal(err)
	}
	if got := podFaults(o); len(got) != 9 {
		t.Errorf("%d faults, want 9:\n%s", len(got), strings.Join(got, "\n"))
	}
}
