package faults

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
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

// memory returns the peak memory of the process, in MiB.
func (s *server) memory() int {
	s.t.Helper()
	mib := memoryOf(s.t, s.cmd.Process.Pid)
	if mib == 0 {
		s.t.Fatal("the system does not report the memory of the process")
	}
	return mib
}

// memoryOf returns the peak memory of a process that nobody has waited for, in MiB; 0: it has ended.
func memoryOf(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmHWM:" {
			kib, err := strconv.Atoi(f[1])
			if err != nil {
				t.Fatal(err)
			}
			return max(1, kib>>10)
		}
	}
	return 0
}

func (s *server) dial() net.Conn {
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.base, "http://"))
	if err != nil {
		s.t.Fatal(err)
	}
	return conn
}

// slim checks the memory limit of R-9.
func slim(t *testing.T, s *server, when string) {
	t.Helper()
	got := s.memory()
	note(t, "R-9", "memory at most, MiB, "+when, got, 512)
	if got > 512 {
		t.Errorf("%s: %d MiB, want at most 512", when, got)
	}
}

// TestFloods is R-9, T-8, H-9 and H-10: thousands of idle connections, slow callers,
// oversized requests and more concurrent logins than there are cores.
func TestFloods(t *testing.T) {
	t.Parallel()
	n := newCluster(t, plan{dsn: storagetest.Postgres(t), users: 32 + 8, settings: "max_connections: 12000\n"})
	s := n.servers[0]
	t.Run("64 concurrent logins do not delay discovery", func(t *testing.T) { manyLogins(t, n) })
	t.Run("one address does not block others", func(t *testing.T) { oneAddress(t, n) })
	t.Run("waiting connections", func(t *testing.T) {
		t.Run("slow headers are cut", func(t *testing.T) {
			t.Parallel()
			slow(t, s, "H-10", "slow headers cut", 5*time.Second, "GET /jwks.json HTTP/1.1\r\nHost: x\r\nX-Slow: ")
		})
		t.Run("slow bodies are cut", func(t *testing.T) {
			t.Parallel()
			slow(t, s, "H-10", "slow bodies cut", 15*time.Second, "POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\n")
		})
		t.Run("slow JSON is cut", func(t *testing.T) {
			t.Parallel()
			slow(t, s, "H-10", "slow JSON cut", 15*time.Second, "POST /api/login/v1/step HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n")
		})
		t.Run("idle connections", func(t *testing.T) { t.Parallel(); idle(t, n, pick(1000, 10000)) })
		t.Run("oversized and malformed requests", func(t *testing.T) { t.Parallel(); hostile(t, n) })
	})
	slim(t, s, "after all floods")
	signedIn(t, n)
	if got := s.health("/readyz"); got != http.StatusOK {
		t.Errorf("readiness after the floods = %d, want 200", got)
	}
	if strings.Contains(s.log.String(), `"msg":"panic"`) {
		t.Error("a handler panicked")
	}
}

// manyLogins requests discovery continuously while 64 users sign in.
func manyLogins(t *testing.T, n *cluster) {
	s := n.servers[0]
	users := make([]play.User, 64)
	for i := range users {
		users[i] = n.user(i%2 == 0)
	}
	for range pick(1, 10) {
		callers := make([]*caller, 64)
		for i := range callers {
			callers[i] = n.caller(s)
			if err := callers[i].begin("app"); err != nil {
				t.Fatal(err)
			}
		}
		var over atomic.Bool
		var longest time.Duration
		var watch, all sync.WaitGroup
		watch.Go(func() {
			c := n.caller(s)
			for !over.Load() {
				r, err := c.do(http.MethodGet, "/.well-known/openid-configuration", "", "", "")
				if err != nil {
					t.Error(err)
				}
				longest = max(longest, r.took)
			}
		})
		var in, later atomic.Int64
		for i, c := range callers {
			all.Go(func() {
				r, err := c.step("/password", "identifier", users[i].Name, "password", users[i].Password)
				switch {
				case err == nil:
					in.Add(1)
				case r.code == http.StatusServiceUnavailable && r.header.Get("Retry-After") != "":
					later.Add(1)
				default:
					t.Errorf("a login: %v, want 200 or 503 with Retry-After", err)
				}
				if r.took > 2*3*time.Second {
					t.Errorf("a login took %s", r.took)
				}
			})
		}
		all.Wait()
		over.Store(true)
		watch.Wait()
		within(t, "T-8", fmt.Sprintf("longest discovery beside 64 logins (%d in, %d refused with a wait)", in.Load(), later.Load()), longest, time.Second)
	}
	slim(t, s, "64 concurrent logins")
}

// oneAddress requests more hashes from one address than there are slots, repeatedly, while
// another user signs in.
func oneAddress(t *testing.T, n *cluster) {
	s := n.servers[0]
	flood, u := n.caller(s), n.user(false)
	if err := flood.begin("app"); err != nil {
		t.Fatal(err)
	}
	var over atomic.Bool
	var all sync.WaitGroup
	var refused atomic.Int64
	for range 64 {
		all.Go(func() {
			for !over.Load() {
				r, err := flood.step("/password", "identifier", play.Random(8), "password", "a guess")
				if r.code == 0 || r.code == http.StatusInternalServerError {
					t.Errorf("a guess: %v", err)
				}
				refused.Add(1)
				<-time.After(10 * time.Millisecond)
			}
		})
	}
	longest := time.Duration(0)
	for range pick(3, 30) {
		began := time.Now()
		if _, err := n.caller(s).login("app", u); err != nil {
			t.Errorf("another user's login: %v", err)
		}
		longest = max(longest, time.Since(began))
	}
	over.Store(true)
	all.Wait()
	within(t, "T-8", fmt.Sprintf("whole login beside %d guesses from one address", refused.Load()), longest, 3*time.Second)
}

// slow sends a byte per second and must be disconnected at the limit.
func slow(t *testing.T, s *server, requirement, what string, limit time.Duration, head string) {
	const callers = 100
	var all sync.WaitGroup
	var mu sync.Mutex
	longest := time.Duration(0)
	for range callers {
		conn := s.dial()
		all.Go(func() {
			defer conn.Close()
			began := time.Now()
			_, _ = io.WriteString(conn, head)
			gone := make(chan struct{})
			go func() {
				_, _ = io.Copy(io.Discard, conn)
				close(gone)
			}()
			tick := time.NewTicker(time.Second)
			defer tick.Stop()
			for {
				select {
				case <-gone:
					mu.Lock()
					defer mu.Unlock()
					longest = max(longest, time.Since(began))
					return
				case <-tick.C:
					if time.Since(began) > limit+10*time.Second {
						t.Errorf("%s: still connected", what)
						return
					}
					_, _ = io.WriteString(conn, "a")
				}
			}
		})
	}
	all.Wait()
	within(t, requirement, what, longest, limit+2*time.Second) // plus delays of a busy machine
}

// idle keeps used connections open and checks that other callers are served.
func idle(t *testing.T, n *cluster, count int) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < uint64(count+1000) {
		t.Fatalf("%d open files are allowed (%v): raise the limit (ulimit -n %d)", limit.Cur, err, count+1000)
	}
	s := n.servers[0]
	conns := make([]net.Conn, count)
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := worker; i < count; i += 8 {
				conn := s.dial()
				conns[i] = conn
				_, _ = io.WriteString(conn, "GET /jwks.json HTTP/1.1\r\nHost: x\r\n\r\n")
				r, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil || r.StatusCode != http.StatusOK {
					t.Errorf("connection %d: %v", i, err)
				}
			}
		})
	}
	all.Wait()
	c := n.caller(s)
	r, err := c.do(http.MethodGet, "/.well-known/openid-configuration", "", "", "")
	if err != nil {
		t.Error(err)
	}
	within(t, "R-9", fmt.Sprintf("discovery beside %d idle connections", count), r.took, time.Second)
	signedIn(t, n)
	slim(t, s, fmt.Sprintf("%d idle connections", count))
	for _, conn := range conns {
		_ = conn.Close()
	}
}

// hostile sends malformed requests as fast as possible.
func hostile(t *testing.T, n *cluster) {
	const form = "Content-Type: application/x-www-form-urlencoded\r\n"
	long := strings.Repeat("x", 70<<10)
	chunk := fmt.Sprintf("%x\r\n%s\r\n", len(long), long)
	requests := []string{
		"POST /token HTTP/1.1\r\nHost: x\r\n" + form + "Content-Length: 10000000\r\n\r\na=" + long,
		"POST /token HTTP/1.1\r\nHost: x\r\n" + form + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat(chunk, 20),
		"POST /api/login/v1/step HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat(chunk, 20),
		"POST /api/login/v1/step HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n" + strings.Repeat(`{"a":`, 12000),
		"GET /jwks.json HTTP/1.1\r\nHost: x\r\nX-Long: " + long + "\r\n\r\n",
		"GET /authorize?a=" + long[:9<<10] + " HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /authorize?" + strings.Repeat("a&", 1000) + " HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /authorize?a=%00&b=%ff HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST /token HTTP/1.1\r\nHost: x\r\n" + form + "Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\na=b",
		"POST /login HTTP/1.1\r\nHost: x\r\n" + form + "Content-Length: 330\r\n\r\nusername=" + long[:321],
	}
	s := n.servers[0]
	var all sync.WaitGroup
	var sent atomic.Int64
	until := time.Now().Add(pick(3*time.Second, 60*time.Second))
	for worker := range 16 {
		all.Go(func() {
			for i := worker; time.Now().Before(until) && !t.Failed(); i++ {
				conn := s.dial()
				_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
				_, _ = io.WriteString(conn, requests[i%len(requests)]) // expected to be disconnected
				line, _ := bufio.NewReader(conn).ReadString('\n')
				_ = conn.Close()
				sent.Add(1)
				if line != "" && !strings.HasPrefix(line, "HTTP/1.1 4") {
					t.Errorf("%.60q: %s, want a refusal", requests[i%len(requests)], line)
				}
			}
		})
	}
	all.Wait()
	note(t, "H-9", "hostile requests, all refused", sent.Load(), "all")
}
