package provider

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sallyport/storage"
)

// An assertion is good once, and a client whose proof lacks a nonce sends both again.
func TestAPushAsksForANonceBeforeItUsesTheAssertion(t *testing.T) {
	h := newFixture(t)
	p := h.prover()
	h.client("rp", signsWith(p))
	assertion := p.assert("rp")
	push := func(nonce string) reply {
		form := params("rp", "client_assertion_type", assertionType, "client_assertion", assertion)
		r := httptest.NewRequest(http.MethodPost, "/par", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("DPoP", p.forToken(part{"htu", issuer + "/par"}, part{"nonce", nonce}))
		return h.call(h.p.Push, r)
	}
	before := h.engine.Stats().Commits
	first := push("of yesterday")
	if first.get("error") != "use_dpop_nonce" || h.engine.Stats().Commits != before {
		t.Fatalf("push = %d %s after %d commits, want use_dpop_nonce after none", first.Status, first.Raw, h.engine.Stats().Commits-before)
	}
	if again := push(first.Header.Get("DPoP-Nonce")); again.Status != http.StatusCreated {
		t.Errorf("with the nonce = %d %s, want 201", again.Status, again.Raw)
	}
}

// Whoever holds a revoked token writes nothing with it.
func TestProofsForRevokedTokensAreNotKept(t *testing.T) {
	onBothDatabases(t, func(h *fixture) {
		h.client("rp", func(c *storage.Client) { c.AccessTokenFormat = "opaque" })
		h.user("ada", "")
		p := h.prover()
		code, _ := h.signIn(params("rp"), "ada")
		token := h.tokenWith("rp", redeem(code), p.forToken()).get("access_token")
		sum := sha256.Sum256([]byte(token))
		calls := map[string]func() reply{
			"userinfo": func() reply { return h.userinfoWith("DPoP", token, p.forUserinfo(token)) },
			"introspection": func() reply {
				r := httptest.NewRequest(http.MethodPost, "/introspect", strings.NewReader(formOf("token", token).Encode()))
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				r.Header.Set("Authorization", "DPoP "+token)
				r.Header.Set("DPoP", p.sign(map[string]any{"jti": storage.Random128(rand.Reader), "htm": "POST", "htu": issuer + "/introspect",
					"iat": h.now().Unix(), "ath": base64.RawURLEncoding.EncodeToString(sum[:])}))
				return h.call(h.p.Introspection.IntrospectAsBearer, r)
			},
		}
		for name, call := range calls {
			if r := call(); r.Status != http.StatusOK {
				h.t.Fatalf("%s before = %d %s", name, r.Status, r.Raw)
			}
		}
		if r := h.post(h.p.Introspection.Revoke, "rp", formOf("token", token)); r.Status != http.StatusOK {
			h.t.Fatalf("revocation = %d %s", r.Status, r.Raw)
		}
		for name, call := range calls {
			before := h.engine.Stats().Commits
			r := call()
			if n := h.engine.Stats().Commits - before; r.get("error") != "invalid_token" || n != 0 {
				h.t.Errorf("%s = %d %s after %d commits, want invalid_token after none", name, r.Status, r.Raw, n)
			}
		}
	})
}
