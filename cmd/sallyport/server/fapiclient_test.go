package server_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/cmd/sallyport/server"
	"sallyport/cmd/sallyport/servertest"
	"sallyport/provider/mtls/mtlstest"
	"sallyport/web/webtest"
)

// mutualURL is where clients present certificates.
const mutualURL = "https://mtls.op.example"

var fapiVerifier = strings.Repeat("v", 43)

// bank is a server with clients that follow FAPI 2.0, all of which prove themselves in one way.
type bank struct {
	*server.Server
	t      *testing.T
	clock  *servertest.Clock
	issuer string
	mutual bool // with certificates; otherwise with assertions and DPoP
}

// fapiClient is a client of a bank.
type fapiClient struct {
	*bank
	id, redirect string
	key, proves  *ecdsa.PrivateKey
	rsa          *rsa.PrivateKey
	certificate  tls.Certificate
}

// reply is the response of an endpoint.
type reply struct {
	code   int
	header http.Header
	raw    string
	body   map[string]any
}

func (r reply) get(name string) string { s, _ := r.body[name].(string); return s }

// both runs a test of a bank and its two clients for each way to prove themselves. The redirect URI of
// the second has a query of its own.
func both(t *testing.T, test func(b *bank, one, two *fapiClient)) {
	for name, mutual := range map[string]bool{"private_key_jwt and DPoP": false, "mTLS and mTLS": true} {
		t.Run(name, func(t *testing.T) {
			b, one, two := newBank(t, mutual)
			test(b, one, two)
		})
	}
}

func newBank(t *testing.T, mutual bool) (b *bank, one, two *fapiClient) {
	t.Helper()
	settings, public, _ := servertest.NewInstallation(t)
	b = &bank{t: t, clock: new(servertest.Clock), issuer: "http://" + public, mutual: mutual}
	now, dir := b.clock.Now(), t.TempDir()
	authority, own := mtlstest.New(t, "Example CA", now), mtlstest.SelfSigned(t, "mtls.op.example", now)
	cert, key := filepath.Join(dir, "mtls.crt"), filepath.Join(dir, "mtls.key")
	if err := os.WriteFile(cert, mtlstest.PEM(own.Leaf), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(key, mtlstest.KeyPEM(t, own), 0o600); err != nil {
		t.Fatal(err)
	}
	servertest.AppendSettings(t, settings, fmt.Sprintf("mtls: {url: %q, listen: %q, cert: %q, key: %q, client_ca_file: %q}\n", mutualURL, servertest.FreeAddress(t), cert, key, authority.File()))
	state := "clients:\n"
	client := func(id, redirect, more string) *fapiClient {
		c := &fapiClient{bank: b, id: id, redirect: redirect, key: newECKey(t), proves: newECKey(t), certificate: authority.Issue(id, now)}
		var err error
		if c.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			t.Fatal(err)
		}
		n := base64.RawURLEncoding.EncodeToString(c.rsa.N.Bytes())
		set, err := json.Marshal(map[string]any{"keys": []any{jwkOf(t, c.key), map[string]any{"kty": "RSA", "n": n, "e": "AQAB", "kid": "rsa"}}})
		if err != nil {
			t.Fatal(err)
		}
		state += fmt.Sprintf("  - client_id: %s\n    profile: fapi2\n    consent: ask\n    id_token_signed_response_alg: ES256\n    redirect_uris: [%q]\n    grant_types: [authorization_code, refresh_token, client_credentials]\n"+
			"    scopes: [openid, email, offline_access, reports]\n    jwks: %s\n%s", id, redirect, set, more)
		if mutual {
			state += "    token_endpoint_auth_method: tls_client_auth\n    tls_client_auth_subject_dn: CN=" + id + "\n    tls_client_certificate_bound_access_tokens: true\n"
		} else {
			state += "    token_endpoint_auth_method: private_key_jwt\n    dpop_bound_access_tokens: true\n"
		}
		return c
	}
	one = client("one", "https://one.example/cb", "")
	two = client("two", "https://two.example/cb?dummy1=lorem&dummy2=ipsum", "    require_signed_request_object: true\n    authorization_signed_response_alg: ES256\n")
	state += "users:\n  - {username: ada, email: ada@example.com, email_verified: true, password: \"a lighthouse at dusk\"}\n"
	servertest.Apply(t, settings, state)
	b.Server = servertest.Open(t, servertest.Options(t, settings, b.clock))
	return b, one, two
}

func newECKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func jwkOf(t *testing.T, key *ecdsa.PrivateKey) map[string]any {
	t.Helper()
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return map[string]any{"kty": "EC", "crv": "P-256", "kid": "ec", "x": base64.RawURLEncoding.EncodeToString(point[1:33]), "y": base64.RawURLEncoding.EncodeToString(point[33:])}
}

// thumbprint is that of RFC 7638.
func thumbprint(t *testing.T, key *ecdsa.PrivateKey) string {
	t.Helper()
	k := jwkOf(t, key)
	sum := sha256.Sum256(fmt.Appendf(nil, `{"crv":"P-256","kty":"EC","x":%q,"y":%q}`, k["x"], k["y"]))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// set are changes of a JWT or a form: nil leaves out. A name that begins with "header " is one of its header.
type set map[string]any

// sign signs claims, changed, with a key on P-256 or, by its algorithm, an RSA key.
func (c *fapiClient) sign(key *ecdsa.PrivateKey, header, claims, changes set) string {
	c.t.Helper()
	for name, value := range changes {
		in, at := claims, name
		if rest, ok := strings.CutPrefix(name, "header "); ok {
			in, at = header, rest
		}
		if in[at] = value; value == nil {
			delete(in, at)
		}
	}
	encode := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			c.t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	text := encode(header) + "." + encode(claims)
	digest := sha256.Sum256([]byte(text))
	var signature []byte
	var err error
	switch header["alg"] {
	case "RS256":
		signature, err = rsa.SignPKCS1v15(rand.Reader, c.rsa, crypto.SHA256, digest[:])
	case "PS256":
		signature, err = rsa.SignPSS(rand.Reader, c.rsa, crypto.SHA256, digest[:], nil)
	case "none":
	default:
		r, s, fault := ecdsa.Sign(rand.Reader, key, digest[:])
		if err = fault; err == nil {
			signature = make([]byte, 64)
			r.FillBytes(signature[:32])
			s.FillBytes(signature[32:])
		}
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func (c *fapiClient) now() int64 { return c.clock.Now().Unix() }

// assertion authenticates the client.
func (c *fapiClient) assertion(changes set) string {
	return c.sign(c.key, set{"alg": "ES256", "kid": "ec"}, set{"iss": c.id, "sub": c.id, "aud": c.issuer, "jti": rand.Text(), "iat": c.now(), "exp": c.now() + 60}, changes)
}

// proof proves the client's key for a request; token is the access token in it.
func (c *fapiClient) proof(key *ecdsa.PrivateKey, method, path, token string, changes set) string {
	claims := set{"jti": rand.Text(), "htm": method, "htu": c.issuer + path, "iat": c.now()}
	if token != "" {
		sum := sha256.Sum256([]byte(token))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	return c.sign(key, set{"alg": "ES256", "typ": "dpop+jwt", "jwk": jwkOf(c.t, key)}, claims, changes)
}

// post sends a form as the client does: with an assertion and a proof, or in a connection with its
// certificate. Values in the form win; the names "proof" and "certificate" replace those.
func (c *fapiClient) post(path string, form set) reply {
	c.t.Helper()
	values := url.Values{}
	for name, v := range form {
		if text, ok := v.(string); ok && name != "proof" {
			values.Set(name, text)
		}
	}
	absent := func(name string) bool { v, given := form[name]; return given && v == nil }
	if !values.Has("client_assertion") && !absent("client_assertion") && !c.mutual {
		values.Set("client_assertion", c.assertion(nil))
	}
	if values.Has("client_assertion") && !values.Has("client_assertion_type") && !absent("client_assertion_type") {
		values.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	}
	if c.mutual && !values.Has("client_id") {
		values.Set("client_id", c.id)
	}
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(values.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if proof, ok := form["proof"].(string); ok {
		r.Header.Set("DPoP", proof)
	} else if !c.mutual && !absent("proof") {
		r.Header.Set("DPoP", c.proof(c.proves, http.MethodPost, path, "", nil))
	}
	return c.send(r, !absent("certificate"))
}

// send sends a request to the listener of the variant, with or without the certificate.
func (c *fapiClient) send(r *http.Request, certified bool) reply {
	c.t.Helper()
	handler := c.Handler
	if c.mutual {
		handler, r.TLS = c.ForCertificates(), &tls.ConnectionState{}
		if certified {
			r.TLS.PeerCertificates = append(r.TLS.PeerCertificates, c.certificate.Leaf)
		}
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	out := reply{code: w.Code, header: w.Header(), raw: w.Body.String()}
	if strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(w.Body.Bytes(), &out.body); err != nil {
			c.t.Fatalf("%s: %v", w.Body, err)
		}
	}
	return out
}

// push pushes an authorization request, changed.
func (c *fapiClient) push(changes set) reply {
	c.t.Helper()
	form := set{"response_type": "code", "client_id": c.id, "redirect_uri": c.redirect, "scope": "openid email offline_access", "state": "the-state", "nonce": "the-nonce",
		"code_challenge": webtest.Challenge(fapiVerifier), "code_challenge_method": "S256"}
	for name, value := range changes {
		form[name] = value
	}
	return c.post("/par", form)
}

// pushed pushes a request that is accepted, and returns its request_uri.
func (c *fapiClient) pushed(changes set) string {
	c.t.Helper()
	r := c.push(changes)
	if uri := r.get("request_uri"); r.code == http.StatusCreated && len(uri) > 50 && r.body["expires_in"] == 60.0 {
		return uri
	}
	c.t.Fatalf("push = %d %s", r.code, r.raw)
	return ""
}

func (b *bank) browser() *webtest.Browser {
	return (&webtest.Fixture{T: b.t, Handler: b.Handler}).Browser()
}

// open opens a pushed request; more is put in the address beside it.
func (c *fapiClient) open(at *webtest.Browser, uri, more string) {
	c.t.Helper()
	at.Get("/authorize?request_uri=" + url.QueryEscape(uri) + "&client_id=" + c.id + more)
}

// sent signs a user in, who allows what is asked, and returns the response.
func (c *fapiClient) sent(at *webtest.Browser) url.Values {
	c.t.Helper()
	if at.At == "/login" {
		at.Submit("login-submit", "username", "ada", "password", "a lighthouse at dusk")
	}
	if at.At == "/consent" {
		at.Press("consent-allow")
	}
	return c.arrived(at)
}

// arrived returns the response that a browser brings to the client.
func (c *fapiClient) arrived(at *webtest.Browser) url.Values {
	c.t.Helper()
	u, err := url.Parse(at.Left)
	if err != nil || !strings.HasPrefix(at.Left, c.redirect) {
		c.t.Fatalf("at %s with %d, left to %q, want %s\n%s", at.At, at.Page.Code, at.Left, c.redirect, at.Page.Body)
	}
	return u.Query()
}

// code returns a code of a request.
func (c *fapiClient) code(changes set) string {
	c.t.Helper()
	at := c.browser()
	c.open(at, c.pushed(changes), "")
	q := c.sent(at)
	if q.Get("code") == "" || q.Get("iss") != c.issuer {
		c.t.Fatalf("response = %v", q)
	}
	return q.Get("code")
}

// redeem redeems a code.
func (c *fapiClient) redeem(code string, changes set) reply {
	c.t.Helper()
	form := set{"grant_type": "authorization_code", "code": code, "redirect_uri": c.redirect, "code_verifier": fapiVerifier}
	for name, value := range changes {
		form[name] = value
	}
	return c.post("/token", form)
}

// resource calls userinfo with a token; the names in changes are those of post, and "scheme".
func (c *fapiClient) resource(token string, changes set) reply {
	c.t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/userinfo", nil)
	scheme, _ := changes["scheme"].(string)
	if scheme == "" {
		if scheme = "DPoP"; c.mutual {
			scheme = "Bearer"
		}
	}
	r.Header.Set("Authorization", scheme+" "+token)
	r.Header.Set("Accept", "application/json; charset=utf-8")
	r.Header.Set("X-Fapi-Customer-Ip-Address", "198.51.100.119")
	proofs, given := changes["proof"]
	switch list, several := proofs.([]string); {
	case several:
		r.Header["Dpop"] = list
	case given && proofs != nil:
		r.Header.Set("DPoP", proofs.(string))
	case !given && !c.mutual:
		r.Header.Set("DPoP", c.proof(c.proves, http.MethodGet, "/userinfo", token, nil))
	}
	_, absent := changes["certificate"]
	return c.send(r, !absent)
}

// claimsOf reads a JWT without verifying it.
func claimsOf(t *testing.T, jwt string) (header, claims map[string]any) {
	t.Helper()
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is no JWT", jwt)
	}
	for i, into := range []*map[string]any{&header, &claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err == nil {
			err = json.Unmarshal(text, into)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return header, claims
}

// wait moves the clock.
func (b *bank) wait(d time.Duration) { b.clock.Move(d) }
