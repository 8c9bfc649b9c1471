package provider

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sallyport/provider/clientkeys"
	"sallyport/provider/fetch"
	"sallyport/storage"
)

// clientKey is a key that a client signs with.
type clientKey struct {
	private any
	public  jose.JSONWebKey
}

func newKey(t testing.TB) clientKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return clientKey{key, jose.JSONWebKey{Key: key.Public(), KeyID: "k"}}
}

func (k clientKey) set(t testing.TB) []byte {
	t.Helper()
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{k.public}})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (k clientKey) sign(t testing.TB, alg jose.SignatureAlgorithm, typ string, payload []byte) string {
	t.Helper()
	o := (&jose.SignerOptions{}).WithHeader("kid", k.public.KeyID)
	if typ != "" {
		o = o.WithType(jose.ContentType(typ))
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: k.private}, o)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := s.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	out, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// refusedWith begins a request and returns the error of the response, or of the page.
func (h *fixture) refusedWith(in url.Values) (Begun, string) {
	h.t.Helper()
	b, err := h.p.Begin(h.ctx, Params{Query: in}, h.visit, nil)
	if b.Answer != nil {
		return b, h.values(*b.Answer).Get("error")
	}
	return b, codeOf(err)
}

// Conformance (Request objects): RFC 9101 6.2, RFC 8725 3.1: a request object is signed with a key and an algorithm of its client; `none` and HMAC are refused
// Conformance (Request objects): RFC 9101 4, 10.8: `aud` is the issuer, `iss` and `client_id` are the client
// Conformance (Request objects): RFC 9101 4: no `request` and no `request_uri` inside
func TestRequestObjects(t *testing.T) {
	h := newFixture(t)
	key, other := newKey(t), newKey(t)
	h.client("rp", func(c *storage.Client) { c.JWKS = key.set(t) })
	h.client("other", func(c *storage.Client) { c.JWKS = other.set(t) })
	h.client("fapi", func(c *storage.Client) { c.JWKS, c.Profile = key.set(t), "fapi2" })
	claims := func() map[string]any { return objectClaims(h, "rp") }
	raw := func(change string) string {
		text, err := json.Marshal(claims())
		h.ok(err)
		return key.sign(t, jose.ES256, "oauth-authz-req+jwt", []byte(strings.TrimSuffix(string(text), "}")+change))
	}
	typed := func(typ string) string {
		text, err := json.Marshal(claims())
		h.ok(err)
		return key.sign(t, jose.ES256, typ, text)
	}
	hmac := clientKey{key.set(t), key.public}
	const bad, good = "invalid_request_object", ""
	for _, tc := range []struct {
		name, object, want string
	}{
		{"good", key.object(t, claims()), good},
		{"without exp and nbf", key.object(t, claims(), "exp", nil, "nbf", nil), good},
		{"without typ", typed(""), good},
		{"typ JWT", typed("JWT"), good},
		{"several audiences", key.object(t, claims(), "aud", []string{"https://other.example", issuer}), good},
		{"client_id in place of iss", key.object(t, claims(), "iss", nil), good},
		{"iss in place of client_id", key.object(t, claims(), "client_id", nil), good},
		{"nbf a little ahead", key.object(t, claims(), "nbf", h.now().Unix()+8), good},
		{"an access token's typ", typed("at+jwt"), bad},
		{"a proof's typ", typed("dpop+jwt"), bad},
		{"alg none", "eyJhbGciOiJub25lIn0.eyJpc3MiOiJycCJ9.", bad},
		{"HS256 by the public key", hmac.sign(t, jose.HS256, "", []byte(`{}`)), bad},
		{"another client's key", other.object(t, claims()), bad},
		{"another client", key.object(t, claims(), "iss", "other"), bad},
		{"another client_id", key.object(t, claims(), "client_id", "other"), bad},
		{"no client", key.object(t, claims(), "iss", nil, "client_id", nil), bad},
		{"no audience", key.object(t, claims(), "aud", nil), bad},
		{"another audience", key.object(t, claims(), "aud", "https://other.example"), bad},
		{"an audience that begins with the issuer", key.object(t, claims(), "aud", issuer+".evil.example"), bad},
		{"the client as subject", key.object(t, claims(), "sub", "rp"), bad},
		{"expired", key.object(t, claims(), "exp", h.now().Unix()-60), bad},
		{"exp is text", key.object(t, claims(), "exp", "tomorrow"), bad},
		{"not valid yet", key.object(t, claims(), "nbf", h.now().Unix()+60), bad},
		{"a request inside", key.object(t, claims(), "request", "a.b.c"), bad},
		{"a request_uri inside", key.object(t, claims(), "request_uri", "https://rp.example/r"), bad},
		{"followed by something", raw(`} {}`), bad},
		{"followed by a bracket", raw(`}]junk`), bad},
		{"a claim twice", raw(`,"scope":"openid email"}`), bad},
		{"a name twice further down", raw(`,"claims":{"userinfo":{"email":null,"email":{"essential":true}}}}`), bad},
		{"an audience with a number", key.object(t, claims(), "aud", []any{issuer, 1}), bad},
		{"not an object", key.sign(t, jose.ES256, "", []byte(`["iss"]`)), bad},
		{"something behind", raw(`}{}`), bad},
		{"too large", key.object(t, claims(), "x", strings.Repeat("x", maxObject)), bad},
		{"encrypted", "a.b.c.d.e", bad},
		{"nonsense", "nonsense", bad},
		{"internal parameters", key.object(t, claims(), hintSubject, "x", withoutCode, "1"), good},
		{"a fault inside", key.object(t, claims(), "prompt", "maybe"), "invalid_request"},
		{"a redirect URI that is not registered", key.object(t, claims(), "redirect_uri", "https://evil.example/cb"), "page:invalid_request:redirect_uri"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b, got := h.refusedWith(params("rp", "state", "outside", "request", tc.object))
			if got != tc.want {
				t.Fatalf("Begin = %q, want %q", got, tc.want)
			}
			if b.Answer != nil && tc.want == bad && h.values(*b.Answer).Get("state") != "outside" {
				t.Errorf("response = %s, want the state beside the object", b.Answer.Location)
			}
		})
	}
	t.Run("replayed after its time", func(t *testing.T) {
		in := url.Values{"client_id": {"rp"}, "request": {key.object(t, claims())}}
		if _, got := h.refusedWith(in); got != good {
			t.Fatal(got)
		}
		h.clock.Advance(10 * time.Minute)
		if _, got := h.refusedWith(in); got != "page:"+bad+":request" {
			t.Errorf("Begin = %q", got)
		}
	})
}

// Conformance (Request objects): RFC 9101 5: parameters beside it do not count
// Conformance (Request objects): OpenID Connect Core 6.1: numbers, lists and objects arrive as they were signed
func TestParametersOfAnObjectAreIntact(t *testing.T) {
	h := newFixture(t)
	key := newKey(t)
	h.client("rp", func(c *storage.Client) {
		c.JWKS, c.Audience = key.set(t), []string{"https://a.example", "https://b.example"}
	})
	object := key.object(t, objectClaims(h, "rp"), "max_age", 1000, "resource", []string{"https://a.example", "https://b.example"}, "prompt", nil,
		"claims", map[string]any{"userinfo": map[string]any{"name": map[string]any{"essential": true}}}, "ui_locales", nil, "login_hint", nil)
	b, got := h.refusedWith(url.Values{"client_id": {"rp"}, "request": {object}, "scope": {"openid email"}, "prompt": {"none"}, "login_hint": {"outside"},
		"redirect_uri": {"https://evil.example"}, "response_type": {"token"}, "state": {"outside"}})
	if got != "" {
		t.Fatal(got)
	}
	r := b.Step.request
	if r.maxAge != 1000*time.Second || len(r.resource) != 2 || r.claims.UserInfo["name"] == nil || r.state != "inside" || r.none || len(r.scopes) != 1 ||
		r.redirect != callback || r.params.Get("login_hint") != "" {
		t.Errorf("request = %+v", r)
	}
}

// Conformance (Request objects): FAPI 2.0 Message Signing 5.3.1: with `profile: fapi2`: `exp` within an hour of `nbf`, and that not older, no RS256
// Conformance (Pushed authorization requests): RFC 9126 3: a request object may be pushed
func TestRequestObjectsOfFAPIClients(t *testing.T) {
	h := newFixture(t)
	key := newKey(t)
	secret, err := rsa.GenerateKey(rand.Reader, 2048)
	h.ok(err)
	rs := clientKey{secret, jose.JSONWebKey{Key: secret.Public(), KeyID: "k"}}
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.public, rs.public}})
	h.ok(err)
	h.client("fapi", func(c *storage.Client) { c.JWKS, c.Profile = keys, "fapi2" })
	claims := func() map[string]any { return objectClaims(h, "fapi") }
	text, err := json.Marshal(claims())
	h.ok(err)
	now := h.now().Unix()
	for _, tc := range []struct{ name, object, want string }{
		{"good", key.object(t, claims()), ""},
		{"nbf 8 s ahead", key.object(t, claims(), "nbf", now+8), ""},
		{"PS256", rs.sign(t, jose.PS256, "oauth-authz-req+jwt", text), ""},
		{"RS256", rs.sign(t, jose.RS256, "oauth-authz-req+jwt", text), "invalid_request_object"},
		{"no exp", key.object(t, claims(), "exp", nil), "invalid_request_object"},
		{"no nbf", key.object(t, claims(), "nbf", nil), "invalid_request_object"},
		{"exp 70 min ahead", key.object(t, claims(), "exp", now+70*60), "invalid_request_object"},
		{"nbf 70 min ago", key.object(t, claims(), "nbf", now-70*60), "invalid_request_object"},
		{"valid for an hour", key.object(t, claims(), "exp", now+60*60), ""},
		{"valid for longer", key.object(t, claims(), "nbf", now-40*60, "exp", now+30*60), "invalid_request_object"},
	} {
		if r := h.post(h.p.Push, "fapi", formOf("request", tc.object)); r.get("error") != tc.want {
			t.Errorf("%s: %d %s, want %q", tc.name, r.Status, r.Raw, tc.want)
		}
	}
}

// trust lets the provider fetch from a site, if its network is one of these.
func (h *fixture) trust(site *httptest.Server, networks ...netip.Prefix) {
	roots := x509.NewCertPool()
	roots.AddCert(site.Certificate())
	f := fetch.New(h.now, fetch.Options{Roots: roots, Allowed: networks})
	h.p.objects, h.p.ClientKeys = f.Apart(), clientkeys.New(f, h.now)
}

// Conformance (Request objects): RFC 9101 5: `request` and `request_uri` exclude each other
// Conformance (Request objects): RFC 9101 5.2, 10.4: a `request_uri` is registered, and fetched with care
func TestRequestObjectsAtAnAddress(t *testing.T) {
	h := newFixture(t)
	key := newKey(t)
	served, calls := "", 0
	site := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		if strings.HasPrefix(r.URL.Path, "/away") {
			http.Redirect(w, r, "/object", http.StatusFound)
			return
		}
		fmt.Fprint(w, served)
	}))
	t.Cleanup(site.Close)
	h.trust(site, netip.MustParsePrefix("127.0.0.0/8"))
	h.client("rp", func(c *storage.Client) {
		c.JWKS, c.RequestURIs = key.set(t), []string{site.URL + "/object", site.URL + "/away"}
	})
	h.client("none", func(c *storage.Client) { c.JWKS = key.set(t) })
	served = key.object(t, objectClaims(h, "rp"))
	for _, tc := range []struct{ name, client, uri, want string }{
		{"registered", "rp", site.URL + "/object", ""},
		{"with a hash of its content", "rp", site.URL + "/object#abc", ""},
		{"not registered", "rp", site.URL + "/object?x", "invalid_request_uri"},
		{"plaintext", "rp", strings.Replace(site.URL, "https", "http", 1) + "/object", "invalid_request_uri"},
		{"a redirect", "rp", site.URL + "/away", "invalid_request_uri"},
		{"a client without addresses", "none", site.URL + "/object", "request_uri_not_supported"},
	} {
		if _, got := h.refusedWith(params(storage.ClientID(tc.client), "request_uri", tc.uri)); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
	if _, got := h.refusedWith(params("rp", "request_uri", site.URL+"/object", "request", served)); got != "invalid_request" {
		t.Errorf("both = %q, want invalid_request", got)
	}
	h.trust(site) // from the internet only
	before := calls
	if _, got := h.refusedWith(params("rp", "request_uri", site.URL+"/object")); got != "invalid_request_uri" || calls != before {
		t.Errorf("an address that is not on the internet = %q after %d calls", got, calls-before)
	}
}

// Anybody can begin requests in the name of a client. Fragments that they invent cost the client no
// calls, and keep no keys out of memory.
func TestInventedFragmentsOfAnAddressCostNothing(t *testing.T) {
	h := newFixture(t)
	key := newKey(t)
	var calls [2]atomic.Int32 // of the object and the keys
	served := ""
	site := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/jwks" {
			calls[1].Add(1)
			_, _ = w.Write(key.set(t))
			return
		}
		calls[0].Add(1)
		fmt.Fprint(w, served)
	}))
	t.Cleanup(site.Close)
	h.trust(site, netip.MustParsePrefix("127.0.0.0/8"))
	h.client("rp", func(c *storage.Client) { c.JWKSURI, c.RequestURIs = site.URL+"/jwks", []string{site.URL + "/object"} })
	fetched := func(fragment, state string, objects, keys int32) {
		t.Helper()
		b, got := h.refusedWith(params("rp", "request_uri", site.URL+"/object#"+fragment))
		if got != "" || b.Step.request.state != state {
			t.Fatalf("Begin = %+v %q, want state %q", b, got, state)
		}
		if o, k := calls[0].Load(), calls[1].Load(); o != objects || k != keys {
			t.Fatalf("#%s: %d calls for the object and %d for the keys, want %d and %d", fragment, o, k, objects, keys)
		}
	}
	served = key.object(t, objectClaims(h, "rp"))
	for i := range 1000 {
		fetched(fmt.Sprint("x", i), "inside", 1, 1)
	}
	served = key.object(t, objectClaims(h, "rp"), "state", "changed")
	sum := sha256.Sum256([]byte(served))
	hash := base64.RawURLEncoding.EncodeToString(sum[:])
	fetched(hash, "inside", 1, 1) // so soon
	h.clock.Advance(objectRefetch)
	fetched(hash, "changed", 2, 1)
	for range 10 {
		fetched("x", "changed", 2, 1)
	}
}

// Conformance (Request objects): OpenID Connect Core 3.1.2.6: what is not supported is refused as such, before anything else
func TestUnsupportedParametersAreRefusedFirst(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	for _, types := range []string{"code", "token", "id_token", "code id_token token", "nonsense", ""} {
		for parameter, want := range map[string]string{"request": "request_not_supported", "request_uri": "request_uri_not_supported", "registration": "registration_not_supported"} {
			value := map[string]string{"request": "a.b.c", "request_uri": "https://rp.example/r", "registration": "{}"}[parameter]
			for _, mode := range []string{"", "query"} {
				b, got := h.refusedWith(params("rp", "response_type", types, "response_mode", mode, "prompt", "maybe", "scope", "nonsense", "nonce", "", parameter, value))
				if got != want {
					t.Errorf("%s with response_type %q = %q, want %q", parameter, types, got, want)
				}
				if b.Answer != nil && strings.Contains(types, "token") && !strings.Contains(b.Answer.Location, "#error=") {
					t.Errorf("%s with response_type %q: %s, want a fragment", parameter, types, b.Answer.Location)
				}
			}
		}
	}
}

func TestScopesReachIDTokensOfClientsThatWantThem(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	h.client("reads", func(c *storage.Client) { c.IDTokenClaims = "scopes" })
	h.user("ada", "")
	for id, want := range map[storage.ClientID]any{"rp": nil, "reads": "ada@example.org"} {
		code, _ := h.signIn(params(id, "scope", "openid email offline_access"), "ada")
		r := h.post(h.p.Grants.Token, string(id), redeem(code))
		claims, _ := h.readJWT(r.get("id_token"))
		if claims["email"] != want || claims["name"] != nil {
			t.Errorf("%s: email %v, name %v, want %v and none", id, claims["email"], claims["name"], want)
		}
		again := h.post(h.p.Grants.Token, string(id), refreshOf(r.get("refresh_token")))
		if claims, _ = h.readJWT(again.get("id_token")); claims["email"] != want {
			t.Errorf("%s after a refresh: email %v, want %v", id, claims["email"], want)
		}
	}
}
