package e2e

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"sallyport/storage/storagetest"
)

func fromBase64JSON(t *testing.T, text string, into any) {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatal(err)
	}
}

// refuses starts a server that must not start and returns its output.
func (s *stage) refuses(t *testing.T) string {
	t.Helper()
	out, err := exec.Command(program, "serve", "--config", s.config).CombinedOutput()
	if err == nil {
		t.Errorf("the server started:\n%s", out)
	}
	return string(out)
}

// tool runs a program of PostgreSQL.
func tool(t *testing.T, name string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is not installed; run `apt-get install postgresql-client`", name)
	}
	if out, err := exec.Command(path, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// copyAway backs up a running stage and restores it into a new database, which the stage
// then uses, as docs/operations.md describes.
func (s *stage) copyAway(t *testing.T, engine string) {
	t.Helper()
	dir := filepath.Dir(s.config)
	file, restored := filepath.Join(dir, "backup"), "sqlite:"+filepath.Join(dir, "backup")
	if engine == "sqlite" {
		s.command(t, "backup", "--config", s.config, file)
	} else {
		tool(t, "pg_dump", "--format=custom", "--file="+file, s.dsn)
		restored = storagetest.Postgres(t)
	}
	l := newLoad(t, s) // not in the backup
	l.more(2)
	l.stop()
	s.stop(t)
	if engine != "sqlite" {
		tool(t, "pg_restore", "--exit-on-error", "--no-owner", "--dbname="+restored, file)
	}
	writeFile(t, s.config, strings.ReplaceAll(readFile(t, s.config), s.dsn, restored))
	s.dsn = restored
	s.serve(t)
}

// TestRestoredBackup: tokens are valid, enrolments verify, and what was used before the
// backup stays used.
func TestRestoredBackup(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, engine)
			u := s.user(t, true)
			a := newParty(t, s, "bank", bankRedirect, "", "openid", "offline_access")
			p := newPerson(t, s.issuer).open(a.start()).signIn(u).at("/mfa")
			passcode := p.totp(u.totp)
			p.submit("mfa-submit", "passcode", passcode)
			code := p.sent().Get("code")
			token, _, _ := a.tokens(p)
			redeem(t, s, u, recoveryCodes(u)[0])
			w := newParty(t, s, "web", webRedirect, s.secret, "openid", "offline_access")
			other := s.user(t, false)
			q := newPerson(t, s.issuer).open(w.start()).signIn(other)
			access, _, _ := w.tokens(q)
			next, err := w.refresh(access.RefreshToken)
			if err != nil {
				t.Fatal(err)
			}
			o := newParty(t, s, "fast", webRedirect+"/fast", s.secret)
			opaque, _, _ := o.tokens(newPerson(t, s.issuer).open(o.start()).signIn(other))
			machine := s.machine(t)
			s.revoke(t, machine)

			s.copyAway(t, engine)

			a.verify(token)
			if !w.active(next.AccessToken) || !o.active(opaque.AccessToken) {
				t.Error("an access token became invalid")
			}
			if s.machineActive(t, machine) {
				t.Error("a revoked token became valid")
			}
			b := newParty(t, s, "bank", bankRedirect, "")
			b.tokens(p.open(b.start(oauth2.SetAuthURLParam("prompt", "none"))))
			if _, err := a.refresh(token.RefreshToken); err != nil {
				t.Errorf("a refresh token: %v", err)
			}
			if got := tryCode(t, s, u, recoveryCodes(u)[0]); got.arrived != nil {
				t.Error("a used recovery code works again")
			}
			redeem(t, s, u, recoveryCodes(u)[1])
			c := newParty(t, s, "bank", bankRedirect, "")
			r := newPerson(t, s.issuer).open(c.start()).signIn(u).at("/mfa")
			if r.submit("mfa-submit", "passcode", passcode); r.arrived != nil {
				t.Error("a used TOTP code works again")
			}
			if r.submit("mfa-submit", "passcode", p.totp(u.totp)); r.arrived == nil {
				t.Errorf("the next TOTP code is refused:\n%s", r.text)
			}
			c.tokens(r)
			if _, err := a.oauth.Exchange(t.Context(), code, oauth2.VerifierOption(a.verifier)); err == nil {
				t.Error("a used authorization code was redeemed again")
			}
			if _, err := w.refresh(access.RefreshToken); err == nil {
				t.Error("a used refresh token was accepted again")
			}
		})
	}
}

// machine returns an access token of client credentials.
func (s *stage) machine(t *testing.T) string {
	t.Helper()
	token, _ := s.asMachine(t, "/token", "grant_type=client_credentials&scope=reports")["access_token"].(string)
	return token
}

func (s *stage) machineActive(t *testing.T, token string) bool {
	t.Helper()
	return s.asMachine(t, "/introspect", "token="+token)["active"] == true
}

func (s *stage) revoke(t *testing.T, token string) {
	t.Helper()
	s.asMachine(t, "/revoke", "token="+token)
	if s.machineActive(t, token) {
		t.Fatal("a revoked token is active")
	}
}

func (s *stage) asMachine(t *testing.T, path, body string) map[string]any {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, s.issuer+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("m2m", s.secret)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	out := map[string]any{}
	if text, err := io.ReadAll(response.Body); err != nil || response.StatusCode != http.StatusOK || len(text) > 0 && json.Unmarshal(text, &out) != nil {
		t.Fatalf("%s: %d %s %v", path, response.StatusCode, text, err)
	}
	return out
}
