package e2e

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"sallyport/storage/storagetest"
)

// TestAttacksOnLogins runs complete attacks on other users' logins, against a server on
// each database, while users sign in. TestLoginBelongsToItsOwnerOnEveryRoute covers every route.
func TestAttacksOnLogins(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			s := attackedStage(t, engine)
			s.serve(t)
			t.Run("in a browser", func(t *testing.T) { inChromium(t, s, engine == "postgres") })
			t.Run("names are not linked", func(t *testing.T) { namesAreNotLinked(t, s) })
			t.Run("failures by one name do not show in another", func(t *testing.T) { failuresAreNotLinked(t, s) })
			if engine == "postgres" { // excess requests never reach a database
				t.Run("a flood of begun logins", func(t *testing.T) { floodOfOpens(t, s) })
			}
			for line := range strings.Lines(s.log.String()) {
				if strings.Contains(line, `"msg":"panic"`) || strings.Contains(line, "DATA RACE") {
					t.Errorf("the server logged: %s", line)
				}
			}
		})
	}
}

// attackedClients are applications whose logins continue without the binding cookie, the
// target of the attacks, and one other.
const attackedClients = `clients:
  - {client_id: vault, public: true, silent_login: true, headless_login: true, mfa: ALWAYS, consent: ask, redirect_uris: ["http://127.0.0.1:9/vault"], grant_types: [authorization_code], scopes: [openid, profile, email]}
  - {client_id: shop, public: true, silent_login: true, headless_login: true, mfa: ALWAYS, redirect_uris: ["%[1]s/callback"], login_url: "%[1]s/login", mfa_url: "%[1]s/mfa", grant_types: [authorization_code], scopes: [openid, profile, email]}
  - {client_id: desk, public: true, consent: ask, redirect_uris: ["http://127.0.0.1:9/desk"], grant_types: [authorization_code], scopes: [openid, profile, email]}
  - {client_id: kiosk, public: true, silent_login: true, headless_login: true, passwordless: true, redirect_uris: ["http://127.0.0.1:9/kiosk"], grant_types: [authorization_code], scopes: [openid, profile, email]}
`

// attackedStage returns a stage behind a proxy, so that each call can have another address.
func attackedStage(t *testing.T, engine string) *stage {
	t.Helper()
	dir := t.TempDir()
	dsn := "sqlite:" + filepath.Join(dir, "sallyport.db")
	if engine == "postgres" {
		dsn = storagetest.Postgres(t)
	}
	s := setStageWith(t, dir, dsn, func(s *stage) string {
		return strings.Replace(s.state(9, 4), "clients:\n", fmt.Sprintf(attackedClients, s.pages), 1)
	})
	writeFile(t, s.config, readFile(t, s.config)+"trusted_proxies: [127.0.0.1]\n")
	return s
}

// inChromium runs browser/attack.test.mjs: all of it, or the part that depends on the database.
func inChromium(t *testing.T, s *stage, whole bool) {
	people := map[string][]map[string]string{}
	for kind, n := range map[string]int{"totp": 6, "plain": 3} {
		for range n {
			u := s.user(t, kind == "totp")
			people[kind] = append(people[kind], map[string]string{"username": u.name, "email": u.email, "password": u.password, "totp": u.totp})
		}
	}
	sum := sha256.Sum256([]byte("a-verifier-that-is-long-enough-for-rfc-7636-and-fixed"))
	clients := map[string]map[string]string{}
	for id, redirect := range map[string]string{"vault": "http://127.0.0.1:9/vault", "shop": s.pages + "/callback", "desk": "http://127.0.0.1:9/desk", "spa": spaRedirect} {
		clients[id] = map[string]string{"id": id, "redirect": redirect, "challenge": base64.RawURLEncoding.EncodeToString(sum[:])}
	}
	text, err := json.Marshal(map[string]any{"issuer": s.issuer, "pages": s.pages, "whole": whole, "evil": fmt.Sprintf("http://127.0.0.1:%d", freePort(t)), "users": people, "clients": clients})
	if err != nil {
		t.Fatal(err)
	}
	described := filepath.Join(t.TempDir(), "stage.json")
	writeFile(t, described, string(text))
	runNode(t, "attack.test.mjs", "SALLYPORT_STAGE="+described)
}
