package faults

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/e2e/play"
	"sallyport/storage/storagetest"
)

// TestOverload is T-8: more people sign in each second than the cores can hash passwords
// for, each from an address of their own. As many as before get in, the others learn it
// immediately, and the rest of the server does not slow down.
func TestOverload(t *testing.T) {
	n := newCluster(t, plan{dsn: storagetest.Postgres(t), users: 16})
	o := &overload{cluster: n, people: make([]play.User, 16)}
	for i := range o.people {
		o.people[i] = n.user(false)
	}
	period := pick(2*time.Second, 15*time.Second)
	peak := o.closed(period)
	note(t, "T-8", "logins a second, 8 callers", fmt.Sprintf("%.0f", peak), "-")
	for _, times := range []int{2, 5} {
		o.open(t, times, peak, period)
	}
}

// overload is many people who sign in, and what became of it.
type overload struct {
	*cluster
	people []play.User
	next   atomic.Int64

	mu      sync.Mutex
	in      int
	refused []time.Duration // how long it took
}

// login opens a login from a new address, and types the password.
func (o *overload) login(t *testing.T) {
	c := o.caller(o.servers[0])
	r, err := c.password("app", o.people[int(o.next.Add(1))%len(o.people)])
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case err == nil:
		o.in++
	case r.code == http.StatusServiceUnavailable && r.header.Get("Retry-After") != "":
		o.refused = append(o.refused, r.took)
	default:
		t.Errorf("a login: %v, want 200 or 503 with Retry-After", err)
	}
}

// closed returns the logins a second of eight callers.
func (o *overload) closed(period time.Duration) float64 {
	o.in, o.refused = 0, nil
	end := time.Now().Add(period)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for time.Now().Before(end) {
				o.login(o.t)
			}
		})
	}
	all.Wait()
	return float64(o.in) / period.Seconds()
}

// open begins logins at a multiple of a rate, whether or not others have ended.
func (o *overload) open(t *testing.T, times int, peak float64, period time.Duration) {
	o.in, o.refused = 0, nil
	discovery, tokens := o.caller(o.servers[0]), o.caller(o.servers[0])
	token := tokens.tokens(t, o.people[0])
	var over atomic.Bool
	var watch, all sync.WaitGroup
	var found, refreshed []time.Duration
	watch.Go(func() {
		for !over.Load() {
			r, err := discovery.do(http.MethodGet, "/.well-known/openid-configuration", "", "", "")
			if err != nil {
				t.Error(err)
			}
			found = append(found, r.took)
			<-time.After(5 * time.Millisecond)
		}
	})
	watch.Go(func() {
		for !over.Load() {
			r, err := tokens.refresh("app", token)
			if err != nil {
				t.Error(err)
				return
			}
			token, refreshed = r.get("refresh_token"), append(refreshed, r.took)
			<-time.After(5 * time.Millisecond)
		}
	})
	began := time.Now()
	for sent := 0; time.Since(began) < period; sent++ {
		<-time.After(time.Until(began.Add(time.Duration(float64(sent) / (float64(times) * peak) * float64(time.Second)))))
		all.Go(func() { o.login(t) })
	}
	all.Wait()
	took := time.Since(began)
	over.Store(true)
	watch.Wait()
	what := fmt.Sprintf(", %d times the load", times)
	note(t, "T-8", "logins a second"+what, fmt.Sprintf("%.0f", float64(o.in)/took.Seconds()), fmt.Sprintf("%.0f", peak*0.9))
	late := 0
	for _, took := range o.refused {
		if took > 100*time.Millisecond {
			late++
		}
	}
	note(t, "T-8", "refused after more than 100 ms"+what, late, "-")
	note(t, "T-8", "refused"+what, len(o.refused), "-")
	if o.in == 0 {
		t.Errorf("no one of %d got in", len(o.refused))
	}
	measure := within
	if !long() { // other tests take most of the cores
		measure = func(t *testing.T, rule, what string, took, bound time.Duration) {
			note(t, rule, what, took.Round(time.Millisecond), bound)
		}
	}
	measure(t, "T-8", "refusal, p99"+what, p99(o.refused), 100*time.Millisecond)
	measure(t, "T-8", "discovery, p99"+what, p99(found), 50*time.Millisecond)
	measure(t, "T-8", "refresh, p99"+what, p99(refreshed), 50*time.Millisecond)
}

// tokens makes a login and returns its refresh token.
func (c *caller) tokens(t *testing.T, u play.User) string {
	t.Helper()
	code, err := c.login("app", u)
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.redeem("app", code)
	if err != nil {
		t.Fatal(err)
	}
	return r.get("refresh_token")
}

func p99(all []time.Duration) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)*99/100]
}
