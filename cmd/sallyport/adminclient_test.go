package main

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"sallyport/cmd/sallyport/adminclient"
	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/dev"
	"sallyport/cmd/sallyport/servertest"
	"sallyport/config"
	"sallyport/mfa"
	"sallyport/mfa/users"
	"sallyport/provider/apikeys"
	"sallyport/web"
	"sallyport/web/admin"
)

// impostor listens at the address of a server and records whether a request sent it a key.
type impostor struct {
	mu  sync.Mutex
	key bool
}

func (s *impostor) gotKey() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.key
}

// newImpostor serves at an address until the test ends, over TLS if there is a certificate.
func newImpostor(t *testing.T, address string, handler http.HandlerFunc, secure ...tls.Certificate) *impostor {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s := new(impostor)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.key = s.key || r.Header.Get("Authorization") != ""
		s.mu.Unlock()
		handler(w, r)
	}))
	server.Listener.Close()
	server.Listener = l
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	if len(secure) > 0 {
		server.TLS = &tls.Config{Certificates: secure, MinVersion: tls.VersionTLS12}
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	return s
}

// identityResponse responds like an admin API with this issuer and this proof.
func identityResponse(issuer func() string, proof string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set(web.CorrelationHeader, "AAAA-BBBB-CCCC-DDDD")
		fmt.Fprintf(w, `{"issuer":%q,"proof":%q}`, issuer(), proof)
	}
}

// impostors are handlers that a process in place of the server may have.
func impostors(issuer func() string) []struct {
	name    string
	handler http.HandlerFunc
	want    string
} {
	return []struct {
		name    string
		handler http.HandlerFunc
		want    string
	}{
		{"another program", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") }, "is not an admin API of Sallyport (it responded with status 200)"},
		{"a server without the path", http.NotFound, "is not an admin API of Sallyport (it responded with status 404)"},
		{"a server that demands the key first", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "who are you", http.StatusUnauthorized) }, "is not an admin API of Sallyport (it responded with status 401)"},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://192.0.2.1/", http.StatusTemporaryRedirect)
		}, "is not an admin API of Sallyport (it responded with status 307)"},
		{"a closed connection", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "call the admin API at http"},
		{"an impostor", identityResponse(issuer, "proof"), ""},
		{"an impostor without a proof", identityResponse(issuer, ""), ""},
		{"an echo of the challenge", func(w http.ResponseWriter, r *http.Request) {
			identityResponse(issuer, r.URL.Query().Get("challenge"))(w, r)
		}, ""},
		{"a proof with another key", func(w http.ResponseWriter, r *http.Request) {
			identityResponse(issuer, admin.KeyOf(strings.Repeat("x", 43)).Proof(issuer(), r.URL.Query().Get("challenge")))(w, r)
		}, ""},
	}
}

// The key is sent only to a server that has proven that it knows it.
func TestImpostorAtTheServersAddressSeesNoKey(t *testing.T) {
	var issuer string
	for _, tc := range append(impostors(func() string { return issuer }), struct {
		name    string
		handler http.HandlerFunc
		want    string
	}{"the server of other settings", identityResponse(func() string { return "https://other.example" }, "proof"), `is "https://other.example", but the settings are those of http://`}) {
		t.Run(tc.name, func(t *testing.T) {
			settings, public, address := servertest.NewInstallation(t)
			issuer = "http://" + public
			other := servertest.FreeAddress(t) // named by a variable
			at := []*impostor{newImpostor(t, address, tc.handler), newImpostor(t, other, tc.handler)}
			want := cmp.Or(tc.want, "does not know the key in admin_key_file")
			for _, environ := range [][]string{{"SALLYPORT_CONFIG=" + settings}, {"SALLYPORT_CONFIG=" + settings, "SALLYPORT_ADMIN_LISTEN=" + other}} {
				for _, command := range []string{"user list", "apply " + settings} {
					p, out, err := testProgram(environ...)
					if code := p.Main(t.Context(), commands(), strings.Fields(command)); code != cli.ExitFailed || !strings.Contains(err.String(), want) || out.Len() > 0 {
						t.Errorf("%s: exit code %d, %q, %q; want %q", command, code, out, err, want)
					}
				}
			}
			if at[0].gotKey() || at[1].gotKey() {
				t.Error("the impostor got the key")
			}
		})
	}
}

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

// The same holds for --server, with either kind of key, and over TLS.
func TestImpostorAtANamedAddressSeesNoKey(t *testing.T) {
	cert, trusted, _ := newCertificateFiles(t)
	own := secretFile(t, servertest.AdminKey+"\n")
	for _, tc := range impostors(func() string { return "https://login.example" }) {
		t.Run(tc.name, func(t *testing.T) {
			plain, secure := servertest.FreeAddress(t), servertest.FreeAddress(t)
			at := []*impostor{newImpostor(t, plain, tc.handler), newImpostor(t, secure, tc.handler, cert)}
			want := cmp.Or(tc.want, "does not know the key, or belongs to another server; the key was not sent")
			for _, server := range []string{"http://" + plain, "https://" + secure + " --ca-file " + trusted} {
				line{server, "user list --admin-key-file " + own + " --server " + server, cli.ExitFailed, "", want}.play(t, "")
			}
			// The system does not trust its certificate.
			line{"no trust", "user list --admin-key-file " + own + " --server https://" + secure, cli.ExitFailed, "", "certificate"}.play(t, "")
			if at[0].gotKey() || at[1].gotKey() {
				t.Error("the impostor got the key")
			}
		})
	}
}

// A proof is valid for one connection: a process that listens at the address later sees no key.
func TestEveryConnectionIsAuthenticated(t *testing.T) {
	c := servertest.NewAdminAPI(t)
	server := httptest.NewServer(c.Handler)
	p, _, _ := testProgram()
	r, err := adminclient.At(p.Random, adminclient.Address{Server: server.URL, KeyFile: secretFile(t, servertest.AdminKey+"\n")}, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for range 2 { // over one connection
		if err := r.Get(t.Context(), "/users", nil, &admin.Users{}); err != nil {
			t.Fatal(err)
		}
	}
	address := server.Listener.Addr().String()
	server.Close()
	s := newImpostor(t, address, func(w http.ResponseWriter, r *http.Request) {
		identityResponse(func() string { return "x" }, "y")(w, r)
	})
	if err := r.Get(t.Context(), "/users", nil, &admin.Users{}); err == nil || !strings.Contains(err.Error(), "does not know the key") || s.gotKey() {
		t.Errorf("the impostor got the key: %v, %v", s.gotKey(), err)
	}
}

// A relay of the server's responses at another address sees no key.
func TestRelayOfAProofSeesNoKey(t *testing.T) {
	settings, _, address := servertest.NewInstallation(t)
	startServer(t, settings, address, http.StatusOK)
	relay := servertest.FreeAddress(t)
	s := newImpostor(t, relay, httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: address}).ServeHTTP)
	c, err := config.Load(settings, nil)
	if err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(t.TempDir(), "secret")
	line{"an API key", "apikey create --name cron --dialect admin --verb read --out " + secret, cli.ExitOK, "", ""}.play(t, settings)
	for _, file := range []string{c.AdminKeyFile, secret} {
		line{"the server", "user list --server http://" + address + " --admin-key-file " + file, cli.ExitOK, "", ""}.play(t, "")
		line{"the relay", "user list --server http://" + relay + " --admin-key-file " + file, cli.ExitFailed, "", "at " + relay + " listens at another address"}.play(t, "")
	}
	p, out, text := testProgram("SALLYPORT_CONFIG="+settings, "SALLYPORT_ADMIN_LISTEN="+relay)
	if code := p.Main(t.Context(), commands(), []string{"user", "list"}); code != cli.ExitFailed || !strings.Contains(text.String(), "listens at another address") {
		t.Errorf("by the settings: exit code %d, %q, %q", code, out, text)
	}
	if s.gotKey() {
		t.Error("the impostor got the key")
	}
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
