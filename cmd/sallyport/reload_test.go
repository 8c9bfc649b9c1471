package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/dev"
	"sallyport/cmd/sallyport/servertest"
	"sallyport/provider/mtls/mtlstest"
	"sallyport/storage/seal"
)

// reloading is a server that serves with TLS while a test changes its files.
type reloading struct {
	*testing.T
	dir, settings string
	hangup        chan os.Signal
	log           *servertest.Buffer
	mutual        string              // address of the listener for certificates of clients
	authority     *mtlstest.Authority // in the file of authorities
}

func startReloading(t *testing.T) (r reloading, public, admin string) {
	t.Helper()
	settings, public, admin := servertest.NewInstallation(t)
	r = reloading{t, filepath.Dir(settings), settings, make(chan os.Signal), new(servertest.Buffer), servertest.FreeAddress(t), mtlstest.New(t, "first", time.Now())}
	r.newCertificate()
	r.write("authorities", r.authority.PEM())
	servertest.Apply(t, settings, "clients:\n  - {client_id: ledger, token_endpoint_auth_method: tls_client_auth, tls_client_auth_subject_dn: CN=ledger, grant_types: [client_credentials]}\n")
	cert, key := filepath.Join(r.dir, "tls.crt"), filepath.Join(r.dir, "tls.key")
	servertest.AppendSettings(t, settings, fmt.Sprintf("tls: {cert: %s, key: %s}\nadmin_tls: {cert: %s, key: %s}\n", cert, key, cert, key))
	servertest.AppendSettings(t, settings, fmt.Sprintf("mtls: {url: 'https://mtls.example', listen: %q, cert: %s, key: %s, client_ca_file: %s}\n", r.mutual, cert, key, filepath.Join(r.dir, "authorities")))
	text, err := os.ReadFile(settings)
	if err != nil {
		t.Fatal(err)
	}
	r.write(filepath.Base(settings), bytes.Replace(text, []byte("issuer: http:"), []byte("issuer: https:"), 1))
	p, _, _ := testProgram("SALLYPORT_CONFIG=" + settings)
	p.Err, p.Hangup = r.log, r.hangup
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan int, 1)
	go func() { ended <- p.Main(ctx, commands(), []string{"serve"}) }()
	t.Cleanup(func() {
		stop()
		if code := <-ended; code != cli.ExitOK {
			t.Errorf("exit code %d: %s", code, r.log)
		}
	})
	r.await(func() bool { return strings.Contains(r.log.String(), `"msg":"serving"`) })
	return r, public, admin
}

// await waits until something is so.
func (r reloading) await(done func() bool) {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			r.Fatalf("it never came so:\n%s", r.log)
		case <-tick.C:
		}
	}
}

// hangUp sends SIGHUP and returns what the server then logs about a setting.
func (r reloading) hangUp(setting string) string {
	r.Helper()
	before := len(r.log.String())
	r.hangup <- syscall.SIGHUP
	line := ""
	r.await(func() bool {
		for text := range strings.Lines(r.log.String()[before:]) {
			if strings.Contains(text, `"setting":"`+setting+`"`) {
				line = text
			}
		}
		return line != ""
	})
	return line
}

func (r reloading) write(name string, text []byte) {
	r.Helper()
	path := filepath.Join(r.dir, name)
	if err := errors.Join(os.WriteFile(path+".new", text, 0o600), os.Rename(path+".new", path)); err != nil {
		r.Fatal(err)
	}
}

func (r reloading) newCertificate() {
	r.Helper()
	cert, key, err := dev.NewCertificate("localhost", time.Now(), rand.Reader)
	if err != nil {
		r.Fatal(err)
	}
	r.write("tls.crt", cert)
	r.write("tls.key", key)
}

// serial is that of the certificate of a listener.
func (r reloading) serial(address string) *big.Int {
	r.Helper()
	c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		r.Fatal(err)
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0].SerialNumber
}

func TestCertificatesAreReadAgain(t *testing.T) {
	r, public, admin := startReloading(t)
	for _, hangup := range []bool{true, false} {
		for _, address := range []string{public, admin, r.mutual} {
			before := r.serial(address)
			r.newCertificate()
			if hangup {
				r.hangUp("admin_tls")
			}
			r.await(func() bool { return r.serial(address).Cmp(before) != 0 })
		}
	}
	before := r.serial(public)
	r.write("tls.crt", []byte("nonsense"))
	for _, setting := range []string{"tls", "admin_tls", "mtls"} {
		if line := r.hangUp(setting); !strings.Contains(line, "what was read before stays in use") {
			t.Errorf("the log says %q", line)
		}
	}
	if r.serial(public).Cmp(before) != 0 || r.serial(admin).Cmp(before) != 0 || r.serial(r.mutual).Cmp(before) != 0 {
		t.Error("a file that holds no certificate replaced one")
	}
	db, err := sql.Open("sqlite", filepath.Join(r.dir, "sallyport.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	r.await(func() bool {
		var n int
		err := db.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM events WHERE kind = 'server.configuration' AND canonical LIKE '%"certificate"%'`).Scan(&n)
		return err == nil && n > 0
	})
}

func TestAuthoritiesOfClientsAreReadAgain(t *testing.T) {
	r, _, _ := startReloading(t)
	next := mtlstest.New(t, "next", time.Now())
	status := func(a *mtlstest.Authority) int {
		t.Helper()
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true,
			Certificates: []tls.Certificate{a.Issue("ledger", time.Now())}}}}
		response, err := client.PostForm("https://"+r.mutual+"/token", url.Values{"client_id": {"ledger"}, "grant_type": {"client_credentials"}})
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		return response.StatusCode
	}
	if a, b := status(r.authority), status(next); a != 200 || b != 401 {
		t.Fatalf("a client of the authority in the file = %d, of another = %d, want 200 and 401", a, b)
	}
	r.write("authorities", []byte("nonsense"))
	if line := r.hangUp("mtls.client_ca_file"); !strings.Contains(line, "what was read before stays in use") {
		t.Errorf("the log says %q", line)
	}
	if got := status(r.authority); got != 200 {
		t.Errorf("after a file that cannot be read = %d, want 200", got)
	}
	r.write("authorities", next.PEM())
	if line := r.hangUp("mtls.client_ca_file"); !strings.Contains(line, `"msg":"read again"`) {
		t.Errorf("the log says %q", line)
	}
	if a, b := status(r.authority), status(next); a != 401 || b != 200 {
		t.Errorf("a client of the authority before = %d, of the next = %d, want 401 and 200", a, b)
	}
}

func TestTheKeyFileIsReadAgain(t *testing.T) {
	r, public, _ := startReloading(t)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer client.CloseIdleConnections()
	old, err := os.ReadFile(filepath.Join(r.dir, "keys"))
	if err != nil {
		t.Fatal(err)
	}
	second := seal.NewKeyFile(rand.Reader)
	for _, bad := range []string{"", "nonsense", string(second)} {
		r.write("keys", []byte(bad))
		if line := r.hangUp("key_file"); !strings.Contains(line, "what was read before stays in use") {
			t.Errorf("%q: the log says %q", bad, line)
		}
	}
	// A new key-encryption key, without a restart (docs/operations.md).
	for _, file := range []string{string(old) + string(second), string(second) + string(old)} {
		r.write("keys", []byte(file))
		if line := r.hangUp("key_file"); !strings.Contains(line, `"msg":"read again"`) {
			t.Errorf("the log says %q", line)
		}
	}
	run(t, "keys", "reseal", "--config", r.settings)
	r.write("keys", second)
	if line := r.hangUp("key_file"); !strings.Contains(line, `"msg":"read again"`) {
		t.Errorf("the log says %q", line)
	}
	resp, err := client.Get("https://" + public + "/jwks.json")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if strings.Contains(r.log.String(), "versions not read") {
		t.Errorf("a key did not open:\n%s", r.log)
	}
}
