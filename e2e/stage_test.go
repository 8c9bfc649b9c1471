// Package e2e runs complete logins against the built server, over HTTP, with independent
// client libraries and with a real browser, on SQLite and on PostgreSQL.
package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sallyport/e2e/play"
	"sallyport/storage/storagetest"
)

// user is a user of a stage. Each test takes separate users, so that no test uses up the
// codes of another.
type user struct {
	name, email, password, totp string
}

// stage is a running server with its clients and users.
type stage struct {
	issuer string
	secret string // of the confidential clients
	// clientKey is the private key of the client "signs".
	clientKey json.RawMessage
	pages     string // origin of applications in a browser; tests that need it listen there
	mu        sync.Mutex
	free      map[bool][]user // by: has TOTP
	log       *lines
	called    lines  // command lines, as in the process list, and output of commands
	config    string // settings file; the key file is "keys" beside it
	dsn       string
	server    *exec.Cmd      // nil: not running
	admin     string         // origin of the admin listener
	env       []string       // further settings
	more      map[string]any // for the browser tests
	trusted   string         // file of a certificate that they trust; "": none
	messages  string         // of the endpoint that takes its messages; "": they are not sent
}

// program is the built server.
var program string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "sallyport-e2e-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	if program, err = play.Build(dir, play.Race...); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// The server of these tests has the race detector just as the tests have.
func TestTheServerIsBuiltAsTheTestsAre(t *testing.T) {
	if want := "RACE := " + strings.Join(play.Race, " ") + "\n"; !strings.Contains(readFile(t, "../Makefile"), want) {
		t.Errorf("the Makefile lacks %q", want)
	}
}

const (
	usersWithTOTP    = 20
	usersWithoutTOTP = 20
)

// newStage starts a server on a database of the given engine. It is stopped when the test
// ends, gracefully and without a data race.
func newStage(t *testing.T, engine string) *stage {
	t.Helper()
	s := setStage(t, engine)
	s.serve(t)
	return s
}

// setStage creates everything but the server.
func setStage(t *testing.T, engine string) *stage {
	t.Helper()
	dir := t.TempDir()
	return setStageOn(t, dir, engineDSN(t, dir, engine))
}

// engineDSN is that of a new database of an engine.
func engineDSN(t *testing.T, dir, engine string) string {
	t.Helper()
	if engine == "postgres" {
		return storagetest.Postgres(t)
	}
	return "sqlite:" + filepath.Join(dir, "sallyport.db")
}

// setStageOn is setStage with its files in a folder and on a given database.
func setStageOn(t *testing.T, dir, dsn string) *stage {
	t.Helper()
	return setStageWith(t, dir, dsn, func(s *stage) string { return s.state(usersWithTOTP, usersWithoutTOTP) })
}

// setStageWith is setStageOn with another desired state.
func setStageWith(t *testing.T, dir, dsn string, wanted func(*stage) string) *stage {
	t.Helper()
	s := &stage{secret: random(32), free: map[bool][]user{}, log: &lines{}}
	port := freePort(t)
	s.issuer = fmt.Sprintf("http://localhost:%d", port)
	s.pages = fmt.Sprintf("http://127.0.0.1:%d", freePort(t))
	admin := freePort(t)
	s.admin = fmt.Sprintf("http://127.0.0.1:%d", admin)
	config := filepath.Join(dir, "sallyport.yaml")
	writeFile(t, config, fmt.Sprintf("issuer: %s\nenvironment: test\nlisten: 127.0.0.1:%d\nadmin_listen: 127.0.0.1:%d\nkey_file: %s\nadmin_key_file: %s\ndrain_time: 0s\ndatabase:\n  dsn: %q\n",
		s.issuer, port, admin, filepath.Join(dir, "keys"), filepath.Join(dir, "admin"), dsn))
	state := filepath.Join(dir, "state.yaml")
	writeFile(t, state, wanted(s))
	s.command(t, "keyfile", filepath.Join(dir, "keys"))
	s.command(t, "adminkey", filepath.Join(dir, "admin"))
	s.command(t, "migrate", "--config", config)
	s.command(t, "apply", "--config", config, state)
	s.config, s.dsn = config, dsn
	return s
}

// serve starts the server, and stops it when the test ends.
func (s *stage) serve(t *testing.T) {
	t.Helper()
	s.server = exec.Command(program, "serve", "--config", s.config)
	s.server.Stdout, s.server.Stderr = s.log, s.log
	s.server.Env = append(os.Environ(), s.env...)
	if err := s.server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.stop(t) })
	s.await(t)
}

func (s *stage) stop(t *testing.T) {
	t.Helper()
	if s.server == nil {
		return
	}
	_ = s.server.Process.Signal(syscall.SIGTERM)
	if err := s.server.Wait(); err != nil {
		t.Errorf("the server ended with %v:\n%s", err, s.log)
	}
	s.server = nil
}

func (s *stage) command(t *testing.T, args ...string) string {
	t.Helper()
	return s.commandWith(t, "", args...)
}

// commandWith is command with standard input.
func (s *stage) commandWith(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	cmd, out := exec.Command(program, args...), &lines{}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), out, out
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0") // otherwise a second each
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	shown, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", cmd.Process.Pid)) // it may have ended
	err := cmd.Wait()
	fmt.Fprintf(&s.called, "%q as %q\n%s", args, shown, out)
	if err != nil {
		t.Fatalf("sallyport %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out.String()
}

// await waits until discovery responds.
func (s *stage) await(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		r, err := http.Get(s.issuer + "/.well-known/openid-configuration")
		if err == nil {
			r.Body.Close()
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("the server does not respond: %v\n%s", err, s.log)
		case <-tick.C:
		}
	}
}

// Client IDs of the stage; nothing listens on the redirect URIs.
const (
	spaRedirect  = "http://127.0.0.1:9/spa"
	bankRedirect = "http://127.0.0.1:9/bank"
	webRedirect  = "http://127.0.0.1:9/web"
)

func (s *stage) state(withTOTP, without int) string {
	var b strings.Builder
	all := "[openid, profile, email, phone, address, offline_access]"
	fmt.Fprintf(&b, "clients:\n")
	client := func(id, redirect, more string) {
		fmt.Fprintf(&b, "  - client_id: %s\n    client_name: The %s application\n    redirect_uris: [%q]\n    post_logout_redirect_uris: [%q]\n    grant_types: [authorization_code, refresh_token]\n    scopes: %s\n%s",
			id, id, redirect, redirect+"/bye", all, more)
	}
	confidential := fmt.Sprintf("    client_secret: %q\n", s.secret)
	client("spa", spaRedirect, "    public: true\n    silent_login: true\n")
	client("bank", bankRedirect, "    public: true\n    silent_login: true\n    mfa: ALWAYS\n")
	client("remembers", webRedirect+"/remembers", "    public: true\n    mfa: ALWAYS\n    mfa_remember: 720h\n")
	client("web", webRedirect, confidential)
	client("post", webRedirect+"/post", confidential+"    token_endpoint_auth_method: client_secret_post\n    pkce_optional: true\n")
	client("asks", webRedirect+"/asks", confidential+"    consent: ask\n    client_uri: https://asks.example.com/\n")
	client("fast", webRedirect+"/fast", confidential+"    id_token_signed_response_alg: ES256\n    access_token_format: opaque\n")
	client("signs", webRedirect+"/signs", confidential+fmt.Sprintf("    jwks: {keys: [%s]}\n    require_signed_request_object: true\n"+
		"    require_pushed_authorization_requests: true\n    id_token_claims: scopes\n", s.newClientKey()))
	client("native", "http://127.0.0.1/native", "    public: true\n    native: true\n")
	client("app", webRedirect+"/app", confidential+"    headless_login: true\n")
	client("alone", webRedirect+"/alone", confidential+"    passwordless: true\n")
	client("tab", s.pages+"/callback", "    public: true\n    silent_login: true\n")
	client("front", s.pages+"/callback", fmt.Sprintf("    public: true\n    silent_login: true\n    headless_login: true\n    login_url: %q\n", s.pages+"/login"))
	client("told", s.pages+"/told", fmt.Sprintf("    public: true\n    silent_login: true\n    backchannel_logout_uri: %q\n", s.pages+"/heard/told"))
	client("framed", s.pages+"/framed", fmt.Sprintf("    public: true\n    silent_login: true\n    id_token_signed_response_alg: ES256\n    backchannel_logout_uri: %q\n    frontchannel_logout_uri: %q\n",
		s.pages+"/heard/framed", s.pages+"/frame?tenant=a"))
	fmt.Fprintf(&b, "  - client_id: tv\n    client_name: The tv application\n    public: true\n    mfa: ALWAYS\n    grant_types: [\"urn:ietf:params:oauth:grant-type:device_code\", refresh_token]\n    scopes: %s\n", all)
	fmt.Fprintf(&b, "  - client_id: till\n    client_name: The till\n    client_secret: %q\n    grant_types: [\"urn:openid:params:grant-type:ciba\", refresh_token]\n    scopes: %s\n"+
		"    backchannel_token_delivery_mode: ping\n    backchannel_client_notification_endpoint: %q\n", s.secret, all, s.pages+"/pinged")
	fmt.Fprintf(&b, "  - client_id: counter\n    client_name: The counter\n    client_secret: %q\n    token_endpoint_auth_method: client_secret_jwt\n    grant_types: [\"urn:openid:params:grant-type:ciba\", refresh_token]\n    scopes: %s\n", s.secret, all)
	for _, m2m := range [][2]string{{"m2m", "client_secret_basic"}, {"m2m-post", "client_secret_post"}} {
		fmt.Fprintf(&b, "  - client_id: %s\n    client_secret: %q\n    token_endpoint_auth_method: %s\n    grant_types: [client_credentials]\n    scopes: [reports]\n",
			m2m[0], s.secret, m2m[1])
	}
	fmt.Fprintf(&b, "users:\n")
	for i := range withTOTP + without {
		u := play.NewUser(fmt.Sprintf("user%02d", i), i < withTOTP)
		b.WriteString(u.State())
		s.free[u.TOTP != ""] = append(s.free[u.TOTP != ""], user{u.Name, u.Email, u.Password, u.TOTP})
	}
	return b.String()
}

// newClientKey gives the client "signs" a key and returns the public one.
func (s *stage) newClientKey() []byte {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	private := jose.JSONWebKey{Key: key, KeyID: "first", Algorithm: "ES256"}
	public, err := json.Marshal(private.Public())
	if err != nil {
		panic(err)
	}
	if s.clientKey, err = json.Marshal(private); err != nil {
		panic(err)
	}
	return public
}

// recoveryCodes returns the user's recovery codes.
func recoveryCodes(u user) []string { return play.User{TOTP: u.totp}.RecoveryCodes() }

// user returns a user that no other test uses.
func (s *stage) user(t *testing.T, withTOTP bool) user {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.free[withTOTP]
	if len(list) == 0 {
		t.Fatal("the stage has no more users")
	}
	s.free[withTOTP] = list[1:]
	return list[0]
}

func random(n int) string { return play.Random(n) }

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	port, err := play.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// lines collects the server's output.
type lines = play.Lines

func decode(t *testing.T, r *http.Response) map[string]any {
	t.Helper()
	defer r.Body.Close()
	var m map[string]any
	if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
		t.Fatalf("%s: %v", r.Request.URL.Path, err)
	}
	return m
}
