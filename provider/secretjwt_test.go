package provider

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sallyport/mfa"
	"sallyport/provider/clients"
	"sallyport/storage"
)

// signingSecret is a key for every algorithm.
var signingSecret = strings.Repeat("0123456789abcdef", 4)

// signsBy lets a client sign with secrets, the newest first; "": with any algorithm.
func signsBy(alg string, secrets ...string) func(*storage.Client) {
	return func(c *storage.Client) {
		c.AuthMethod, c.AuthSigningAlg, c.SecretHashes = clients.SecretJWT, alg, nil
		for i := range secrets {
			clients.AddSecret(c, secrets[len(secrets)-1-i])
		}
	}
}

// hmacProver signs with a secret.
func (h *fixture) hmacProver(alg jose.SignatureAlgorithm, secret string) *prover {
	return &prover{h, alg, []byte(secret), jose.JSONWebKey{}}
}

// Conformance (Client assertions): OpenID Connect Core 9: `client_secret_jwt` with HS256, HS384 and HS512 is accepted wherever a secret is
func TestAClientSignsWithItsSecret(t *testing.T) {
	onBothDatabases(t, func(h *fixture) {
		h.client("rp", signsBy("", signingSecret))
		token := ""
		for _, alg := range []jose.SignatureAlgorithm{jose.HS256, jose.HS384, jose.HS512} {
			p := h.hmacProver(alg, signingSecret)
			for name, text := range map[string]string{
				"for the issuer":         p.assert("rp"),
				"for the token endpoint": p.assert("rp", part{"aud", []string{issuer + "/token"}}),
				"without a name":         p.assert("rp", part{"header kid", nil}),
			} {
				got := h.at("/token", asserting(text, reports...))
				if token = got.get("access_token"); got.Status != http.StatusOK || token == "" {
					t.Fatalf("%s %s = %d %s, want tokens", alg, name, got.Status, got.Raw)
				}
			}
		}
		p := h.hmacProver(jose.HS256, signingSecret)
		h.introspectsAndRevokes(p, token)
		if strings.Contains(h.logged.String(), signingSecret) {
			t.Error("the secret is in the log")
		}
	})
}

// Conformance (Client assertions): OpenID Connect Core 9: a client that signs with its secret does not send it, and no other client signs with HMAC
// Conformance (Client assertions): RFC 8725 2.1, 3.1, RFC 7518 3.2: neither a public key nor a hash of the secret verifies HMAC, and no secret that is shorter than the hash
func TestHostileAssertionsWithASecret(t *testing.T) {
	h := newFixture(t)
	keyed := h.prover()
	public, err := json.Marshal(keyed.public)
	h.ok(err)
	sum := sha256.Sum256([]byte(signingSecret))
	h.client("rp", signsBy("", signingSecret))
	h.client("limited", signsBy("HS512", signingSecret))
	h.client("short", signsBy("", signingSecret[:47]))
	set := h.client("keyed", signsWith(keyed)).JWKS
	h.client("basic", func(c *storage.Client) { c.SecretHashes = nil; clients.AddSecret(c, signingSecret) })
	h.client("left over", signsBy("", signingSecret), func(c *storage.Client) { c.AuthMethod = "client_secret_post" })
	h.client("stale", signsBy("", signingSecret), func(c *storage.Client) { c.SecretHashes = [][]byte{make([]byte, 32)} })
	h.client("with keys too", signsBy("", signingSecret), func(c *storage.Client) {
		was := *c
		signsWith(keyed)(c)
		c.AuthMethod, c.SecretHashes = was.AuthMethod, was.SecretHashes
	})
	sign := func(secret, id string, changes ...part) string {
		return h.hmacProver(jose.HS256, secret).assert(id, changes...)
	}
	// go-jose signs with no short key.
	byShort := func(id string) string {
		parts := strings.Split(sign(signingSecret, id, part{"header kid", nil}), ".")
		head := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS384"}`))
		mac := hmac.New(sha512.New384, []byte(signingSecret[:47]))
		fmt.Fprint(mac, head+"."+parts[1])
		return head + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}
	now := h.now().Unix()
	h.refusesAssertions(map[string]string{
		"another secret":                          sign(strings.Repeat("x", 64), "rp"),
		"the hash as a secret":                    sign(string(sum[:]), "rp"),
		"the hash in digits as a secret":          sign(hex.EncodeToString(sum[:]), "rp"),
		"another algorithm than the client's":     sign(signingSecret, "limited"),
		"a secret that is too short for HS384":    byShort("short"),
		"a key in place of the secret":            keyed.assert("rp"),
		"a registered key in place of the secret": keyed.assert("with keys too"),
		"a public key as a secret":                sign(string(public), "keyed"),
		"a public key set as a secret":            sign(string(set), "keyed"),
		"a client with the secret in a header":    sign(signingSecret, "basic"),
		"a client with another method by now":     sign(signingSecret, "left over"),
		"a secret that was replaced":              sign(signingSecret, "stale"),
		"no signature":                            "eyJhbGciOiJub25lIn0." + strings.Split(sign(signingSecret, "rp"), ".")[1] + ".",
		"a wrong signature":                       tampered(sign(signingSecret, "rp")),
		"a request object":                        sign(signingSecret, "rp", part{"header typ", "oauth-authz-req+jwt"}),
		"a critical header":                       sign(signingSecret, "rp", part{"header crit", []string{"x"}}, part{"header x", true}),
		"another issuer":                          sign(signingSecret, "rp", part{"iss", "limited"}),
		"another subject":                         sign(signingSecret, "rp", part{"sub", "limited"}),
		"another audience beside":                 sign(signingSecret, "rp", part{"aud", []string{issuer, "https://evil.example"}}),
		"expired":                                 sign(signingSecret, "rp", part{"exp", now - 60}),
		"valid for too long":                      sign(signingSecret, "rp", part{"exp", now + 3720}),
		"not valid yet":                           sign(signingSecret, "rp", part{"nbf", now + 3600}),
		"issued in the future":                    sign(signingSecret, "rp", part{"iat", now + 3600}),
		"no jti":                                  sign(signingSecret, "rp", part{"jti", nil}),
		"no exp":                                  sign(signingSecret, "rp", part{"exp", nil}),
	})
	sent := append(reports, "client_id", "rp", "client_secret", signingSecret)
	for name, got := range map[string]reply{
		"in a header": h.at("/token", formOf(reports...), "Authorization", basic("rp", signingSecret)),
		"in the form": h.at("/token", formOf(sent...)),
		"not at all":  h.at("/token", formOf(append(reports, "client_id", "rp")...)),
	} {
		if got.Status != http.StatusUnauthorized || got.Refusal.Reason != "wrong_method" {
			t.Errorf("the secret %s = %d %s (%s), want 401 wrong_method", name, got.Status, got.Raw, got.Refusal.Reason)
		}
	}
	if got := h.at("/token", asserting(sign(signingSecret, "rp"), sent...)); got.Status != http.StatusBadRequest {
		t.Errorf("an assertion and the secret = %d %s, want 400", got.Status, got.Raw)
	}
	if got := h.at("/token", asserting(sign(signingSecret, "rp"), reports...)); got.Status != http.StatusOK {
		t.Errorf("a right assertion = %d %s, want tokens", got.Status, got.Raw)
	}
}

// Conformance (Client assertions): RFC 7523 3: an assertion that a secret signed is accepted once, by all servers together, and both secrets sign during a rotation
func TestAnAssertionWithASecretIsUsedOnce(t *testing.T) {
	onBothDatabases(t, func(h *fixture) {
		registry := clients.NewRegistry(h.engine, h.journal, h.now, nil)
		h.client("rp", signsBy("HS256", signingSecret), func(c *storage.Client) { c.UpdatedAt = h.now().Add(-time.Second) })
		other := h.another()
		text, servers := h.hmacProver(jose.HS256, signingSecret).assert("rp"), []*fixture{h, other}
		turn := make(chan *fixture, 8)
		for i := range 8 {
			turn <- servers[i%2]
		}
		h.oneUsesIt(parallel(8, func() reply { return (<-turn).at("/token", asserting(text, reports...)) }))

		works := func(secret string) bool {
			t.Helper()
			h.ok(other.p.Poll(h.ctx))
			return other.at("/token", asserting(h.hmacProver(jose.HS256, secret).assert("rp"), reports...)).Status == http.StatusOK
		}
		next := strings.Repeat("fedcba9876543210", 4)
		if err := registry.AddSecret(h.ctx, h.visit, "rp", signingSecret[:31]); err == nil {
			t.Error("a secret too short to sign with is added")
		}
		h.ok(registry.AddSecret(h.ctx, h.visit, "rp", next))
		if !works(signingSecret) || !works(next) {
			t.Error("during a rotation want both secrets to sign")
		}
		h.ok(registry.FinishRotation(h.ctx, h.visit, "rp"))
		if works(signingSecret) || !works(next) {
			t.Error("after the rotation want the new secret alone to sign")
		}
	})
}

// Conformance (Client assertions): RFC 6749 10.10: wrong assertions with a secret make the client wait as wrong secrets do
func TestWrongAssertionsWithASecretWait(t *testing.T) {
	h := newFixture(t)
	h.client("rp", signsBy("", signingSecret))
	h.wrongSignaturesWait(h.hmacProver(jose.HS256, signingSecret))
}

// brokenStore has clients whose secrets do not open in their row.
type brokenStore struct{ Store }

func (s brokenStore) Client(ctx context.Context, id storage.ClientID) (storage.Client, error) {
	c, err := s.Store.Client(ctx, id)
	c.Secrets, c.Broken = nil, true
	return c, err
}

// Secrets that were moved to another row are a wrong secret, and an alarm (rule S-3).
func TestMovedSecretsSignNothing(t *testing.T) {
	h := newFixture(t)
	h.client("rp", signsBy("", signingSecret))
	h.store.Store = brokenStore{h.store.Store}
	got := h.at("/token", asserting(h.hmacProver(jose.HS256, signingSecret).assert("rp"), reports...))
	if got.Status != http.StatusUnauthorized || got.get("error") != "invalid_client" {
		t.Errorf("%d %s, want 401 invalid_client", got.Status, got.Raw)
	}
	if n := h.events(mfa.EventDecryptFailure); n != 1 {
		t.Errorf("%d alarms, want 1", n)
	}
}
