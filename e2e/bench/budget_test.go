package bench

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestBudget checks the statements and commits of every step of a login on PostgreSQL
// against docs/performance.md. It also fails if a step needs fewer: then lower the budget.
func TestBudget(t *testing.T) {
	job := cheap("ES256")
	job.Users, job.Quiet = 8, true
	addr := start(t, job)
	c, err := dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	count := func() usage {
		t.Helper()
		r, err := c.get("/bench/stats")
		if err != nil {
			t.Fatal(err)
		}
		var u usage
		if err := json.Unmarshal(r.body, &u); err != nil {
			t.Fatal(err)
		}
		return u
	}
	step := func(name string, statements, commits int64, do func() (response, error), wants ...int) response {
		t.Helper()
		before := count()
		r, err := do()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(wants) == 1 && r.code != wants[0] {
			t.Fatalf("%s: status %d, want %d: %s", name, r.code, wants[0], r.body)
		}
		after := count()
		if s, n := after.Statements-before.Statements, after.Commits-before.Commits; s != statements || n != commits {
			t.Errorf("%s: %d statements and %d commits, want %d and %d", name, s, n, statements, commits)
		}
		return r
	}
	path := func(r response) string { return strings.TrimPrefix(r.location, "http://"+addr) }
	get := func(to string, header ...string) func() (response, error) {
		return func() (response, error) { return c.get(to, header...) }
	}
	form := func(page response, fields url.Values) func() (response, error) {
		action, all := fill(string(page.body), fields)
		return func() (response, error) { return c.post(action, all, "Origin: http://"+addr) }
	}
	token := func(id string, fields url.Values) func() (response, error) {
		return func() (response, error) { return c.post("/token", fields, basic(id)) }
	}
	warm(t, c)

	step("discovery", 0, 0, get("/.well-known/openid-configuration"), 200)
	step("keys", 0, 0, get("/jwks.json"), 200)
	step("client credentials", 0, 0, token("plain", url.Values{"grant_type": {"client_credentials"}}), 200)

	r := step("authorize, no user signed in", 1, 1, get(authorize("second")), 303)
	page := step("login page", 1, 0, get(path(r)), 200)
	r = step("password, a second factor is missing", 9, 2, form(page, url.Values{"username": {"bench0001"}, "password": {benchPassword}}), 303)
	page = step("second-factor page", 1, 0, get(path(r)), 200)
	r = step("code, and the end of the login", 18, 3, form(page, url.Values{"passcode": {passcode(1, time.Now().Unix()/30)}}), 303)
	r = step("code exchange", 3, 1, token("second", codeRequest(r)), 200)
	var held tokens
	if err := json.Unmarshal(r.body, &held); err != nil {
		t.Fatal(err)
	}
	r = step("authorize with a session, nothing to ask", 3, 1, get(authorize("second")), 303)
	step("second code exchange", 3, 1, token("second", codeRequest(r)), 200)
	step("refresh", 3, 1, token("second", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {held.Refresh}}), 200)
	step("introspection", 1, 0, func() (response, error) {
		return c.post("/introspect", url.Values{"token": {held.Access}}, basic("second"))
	}, 200)
	step("userinfo", 1, 0, get("/userinfo", "Authorization: Bearer "+held.Access), 200)
	step("revocation", 3, 1, func() (response, error) {
		return c.post("/revoke", url.Values{"token": {held.Access}}, basic("second"))
	}, 200)
}

// warm fills the caches: clients, prepared pages.
func warm(t *testing.T, c *client) {
	t.Helper()
	if _, err := play(c, "second", 2, true); err != nil {
		t.Fatal(err)
	}
	if _, err := play(c, "plain", 3, false); err != nil {
		t.Fatal(err)
	}
	c.forget()
}
