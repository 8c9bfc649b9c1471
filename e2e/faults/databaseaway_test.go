package faults

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/e2e/play"
)

// probe is one call, with the member of the body that names the error while the database does
// not respond; "" for a page.
type probe struct {
	name, member string
	do           func(*caller) (reply, error)
}

func probes(n *cluster, code, token, refresh string) []probe {
	u := play.User{Name: "user001", Password: "not the password"}
	page := func(path string) func(*caller) (reply, error) {
		return func(c *caller) (reply, error) { return c.do(http.MethodGet, path, "", "", "") }
	}
	form := func(path, client string, v url.Values) func(*caller) (reply, error) {
		return func(c *caller) (reply, error) { return c.form(path, client, v) }
	}
	authorize := url.Values{"response_type": {"code"}, "client_id": {"spa"}, "redirect_uri": {redirect}, "scope": {"openid"}, "state": {"s"},
		"code_challenge": {challenge()}, "code_challenge_method": {"S256"}}.Encode()
	return []probe{
		{"open a login", "code", func(c *caller) (reply, error) { return reply{}, c.begin("app") }},
		{"step of a login", "code", func(c *caller) (reply, error) {
			c.id = "00000000-0000-0000-0000-000000000001"
			return c.step("/password", "identifier", u.Name, "password", u.Password)
		}},
		{"authorize", "", page("/authorize?" + authorize)},
		{"login page", "", page("/login?requestId=00000000-0000-0000-0000-000000000001")},
		{"code", "error", func(c *caller) (reply, error) {
			return c.redeem("app", code)
		}},
		{"refresh", "error", form("/token", "app", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}})},
		{"introspection", "error", form("/introspect", "app", url.Values{"token": {token}})},
		{"revocation", "error", form("/revoke", "app", url.Values{"token": {token}})},
		{"userinfo", "error", form("/userinfo", "", url.Values{"access_token": {token}})},
		{"methods in the cidaas dialect", "", func(c *caller) (reply, error) {
			return c.do(http.MethodPost, "/verification-srv/v2/setup/public/configured/list", "application/json",
				`{"email":"user001@example.com","request_id":"00000000-0000-0000-0000-000000000001"}`, "")
		}},
	}
}

// unavailable checks for 503 with Retry-After, in the interface's format.
func unavailable(t *testing.T, a probe, r reply) {
	t.Helper()
	if r.code != http.StatusServiceUnavailable || r.header.Get("Retry-After") == "" {
		t.Errorf("%s: %d %q %s, want 503 with Retry-After", a.name, r.code, r.header.Get("Retry-After"), r.text)
		return
	}
	if a.member != "" && r.get(a.member) != "temporarily_unavailable" {
		t.Errorf("%s: %s, want temporarily_unavailable", a.name, r.text)
	}
	text := strings.ReplaceAll(r.text, `href="http://127.0.0.1:9/"`, "") // the application's own page
	for _, inside := range []string{"SQLSTATE", "postgres", "connect", "dial", "127.0.0.1:", "timeout"} {
		if strings.Contains(text, inside) {
			t.Errorf("%s: the response contains %q: %s", a.name, inside, r.text)
		}
	}
}

// everyProbe makes all calls concurrently and returns the longest response time.
func everyProbe(t *testing.T, n *cluster, list []probe, check func(probe, reply)) time.Duration {
	t.Helper()
	var wg sync.WaitGroup
	var mu sync.Mutex
	longest := time.Duration(0)
	for _, a := range slices.Repeat(list, 3) { // more than the connections
		wg.Go(func() {
			c := n.caller(n.servers[0])
			r, err := a.do(c)
			if e, ok := err.(*refused); ok {
				r, err = e.reply, nil
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Errorf("%s: %v", a.name, err)
				return
			}
			longest = max(longest, r.took)
			check(a, r)
		})
	}
	wg.Wait()
	return longest
}

// signedIn returns a caller with tokens.
func signedIn(t *testing.T, n *cluster) (*caller, reply) {
	t.Helper()
	c := n.caller(n.servers[0])
	code, err := c.login("app", n.user(false))
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := c.redeem("app", code)
	if err != nil {
		t.Fatal(err)
	}
	return c, tokens
}

// TestDatabaseAway is R-7: whatever happens to the database, there is a response within
// 3 s and service within 5 s of its return, without a restart.
func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	db, w := wired(t)
	n := newCluster(t, plan{dsn: through(db.Address("postgres"), w), users: 8})
	s := n.servers[0]
	c, tokens := signedIn(t, n)
	code, err := c.login("app", n.user(false))
	if err != nil {
		t.Fatal(err)
	}
	list := probes(n, code, tokens.get("access_token"), tokens.get("refresh_token"))
	for _, tc := range []struct {
		name       string
		away, back func()
		slow       bool
	}{
		{"database crashed", func() { db.Crash(t) }, func() { db.Start(t) }, false},
		{"network cut", func() { w.set(down) }, func() { w.set(fair) }, false},
		{"host dead", func() { w.set(hole) }, func() { w.set(down); w.set(fair) }, false},
		{"host replaced silently", func() { w.set(hole) }, func() { w.strand(); w.set(fair) }, false},
		{"very slow", func() { w.slow(1200 * time.Millisecond) }, func() { w.slow(0) }, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.away()
			for range pick(1, 10) { // the first round uses connections that were alive
				took := everyProbe(t, n, list, func(a probe, r reply) {
					if !tc.slow || r.code >= http.StatusInternalServerError { // fast calls may succeed
						unavailable(t, a, r)
					}
				})
				within(t, "R-7", "longest response, "+tc.name, took, 3*time.Second)
			}
			if got := s.health("/healthz"); got != http.StatusOK {
				t.Errorf("liveness = %d, want 200", got)
			}
			if got := s.health("/readyz"); got != http.StatusServiceUnavailable {
				t.Errorf("readiness = %d, want 503", got)
			}
			for _, path := range []string{"/.well-known/openid-configuration", "/jwks.json"} {
				if r, err := c.do(http.MethodGet, path, "", "", ""); err != nil || r.took > time.Second {
					t.Errorf("%s: %v after %s", path, err, r.took)
				}
			}
			tc.back()
			within(t, "R-7", "service again, "+tc.name, soon(t, "an active token", 20*time.Second, func() bool {
				ok, err := c.active("app", tokens.get("access_token"))
				return ok && err == nil
			}), 5*time.Second)
			within(t, "R-7", "ready again, "+tc.name, soon(t, "ready", 20*time.Second, func() bool { return s.health("/readyz") == http.StatusOK }), 5*time.Second)
			signedIn(t, n)
		})
	}
	w.set(hole)
	_ = c.begin("app") // leaves a connection in use
	began := time.Now()
	_ = s.stop() // exit code 1 if an event could not be written
	within(t, "R-8", "stopped while the database is away", time.Since(began), 21*time.Second)
}
