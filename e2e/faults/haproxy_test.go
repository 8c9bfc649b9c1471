package faults

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sallyport/e2e/play"
	"sallyport/storage/storagetest"
)

// haproxy starts HAProxy in front of servers, as docs/operations.md describes it: requests go to
// the next server, whoever sends them, and readiness decides which there are.
func haproxy(t *testing.T, n *cluster, port int) {
	t.Helper()
	path, err := exec.LookPath("haproxy")
	if err != nil {
		path = "/usr/sbin/haproxy"
	}
	var b strings.Builder
	fmt.Fprintf(&b, `global
    maxconn 1000
defaults
    mode http
    timeout connect 2s
    timeout client 60s
    timeout server 60s
    option redispatch
    retries 3
    retry-on conn-failure
frontend public
    bind 127.0.0.1:%d
    default_backend sallyport
backend sallyport
    balance roundrobin
    option forwardfor
    option httpchk GET /readyz
    default-server check inter 100ms fall 1 rise 1
`, port)
	for i, s := range n.servers {
		fmt.Fprintf(&b, "    server s%d %s port %s\n", i, hostOf(s.base), hostOf(s.admin)[strings.LastIndex(hostOf(s.admin), ":")+1:])
	}
	file := n.file("haproxy.cfg")
	n.write(file, b.String())
	c := exec.Command(path, "-f", file, "-db")
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.Start(); err != nil {
		t.Fatalf("HAProxy: %v; deploy/needs installs it", err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
		if t.Failed() {
			t.Logf("HAProxy:\n%s", out.String())
		}
	})
	soon(t, "HAProxy answers", 20*time.Second, func() bool {
		r, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/jwks.json", port))
		if err != nil {
			return false
		}
		r.Body.Close()
		return r.StatusCode == http.StatusOK
	})
}

func hostOf(base string) string {
	return strings.Replace(strings.TrimPrefix(base, "http://"), "localhost", "127.0.0.1", 1)
}

// visitors sign in through a balancer, one after another, until they are told to stop.
type visitors struct {
	t      *testing.T
	logins atomic.Int64
	over   atomic.Bool
	all    sync.WaitGroup
}

// visit begins visits of some users. Each is a login, its tokens, a refresh and an introspection.
func visit(t *testing.T, n *cluster, url string, users int) *visitors {
	v := &visitors{t: t}
	for range users {
		u := n.user(false)
		v.all.Go(func() {
			for !v.over.Load() && !t.Failed() {
				if err := v.once(n.via(func() string { return url }), u); err != nil {
					t.Errorf("a visit failed: %v", err)
				}
				v.logins.Add(1)
			}
		})
	}
	return v
}

func (v *visitors) once(c *caller, u play.User) error {
	code, err := c.login("app", u)
	if err != nil {
		return err
	}
	tokens, err := c.redeem("app", code)
	if err != nil {
		return fmt.Errorf("redeem: %w", err)
	}
	if tokens, err = c.refresh("app", tokens.get("refresh_token")); err != nil {
		return fmt.Errorf("refresh: %w", err)
	}
	active, err := c.active("app", tokens.get("access_token"))
	if err == nil && !active {
		err = fmt.Errorf("a new token is not active")
	}
	return err
}

// more returns when some more visits have ended.
func (v *visitors) more(count int64) {
	v.t.Helper()
	want := v.logins.Load() + count
	soon(v.t, "visits go on", 2*time.Minute, func() bool { return v.logins.Load() >= want || v.t.Failed() })
}

func (v *visitors) end() int64 {
	v.over.Store(true)
	v.all.Wait()
	return v.logins.Load()
}

// TestRollingRestart is R-8: three servers behind HAProxy, without sticky sessions, are replaced one
// by one under load, and no call fails. The long form begins with the commit before this one: while
// its servers run, the schema is migrated, and those that replace them are of this version.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	before := programBefore(t)
	port, err := play.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	url := fmt.Sprintf("http://localhost:%d", port)
	n := newCluster(t, plan{dsn: storagetest.Postgres(t), servers: 3, users: 4, issuer: url, program: before})
	haproxy(t, n, port)
	v := visit(t, n, url, 3)
	v.more(3)
	n.program = program
	n.command("migrate", "--config", n.servers[0].config)
	for range pick(1, 4) {
		for _, s := range n.servers {
			v.more(3)
			began := time.Now()
			if err := s.stop(); err != nil {
				t.Errorf("the server ended with %v, want exit code 0", err)
			}
			within(t, "R-8", "stopped under load, 1 s of drain time", time.Since(began), 21*time.Second)
			s.program = program
			s.start()
			s.await()
		}
	}
	v.more(3)
	note(t, "R-8", "visits while servers behind HAProxy were replaced, failed ones", fmt.Sprintf("%d, 0", v.end()), "-, 0")
}

// programBefore returns the program of the version before, in the long form: that of the commit
// in SALLYPORT_TEST_BEFORE, or of the parent.
func programBefore(t *testing.T) string {
	t.Helper()
	if !long() {
		return program
	}
	dir, commit := filepath.Join(t.TempDir(), "before"), cmp.Or(os.Getenv("SALLYPORT_TEST_BEFORE"), "HEAD~1")
	root, err := exec.Command("git", "rev-parse", "--show-toplevel").Output()
	if err != nil {
		t.Fatalf("find the repository: %v", err)
	}
	top := strings.TrimSpace(string(root))
	if out, err := exec.Command("git", "-C", top, "worktree", "add", "--detach", dir, commit).CombinedOutput(); err != nil {
		t.Fatalf("check out %s: %v\n%s", commit, err, out)
	}
	t.Cleanup(func() { _ = exec.Command("git", "-C", top, "worktree", "remove", "--force", dir).Run() })
	built := filepath.Join(t.TempDir(), "sallyport-before")
	c := exec.Command("go", "build", "-tags", "nomsgpack", "-trimpath", "-o", built, "./cmd/sallyport")
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", commit, err, out)
	}
	return built
}

// TestASecondServerCostsNothing counts the statements and measures the CPU time of refreshes and
// introspections, which go to one, two or three servers in turn, in rounds that alternate. Servers
// that share processors take them out of each other's caches, so only the statements have a narrow bound.
func TestASecondServerCostsNothing(t *testing.T) {
	t.Parallel()
	n := newCluster(t, plan{dsn: storagetest.Postgres(t), servers: pick(2, 3), users: 4})
	type client struct {
		*caller
		tokens reply
		next   int
	}
	count := 1 // of servers that are called
	var clients []*client
	for range 4 {
		k := &client{}
		k.caller = n.via(func() string { k.next++; return n.servers[k.next%count].base })
		code, err := k.login("app", n.user(false))
		if err != nil {
			t.Fatal(err)
		}
		if k.tokens, err = k.redeem("app", code); err != nil {
			t.Fatal(err)
		}
		clients = append(clients, k)
	}
	calls := pick(50, 1000)
	used, sent := make([]time.Duration, len(n.servers)), make([]float64, len(n.servers))
	for round := range pick(3, 6) {
		for k := range n.servers {
			count = (k+round)%len(n.servers) + 1
			start, before := n.cpu(), n.statements()
			ends := make(chan error, len(clients))
			for _, k := range clients {
				go func() {
					for range calls {
						var err error
						if k.tokens, err = k.refresh("app", k.tokens.get("refresh_token")); err != nil {
							ends <- err
							return
						}
						if active, err := k.active("app", k.tokens.get("access_token")); !active || err != nil {
							ends <- fmt.Errorf("active %t: %w", active, err)
							return
						}
					}
					ends <- nil
				}()
			}
			for range clients {
				if err := <-ends; err != nil {
					t.Fatal(err)
				}
			}
			if round > 0 { // connections and caches are warm
				used[count-1] += n.cpu() - start
				sent[count-1] += n.statements() - before
			}
		}
	}
	const most, mostSent = 1.6, 1.1
	for i := range used {
		ratio, more := used[i].Seconds()/used[0].Seconds(), sent[i]/sent[0]
		servers := fmt.Sprintf(" of a call on %d servers, as a multiple of one", i+1)
		note(t, "R-3", "CPU time"+servers, strconv.FormatFloat(ratio, 'f', 2, 64), most)
		note(t, "R-3", "statements"+servers, strconv.FormatFloat(more, 'f', 2, 64), mostSent)
		if ratio > most || more > mostSent {
			t.Errorf("%d calls took %s and %.0f statements on %d servers, %s and %.0f on one", calls, used[i], sent[i], i+1, used[0], sent[0])
		}
	}
}

// statements returns how many all servers have sent.
func (n *cluster) statements() float64 {
	n.t.Helper()
	total := 0.0
	for _, s := range n.servers {
		r, err := http.Get(s.admin + "/metrics")
		if err != nil {
			n.t.Fatal(err)
		}
		text, err := io.ReadAll(r.Body)
		if err := errors.Join(err, r.Body.Close()); err != nil {
			n.t.Fatal(err)
		}
		_, value, _ := strings.Cut(string(text), "\nsallyport_database_statements_total ")
		value, _, _ = strings.Cut(value, "\n")
		x, err := strconv.ParseFloat(value, 64)
		if err != nil {
			n.t.Fatal(err)
		}
		total += x
	}
	return total
}

// cpu returns the CPU time of all servers since they started.
func (n *cluster) cpu() time.Duration {
	n.t.Helper()
	var ticks int64
	for _, s := range n.servers {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
		if err != nil {
			n.t.Fatal(err)
		}
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+2:]))
		for _, field := range fields[11:13] { // utime, stime
			x, err := strconv.ParseInt(field, 10, 64)
			if err != nil {
				n.t.Fatal(err)
			}
			ticks += x
		}
	}
	return time.Duration(ticks) * time.Second / 100
}
