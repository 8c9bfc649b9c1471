package faults

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sallyport/storage/storagetest"
)

// TestStop is R-8 without a balancer: keep-alive connections are closed while the server
// still serves, and accepted requests get a response.
func TestStop(t *testing.T) {
	t.Parallel()
	n := newCluster(t, plan{dsn: storagetest.Postgres(t), users: 4})
	s, u := n.servers[0], n.user(false)
	callers := make([]*caller, pick(24, 60))
	for i := range callers {
		c := n.caller(s)
		if err := c.begin("app"); err != nil {
			t.Fatal(err)
		}
		c.http = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: c.http.CheckRedirect}
		callers[i] = c
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() { untilClosed(t, s) })
	}
	<-time.After(300 * time.Millisecond)
	began := time.Now()
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	soon(t, "not ready", time.Second, func() bool { return s.health("/readyz") == http.StatusServiceUnavailable })
	within(t, "R-8", "not ready after SIGTERM", time.Since(began), time.Second)
	<-time.After(700*time.Millisecond - time.Since(began))
	var completed atomic.Int64
	for _, c := range callers {
		all.Go(func() {
			r, err := c.step("/password", "identifier", u.Name, "password", u.Password)
			if err != nil && r.code != http.StatusServiceUnavailable { // 503: too many concurrent hashes
				t.Errorf("a login from before the listener closed: %v", err)
				return
			}
			completed.Add(1)
		})
	}
	all.Wait()
	if <-s.ended; s.err != nil {
		t.Errorf("the server ended with %v, want exit code 0\n%s", s.err, s.log)
	}
	note(t, "R-8", "logins that ran when the listener closed, completed", completed.Load(), len(callers))
	within(t, "R-8", "SIGTERM to the end", time.Since(began), 21*time.Second)
	if _, err := n.caller(s).do(http.MethodGet, "/jwks.json", "", "", ""); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("after the end: %v, want a refused connection", err)
	}

	s.start()
	s.await()
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	soon(t, "not ready", time.Second, func() bool { return s.health("/readyz") == http.StatusServiceUnavailable })
	began = time.Now()
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	<-s.ended
	within(t, "R-8", "second SIGTERM to the end", time.Since(began), 500*time.Millisecond)
	var ended *exec.ExitError
	if !errors.As(s.err, &ended) || ended.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
		t.Errorf("the server ended with %v, want the signal", s.err)
	}
}

// untilClosed makes requests on a keep-alive connection until a response closes it.
func untilClosed(t *testing.T, s *server) {
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.base, "http://"))
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := fmt.Fprint(conn, "GET /jwks.json HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Errorf("a keep-alive connection broke unexpectedly: %v", err)
			return
		}
		r, err := http.ReadResponse(in, nil)
		if err != nil || r.StatusCode != http.StatusOK {
			t.Errorf("a keep-alive connection broke unexpectedly: %v", err)
			return
		}
		if _, err := in.Discard(int(r.ContentLength)); err != nil {
			t.Errorf("half a response: %v", err)
			return
		}
		if r.Close {
			return
		}
		<-time.After(20 * time.Millisecond)
	}
}
