package server_test

import (
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

// Conformance (FAPI 2.0): Message Signing 5.3.1: modules ensure-request-object-*: without exp or nbf, expired, exp or nbf an hour off, another aud, RS256, none, a bad signature, another client's key, a `request_uri` inside, no object: refused; nbf 8 s ahead and aud in a list: accepted
// Conformance (FAPI 2.0): Message Signing 5.4.1: module happy-flow with JARM: `response` alone, with `iss`, `aud`, `exp`, `code` and `state`
func TestFAPIMessageSigning(t *testing.T) {
	both(t, func(b *bank, one, two *fapiClient) {
		now := two.now()
		thief := *two
		thief.key = one.key
		for name, object := range map[string]any{
			"without-exp":       two.object(set{"exp": nil}),
			"without-nbf":       two.object(set{"nbf": nil}),
			"expired":           two.object(set{"nbf": now - 600, "exp": now - 300}),
			"exp-over-60":       two.object(set{"exp": now + 70*60}),
			"nbf-over-60":       two.object(set{"nbf": now - 70*60}),
			"bad-aud":           two.object(set{"aud": "https://other.example"}),
			"alg-is-RS256":      two.object(set{"header alg": "RS256", "header kid": "rsa"}),
			"alg-is-none":       two.object(set{"header alg": "none"}),
			"another key":       thief.object(nil),
			"request_uri":       two.object(set{"request_uri": "urn:ietf:params:oauth:request_uri:x"}),
			"another client's":  one.object(nil),
			"unsigned-request":  nil,
			"invalid-signature": two.object(nil) + "x",
		} {
			form := set{"client_id": two.id, "request": object}
			if object == nil {
				form = set{"client_id": two.id, "response_type": "code", "redirect_uri": two.redirect, "scope": "openid", "state": "s", "code_challenge": webtest.Challenge(fapiVerifier), "code_challenge_method": "S256"}
			}
			two.post("/par", form).mustRefuse(b.t, name, "invalid_request_object", "invalid_request")
		}
		for name, changes := range map[string]set{"happy-flow": nil, "nbf 8 s ahead": {"nbf": now + 8}, "aud in a list": {"aud": []string{"https://other.example", b.issuer}},
			"PS256": {"header alg": "PS256", "header kid": "rsa"}, "no response_mode": {"response_mode": nil}} {
			pushed := two.post("/par", set{"client_id": two.id, "request": two.object(changes)})
			if pushed.code != 201 {
				b.t.Fatalf("%s: push = %d %s", name, pushed.code, pushed.raw)
			}
			at := b.browser()
			two.open(at, pushed.get("request_uri"), "&state=outside")
			q := two.sent(at)
			header, claims := claimsOf(b.t, q.Get("response"))
			code, _ := claims["code"].(string)
			if q.Has("code") || q.Has("state") || q.Has("iss") || q.Get("dummy1") != "lorem" || header["alg"] != "ES256" || claims["iss"] != b.issuer || claims["aud"] != two.id || claims["state"] != "the-state" {
				b.t.Errorf("%s: response = %v, %v %v", name, q, header, claims)
			}
			if made := two.redeem(code, nil); made.code != 200 {
				b.t.Errorf("%s: tokens = %d %s", name, made.code, made.raw)
			}
		}
	})
}
