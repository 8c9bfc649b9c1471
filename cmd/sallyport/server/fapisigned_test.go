package server_test

import (
	"maps"
	"strings"
	"testing"

	"sallyport/web/webtest"
)

// object signs an authorization request, changed.
func (c *fapiClient) object(changes set) string {
	now := c.now()
	return c.sign(c.key, set{"alg": "ES256", "kid": "ec", "typ": "oauth-authz-req+jwt"}, set{"iss": c.id, "client_id": c.id, "aud": c.issuer, "iat": now, "nbf": now, "exp": now + 300,
		"response_type": "code", "response_mode": "jwt", "redirect_uri": c.redirect, "scope": "openid email", "state": "the-state", "nonce": "the-nonce",
		"code_challenge": webtest.Challenge(fapiVerifier), "code_challenge_method": "S256"}, changes)
}

// Conformance (FAPI 2.0): Message Signing 5.3.1: modules ensure-request-object-without-exp-fails, ensure-request-object-without-nbf-fails, ensure-expired-request-object-fails, ensure-request-object-with-exp-over-60-fails, ensure-request-object-with-nbf-over-60-fails, ensure-request-object-with-bad-aud-fails, ensure-signed-request-object-with-RS256-fails, ensure-request-object-signature-algorithm-is-not-none, ensure-request-object-with-invalid-signature-fails, ensure-matching-key-in-authorization-request, ensure-unsigned-request-at-par-endpoint-fails, par-authorization-request-containing-request_uri: refused; ensure-request-object-with-nbf-8-seconds-in-the-future-is-accepted, ensure-request-object-with-multiple-aud-succeeds: accepted
// Conformance (FAPI 2.0): Message Signing 5.4.1: modules of the Security Profile with signed requests and JARM: `response` alone, with `iss`, `aud`, `exp`, and `code` or `error`, and `state` if it was signed
func TestFAPIMessageSigning(t *testing.T) {
	both(t, func(b *bank, one, two *fapiClient) {
		now := two.now()
		thief := *two
		thief.key = one.key
		for name, object := range map[string]any{
			"without-exp":               two.object(set{"exp": nil}),
			"without-nbf":               two.object(set{"nbf": nil}),
			"expired":                   two.object(set{"nbf": now - 600, "exp": now - 300}),
			"exp-over-60":               two.object(set{"exp": now + 70*60}),
			"nbf-over-60":               two.object(set{"nbf": now - 70*60}),
			"bad-aud":                   two.object(set{"aud": "https://other.example"}),
			"alg-is-RS256":              two.object(set{"header alg": "RS256", "header kid": "rsa"}),
			"alg-is-none":               two.object(set{"header alg": "none"}),
			"another key":               thief.object(nil),
			"request_uri":               two.object(set{"request_uri": "urn:ietf:params:oauth:request_uri:x"}),
			"another client's":          one.object(nil),
			"unsigned-request":          nil,
			"invalid-signature":         two.object(nil) + "x",
			"without-redirect-uri":      two.object(set{"redirect_uri": nil}),
			"unregistered-redirect-uri": two.object(set{"redirect_uri": "https://evil.example/cb"}),
			"pkce-required":             two.object(set{"code_challenge": nil, "code_challenge_method": nil}),
			"plain-pkce":                two.object(set{"code_challenge_method": "plain"}),
		} {
			form := set{"client_id": two.id, "request": object}
			if object == nil {
				form = set{"client_id": two.id, "response_type": "code", "redirect_uri": two.redirect, "scope": "openid", "state": "s", "code_challenge": webtest.Challenge(fapiVerifier), "code_challenge_method": "S256"}
			}
			two.post("/par", form).mustRefuse(b.t, name, "invalid_request_object", "invalid_request")
		}
		long := strings.Repeat("l", 384)
		for name, changes := range map[string]set{"happy-flow": nil, "nbf 8 s ahead": {"nbf": now + 8}, "aud in a list": {"aud": []string{"https://other.example", b.issuer}},
			"PS256": {"header alg": "PS256", "header kid": "rsa"}, "no response_mode": {"response_mode": nil}, "long state and nonce": {"state": long, "nonce": long},
			"without state and nonce": {"state": nil, "nonce": nil}, "user-rejects-authentication": {"prompt": "consent"}} {
			pushed := two.post("/par", set{"client_id": two.id, "request": two.object(changes)})
			if pushed.code != 201 {
				b.t.Fatalf("%s: push = %d %s", name, pushed.code, pushed.raw)
			}
			at := b.browser()
			two.open(at, pushed.get("request_uri"), "&state=outside&nonce=outside")
			rejects, response := changes["prompt"] != nil, two.sent
			if rejects {
				at.Submit("login-submit", "username", "ada", "password", "a lighthouse at dusk")
				at.Press("consent-deny")
				response = two.arrived
			}
			q := response(at)
			header, claims := claimsOf(b.t, q.Get("response"))
			code, _ := claims["code"].(string)
			signed := set{"state": "the-state", "nonce": "the-nonce"}
			maps.Copy(signed, changes)
			if q.Has("code") || q.Has("state") || q.Has("iss") || q.Get("dummy1") != "lorem" || header["alg"] != "ES256" || claims["iss"] != b.issuer || claims["aud"] != two.id ||
				claims["state"] != signed["state"] || (claims["error"] == "access_denied") != rejects {
				b.t.Errorf("%s: response = %v, %v %v", name, q, header, claims)
			}
			if rejects {
				continue
			}
			made := two.redeem(code, nil)
			if made.code != 200 {
				b.t.Fatalf("%s: tokens = %d %s", name, made.code, made.raw)
			}
			if _, id := claimsOf(b.t, made.get("id_token")); id["nonce"] != signed["nonce"] {
				b.t.Errorf("%s: ID token = %v", name, id)
			}
		}
	})
}
