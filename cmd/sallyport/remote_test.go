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

	"sallyport/config"
	"sallyport/mfa"
	"sallyport/mfa/users"
	"sallyport/provider/apikeys"
	"sallyport/web"
	"sallyport/web/admin"
)

// squatter listens where a server should, and remembers whether it was shown a key.
type squatter struct {
	mu   sync.Mutex
	seen bool
}

func (s *squatter) shown() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

// squat answers at an address until the test ends, over TLS if there is a certificate.
func squat(t *testing.T, address string, handler http.HandlerFunc, secure ...tls.Certificate) *squatter {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s := new(squatter)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.seen = s.seen || r.Header.Get("Authorization") != ""
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

// told answers as an admin API that says it is a server.
func told(issuer func() string, proof string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set(web.CorrelationHeader, "AAAA-BBBB-CCCC-DDDD")
		fmt.Fprintf(w, `{"issuer":%q,"proof":%q}`, issuer(), proof)
	}
}

// impostors answer where a server should.
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
		{"a program of another kind", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") }, "is no admin API of Sallyport (status 200)"},
		{"one that finds nothing", http.NotFound, "is no admin API of Sallyport (status 404)"},
		{"one that wants the key first", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "who are you", http.StatusUnauthorized) }, "is no admin API of Sallyport (status 401)"},
		{"one that leads elsewhere", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://192.0.2.1/", http.StatusTemporaryRedirect)
		}, "is no admin API of Sallyport (status 307)"},
		{"one that hangs up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "call the admin API at http"},
		{"an impostor", told(issuer, "proof"), ""},
		{"an impostor without a proof", told(issuer, ""), ""},
		{"one that echoes", func(w http.ResponseWriter, r *http.Request) {
			told(issuer, r.URL.Query().Get("challenge"))(w, r)
		}, ""},
		{"one that has another key", func(w http.ResponseWriter, r *http.Request) {
			told(issuer, admin.KeyOf(strings.Repeat("x", 43)).Proof(issuer(), r.URL.Query().Get("challenge")))(w, r)
		}, ""},
	}
}

// The key goes to nobody who does not prove to have it.
func TestWhoeverListensInPlaceOfTheServerSeesNoKey(t *testing.T) {
	var issuer string
	for _, tc := range append(impostors(func() string { return issuer }), struct {
		name    string
		handler http.HandlerFunc
		want    string
	}{"the server of other settings", told(func() string { return "https://other.example" }, "proof"), `is "https://other.example", and the settings are those of http://`}) {
		t.Run(tc.name, func(t *testing.T) {
			settings, public, address := installation(t)
			issuer = "http://" + public
			other := freeAddress(t) // named by a variable
			at := []*squatter{squat(t, address, tc.handler), squat(t, other, tc.handler)}
			want := cmp.Or(tc.want, "has another key than the file of admin_key_file")
			for _, environ := range [][]string{{"SALLYPORT_CONFIG=" + settings}, {"SALLYPORT_CONFIG=" + settings, "SALLYPORT_ADMIN_LISTEN=" + other}} {
				for _, command := range []string{"user list", "apply " + settings} {
					p, out, err := testProgram(environ...)
					if code := p.main(t.Context(), strings.Fields(command)); code != exitFailed || !strings.Contains(err.String(), want) || out.Len() > 0 {
						t.Errorf("%s: exit code %d, %q, %q; want %q", command, code, out, err, want)
					}
				}
			}
			if at[0].shown() || at[1].shown() {
				t.Error("it was shown the key")
			}
		})
	}
}

// certified is a certificate for this machine, and the file that commands trust it by.
func certified(t *testing.T) (cert tls.Certificate, certFile, keyFile string) {
	t.Helper()
	p, _, _ := testProgram()
	certPEM, keyPEM, err := newCertificate(place{name: "localhost"}, p)
	if err != nil {
		t.Fatal(err)
	}
	if cert, err = tls.X509KeyPair(certPEM, keyPEM); err != nil {
		t.Fatal(err)
	}
	return cert, secretFile(t, string(certPEM)), secretFile(t, string(keyPEM))
}

// secretFile is a new file that only its owner can read.
func secretFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// The same holds for a server that was named, with either kind of key, over TLS as well.
func TestWhoeverListensAtANamedAddressSeesNoKey(t *testing.T) {
	cert, trusted, _ := certified(t)
	own := secretFile(t, adminKey+"\n")
	for _, tc := range impostors(func() string { return "https://login.example" }) {
		t.Run(tc.name, func(t *testing.T) {
			plain, secure := freeAddress(t), freeAddress(t)
			at := []*squatter{squat(t, plain, tc.handler), squat(t, secure, tc.handler, cert)}
			want := cmp.Or(tc.want, "does not know the key, or is that of another server; the key was not sent")
			for _, server := range []string{"http://" + plain, "https://" + secure + " --ca-file " + trusted} {
				line{server, "user list --admin-key-file " + own + " --server " + server, exitFailed, "", want}.play(t, "")
			}
			// Nobody the system knows vouches for it.
			line{"no trust", "user list --admin-key-file " + own + " --server https://" + secure, exitFailed, "", "certificate"}.play(t, "")
			if at[0].shown() || at[1].shown() {
				t.Error("it was shown the key")
			}
		})
	}
}

// A proof is one connection's: who takes the server's place meanwhile sees no key either.
func TestEveryConnectionIsProven(t *testing.T) {
	c := newConsole(t)
	server := httptest.NewServer(c.handler)
	p, _, _ := testProgram()
	r, err := p.direct(elsewhere{server: server.URL, keyFile: secretFile(t, adminKey+"\n")}, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	for range 2 { // over one connection
		if err := r.get(t.Context(), "/users", nil, &admin.Users{}); err != nil {
			t.Fatal(err)
		}
	}
	address := server.Listener.Addr().String()
	server.Close()
	s := squat(t, address, func(w http.ResponseWriter, r *http.Request) { told(func() string { return "x" }, "y")(w, r) })
	if err := r.get(t.Context(), "/users", nil, &admin.Users{}); err == nil || !strings.Contains(err.Error(), "does not know the key") || s.shown() {
		t.Errorf("who took its place was shown the key: %v, %v", s.shown(), err)
	}
}

// Who passes on what the server says, from an address of his own, sees no key.
func TestWhoeverPassesAProofOnSeesNoKey(t *testing.T) {
	settings, _, address := installation(t)
	startServer(t, settings, address, http.StatusOK)
	relay := freeAddress(t)
	s := squat(t, relay, httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: address}).ServeHTTP)
	c, err := config.Load(settings, nil)
	if err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(t.TempDir(), "secret")
	line{"an API key", "apikey create --name cron --dialect admin --verb read --out " + secret, exitOK, "", ""}.play(t, settings)
	for _, file := range []string{c.AdminKeyFile, secret} {
		line{"at its address", "user list --server http://" + address + " --admin-key-file " + file, exitOK, "", ""}.play(t, "")
		line{"passed on", "user list --server http://" + relay + " --admin-key-file " + file, exitFailed, "", "at " + relay + " listens at another address"}.play(t, "")
	}
	p, out, text := testProgram("SALLYPORT_CONFIG="+settings, "SALLYPORT_ADMIN_LISTEN="+relay)
	if code := p.main(t.Context(), []string{"user", "list"}); code != exitFailed || !strings.Contains(text.String(), "listens at another address") {
		t.Errorf("by the settings: exit code %d, %q, %q", code, out, text)
	}
	if s.shown() {
		t.Error("it was shown the key")
	}
}

func TestAServerThatAnswersNeedsAKeyFile(t *testing.T) {
	settings, _, address := installation(t)
	squat(t, address, http.NotFound)
	text, err := os.ReadFile(settings)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(settings, []byte(strings.Replace(string(text), "admin_key_file", "#", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	line{"no key file", "user list", exitFailed, "", "and the settings name no admin_key_file"}.play(t, settings)
}

func TestAServerElsewhereIsReached(t *testing.T) {
	c := newConsole(t)
	server := httptest.NewServer(c.handler)
	defer server.Close()
	away := httptest.NewServer(http.RedirectHandler(server.URL+admin.Base+"/users", http.StatusTemporaryRedirect))
	defer away.Close()
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text+"\n"), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	reads, _ := c.made(apikeys.Draft{Name: "reads", Dialects: []string{"admin"}, Verbs: []string{"read"}})
	gone, id := c.made(apikeys.Draft{Name: "gone", Dialects: []string{"admin"}, Verbs: []string{"read"}})
	if err := c.h.apiKeys.Disable(t.Context(), mfa.Caller{}, apikeys.Operator(), id); err != nil {
		t.Fatal(err)
	}
	cert, trusted, _ := certified(t)
	secure := httptest.NewUnstartedServer(c.handler)
	secure.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	secure.StartTLS()
	defer secure.Close()
	own, wrong, reader, open := file("own", adminKey, 0o600), file("wrong", "wrong"+adminKey, 0o600), file("reader", reads, 0o600), file("open", adminKey, 0o644)
	at := " --server " + server.URL + " --admin-key-file "
	for _, l := range []line{
		{"the key of the server", "user create --username alice" + at + own, exitOK, "created", ""},
		{"an API key", "user list" + at + reader, exitOK, "alice", ""},
		{"an API key that may not", "user disable alice" + at + reader, exitFailed, "", "the API key may not do this"},
		{"a disabled API key", "user list" + at + file("gone", gone, 0o600), exitFailed, "", "does not know the key"},
		{"over TLS", "user list --server " + secure.URL + " --ca-file " + trusted + " --admin-key-file " + own, exitOK, "alice", ""},
		{"over TLS, an API key", "user list --server " + secure.URL + " --ca-file " + trusted + " --admin-key-file " + reader, exitOK, "alice", ""},
		{"over TLS that nobody vouches for", "user list --server " + secure.URL + " --admin-key-file " + own, exitFailed, "", "certificate"},
		{"certificates for plain HTTP", "user list --ca-file " + trusted + at + own, exitUsage, "", "--ca-file belongs to"},
		{"certificates that are none", "user list --ca-file " + own + " --server " + secure.URL + " --admin-key-file " + own, exitFailed, "", "holds no certificate"},
		{"a wrong key", "user list" + at + wrong, exitFailed, "", "does not know the key"},
		{"a file for everybody", "user list" + at + open, exitFailed, "", "mode 0644 gives others access"},
		{"no file", "user list --server " + server.URL, exitUsage, "", "--server needs --admin-key-file"},
		{"a file and no server", "user list --admin-key-file " + own, exitUsage, "", "--admin-key-file and --ca-file belong to --server"},
		{"in clear over the network", "user list --server http://192.0.2.1 --admin-key-file " + own, exitUsage, "", "must begin with https://"},
		{"no URL", "user list --server 192.0.2.1:8090 --admin-key-file " + own, exitUsage, "", "must be a URL"},
		{"a URL with a path", "user list --server https://a.example/admin --admin-key-file " + own, exitUsage, "", "must be a URL"},
		{"one that leads elsewhere", "user list --server " + away.URL + " --admin-key-file " + own, exitFailed, "", "is no admin API of Sallyport (status 307)"},
		{"nobody", "user list --server http://" + freeAddress(t) + " --admin-key-file " + own, exitFailed, "", "connection refused"},
	} {
		l.play(t, "")
	}
	if e := c.newest(mfa.EventUserCreated); e.UserAgent != "sallyport user create" || e.Actor != users.ActorAdmin || e.Address != "127.0.0.1" {
		t.Errorf("event = %+v", e)
	}
}

// A fault of ours is told in full to who runs the command here, and with a number only to others.
func TestAFaultInThisProcessIsInTheLog(t *testing.T) {
	settings, _, _ := installation(t)
	c, err := config.Load(settings, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, _, errOut := testProgram()
	r, err := p.here(t.Context(), c, "test")
	if err != nil {
		t.Fatal(err)
	}
	r.close() // the database is gone
	err = r.get(t.Context(), "/users", nil, &admin.Users{})
	if err == nil || !strings.Contains(err.Error(), "support id") || !strings.Contains(errOut.String(), `"level":"ERROR"`) || strings.Contains(errOut.String(), `"msg":"request","method"`) {
		t.Errorf("error %v, log %s", err, errOut)
	}
}

// The admin listener beyond loopback has TLS; commands and health know it by its settings.
func TestTheAdminListenerHasTLS(t *testing.T) {
	settings, _, address := installation(t)
	_, certFile, keyFile := certified(t)
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
	line{"good files", "config check", exitOK, "no faults", ""}.play(t, settings)
	t.Run("served", func(t *testing.T) {
		startServer(t, settings, address, http.StatusBadRequest) // to whoever speaks plain HTTP
		line{"health", "health", exitOK, "ready", ""}.play(t, settings)
		line{"a command", "user create --username alice", exitOK, "created", ""}.play(t, settings)
	})
	// Somebody who has no such certificate, and one who has.
	other, otherCert, otherKey := certified(t)
	s := squat(t, address, http.NotFound, other)
	line{"a stranger's certificate", "user list", exitFailed, "", "certificate"}.play(t, settings)
	write(otherCert, otherKey)
	line{"the certificate and no key", "user list", exitFailed, "", "is no admin API of Sallyport"}.play(t, settings)
	if s.shown() {
		t.Error("it was shown the key")
	}
	write(certFile, otherKey)
	line{"a key of another certificate", "config check", exitFailed, "", "admin_tls.cert: tls: private key does not match"}.play(t, settings)
}
