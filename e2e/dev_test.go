package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestDevServer starts the development server in an empty folder, runs its demo in
// Chromium, and checks that a restart keeps everything.
func TestDevServer(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "dev")
	first := startDev(t, folder)
	text := readFile(t, filepath.Join(folder, "secrets.json"))
	first.browse(t, folder, "dev.test.mjs")
	first.stop(t)

	again := startDev(t, folder)
	defer again.stop(t)
	if readFile(t, filepath.Join(folder, "secrets.json")) != text {
		t.Error("the restart changed the passwords")
	}
	// bob enrolled an authenticator before the restart: the bank requires it now.
	s := &stage{issuer: again.issuer, log: again.log}
	a := newParty(t, s, "bank", again.demo+"/callback", "")
	newPerson(t, again.issuer).open(a.start()).signIn(user{name: "bob", password: devSecrets(t, folder).Bob.Password}).at("/mfa")
}

// TestDevServerUnderAName: passkeys belong to the name that dev is given.
func TestDevServerUnderAName(t *testing.T) {
	folder, name := filepath.Join(t.TempDir(), "dev"), "laptop.example"
	d := startDevAt(t, folder, "https://"+name, "--tls", "--host", name)
	tick, end := time.NewTicker(50*time.Millisecond), time.After(60*time.Second)
	defer tick.Stop()
	for !strings.Contains(d.log.String(), "Ctrl-C") {
		select {
		case <-end:
			t.Fatalf("it does not greet:\n%s", d.log)
		case <-tick.C:
		}
	}
	d.trusted(t, name)
	d.browse(t, folder, "devname.test.mjs", "--host-resolver-rules=MAP "+name+" 127.0.0.1", "--ignore-certificate-errors")
	d.stop(t)
}

// trusted lets a device take the root from the demo, and then trust the provider under its name.
func (d devServer) trusted(t *testing.T, name string) {
	t.Helper()
	get := func(address string, c *tls.Config) []byte {
		t.Helper()
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: c, DialContext: func(ctx context.Context, network, to string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, strings.Replace(to, name, "127.0.0.1", 1))
		}}}
		defer client.CloseIdleConnections()
		resp, err := client.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		text, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %s, %v", address, resp.StatusCode, text, err)
		}
		return text
	}
	root, err := x509.ParseCertificate(get(d.demo+"/ca.crt", &tls.Config{InsecureSkipVerify: true})) //nolint:gosec // a device without the root
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(root)
	if text := get(d.issuer+"/.well-known/webauthn", &tls.Config{RootCAs: roots}); !strings.Contains(string(text), d.issuer) {
		t.Errorf("passkeys are for %s", text)
	}
}

type devUsers struct{ Alice, Bob struct{ Password string } }

func devSecrets(t *testing.T, folder string) devUsers {
	t.Helper()
	var out devUsers
	if err := json.Unmarshal([]byte(readFile(t, filepath.Join(folder, "secrets.json"))), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

type devServer struct {
	issuer, demo string
	process      *exec.Cmd
	log          *lines
}

func startDev(t *testing.T, folder string) devServer {
	t.Helper()
	d := startDevAt(t, folder, "http://localhost")
	(&stage{issuer: d.issuer, log: d.log}).await(t)
	return d
}

// startDevAt starts it, and does not wait until it serves.
func startDevAt(t *testing.T, folder, at string, flags ...string) devServer {
	t.Helper()
	port := freePort(t)
	d := devServer{issuer: fmt.Sprintf("%s:%d", at, port), demo: fmt.Sprintf("%s:%d", at, port+1), log: &lines{}}
	d.process = exec.Command(program, append([]string{"dev", "--data", folder, "--port", fmt.Sprint(port)}, flags...)...)
	d.process.Stdout, d.process.Stderr = d.log, d.log
	if err := d.process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.process.Process.Kill() })
	return d
}

// browse runs tests in Chromium, with arguments for it.
func (d devServer) browse(t *testing.T, folder, tests string, args ...string) {
	t.Helper()
	type person struct {
		Username string `json:"username"`
		Password string `json:"password"`
	}
	secrets := devSecrets(t, folder)
	written, err := json.Marshal(map[string]any{"issuer": d.issuer, "demo": d.demo, "outbox": filepath.Join(folder, "outbox.jsonl"), "args": args,
		"alice": person{"alice", secrets.Alice.Password}, "bob": person{"bob", secrets.Bob.Password}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "stage.json")
	writeFile(t, file, string(written))
	runNode(t, tests, "SALLYPORT_STAGE="+file)
}

func (d devServer) stop(t *testing.T) {
	t.Helper()
	_ = d.process.Process.Signal(syscall.SIGTERM)
	if err := d.process.Wait(); err != nil {
		t.Errorf("the server ended with %v:\n%s", err, d.log)
	}
}
