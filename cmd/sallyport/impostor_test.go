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
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"sallyport/cmd/sallyport/adminclient"
	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/servertest"
	"sallyport/config"
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
