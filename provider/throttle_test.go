package provider

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/budget"
	"sallyport/mfa/mfatest"
	"sallyport/storage"
	"sallyport/storage/storagetest"
)

// onBothDatabases runs a test on each kind of database.
func onBothDatabases(t *testing.T, test func(h *fixture)) {
	t.Run("SQLite", func(t *testing.T) { test(newFixture(t)) })
	t.Run("PostgreSQL", func(t *testing.T) { test(newFixtureOn(t, storagetest.Postgres(t))) })
}

// another is one more server on the same database, or the same one after a restart.
func (h *fixture) another() *fixture {
	h.t.Helper()
	other := &fixture{t: h.t, ctx: h.ctx, clock: mfatest.NewClock(h.now()), engine: h.engine, keyring: h.keyring, journal: h.journal, visit: h.visit, logged: h.logged}
	var err error
	other.p, err = New(h.engine, h.keyring, h.verifier, h.sessions, h.journal, h.now, rand.Reader, h.p.options)
	h.ok(err)
	return other
}

// from is the visit of a caller at an address.
func (h *fixture) from(address string) mfa.Caller {
	v := h.visit
	v.Address = address
	return v
}

// show calls the token endpoint with a secret, from an address, and returns the status.
func (h *fixture) show(address, id, word string) int {
	return h.postFrom(h.from(address), h.p.Grants.Token, presenter{header: basic(id, word)}, formOf("grant_type", "client_credentials", "scope", "read")).Status
}

const (
	home   = "203.0.113.7"
	abroad = "198.51.100.1"
)

// fail shows wrong secrets which are all compared.
func (h *fixture) fail(n int, address, id string) {
	h.t.Helper()
	for i := range n {
		if got := h.show(address, id, "a wrong one"); got != http.StatusUnauthorized {
			h.t.Fatalf("wrong secret %d of %s from %s = %d, want 401", i+1, id, address, got)
		}
	}
}

// is checks the status for a secret.
func (h *fixture) is(what string, got, want int) {
	h.t.Helper()
	if got != want {
		h.t.Errorf("%s = %d, want %d", what, got, want)
	}
}

func TestWrongSecretsOfAClientWait(t *testing.T) {
	onBothDatabases(t, func(h *fixture) {
		h.client("rp")
		h.client("other")
		h.fail(20, home, "rp")
		refused := h.postFrom(h.from(home), h.p.Grants.Token, presenter{header: basic("rp", "a wrong one")}, formOf("grant_type", "client_credentials"))
		if refused.Status != http.StatusTooManyRequests || refused.get("error") != "invalid_client" || refused.Header.Get("Retry-After") != "600" ||
			refused.Header.Get("Cache-Control") != "no-store" {
			h.t.Errorf("response = %d %v %s, want 429 invalid_client and Retry-After", refused.Status, refused.Header, refused.Raw)
		}
		h.is("the right secret in the wait, which is not even compared", h.show(home, "rp", clientSecret), 429)
		h.is("the client from elsewhere", h.show(abroad, "rp", clientSecret), 200)
		h.is("another client from there", h.show(home, "other", clientSecret), 200)
		h.is("a wrong secret of another client from there", h.show(home, "other", "wrong"), 401)
		h.wait(10*time.Minute - time.Microsecond)
		h.is("at the end of the wait", h.show(home, "rp", clientSecret), 429)
		h.wait(time.Microsecond)
		h.is("after the wait", h.show(home, "rp", clientSecret), 200)
		h.fail(20, home, "rp")
		h.is("after twenty more", h.show(home, "rp", clientSecret), 429)
		h.fail(20, "2001:db8:1:2::1", "rp")
		h.is("the same /64", h.show("2001:db8:1:2:ffff::9", "rp", clientSecret), 429)
		h.is("another /64", h.show("2001:db8:1:3::1", "rp", clientSecret), 200)
		h.wait(time.Hour)
		swept, err := h.engine.Sweep(h.ctx, h.now(), 1000)
		h.ok(err)
		if swept < 3 {
			h.t.Errorf("%d rows were swept, want the counters gone", swept)
		}
	})
}

// A flood of wrong secrets affects its own address only.
func TestAFloodOfWrongSecretsAffectsOneAddress(t *testing.T) {
	onBothDatabases(t, func(h *fixture) {
		h.client("rp")
		for n := range 300 {
			address := fmt.Sprintf("192.0.2.%d", n%10)
			h.show(address, "rp", "wrong")
			if n%20 == 0 {
				h.is("the client at home", h.show(home, "rp", clientSecret), 200)
			}
		}
		if got := h.p.ClientAuth.Failures(); got != 300 {
			h.t.Errorf("%d failures are counted, want 300", got)
		}
	})
}

// Of parallel tries no more are compared than one after the other, on one server or two.
func TestParallelSecretsAreCountedBeforeTheyAreCompared(t *testing.T) {
	onBothDatabases(t, func(h *fixture) {
		h.client("rp")
		servers := [2]*fixture{h, h.another()}
		turns := make(chan int, 100)
		for i := range cap(turns) {
			turns <- i
		}
		codes := map[int]int{}
		for _, r := range parallel(cap(turns), func() reply {
			server := servers[<-turns%2]
			return server.postFrom(h.from(home), server.p.Grants.Token, presenter{header: basic("rp", "wrong")}, formOf("grant_type", "client_credentials"))
		}) {
			codes[r.Status]++
		}
		if codes[401] != 20 || codes[429] != 80 {
			h.t.Errorf("statuses = %v, want 20 of 401 and 80 of 429", codes)
		}
		if n := h.events(mfa.EventClientFailed); n < 2 || n > 3 {
			h.t.Errorf("%d lines, want one of each server's first failure and one of the wait", n)
		}
		third := h.another()
		h.is("a wrong one on a server that just started", third.show(home, "rp", "wrong"), 429)
		h.is("a right one after it", third.show(home, "rp", clientSecret), 429)
	})
}

// The right secret, shown while the twentieth wrong one is counted, comes after it.
func TestNoSecretIsComparedWhileAFailureIsCounted(t *testing.T) {
	for _, known := range []bool{true, false} { // whether this server has seen a failure before
		onBothDatabases(t, func(h *fixture) {
			h.client("rp")
			other, mine := h.another(), 0
			if known {
				mine = 1
				h.fail(mine, home, "rp")
			}
			other.fail(19-mine, home, "rp")
			b, meanwhile := h.store, make(chan int, 1)
			b.before = map[string]func(){"CountAttempt": func() {
				begun := make(chan struct{})
				go func() { close(begun); meanwhile <- h.show(home, "rp", clientSecret) }()
				<-begun
			}}
			h.is("the twentieth", h.show(home, "rp", "wrong"), 401)
			h.is("the right secret beside it", <-meanwhile, 429)
		})
	}
}

// Right secrets read and write nothing. After a failure they are counted too, and the counts are
// taken back, however many run in parallel.
func TestRightSecretsAreNotCounted(t *testing.T) {
	onBothDatabases(t, func(h *fixture) {
		h.client("rp")
		revoke := func() reply {
			return h.postFrom(h.from(home), h.p.Introspection.Revoke, presenter{header: basic("rp", clientSecret)}, formOf("token", "an unknown token"))
		}
		revoke() // the client is in memory now
		before := h.engine.Stats().Statements
		for range 30 {
			h.is("right", revoke().Status, 200)
		}
		if n := h.engine.Stats().Statements - before; n != 0 {
			h.t.Errorf("%d statements for right secrets, want none", n)
		}
		h.fail(19, home, "rp")
		for _, r := range parallel(50, revoke) {
			h.is("right, beside others", r.Status, 200)
		}
		h.fail(1, home, "rp")
		h.is("after twenty wrong ones", revoke().Status, 429)
	})
}

// Every way to fail counts in the same counter, at every endpoint.
func TestEveryWayToAuthenticateIsCounted(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	h.client("off", func(c *storage.Client) { c.Disabled = true })
	h.client("spa", public)
	for id, ways := range map[string][]presenter{
		"rp": {{"a wrong secret", basic("rp", "wrong"), nil}, {"another method", "", []string{"client_id", "rp", "client_secret", clientSecret}},
			{"its name alone", "", []string{"client_id", "rp"}}, {"an empty secret", basic("rp", ""), nil}},
		"off": {{"a disabled client", basic("off", clientSecret), nil}, {"and by post", "", []string{"client_id", "off", "client_secret", clientSecret}}},
		"spa": {{"a public client with a secret", "", []string{"client_id", "spa", "client_secret", clientSecret}}, {"and by Basic", basic("spa", clientSecret), nil}},
	} {
		from := h.from(home)
		for n := range 21 {
			who, want := ways[n%len(ways)], http.StatusUnauthorized
			if n == 20 {
				want = http.StatusTooManyRequests
			}
			serve := []func(http.ResponseWriter, *http.Request, mfa.Caller){h.p.Grants.Token, h.p.Introspection.Revoke, h.p.Introspection.Introspect}[n%3]
			if got := h.postFrom(from, serve, who, formOf("grant_type", "client_credentials", "token", "x")); got.Status != want {
				t.Errorf("%s, %s, try %d = %d %s, want %d", id, who.name, n+1, got.Status, got.Raw, want)
			}
		}
	}
	spa := presenter{form: []string{"client_id", "spa"}}
	if got := h.postFrom(h.from(home), h.p.Introspection.Revoke, spa, formOf("token", "x")); got.Status != 200 {
		t.Errorf("a public client as it should = %d, want 200: its name is no secret", got.Status)
	}
}

// Unknown names get the same responses as known ones, and share one counter per network.
func TestUnknownClientsCreateNoRows(t *testing.T) {
	onBothDatabases(t, func(h *fixture) {
		h.client("rp")
		before := h.engine.Stats().Commits
		for n := range 500 {
			want := http.StatusUnauthorized
			if n >= 20 {
				want = http.StatusTooManyRequests
			}
			h.is("an invented name", h.show(home, fmt.Sprintf("client-%d", n), clientSecret), want)
		}
		if n := h.engine.Stats().Commits - before; n > 22 {
			h.t.Errorf("%d commits for 500 names, want one for each try that counts, and one of the wait", n)
		}
		h.is("a wrong secret of a client there is", h.show(home, "rp", "wrong"), 401)
		h.is("an invented name from elsewhere", h.show(abroad, "client-0", clientSecret), 401)
		if n := h.events(mfa.EventClientFailed); n != 4 {
			h.t.Errorf("%d lines, want the first failure of each and the wait", n)
		}
		if text := h.logged.String(); text != "" {
			h.t.Errorf("log: %s", text)
		}
	})
}

// A secret that cannot be counted is not compared.
func TestASecretThatIsNotCountedIsNotCompared(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	h.is("the client, which is in memory then", h.show(home, "rp", clientSecret), 200)
	b := h.store
	b.broken = "CountAttempt"
	h.is("a wrong secret", h.show(home, "rp", "wrong"), 503)
	h.is("a right one after it", h.show(home, "rp", clientSecret), 503)
	h.is("a right one from elsewhere", h.show(abroad, "rp", clientSecret), 200)
}

// Over the budget of its address a client that failed is refused without a write; a client that
// never failed continues.
func TestFailuresOfClientsHaveABudget(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	h.client("other")
	over := false
	h.admit = func(_ mfa.Caller, of string, _ int) time.Duration {
		if over && of == budget.Refusals {
			return 90 * time.Second
		}
		return 0
	}
	h.fail(1, home, "rp")
	h.is("the other client, which is in memory then", h.show(home, "other", clientSecret), 200)
	over = true
	before := h.engine.Stats().Statements
	got := h.postFrom(h.from(home), h.p.Grants.Token, presenter{header: basic("rp", clientSecret)}, formOf("grant_type", "client_credentials"))
	if got.Status != 429 || got.Header.Get("Retry-After") != "90" {
		t.Errorf("the client that failed = %d %v, want 429 and Retry-After of the budget", got.Status, got.Header)
	}
	h.is("a wrong secret of another", h.show(home, "other", "wrong"), 429)
	if n := h.engine.Stats().Statements - before; n != 0 {
		t.Errorf("%d statements over the budget, want none", n)
	}
	h.is("the one that never failed, from elsewhere", h.show(abroad, "other", clientSecret), 200)
}
