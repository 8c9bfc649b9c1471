package faults

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/e2e/play"
	"sallyport/storage/storagetest"
)

// TestTwoServers is R-3: any server takes any step, one of concurrent uses on two servers
// succeeds, and a change on one is seen on the other; through PgBouncer, which lends few
// sessions to both.
func TestTwoServers(t *testing.T) {
	t.Parallel()
	db := storagetest.NewServer(t)
	direct := db.Address("postgres")
	sql(t, direct, "ALTER ROLE postgres SET statement_timeout = '3s'", "ALTER ROLE postgres SET lock_timeout = '1s'", "ALTER ROLE postgres SET idle_in_transaction_session_timeout = '5s'")
	n, b := pair(t, plan{dsn: db.PgBouncer(t, "postgres"), direct: direct, users: 24})
	t.Run("login by pages", func(t *testing.T) { loginByPages(t, n, b) })
	t.Run("login by JSON", func(t *testing.T) { loginByJSON(t, n, b) })
	t.Run("races", func(t *testing.T) { races(t, n) })
	t.Run("changes", func(t *testing.T) { changes(t, n, b) })
	for _, s := range n.servers {
		if strings.Contains(s.log.String(), `"level":"ERROR"`) {
			t.Errorf("%s logged errors", s.base)
		}
	}
}

func authorize(issuer, client, to string, more ...string) string {
	v := url.Values{"response_type": {"code"}, "client_id": {client}, "redirect_uri": {to}, "scope": {"openid"}, "state": {"the-state"},
		"code_challenge": {challenge()}, "code_challenge_method": {"S256"}}
	for i := 0; i < len(more); i += 2 {
		v.Set(more[i], more[i+1])
	}
	return issuer + "/authorize?" + v.Encode()
}

// signIn makes a complete login by pages, with a passcode if the user has an app.
func signIn(t *testing.T, issuer, client string, u play.User) *play.Browser {
	t.Helper()
	w, err := play.NewBrowser(issuer)
	if err != nil {
		t.Fatal(err)
	}
	step := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	step(w.Open(authorize(issuer, client, redirect)))
	step(w.Submit("login-submit", "username", u.Name, "password", u.Password))
	if u.TOTP != "" {
		step(w.Submit("mfa-submit", "passcode", "000000"))
		step(w.Submit("mfa-submit", "passcode", passcode(u, 0)))
	}
	if w.Arrived == nil || w.Arrived.Query().Get("code") == "" {
		t.Fatalf("not sent back with a code, but at %s (%d) %v", w.URL, w.Code, w.Arrived)
	}
	return w
}

func (b *balancer) both(t *testing.T) {
	t.Helper()
	if b.counts[0].Load() == 0 || b.counts[1].Load() == 0 {
		t.Errorf("requests to the servers: %d and %d, want some to each", b.counts[0].Load(), b.counts[1].Load())
	}
}

func loginByPages(t *testing.T, n *cluster, b *balancer) {
	for _, withTOTP := range []bool{false, true} {
		u, client := n.user(withTOTP), map[bool]string{true: "bank", false: "spa"}[withTOTP]
		w := signIn(t, n.issuer, client, u)
		tokens, err := b.caller(n).form("/token", "", url.Values{"grant_type": {"authorization_code"}, "client_id": {client}, "redirect_uri": {redirect},
			"code": {w.Arrived.Query().Get("code")}, "code_verifier": {verifier}})
		if err != nil || tokens.get("id_token") == "" {
			t.Fatalf("tokens: %v", err)
		}
		if err := w.Open(authorize(n.issuer, client, redirect, "prompt", "none")); err != nil || w.Arrived == nil || w.Arrived.Query().Get("code") == "" {
			t.Errorf("signed in already: %v %v, want a code", w.Arrived, err)
		}
	}
	b.both(t)
}

func loginByJSON(t *testing.T, n *cluster, b *balancer) {
	u := n.user(true)
	for i, second := range [][]string{{"totp", passcode(u, 0)}, {"recovery", u.RecoveryCodes()[0]}} {
		for range 1 + i { // an odd number of calls, so that each step uses each server
			_, _ = b.caller(n).do(http.MethodGet, "/jwks.json", "", "", "")
		}
		c := b.caller(n)
		code, err := c.login("vault", u, second...)
		if err != nil {
			t.Fatal(err)
		}
		tokens, err := c.redeem("vault", code)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if ok, err := c.active("vault", tokens.get("access_token")); !ok || err != nil {
				t.Errorf("active %t, %v", ok, err)
			}
			if tokens, err = c.refresh("vault", tokens.get("refresh_token")); err != nil {
				t.Fatal(err)
			}
		}
	}
	b.both(t)
}

const racers = 50

// race makes fifty concurrent calls, alternating between servers, of which one must
// succeed without errors.
func race(t *testing.T, n *cluster, what string, won func(reply) bool, do func(c *caller, i int) (reply, error)) {
	t.Helper()
	start, codes := make(chan struct{}), make([]int, racers)
	var wg sync.WaitGroup
	winners := 0
	var mu sync.Mutex
	for i := range racers {
		c := n.caller(n.servers[i%2])
		wg.Go(func() {
			<-start
			r, err := do(c, i)
			if err != nil && r.code == 0 {
				t.Errorf("%s: %v", what, err)
			}
			mu.Lock()
			defer mu.Unlock()
			codes[i] = r.code
			if won(r) {
				winners++
			}
			if r.code >= http.StatusInternalServerError {
				t.Errorf("%s: %d %s", what, r.code, r.text)
			}
		})
	}
	close(start)
	wg.Wait()
	note(t, "R-3", "winners of 50 across two servers: "+what, winners, 1)
	if winners != 1 {
		t.Errorf("%s: %d succeeded, want 1: %v", what, winners, codes)
	}
}

func ok200(r reply) bool { return r.code == http.StatusOK }

func races(t *testing.T, n *cluster) {
	must := func(r reply, err error) reply {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	c := n.caller(n.servers[0])
	plain := n.user(false)
	code, err := c.login("app", plain)
	must(reply{}, err)
	race(t, n, "code", ok200, func(c *caller, _ int) (reply, error) { return c.redeem("app", code) })

	code, err = c.login("app", plain)
	must(reply{}, err)
	refresh := must(c.redeem("app", code)).get("refresh_token")
	race(t, n, "refresh token", ok200, func(c *caller, _ int) (reply, error) { return c.refresh("app", refresh) })

	must(c.password("app", plain))
	race(t, n, "end of a login", func(r reply) bool { return r.get("code") != "" && r.code == http.StatusOK }, func(x *caller, _ int) (reply, error) {
		x.id, x.token = c.id, c.token // all of them its owner
		return x.step("/finish")
	})

	u := n.user(true)
	must(c.password("vault", u))
	begun, _ := must(c.step("/initiate", "method", "totp")).body["exchange"].(map[string]any)
	race(t, n, "exchange", ok200, func(x *caller, _ int) (reply, error) {
		x.id, x.token = c.id, c.token // all of them its owner
		return x.step("/verify", "method", "totp", "exchange_id", begun["exchange_id"], "passcode", passcode(u, 0))
	})

	for method, u := range map[string]play.User{"totp": n.user(true), "recovery": n.user(true)} {
		code := u.RecoveryCodes()[0]
		if method == "totp" {
			code = passcode(u, 0)
		}
		logins := passwords(t, n, u)
		race(t, n, method+" code in as many logins", ok200, func(x *caller, i int) (reply, error) {
			x.id, x.token = logins[i].id, logins[i].token
			return x.step("/verify", "method", method, "passcode", code)
		})
	}
	status(t, n)
}

// passwords opens a login of a user for each concurrent call, a few at a time.
func passwords(t *testing.T, n *cluster, u play.User) []*caller {
	t.Helper()
	logins := make([]*caller, racers)
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := worker; i < racers; i += 4 {
				c := n.caller(n.servers[i%2])
				if _, err := c.password("vault", u); err != nil {
					t.Errorf("password: %v", err)
				}
				logins[i] = c
			}
		})
	}
	wg.Wait()
	return logins
}

// status makes concurrent finishes of a login in the cidaas dialect.
func status(t *testing.T, n *cluster) {
	t.Helper()
	c, u := n.caller(n.servers[0]), n.user(true)
	data := func(path string, body map[string]any) map[string]any {
		t.Helper()
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		r, err := c.do(http.MethodPost, path, "application/json", string(text), "")
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		out, _ := r.body["data"].(map[string]any)
		return out
	}
	request := data("/authz-srv/authrequest/authz/generate", map[string]any{"client_id": "shop", "redirect_uri": redirect, "response_type": "code",
		"scope": "openid", "state": "s", "nonce": "n", "code_challenge": challenge(), "code_challenge_method": "S256"})["requestId"]
	begun := data("/verification-srv/authentication/totp/initiation", map[string]any{"request_id": request, "identifier": u.Name, "usage_type": "PASSWORDLESS_AUTHENTICATION"})
	exchange, _ := begun["exchange_id"].(map[string]any)
	data("/verification-srv/authentication/totp/verification", map[string]any{"exchange_id": exchange["exchange_id"], "passcode": passcode(u, 0)})
	form := url.Values{"requestId": {fmt.Sprint(request)}, "verificationType": {"TOTP"}, "sub": {fmt.Sprint(begun["sub"])}, "status_id": {fmt.Sprint(begun["status_id"])}}
	race(t, n, "status", func(r reply) bool { return strings.Contains(r.header.Get("Location"), "code=") }, func(x *caller, _ int) (reply, error) {
		return x.form("/login-srv/verification/login", "", form)
	})
}

// onBoth waits at most 5 s until a condition holds on both servers.
func onBoth(t *testing.T, n *cluster, what string, holds func(c *caller) bool) {
	t.Helper()
	longest := time.Duration(0)
	began := time.Now()
	for _, s := range n.servers {
		c := n.caller(s)
		soon(t, what, 15*time.Second, func() bool { return holds(c) })
		longest = max(longest, time.Since(began))
	}
	within(t, "R-3", "seen on both servers: "+what, longest, 5*time.Second)
}

func changes(t *testing.T, n *cluster, b *balancer) {
	config := n.servers[0].config
	refusal := func(c *caller, to string) bool {
		_, err := c.do(http.MethodGet, strings.TrimPrefix(authorize("", "spa", to), ""), "", "", "")
		return codeOf(err) == http.StatusBadRequest
	}
	for _, s := range n.servers { // fill the caches
		if c := n.caller(s); refusal(c, redirect) || !refusal(c, redirect+"/new") {
			t.Fatal("the client is not as created")
		}
	}
	text, err := os.ReadFile(n.file("state.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(string(text), "client_id: spa")
	n.write(n.file("state.yaml"), string(text[:at])+strings.Replace(string(text[at:]), redirect, redirect+"/new", 1))
	n.command("apply", "--config", config, n.file("state.yaml"))
	onBoth(t, n, "a changed client", func(c *caller) bool { return refusal(c, redirect) && !refusal(c, redirect+"/new") })

	u := n.user(false)
	c := b.caller(n)
	code, err := c.login("app", u)
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := c.redeem("app", code)
	if err != nil {
		t.Fatal(err)
	}
	n.command("user", "disable", u.Name, "--config", config)
	onBoth(t, n, "a disabled user", func(c *caller) bool {
		active, err := c.active("app", tokens.get("access_token"))
		return !active && err == nil
	})

	kids := func(c *caller) int {
		r, _ := c.do(http.MethodGet, "/jwks.json", "", "", "")
		return strings.Count(r.text, `"kid"`)
	}
	before := kids(c)
	n.command("keys", "rotate", "--config", config, "--use", "oidc", "--now")
	onBoth(t, n, "a rotated signing key", func(c *caller) bool { return kids(c) > before })
	n.command("keys", "rotate", "--config", config, "--use", "data", "--now")
	n.command("keys", "reseal", "--config", config)

	w := signIn(t, n.issuer, "bank", n.user(true))
	b.pinned.Store(1)
	if err := w.Open(n.issuer + "/logout"); err != nil || w.Submit("logout-confirm") != nil || w.Code != http.StatusOK {
		t.Fatalf("logout: %v %d", err, w.Code)
	}
	b.pinned.Store(2)
	began := time.Now()
	soon(t, "an ended session", 15*time.Second, func() bool {
		err := w.Open(authorize(n.issuer, "bank", redirect, "prompt", "none"))
		return err == nil && w.Arrived != nil && w.Arrived.Query().Get("error") == "login_required"
	})
	within(t, "R-3", "seen on the other server: an ended session", time.Since(began), 5*time.Second)
	b.pinned.Store(0)
}
