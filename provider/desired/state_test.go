package desired

import (
	"strings"
	"testing"
	"time"

	"sallyport/config/strict/stricttest"
)

const goodState = `
clients:
  - client_id: shop
    public: true
    redirect_uris: [https://shop.example.com/callback]
    grant_types: [authorization_code, refresh_token]
    scopes: [openid, email]
    mfa: TIME_BASED
    mfa_interval: 12h
    refresh_grace: 0s
  - client_id: office
    client_secret: 0123456789abcdef0123456789abcdef
    redirect_uris: [https://office.example.com/cb]
  - client_id: phone
    public: true
    native: true
    redirect_uris: ["http://127.0.0.1/cb", "com.example.phone:/cb"]
users:
  - username: alice
    email: alice@example.com
    email_verified: true
    password: correct horse battery staple
    totp_secret: "jbsw y3dp-ehpk 3pxp jbsw y3dp ehpk 3pxp"
    recovery_codes: [AAAABBBBCCCCDDDDEEEEFFFF]
    profile:
      given_name: Alice
      address: {country: DE}
`

func TestDefaultsOfAState(t *testing.T) {
	s, err := Parse("state.yaml", []byte(goodState))
	if err != nil {
		t.Fatal(err)
	}
	shop, office, alice := newClient(&s.Clients[0]), newClient(&s.Clients[1]), s.Users[0]
	for _, tc := range []struct{ what, got, want any }{
		{"public clients do not authenticate", shop.AuthMethod, "none"},
		{"an interval", shop.MFAInterval.Duration(), 12 * time.Hour},
		{"a grace that is set to nothing", shop.RefreshGrace.Duration(), time.Duration(0)},
		{"a grace that is left out", office.RefreshGrace == nil, true},
		{"confidential clients use Basic", office.AuthMethod, "client_secret_basic"},
		{"grant types", strings.Join(office.GrantTypes, " "), "authorization_code"},
		{"response types", strings.Join(office.ResponseTypes, " "), "code"},
		{"no second factor", office.MFA, "OFF"},
		{"no consent page", office.Consent, "skip"},
		{"a status that is left out stays unset", alice.Status, ""},
		{"nested claims", alice.Profile["address"].(map[string]any)["country"], "DE"},
	} {
		if tc.got != tc.want {
			t.Errorf("%s: got %v, want %v", tc.what, tc.got, tc.want)
		}
	}
}

func TestParseReportsEveryFaultWithItsLine(t *testing.T) {
	text := `clients:
  - client_id: shop
    public: true
    client_secret: geheimgeheimgeheimgeheimgeheimge
    redirect_uris:
      - http://shop.example.com/cb
      - https://shop.example.com/cb#x
      - "app:/cb"
      - https://*.example.com/cb
    grant_type: [authorization_code]
    mfa: SOMETIMES
  - client_id: shop
    grant_types: [password]
    client_secret: geheim
    login_url: https://shop.example.com/login
    legacy_response_types: [none]
users:
  - password: geheim
    password_hash: geheim
  - username: a@b
    email: A@example.com
    totp_secret: geheim
    profile: {sub: geheim}
  - email: a@example.com
    phone_number: "0151"
    recovery_codes: [geheim, abcd-efgh, ABCDEFGH]
    status: sleeping
    password: 12345678
`
	_, err := Parse("state.yaml", []byte(text))
	stricttest.Want(t, err, []string{
		"state.yaml:2: clients[0]: a public client has no secret",
		"state.yaml:6: clients[0].redirect_uris[0]: must begin with https://",
		"state.yaml:7: clients[0].redirect_uris[1]: must be an absolute URL without fragment",
		"state.yaml:8: clients[0].redirect_uris[2]: a scheme of its own is for native",
		"state.yaml:9: clients[0].redirect_uris[3]: must be an absolute URL",
		"state.yaml:10: clients[0]: there is no such key; did you mean grant_types?",
		"state.yaml:11: clients[0].mfa: must be one of OFF",
		"state.yaml:12: clients[1].client_id: another client",
		"state.yaml:13: clients[1].grant_types[0]: must be one of",
		"state.yaml:14: clients[1].client_secret: must have 32",
		"state.yaml:15: clients[1].login_url: is of no use",
		"state.yaml:16: clients[1].legacy_response_types[0]: ",
		"state.yaml:18: users[0]: needs a username",
		"state.yaml:18: users[0]: password and password_hash exclude",
		"state.yaml:19: users[0].password_hash: must be",
		"state.yaml:20: users[1].username: must be",
		"state.yaml:22: users[1].totp_secret: must be base32",
		"state.yaml:23: users[1].profile: is not a profile claim",
		"state.yaml:24: users[2].email: users[1] has this name",
		"state.yaml:25: users[2].phone_number: must be",
		"state.yaml:26: users[2].recovery_codes[0]: must be 8 to 64 letters (A to Z) and digits",
		"state.yaml:26: users[2].recovery_codes[2]: is there twice",
		"state.yaml:27: users[2].status: must be one of",
		"state.yaml:28: users[2].password: must be text",
	})
}

func TestFaultsQuoteNoSecret(t *testing.T) {
	for _, text := range []string{
		"users:\n  - password: \"geheim\n",
		"users:\n  - password: [geheim\n",
		"users:\n  - {password: geheim, password: geheim}\n",
		"users:\n\t- password: geheim\n",
		"users:\n  - password: !!binary geheim\n",
		"users: geheim\n",
	} {
		_, err := Parse("state.yaml", []byte(text))
		if err == nil {
			t.Errorf("%q was accepted", text)
			continue
		}
		if strings.Contains(err.Error(), "geheim") {
			t.Errorf("fault quotes a secret: %v", err)
		}
	}
}

// TestDurationsAreWholeSeconds: a fraction of a second would be cut off, and a value beyond
// its bound taken.
func TestDurationsAreWholeSeconds(t *testing.T) {
	for _, key := range []string{"refresh_grace: 10900ms", "access_token_ttl: 300500ms", "refresh_token_idle_ttl: 300500ms", "refresh_token_ttl: 300500ms"} {
		name, _, _ := strings.Cut(key, ":")
		_, err := Parse("state.yaml", []byte("clients:\n  - client_id: shop\n    public: true\n    redirect_uris: [https://shop.example.com/cb]\n    "+key+"\n"))
		stricttest.Want(t, err, []string{"state.yaml:5: clients[0]." + name + ": must be in whole seconds"})
	}
}
