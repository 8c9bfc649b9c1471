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

// TestNothingChangesWithoutItsLine takes the audit trail away: whatever would have
// written a line fails, and leaves everything as it was (L-2: a change and its event
// are one transaction).
func TestNothingChangesWithoutItsLine(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			s := newStage(t, engine)
			db := s.behind(t)
			run := func(statement string) {
				t.Helper()
				if _, err := db.ExecContext(t.Context(), statement); err != nil {
					t.Fatal(err)
				}
			}
			deeds := s.deeds(t)
			before := snapshot(t, db)
			run("ALTER TABLE events RENAME TO events_away")
			for _, d := range deeds {
				if d.do(t) {
					t.Errorf("%s: it was done", d.name)
				}
				if after := snapshot(t, db); after != before {
					t.Errorf("%s: something changed: %s", d.name, difference(before, after))
					before = after
				}
			}
			run("ALTER TABLE events_away RENAME TO events")
			if !deeds[0].do(t) || snapshot(t, db) == before {
				t.Errorf("%s: it does not even work with the audit trail there", deeds[0].name)
			}
		})
	}
}

// deed is a change; do reports whether it was made.
type deed struct {
	name string
	do   func(t *testing.T) bool
}

// deeds are changes that are all but made.
func (s *stage) deeds(t *testing.T) []deed {
	t.Helper()
	u, w := s.user(t, true), s.user(t, false)
	web := newParty(t, s, "web", webRedirect, s.secret, "openid", "offline_access")
	token, _, _ := web.tokens(newPerson(t, s.issuer).open(web.start()).signIn(w))
	other := newParty(t, s, "web", webRedirect, s.secret)
	code := newPerson(t, s.issuer).open(other.start()).signIn(w).sent().Get("code")
	login := newPerson(t, s.issuer).open(web.start()).at("/login")
	c := newCaller(t, s.issuer)
	c.header.Set("Authorization", basic("web", s.secret))
	call := func(name, path string, pairs ...string) deed {
		return deed{name, func(t *testing.T) bool { return c.form(path, pairs...).code < 400 }}
	}
	out := []deed{
		call("a refresh", "/token", "grant_type", "refresh_token", "refresh_token", token.RefreshToken),
		call("a revocation", "/revoke", "token", token.RefreshToken),
		call("a code", "/token", "grant_type", "authorization_code", "code", code, "redirect_uri", webRedirect, "code_verifier", other.verifier),
		{"a login", func(*testing.T) bool {
			login.trouble = true
			return login.signIn(w).arrived != nil
		}},
	}
	return append(append(out, s.accountDeeds(t, u)...), s.commandDeeds(t, w)...)
}

// accountDeeds are what a user changes on the account page.
func (s *stage) accountDeeds(t *testing.T, u user) []deed {
	t.Helper()
	p := newPerson(t, s.issuer).open(s.issuer + "/account").signIn(u).at("/mfa")
	p.submit("mfa-submit", "passcode", p.totp(u.totp)).at("/account")
	rename := p.browser.LinkTo("/account/rename?id=")
	if rename == "" {
		t.Fatalf("no device:\n%s", p.text)
	}
	p.open(s.issuer + "/account/recovery").at("/account/recovery")
	var out []deed
	add := func(path, button string, fields ...string) {
		out = append(out, deed{path, func(t *testing.T) bool {
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

// commandDeeds are what an operator changes.
func (s *stage) commandDeeds(t *testing.T, u user) []deed {
	t.Helper()
	dir := filepath.Dir(s.config)
	state := writeState(t, dir, "clients:\n  - client_id: late\n    client_secret: "+random(32)+"\n    grant_types: [client_credentials]\n    scopes: [reports]\n"+
		"users:\n  - username: late\n    password: "+random(8)+"\n")
	password := writeState(t, dir, "a password of a file\n")
	var out []deed
	for _, args := range [][]string{
		{"user", "set-password", "--password-file", password, u.name}, {"user", "disable", u.name}, {"user", "reset-factors", u.name},
		{"user", "create", "--username", "later"}, {"session", "end-all", u.name}, {"user", "delete", u.name}, {"client", "rotate-secret", "--out", filepath.Join(dir, "out"), "web"},
		{"client", "delete", "web"}, {"keys", "rotate", "--use", "oidc", "--now"}, {"apply", state},
	} {
		n := 1
		if args[0] != "apply" {
			n = 2
		}
		line := append(append(append([]string{}, args[:n]...), "--config", s.config), args[n:]...)
		out = append(out, deed{strings.Join(args[:n], " "), func(t *testing.T) bool {
			text, err := exec.Command(program, line...).CombinedOutput()
			if err != nil && !strings.Contains(s.cause(string(text)), "events") {
				t.Errorf("%q failed for another reason: %s", line, text)
			}
			return err == nil
		}})
	}
	return out
}

// cause is why a command failed: what it printed, or what the server it called wrote
// into its log under the number that the command printed.
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

// lasting are the tables whose changes the audit trail tells, as far as they are
// changes: when a session was last seen is none.
var lasting = map[string]string{"users": "*", "identifiers": "*", "authenticators": "*", "recovery_codes": "*", "clients": "*", "consents": "*", "codes": "*",
	"grants": "*", "keys": "*", "revoked_tokens": "*", "outbox": "*", "api_keys": "*", "sessions": "id, ended_at, generation"}

// snapshot is everything in them, a row a line.
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

// difference is the first line of each that the other does not have.
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
