package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/servertest"
	"sallyport/e2e/play"
	"sallyport/web"
)

// freePorts returns a port whose two successors are free as well.
func freePorts(t *testing.T) int {
	t.Helper()
	port, err := play.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// startDev starts dev and returns how to stop it.
func startDev(t *testing.T, port int, args ...string) (out *servertest.Buffer, stop func()) {
	t.Helper()
	p, _, errOut := testProgram()
	out = new(servertest.Buffer)
	p.Out = out
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan int, 1)
	go func() {
		ended <- p.Main(ctx, commands(), append([]string{"dev", "--port", strconv.Itoa(port)}, args...))
	}()
	until(t, "http://localhost:"+strconv.Itoa(port)+"/.well-known/openid-configuration", http.StatusOK)
	return out, func() {
		cancel()
		if code := <-ended; code != cli.ExitOK {
			t.Errorf("dev: exit code %d: %s", code, errOut)
		}
	}
}

func TestDevServesAWholeInstallation(t *testing.T) {
	data, port := filepath.Join(t.TempDir(), "data"), freePorts(t)
	issuer, demo := "http://localhost:"+strconv.Itoa(port), "http://localhost:"+strconv.Itoa(port+1)
	out, stop := startDev(t, port, "--data", data, "--details")

	secret := regexp.MustCompile(`curl -u m2m:(\S+)`).FindStringSubmatch(out.String())
	if secret == nil {
		t.Fatalf("dev printed %s", out)
	}
	if got := token(t, issuer, "m2m", secret[1]); got["access_token"] == "" {
		t.Errorf("token = %v", got)
	}
	for path, want := range map[string]string{
		"/": "<title>Meridian</title>", "/callback": "<title>Meridian</title>", "/app.js": "import", "/oidc.js": "export",
		"/style.css": ":root", "/icon.svg": "<svg", "/phone.js": "codes", "/config.json": `"issuer":"` + issuer + `"`,
		"/phone": `<output class="code">`, "/phone.json": `"user":"alice"`,
		"/outbox": "<title>Outbox</title>", "/outbox.json": `{"messages":[`, "/outbox.js": "clipboard",
	} {
		if code, body := get(t, demo+path); code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("GET %s = %d, %.80q; want %q in it", path, code, body, want)
		}
	}
	if documents := regexp.MustCompile(`API documents +(\S+)`).FindStringSubmatch(out.String()); documents == nil {
		t.Errorf("dev does not print where the documents of its APIs are: %s", out)
	} else if code, body := get(t, documents[1]); code != http.StatusOK || !strings.Contains(body, "Stytch") {
		t.Errorf("GET %s = %d, %.80q; want the list of APIs", documents[1], code, body)
	}
	demoIsGuarded(t, demo, issuer)
	line{"the admin API", fmt.Sprintf("user list --server http://localhost:%d --admin-key-file %s", port+2, filepath.Join(data, "admin-key")), cli.ExitOK, "alice@example.com", ""}.play(t, "")
	phoneShowsCodes(t, demo)
	stop()
	if want := 40; strings.Count(out.String(), "█") < want || !strings.Contains(out.String(), "Recovery codes of alice") {
		t.Errorf("--details shows no QR code or no recovery codes: %s", out)
	}

	again, stop := startDev(t, port, "--data", data, "--details")
	stop()
	if again.String() != out.String() {
		t.Errorf("after a restart dev prints\n%s\nwant\n%s", again, out)
	}
}

func demoIsGuarded(t *testing.T, demo, issuer string) {
	t.Helper()
	for _, path := range []string{"/phone.json", "/outbox.json"} {
		req, err := http.NewRequest(http.MethodGet, demo+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "attacker.example"
		r, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != http.StatusMisdirectedRequest {
			t.Errorf("%s under a foreign name: %d, want 421", path, r.StatusCode)
		}
	}
	r, err := http.Get(demo + "/")
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	policy := r.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self';", "connect-src 'self' " + issuer + ";", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("policy %q, want %q in it", policy, want)
		}
	}
	for name, want := range map[string]string{"Cross-Origin-Opener-Policy": "same-origin", "Permissions-Policy": web.Features, "X-Frame-Options": "DENY"} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if strings.Contains(policy, "unsafe") {
		t.Errorf("policy %q allows inline code", policy)
	}
	if got := r.Header.Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("other origins may read: %q", got)
	}
}

func phoneShowsCodes(t *testing.T, demo string) {
	t.Helper()
	_, body := get(t, demo+"/phone.json")
	var view struct {
		Codes []struct {
			Code    string
			Pending bool
		}
		Seconds, Period int
	}
	if err := json.Unmarshal([]byte(body), &view); err != nil {
		t.Fatal(err)
	}
	if len(view.Codes) != 1 || !regexp.MustCompile(`^[0-9]{6}$`).MatchString(view.Codes[0].Code) || view.Codes[0].Pending {
		t.Errorf("codes = %+v, want one of alice", view.Codes)
	}
	if view.Seconds < 1 || view.Seconds > 30 || view.Period != 30 {
		t.Errorf("%d of %d seconds left", view.Seconds, view.Period)
	}
}

func TestDevReportsAPortInUse(t *testing.T) {
	port := freePorts(t)
	l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port+1))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p, _, errOut := testProgram()
	if code := p.Main(context.Background(), commands(), []string{"dev", "--port", strconv.Itoa(port), "--data", filepath.Join(t.TempDir(), "d")}); code != cli.ExitFailed {
		t.Errorf("exit code %d, want %d", code, cli.ExitFailed)
	}
	if want := "port " + strconv.Itoa(port+1) + " is not free"; !strings.Contains(errOut.String(), want) {
		t.Errorf("error = %s, want %q in it", errOut, want)
	}
}
