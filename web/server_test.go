package web_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/storage"
	"sallyport/web"
)

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestServerStopsGracefully(t *testing.T) {
	entered, leave, leaving := make(chan struct{}), make(chan struct{}), make(chan struct{})
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-leave
		io.WriteString(w, "whole")
	})
	l := listen(t)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- web.Serve(ctx, web.NewServer(h, slog.New(slog.DiscardHandler)), l, web.Stop{Leaving: func() { close(leaving) }, Grace: time.Minute})
	}()
	response := make(chan string, 1)
	go func() {
		r, err := http.Get("http://" + l.Addr().String())
		if err != nil {
			response <- err.Error()
			return
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		response <- fmt.Sprint(string(b), err)
	}()
	<-entered
	stop()
	<-leaving
	close(leave)
	if got := <-response; got != "whole<nil>" {
		t.Errorf("running request got %q, want its whole response", got)
	}
	if err := <-done; err != nil {
		t.Errorf("Serve = %v, want nil", err)
	}
	if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
		c.Close()
		t.Error("the listener is still open")
	}
}

func TestServerCutsOffRequestsAfterTheGracePeriod(t *testing.T) {
	entered := make(chan struct{})
	h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	})
	l := listen(t)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- web.Serve(ctx, web.NewServer(h, slog.New(slog.DiscardHandler)), l, web.Stop{Grace: time.Millisecond})
	}()
	go func() {
		if r, err := http.Get("http://" + l.Addr().String()); err == nil {
			r.Body.Close()
		}
	}()
	<-entered
	stop()
	if err := <-done; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Serve = %v, want a deadline exceeded", err)
	}
}

func TestServerReportsThatItCannotServe(t *testing.T) {
	l := listen(t)
	l.Close()
	err := web.Serve(t.Context(), web.NewServer(http.NotFoundHandler(), slog.New(slog.DiscardHandler)), l, web.Stop{})
	if err == nil {
		t.Error("Serve on a closed listener = nil, want an error")
	}
}

func TestHeadersAreLimited(t *testing.T) {
	l := listen(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	go web.Serve(ctx, web.NewServer(h, slog.New(slog.DiscardHandler)), l, web.Stop{})
	for size, want := range map[int]string{16 << 10: "204", 40 << 10: "431"} {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		go fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: x\r\nX: %s\r\n\r\n", strings.Repeat("a", size))
		line, err := bufio.NewReader(c).ReadString('\n')
		if err != nil || !strings.Contains(line, want) {
			t.Errorf("%d bytes of headers: %q (%v), want %s", size, line, err, want)
		}
		c.Close()
	}
}

func TestBoundHoldsConnectionsBack(t *testing.T) {
	l := web.Bound(listen(t), 1)
	accepted := make(chan net.Conn)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				close(accepted)
				return
			}
			accepted <- c
		}
	}()
	for range 2 {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	first := <-accepted
	select {
	case <-accepted:
		t.Fatal("a second connection was accepted beside the first")
	default:
	}
	first.Close()
	first.Close() // frees its slot only once
	second := <-accepted
	l.Close()
	if _, open := <-accepted; open {
		t.Error("accepted after closing")
	}
	second.Close()
}

func TestFailureStatus(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  error
		want bool
	}{
		{"a deadline", fmt.Errorf("read: %w", context.DeadlineExceeded), true},
		{"storage out of reach", fmt.Errorf("read: %w: %w", storage.ErrUnavailable, io.EOF), true},
		{"storage that says no", storage.ErrConflict, false},
		{"a slow caller", &net.OpError{Op: "read", Err: errors.New("timeout")}, false},
		{"a bug", errors.New("index out of range"), false},
		{"nothing", nil, false},
	} {
		c, _ := gin.CreateTestContext(httptest.NewRecorder())
		if got := web.FailureStatus(c, tc.err) == http.StatusServiceUnavailable; got != tc.want || got != (c.Writer.Header().Get("Retry-After") == "5") {
			t.Errorf("%s: %t, want %t", tc.name, got, tc.want)
		}
	}
}
