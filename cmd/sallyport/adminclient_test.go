package main

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sallyport/cmd/sallyport/adminclient"
	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/dev"
	"sallyport/cmd/sallyport/servertest"
	"sallyport/config"
	"sallyport/mfa"
	"sallyport/mfa/users"
	"sallyport/provider/apikeys"
	"sallyport/web/admin"
)

// newCertificateFiles returns a certificate for this machine, and the file that commands trust it by.
func newCertificateFiles(t *testing.T) (cert tls.Certificate, certFile, keyFile string) {
	t.Helper()
	p, _, _ := testProgram()
	certPEM, keyPEM, err := dev.NewCertificate("localhost", p.Now(), p.Random)
	if err != nil {
		t.Fatal(err)
	}
	if cert, err = tls.X509KeyPair(certPEM, keyPEM); err != nil {
		t.Fatal(err)
	}
	return cert, secretFile(t, string(certPEM)), secretFile(t, string(keyPEM))
}

// secretFile creates a file that only its owner can read.
func secretFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRunningServerNeedsAKeyFile(t *testing.T) {
	settings, _, address := servertest.NewInstallation(t)
	newImpostor(t, address, http.NotFound)
	text, err := os.ReadFile(settings)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(settings, []byte(strings.Replace(string(text), "admin_key_file", "#", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	line{"no key file", "user list", cli.ExitFailed, "", "and the settings name no admin_key_file"}.play(t, settings)
}

func TestRemoteServer(t *testing.T) {
	c := servertest.NewAdminAPI(t)
	server := httptest.NewServer(c.Handler)
	defer server.Close()
	redirect := httptest.NewServer(http.RedirectHandler(server.URL+admin.Base+"/users", http.StatusTemporaryRedirect))
	defer redirect.Close()
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text+"\n"), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	reads, _ := c.NewAPIKey(apikeys.Draft{Name: "reads", Dialects: []string{"admin"}, Verbs: []string{"read"}})
	gone, id := c.NewAPIKey(apikeys.Draft{Name: "gone", Dialects: []string{"admin"}, Verbs: []string{"read"}})
	if err := c.Server.APIKeys.Disable(t.Context(), mfa.Caller{}, apikeys.Operator(), id); err != nil {
		t.Fatal(err)
	}
	cert, trusted, _ := newCertificateFiles(t)
	secure := httptest.NewUnstartedServer(c.Handler)
	secure.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	secure.StartTLS()
	defer secure.Close()
	own, wrong, reader, open := file("own", servertest.AdminKey, 0o600), file("wrong", "wrong"+servertest.AdminKey, 0o600), file("reader", reads, 0o600), file("open", servertest.AdminKey, 0o644)
	at := " --server " + server.URL + " --admin-key-file "
	for _, l := range []line{
		{"the key of the server", "user create --username alice" + at + own, cli.ExitOK, "created", ""},
		{"an API key", "user list" + at + reader, cli.ExitOK, "alice", ""},
		{"an API key without permission", "user disable alice" + at + reader, cli.ExitFailed, "", "the API key may not do this"},
		{"a disabled API key", "user list" + at + file("gone", gone, 0o600), cli.ExitFailed, "", "does not know the key"},
		{"over TLS", "user list --server " + secure.URL + " --ca-file " + trusted + " --admin-key-file " + own, cli.ExitOK, "alice", ""},
		{"over TLS, an API key", "user list --server " + secure.URL + " --ca-file " + trusted + " --admin-key-file " + reader, cli.ExitOK, "alice", ""},
		{"over TLS without trust", "user list --server " + secure.URL + " --admin-key-file " + own, cli.ExitFailed, "", "certificate"},
		{"certificates for plain HTTP", "user list --ca-file " + trusted + at + own, cli.ExitUsage, "", "--ca-file belongs to"},
		{"a file without certificates", "user list --ca-file " + own + " --server " + secure.URL + " --admin-key-file " + own, cli.ExitFailed, "", "holds no certificate"},
		{"a wrong key", "user list" + at + wrong, cli.ExitFailed, "", "does not know the key"},
		{"a file that others can read", "user list" + at + open, cli.ExitFailed, "", "mode 0644 gives others access"},
		{"no file", "user list --server " + server.URL, cli.ExitUsage, "", "--server needs --admin-key-file"},
		{"a file and no server", "user list --admin-key-file " + own, cli.ExitUsage, "", "--admin-key-file and --ca-file need --server"},
		{"in clear over the network", "user list --server http://192.0.2.1 --admin-key-file " + own, cli.ExitUsage, "", "must begin with https://"},
		{"no URL", "user list --server 192.0.2.1:8090 --admin-key-file " + own, cli.ExitUsage, "", "must be a URL"},
		{"a URL with a path", "user list --server https://a.example/admin --admin-key-file " + own, cli.ExitUsage, "", "must be a URL"},
		{"a redirect", "user list --server " + redirect.URL + " --admin-key-file " + own, cli.ExitFailed, "", "is not an admin API of Sallyport (it responded with status 307)"},
		{"no server", "user list --server http://" + servertest.FreeAddress(t) + " --admin-key-file " + own, cli.ExitFailed, "", "connection refused"},
	} {
		l.play(t, "")
	}
	if e := c.Newest(mfa.EventUserCreated); e.UserAgent != "sallyport user create" || e.Actor != users.ActorAdmin || e.Address != "127.0.0.1" {
		t.Errorf("event = %+v", e)
	}
}

// An internal error is logged in full, and has only a support id in the response.
func TestInternalErrorIsLogged(t *testing.T) {
	settings, _, _ := servertest.NewInstallation(t)
	c, err := config.Load(settings, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, _, errOut := testProgram()
	r, err := adminclient.InProcess(t.Context(), p, c, "test")
	if err != nil {
		t.Fatal(err)
	}
	r.Close() // also closes the database
	err = r.Get(t.Context(), "/users", nil, &admin.Users{})
	if err == nil || !strings.Contains(err.Error(), "support id") || !strings.Contains(errOut.String(), `"level":"ERROR"`) || strings.Contains(errOut.String(), `"msg":"request","method"`) {
		t.Errorf("error %v, log %s", err, errOut)
	}
}

// The admin listener beyond loopback has TLS; commands and health trust its certificate by the
// settings.
func TestAdminListenerTLS(t *testing.T) {
	settings, _, address := servertest.NewInstallation(t)
	_, certFile, keyFile := newCertificateFiles(t)
	text, err := os.ReadFile(settings)
	if err != nil {
		t.Fatal(err)
	}
	write := func(cert, key string) {
		if err := os.WriteFile(settings, fmt.Appendf(nil, "%sadmin_tls: {cert: %s, key: %s}\n", text, cert, key), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(certFile, keyFile)
	line{"good files", "config check", cli.ExitOK, "no faults", ""}.play(t, settings)
	t.Run("served", func(t *testing.T) {
		startServer(t, settings, address, http.StatusBadRequest) // over plain HTTP
		line{"health", "health", cli.ExitOK, "ready", ""}.play(t, settings)
		line{"a command", "user create --username alice", cli.ExitOK, "created", ""}.play(t, settings)
	})
	// An impostor with another certificate, and one with the same.
	other, otherCert, otherKey := newCertificateFiles(t)
	s := newImpostor(t, address, http.NotFound, other)
	line{"another certificate", "user list", cli.ExitFailed, "", "certificate"}.play(t, settings)
	write(otherCert, otherKey)
	line{"the certificate and no key", "user list", cli.ExitFailed, "", "is not an admin API of Sallyport"}.play(t, settings)
	if s.gotKey() {
		t.Error("the impostor got the key")
	}
	write(certFile, otherKey)
	line{"a key of another certificate", "config check", cli.ExitFailed, "", "admin_tls.cert: tls: private key does not match"}.play(t, settings)
}
