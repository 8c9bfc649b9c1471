package fetch

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// site is an https server on loopback, and a Fetcher that may call it, with a clock that only tests
// move.
type site struct {
	*httptest.Server
	*Fetcher
	calls atomic.Int32
	ahead atomic.Int64
}

func (s *site) wait(d time.Duration) { s.ahead.Add(int64(d)) }

func newSite(t *testing.T, allowed string, respond http.HandlerFunc) *site {
	t.Helper()
	s := &site{}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.calls.Add(1)
		respond(w, r)
	}))
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	o := Options{Roots: roots}
	if allowed != "" {
		o.Allowed = []netip.Prefix{netip.MustParsePrefix(allowed)}
	}
	start := time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)
	s.Fetcher = New(func() time.Time { return start.Add(time.Duration(s.ahead.Load())) }, o)
	return s
}

func (s *site) want() Want {
	return Want{URL: s.URL + "/jwks", Max: 1000, Least: time.Minute, Most: time.Hour}
}

// Whoever exhausts their own budget must not keep a key in use that its client has withdrawn.
func TestWhoMayNotCauseACallGetsWhatIsKept(t *testing.T) {
	s := newSite(t, "127.0.0.0/8", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") })
	asked, refusal := 0, errors.New("too much")
	w := s.want()
	w.Admit = func() error { asked++; return refusal }
	if _, err := s.Get(t.Context(), w); !errors.Is(err, refusal) || s.calls.Load() != 0 {
		t.Errorf("Get = %v after %d calls, want %v without one", err, s.calls.Load(), refusal)
	}
	if _, err := s.Get(t.Context(), s.want()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), w); err != nil || asked != 1 {
		t.Errorf("Get of what is kept = %v, asked %d times, want it without asking again", err, asked)
	}
	d, err := s.Newer(t.Context(), w, s.now())
	if err != nil || asked != 2 || s.calls.Load() != 1 {
		t.Errorf("Newer = %v, asked %d times, %d calls, want what is kept", err, asked, s.calls.Load())
	}
	s.wait(time.Minute)
	if fresh, err := s.Get(t.Context(), w); err != nil || !fresh.At.After(d.At) || asked != 2 || s.calls.Load() != 2 {
		t.Errorf("Get of what is old = %v, asked %d times, %d calls, want it fetched without asking", err, asked, s.calls.Load())
	}
}

// Conformance (Request objects): RFC 9101 5.2, 10.4: a `request_uri` is registered, and fetched with care
// Conformance (Attacks): RFC 9101 10.4, RFC 7591 5: a `jwks_uri` or another address of a client whose host is slow, huge, redirects, or is not on the internet, is given up
func TestWhatIsFetched(t *testing.T) {
	ok := func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") }
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	for _, tc := range []struct {
		name, allowed string
		url           func(site string) string
		respond       http.HandlerFunc
		want          string // of the error; "": none
	}{
		{"an allowed network", "127.0.0.0/8", nil, ok, ""},
		{"the server itself", "", nil, ok, ErrForbidden.Error()},
		{"another network", "10.0.0.0/8", nil, ok, ErrForbidden.Error()},
		{"a name of the server itself", "", func(u string) string { return strings.Replace(u, "127.0.0.1", "localhost", 1) }, ok, ErrForbidden.Error()},
		{"plaintext", "127.0.0.0/8", func(u string) string { return strings.Replace(u, "https", "http", 1) }, ok, ErrURL.Error()},
		{"a file", "127.0.0.0/8", func(string) string { return "file:///etc/passwd" }, ok, ErrURL.Error()},
		{"a user", "127.0.0.0/8", func(u string) string { return strings.Replace(u, "//", "//a:b@", 1) }, ok, ErrURL.Error()},
		{"another certificate", "127.0.0.0/8", func(u string) string { return strings.Replace(u, "127.0.0.1", "localhost", 1) }, ok, "certificate"},
		{"a redirect", "127.0.0.0/8", nil, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://169.254.169.254/", http.StatusFound)
		}, "HTTP 302"},
		{"an error", "127.0.0.0/8", nil, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, "HTTP 500"},
		{"a large document", "127.0.0.0/8", nil, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat("x", 1001)) }, ErrTooLarge.Error()},
		{"an endless document", "127.0.0.0/8", nil, func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := fmt.Fprint(w, strings.Repeat("x", 1000)); err != nil {
					return
				}
			}
		}, ErrTooLarge.Error()},
		{"a server that never responds", "127.0.0.0/8", nil, func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-hang:
			case <-r.Context().Done():
			}
		}, "deadline"},
		{"a server that never ends", "127.0.0.0/8", nil, func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, "{")
			w.(http.Flusher).Flush()
			select {
			case <-hang:
			case <-r.Context().Done():
			}
		}, "deadline"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newSite(t, tc.allowed, tc.respond)
			w := s.want()
			if tc.url != nil {
				w.URL = tc.url(w.URL)
			}
			d, err := s.Get(context.Background(), w)
			if tc.want == "" && (err != nil || string(d.Body) != "{}") {
				t.Fatalf("Get = %q, %v", d.Body, err)
			}
			if tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Fatalf("Get = %q, %v, want %s", d.Body, err, tc.want)
			}
			if err != nil && strings.Contains(err.Error(), "/jwks") {
				t.Errorf("the error has the address: %v", err)
			}
		})
	}
}

// Conformance (Attacks): RFC 9101 10.4, RFC 7591 5: a `jwks_uri` or another address of a client whose host is slow, huge, redirects, or is not on the internet, is given up
func TestAddressesThatAreNotOnTheInternet(t *testing.T) {
	check := guard([]netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")})
	for address, want := range map[string]bool{
		"93.184.215.14:443": true, "[2606:4700::1]:443": true, "10.1.2.3:443": true, "[::ffff:10.1.2.3]:443": true,
		"10.2.0.1:443": false, "127.0.0.1:443": false, "0.0.0.0:443": false, "192.168.1.1:443": false, "172.16.0.1:443": false,
		"169.254.169.254:80": false, "100.64.0.1:443": false, "192.0.0.192:443": false, "198.18.0.1:443": false, "224.0.0.1:443": false,
		"255.255.255.255:443": false, "[::1]:443": false, "[::]:443": false, "[fe80::1%eth0]:443": false, "[fd00::1]:443": false,
		"[::ffff:127.0.0.1]:443": false, "[::127.0.0.1]:443": false, "[64:ff9b::7f00:1]:443": false, "[2002:7f00:1::]:443": false,
		"[2001:0:7f00:1::]:443": false, "[2001:db8::1]:443": false, "[ff02::1]:443": false, "nonsense": false,
	} {
		if got := check("tcp", address, nil) == nil; got != want {
			t.Errorf("%s is allowed: %v, want %v", address, got, want)
		}
	}
}

func TestDocumentsAreKeptAsLongAsAllowed(t *testing.T) {
	for _, tc := range []struct {
		control string
		least   time.Duration
		after   time.Duration
		calls   int32
	}{
		{"", time.Minute, 59 * time.Second, 1},
		{"", time.Minute, 61 * time.Second, 2},
		{"", 0, 0, 2},
		{"max-age=600", time.Minute, 599 * time.Second, 1},
		{"public, Max-Age=600", time.Minute, 601 * time.Second, 2},
		{"max-age=86400", time.Minute, 61 * time.Minute, 2},
		{"no-store, max-age=600", time.Minute, 2 * time.Minute, 2},
		{"max-age=nonsense", 0, time.Second, 2},
	} {
		s := newSite(t, "127.0.0.0/8", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", tc.control)
			fmt.Fprint(w, "{}")
		})
		w := s.want()
		w.Least = tc.least
		for range 2 {
			if _, err := s.Get(context.Background(), w); err != nil {
				t.Fatal(err)
			}
			s.wait(tc.after)
		}
		if got := s.calls.Load(); got != tc.calls {
			t.Errorf("%q, kept for at least %s, after %s: %d calls, want %d", tc.control, tc.least, tc.after, got, tc.calls)
		}
	}
}

func TestAnOldDocumentStandsInForAWhile(t *testing.T) {
	var broken atomic.Bool
	s := newSite(t, "127.0.0.0/8", func(w http.ResponseWriter, _ *http.Request) {
		if broken.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		fmt.Fprint(w, "{}")
	})
	ctx := context.Background()
	if _, err := s.Get(ctx, s.want()); err != nil {
		t.Fatal(err)
	}
	broken.Store(true)
	s.wait(30 * time.Minute)
	if d, err := s.Get(ctx, s.want()); err != nil || string(d.Body) != "{}" {
		t.Errorf("after half an hour: %q, %v, want the old document", d.Body, err)
	}
	for range 5 { // a failure is not repeated at once
		_, _ = s.Get(ctx, s.want())
	}
	if got := s.calls.Load(); got != 2 {
		t.Errorf("%d calls, want 2", got)
	}
	s.wait(31 * time.Minute)
	if _, err := s.Get(ctx, s.want()); err == nil {
		t.Error("after an hour the old document is still used")
	}
	broken.Store(false)
	s.wait(failureKept)
	if _, err := s.Get(ctx, s.want()); err != nil {
		t.Errorf("after the failure: %v", err)
	}
}

func TestCallersShareACall(t *testing.T) {
	arrived, leave := make(chan struct{}, 100), make(chan struct{})
	s := newSite(t, "127.0.0.0/8", func(w http.ResponseWriter, _ *http.Request) {
		arrived <- struct{}{}
		<-leave
		fmt.Fprint(w, "{}")
	})
	var wg sync.WaitGroup
	gone, cancel := context.WithCancel(context.Background())
	wg.Go(func() { // the first caller leaves
		if _, err := s.Get(gone, s.want()); !errors.Is(err, context.Canceled) {
			t.Errorf("the caller who left got %v", err)
		}
	})
	<-arrived
	cancel()
	var started sync.WaitGroup
	for range 20 {
		started.Add(1)
		wg.Go(func() {
			started.Done()
			if _, err := s.Get(context.Background(), s.want()); err != nil {
				t.Error(err)
			}
		})
	}
	started.Wait()
	close(leave)
	wg.Wait()
	if got := s.calls.Load(); got != 1 {
		t.Errorf("%d calls, want 1", got)
	}
}

// Conformance (Attacks): RFC 9101 10.4, RFC 7591 5: a `jwks_uri` or another address of a client whose host is slow, huge, redirects, or is not on the internet, is given up
func TestASlowHostDoesNotTakeEveryPlace(t *testing.T) {
	arrived, leave := make(chan struct{}, 100), make(chan struct{})
	s := newSite(t, "127.0.0.0/8", func(w http.ResponseWriter, _ *http.Request) {
		arrived <- struct{}{}
		<-leave
		fmt.Fprint(w, "{}")
	})
	var wg sync.WaitGroup
	for i := range mostOfHost {
		w := s.want()
		w.URL = fmt.Sprintf("%s%d", w.URL, i)
		wg.Go(func() { _, _ = s.Get(context.Background(), w) })
	}
	for range mostOfHost {
		<-arrived
	}
	if _, err := s.Get(context.Background(), s.want()); !errors.Is(err, ErrBusy) {
		t.Errorf("one call more = %v, want %v", err, ErrBusy)
	}
	close(leave)
	wg.Wait()
	if _, err := s.Get(context.Background(), s.want()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
