package e2e

import (
	"bufio"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestHostedPagesInChromium runs browser/pages.test.mjs.
func TestHostedPagesInChromium(t *testing.T) {
	t.Parallel()
	runBrowser(t, newStage(t, "sqlite"), "pages.test.mjs", 9, 14)
}

// TestFormsInChromium runs browser/forms.test.mjs.
func TestFormsInChromium(t *testing.T) {
	t.Parallel()
	runBrowser(t, newStage(t, "sqlite"), "forms.test.mjs", 6, 8)
}

// TestPasskeysInChromium runs browser/passkeys.test.mjs.
func TestPasskeysInChromium(t *testing.T) {
	t.Parallel()
	runBrowser(t, newStage(t, "sqlite"), "passkeys.test.mjs", 0, 14)
}

// runBrowser runs one file of browser tests against a stage, with separate users. `make
// test` installs Chromium, Node.js and the packages of browser/package.json.
func runBrowser(t *testing.T, s *stage, file string, withTOTP, without int) {
	t.Helper()
	type person struct {
		Username string   `json:"username"`
		Email    string   `json:"email"`
		Password string   `json:"password"`
		TOTP     string   `json:"totp,omitempty"`
		Recovery []string `json:"recovery,omitempty"`
	}
	take := func(n int, totp bool) []person {
		people := make([]person, n)
		for i := range people {
			u := s.user(t, totp)
			people[i] = person{u.name, u.email, u.password, u.totp, nil}
			if totp {
				people[i].Recovery = recoveryCodes(u)
			}
		}
		return people
	}
	sum := sha256.Sum256([]byte("a-verifier-that-is-long-enough-for-rfc-7636-and-fixed"))
	client := func(id, redirect string) map[string]string {
		return map[string]string{"id": id, "redirect": redirect, "challenge": base64.RawURLEncoding.EncodeToString(sum[:])}
	}
	described := map[string]any{
		"issuer": s.issuer, "admin": s.admin, "pages": s.pages, "messages": s.messages, "secret": s.secret, "key": s.clientKey,
		"users": map[string]any{"totp": take(withTOTP, true), "plain": take(without, false)},
		"clients": map[string]any{"spa": client("spa", spaRedirect), "bank": client("bank", bankRedirect), "remembers": client("remembers", webRedirect+"/remembers"),
			"asks": client("asks", webRedirect+"/asks"), "web": client("web", webRedirect), "post": client("post", webRedirect+"/post"),
			"fast": client("fast", webRedirect+"/fast"), "signs": client("signs", webRedirect+"/signs"), "app": client("app", webRedirect+"/app"), "alone": client("alone", webRedirect+"/alone"), "shop": client("shop", webRedirect+"/shop"), "native": client("native", "http://127.0.0.1/native"),
			"tab": client("tab", s.pages+"/callback"), "front": client("front", s.pages+"/callback"),
			"told": client("told", s.pages+"/told"), "framed": client("framed", s.pages+"/framed")},
	}
	maps.Copy(described, s.more)
	text, err := json.Marshal(described)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "stage.json")
	writeFile(t, path, string(text))
	runNode(t, file, "SALLYPORT_STAGE="+path, "NODE_EXTRA_CA_CERTS="+s.trusted)
}

// runNode runs one file of browser tests and reports each of its tests as a subtest. Chromium
// without its window needs a third of the time of one whose window is hidden.
func runNode(t *testing.T, file string, env ...string) {
	t.Helper()
	if _, err := os.Stat("browser/node_modules/playwright-core"); err != nil {
		t.Fatal("browser/node_modules is missing: run `make test`, or `npm ci` in e2e/browser")
	}
	c := exec.Command(installed(t, "node"), "--test", "--test-reporter=tap", file)
	env = append(env, "SALLYPORT_CHROMIUM="+installed(t, "chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"))
	c.Dir, c.Env, c.Stderr = "browser", append(os.Environ(), env...), os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	passed := 0
	for in := bufio.NewScanner(out); in.Scan(); {
		line := in.Text()
		all.WriteString(line + "\n")
		if strings.HasPrefix(line, "ok ") {
			passed++
			t.Log(line)
		}
	}
	if err := c.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, all.String())
	}
	if passed == 0 {
		t.Fatalf("no test ran:\n%s", all.String())
	}
}

func installed(t *testing.T, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatalf("none of %v is installed: `make test` installs it", names)
	return ""
}
