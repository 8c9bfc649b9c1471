package e2e

import (
	"database/sql"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestChangeAndEventAreAtomic makes the audit trail fail: every operation with an event
// fails and changes nothing (L-2).
func TestChangeAndEventAreAtomic(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, engine)
			db := s.behind(t)
			run := func(statement string) {
				t.Helper()
				if _, err := db.ExecContext(t.Context(), statement); err != nil {
					t.Fatal(err)
				}
			}
			operations := s.operations(t)
			before := snapshot(t, db)
			run("ALTER TABLE events RENAME TO events_away")
			for _, d := range operations {
				if d.do(t) {
					t.Errorf("%s: it succeeded", d.name)
				}
				if after := snapshot(t, db); after != before {
					t.Errorf("%s: something changed: %s", d.name, difference(before, after))
					before = after
				}
			}
			run("ALTER TABLE events_away RENAME TO events")
			if !operations[0].do(t) || snapshot(t, db) == before {
				t.Errorf("%s: it fails with the audit trail too", operations[0].name)
			}
		})
	}
}

// operation is an operation; do reports whether it succeeded.
type operation struct {
	name string
	do   func(t *testing.T) bool
}

// operations returns prepared operations.
func (s *stage) operations(t *testing.T) []operation {
	t.Helper()
	u, w := s.user(t, true), s.user(t, false)
	web := newParty(t, s, "web", webRedirect, s.secret, "openid", "offline_access")
	token, _, _ := web.tokens(newPerson(t, s.issuer).open(web.start()).signIn(w))
	other := newParty(t, s, "web", webRedirect, s.secret)
	code := newPerson(t, s.issuer).open(other.start()).signIn(w).sent().Get("code")
	login := newPerson(t, s.issuer).open(web.start()).at("/login")
	c := newCaller(t, s.issuer)
	c.header.Set("Authorization", basic("web", s.secret))
	call := func(name, path string, pairs ...string) operation {
		return operation{name, func(t *testing.T) bool { return c.form(path, pairs...).code < 400 }}
	}
	out := []operation{
		call("a refresh", "/token", "grant_type", "refresh_token", "refresh_token", token.RefreshToken),
		call("a revocation", "/revoke", "token", token.RefreshToken),
		call("a code", "/token", "grant_type", "authorization_code", "code", code, "redirect_uri", webRedirect, "code_verifier", other.verifier),
		{"a login", func(*testing.T) bool {
			login.trouble = true
			return login.signIn(w).arrived != nil
		}},
	}
	return append(append(out, s.accountOperations(t, u)...), s.commandOperations(t, w)...)
}

// accountOperations returns the operations of the account page.
func (s *stage) accountOperations(t *testing.T, u user) []operation {
	t.Helper()
	p := newPerson(t, s.issuer).open(s.issuer + "/account").signIn(u).at("/mfa")
	p.submit("mfa-submit", "passcode", p.totp(u.totp)).at("/account")
	rename := p.browser.LinkTo("/account/rename?id=")
	if rename == "" {
		t.Fatalf("no device:\n%s", p.text)
	}
	p.open(s.issuer + "/account/recovery").at("/account/recovery")
	var out []operation
	add := func(path, button string, fields ...string) {
		out = append(out, operation{path, func(t *testing.T) bool {
			p.t, p.trouble = t, true
			return p.open(s.issuer+path).submit(button, fields...).code < 400
		}})
	}
	add(rename, "rename-submit", "name", "Another name")
	add(strings.Replace(rename, "rename", "remove", 1), "remove-submit")
	add("/account/recovery", "recovery-submit")
	add("/account/add?method=totp", "totp-begin", "name", "Phone")
	fresh := "another horse " + random(6)
	add("/account/password", "password-submit", "old", u.password, "new", fresh, "repeat", fresh)
	return out
}

// commandOperations returns the operations of commands.
func (s *stage) commandOperations(t *testing.T, u user) []operation {
	t.Helper()
	dir := filepath.Dir(s.config)
	state := writeState(t, dir, "clients:\n  - client_id: late\n    client_secret: "+random(32)+"\n    grant_types: [client_credentials]\n    scopes: [reports]\n"+
		"users:\n  - username: late\n    password: "+random(8)+"\n")
	password := writeState(t, dir, "a password of a file\n")
	var out []operation
	for _, args := range [][]string{
		{"user", "set-password", "--password-file", password, u.name}, {"user", "disable", u.name}, {"user", "reset-factors", "--yes", u.name},
		{"user", "create", "--username", "later"}, {"session", "end-all", u.name}, {"user", "delete", "--yes", u.name}, {"client", "rotate-secret", "--out", filepath.Join(dir, "out"), "web"},
		{"client", "delete", "--yes", "web"}, {"keys", "rotate", "--use", "oidc", "--now"}, {"apply", state},
	} {
		n := 1
		if args[0] != "apply" {
			n = 2
		}
		line := append(append(append([]string{}, args[:n]...), "--config", s.config), args[n:]...)
		out = append(out, operation{strings.Join(args[:n], " "), func(t *testing.T) bool {
			text, err := exec.Command(program, line...).CombinedOutput()
			if err != nil && !strings.Contains(s.cause(string(text)), "events") {
				t.Errorf("%q failed for another reason: %s", line, text)
			}
			return err == nil
		}})
	}
	return out
}

// cause returns why a command failed: its output, or the server's log for the correlation
// ID in it.
func (s *stage) cause(printed string) string {
	_, id, found := strings.Cut(printed, "(support id ")
	id, _, _ = strings.Cut(id, ")")
	if !found {
		return printed
	}
	var out strings.Builder
	for line := range strings.Lines(s.log.String()) {
		if strings.Contains(line, id) {
			out.WriteString(line)
		}
	}
	return out.String()
}

// lasting are the tables and columns whose changes are in the audit trail; for example
// not when a session was last seen, or that a user failed.
var lasting = map[string]string{"users": "*", "identifiers": "*", "recovery_codes": "*", "clients": "*", "consents": "*",
	"authenticators": "id, user_id, method, name, origin, state, secret, data, counter, created_at, updated_at, last_used_at, expires_at",
	"grants":         "*", "keys": "*", "revoked_tokens": "*", "outbox": "*", "api_keys": "*", "sessions": "id, ended_at, generation"}

// snapshot returns their contents, one row per line.
func snapshot(t *testing.T, db *sql.DB) string {
	t.Helper()
	var out strings.Builder
	for _, table := range slices.Sorted(maps.Keys(lasting)) {
		read(t, db, table, lasting[table], &out)
	}
	return out.String()
}

func read(t *testing.T, db *sql.DB, table, columns string, out *strings.Builder) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "SELECT "+columns+" FROM "+table+" ORDER BY 1, 2")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	values, dest := make([]any, len(names)), make([]any, len(names))
	for i := range values {
		dest[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(out, "%s %v\n", table, values)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

// difference returns the first line of each that the other does not have.
func difference(before, after string) string {
	only := func(a, b string) string {
		for line := range strings.Lines(a) {
			if !strings.Contains(b, line) {
				return line
			}
		}
		return "nothing"
	}
	return fmt.Sprintf("gone: %.300s\nnew: %.300s", only(before, after), only(after, before))
}
