package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/provider/secret"
	"sallyport/provider/signing"
	"sallyport/storage"
)

// Conformance (Logout): Back-Channel Logout 2.1, Front-Channel Logout 3: the metadata says so
// Conformance (OpenID Connect): Discovery 3, RP-Initiated Logout 2.1: modules oidcc-discovery-endpoint-verification, oidcc-rp-initiated-logout-discovery-endpoint-verification: the metadata is complete and true
func TestDiscovery(t *testing.T) {
	h := newFixture(t, "RS256", "ES256")
	var m map[string]any
	h.ok(json.Unmarshal(h.p.Discovery().Body, &m))
	for name, want := range map[string]any{"issuer": issuer, "authorization_endpoint": issuer + "/authorize", "token_endpoint": issuer + "/token",
		"userinfo_endpoint": issuer + "/userinfo", "jwks_uri": issuer + "/jwks.json", "end_session_endpoint": issuer + "/logout",
		"introspection_endpoint": issuer + "/introspect", "revocation_endpoint": issuer + "/revoke", "request_parameter_supported": true,
		"request_uri_parameter_supported": true, "require_request_uri_registration": true,
		"backchannel_logout_supported": true, "backchannel_logout_session_supported": true, "frontchannel_logout_supported": true, "frontchannel_logout_session_supported": true,
		"pushed_authorization_request_endpoint": issuer + "/par", "require_pushed_authorization_requests": false, "claims_parameter_supported": true, "authorization_response_iss_parameter_supported": true} {
		if m[name] != want {
			t.Errorf("%s = %v, want %v", name, m[name], want)
		}
	}
	for name, want := range map[string]string{"id_token_signing_alg_values_supported": "RS256 ES256", "response_types_supported": "code",
		"acr_values_supported": "aal1 aal2 urn:example:gold urn:example:silver", "code_challenge_methods_supported": "S256",
		"request_object_signing_alg_values_supported":              "RS256 PS256 ES256 EdDSA Ed25519",
		"token_endpoint_auth_methods_supported":                    "client_secret_basic client_secret_post client_secret_jwt private_key_jwt none",
		"revocation_endpoint_auth_methods_supported":               "client_secret_basic client_secret_post client_secret_jwt private_key_jwt none",
		"introspection_endpoint_auth_methods_supported":            "client_secret_basic client_secret_post client_secret_jwt private_key_jwt",
		"token_endpoint_auth_signing_alg_values_supported":         "RS256 PS256 ES256 EdDSA Ed25519 HS256 HS384 HS512",
		"introspection_endpoint_auth_signing_alg_values_supported": "RS256 PS256 ES256 EdDSA Ed25519 HS256 HS384 HS512",
		"subject_types_supported":                                  "public pairwise", "userinfo_signing_alg_values_supported": "RS256 ES256",
		"id_token_encryption_alg_values_supported": "RSA-OAEP-256 ECDH-ES ECDH-ES+A128KW ECDH-ES+A256KW", "id_token_encryption_enc_values_supported": "A128CBC-HS256 A128GCM A256GCM",
		"userinfo_encryption_alg_values_supported": "RSA-OAEP-256 ECDH-ES ECDH-ES+A128KW ECDH-ES+A256KW", "userinfo_encryption_enc_values_supported": "A128CBC-HS256 A128GCM A256GCM"} {
		var got []string
		for _, v := range m[name].([]any) {
			got = append(got, v.(string))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s = %v, want %s", name, got, want)
		}
	}
	for name, value := range m {
		hashed := strings.Contains(fmt.Sprint(value), "HS256") && !strings.Contains(name, "_enc_")
		if asserts := strings.HasSuffix(name, "_endpoint_auth_signing_alg_values_supported"); hashed != asserts {
			t.Errorf("%s = %v, want HMAC for client_secret_jwt alone", name, value)
		}
	}
	h.client("rp")
	h.user("ada", "")
	code, _ := h.signIn(params("rp", "nonce", "the-nonce"), "ada")
	claims, _ := h.readJWT(h.post(h.p.Grants.Token, "rp", redeem(code)).get("id_token"))
	for name := range claims {
		if supported, _ := m["claims_supported"].([]any); !slices.Contains(supported, any(name)) {
			t.Errorf("claims_supported lacks %s of an ID token", name)
		}
	}
}

// Conformance (OpenID Connect): Core 10.1: module oidcc-discovery-endpoint-verification: keys are public, and each has a `kid` of its own
func TestTheKeySetIsPublicAndFollowsRotation(t *testing.T) {
	h := newFixture(t, "RS256", "ES256", "EdDSA")
	read := func() []map[string]any {
		var set struct{ Keys []map[string]any }
		h.ok(json.Unmarshal(h.p.JWKS().Body, &set))
		return set.Keys
	}
	etag := h.p.JWKS().ETag
	kids := map[any]bool{}
	for _, key := range read() {
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} {
			if _, there := key[private]; there {
				t.Errorf("key %v shows its private %s", key["kid"], private)
			}
		}
		if key["kid"] == "" || kids[key["kid"]] || key["use"] != "sig" || key["alg"] == nil {
			t.Errorf("key = %v", key)
		}
		kids[key["kid"]] = true
	}
	if len(kids) != 3 {
		t.Fatalf("%d keys, want 3", len(kids))
	}
	h.rotate("ES256")
	if got := read(); len(got) != 4 || h.p.JWKS().ETag == etag {
		t.Errorf("%d keys after a rotation, want 4 under a new tag", len(got))
	}
	// The next key is published before it signs, and begins to sign without a rotation.
	next, err := h.keyring.NewKey("oidc", "ES256", h.now())
	h.ok(err)
	next.ActiveAt = h.now().Add(24 * time.Hour)
	h.ok(h.engine.AddKeys(h.ctx, []storage.Key{next}, false, nil))
	h.ok(h.p.Poll(h.ctx))
	token := func() string {
		signed, err := h.p.keys.Sign("ES256", signing.TypeIDToken, []byte("{}"), h.now())
		h.ok(err)
		return h.opensWith(signed)
	}
	if token() == string(next.ID) || len(read()) != 5 {
		t.Error("the next key signs already, or is not published")
	}
	h.wait(24 * time.Hour)
	h.ok(h.p.Poll(h.ctx))
	if token() != string(next.ID) {
		t.Error("the next key does not sign")
	}
	next.RetiredAt, next.ExpiresAt = h.now(), h.now().Add(time.Hour)
	h.ok(h.engine.UpdateKey(h.ctx, next, nil))
	h.ok(h.p.Poll(h.ctx))
	if token() == string(next.ID) {
		t.Error("a retired key signs")
	}
	h.wait(time.Hour)
	h.ok(h.p.Poll(h.ctx))
	if len(read()) != 4 {
		t.Errorf("%d keys, want 4: one has expired", len(read()))
	}
}

func TestAMissingKeyIsAFailureBeforeAnythingIsSpent(t *testing.T) {
	h := newFixture(t)
	h.client("rp", func(c *storage.Client) { c.IDTokenAlg = "EdDSA" })
	h.user("ada", "")
	code, _ := h.signIn(params("rp"), "ada")
	if got := h.post(h.p.Grants.Token, "rp", redeem(code)); got.Status != 500 || got.get("error") != "server_error" {
		t.Errorf("token = %d %s, want 500 server_error", got.Status, got.Raw)
	}
	h.client("rp")
	if got := h.post(h.p.Grants.Token, "rp", redeem(code)); got.Status != 200 {
		t.Errorf("token = %d %s, want 200: the code was not spent", got.Status, got.Raw)
	}
}

func TestClientsAreCachedAndDropped(t *testing.T) {
	h := newFixture(t)
	h.client("a")
	c, err := h.p.Client(h.ctx, "a")
	h.ok(err)
	h.ok(h.engine.PutClient(h.ctx, func() storage.Client { c.Name = "New name"; return c }(), nil))
	if got, err := h.p.Client(h.ctx, "a"); err != nil || got.Name == "New name" {
		t.Errorf("before the poll: %q, %v, want the old name", got.Name, err)
	}
	h.ok(h.p.Poll(h.ctx))
	if got, err := h.p.Client(h.ctx, "a"); err != nil || got.Name != "New name" {
		t.Errorf("after the poll: %q, %v, want the new name", got.Name, err)
	}
	if _, err := h.p.Client(h.ctx, "nobody"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("unknown client: %v, want not found", err)
	}
}

func TestOrigins(t *testing.T) {
	h := newFixture(t)
	h.client("a", func(c *storage.Client) { c.AllowedOrigins = []string{"https://spa.example", "null"} })
	h.client("off", func(c *storage.Client) { c.Disabled, c.AllowedOrigins = true, []string{"https://off.example"} })
	for origin, want := range map[string]bool{"https://spa.example": true, "https://rp.example": true, "https://off.example": false,
		"https://evil.example": false, "null": false, "": false, "https://spa.example.evil.example": false, "http://spa.example": false} {
		if got := h.p.OriginAllowed(h.ctx, origin); got != want {
			t.Errorf("OriginAllowed(%q) = %v, want %v", origin, got, want)
		}
	}
	h.client("b", func(c *storage.Client) { c.AllowedOrigins = []string{"https://new.example"} })
	if !h.p.OriginAllowed(h.ctx, "https://new.example") {
		t.Error("a new origin is not allowed after the poll")
	}
	b := h.store
	h.p.clients.Drop()
	b.broken = "ListClients"
	if h.p.OriginAllowed(h.ctx, "https://spa.example") {
		t.Error("an origin is allowed though storage failed")
	}
}

// A redirect URI and a setting name an origin in any spelling; browsers send one.
func TestOriginsInEverySpelling(t *testing.T) {
	h := newFixture(t)
	h.client("a", func(c *storage.Client) {
		c.RedirectURIs = []string{"https://rp.example:443/cb", "https://Shop.Example/cb"}
		c.AllowedOrigins = []string{"https://bücher.example", "https://API.example:443"}
	})
	c, err := h.p.clients.Client(h.ctx, "a")
	h.ok(err)
	h.p.options.Issuer = "https://LOGIN.example:443"
	for from, want := range map[string]bool{"https://rp.example": true, "https://shop.example": true, "https://xn--bcher-kva.example": true,
		"https://api.example": true, "https://login.example": true, "https://api.example:8443": false, "http://api.example": false, "null": false, "com.example.app:/cb": false} {
		if got := h.p.allowsOrigin(c, from); got != want {
			t.Errorf("a call from %q: %v, want %v", from, got, want)
		}
		if got := h.p.OriginAllowed(h.ctx, from); got != (want && from != "https://login.example") {
			t.Errorf("OriginAllowed(%q) = %v", from, got)
		}
	}
	if why := c.CheckRedirect("https://rp.example/cb"); why == "" {
		t.Error("a redirect URI in another spelling is accepted")
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	h := newFixture(t)
	ctx, cancel := context.WithCancel(h.ctx)
	cancel()
	if err := h.p.Run(ctx); err != nil {
		t.Errorf("Run = %v, want nil", err)
	}
}

func TestOptions(t *testing.T) {
	for _, tc := range []struct {
		name string
		o    Options
		ok   bool
	}{
		{"https", Options{Issuer: "https://op.example"}, true},
		{"with port and path", Options{Issuer: "https://op.example:8443/realm"}, true},
		{"plain http for development", Options{Issuer: "http://localhost:8080"}, true},
		{"nothing", Options{}, false},
		{"trailing slash", Options{Issuer: "https://op.example/"}, false},
		{"query", Options{Issuer: "https://op.example?x"}, false},
		{"fragment", Options{Issuer: "https://op.example#"}, false},
		{"user information", Options{Issuer: "https://u@op.example"}, false},
		{"another scheme", Options{Issuer: "ftp://op.example"}, false},
		{"HMAC", Options{Issuer: "https://op.example", SigningAlg: "HS256"}, false},
		{"none", Options{Issuer: "https://op.example", SigningAlg: "none"}, false},
		{"an alias of an unknown level", Options{Issuer: "https://op.example", ACRAliases: map[string]mfa.Level{"x": "y"}}, false},
		{"an alias with a space", Options{Issuer: "https://op.example", ACRAliases: map[string]mfa.Level{"x y": mfa.AAL1}}, false},
		{"a negative lifetime", Options{Issuer: "https://op.example", CodeTTL: -1}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := tc.o.complete(); (err == nil) != tc.ok {
				t.Errorf("complete = %v, want ok %v", err, tc.ok)
			}
		})
	}
}

// empty is a source of randomness that fails.
type empty struct{}

func (empty) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestWithoutRandomnessThereIsNoCode(t *testing.T) {
	p := &Provider{random: empty{}}
	if code, err := secret.New(p.random); err == nil || code != "" {
		t.Errorf("draw = %q, %v, want an error", code, err)
	}
}
