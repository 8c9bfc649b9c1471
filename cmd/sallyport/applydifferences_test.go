package main

import (
	"strings"
	"testing"
)

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
		{"a new client and a new user; those not in the file are kept", "", []string{"client_id: shop", "client_id: fresh", "username: bob", "username: carol"}, `client fresh: new
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
client shop: not in the file, kept
user bob: not in the file, kept
`, "client shop: not in the file, kept\nuser bob: not in the file, kept\n"},
		{"--prune deletes clients that are not in the file", "--prune --yes", []string{firstState, "users: []"}, `client office: deleted with its tokens and consents, because it is not in the file
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
