package main

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/server"
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

func TestApplyPrintsAndAppliesDifferences(t *testing.T) {
	for _, tc := range []struct {
		name    string
		flags   string
		replace []string
		want    string // the differences
		again   string // what is left to do in a second run: "" nothing
	}{
		{"another value", "", []string{"client_name: Shop", "client_name: Store"}, `client shop: changed
    client_name: "Shop" -> "Store"
`, ""},
		{"several values, lists and durations", "", []string{`mfa: "OFF"`, "mfa: TIME_BASED, mfa_interval: 12h, scopes: [openid, email]"}, `client shop: changed
    scopes: (none) -> ["openid","email"]
    mfa: "OFF" -> "TIME_BASED"
    mfa_interval: (none) -> "12h0m0s"
`, ""},
		{"another secret", "", []string{"geheimge\n", "x", "geheimgeheimgeheimgeheimgeheimge", "geheimanderesgeheimanderesgeheim"}, `client office: changed
    client_secret: replaced (not shown)
`, ""},
		{"a profile is replaced, claim by claim", "", []string{"given_name: Alice, address: {country: DE}", "address: {country: FR}, nickname: Al"}, `user alice: changed
    profile.address: {"country":"DE"} -> {"country":"FR"}
    profile.given_name: "Alice" -> (none)
    profile.nickname: (none) -> "Al"
`, ""},
		{"a name changed, a name added, a name verified", "", []string{"email: alice@example.com\n    email_verified: true", "email: anders@example.com",
			"username: bob", "username: bob\n    email: bob@example.com\n    email_verified: true"}, `user alice: changed
    email: "alice@example.com" -> "anders@example.com"
user bob: changed
    email: (none) -> "bob@example.com"
`, ""},
		{"other roles", "", []string{"[editor, auditor]", "[auditor]"}, `user alice: changed
    roles: ["editor","auditor"] -> ["auditor"]
`, ""},
		{"roles set to none", "", []string{"[editor, auditor]", "[]"}, `user alice: changed
    roles: ["editor","auditor"] -> []
`, ""},
		{"keys left out keep their values", "", []string{"    roles: [editor, auditor]\n", "", "    email: alice@example.com\n    email_verified: true\n", "", "    mfa_enabled: true\n", "",
			"    profile: {name: Alice Anders, given_name: Alice, address: {country: DE}}\n", ""}, "Nothing to do.\n", ""},
		{"the second factor turned off", "", []string{"mfa_enabled: true", "mfa_enabled: false"}, `user alice: changed
    mfa_enabled: true -> false
`, ""},
		{"a status set", "", []string{"mfa_enabled: true", "status: disabled"}, `user alice: changed
    status: "active" -> "disabled"
`, ""},
		{"passwords and factors of existing users are kept", "", []string{"harbour at dawn", "harbour at dusk", "JBSWY3DPEHPK3PXPJBSW", "GEZDGNBVGY3TQOJQGEZD", "aaaa-bbbb-cccc", "aaaa-bbbb-dddd"}, "Nothing to do.\n", ""},
		{"--replace-credentials replaces them", "--replace-credentials", []string{"harbour at dawn", "harbour at dusk", "JBSWY3DPEHPK3PXPJBSW", "GEZDGNBVGY3TQOJQGEZD", "aaaa-bbbb-cccc", "aaaa-bbbb-dddd"}, `user alice: changed
    password: replaced (not shown)
    totp_secret: replaced (not shown)
    recovery_codes: replaced (not shown)
`, ""},
		{"the same credentials are not replaced", "--replace-credentials", nil, "Nothing to do.\n", ""},
		{"other parameters are another authenticator", "--replace-credentials", []string{"totp_digits: 8", "totp_digits: 6"}, `user alice: changed
    totp_secret: replaced (not shown)
`, ""},
		{"a new client and a new user; those not in the file are kept", "", []string{"client_id: shop", "client_id: fresh", "username: bob", "username: carol"}, `client shop: not in the file, kept
user bob: not in the file, kept
client fresh: new
    client_name: "Shop"
    public: true
    token_endpoint_auth_method: "none"
    redirect_uris: ["https://shop.example.com/cb"]
    grant_types: ["authorization_code"]
    response_types: ["code"]
    mfa: "OFF"
    consent: "skip"
user carol: new
    username: "carol"
    password_hash: set (not shown)
`, "client shop: not in the file, kept\nuser bob: not in the file, kept\n"},
		{"--prune deletes clients that are not in the file", "--prune", []string{firstState, "users: []"}, `client office: deleted with its tokens and consents, because it is not in the file
client shop: deleted with its tokens and consents, because it is not in the file
user alice: not in the file, kept
user bob: not in the file, kept
`, "user alice: not in the file, kept\nuser bob: not in the file, kept\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := newFixtureWithState(t)
			file := o.becomes(tc.replace...)
			args := append([]string{"apply", file}, strings.Fields(tc.flags)...)
			want := tc.want
			if want != "Nothing to do.\n" {
				dry := o.must(append(args, "--dry-run")...)
				if rest, ok := strings.CutPrefix(dry, want); !ok || !strings.HasPrefix(rest, "Nothing was changed. To do: ") {
					t.Errorf("dry run: %s, want %s first", dry, want)
				}
				want += "Clients: "
			}
			if got := o.must(args...); !strings.HasPrefix(got, want) {
				t.Errorf("apply: %s, want %s first", got, want)
			}
			if got, want := o.must(args...), tc.again+"Nothing to do.\n"; got != want {
				t.Errorf("a second run: %s, want %s", got, want)
			}
		})
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
			if got := o.alive(b); got != "" {
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

func TestApplyReportsEveryFault(t *testing.T) {
	o := newFixtureWithState(t)
	o.must("user", "create", "--username", "carol")
	file := o.file("faulty.yaml", `clients:
  - client_id: fresh
    publik: true
  - client_id: sallyport-account
    public: true
    redirect_uris: [https://shop.example.com/cb]
users:
  - username: alice
    email: carol@example.com
  - username: bob
    id: 00000000-0000-4000-8000-00000000000b
  - username: dora
    id: 00000000-0000-4000-8000-00000000000a
  - username: carol
    email: alice@example.com
  - username: erin
    password: password123
    totp_digits: 7
  - username: "fran\u00adk"
  - username: "ｅrin"
  - username: greg
    password_hash: $argon2id$geheim
  - username: hugo
    recovery_codes: [geheim_geheim]
    totp_algorithm: MD5
    roles: [admin, admin]
`)
	code, out, err := o.run("", "apply", "--config", o.settings, file)
	if code != cli.ExitFailed || out != "" {
		t.Errorf("exit code %d, standard output %q", code, out)
	}
	want := []string{
		"the desired state has faults:",
		"faulty.yaml:2: clients[0]: a confidential client needs",
		"faulty.yaml:2: clients[0].redirect_uris: is required",
		"faulty.yaml:3: clients[0].publik: there is no such key",
		"faulty.yaml:4: clients[1].client_id: belongs to the server itself",
		"faulty.yaml:10: users[1].username: user ",
		"faulty.yaml:12: users[2]: is the same user as users[0]",
		"faulty.yaml:15: users[3].email: user 00000000-0000-4000-8000-00000000000a has this name, and is another user",
		"faulty.yaml:16: users[4].totp_secret: is required",
		"faulty.yaml:17: users[4].password: the password is a common one",
		"faulty.yaml:18: users[4].totp_digits: must be 6 or 8",
		"faulty.yaml:19: users[5].username: is not an e-mail address",
		"faulty.yaml:20: users[6].username: users[4] has this name",
		"faulty.yaml:22: users[7].password_hash: not a password hash we know",
		"faulty.yaml:23: users[8].totp_secret: is required",
		"faulty.yaml:24: users[8].recovery_codes: a recovery code has none of the known shapes",
		"faulty.yaml:25: users[8].totp_algorithm: must be one of SHA1, SHA256, SHA512",
		"faulty.yaml:26: users[8].roles: a role is there twice",
	}
	lines := strings.Split(strings.TrimSpace(err), "\n")
	for i, line := range lines {
		if i >= len(want) || !strings.Contains(line, want[i]) {
			t.Errorf("line %d: %q, want %q in it", i+1, line, append(want, make([]string, len(lines))...)[i])
		}
	}
	if len(lines) != len(want) {
		t.Errorf("%d lines, want %d", len(lines), len(want))
	}
	if out := o.must("apply", filepath.Join(o.dir, "state.yaml")); out != "user carol: not in the file, kept\nNothing to do.\n" {
		t.Errorf("the faulty file changed something: %s", out)
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
