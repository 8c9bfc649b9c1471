package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/server"
	"sallyport/mfa"
	"sallyport/mfa/users"
	"sallyport/provider/apikeys"
	"sallyport/provider/desired"
	"sallyport/storage"
)

const (
	shopSecret   = "sk_test_geheimgeheimgeheimgeheimgeheimgeheimgeheimgeh"
	deploySecret = "geheim-of-deploy-geheim-of-deploy"
)

func sha(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

var keysState = `api_keys:
  - name: deploy
    dialects: [admin]
    verbs: [read]
    expires_at: 2099-12-31T23:00:00Z
    secret_sha256: ` + sha(deploySecret) + `
  - {name: shop, dialects: [streambird], verbs: [read, write], app: Shop, secret: ` + shopSecret + `}
`

// newFixtureWithAPIKeys is an installation with two API keys.
func newFixtureWithAPIKeys(t *testing.T) (*fixture, string) {
	t.Helper()
	o := newFixture(t)
	o.secrets = []string{"geheim", sha(deploySecret)}
	file := o.file("keys.yaml", keysState)
	want := `API key deploy: new
    dialects: ["admin"]
    verbs: ["read"]
    expires_at: "2099-12-31T23:00:00Z"
    secret: set (not shown)
API key shop: new
    dialects: ["streambird"]
    verbs: ["read","write"]
    app: "Shop"
    secret: set (not shown)
Clients: 0 created, 0 changed, 0 deleted. Users: 0 created, 0 changed.
API keys: 2 created, 0 changed, 0 deleted.
`
	if out := o.must("apply", file); out != want {
		t.Fatalf("apply: %s, want %s", out, want)
	}
	return o, file
}

// opens reports which API key a secret opens: "" none.
func (o *fixture) opens(secret string) string {
	o.Helper()
	var name string
	o.withServer(func(h *server.Server) {
		k, err := h.APIKeys.Authenticate(o.Context(), mfa.Caller{}, secret)
		if err == nil {
			name = k.Name
		}
	})
	return name
}

func TestApplyCreatesAPIKeys(t *testing.T) {
	o, file := newFixtureWithAPIKeys(t)
	if out := o.must("apply", file); out != "Nothing to do.\n" {
		t.Errorf("a second run: %s", out)
	}
	for secret, want := range map[string]string{shopSecret: "shop", deploySecret: "deploy", sha(deploySecret): ""} {
		if got := o.opens(secret); got != want {
			t.Errorf("the secret opens %q, want %q", got, want)
		}
	}
}

func TestApplyPrintsAndAppliesDifferencesOfAPIKeys(t *testing.T) {
	const another = "another-geheim-another-geheim-ano"
	for _, tc := range []struct {
		name    string
		flags   string
		replace []string
		want    string // the differences; "" none
		again   string
	}{
		{"settings", "", []string{"verbs: [read]", "verbs: [read, write]", "2099-12-31T23:00:00Z", "2100-01-01T01:00:00+01:00", "app: Shop", "app: Store"},
			`API key deploy: changed
    verbs: ["read"] -> ["read","write"]
    expires_at: "2099-12-31T23:00:00Z" -> "2100-01-01T00:00:00Z"
API key shop: changed
    app: "Shop" -> "Store"
`, ""},
		{"another dialect and its project", "", []string{"dialects: [admin]", "dialects: [stytch]\n    project: project-test-00000000-0000-4000-8000-000000000001"},
			`API key deploy: changed
    dialects: ["admin"] -> ["stytch"]
    project: (none) -> "project-test-00000000-0000-4000-8000-000000000001"
`, ""},
		{"the same time in another zone", "", []string{"2099-12-31T23:00:00Z", "2100-01-01T00:00:00+01:00"}, "", ""},
		{"another secret", "", []string{sha(deploySecret), sha(another)}, "API key deploy: changed\n    secret: replaced (not shown)\n", ""},
		{"a secret left out is kept", "", []string{"    secret_sha256: " + sha(deploySecret) + "\n", ""}, "", ""},
		{"disabled in the file", "", []string{"app: Shop", "app: Shop, disabled: true"}, "API key shop: changed\n    disabled: (none) -> true\n", ""},
		{"another name is another key", "", []string{"name: deploy", "name: release", sha(deploySecret), sha(another)}, `API key release: new
    dialects: ["admin"]
    verbs: ["read"]
    expires_at: "2099-12-31T23:00:00Z"
    secret: set (not shown)
API key deploy: not in the file, kept
`, "API key deploy: not in the file, kept\n"},
		{"keys that are not in the file are kept", "", []string{keysState, "api_keys: []"}, "", "API key deploy: not in the file, kept\nAPI key shop: not in the file, kept\n"},
		{"--prune deletes them", "--prune --yes", []string{keysState, "api_keys: []"}, `API key deploy: deleted, because it is not in the file
API key shop: deleted, because it is not in the file
`, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o, _ := newFixtureWithAPIKeys(t)
			args := append([]string{"apply", o.file("next.yaml", strings.NewReplacer(tc.replace...).Replace(keysState))}, strings.Fields(tc.flags)...)
			if tc.want != "" {
				if dry := o.must(append(args, "--dry-run")...); !strings.HasPrefix(dry, tc.want+"Nothing was changed. To do: ") {
					t.Errorf("dry run: %s, want %s first", dry, tc.want)
				}
				if got := o.must(args...); !strings.HasPrefix(got, tc.want+"Clients: 0 created") {
					t.Errorf("apply: %s, want %s first", got, tc.want)
				}
			}
			if got, want := o.must(args...), tc.again+"Nothing to do.\n"; got != want {
				t.Errorf("a second run: %s, want %s", got, want)
			}
		})
	}
}

func TestApplyKeepsWhatCommandsDidToAPIKeys(t *testing.T) {
	o, file := newFixtureWithAPIKeys(t)
	var added string
	o.withServer(func(h *server.Server) {
		ctx, v := t.Context(), mfa.Caller{Actor: users.ActorAdmin}
		for name, do := range map[string]func(storage.APIKeyID) error{
			"shop": func(id storage.APIKeyID) error { return h.APIKeys.Disable(ctx, v, apikeys.Operator(), id) },
			"deploy": func(id storage.APIKeyID) (err error) {
				added, err = h.APIKeys.AddSecret(ctx, v, apikeys.Operator(), id)
				return err
			},
		} {
			k, err := h.APIKeys.Find(ctx, name)
			if err != nil {
				t.Fatal(err)
			}
			if err := do(k.ID); err != nil {
				t.Fatal(err)
			}
		}
	})
	if out := o.must("apply", file); out != "Nothing to do.\n" {
		t.Errorf("apply: %s", out)
	}
	for secret, want := range map[string]string{shopSecret: "", deploySecret: "deploy", added: "deploy"} {
		if got := o.opens(secret); got != want {
			t.Errorf("a secret opens %q, want %q", got, want)
		}
	}
}

func TestApplyReportsEveryFaultOfAPIKeys(t *testing.T) {
	o, _ := newFixtureWithAPIKeys(t)
	file := o.file("faulty.yaml", `api_keys:
  - name: deploy
    dialects: [klingon]
    verbs: []
  - {name: fresh, dialects: [admin], verbs: [read]}
  - name: copy
    dialects: [admin]
    verbs: [read]
    secret: `+shopSecret+`
  - name: tested
    dialects: [streambird]
    verbs: [read]
    secret: sk_live_geheimgeheimgeheimgeheimgeheim
  - name: twice
    dialects: [stytch]
    verbs: [read]
    secret: twice-geheim-twice-geheim-twice-geheim
    project: project-live-00000000-0000-4000-8000-000000000001
  - name: wrong
    dialects: [admin]
    verbs: [read]
    secret_sha256: geheim
  - {name: one, dialects: [admin], verbs: [read], secret: one-geheim-one-geheim-one-geheim-one-geheim}
  - {name: two, dialects: [admin], verbs: [read], secret_sha256: `+sha("one-geheim-one-geheim-one-geheim-one-geheim")+`}
`)
	code, out, err := o.run("", "apply", "--config", o.settings, file)
	if code != cli.ExitFailed || out != "" {
		t.Errorf("exit code %d, standard output %q", code, out)
	}
	want := []string{
		"the desired state has faults:",
		"faulty.yaml:3: api_keys[0].dialects: must be one or more of admin",
		"faulty.yaml:4: api_keys[0].verbs: must be read",
		"faulty.yaml:5: api_keys[1].secret: or secret_sha256 is required",
		`faulty.yaml:9: api_keys[2].secret: API key "shop" has this secret`,
		"faulty.yaml:13: api_keys[3].secret: is for the other environment: this server is test",
		"faulty.yaml:18: api_keys[4].project: is for the other environment",
		"faulty.yaml:22: api_keys[5].secret_sha256: must be 64",
		`faulty.yaml:24: api_keys[7].secret_sha256: API key "one" has this secret`,
	}
	lines := strings.Split(strings.TrimSpace(err), "\n")
	for i, line := range lines {
		if i >= len(want) || !strings.Contains(line, want[i]) {
			t.Errorf("line %d: %q, want %q", i+1, line, append(want, make([]string, len(lines))...)[i])
		}
	}
	if len(lines) != len(want) {
		t.Errorf("%d lines, want %d", len(lines), len(want))
	}
}

func TestApplyRefusesConflictingChangesOfAPIKeys(t *testing.T) {
	o, _ := newFixtureWithAPIKeys(t)
	file := o.file("next.yaml", strings.NewReplacer("app: Shop", "app: Store", "name: deploy", "name: fresh", sha(deploySecret), sha("fresh")).Replace(keysState))
	o.withServer(func(h *server.Server) {
		ctx, v := t.Context(), mfa.Caller{Actor: users.ActorAdmin}
		p, err := h.LoadPlan(ctx, file, desired.Options{Prune: true})
		if err != nil {
			t.Fatal(err)
		}
		shop, err := h.APIKeys.Find(ctx, "shop")
		if err != nil {
			t.Fatal(err)
		}
		if err := h.APIKeys.Disable(ctx, v, apikeys.Operator(), shop.ID); err != nil {
			t.Fatal(err)
		}
		err = h.Records().CarryOut(ctx, v, p)
		if want := fmt.Sprintf("stopped after 1 of 3 changes; they stay, and another run does the rest: API key shop: %v", apikeys.ErrChanged); err == nil || err.Error() != want {
			t.Errorf("carry out: %v, want %s", err, want)
		}
	})
	if out := o.must("apply", "--yes", "--prune", file); !strings.HasSuffix(out, "API keys: 0 created, 1 changed, 1 deleted.\n") {
		t.Errorf("the next run: %s", out)
	}
	if out := o.must("apply", "--yes", "--prune", filepath.Join(o.dir, "next.yaml")); out != "Nothing to do.\n" {
		t.Errorf("the run after it: %s", out)
	}
}
