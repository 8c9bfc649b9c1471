package provider

import (
	"crypto/rand"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sallyport/mfa"
	"sallyport/mfa/budget"
	"sallyport/provider/fetch"
	"sallyport/storage"
)

// publishing serves a document, and lets the provider fetch it.
func (h *fixture) publishing(document func() string) (address string, calls *atomic.Int32) {
	h.t.Helper()
	calls = &atomic.Int32{}
	site := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		_, _ = w.Write([]byte(document()))
	}))
	h.t.Cleanup(site.Close)
	roots := x509.NewCertPool()
	roots.AddCert(site.Certificate())
	o := h.p.options
	o.Fetcher = fetch.New(h.now, fetch.Options{Roots: roots, Allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	var err error
	h.p, err = New(h.store, h.keyring, h.verifier, h.sessions, h.journal, h.now, rand.Reader, o)
	h.ok(err)
	return site.URL, calls
}

// A client that has to wait is not judged: a key that is not in the set at its jwks_uri makes the server
// fetch that again, for who may be judged.
//
// Conformance (Client assertions): RFC 6749 2.3, 10.10: one method in a request, and a limit of failures that costs no signature
func TestAClientThatWaitsCostsNoSignature(t *testing.T) {
	onBothDatabases(t, func(h *fixture) {
		p, unknown := h.prover(), h.prover()
		public := p.public
		public.KeyID = "k"
		address, calls := h.publishing(func() string { return string(clientKey{nil, public}.set(h.t)) })
		h.client("rp", func(c *storage.Client) { c.AuthMethod, c.SecretHashes, c.JWKSURI = "private_key_jwt", nil, address })
		form := func(p *prover) reply { return h.at("/token", asserting(p.assert("rp"), reports...)) }
		if got := form(p); got.Status != http.StatusOK {
			h.t.Fatalf("a right assertion = %d %s", got.Status, got.Raw)
		}
		for range 20 {
			form(unknown)
		}
		if n := calls.Load(); n != 2 { // an unknown key is looked for at once, but not twice
			h.t.Fatalf("%d calls, want 2", n)
		}
		for range 5 {
			h.wait(20 * time.Second) // so that the set would be fetched again
			for _, with := range []*prover{unknown, p} {
				if got := form(with); got.Status != http.StatusTooManyRequests {
					h.t.Errorf("an assertion in the wait = %d %s, want 429", got.Status, got.Raw)
				}
			}
		}
		if n := calls.Load(); n != 2 {
			h.t.Errorf("%d calls after the wait began, want 2", n)
		}
		h.wait(10 * time.Minute)
		if got := form(p); got.Status != http.StatusOK {
			h.t.Errorf("after the wait = %d %s", got.Status, got.Raw)
		}
	})
}

// Keys that cannot be fetched say nothing about the client.
func TestKeysThatAreAwayAreNoFailures(t *testing.T) {
	h := newFixture(t)
	p := h.prover()
	address, _ := h.publishing(func() string { return "nonsense" })
	h.client("rp", func(c *storage.Client) { c.AuthMethod, c.SecretHashes, c.JWKSURI = "private_key_jwt", nil, address })
	for i := range 30 {
		if got := h.at("/token", asserting(p.assert("rp"), reports...)); got.Status != http.StatusUnauthorized || got.Refusal.Reason != "unavailable_keys" {
			t.Fatalf("try %d = %d %s (%s), want 401 unavailable_keys", i, got.Status, got.Raw, got.Refusal.Reason)
		}
	}
}

// Whoever names a client makes the server call the addresses it registered, within a budget.
//
// Conformance (Request objects): RFC 9101 10.4: what callers make the server fetch is limited
func TestWhatCallersMakeTheServerFetchIsLimited(t *testing.T) {
	h := newFixture(t)
	key := newKey(t)
	spent, limited := map[string]int{}, false
	h.admit = func(_ mfa.Caller, of string, n int) time.Duration {
		spent[of] += n
		if limited && n > 0 {
			return 7 * time.Second
		}
		return 0
	}
	object := ""
	address, calls := h.publishing(func() string {
		if object == "" {
			return string(key.set(t))
		}
		return object
	})
	h.client("rp", func(c *storage.Client) { c.AuthMethod, c.SecretHashes, c.JWKSURI = "private_key_jwt", nil, address })
	h.client("objects", func(c *storage.Client) { c.JWKS, c.RequestURIs = key.set(t), []string{address} })
	h.client("spa", public, func(c *storage.Client) { c.JWKSURI = address })
	p := &prover{h, jose.ES256, key.private, key.public}
	assertion := func() reply { return h.at("/token", asserting(p.assert("rp"), reports...)) }
	pushed := func() reply {
		return h.post(h.p.Push, "", formOf("client_id", "spa", "request", key.object(t, objectClaims(h, "spa"))))
	}
	limited = true
	if got := assertion(); got.Status != http.StatusTooManyRequests || got.Header.Get("Retry-After") != "7" || calls.Load() != 0 {
		t.Errorf("an assertion over the limit = %d %s after %d calls, want 429", got.Status, got.Raw, calls.Load())
	}
	if got := pushed(); got.Status != http.StatusTooManyRequests || got.Header.Get("Retry-After") != "7" || calls.Load() != 0 {
		t.Errorf("a pushed object over the limit = %d %s after %d calls, want 429", got.Status, got.Raw, calls.Load())
	}
	if _, got := h.refusedWith(params("objects", "request_uri", address)); got != string(mfa.TooManyRequests) || calls.Load() != 0 {
		t.Errorf("a request_uri over the limit = %q after %d calls, want %s", got, calls.Load(), mfa.TooManyRequests)
	}
	limited = false
	clear(spent)
	if got := assertion(); got.Status != http.StatusOK || spent[budget.Refusals] != 1 || calls.Load() != 1 {
		t.Errorf("an assertion = %d %s after %d calls, spent %v, want tokens for one refusal", got.Status, got.Raw, calls.Load(), spent)
	}
	limited = true
	if got := assertion(); got.Status != http.StatusOK {
		t.Errorf("an assertion with keys in memory = %d %s, want tokens", got.Status, got.Raw)
	}
	limited = false
	object = key.object(t, objectClaims(h, "objects"))
	clear(spent)
	if _, got := h.refusedWith(params("objects", "request_uri", address)); got != "" || spent[budget.Opens] != 1 {
		t.Errorf("a request_uri = %q, spent %v, want a login for one opening", got, spent)
	}
}
