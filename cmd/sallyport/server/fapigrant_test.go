package server_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// Conformance (FAPI 2.0): Security Profile 5.3.2.1, RFC 6749 4.4: the profile fapi_client_credentials_grant, modules happy-flow, ensure-holder-of-key-required, ensure-client-id-in-token-endpoint, ensure-invalid-client-assertions-fail, dpop-negative-tests at the token endpoint: a token of its own, bound to the client's key, without ID token and refresh token; other scopes and keys, and uses without the key, are refused
func TestFAPIClientCredentials(t *testing.T) {
	both(t, func(b *bank, one, two *fapiClient) {
		ask := func(c *fapiClient, changes set) reply {
			form := set{"grant_type": "client_credentials", "scope": "reports"}
			for name, value := range changes {
				form[name] = value
			}
			return c.post("/token", form)
		}
		made := ask(one, nil)
		header, claims := claimsOf(b.t, made.get("access_token"))
		kind, binding := "DPoP", thumbprint(b.t, one.proves)
		confirmation, _ := claims["cnf"].(map[string]any)
		bound := confirmation["jkt"] == binding
		if b.mutual {
			kind, bound = "Bearer", confirmation["x5t#S256"] != nil
		}
		if made.code != 200 || made.get("token_type") != kind || made.get("scope") != "reports" || made.body["expires_in"] == nil || made.body["refresh_token"] != nil || made.body["id_token"] != nil ||
			made.header.Get("Cache-Control") != "no-store" || header["alg"] != "ES256" || !bound || len(confirmation) != 1 || claims["sub"] != "one" || claims["client_id"] != "one" {
			b.t.Fatalf("happy-flow = %d %s: %v %v", made.code, made.raw, header, claims)
		}
		seen := one.post("/introspect", set{"token": made.get("access_token")})
		if inside, _ := seen.body["cnf"].(map[string]any); seen.body["active"] != true || len(inside) != 1 || inside["jkt"] != confirmation["jkt"] || inside["x5t#S256"] != confirmation["x5t#S256"] {
			b.t.Errorf("introspection = %d %s", seen.code, seen.raw)
		}
		if got := one.resource(made.get("access_token"), nil); got.code != 401 && got.code != 403 {
			b.t.Errorf("userinfo without a user = %d %s", got.code, got.raw)
		}
		if without := one.post("/token", set{"grant_type": "client_credentials"}); without.code == 200 && without.body["id_token"] != nil {
			b.t.Errorf("without a scope = %d %s", without.code, without.raw)
		}
		ask(one, set{"scope": "payments"}).mustRefuse(b.t, "a scope of nobody", "invalid_scope")
		ask(one, set{"proof": nil, "certificate": nil}).mustRefuse(b.t, "holder-of-key missing", "invalid_dpop_proof", "invalid_client")
		ask(one, set{"client_id": "two"}).mustRefuse(b.t, "client_id of another client", "invalid_client")
		if b.mutual {
			thief := *two
			thief.id = "one"
			ask(&thief, nil).mustRefuse(b.t, "the certificate of another client", "invalid_client")
			return
		}
		used := one.proof(one.proves, "POST", "/token", "", nil)
		if got := ask(one, set{"proof": used}); got.code != 200 {
			b.t.Fatalf("a proof = %d %s", got.code, got.raw)
		}
		for name, proof := range map[string]string{
			"used again": used, "garbage": "GARBAGE", "for another method": one.proof(one.proves, "GET", "/token", "", nil), "for another address": one.proof(one.proves, "POST", "/par", "", nil),
			"an hour old": one.proof(one.proves, "POST", "/token", "", set{"iat": one.now() - 3600}), "an hour ahead": one.proof(one.proves, "POST", "/token", "", set{"iat": one.now() + 3600}),
			"without jti": one.proof(one.proves, "POST", "/token", "", set{"jti": nil}), "alg none": one.proof(one.proves, "POST", "/token", "", set{"header alg": "none"}),
			"signed with another key": one.proof(two.proves, "POST", "/token", "", set{"header jwk": jwkOf(b.t, one.proves)}),
		} {
			ask(one, set{"proof": proof}).mustRefuse(b.t, "a proof "+name, "invalid_dpop_proof")
		}
		once := one.assertion(nil)
		if got := ask(one, set{"client_assertion": once}); got.code != 200 {
			b.t.Fatalf("an assertion = %d %s", got.code, got.raw)
		}
		for name, assertion := range map[string]any{"used again": once, "absent": nil, "RS256": one.assertion(set{"header alg": "RS256", "header kid": "rsa"}), "expired": one.assertion(set{"exp": one.now() - 300}),
			"for the endpoint": one.assertion(set{"aud": b.issuer + "/token"}), "for a list": one.assertion(set{"aud": []string{b.issuer}}), "of another client": two.assertion(set{"iss": "one", "sub": "one"})} {
			ask(one, set{"client_assertion": assertion}).mustRefuse(b.t, "an assertion "+name, "invalid_client", "invalid_request")
			b.wait(time.Second)
		}
	})
}

// Conformance (FAPI 2.0): RFC 9449 4.3, 7.1, 7.2: modules dpop-negative-tests, access-token-type-header-case-sensitivity at the resource: a proof that is malformed, incomplete, of another key, request, token or time, or one of two, is refused; the spelling of the scheme and of the address does not count
func TestFAPIProofsAtTheResource(t *testing.T) {
	b, one, two := newBank(t, false)
	token := one.redeem(one.code(nil), nil).get("access_token")
	proof := func(changes set) string {
		return one.proof(one.proves, http.MethodGet, "/userinfo", token, changes)
	}
	private := jwkOf(t, one.proves)
	d, err := one.proves.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	private["d"] = base64.RawURLEncoding.EncodeToString(d)
	upper := strings.ToUpper(b.issuer) + "/userinfo"
	for name, changes := range map[string]set{
		"DPoP": nil, "dpop": {"scheme": "dpop"}, "DPOP": {"scheme": "DPOP"}, "htu with a query and a fragment": {"proof": proof(set{"htu": b.issuer + "/userinfo?a=b#c"})},
		"htu in upper case": {"proof": proof(set{"htu": upper})}, "a claim more": {"proof": proof(set{"more": "claims"})},
	} {
		if got := one.resource(token, changes); got.code != 200 {
			t.Errorf("%s = %d %s", name, got.code, got.raw)
		}
	}
	good := func() string { return proof(nil) }
	for name, changes := range map[string]set{
		"no proof": {"proof": nil}, "the scheme Bearer": {"scheme": "Bearer"}, "garbage": {"proof": "GARBAGE"}, "two proofs": {"proof": []string{good(), good()}}, "a malformed JWT": {"proof": "a" + good()},
		"no typ": {"proof": proof(set{"header typ": nil})}, "no alg": {"proof": proof(set{"header alg": nil})}, "no jwk": {"proof": proof(set{"header jwk": nil})}, "another typ": {"proof": proof(set{"header typ": "JWT"})},
		"RS256": {"proof": proof(set{"header alg": "RS256"})}, "alg none": {"proof": proof(set{"header alg": "none"})}, "a private key": {"proof": proof(set{"header jwk": private})},
		"no jti": {"proof": proof(set{"jti": nil})}, "no htm": {"proof": proof(set{"htm": nil})}, "no htu": {"proof": proof(set{"htu": nil})}, "no iat": {"proof": proof(set{"iat": nil})}, "no ath": {"proof": proof(set{"ath": nil})},
		"another htm": {"proof": proof(set{"htm": "POST"})}, "another htu": {"proof": proof(set{"htu": b.issuer + "/token"})}, "an hour old": {"proof": proof(set{"iat": one.now() - 3600})}, "an hour ahead": {"proof": proof(set{"iat": one.now() + 3600})},
		"another ath": {"proof": one.proof(one.proves, http.MethodGet, "/userinfo", token+"x", nil)}, "another key": {"proof": one.proof(two.proves, http.MethodGet, "/userinfo", token, nil)},
		"the signature of another key": {"proof": one.proof(two.proves, http.MethodGet, "/userinfo", token, set{"header jwk": jwkOf(t, one.proves)})},
	} {
		got := one.resource(token, changes)
		if (got.code != 400 && got.code != 401) || !strings.Contains(strings.Join(got.header.Values("WWW-Authenticate"), ", "), "DPoP") {
			t.Errorf("%s = %d %v %s, want a challenge", name, got.code, got.header.Values("WWW-Authenticate"), got.raw)
		}
	}
	used := good()
	one.resource(token, set{"proof": used})
	if got := one.resource(token, set{"proof": used}); got.code != 401 {
		t.Errorf("a proof used again = %d %s", got.code, got.raw)
	}
	inQuery := httptest.NewRequest(http.MethodGet, "/userinfo?access_token="+token, nil)
	inQuery.Header.Set("DPoP", good())
	if got := one.send(inQuery, false); got.code < 400 || got.code > 401 {
		t.Errorf("a token in the query = %d %s", got.code, got.raw)
	}
}
