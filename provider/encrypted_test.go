package provider

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sallyport/storage"
)

// decrypted is what a client reads in a JWE for its key.
func (h *fixture) decrypted(text string, key any) (string, jose.Header) {
	h.t.Helper()
	jwe, err := jose.ParseEncryptedCompact(text, []jose.KeyAlgorithm{jose.RSA_OAEP_256, jose.ECDH_ES, jose.ECDH_ES_A256KW},
		[]jose.ContentEncryption{jose.A128CBC_HS256, jose.A256GCM})
	if err != nil {
		h.t.Fatalf("%q: %v", text, err)
	}
	payload, err := jwe.Decrypt(key)
	h.ok(err)
	return string(payload), jwe.Header
}

// encryption makes a client read encrypted ID tokens.
func encryption(t testing.TB, key clientKey, alg, enc string) func(*storage.Client) {
	key.public.Use = "enc"
	return func(c *storage.Client) {
		c.JWKS, c.IDTokenEncryptionAlg, c.IDTokenEncryptionEnc = key.set(t), alg, enc
	}
}

// Conformance (Encryption): Core 2, 3.1.3.7, 10.2: an ID token is signed, then encrypted for the client
// Conformance (Encryption): Core 3.1.2.1: the hint is the signed token that the client has decrypted
// Conformance (Encryption): Back-Channel Logout 2.4, 2.6: logout tokens are encrypted as ID tokens are, with `iss` in the header
func TestIDTokensAreEncrypted(t *testing.T) {
	h := newFixture(t)
	h.user("ada", "")
	r := newReceiver(t)
	ec := newKey(t)
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	h.ok(err)
	big := clientKey{private, jose.JSONWebKey{Key: private.Public(), KeyID: "rsa"}}
	h.client("ec", encryption(t, ec, "ECDH-ES+A256KW", "A256GCM"), told(r.URL))
	h.client("rsa", encryption(t, big, "RSA-OAEP-256", ""))
	for id, key := range map[storage.ClientID]clientKey{"ec": ec, "rsa": big} {
		code, s := h.signIn(params(id, "nonce", "of the client"), "ada")
		tokens := h.post(h.p.Grants.Token, string(id), redeem(code))
		inner, header := h.decrypted(tokens.get("id_token"), key.private)
		claims, _ := h.readJWT(inner)
		if claims["aud"] != string(id) || claims["nonce"] != "of the client" || claims["at_hash"] == nil || header.KeyID != key.public.KeyID || header.ExtraHeaders["cty"] != "JWT" {
			t.Errorf("%s: claims %v, header %v", id, claims, header)
		}
		again, _ := h.decrypted(h.post(h.p.Grants.Token, string(id), refreshOf(tokens.get("refresh_token"))).get("id_token"), key.private)
		if claims, _ = h.readJWT(again); claims["aud"] != string(id) {
			t.Errorf("%s: after a refresh %v", id, claims)
		}
		for name, tc := range map[string]struct {
			hint string
			done bool
		}{"decrypted": {inner, true}, "as it came": {tokens.get("id_token"), false}} {
			b := h.begin(params(id, "prompt", "none", "id_token_hint", tc.hint), s)
			if (b.Finished != nil) != tc.done || !tc.done && h.values(*b.Answer).Get("error") != "invalid_request" {
				t.Errorf("%s: a hint %s: %+v", id, name, b)
			}
		}
		if id != "ec" {
			continue
		}
		h.ok(h.sessions.End(h.ctx, s, h.visit, ""))
		list, err := h.engine.LeaseMessages(h.ctx, storage.Lease{Kind: storage.BackchannelLogout, Now: h.now(), For: time.Minute, Limit: 1})
		h.ok(err)
		h.ok(r.sender(h, "127.0.0.0/8").Send(h.ctx, outgoing(list[0])))
		told, header := h.decrypted(r.tokens[0], key.private)
		if claims, _ = h.readJWT(told); claims["sid"] == nil || header.ExtraHeaders["iss"] != issuer {
			t.Errorf("the logout token has %v, its header %v", claims, header)
		}
	}
}

// A client whose keys do not fit gets an error, and can redeem its code once they do.
func TestAnIDTokenThatCannotBeEncryptedSpendsNoCode(t *testing.T) {
	h := newFixture(t)
	h.user("ada", "")
	key := newKey(t)
	h.client("rp", encryption(t, key, "ECDH-ES", ""))
	code, _ := h.signIn(params("rp"), "ada")
	for name, tc := range map[string]struct {
		change func(*storage.Client)
		status int
		code   string
		reason string
	}{
		"another key":   {func(c *storage.Client) { c.IDTokenEncryptionAlg = "RSA-OAEP-256" }, http.StatusBadRequest, "invalid_request", "no_encryption_key"},
		"no keys":       {func(c *storage.Client) { c.JWKS = nil }, http.StatusBadRequest, "invalid_request", "no_encryption_key"},
		"not reachable": {func(c *storage.Client) { c.JWKS, c.JWKSURI = nil, "https://127.0.0.1:1/jwks" }, http.StatusServiceUnavailable, "temporarily_unavailable", "unavailable_keys"},
	} {
		h.client("rp", encryption(t, key, "ECDH-ES", ""), tc.change)
		got := h.post(h.p.Grants.Token, "rp", redeem(code))
		if got.Status != tc.status || got.get("error") != tc.code || got.Refusal.Reason != tc.reason || strings.Contains(got.Raw, "127.0.0.1") {
			t.Errorf("%s: %d %s, logged as %q", name, got.Status, got.Raw, got.Refusal.Reason)
		}
	}
	h.client("rp", encryption(t, key, "ECDH-ES", ""))
	tokens := h.post(h.p.Grants.Token, "rp", redeem(code))
	h.decrypted(tokens.get("id_token"), key.private)

	// Nor does it rotate a refresh token.
	h.client("rp", func(c *storage.Client) { c.IDTokenEncryptionAlg = "ECDH-ES" })
	if got := h.post(h.p.Grants.Token, "rp", refreshOf(tokens.get("refresh_token"))); got.Status != http.StatusBadRequest {
		t.Errorf("a refresh without a key = %d %s", got.Status, got.Raw)
	}
	h.client("rp", encryption(t, key, "ECDH-ES", ""))
	if got := h.post(h.p.Grants.Token, "rp", refreshOf(tokens.get("refresh_token"))); got.Status != http.StatusOK {
		t.Errorf("the same refresh with a key = %d %s", got.Status, got.Raw)
	}
}

// Conformance (Signed responses): JARM 2.2, 3: a client that registered `authorization_encrypted_response_alg` gets every response signed, then encrypted for it, errors too
func TestResponsesAreEncrypted(t *testing.T) {
	h := newFixture(t, "ES256", "PS256")
	h.user("ada", "")
	key := newKey(t)
	h.client("rp", encryption(t, key, "", ""), func(c *storage.Client) { c.AuthorizationEncryptionAlg = "ECDH-ES" })
	h.client("ps", encryption(t, key, "", ""), func(c *storage.Client) {
		c.AuthorizationAlg, c.AuthorizationEncryptionAlg, c.AuthorizationEncryptionEnc = "PS256", "ECDH-ES+A256KW", "A256GCM"
	})
	h.client("plain")
	_, s := h.signIn(params("plain"), "ada")
	for id, want := range map[storage.ClientID][3]string{"rp": {"ES256", "ECDH-ES", "A128CBC-HS256"}, "ps": {"PS256", "ECDH-ES+A256KW", "A256GCM"}} {
		for _, mode := range []string{"", "jwt", "query.jwt", "fragment.jwt", "form_post.jwt"} {
			a := h.begin(params(id, "response_mode", mode), s).Finished.Answer
			v := h.values(a)
			inner, outer := h.decrypted(v.Get("response"), key.private)
			got, header := h.readJWT(inner)
			code, _ := got["code"].(string)
			if len(v) != 1 || outer.Algorithm != want[1] || outer.ExtraHeaders["enc"] != want[2] || outer.ExtraHeaders["cty"] != "JWT" || outer.KeyID != key.public.KeyID || header.Algorithm != want[0] ||
				got["iss"] != issuer || got["aud"] != string(id) || got["state"] != "the-state" || got["exp"] == nil {
				t.Errorf("%s %s: %v in %v in %v", id, mode, got, header, outer)
			}
			if r := h.post(h.p.Grants.Token, string(id), redeem(code)); r.Status != 200 {
				t.Errorf("%s %s: the code = %d %s", id, mode, r.Status, r.Raw)
			}
		}
		for name, in := range map[string]url.Values{"a scope": params(id, "scope", "nonsense"), "a downgrade": params(id, "response_mode", "query"), "a downgrade to a form": params(id, "response_mode", "form_post"),
			"before the parameters are read": params(id, "request", "a.b.c")} {
			inner, _ := h.decrypted(h.values(*h.begin(in, nil).Answer).Get("response"), key.private)
			if got, _ := h.readJWT(inner); got["error"] == nil || got["iss"] != issuer || got["aud"] != string(id) {
				t.Errorf("%s, %s: %v", id, name, got)
			}
		}
	}
	// As every other response that cannot be written, one without a key is none.
	h.client("rp", func(c *storage.Client) { c.AuthorizationEncryptionAlg = "ECDH-ES" })
	if b, err := h.p.Begin(h.ctx, Params{Query: params("rp")}, h.visit, s); err == nil || b.Answer != nil || b.Finished != nil {
		t.Errorf("without a key: %+v, %v", b, err)
	}
}

// Conformance (Userinfo): Core 5.3.2: signed or encrypted as JWT with `iss` and `aud`, or both, signed first
func TestUserinfoSignedAndEncrypted(t *testing.T) {
	h := newFixture(t, "ES256", "RS256")
	h.user("ada", "")
	key := newKey(t)
	for _, tc := range []struct {
		name, alg, encryption string
	}{
		{"plain", "", ""}, {"signed", "RS256", ""}, {"both", "ES256", "ECDH-ES"}, {"encrypted", "", "ECDH-ES"},
	} {
		h.client("rp", encryption(t, key, "", ""), func(c *storage.Client) { c.UserinfoAlg, c.UserinfoEncryptionAlg = tc.alg, tc.encryption })
		code, _ := h.signIn(params("rp", "scope", "openid profile"), "ada")
		tokens := h.post(h.p.Grants.Token, "rp", redeem(code))
		got := h.userinfo(tokens.get("access_token"))
		text, want := got.Raw, "application/jwt"
		if tc.encryption != "" {
			var header jose.Header
			text, header = h.decrypted(text, key.private)
			if (header.ExtraHeaders["cty"] == "JWT") != (tc.alg != "") {
				t.Errorf("%s: the header is %v", tc.name, header)
			}
		}
		var claims map[string]any
		switch tc.alg {
		case "":
			h.ok(json.Unmarshal([]byte(text), &claims))
		default:
			var header jose.Header
			if claims, header = h.readJWT(text); header.Algorithm != tc.alg {
				t.Errorf("%s: signed with %s", tc.name, header.Algorithm)
			}
		}
		if tc.name == "plain" {
			want = "application/json"
		} else if claims["iss"] != issuer || claims["aud"] != "rp" {
			t.Errorf("%s: claims %v, want iss and aud", tc.name, claims)
		}
		idToken, _ := h.readJWT(tokens.get("id_token"))
		if got.Status != http.StatusOK || got.Header.Get("Content-Type") != want || got.Header.Get("Cache-Control") != "no-store" || claims["sub"] != idToken["sub"] || claims["name"] != "Ada Lovelace" {
			t.Errorf("%s: %d %q: %v", tc.name, got.Status, got.Header.Get("Content-Type"), claims)
		}
	}
	h.client("rp", func(c *storage.Client) { c.UserinfoAlg, c.UserinfoEncryptionAlg = "ES256", "ECDH-ES" })
	code, _ := h.signIn(params("rp"), "ada")
	got := h.userinfo(h.post(h.p.Grants.Token, "rp", redeem(code)).get("access_token"))
	if got.Status != http.StatusBadRequest || got.get("error") != "invalid_request" || got.Refusal.Reason != "no_encryption_key" {
		t.Errorf("userinfo without a key = %d %s", got.Status, got.Raw)
	}
}
