package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/servertest"
)

// run runs a command that must succeed and returns its output.
func run(t *testing.T, args ...string) string {
	t.Helper()
	p, out, err := testProgram()
	if code := p.Main(context.Background(), commands(), args); code != cli.ExitOK {
		t.Fatalf("sallyport %s: exit code %d: %s", strings.Join(args, " "), code, err)
	}
	return out.String()
}

// get returns status and body; a refused connection is status 0.
func get(t *testing.T, address string) (int, string) {
	t.Helper()
	r, err := http.Get(address)
	if err != nil {
		return 0, err.Error()
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(body)
}

// until requests an address repeatedly until it responds with a status.
func until(t *testing.T, address string, want int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if got, _ := get(t, address); got == want {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s never responded with %d", address, want)
		case <-tick.C:
		}
	}
}

func TestServeStartsDrainsAndStops(t *testing.T) {
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		goleak.VerifyNone(t)
	})
	settings, public, admin := servertest.NewInstallation(t)
	p, _, log := testProgram("SALLYPORT_CONFIG=" + settings)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan int, 1)
	go func() { ended <- p.Main(ctx, commands(), []string{"serve"}) }()

	until(t, "http://"+admin+"/readyz", http.StatusOK)
	for _, tc := range []struct {
		address string
		code    int
		body    string
	}{
		{public + "/.well-known/openid-configuration", http.StatusOK, `"issuer":"http://` + public + `"`},
		{public + "/jwks.json", http.StatusOK, `"alg":"ES256"`},
		{public + "/metrics", http.StatusNotFound, ""},
		{public + "/readyz", http.StatusNotFound, ""},
		{admin + "/healthz", http.StatusOK, "ok"},
		{admin + "/metrics", http.StatusOK, "sallyport_http_requests_total"},
		{admin + "/metrics", http.StatusOK, "sallyport_database_statements_total"},
		{admin + "/.well-known/openid-configuration", http.StatusNotFound, ""},
	} {
		if code, body := get(t, "http://"+tc.address); code != tc.code || !strings.Contains(body, tc.body) {
			t.Errorf("GET %s = %d %s, want %d and %q in it", tc.address, code, body, tc.code, tc.body)
		}
	}

	stop()
	until(t, "http://"+admin+"/readyz", http.StatusServiceUnavailable)
	// not ready, and still serving until the drain time is over.
	if code, _ := get(t, "http://"+public+"/jwks.json"); code != http.StatusOK {
		t.Errorf("while draining: %d, want 200", code)
	}
	if code := <-ended; code != cli.ExitOK {
		t.Errorf("exit code %d, want 0: %s", code, log)
	}
	if code, _ := get(t, "http://"+public+"/jwks.json"); code != 0 {
		t.Errorf("after the stop: %d, want no connection", code)
	}
}

func TestServeNeedsItsOwnKeyFile(t *testing.T) {
	settings, _, _ := servertest.NewInstallation(t)
	keys := filepath.Join(filepath.Dir(settings), "keys")
	serve := func() string {
		p, _, err := testProgram()
		if code := p.Main(context.Background(), commands(), []string{"serve", "--config", settings}); code != cli.ExitFailed {
			t.Errorf("exit code %d, want %d", code, cli.ExitFailed)
		}
		return err.String()
	}
	if err := os.Chmod(keys, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := serve(); !strings.Contains(got, "key_file") {
		t.Errorf("a key file that others can read: %q", got)
	}
	if err := os.Remove(keys); err != nil {
		t.Fatal(err)
	}
	if got := serve(); !strings.Contains(got, "key_file") {
		t.Errorf("a missing key file: %q", got)
	}
}

func TestServeNeedsAnAdminKey(t *testing.T) {
	settings, _, _ := servertest.NewInstallation(t)
	key := filepath.Join(filepath.Dir(settings), "admin")
	spoil := func(text string, mode os.FileMode) func() {
		return func() {
			if err := errors.Join(os.WriteFile(key, []byte(text), 0o600), os.Chmod(key, mode)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, tc := range []struct {
		name    string
		prepare func()
		want    string
	}{
		{"a file that others can read", spoil(strings.Repeat("k", 43), 0o644), "admin_key_file: mode 0644 gives others access"},
		{"a short key", spoil("geheim", 0o600), "admin_key_file: want one line of 43 characters"},
		{"a placeholder", spoil(strings.Repeat("A", 43), 0o600), "admin_key_file: this key is a placeholder"},
		{"no file", func() { _ = os.Remove(key) }, "admin_key_file: open "},
		{"no setting", func() {
			text, err := os.ReadFile(settings)
			if err == nil {
				err = os.WriteFile(settings, []byte(strings.Replace(string(text), "admin_key_file", "#", 1)), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}, "admin_key_file: is required to serve"},
	} {
		tc.prepare()
		for _, command := range []string{"serve", "config check"} {
			p, _, err := testProgram("SALLYPORT_CONFIG=" + settings)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if code := p.Main(ctx, commands(), strings.Fields(command)); code != cli.ExitFailed || !strings.Contains(err.String(), tc.want) || strings.Contains(err.String(), "geheim") {
				t.Errorf("%s, %s: exit code %d, %q; want %q", tc.name, command, code, err, tc.want)
			}
		}
	}
}

func TestServeRefusesAnEmptyDatabase(t *testing.T) {
	settings, _, _ := servertest.NewInstallation(t)
	database := "SALLYPORT_DATABASE_DSN=sqlite:" + filepath.Join(t.TempDir(), "empty.db")
	p, _, errOut := testProgram(database)
	if code := p.Main(context.Background(), commands(), []string{"serve", "--config", settings}); code != cli.ExitFailed {
		t.Errorf("exit code %d, want %d", code, cli.ExitFailed)
	}
	if !strings.Contains(errOut.String(), "sallyport migrate") {
		t.Errorf("error = %s, want the remedy in it", errOut)
	}
}

func TestServePrintsTheSettingsInEffect(t *testing.T) {
	settings, public, _ := servertest.NewInstallation(t)
	out := run(t, "serve", "--config", settings, "--print")
	if !strings.Contains(out, "issuer: http://"+public) || !strings.Contains(out, "access_token: 10m") {
		t.Errorf("settings = %s", out)
	}
}

// token requests a token with client credentials.
func token(t *testing.T, issuer, id, secret string) map[string]any {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, issuer+"/token", strings.NewReader(url.Values{"grant_type": {"client_credentials"}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(id+":"+secret)))
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(r.Body).Decode(&out); err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("token: %d %v %v", r.StatusCode, out, err)
	}
	return out
}
