package e2e

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"sallyport/provider/mtls/mtlstest"
)

// keyed is a stage whose clients have keys and certificates.
type keyed struct {
	*stage
	mutual string                     // origin of the listener for certificates
	roots  *x509.CertPool             // of its own certificate
	certs  map[string]tls.Certificate // of clients
	keys   map[string]jose.JSONWebKey // by algorithm
}

// newKeyedStage starts a server with a listener for certificates.
func newKeyedStage(t *testing.T, engine string) keyed {
	t.Helper()
	k := setKeyedStage(t, engine)
	u, err := url.Parse(k.mutual)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, k.config, readFile(t, k.config)+fmt.Sprintf("mtls: {url: %q, listen: %q, cert: %q, key: %q, client_ca_file: %q}\n", k.mutual, "127.0.0.1:"+u.Port(),
		k.file("tls.crt"), k.file("tls.key"), k.file("clients-ca.crt")))
	k.serve(t)
	return k
}

// setKeyedStage creates everything but a server whose clients have keys for every algorithm, and
// certificates.
func setKeyedStage(t *testing.T, engine string) keyed {
	t.Helper()
	now, dir := time.Now(), t.TempDir()
	authority, stranger := mtlstest.New(t, "Example CA", now), mtlstest.New(t, "Example CA", now)
	k := keyed{mutual: fmt.Sprintf("https://localhost:%d", freePort(t)), roots: x509.NewCertPool(), keys: map[string]jose.JSONWebKey{}}
	k.certs = map[string]tls.Certificate{"ledger": authority.Issue("ledger", now), "other": authority.Issue("other", now),
		"forged": stranger.Issue("ledger", now), "late": authority.Issue("ledger", now.Add(-1000*24*time.Hour)), "self": mtlstest.SelfSigned(t, "self", now)}
	k.stage = setStageWith(t, dir, engineDSN(t, dir, engine), func(s *stage) string {
		k.newKeys(t, s)
		return strings.Replace(s.state(0, usersWithoutTOTP), "\nusers:\n", "\n"+k.clients(t, s.secret)+"users:\n", 1)
	})
	own := mtlstest.SelfSigned(t, "localhost", now, func(c *x509.Certificate) {
		c.DNSNames, c.ExtKeyUsage = []string{"localhost", loginHost, mutualHost}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	})
	k.roots.AddCert(own.Leaf)
	cert, key := string(mtlstest.PEM(own.Leaf)), string(mtlstest.KeyPEM(t, own))
	for name, text := range map[string]string{"tls.crt": cert, "tls.key": key, "tls.pem": cert + key, "clients-ca.crt": string(authority.PEM())} {
		writeFile(t, k.file(name), text)
	}
	k.more = map[string]any{"keys": k.keys, "mutual": k.mutual, "ca": cert, "certs": k.pairs(t)}
	return k
}

// file is the path of a file beside the settings.
func (k keyed) file(name string) string { return filepath.Join(filepath.Dir(k.config), name) }

// newKeys creates a key for each algorithm.
func (k keyed) newKeys(t *testing.T, s *stage) {
	t.Helper()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s.newClientKey()
	var ecKey jose.JSONWebKey
	if err := json.Unmarshal(s.clientKey, &ecKey); err != nil {
		t.Fatal(err)
	}
	for alg, key := range map[string]any{"RS256": rsaKey, "PS256": rsaKey, "ES256": ecKey.Key, "Ed25519": edKey, "EdDSA": edKey} {
		k.keys[alg] = jose.JSONWebKey{Key: key, KeyID: "first"}
	}
}

// clients are the clients in the desired state.
func (k keyed) clients(t *testing.T, secret string) string {
	t.Helper()
	var b strings.Builder
	client := func(id, more string) {
		fmt.Fprintf(&b, "  - client_id: %s\n    redirect_uris: [%q]\n    scopes: [openid, email, offline_access, reports]\n%s", id, webRedirect+"/"+id, more)
	}
	set := func(key jose.JSONWebKey) string {
		text, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key}})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	const grants = "    grant_types: [authorization_code, refresh_token, client_credentials]\n"
	for alg, key := range k.keys {
		client("jwt-"+alg, grants+"    token_endpoint_auth_method: private_key_jwt\n    token_endpoint_auth_signing_alg: "+alg+"\n    jwks: "+set(key.Public())+"\n")
	}
	for _, alg := range []string{"HS256", "HS512"} {
		client("jwt-"+alg, strings.Replace(grants, "]", ", \"urn:ietf:params:oauth:grant-type:device_code\"]", 1)+"    token_endpoint_auth_method: client_secret_jwt\n    token_endpoint_auth_signing_alg: "+alg+
			fmt.Sprintf("\n    client_secret: %q\n", secret))
	}
	const bound = "    tls_client_certificate_bound_access_tokens: true\n"
	client("ledger", grants+bound+"    token_endpoint_auth_method: tls_client_auth\n    tls_client_auth_subject_dn: CN=ledger\n")
	self := k.certs["self"].Leaf
	client("self", grants+"    token_endpoint_auth_method: self_signed_tls_client_auth\n    jwks: "+set(jose.JSONWebKey{Key: self.PublicKey, Certificates: []*x509.Certificate{self}})+"\n")
	client("phone", bound+"    public: true\n    silent_login: true\n    grant_types: [authorization_code, refresh_token]\n")
	return b.String()
}

// pairs are the certificates and keys of clients in PEM.
func (k keyed) pairs(t *testing.T) map[string]map[string]string {
	t.Helper()
	out := map[string]map[string]string{}
	for name, c := range k.certs {
		out[name] = map[string]string{"cert": string(mtlstest.PEM(c.Leaf)), "key": string(mtlstest.KeyPEM(t, c))}
	}
	return out
}

// with returns an HTTP client that presents a certificate; "": none.
func (k keyed) with(name string) *http.Client {
	settings := &tls.Config{RootCAs: k.roots, MinVersion: tls.VersionTLS12}
	if name != "" {
		settings.Certificates = []tls.Certificate{k.certs[name]}
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: settings, DisableKeepAlives: true}}
}

// TestClientKeysAndCertificates runs browser/clientkeys.test.mjs: an independent library in Node.js.
//
// Conformance (Client assertions): RFC 7523 2.2, 3: an independent client authenticates with each algorithm
// Conformance (Client assertions): OpenID Connect Core 9: an independent client signs with its secret at every endpoint
// Conformance (Certificates of clients): RFC 8705 2, 3, 5: an independent client authenticates with certificates, at the aliases in the metadata, and uses bound tokens
// Conformance (Pushed authorization requests): RFC 9126 2: an independent client that authenticates with a key pushes a signed request
func TestClientKeysAndCertificates(t *testing.T) {
	t.Parallel()
	runBrowser(t, newKeyedStage(t, "sqlite").stage, "clientkeys.test.mjs", 0, 11)
}

// assertion signs a client assertion, or a request object.
func (k keyed) sign(t *testing.T, alg, typ string, claims map[string]any) string {
	t.Helper()
	now := time.Now().Unix()
	claims["iat"], claims["nbf"], claims["exp"], claims["jti"], claims["aud"] = now, now, now+60, random(16), k.issuer
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(alg), Key: k.keys[alg].Key},
		(&jose.SignerOptions{}).WithType(jose.ContentType(typ)).WithHeader("kid", "first"))
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// asserted returns the parameters of a client that signs.
func (k keyed) asserted(t *testing.T, alg string) url.Values {
	t.Helper()
	id := "jwt-" + alg
	return url.Values{"client_id": {id}, "client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion": {k.sign(t, alg, "client-authentication+jwt", map[string]any{"iss": id, "sub": id})}}
}

// A client in Go pushes a signed request, signs a user in, and redeems the code, with assertions. Another
// one signs with its secret.
//
// Conformance (Client assertions): OpenID Connect Core 9: a client in Go signs with its secret
// Conformance (Request objects): RFC 9101 4, 6: a client in Go pushes a signed request
// Conformance (Pushed authorization requests): RFC 9126 2: a client in Go that authenticates with a key pushes a signed request
func TestGoClientPushesSignedRequests(t *testing.T) {
	t.Parallel()
	k := newKeyedStage(t, "postgres")
	const alg, id = "PS256", "jwt-PS256"
	a := newParty(t, k.stage, id, webRedirect+"/"+id, "", "openid", "email")
	a.oauth.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	u, err := url.Parse(a.start())
	if err != nil {
		t.Fatal(err)
	}
	inside := map[string]any{"iss": id}
	for name, values := range u.Query() {
		inside[name] = values[0]
	}
	form := k.asserted(t, alg)
	form.Set("request", k.sign(t, alg, "oauth-authz-req+jwt", inside))
	response, err := http.PostForm(k.issuer+"/par", form)
	if err != nil {
		t.Fatal(err)
	}
	pushed := decode(t, response)
	uri, _ := pushed["request_uri"].(string)
	if response.StatusCode != http.StatusCreated || uri == "" {
		t.Fatalf("push = %d %v", response.StatusCode, pushed)
	}
	p := newPerson(t, k.issuer).open(k.issuer + "/authorize?" + url.Values{"client_id": {id}, "request_uri": {uri}}.Encode())
	p.signIn(k.user(t, false))
	q := p.sent()
	assertion := k.asserted(t, alg)
	var options []oauth2.AuthCodeOption
	for name := range assertion {
		options = append(options, oauth2.SetAuthURLParam(name, assertion.Get(name)))
	}
	token, err := a.oauth.Exchange(context.Background(), q.Get("code"), append(options, oauth2.VerifierOption(a.verifier))...)
	if err != nil {
		t.Fatal(err)
	}
	if id, _ := a.verify(token); id.Subject == "" {
		t.Error("the ID token is about nobody")
	}
	if _, err := a.oauth.Exchange(context.Background(), q.Get("code"), append(options, oauth2.VerifierOption(a.verifier))...); err == nil {
		t.Error("the assertion was accepted twice")
	}

	k.keys["HS512"] = jose.JSONWebKey{Key: []byte(k.secret)}
	machine := clientcredentials.Config{TokenURL: k.issuer + "/token", AuthStyle: oauth2.AuthStyleInParams, Scopes: []string{"reports"}, EndpointParams: k.asserted(t, "HS512")}
	machine.ClientID = "jwt-HS512"
	if token, err := machine.Token(t.Context()); err != nil || !token.Valid() {
		t.Errorf("a client that signs with its secret: %v", err)
	}
	if _, err := machine.Token(t.Context()); err == nil {
		t.Error("an assertion that a secret signed was accepted twice")
	}
}

// A client in Go authenticates with certificates, over real connections.
//
// Conformance (Certificates of clients): RFC 8705 2.1: a client in Go authenticates with a certificate of an authority
// Conformance (Certificates of clients): RFC 8705 2.2: a client in Go authenticates with a self-signed certificate
// Conformance (Certificates of clients): RFC 8705 3: a token that is bound to a certificate is refused without it, and with another
func TestGoClientPresentsCertificates(t *testing.T) {
	t.Parallel()
	k := newKeyedStage(t, "sqlite")
	token := func(id, cert string) (*oauth2.Token, error) {
		c := clientcredentials.Config{ClientID: id, TokenURL: k.mutual + "/token", Scopes: []string{"reports"}, AuthStyle: oauth2.AuthStyleInParams}
		return c.Token(context.WithValue(t.Context(), oauth2.HTTPClient, k.with(cert)))
	}
	for _, tc := range []struct {
		id, cert string
		ok       bool
	}{
		{"ledger", "ledger", true}, {"ledger", "other", false}, {"ledger", "forged", false}, {"ledger", "late", false}, {"ledger", "self", false}, {"ledger", "", false},
		{"self", "self", true}, {"self", "ledger", false}, {"self", "", false},
	} {
		if _, err := token(tc.id, tc.cert); (err == nil) != tc.ok || err != nil && !strings.Contains(err.Error(), "invalid_client") {
			t.Errorf("client %s with the certificate %q: %v, want accepted %v", tc.id, tc.cert, err, tc.ok)
		}
	}
	bound, err := token("ledger", "ledger")
	if err != nil {
		t.Fatal(err)
	}
	for cert, want := range map[string]int{"ledger": 200, "other": 401, "": 401} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, k.mutual+"/introspect", strings.NewReader(url.Values{"token": {bound.AccessToken}, "client_id": {"ledger"}}.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		response, err := k.with(cert).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body := decode(t, response)
		if response.StatusCode != want || want == 200 && (body["active"] != true || body["cnf"] == nil) {
			t.Errorf("introspection with the certificate %q = %d %v, want %d", cert, response.StatusCode, body, want)
		}
	}
	// The listener serves no pages, and a header of a caller is not looked at.
	for path, want := range map[string]int{"/login": 404, "/account": 404, "/authorize": 404, "/": 404, "/userinfo": 401} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, k.mutual+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Client-Cert", "::")
		response, err := k.with("").Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("%s = %d, want %d", path, response.StatusCode, want)
		}
	}
}
