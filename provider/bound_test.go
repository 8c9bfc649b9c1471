package provider

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport/storage"
	"sallyport/storage/storagetest"
)

// TestATokenIsOfUseWithItsKeyOnly follows the access token of a user to all endpoints that take one.
//
// Conformance (DPoP): RFC 9449 5: tokens are bound to the key of the proof; refresh tokens of public clients for good
// Conformance (DPoP): RFC 9449 6.1, 6.2: `cnf.jkt` in tokens and in introspection, with `token_type` DPoP
// Conformance (DPoP): RFC 9449 7.1, 7.2: a bound token is refused without a proof, as a bearer token, and with another key
func TestATokenIsOfUseWithItsKeyOnly(t *testing.T) {
	for _, format := range []string{"jwt", "opaque"} {
		t.Run(format, func(t *testing.T) {
			h := newFixture(t)
			h.client("rp", func(c *storage.Client) { c.AccessTokenFormat, c.ManagesFactors = format, true })
			h.user("ada", "")
			p, thief := h.prover(), h.prover()
			code, _ := h.signIn(params("rp"), "ada")
			token := h.tokenWith("rp", redeem(code), p.forToken()).get("access_token")
			inspected := h.post(h.p.Introspection.Introspect, "rp", formOf("token", token))
			cnf, _ := inspected.Body["cnf"].(map[string]any)
			if cnf["jkt"] != p.jkt() || inspected.get("token_type") != "DPoP" || inspected.Body["active"] != true {
				t.Errorf("introspection = %s, want the key %s", inspected.Raw, p.jkt())
			}
			if got := h.userinfoWith("dPoP", token, p.forUserinfo(token)); got.Status != http.StatusOK || got.get("sub") == "" {
				t.Fatalf("userinfo = %d %s, want claims", got.Status, got.Raw)
			}
			used := p.forUserinfo(token)
			h.userinfoWith("DPoP", token, used)
			for name, tc := range map[string]struct {
				scheme, proof, code string
			}{
				"without the key":            {"Bearer", "", "invalid_token"},
				"as a bearer, with a proof":  {"Bearer", p.forUserinfo(token), "invalid_token"},
				"without a proof":            {"DPoP", "", "invalid_dpop_proof"},
				"with another key":           {"DPoP", thief.forUserinfo(token), "invalid_token"},
				"with the proof for a token": {"DPoP", p.forToken(), "invalid_dpop_proof"},
				"no hash of the token":       {"DPoP", p.forUserinfo(token, part{"ath", nil}), "invalid_dpop_proof"},
				"the hash of another token":  {"DPoP", p.forUserinfo(token + "x"), "invalid_dpop_proof"},
				"a used proof":               {"DPoP", used, "invalid_dpop_proof"},
			} {
				var proofs []string
				if tc.proof != "" {
					proofs = []string{tc.proof}
				}
				got := h.userinfoWith(tc.scheme, token, proofs...)
				challenges := got.Header.Values("WWW-Authenticate")
				if got.Status != http.StatusUnauthorized || got.get("error") != tc.code || len(challenges) != 2 ||
					!strings.HasPrefix(challenges[0], tc.scheme+" ") || !strings.Contains(challenges[0], `error="`+tc.code+`"`) ||
					!strings.Contains(strings.Join(challenges, "\n"), `DPoP algs="ES256 PS256 Ed25519 EdDSA"`) {
					t.Errorf("%s: %d %s %q, want 401 %s", name, got.Status, got.Raw, challenges, tc.code)
				}
			}
			if got := h.inspectBy(token, token); got.Status != http.StatusUnauthorized {
				t.Errorf("introspection by the bearer = %d %s, want 401", got.Status, got.Raw)
			}
			if _, err := h.p.Introspection.Owner(h.ctx, token); err == nil {
				t.Error("the bearer manages the account")
			}
			if hint, _, err := h.p.logoutHint(h.ctx, url.Values{}, url.Values{"access_token_hint": {token}}); hint != nil || err != nil {
				t.Errorf("the bearer signs the user out: %v %v", hint, err)
			}
		})
	}
	h := newFixture(t)
	h.client("rp")
	h.user("ada", "")
	token, _ := h.access("rp")
	if got := h.userinfoWith("DPoP", token, h.prover().forUserinfo(token)); got.get("error") != "invalid_token" {
		t.Errorf("a token without a key, with a proof = %d %s, want invalid_token", got.Status, got.Raw)
	}
	if got := h.userinfoWith("Bearer", token, "ignored"); got.Status != http.StatusOK {
		t.Errorf("a token without a key = %d %s, want claims", got.Status, got.Raw)
	}
}

// A proof is used by one of any number of callers, whichever server they call.
//
// Conformance (DPoP): RFC 9449 4.3, 11.1: a proof is accepted once, by all servers together
func TestAProofIsUsedOnce(t *testing.T) {
	run := func(t *testing.T, dsn string) {
		h := newFixtureOn(t, dsn)
		h.client("rp")
		p := h.prover()
		proof, form := p.forToken(), formOf("grant_type", "client_credentials", "scope", "read")
		if n := len(count(t, parallel(8, func() reply { return h.tokenWith("rp", form, proof) }), "invalid_dpop_proof")); n != 1 {
			t.Errorf("%d of 8 callers got tokens for one proof, want 1", n)
		}
		h.wait(2 * time.Minute)
		if got := h.tokenWith("rp", form, proof); got.get("error") != "invalid_dpop_proof" {
			t.Errorf("later = %d %s, want invalid_dpop_proof", got.Status, got.Raw)
		}
	}
	t.Run("sqlite", func(t *testing.T) { run(t, "") })
	t.Run("postgres", func(t *testing.T) { run(t, storagetest.Postgres(t)) })
}

// A caller who is not authenticated writes nothing, whatever their proofs.
func TestAProofIsUsedByWhoMayHaveTokens(t *testing.T) {
	h := newFixture(t)
	h.client("spa", public)
	proof := h.prover().forToken()
	before := h.engine.Stats().Commits
	if got := h.tokenWith("", redeem("sp_ac_unknown", "client_id", "spa"), proof); got.get("error") != "invalid_grant" {
		t.Fatalf("an unknown code = %d %s, want invalid_grant", got.Status, got.Raw)
	}
	if n := h.engine.Stats().Commits - before; n != 0 {
		t.Errorf("%d commits, want none", n)
	}
}

// Conformance (DPoP): RFC 9449 10: a code is bound to `dpop_jkt`
func TestACodeIsBoundToItsKey(t *testing.T) {
	for _, id := range []string{"rp", "spa"} {
		h := newFixture(t)
		h.client("rp")
		h.client("spa", public)
		h.user("ada", "")
		p, thief := h.prover(), h.prover()
		form := func(code string) url.Values {
			if id == "spa" {
				return redeem(code, "client_id", "spa")
			}
			return redeem(code)
		}
		code, _ := h.signIn(params(storage.ClientID(id), "dpop_jkt", p.jkt()), "ada")
		for name, proofs := range map[string][]string{"no proof": nil, "another key": {thief.forToken()}} {
			if got := h.tokenWith(id, form(code), proofs...); got.get("error") != "invalid_grant" || got.Refusal.Reason != "wrong_key" {
				t.Errorf("%s, %s = %d %s (%s), want invalid_grant", id, name, got.Status, got.Raw, got.Refusal.Reason)
			}
		}
		tokens := h.tokenWith(id, form(code), p.forToken())
		if tokens.Status != http.StatusOK {
			t.Fatalf("%s with its key = %d %s", id, tokens.Status, tokens.Raw)
		}
		// Who has no key cannot end the grant with a code they saw.
		h.tokenWith(id, form(code), thief.forToken())
		if token := tokens.get("access_token"); h.userinfoWith("DPoP", token, p.forUserinfo(token)).Status != http.StatusOK {
			t.Errorf("%s: a thief without the key ended the grant", id)
		}
		h.tokenWith(id, form(code), p.forToken())
		if token := tokens.get("access_token"); h.userinfoWith("DPoP", token, p.forUserinfo(token)).Status == http.StatusOK {
			t.Errorf("%s: the code was used again with its key, and the grant lives", id)
		}
	}
}

// Conformance (DPoP): RFC 9449 10: a code is bound to `dpop_jkt`
func TestDPoPKeysOfRequests(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	for _, jkt := range []string{"x", strings.Repeat("x", 44), strings.Repeat("=", 43)} {
		b := h.begin(params("rp", "dpop_jkt", jkt), nil)
		if b.Answer == nil || h.values(*b.Answer).Get("error") != "invalid_request" {
			t.Errorf("dpop_jkt %q = %+v, want invalid_request", jkt, b)
		}
	}
}

// RFC 9449 section 5.
//
// Conformance (DPoP): RFC 9449 5: tokens are bound to the key of the proof; refresh tokens of public clients for good
func TestRefreshTokensOfPublicClientsAreBound(t *testing.T) {
	h := newFixture(t)
	h.client("spa", public, grace(10))
	h.user("ada", "")
	p, thief := h.prover(), h.prover()
	code, _ := h.signIn(params("spa", "scope", "openid offline_access"), "ada")
	form := func(token string) url.Values { return refreshOf(token, "client_id", "spa") }
	first := h.tokenWith("", redeem(code, "client_id", "spa"), p.forToken())
	old := first.get("refresh_token")
	for name, proofs := range map[string][]string{"no proof": nil, "another key": {thief.forToken()}} {
		if got := h.tokenWith("", form(old), proofs...); got.get("error") != "invalid_grant" || got.Refusal.Reason != "wrong_key" {
			t.Errorf("%s = %d %s (%s), want invalid_grant", name, got.Status, got.Raw, got.Refusal.Reason)
		}
	}
	next := h.tokenWith("", form(old), p.forToken())
	if next.Status != http.StatusOK || next.get("token_type") != "DPoP" {
		t.Fatalf("refresh = %d %s, want tokens", next.Status, next.Raw)
	}
	if got := h.tokenWith("", form(old), thief.forToken()); got.get("error") != "invalid_grant" {
		t.Errorf("the old token with another key, within the grace = %d %s, want invalid_grant", got.Status, got.Raw)
	}
	again := h.tokenWith("", form(old), p.forToken())
	if again.get("refresh_token") != next.get("refresh_token") {
		t.Errorf("the old token within the grace = %d %s, want the same successor", again.Status, again.Raw)
	}
	h.wait(time.Minute)
	h.tokenWith("", form(old), thief.forToken())
	if got := h.tokenWith("", form(next.get("refresh_token")), p.forToken()); got.get("error") != "invalid_grant" {
		t.Errorf("after reuse of an old token = %d %s, want the end of the family", got.Status, got.Raw)
	}
}

// A thief of a token from before the first proof binds the family to their key. The client then
// notices, and ends it.
func TestAThiefWhoBindsARefreshTokenIsNoticed(t *testing.T) {
	h := newFixture(t)
	h.client("spa", public, grace(0))
	h.user("ada", "")
	p, thief := h.prover(), h.prover()
	code, _ := h.signIn(params("spa", "scope", "openid offline_access"), "ada")
	stolen := h.tokenWith("", redeem(code, "client_id", "spa")).get("refresh_token")
	form := func(token string) url.Values { return refreshOf(token, "client_id", "spa") }
	taken := h.tokenWith("", form(stolen), thief.forToken())
	if taken.Status != http.StatusOK {
		t.Fatalf("%d %s", taken.Status, taken.Raw)
	}
	h.tokenWith("", form(stolen), p.forToken())
	if got := h.tokenWith("", form(taken.get("refresh_token")), thief.forToken()); got.get("error") != "invalid_grant" {
		t.Errorf("the thief = %d %s, want the end of the family", got.Status, got.Raw)
	}
}

// Their secret protects them, so a new key is fine (FAPI 2.0 Security Profile).
//
// Conformance (DPoP): RFC 9449 5: a client that authenticates may bring a new key
func TestRefreshTokensOfConfidentialClientsTakeANewKey(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	h.user("ada", "")
	code, _ := h.signIn(params("rp", "scope", "openid offline_access"), "ada")
	first, p := h.tokenWith("rp", redeem(code), h.prover().forToken()), h.prover()
	next := h.tokenWith("rp", refreshOf(first.get("refresh_token")), p.forToken())
	access, _ := h.readJWT(next.get("access_token"))
	if cnf, _ := access["cnf"].(map[string]any); next.Status != http.StatusOK || cnf["jkt"] != p.jkt() {
		t.Errorf("refresh = %d %s, want tokens bound to the new key", next.Status, next.Raw)
	}
}

// Conformance (DPoP): RFC 9449 5.2: `dpop_bound_access_tokens`
func TestClientsThatMustSendProofs(t *testing.T) {
	h := newFixture(t)
	h.client("rp", func(c *storage.Client) { c.DPoPBound = true })
	form := formOf("grant_type", "client_credentials", "scope", "read")
	if got := h.tokenWith("rp", form); got.Status != http.StatusBadRequest || got.get("error") != "invalid_dpop_proof" || got.Refusal.Reason != "no_proof" {
		t.Errorf("without a proof = %d %s, want invalid_dpop_proof", got.Status, got.Raw)
	}
	if got := h.tokenWith("rp", form, h.prover().forToken()); got.get("token_type") != "DPoP" {
		t.Errorf("with a proof = %d %s, want tokens of type DPoP", got.Status, got.Raw)
	}
}

// Conformance (DPoP): RFC 9449 8, 9: nonces of the server
func TestNoncesOfProofs(t *testing.T) {
	h := newFixture(t)
	o := h.p.options
	o.RequireDPoPNonce = true
	strict, err := New(h.store, h.keyring, h.verifier, h.sessions, h.journal, h.now, rand.Reader, o)
	h.ok(err)
	h.client("rp")
	h.user("ada", "")
	code, _ := h.signIn(params("rp"), "ada")
	p, form := h.prover(), formOf("grant_type", "client_credentials", "scope", "read")
	token := h.tokenWith("rp", redeem(code), p.forToken()).get("access_token")
	offered := h.tokenWith("rp", form, p.forToken()).Header.Get("DPoP-Nonce")
	if offered == "" || h.tokenWith("rp", form).Header.Get("DPoP-Nonce") != "" {
		t.Errorf("nonce %q, want one, and only for clients with proofs", offered)
	}
	h.p = strict
	want := func(name string, got reply, status int, code string) {
		t.Helper()
		if got.Status != status || got.get("error") != code || got.Header.Get("DPoP-Nonce") == "" {
			t.Errorf("%s = %d %s, want %d %q and a nonce", name, got.Status, got.Raw, status, code)
		}
	}
	want("no nonce", h.tokenWith("rp", form, p.forToken()), 400, "use_dpop_nonce")
	want("a nonce of nobody", h.tokenWith("rp", form, p.forToken(part{"nonce", "x"})), 400, "use_dpop_nonce")
	want("the nonce of another server", h.tokenWith("rp", form, p.forToken(part{"nonce", offered})), 200, "")
	want("userinfo without a nonce", h.userinfoWith("DPoP", token, p.forUserinfo(token)), 401, "use_dpop_nonce")
	want("userinfo", h.userinfoWith("DPoP", token, p.forUserinfo(token, part{"nonce", offered})), 200, "")
	h.wait(3 * time.Minute)
	want("the nonce before", h.tokenWith("rp", form, p.forToken(part{"nonce", offered})), 200, "")
	h.wait(3 * time.Minute)
	want("an older nonce", h.tokenWith("rp", form, p.forToken(part{"nonce", offered})), 400, "use_dpop_nonce")
}
