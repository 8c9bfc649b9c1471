package provider

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sallyport/mfa"
	"sallyport/mfa/budget"
	"sallyport/provider/mtls"
	"sallyport/provider/mtls/mtlstest"
	"sallyport/storage"
)

const aliased = "https://mtls.op.example"

// mutual lets clients present certificates, and returns the authority of tls_client_auth.
func (h *fixture) mutual() *mtlstest.Authority {
	h.t.Helper()
	authority := mtlstest.New(h.t, "Example CA", h.now())
	read, err := mtls.ReadAuthorities(authority.File())
	h.ok(err)
	o := h.p.options
	o.MTLS = &mtls.Settings{URL: aliased, Authorities: read}
	h.p, err = New(h.store, h.keyring, h.verifier, h.sessions, h.journal, h.now, rand.Reader, o)
	h.ok(err)
	return authority
}

// presents makes all further calls come with a certificate, or with none.
func (h *fixture) presents(chain ...tls.Certificate) {
	h.visit.Certificates = nil
	for _, c := range chain {
		h.visit.Certificates = append(h.visit.Certificates, c.Leaf)
	}
}

// certified registers a client with tls_client_auth; name sets the name of its certificate.
func certified(name func(*storage.Client)) func(*storage.Client) {
	return func(c *storage.Client) {
		c.AuthMethod, c.SecretHashes = mtls.TLSClientAuth, nil
		name(c)
	}
}

// selfSigned registers a client with self_signed_tls_client_auth and a key set.
func selfSigned(set string) func(*storage.Client) {
	return func(c *storage.Client) {
		c.AuthMethod, c.SecretHashes, c.JWKS = mtls.SelfSignedAuth, nil, json.RawMessage(set)
	}
}

func withCertificate(c *storage.Client) { c.CertificateBound = true }

// setOf is a key set with a certificate in x5c.
func setOf(t testing.TB, c tls.Certificate) string {
	t.Helper()
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: c.Leaf.PublicKey, Certificates: []*x509.Certificate{c.Leaf}}}})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// keyOf is a key set with the key of a certificate alone.
func keyOf(t testing.TB, c tls.Certificate) string {
	t.Helper()
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: c.Leaf.PublicKey}}})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// printOf is a key set with the key and the thumbprint of a certificate.
func printOf(t testing.TB, c tls.Certificate) string {
	t.Helper()
	return strings.Replace(keyOf(t, c), `{"kty"`, `{"x5t#S256":"`+mtls.Thumbprint([]*x509.Certificate{c.Leaf})+`","kty"`, 1)
}

// RFC 8705 section 2.
//
// Conformance (Pushed authorization requests): RFC 9126 2: the client authenticates as at the token endpoint
// Conformance (Certificates of clients): RFC 8705 2: a certificate is accepted wherever a secret is
func TestCertificatesAreAcceptedWhereSecretsAre(t *testing.T) {
	h := newFixture(t)
	authority := h.mutual()
	uri, err := url.Parse("https://ledger.example/client")
	h.ok(err)
	leaf := authority.Issue("ledger", h.now(), func(c *x509.Certificate) {
		c.Subject.Organization, c.DNSNames, c.URIs = []string{"Example"}, []string{"ledger.example"}, []*url.URL{uri}
		c.IPAddresses, c.EmailAddresses = []net.IP{net.ParseIP("192.0.2.9")}, []string{"ledger@example.com"}
	})
	own := mtlstest.SelfSigned(t, "self", h.now())
	for name, tc := range map[string]struct {
		presented tls.Certificate
		register  func(*storage.Client)
	}{
		"subject":     {leaf, certified(func(c *storage.Client) { c.TLSSubjectDN = "CN=ledger,O=Example" })},
		"dns":         {leaf, certified(func(c *storage.Client) { c.TLSSANDNS = "ledger.example" })},
		"uri":         {leaf, certified(func(c *storage.Client) { c.TLSSANURI = uri.String() })},
		"ip":          {leaf, certified(func(c *storage.Client) { c.TLSSANIP = "192.0.2.9" })},
		"email":       {leaf, certified(func(c *storage.Client) { c.TLSSANEmail = "ledger@example.com" })},
		"certificate": {own, selfSigned(setOf(t, own))},
		"thumbprint":  {own, selfSigned(printOf(t, own))},
		"key":         {own, selfSigned(keyOf(t, own))},
	} {
		h.client(storage.ClientID(name), tc.register)
		h.presents(tc.presented)
		got := h.at("/token", formOf(append([]string{"client_id", name}, reports...)...))
		if got.Status != http.StatusOK || got.get("token_type") != "Bearer" {
			t.Errorf("%s = %d %s (%s), want tokens", name, got.Status, got.Raw, got.Refusal.Reason)
			continue
		}
		token := got.get("access_token")
		if got := h.at("/introspect", formOf("client_id", name, "token", token)); got.Body["active"] != true || got.Body["cnf"] != nil {
			t.Errorf("%s: introspection = %d %s, want an active token that is bound to nothing", name, got.Status, got.Raw)
		}
		if got := h.at("/revoke", formOf("client_id", name, "token", token)); got.Status != http.StatusOK {
			t.Errorf("%s: revocation = %d %s, want 200", name, got.Status, got.Raw)
		}
		if got := h.post(h.p.Push, "", params(storage.ClientID(name))); got.Status != http.StatusCreated {
			t.Errorf("%s: push = %d %s, want 201", name, got.Status, got.Raw)
		}
	}
}

// Conformance (Certificates of clients): RFC 8705 2.1: `tls_client_auth`: an authority issued the certificate, and it has the registered name
// Conformance (Certificates of clients): RFC 8705 2.2: `self_signed_tls_client_auth`: the certificate is in the key set of the client, which can change it
func TestHostileCertificates(t *testing.T) {
	h := newFixture(t)
	authority, another := h.mutual(), mtlstest.New(t, "Example CA", h.now())
	own, stranger := mtlstest.SelfSigned(t, "ledger", h.now()), mtlstest.SelfSigned(t, "ledger", h.now())
	late := func(c *x509.Certificate) { c.NotAfter = h.now().Add(-time.Second) }
	early := func(c *x509.Certificate) { c.NotBefore = h.now().Add(time.Second) }
	renewed := mtlstest.SelfSigned(t, "ledger", h.now(), late)
	future := mtlstest.SelfSigned(t, "ledger", h.now(), early)
	h.client("ledger", certified(func(c *storage.Client) { c.TLSSubjectDN = "CN=ledger" }))
	h.client("other", certified(func(c *storage.Client) { c.TLSSubjectDN = "CN=other" }))
	h.client("dns", certified(func(c *storage.Client) { c.TLSSANDNS = "ledger" }))
	h.client("self", selfSigned(setOf(t, own)))
	h.client("key", selfSigned(keyOf(t, own)))
	h.client("late", selfSigned(setOf(t, renewed)))
	h.client("early", selfSigned(setOf(t, future)))
	h.client("secret")
	h.client("spa", public)
	const none, invalid, wrong = "no_certificate", "invalid_certificate", "wrong_certificate"
	callers := 0
	for _, tc := range []struct {
		name, id  string
		presented []tls.Certificate
		want      string
	}{
		{"no certificate", "ledger", nil, none},
		{"no certificate of a self-signed client", "self", nil, none},
		{"one that has expired", "ledger", []tls.Certificate{authority.Issue("ledger", h.now(), late)}, invalid},
		{"one that is not valid yet", "ledger", []tls.Certificate{authority.Issue("ledger", h.now(), early)}, invalid},
		{"the right name of another authority of the same name", "ledger", []tls.Certificate{another.Issue("ledger", h.now())}, invalid},
		{"that with the right authority beside it", "ledger", []tls.Certificate{another.Issue("ledger", h.now()), {Leaf: authority.Certificate}}, invalid},
		{"the right one behind another", "ledger", []tls.Certificate{another.Issue("ledger", h.now()), authority.Issue("ledger", h.now())}, invalid},
		{"the right name, self-signed", "ledger", []tls.Certificate{own}, invalid},
		{"another name", "ledger", []tls.Certificate{authority.Issue("ledger2", h.now())}, wrong},
		{"another client's", "ledger", []tls.Certificate{authority.Issue("other", h.now())}, wrong},
		{"the name in a field that is not registered", "dns", []tls.Certificate{authority.Issue("ledger", h.now())}, wrong},
		{"one for servers", "ledger", []tls.Certificate{authority.Issue("ledger", h.now(), func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })}, invalid},
		{"the authority itself", "ledger", []tls.Certificate{{Leaf: authority.Certificate}}, wrong},
		{"another self-signed one of the same name", "self", []tls.Certificate{stranger}, wrong},
		{"one of an authority, for a self-signed client", "self", []tls.Certificate{authority.Issue("ledger", h.now())}, wrong},
		{"the key in another certificate, where a certificate is registered", "self", []tls.Certificate{mtlstest.Below(t, own).Again("ledger", h.now())}, wrong},
		{"another key", "key", []tls.Certificate{stranger}, wrong},
		{"a registered one that has expired", "late", []tls.Certificate{renewed}, invalid},
		{"a registered one that is not valid yet", "early", []tls.Certificate{future}, invalid},
		{"a certificate in place of a secret", "secret", []tls.Certificate{authority.Issue("secret", h.now())}, "wrong_method"},
		{"an unknown client", "nobody", []tls.Certificate{authority.Issue("ledger", h.now())}, "unknown_client"},
	} {
		callers++
		h.visit.Address = fmt.Sprintf("192.0.2.%d", callers)
		h.presents(tc.presented...)
		got := h.at("/token", formOf(append([]string{"client_id", tc.id}, reports...)...))
		if got.Status != http.StatusUnauthorized || got.get("error") != "invalid_client" || got.Refusal.Reason != tc.want {
			t.Errorf("%s = %d %s (%s), want 401 invalid_client, %s", tc.name, got.Status, got.Raw, got.Refusal.Reason, tc.want)
		}
		if tc.want != "unknown_client" && strings.Contains(got.Raw, "certificate") {
			t.Errorf("%s: the response tells more than that of a wrong secret: %s", tc.name, got.Raw)
		}
	}
	h.presents(authority.Issue("ledger", h.now()))
	for name, form := range map[string]url.Values{
		"with a secret":    formOf(append([]string{"client_id", "ledger", "client_secret", clientSecret}, reports...)...),
		"for the wrong id": formOf(append([]string{"client_id", "other"}, reports...)...),
		"without a name":   formOf(reports...),
	} {
		if got := h.at("/token", form); got.Status != http.StatusUnauthorized {
			t.Errorf("%s = %d %s, want 401", name, got.Status, got.Raw)
		}
	}
	if got := h.post(h.p.Grants.Token, "ledger", formOf(reports...)); got.Status != http.StatusUnauthorized {
		t.Errorf("with a secret in a header = %d %s, want 401", got.Status, got.Raw)
	}
}

// Where clients cannot present certificates nobody has one, whatever a caller claims.
func TestNoCertificateCountsWhereNoneIsAskedFor(t *testing.T) {
	h := newFixture(t)
	own := mtlstest.SelfSigned(t, "self", h.now())
	h.client("self", selfSigned(setOf(t, own)))
	h.presents(own)
	if got := h.at("/token", formOf(append([]string{"client_id", "self"}, reports...)...)); got.Status != http.StatusUnauthorized || got.Refusal.Reason != "no_certificate" {
		t.Errorf("token = %d %s (%s), want 401", got.Status, got.Raw, got.Refusal.Reason)
	}
	h.mutual()
	h.p.options.MTLS.Authorities = nil
	h.client("ledger", certified(func(c *storage.Client) { c.TLSSubjectDN = "CN=self" }))
	if got := h.at("/token", formOf(append([]string{"client_id", "ledger"}, reports...)...)); got.Status != http.StatusUnauthorized {
		t.Errorf("without authorities = %d %s, want 401", got.Status, got.Raw)
	}
}

// A certificate cannot be guessed, so wrong ones make no client wait: strangers who share its network,
// as everybody behind a relay does, cannot keep it out.
func TestWrongCertificatesMakeNoClientWait(t *testing.T) {
	onBothDatabases(t, func(h *fixture) {
		authority, own := h.mutual(), mtlstest.SelfSigned(h.t, "self", h.now())
		h.client("ledger", certified(func(c *storage.Client) { c.TLSSubjectDN = "CN=ledger" }))
		h.client("self", selfSigned(setOf(h.t, own)))
		h.client("rp")
		h.client("off", certified(func(c *storage.Client) { c.TLSSubjectDN, c.Disabled = "CN=ledger", true }))
		right := authority.Issue("ledger", h.now())
		tokens := func(id string) int {
			return h.at("/token", formOf(append([]string{"client_id", id}, reports...)...)).Status
		}
		for _, wrong := range [][]tls.Certificate{nil, {authority.Issue("other", h.now())}} {
			for _, id := range []string{"ledger", "self"} {
				h.presents(wrong...)
				for range 21 {
					if got := tokens(id); got != http.StatusUnauthorized {
						h.t.Fatalf("%s with a wrong one = %d, want 401", id, got)
					}
				}
			}
			h.presents(right)
			h.is("the right one of an authority", tokens("ledger"), 200)
			h.is("that of a client that is disabled", tokens("off"), 401)
			h.presents(own)
			h.is("the right self-signed one", tokens("self"), 200)
		}
		if n := h.events(mfa.EventClientFailed); n < 1 || n > 3 {
			h.t.Errorf("%d lines in the audit trail, want one for each client", n)
		}
		h.presents(right)
		wrong := formOf(append([]string{"client_id", "ledger", "client_secret", "x"}, reports...)...)
		for range 20 {
			h.is("a secret in place of a certificate", h.at("/token", wrong).Status, 401)
		}
		h.is("a secret after 20", h.at("/token", wrong).Status, 429)
		h.is("the right one after them", tokens("ledger"), 200)
	})
}

// Over the budget of its address a wrong certificate is refused without a line in the audit trail.
func TestWrongCertificatesHaveABudget(t *testing.T) {
	h := newFixture(t)
	authority := h.mutual()
	h.client("ledger", certified(func(c *storage.Client) { c.TLSSubjectDN = "CN=ledger" }))
	tokens := func() int {
		return h.at("/token", formOf(append([]string{"client_id", "ledger"}, reports...)...)).Status
	}
	spent := 0
	h.admit = func(_ mfa.Caller, of string, n int) time.Duration {
		if of == budget.Refusals {
			spent += n
		}
		if spent > 2 {
			return time.Minute
		}
		return 0
	}
	h.presents(authority.Issue("ledger", h.now()))
	h.is("the right one", tokens(), 200)
	if spent != 0 {
		t.Errorf("the right one spends %d, want 0", spent)
	}
	h.presents(authority.Issue("other", h.now()))
	for i, want := range []int{401, 401, 429} {
		before := h.engine.Stats().Statements
		h.is(fmt.Sprint("wrong one ", i), tokens(), want)
		if n := h.engine.Stats().Statements - before; n != 0 {
			t.Errorf("wrong one %d costs %d statements, want 0", i, n)
		}
	}
	if spent != 3 {
		t.Errorf("spent %d, want 3", spent)
	}
	h.presents(authority.Issue("ledger", h.now()))
	h.is("the right one over the budget", tokens(), 200)
}

// A certificate that is removed from the set at a jwks_uri is refused as soon as the set is fetched again,
// and a new one is accepted as soon as it is published.
//
// Conformance (Certificates of clients): RFC 8705 2.2: `self_signed_tls_client_auth`: the certificate is in the key set of the client, which can change it
func TestRegisteredCertificatesRotate(t *testing.T) {
	h := newFixture(t)
	old, next := mtlstest.SelfSigned(t, "self", h.now()), mtlstest.SelfSigned(t, "self", h.now())
	set := setOf(t, old)
	address, calls := h.publishing(func() string { return set })
	h.mutual()
	h.client("self", func(c *storage.Client) { c.AuthMethod, c.SecretHashes, c.JWKSURI = mtls.SelfSignedAuth, nil, address })
	form := formOf(append([]string{"client_id", "self"}, reports...)...)
	want := func(name string, c tls.Certificate, status int) {
		t.Helper()
		h.presents(c)
		if got := h.at("/token", form); got.Status != status {
			t.Errorf("%s = %d %s (%s), want %d", name, got.Status, got.Raw, got.Refusal.Reason, status)
		}
	}
	want("the old one", old, 200)
	set = setOf(t, next)
	want("the old one, as the set is kept", old, 200)
	h.wait(20 * time.Second)
	want("the next one", next, 200)
	for range 2 {
		want("the old one", old, 401)
	}
	if n := calls.Load(); n != 3 {
		t.Errorf("%d calls, want 3", n)
	}
}

// An assertion may name the endpoint by its other address.
func TestAssertionsForTheAddressWithCertificates(t *testing.T) {
	h := newFixture(t)
	h.mutual()
	p := h.prover()
	h.client("rp", signsWith(p))
	for aud, want := range map[string]int{aliased + "/token": 200, aliased: 401, aliased + "/introspect": 401} {
		if got := h.at("/token", asserting(p.assert("rp", part{"aud", aud}), reports...)); got.Status != want {
			t.Errorf("for %s = %d %s, want %d", aud, got.Status, got.Raw, want)
		}
	}
}
