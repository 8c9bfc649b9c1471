package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"
)

// forged signs the payload of a token anew, under another header.
func forged(t *testing.T, token string, header map[string]any, sign func(text []byte) []byte) string {
	t.Helper()
	_, rest, _ := strings.Cut(token, ".")
	payload, _, _ := strings.Cut(rest, ".")
	head, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	text := base64.RawURLEncoding.EncodeToString(head) + "." + payload
	return text + "." + base64.RawURLEncoding.EncodeToString(sign([]byte(text)))
}

// forgeries returns tokens with the payload of one that a key signed.
func (r *rivals) forgeries(t *testing.T, token string, key jose.JSONWebKey) map[string]string {
	t.Helper()
	thief, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	own := func(text []byte) []byte {
		sum := sha256.Sum256(text)
		x, y, err := ecdsa.Sign(rand.Reader, thief, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		out := make([]byte, 64)
		x.FillBytes(out[:32])
		y.FillBytes(out[32:])
		return out
	}
	with := func(secret []byte) func([]byte) []byte {
		return func(text []byte) []byte {
			m := hmac.New(sha256.New, secret)
			m.Write(text)
			return m.Sum(nil)
		}
	}
	nothing := func([]byte) []byte { return nil }
	der, err := x509.MarshalPKIXPublicKey(key.Key)
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := json.Marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(token, ".")
	text, err := base64.RawURLEncoding.DecodeString(first)
	var header map[string]any
	if err != nil || json.Unmarshal(text, &header) != nil {
		t.Fatalf("header %q: %v", text, err)
	}
	changed := func(pairs ...any) map[string]any {
		out := map[string]any{}
		for name, value := range header {
			out[name] = value
		}
		for i := 0; i < len(pairs); i += 2 {
			out[fmt.Sprint(pairs[i])] = pairs[i+1]
		}
		return out
	}
	public := jose.JSONWebKey{Key: thief.Public(), KeyID: key.KeyID, Algorithm: "ES256"}
	out := map[string]string{
		"the public key in PEM as a secret":  forged(t, token, changed("alg", "HS256"), with(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))),
		"the public key in DER as a secret":  forged(t, token, changed("alg", "HS256"), with(der)),
		"the public key as JWK as a secret":  forged(t, token, changed("alg", "HS256"), with(jwk)),
		"an empty secret at a path":          forged(t, token, changed("alg", "HS256", "kid", "../../../../../../dev/null"), with(nil)),
		"another key by the same kid":        forged(t, token, changed("alg", "ES256"), own),
		"another key without kid":            forged(t, token, changed("alg", "ES256", "kid", ""), own),
		"another key in jwk":                 forged(t, token, changed("alg", "ES256", "jwk", public), own),
		"another key at jku":                 forged(t, token, changed("alg", "ES256", "jku", r.trap), own),
		"another key at x5u":                 forged(t, token, changed("alg", "ES256", "x5u", r.trap), own),
		"another key at a kid":               forged(t, token, changed("alg", "ES256", "kid", r.trap), own),
		"a kid that is SQL":                  forged(t, token, changed("alg", "ES256", "kid", `x' UNION SELECT 'AAAA' --`), own),
		"a kid that is a list":               forged(t, token, changed("alg", "ES256", "kid", []string{key.KeyID}), own),
		"a signature of zeros":               forged(t, token, changed("alg", "ES256"), func([]byte) []byte { return make([]byte, 64) }),
		"a critical header":                  forged(t, token, changed("alg", "ES256", "crit", []string{"jwk"}, "jwk", public), own),
		"no signature under the header":      forged(t, token, changed(), nothing),
		"the signature of another algorithm": forged(t, token, changed("alg", "PS512"), own),
	}
	for _, none := range []string{"none", "None", "NONE", ""} {
		out["alg "+none] = forged(t, token, changed("alg", none), nothing)
	}
	return out
}

// signatures are forged, with headers that name other algorithms and keys.
func (r *rivals) signatures(t *testing.T) {
	mine := newParty(t, r.a, "web", webRedirect, r.a.secret, "openid")
	token, _, _ := mine.tokens(newPerson(t, r.a.issuer).open(mine.start()).signIn(r.a.user(t, false)))
	var set jose.JSONWebKeySet
	response, err := http.Get(r.a.issuer + "/jwks.json")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&set); err != nil {
		t.Fatal(err)
	}
	keys := set.Key(kid(t, token.AccessToken))
	if len(keys) != 1 {
		t.Fatalf("%d keys sign as %q", len(keys), kid(t, token.AccessToken))
	}
	if _, isRSA := keys[0].Key.(*rsa.PublicKey); !isRSA {
		t.Fatalf("the key is a %T, want RSA, which HMAC can be taken for", keys[0].Key)
	}
	for what, text := range r.forgeries(t, token.AccessToken, keys[0]) {
		if got := userinfo(t, r.a.issuer, text); got != 401 {
			t.Errorf("%s at userinfo = %d, want 401", what, got)
		}
		if mine.active(text) {
			t.Errorf("%s is active", what)
		}
	}
	// A client's own key, in request objects.
	var private jose.JSONWebKey
	if err := json.Unmarshal(r.a.clientKey, &private); err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: private.Key}, (&jose.SignerOptions{}).WithType("oauth-authz-req+jwt").WithHeader("kid", "first"))
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(map[string]any{"iss": "signs", "client_id": "signs", "aud": r.a.issuer, "exp": time.Now().Add(time.Minute).Unix(), "response_type": "code",
		"scope": "openid", "redirect_uri": webRedirect + "/signs", "code_challenge": oauth2.S256ChallengeFromVerifier(mine.verifier), "code_challenge_method": "S256"})
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	object, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	if code, body := post(t, r.a.issuer+"/par", "signs", r.a.secret, "request", object); code != 201 {
		t.Fatalf("the request object = %d %v", code, body)
	}
	if code, body := post(t, r.b.issuer+"/par", "signs", r.b.secret, "request", object); code != 400 || body["error"] != "invalid_request_object" {
		t.Errorf("at another issuer = %d %v", code, body)
	}
	for what, text := range r.forgeries(t, object, private.Public()) {
		if code, body := post(t, r.a.issuer+"/par", "signs", r.a.secret, "request", text); code != 400 || body["error"] != "invalid_request_object" {
			t.Errorf("a request object with %s = %d %v", what, code, body)
		}
	}
	if n := r.called.Load(); n != 0 {
		t.Errorf("%d calls of addresses in headers", n)
	}
}
