package faults

import (
	"cmp"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sallyport/e2e/play"
)

// cluster is a database with clients and users, and the servers on it.
type cluster struct {
	t       *testing.T
	dir     string
	dsn     string
	issuer  string
	program string // of its commands and servers
	secret  string // of the confidential clients
	servers []*server
	mu      sync.Mutex
	free    map[bool][]play.User // by: has TOTP
	callers atomic.Int64
	seen    *timeline // of every response; nil: none
}

// server is a server process. Its log spans restarts.
type server struct {
	t       *testing.T
	base    string // of the public listener
	admin   string
	config  string
	program string
	log     *play.Lines
	cmd     *exec.Cmd     // nil: not running
	ended   chan struct{} // closed when the process ended, with err
	err     error
}

// plan describes a cluster.
type plan struct {
	dsn      string
	direct   string // the database past a connection pooler, for migrations; "": dsn
	servers  int
	users    int    // with and without TOTP, each
	issuer   string // "": the first server
	program  string // "": the one under test
	settings string // more of the settings
}

const redirect = "http://127.0.0.1:9/callback"

// newCluster creates a cluster and starts its servers.
func newCluster(t *testing.T, p plan) *cluster {
	t.Helper()
	n := setCluster(t, p)
	for _, s := range n.servers {
		s.start()
	}
	for _, s := range n.servers {
		s.await()
	}
	return n
}

// setCluster creates everything but the processes.
func setCluster(t *testing.T, p plan) *cluster {
	t.Helper()
	n := &cluster{t: t, dir: t.TempDir(), dsn: p.dsn, issuer: p.issuer, program: cmp.Or(p.program, program), secret: play.Random(32), free: map[bool][]play.User{}}
	n.command("keyfile", n.file("keys"))
	n.command("adminkey", n.file("admin"))
	n.write(n.file("dsn"), p.dsn)
	n.write(n.file("direct"), cmp.Or(p.direct, p.dsn))
	for i := range max(1, p.servers) {
		public, admin := n.port(), n.port()
		if n.issuer == "" {
			n.issuer = fmt.Sprintf("http://localhost:%d", public)
		}
		s := &server{t: t, base: fmt.Sprintf("http://localhost:%d", public), admin: fmt.Sprintf("http://127.0.0.1:%d", admin),
			config: n.file(fmt.Sprintf("server%d.yaml", i)), program: n.program, log: &play.Lines{}}
		n.write(s.config, fmt.Sprintf("issuer: %s\nenvironment: test\nlisten: 127.0.0.1:%d\nadmin_listen: 127.0.0.1:%d\nkey_file: %s\nadmin_key_file: %s\n"+
			"trusted_proxies: [127.0.0.1, \"::1\"]\ndrain_time: 1s\nlimits: {opens: 0, initiations: 0, failures: 0, refusals: 0}\ndatabase:\n  dsn_file: %s\n%s", n.issuer, public, admin, n.file("keys"), n.file("admin"), n.file("dsn"), p.settings))
		n.servers = append(n.servers, s)
		t.Cleanup(s.clean)
	}
	n.write(n.file("state.yaml"), n.state(p.users))
	n.commandWith([]string{"SALLYPORT_DATABASE_DSN_FILE=" + n.file("direct")}, "migrate", "--config", n.servers[0].config)
	n.command("apply", "--config", n.servers[0].config, n.file("state.yaml"))
	return n
}

func (n *cluster) state(users int) string {
	var b strings.Builder
	b.WriteString("clients:\n")
	client := func(id, more string) {
		fmt.Fprintf(&b, "  - client_id: %s\n    client_name: The %s\n    redirect_uris: [%q]\n    grant_types: [authorization_code, refresh_token]\n"+
			"    scopes: [openid, profile, email, offline_access]\n%s", id, id, redirect, more)
	}
	confidential := fmt.Sprintf("    client_secret: %q\n    id_token_signed_response_alg: ES256\n", n.secret)
	client("app", confidential+"    headless_login: true\n")
	client("vault", confidential+"    headless_login: true\n    mfa: ALWAYS\n")
	client("shop", "    public: true\n    silent_login: true\n    headless_login: true\n    passwordless: true\n    manages_factors: true\n")
	client("bank", "    public: true\n    silent_login: true\n    mfa: ALWAYS\n")
	client("spa", "    public: true\n    silent_login: true\n")
	fmt.Fprintf(&b, "  - client_id: machine\n    client_secret: %q\n    grant_types: [client_credentials]\n    scopes: [reports]\n", n.secret)
	b.WriteString("users:\n")
	for i := range 2 * users {
		u := play.NewUser(fmt.Sprintf("user%03d", i), i%2 == 0)
		b.WriteString(u.State())
		n.free[u.TOTP != ""] = append(n.free[u.TOTP != ""], u)
	}
	return b.String()
}

// user returns an unused user.
func (n *cluster) user(withTOTP bool) play.User {
	n.t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	list := n.free[withTOTP]
	if len(list) == 0 {
		n.t.Fatal("the cluster has no more users")
	}
	n.free[withTOTP] = list[1:]
	return list[0]
}

func (n *cluster) file(name string) string { return filepath.Join(n.dir, name) }

func (n *cluster) write(path, text string) {
	n.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		n.t.Fatal(err)
	}
}

func (n *cluster) port() int {
	n.t.Helper()
	port, err := play.FreePort()
	if err != nil {
		n.t.Fatal(err)
	}
	return port
}

// command runs the program's command, which must succeed.
func (n *cluster) command(args ...string) string {
	n.t.Helper()
	return n.commandWith(nil, args...)
}

// commandWith is command with further variables.
func (n *cluster) commandWith(variables []string, args ...string) string {
	n.t.Helper()
	c := exec.Command(n.program, args...)
	c.Env = append(os.Environ(), variables...)
	out, err := c.CombinedOutput()
	if err != nil {
		n.t.Fatalf("sallyport %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// start starts the process, which ends with the test's.
func (s *server) start() {
	s.t.Helper()
	s.startAs(exec.Command(s.program, "serve", "--config", s.config))
}

// startAs starts the server with another command and further variables.
func (s *server) startAs(cmd *exec.Cmd) {
	s.t.Helper()
	cmd.Stdout, cmd.Stderr = s.log, s.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := make(chan struct{})
	s.cmd, s.ended = cmd, ended
	go func() {
		s.err = cmd.Wait()
		close(ended)
	}()
}

// await returns when the server is ready.
func (s *server) await() {
	s.t.Helper()
	soon(s.t, "the server is ready", time.Minute, func() bool {
		select {
		case <-s.ended:
			s.t.Fatalf("the server ended with %v:\n%s", s.err, s.log)
		default:
		}
		return s.health("/readyz") == http.StatusOK
	})
}

// health calls the admin listener; 0: no response.
func (s *server) health(path string) int {
	r, err := (&http.Client{Timeout: 5 * time.Second}).Get(s.admin + path)
	if err != nil {
		return 0
	}
	r.Body.Close()
	return r.StatusCode
}

// kill kills the process.
func (s *server) kill() {
	s.t.Helper()
	_ = s.cmd.Process.Kill()
	<-s.ended
	s.cmd = nil
}

// stop ends the process gracefully and returns how it ended.
func (s *server) stop() error {
	s.t.Helper()
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.ended:
		s.cmd = nil
		return s.err
	case <-time.After(40 * time.Second):
		s.t.Fatalf("the server does not stop:\n%s", s.log)
		return nil
	}
}

func (s *server) clean() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		<-s.ended
	}
	if s.t.Failed() {
		text := s.log.String()
		s.t.Logf("log of %s, its end:\n%s", s.base, text[max(0, len(text)-4000):])
	}
}
