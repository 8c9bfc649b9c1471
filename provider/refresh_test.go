package provider

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

// parallel makes n concurrent calls.
func parallel(n int, call func() reply) []reply {
	out := make([]reply, n)
	var start, done sync.WaitGroup
	start.Add(1)
	for i := range n {
		done.Go(func() {
			start.Wait()
			out[i] = call()
		})
	}
	start.Done()
	done.Wait()
	return out
}

// count returns the replies that succeeded; the others must be the given refusal.
func count(t *testing.T, replies []reply, refusal string) []reply {
	t.Helper()
	var good []reply
	for _, r := range replies {
		switch {
		case r.Status == http.StatusOK:
			good = append(good, r)
		case r.Status != http.StatusBadRequest || r.get("error") != refusal:
			t.Errorf("reply = %d %s, want 200 or 400 %s", r.Status, r.Raw, refusal)
		}
	}
	return good
}

func grace(seconds int64) func(*storage.Client) {
	return func(c *storage.Client) { g := storage.Seconds(seconds); c.RefreshGrace = &g }
}

// Conformance (OpenID Connect): Core 12: module oidcc-refresh-token: the new ID token is about the same sign-in
func TestRefresh(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	h.user("ada", "")
	first := h.tokensFor("rp", "ada", "openid email offline_access")
	before, _ := h.readJWT(first.get("id_token"))
	h.wait(time.Minute)
	statements := h.engine.Stats()
	got := h.post(h.p.Grants.Token, "rp", refreshOf(first.get("refresh_token")))
	if commits := h.engine.Stats().Commits - statements.Commits; got.Status != 200 || commits != 1 {
		t.Fatalf("refresh = %d %s with %d commits, want 200 with 1", got.Status, got.Raw, commits)
	}
	after, _ := h.readJWT(got.get("id_token"))
	for _, same := range []string{"iss", "sub", "aud", "azp", "auth_time", "acr", "sid"} {
		if before[same] != after[same] {
			t.Errorf("%s = %v, want %v as before", same, after[same], before[same])
		}
	}
	if _, there := after["nonce"]; there {
		t.Error("the nonce of the login is returned again")
	}
	if after["iat"] != before["iat"].(float64)+60 || after["at_hash"] == before["at_hash"] {
		t.Errorf("iat = %v, at_hash = %v, want new ones", after["iat"], after["at_hash"])
	}
	access, _ := h.readJWT(got.get("access_token"))
	if access["iat"] != float64(h.now().Unix()) {
		t.Error("the access token keeps the first iat")
	}
	if got.get("refresh_token") == first.get("refresh_token") || !h.active("rp", got.get("refresh_token")) || h.active("rp", first.get("refresh_token")) {
		t.Error("the refresh token was not rotated")
	}
	if !h.active("rp", first.get("access_token")) {
		t.Error("the first access token died with the refresh")
	}
}

// Edge 6: fosite ignores scope here.
func TestRefreshNarrowsTheAccessTokenOnly(t *testing.T) {
	h := newFixture(t)
	h.client("rp", func(c *storage.Client) { c.Audience = []string{"https://a.example", "https://b.example"} })
	h.user("ada", "")
	first := h.tokensFor("rp", "ada", "openid email read offline_access")
	if got := h.post(h.p.Grants.Token, "rp", refreshOf(first.get("refresh_token"), "scope", "openid write")); got.get("error") != "invalid_scope" {
		t.Errorf("a wider scope = %d %s, want invalid_scope", got.Status, got.Raw)
	}
	if got := h.post(h.p.Grants.Token, "rp", refreshOf(first.get("refresh_token"), "resource", "https://c.example")); got.get("error") != "invalid_target" {
		t.Errorf("a foreign resource = %d %s, want invalid_target", got.Status, got.Raw)
	}
	narrow := h.post(h.p.Grants.Token, "rp", refreshOf(first.get("refresh_token"), "scope", "read", "resource", "https://b.example"))
	access, _ := h.readJWT(narrow.get("access_token"))
	if access["scope"] != "read" || access["aud"] != "https://b.example" || narrow.Body["id_token"] != nil || narrow.get("scope") != "read" {
		t.Errorf("narrowed = %v %s", access, narrow.Raw)
	}
	wide := h.post(h.p.Grants.Token, "rp", refreshOf(narrow.get("refresh_token")))
	if wide.get("scope") != "openid email read offline_access" || wide.Body["id_token"] == nil {
		t.Errorf("the next refresh = %s, want the whole grant again", wide.Raw)
	}
}

func TestReuseEndsTheFamily(t *testing.T) {
	for _, tc := range []struct {
		name  string
		grace int64
		wait  time.Duration
		used  bool // the successor was used
		ok    bool
	}{
		{"immediately without a grace", 0, 0, false, false},
		{"immediately without a grace, by a server whose clock is behind", 0, -time.Second, false, false},
		{"within the grace", 10, 9 * time.Second, false, true},
		{"at the end of the grace", 10, 10 * time.Second, false, false},
		{"within the grace, but the successor was used", 10, time.Second, true, false},
		{"long after", 10, time.Hour, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newFixture(t)
			h.client("rp", grace(tc.grace))
			h.user("ada", "")
			old := h.tokensFor("rp", "ada", "openid offline_access")
			next := h.post(h.p.Grants.Token, "rp", refreshOf(old.get("refresh_token")))
			newest := next
			if tc.used {
				newest = h.post(h.p.Grants.Token, "rp", refreshOf(next.get("refresh_token")))
			}
			h.wait(tc.wait)
			again := h.post(h.p.Grants.Token, "rp", refreshOf(old.get("refresh_token")))
			if tc.ok {
				if again.Status != 200 || again.get("refresh_token") != next.get("refresh_token") {
					t.Errorf("again = %d %s, want the same successor", again.Status, again.Raw)
				}
				if h.post(h.p.Grants.Token, "rp", refreshOf(next.get("refresh_token"))).Status != 200 {
					t.Error("the successor is dead")
				}
				return
			}
			if again.get("error") != "invalid_grant" {
				t.Errorf("again = %d %s, want invalid_grant", again.Status, again.Raw)
			}
			if h.active("rp", newest.get("access_token")) || h.active("rp", newest.get("refresh_token")) ||
				h.post(h.p.Grants.Token, "rp", refreshOf(newest.get("refresh_token"))).get("error") != "invalid_grant" {
				t.Error("the family is still valid")
			}
			if h.post(h.p.Grants.Token, "rp", refreshOf(old.get("refresh_token"))).get("error") != "invalid_grant" {
				t.Error("the third try is not refused")
			}
			if h.events(mfa.EventRefreshReused) != 1 {
				t.Errorf("%d events of the reuse, want 1", h.events(mfa.EventRefreshReused))
			}
		})
	}
}

// Edges 3 and 5, O-7.
func TestOfTwentyRefreshesOneIssuesASuccessor(t *testing.T) {
	for _, tc := range []struct {
		name  string
		grace int64
	}{{"without a grace the losers are refused", 0}, {"within the grace all get the same", 10}} {
		t.Run(tc.name, func(t *testing.T) {
			h := newFixture(t)
			h.client("rp", grace(tc.grace))
			h.user("ada", "")
			token := h.tokensFor("rp", "ada", "openid offline_access").get("refresh_token")
			replies := parallel(20, func() reply { return h.post(h.p.Grants.Token, "rp", refreshOf(token)) })
			good := count(t, replies, "invalid_grant")
			successors := map[string]bool{}
			for _, r := range good {
				successors[r.get("refresh_token")] = true
			}
			if len(successors) != 1 {
				t.Fatalf("%d successors, want 1", len(successors))
			}
			if tc.grace == 0 && len(good) != 1 {
				t.Errorf("%d refreshes succeeded, want 1", len(good))
			}
			if tc.grace > 0 {
				if len(good) != 20 {
					t.Errorf("%d refreshes succeeded, want 20", len(good))
				}
				if h.post(h.p.Grants.Token, "rp", refreshOf(good[0].get("refresh_token"))).Status != 200 {
					t.Error("the successor is dead")
				}
			}
		})
	}
}

func TestPublicClientsHaveAGraceByDefault(t *testing.T) {
	h := newFixture(t)
	h.client("spa", public)
	h.user("ada", "")
	code, _ := h.signIn(params("spa", "scope", "openid offline_access"), "ada")
	token := h.post(h.p.Grants.Token, "", redeem(code, "client_id", "spa")).get("refresh_token")
	first := h.post(h.p.Grants.Token, "", refreshOf(token, "client_id", "spa"))
	second := h.post(h.p.Grants.Token, "", refreshOf(token, "client_id", "spa"))
	if first.Status != 200 || second.Status != 200 || first.get("refresh_token") != second.get("refresh_token") {
		t.Errorf("refreshes = %d, %d, want the same successor twice", first.Status, second.Status)
	}
}

func TestRefreshTokensEnd(t *testing.T) {
	h := newFixture(t)
	h.client("rp", func(c *storage.Client) { c.RefreshTokenIdleTTL, c.RefreshTokenTTL = 3600, 7200 })
	h.user("ada", "")
	token := h.tokensFor("rp", "ada", "openid offline_access").get("refresh_token")
	h.wait(59 * time.Minute)
	if got := h.post(h.p.Grants.Token, "rp", refreshOf(token)); got.Status != 200 {
		t.Fatalf("before the idle end = %d %s, want 200", got.Status, got.Raw)
	} else {
		token = got.get("refresh_token")
	}
	h.wait(59 * time.Minute)
	if got := h.post(h.p.Grants.Token, "rp", refreshOf(token)); got.Status != 200 {
		t.Fatalf("the idle end did not move: %d %s", got.Status, got.Raw)
	} else {
		token = got.get("refresh_token")
	}
	h.wait(2 * time.Minute)
	if got := h.post(h.p.Grants.Token, "rp", refreshOf(token)); got.get("error") != "invalid_grant" {
		t.Errorf("after the absolute end = %d %s, want invalid_grant", got.Status, got.Raw)
	}
	idle := h.tokensFor("rp", "ada", "openid offline_access").get("refresh_token")
	h.wait(time.Hour)
	if got := h.post(h.p.Grants.Token, "rp", refreshOf(idle)); got.get("error") != "invalid_grant" || h.active("rp", idle) {
		t.Errorf("after the idle end = %d %s, want invalid_grant", got.Status, got.Raw)
	}
	if n := h.events(mfa.EventRefreshReused); n != 0 {
		t.Errorf("%d events of a reuse, want none: too late is not twice", n)
	}
}

// Conformance (OpenID Connect): Core 12.1, RFC 6749 5.2: module oidcc-refresh-token: a refresh token of another client is `invalid_grant`
func TestARefreshTokenBelongsToItsClient(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	h.client("other")
	h.client("codeonly", func(c *storage.Client) { c.GrantTypes = []string{"authorization_code"} })
	h.user("ada", "")
	token := h.tokensFor("rp", "ada", "openid offline_access").get("refresh_token")
	if got := h.post(h.p.Grants.Token, "other", refreshOf(token)); got.get("error") != "invalid_grant" {
		t.Errorf("another client's = %d %s, want invalid_grant", got.Status, got.Raw)
	}
	if h.active("other", token) || !h.active("rp", token) {
		t.Error("introspection shows the token to another client, or not to its own")
	}
	if got := h.tokensFor("codeonly", "ada", "openid offline_access"); got.get("refresh_token") != "" {
		t.Error("a client without the grant got a refresh token")
	}
}

// Edge 7: a refresh cannot request what the client lost since.
func TestRefreshUsesTheCurrentClient(t *testing.T) {
	h := newFixture(t)
	h.client("rp", func(c *storage.Client) { c.Audience = []string{"https://a.example"} })
	h.user("ada", "")
	scoped := h.tokensFor("rp", "ada", "openid email offline_access").get("refresh_token")
	code, _ := h.signIn(params("rp", "scope", "openid offline_access", "resource", "https://a.example"), "ada")
	aimed := h.post(h.p.Grants.Token, "rp", redeem(code)).get("refresh_token")
	h.client("rp", func(c *storage.Client) { c.Scopes = []string{"openid", "offline_access"} })
	if got := h.post(h.p.Grants.Token, "rp", refreshOf(scoped)); got.get("error") != "invalid_scope" {
		t.Errorf("a lost scope = %d %s, want invalid_scope", got.Status, got.Raw)
	}
	if got := h.post(h.p.Grants.Token, "rp", refreshOf(aimed)); got.get("error") != "invalid_target" {
		t.Errorf("a lost resource = %d %s, want invalid_target", got.Status, got.Raw)
	}
}

// The same races, one step at a time: another caller comes between reading and
// writing, which only the engine's own condition can see.
func TestTheLoserOfARace(t *testing.T) {
	for _, tc := range []struct {
		name, write string
		grace       int64
		wins        bool // the loser gets tokens, too
		alive       bool // and the winner keeps its own
	}{
		{"of two redemptions is refused and ends the grant", "RedeemCode", 0, false, false},
		{"of two refreshes is refused and ends the family", "RotateRefresh", 0, false, false},
		{"of two refreshes gets the same within the grace", "RotateRefresh", 10, true, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newFixture(t)
			h.client("rp", grace(tc.grace))
			h.user("ada", "")
			code, _ := h.signIn(params("rp", "scope", "openid offline_access"), "ada")
			form := redeem(code)
			if tc.write == "RotateRefresh" {
				form = refreshOf(h.post(h.p.Grants.Token, "rp", form).get("refresh_token"))
			}
			var winner reply
			b := h.store
			b.before = map[string]func(){tc.write: func() { winner = h.post(h.p.Grants.Token, "rp", form) }}
			loser := h.post(h.p.Grants.Token, "rp", form)
			if winner.Status != http.StatusOK {
				t.Fatalf("winner = %d %s, want 200", winner.Status, winner.Raw)
			}
			if tc.wins && (loser.Status != http.StatusOK || loser.get("refresh_token") != winner.get("refresh_token")) ||
				!tc.wins && loser.get("error") != "invalid_grant" {
				t.Errorf("loser = %d %s", loser.Status, loser.Raw)
			}
			if h.active("rp", winner.get("access_token")) != tc.alive || h.active("rp", winner.get("refresh_token")) != tc.alive {
				t.Errorf("the winner's tokens are not alive = %v", tc.alive)
			}
		})
	}
}

// A revocation that comes between reading and writing wins.
func TestRevocationDuringARefresh(t *testing.T) {
	h := newFixture(t)
	h.client("rp", grace(10))
	h.user("ada", "")
	made := h.tokensFor("rp", "ada", "openid offline_access")
	b := h.store
	b.before = map[string]func(){"RotateRefresh": func() { h.post(h.p.Introspection.Revoke, "rp", formOf("token", made.get("refresh_token"))) }}
	if got := h.post(h.p.Grants.Token, "rp", refreshOf(made.get("refresh_token"))); got.get("error") != "invalid_grant" {
		t.Errorf("refresh = %d %s, want invalid_grant", got.Status, got.Raw)
	}
	if n := h.events(mfa.EventRefreshReused); n != 0 {
		t.Errorf("%d events of a reuse, want none", n)
	}
}
