package main

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/cmd/sallyport/adminclient"
	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/servertest"
)

func TestHealthAndServiceManagerAgree(t *testing.T) {
	settings, _, admin := servertest.NewInstallation(t)
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(filepath.Dir(settings), "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	receive := func() string {
		t.Helper()
		if err := socket.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		var b [64]byte
		n, err := socket.Read(b[:])
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
	health := func() int {
		p, _, _ := testProgram()
		return p.Main(context.Background(), commands(), []string{"health", "--config", settings})
	}
	if code := health(); code != cli.ExitFailed {
		t.Errorf("no server: exit code %d", code)
	}
	p, _, log := testProgram("SALLYPORT_CONFIG="+settings, "NOTIFY_SOCKET="+socket.LocalAddr().String())
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan int, 1)
	go func() { ended <- p.Main(ctx, commands(), []string{"serve"}) }()
	if got := receive(); got != "READY=1" {
		t.Errorf("received %q", got)
	}
	if code := health(); code != cli.ExitOK {
		t.Errorf("serving: exit code %d", code)
	}
	stop()
	if got := receive(); got != "STOPPING=1" {
		t.Errorf("received %q", got)
	}
	until(t, "http://"+admin+"/readyz", http.StatusServiceUnavailable)
	if code := health(); code != cli.ExitFailed {
		t.Errorf("draining: exit code %d", code)
	}
	if code := <-ended; code != cli.ExitOK {
		t.Errorf("exit code %d: %s", code, log)
	}
}

func TestHealthChecksOneProcess(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/readyz" {
			http.Redirect(w, r, "/fine", http.StatusFound)
		}
	}))
	defer elsewhere.Close()
	for _, tc := range []struct {
		name, url string
		code      int
		err       string
	}{
		{"ready", elsewhere.URL + "/fine", cli.ExitOK, ""},
		{"a redirect", elsewhere.URL + "/readyz", cli.ExitFailed, "responded with 302"},
		{"no address", "127.0.0.1:8090", cli.ExitUsage, "--url"},
		{"another scheme", "file:///etc/passwd", cli.ExitUsage, "--url"},
		{"settings with faults", "", cli.ExitFailed, "issuer: is required"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, _, err := testProgram("HTTP_PROXY=http://127.0.0.1:1")
			args := []string{"health"}
			if tc.url != "" {
				args = append(args, "--url", tc.url)
			}
			if code := p.Main(t.Context(), commands(), args); code != tc.code || !strings.Contains(err.String(), tc.err) {
				t.Errorf("exit code %d, want %d; %s, want %q in it", code, tc.code, err, tc.err)
			}
		})
	}
	for listen, want := range map[string]string{"0.0.0.0:1": "127.0.0.1:1", ":1": "127.0.0.1:1", "[::]:1": "[::1]:1", "10.0.0.1:1": "10.0.0.1:1", "localhost:1": "localhost:1"} {
		if got := adminclient.LocalAddress(listen); got != want {
			t.Errorf("LocalAddress(%s) = %s, want %s", listen, got, want)
		}
	}
}
