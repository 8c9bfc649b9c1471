package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sallyport/cmd/sallyport/server"
	"sallyport/cmd/sallyport/servertest"
	"sallyport/config"
	"sallyport/mfa"
	"sallyport/mfa/users"
	"sallyport/provider/desired"
	"sallyport/storage"
)

const firstState = `clients:
  - {client_id: shop, client_name: Shop, public: true, redirect_uris: ["https://shop.example.com/cb"], mfa: "OFF"}
  - {client_id: office, client_secret: geheimgeheimgeheimgeheimgeheimge, redirect_uris: ["https://office.example.com/cb"]}
users:
  - id: 00000000-0000-4000-8000-00000000000a
    username: alice
    email: alice@example.com
    email_verified: true
    password: a quiet harbour at dawn
    totp_secret: JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP
    totp_algorithm: SHA256
    totp_digits: 8
    totp_period: 60s
    recovery_codes: [aaaabbbbccccddddeeeeffff, aaaa-bbbb-cccc]
    roles: [editor, auditor]
    profile: {name: Alice Anders, given_name: Alice, address: {country: DE}}
    mfa_enabled: true
  - username: bob
    password_hash: $2a$10$abcdefghijklmnopqrstuuMGkTHSuPGPFyFt1rYHNEYQjCbvFpu2O
`

// newFixtureWithState is an installation in the first state.
func newFixtureWithState(t *testing.T) *fixture {
	t.Helper()
	o := newFixture(t)
	o.secrets = []string{"geheim", "harbour", "JBSWY3DPEHPK3PXP", "aaaabbbb", "aaaa-bbbb", "$2a$10$", "GEZDGNBVGY3TQOJQ"}
	o.must("apply", o.file("state.yaml", firstState))
	return o
}

// becomes writes the first state with texts in it replaced.
func (o *fixture) becomes(replace ...string) string {
	return o.file("next.yaml", strings.NewReplacer(replace...).Replace(firstState))
}

func TestApplyCreatesTheDesiredState(t *testing.T) {
	o := newFixtureWithState(t)
	if out := o.must("apply", filepath.Join(o.dir, "state.yaml")); out != "Nothing to do.\n" {
		t.Errorf("a second run: %s", out)
	}
	a := o.account("alice")
	if a.User.ID != "00000000-0000-4000-8000-00000000000a" || !a.User.MFAEnabled || a.User.Status != storage.UserActive || len(a.Authenticators) != 3 {
		t.Errorf("alice: %+v", a)
	}
	for _, x := range a.Authenticators {
		if x.Method == "totp" && string(x.Data) != `{"algorithm":"SHA256","digits":8,"period":60}` {
			t.Errorf("totp parameters: %s", x.Data)
		}
	}
	if n := o.countEvents(mfa.EventUserCreated, a.User.ID); n != 1 {
		t.Errorf("%d events, want 1", n)
	}
}

func TestApplyEndsAccessOfADisabledUser(t *testing.T) {
	for name, args := range map[string][]string{
		"a disabled user":   {"mfa_enabled: true", "status: disabled"},
		"a pending user":    {"mfa_enabled: true", "status: pending"},
		"replaced factors":  {"JBSWY3DPEHPK3PXPJBSW", "GEZDGNBVGY3TQOJQGEZD"},
		"a replaced secret": {"harbour at dawn", "harbour at dusk"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newFixtureWithState(t)
			b := o.belongings("alice")
			o.must("apply", "--replace-credentials", o.becomes(args...))
			if got := o.remaining(b); got != "" {
				t.Errorf("alive: %s", got)
			}
		})
	}
	o := newFixtureWithState(t)
	o.must("user", "disable", "alice")
	if out := o.must("apply", filepath.Join(o.dir, "state.yaml")); out != "Nothing to do.\n" || o.account("alice").User.Status != storage.UserDisabled {
		t.Errorf("a file without a status enabled a disabled user: %s", out)
	}
}

func TestNextApplyCompletesAnInterruptedOne(t *testing.T) {
	o := newFixture(t)
	file := o.file("state.yaml", firstState)
	o.withServer(func(h *server.Server) {
		p, err := h.LoadPlan(t.Context(), file, desired.Options{})
		if err != nil {
			t.Fatal(err)
		}
		// Another user takes the name after the plan was computed.
		taker, err := h.Users.Create(t.Context(), mfa.Caller{}, users.Draft{Email: "alice@example.com"})
		if err != nil {
			t.Fatal(err)
		}
		err = h.Records().CarryOut(t.Context(), mfa.Caller{}, p)
		if err == nil || !strings.Contains(err.Error(), "stopped after 2 of 4 changes") || !strings.Contains(err.Error(), "user alice: another user has that name") {
			t.Errorf("carry out: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := h.Records().CarryOut(ctx, mfa.Caller{}, p); err == nil {
			t.Error("a cancelled run continued")
		}
		if err := h.Users.Delete(t.Context(), mfa.Caller{}, storage.Account{User: taker}); err != nil {
			t.Fatal(err)
		}
	})
	out := o.must("apply", file)
	if !strings.Contains(out, "user alice: new") || strings.Contains(out, "client shop") || !strings.Contains(out, "Users: 2 created") {
		t.Errorf("the second run: %s", out)
	}
}

func TestApplyRefusesConflictingChanges(t *testing.T) {
	o := newFixtureWithState(t)
	file := o.becomes("client_name: Shop", "client_name: Store")
	o.withServer(func(h *server.Server) {
		p, err := h.LoadPlan(t.Context(), file, desired.Options{})
		if err != nil {
			t.Fatal(err)
		}
		was, err := h.Clients.Client(t.Context(), "shop")
		if err != nil {
			t.Fatal(err)
		}
		next := was
		next.Name = "Conflict"
		if err := h.Clients.Change(t.Context(), mfa.Caller{}, was, next); err != nil {
			t.Fatal(err)
		}
		if err := h.Records().CarryOut(t.Context(), mfa.Caller{}, p); err == nil || !strings.Contains(err.Error(), "changed by somebody else") {
			t.Errorf("carry out: %v", err)
		}
	})
}

func TestApplyIsIdempotent(t *testing.T) {
	settings, _, _ := servertest.NewInstallation(t)
	file := filepath.Join(filepath.Dir(settings), "state.yaml")
	apply := func(name string) string {
		t.Helper()
		text := fmt.Sprintf("clients:\n  - client_id: shop\n    client_name: %s\n    public: true\n    redirect_uris: [https://shop.example.com/cb]\nusers:\n  - username: Alice\n    email: alice@example.com\n    password: correct horse %s\n", name, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(run(t, "apply", "--config", settings, file)), "\n")
		return lines[len(lines)-1]
	}
	for _, tc := range []struct{ what, name, want string }{
		{"the first time everything is created", "Shop", "Clients: 1 created, 0 changed, 0 deleted. Users: 1 created, 0 changed."},
		{"the second time nothing happens", "Shop", "Nothing to do."},
		{"a client that differs is replaced, a user keeps the password", "Store", "Clients: 0 created, 1 changed, 0 deleted. Users: 0 created, 0 changed."},
	} {
		if got := apply(tc.name); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.what, got, tc.want)
		}
	}
	p, _, _ := testProgram()
	c, err := config.Load(settings, nil)
	if err != nil {
		t.Fatal(err)
	}
	h, err := openServer(t.Context(), p, c)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	client, err := h.Store.Client(t.Context(), "shop")
	if err != nil || client.Name != "Store" || !client.UpdatedAt.After(client.CreatedAt) {
		t.Errorf("client = %+v, %v", client, err)
	}
	account, err := h.Users.Named(t.Context(), "alice")
	if err != nil || len(account.Identifiers) != 2 || account.User.Status != storage.UserActive {
		t.Errorf("account = %+v, %v", account.User, err)
	}
}
