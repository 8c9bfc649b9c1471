package e2e

import (
	"encoding/base32"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestCidaasPagesInChromium runs pages written for cidaas against a separate server: pages
// on the server's origin, behind a proxy that the browser tests start, and on another one.
func TestCidaasPagesInChromium(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server, proxy, pages := freePort(t), freePort(t), freePort(t)
	issuer, other := fmt.Sprintf("http://localhost:%d", proxy), fmt.Sprintf("http://127.0.0.1:%d", pages)
	s := &stage{issuer: fmt.Sprintf("http://127.0.0.1:%d", server), log: &lines{}}
	config, state, outbox := filepath.Join(dir, "sallyport.yaml"), filepath.Join(dir, "state.yaml"), filepath.Join(dir, "outbox")
	writeFile(t, config, fmt.Sprintf("issuer: %s\nenvironment: test\nlisten: 127.0.0.1:%d\nadmin_listen: 127.0.0.1:%d\nkey_file: %s\nadmin_key_file: %s\noutbox_file: %s\ndrain_time: 0s\nsms:\n  countries: [US]\ncode_factors: [email, sms]\ndatabase:\n  dsn: %q\n",
		issuer, server, freePort(t), filepath.Join(dir, "keys"), filepath.Join(dir, "admin"), outbox, "sqlite:"+filepath.Join(dir, "sallyport.db")))
	text, people := cidaasState(map[string]string{"same": issuer, "other": other})
	writeFile(t, state, text)
	s.command(t, "keyfile", filepath.Join(dir, "keys"))
	s.command(t, "adminkey", filepath.Join(dir, "admin"))
	s.command(t, "migrate", "--config", config)
	s.command(t, "apply", "--config", config, state)
	serve := exec.Command(program, "serve", "--config", config)
	serve.Stdout, serve.Stderr = s.log, s.log
	serve.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = serve.Process.Signal(syscall.SIGTERM)
		_ = serve.Wait()
		if t.Failed() {
			t.Log(s.log)
		}
	})
	s.await(t)
	settings, err := json.Marshal(map[string]any{"issuer": issuer, "server": s.issuer, "outbox": outbox, "origins": map[string]string{"same": issuer, "other": other}, "users": people})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "stage.json")
	writeFile(t, file, string(settings))
	runNode(t, "cidaas.test.mjs", "SALLYPORT_STAGE="+file)
	if log := s.log.String(); strings.Contains(log, `"level":"ERROR"`) || strings.Contains(log, "DATA RACE") {
		t.Errorf("the server logged:\n%s", log)
	}
	if r, err := (&http.Client{Timeout: time.Second}).Get(s.issuer + "/.well-known/openid-configuration"); err != nil || r.Body.Close() != nil {
		t.Errorf("the server stopped responding: %v", err)
	}
}

// cidaasPerson is a user the pages sign in.
type cidaasPerson struct {
	Username string `json:"username"`
	Email    string `json:"email"`
	Password string `json:"password"`
	TOTP     string `json:"totp,omitempty"`
}

// cidaasState returns two clients for each origin, one passwordless and one that always
// requires two factors, and users with and without an app.
func cidaasState(origins map[string]string) (string, map[string][]cidaasPerson) {
	var b strings.Builder
	b.WriteString("clients:\n")
	for where, origin := range origins {
		for policy, settings := range map[string]string{"off": "    passwordless: true\n", "always": "    mfa: ALWAYS\n"} {
			fmt.Fprintf(&b, "  - client_id: %s-%s\n    client_name: The %s shop\n    public: true\n    headless_login: true\n    manages_factors: true\n", where, policy, where)
			fmt.Fprintf(&b, "    redirect_uris: [%q]\n    post_logout_redirect_uris: [%q]\n    login_url: %q\n    mfa_url: %q\n",
				origin+"/page/callback", origin+"/page/bye", origin+"/page/login", origin+"/page/mfa")
			fmt.Fprintf(&b, "    grant_types: [authorization_code, refresh_token]\n    scopes: [openid, email, profile, mobile]\n%s", settings)
		}
	}
	b.WriteString("users:\n")
	people := map[string][]cidaasPerson{}
	for i := range 20 {
		p := cidaasPerson{fmt.Sprintf("person%02d", i), fmt.Sprintf("person%02d@example.com", i), "correct horse " + random(6), ""}
		fmt.Fprintf(&b, "  - username: %s\n    email: %s\n    email_verified: true\n    password: %q\n", p.Username, p.Email, p.Password)
		kind := "plain"
		if i < 10 {
			kind, p.TOTP = "totp", base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte(random(10)))
			fmt.Fprintf(&b, "    totp_secret: %s\n", p.TOTP)
		}
		people[kind] = append(people[kind], p)
	}
	return b.String(), people
}
