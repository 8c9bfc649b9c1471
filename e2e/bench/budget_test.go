package bench

import (
	"context"
	"encoding/json"
	"maps"
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport/e2e/load"
	"sallyport/provider/dpop/dpoptest"
)

// walBudget bounds the WAL of PostgreSQL for one login from /authorize to tokens, in bytes:
// of one with a password, and of one with a code too.
var walBudget = []struct {
	client string
	most   int64
}{{"plain", 5_500}, {"second", 8_500}}

// TestBudget checks the statements and commits of every step of a login on both databases
// against docs/performance.md. It also fails if a step needs fewer: then lower the budget.
func TestBudget(t *testing.T) {
	for _, database := range []string{postgreSQL, sqlite} {
		t.Run(database, func(t *testing.T) {
			job := freeHash.job()
			job.Users, job.Quiet = 16, true
			// Images of whole pages depend on checkpoints, and autovacuum on time.
			b := &budget{T: t, target: start(t, database, job, "-c full_page_writes=off -c autovacuum=off")}
			c, err := load.Dial(b.target.addr, "127.0.0.1")
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			b.Client = c
			b.warm()
			b.steps()
			b.spared("remembers", url.Values{"remember": {"yes"}}, 7, 7)
			b.spared("smart", nil, 6, 5)
			if database == postgreSQL {
				b.wal()
			}
		})
	}
}

// budget counts what a server needs for one call at a time.
type budget struct {
	*testing.T
	*load.Client
	*target
}

func (b *budget) count() used {
	b.Helper()
	u, err := b.used()
	if err != nil {
		b.Fatal(err)
	}
	return u
}

// step makes a call and compares what it needed.
func (b *budget) step(name string, statements, commits int64, do func() (load.Response, error), code int) load.Response {
	b.Helper()
	before := b.count()
	r, err := do()
	if err := want(code)(r, err); err != nil {
		b.Fatalf("%s: %v", name, err)
	}
	after := b.count()
	if s, n := after.Statements-before.Statements, after.Commits-before.Commits; s != statements || n != commits {
		b.Errorf("%s: %d statements and %d commits, want %d and %d", name, s, n, statements, commits)
	}
	return r
}

func (b *budget) getting(to string, header ...string) func() (load.Response, error) {
	return func() (load.Response, error) { return b.Get(b.Path(to), header...) }
}

func (b *budget) submitting(page load.Response, fields url.Values) func() (load.Response, error) {
	return func() (load.Response, error) { return b.Send(page, fields) }
}

func (b *budget) posting(path, id string, fields url.Values) func() (load.Response, error) {
	return func() (load.Response, error) { return b.Post(path, fields, basic(id)) }
}

// steps are those of the table in docs/performance.md.
func (b *budget) steps() {
	b.step("discovery", 0, 0, b.getting("/.well-known/openid-configuration"), 200)
	b.step("keys", 0, 0, b.getting("/jwks.json"), 200)
	b.step("client credentials", 0, 0, b.posting("/token", "plain", url.Values{"grant_type": {"client_credentials"}}), 200)

	r := b.step("authorize, no user signed in", 0, 0, b.getting(authorize("plain")), 303)
	page := b.step("login page", 0, 0, b.getting(r.Location), 200)
	user, _, err := b.people.next(false, time.Now())
	if err != nil {
		b.Fatal(err)
	}
	r = b.step("password, and the end of the login", 5, 1, b.submitting(page, url.Values{"username": {userName(user)}, "password": {benchPassword}}), 303)
	b.step("code exchange", 3, 1, b.posting("/token", "plain", codeRequest(r)), 200)
	b.Forget()

	to, err := url.Parse(authorize("plain"))
	if err != nil {
		b.Fatal(err)
	}
	r = b.step("pushed request", 1, 1, b.posting("/par", "plain", to.Query()), 201)
	var pushed struct {
		URI string `json:"request_uri"`
	}
	if err := json.Unmarshal(r.Body, &pushed); err != nil {
		b.Fatal(err)
	}
	visit := "/authorize?" + url.Values{"client_id": {"plain"}, "request_uri": {pushed.URI}}.Encode()
	b.step("authorize, pushed request", 1, 1, b.getting(visit), 303)
	b.step("authorize, pushed request opened before", 2, 1, b.getting(visit), 303)
	b.Forget()

	r = b.step("authorize, no user signed in", 0, 0, b.getting(authorize("second")), 303)
	page = b.step("login page", 0, 0, b.getting(r.Location), 200)
	user, code, err := b.people.next(true, time.Now())
	if err != nil {
		b.Fatal(err)
	}
	r = b.step("password, a second factor is missing", 4, 1, b.submitting(page, url.Values{"username": {userName(user)}, "password": {benchPassword}}), 303)
	page = b.step("second-factor page", 1, 0, b.getting(r.Location), 200)
	r = b.step("code, and the end of the login", 6, 1, b.submitting(page, url.Values{"passcode": {passcode(user, code)}}), 303)
	r = b.step("code exchange", 3, 1, b.posting("/token", "second", codeRequest(r)), 200)
	var held tokens
	if err := json.Unmarshal(r.Body, &held); err != nil {
		b.Fatal(err)
	}
	r = b.step("authorize with a session, nothing to ask", 3, 1, b.getting(authorize("second")), 303)
	b.step("second code exchange", 3, 1, b.posting("/token", "second", codeRequest(r)), 200)
	b.step("refresh", 3, 1, b.posting("/token", "second", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {held.Refresh}}), 200)
	b.step("introspection", 1, 0, b.posting("/introspect", "second", url.Values{"token": {held.Access}}), 200)
	b.step("userinfo", 1, 0, b.getting("/userinfo", "Authorization: Bearer "+held.Access), 200)
	key := dpoptest.NewKey(b)
	b.step("client credentials with a DPoP proof", 1, 1, func() (load.Response, error) {
		return b.Post("/token", url.Values{"grant_type": {"client_credentials"}}, basic("plain"), "DPoP: "+key.Proof("POST", "http://"+b.target.addr+"/token", "", time.Now()))
	}, 200)
	b.step("revocation", 3, 1, b.posting("/revoke", "second", url.Values{"token": {held.Access}}), 200)
}

// spared are the steps of a client that asks for a second factor once: of a login with a code, and
// of the next one in the same browser, whose password is enough.
func (b *budget) spared(client string, also url.Values, code, password int64) {
	user, step, err := b.people.next(true, time.Now())
	if err != nil {
		b.Fatal(err)
	}
	b.Forget()
	name := url.Values{"username": {userName(user)}, "password": {benchPassword}}
	page, err := b.Open(authorize(client))
	if err == nil {
		page, err = b.Submit(page, name)
	}
	if err != nil {
		b.Fatal(err)
	}
	fields := url.Values{"passcode": {passcode(user, step)}}
	maps.Copy(fields, also)
	b.step(client+": code, and the end of the login", code, 1, b.submitting(page, fields), 303)
	b.Drop("sallyport_session")
	r := b.step(client+": authorize, no user signed in", 0, 0, b.getting(authorize(client)), 303)
	page = b.step(client+": login page", 0, 0, b.getting(r.Location), 200)
	r = b.step(client+": password, which is enough here", password, 1, b.submitting(page, name), 303)
	if !strings.HasPrefix(r.Location, benchRedirect+"?code=") {
		b.Errorf("%s: the password leads to %s, want the end of the login", client, r.Location)
	}
}

// wal checks the WAL of whole logins: the mean of some, since a page of an index splits in one
// of many.
func (b *budget) wal() {
	// What begins now is not written while logins are counted.
	if _, err := b.database.conn.Exec(context.Background(), "CHECKPOINT"); err != nil {
		b.Fatal(err)
	}
	const logins = 4
	for _, w := range walBudget {
		before := b.count()
		for range logins {
			if _, err := login(b.Client, w.client, b.people); err != nil {
				b.Fatal(err)
			}
		}
		mean := (b.count().database.WAL - before.database.WAL) / logins
		b.Logf("a login at the client %s writes %d bytes of WAL", w.client, mean)
		if mean > w.most {
			b.Errorf("a login at the client %s writes %d bytes of WAL, %d at most", w.client, mean, w.most)
		}
	}
}

// warm fills the caches: clients, prepared pages, pages of tables.
func (b *budget) warm() {
	b.Helper()
	for _, id := range []string{"second", "plain", "second", "plain"} {
		if _, err := login(b.Client, id, b.people); err != nil {
			b.Fatal(err)
		}
	}
	b.Forget()
}
