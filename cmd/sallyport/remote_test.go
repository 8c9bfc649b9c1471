package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"sallyport/config"
	"sallyport/mfa"
	"sallyport/provider"
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

// squat answers at an address until the test ends.
func squat(t *testing.T, address string, handler http.HandlerFunc) *squatter {
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
	server.Start()
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

// The key goes to nobody who does not prove to have it.
func TestWhoeverListensInPlaceOfTheServerSeesNoKey(t *testing.T) {
	var issuer string
	for _, tc := range []struct {
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
		{"one that hangs up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "call the admin API at http://127.0.0.1:"},
		{"an impostor", told(func() string { return issuer }, "proof"), "has another key than the file of admin_key_file"},
		{"the server of other settings", told(func() string { return "https://other.example" }, "proof"), `is "https://other.example", and the settings are those of http://`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			settings, public, address := installation(t)
			issuer = "http://" + public
			s := squat(t, address, tc.handler)
			for _, command := range []string{"user list", "apply " + settings} {
				p, out, err := testProgram("SALLYPORT_CONFIG=" + settings)
				if code := p.main(t.Context(), strings.Fields(command)); code != exitFailed || !strings.Contains(err.String(), tc.want) || out.Len() > 0 {
					t.Errorf("%s: exit code %d, %q, %q; want %q", command, code, out, err, tc.want)
				}
			}
			if s.shown() {
				t.Error("it was shown the key")
			}
		})
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
	reads, _ := c.made(provider.APIKeyDraft{Name: "reads", Dialects: []string{"admin"}, Verbs: []string{"read"}})
	own, wrong, reader, open := file("own", adminKey, 0o600), file("wrong", "wrong"+adminKey, 0o600), file("reader", reads, 0o600), file("open", adminKey, 0o644)
	at := " --server " + server.URL + " --admin-key-file "
	for _, l := range []line{
		{"the key of the server", "user create --username alice" + at + own, exitOK, "created", ""},
		{"an API key", "user list" + at + reader, exitOK, "alice", ""},
		{"an API key that may not", "user disable alice" + at + reader, exitFailed, "", "the API key may not do this"},
		{"a wrong key", "user list" + at + wrong, exitFailed, "", "does not know the key"},
		{"a file for everybody", "user list" + at + open, exitFailed, "", "mode 0644 lets others at it"},
		{"no file", "user list --server " + server.URL, exitUsage, "", "--server needs --admin-key-file"},
		{"a file and no server", "user list --admin-key-file " + own, exitUsage, "", "--admin-key-file belongs to --server"},
		{"in clear over the network", "user list --server http://192.0.2.1 --admin-key-file " + own, exitUsage, "", "must begin with https://"},
		{"no URL", "user list --server 192.0.2.1:8090 --admin-key-file " + own, exitUsage, "", "must be a URL"},
		{"a URL with a path", "user list --server https://a.example/admin --admin-key-file " + own, exitUsage, "", "must be a URL"},
		{"one that leads elsewhere", "user list --server " + away.URL + " --admin-key-file " + own, exitFailed, "", "is no admin API of Sallyport (status 307)"},
		{"nobody", "user list --server http://" + freeAddress(t) + " --admin-key-file " + own, exitFailed, "", "connection refused"},
	} {
		l.play(t, "")
	}
	if e := c.newest(mfa.EventUserCreated); e.UserAgent != "sallyport user create" || e.Actor != mfa.ActorAdmin || e.Address != "127.0.0.1" {
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
