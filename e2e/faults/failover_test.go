package faults

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestPatroni is with the set-up of deploy/ha, through PgBouncer: the primary dies
// under load, in every way, and another machine takes over; then etcd dies. Whoever calls gets 503 or is
// served, nothing acknowledged is lost, and nothing is used twice. The short form has two machines,
// whose PostgreSQL is killed: another machine is replaced after its lease.
func TestPatroni(t *testing.T) {
	if !long() {
		t.Parallel()
	}
	h := newHA(t, pick(2, 3))
	faults := []struct {
		name       string
		fail, mend func(*node)
	}{
		{"PostgreSQL killed", func(p *node) { p.signal(syscall.SIGKILL, false) }, func(*node) {}},
		{"machine killed", func(p *node) { p.signal(syscall.SIGKILL, true) }, (*node).restart},
		{"machine paused", func(p *node) { p.signal(syscall.SIGSTOP, true) }, func(p *node) { p.signal(syscall.SIGCONT, true) }},
		{"machine cut off", func(p *node) { p.cut(hole) }, func(p *node) { p.cut(fair) }},
	}
	faults = faults[:pick(1, len(faults))]
	n := newCluster(t, plan{dsn: h.pooled, direct: h.direct, users: (len(faults) + pick(0, 2)) * (share() + 4)})
	for i, tc := range faults {
		t.Run(tc.name, func(t *testing.T) {
			h.settled(t)
			h.failover(t, n, tc.name, fmt.Sprintf("failover-%d", i+1), tc.fail, tc.mend)
		})
	}
	if long() {
		t.Run("one etcd away", func(t *testing.T) { h.oneEtcdAway(t, n) })
		t.Run("etcd away", func(t *testing.T) { h.etcdAway(t, n) })
	}
}

// settled waits until every machine is there and a synchronous standby can take over.
func (h *ha) settled(t *testing.T) {
	t.Helper()
	for i, n := range h.nodes {
		soon(t, "every machine is there", 2*time.Minute, func() bool { return n.rests("/primary") || n.rests("/replica") })
		if i == len(h.nodes)-1 {
			soon(t, "there is a synchronous standby", time.Minute, func() bool {
				for _, n := range h.nodes {
					if n.rests("/sync") {
						return true
					}
				}
				return false
			})
		}
	}
}

func (h *ha) failover(t *testing.T, n *cluster, name, file string, fail, mend func(*node)) {
	t.Helper()
	old := h.leader()
	if old == nil {
		t.Fatal("there is no primary")
	}
	w := n.watch(t)
	began := time.Now()
	n.seen.mark(name)
	fail(old)
	var leader *node
	soon(t, "another primary", time.Minute, func() bool {
		leader = h.leader(old)
		return leader != nil
	})
	n.seen.mark("another primary")
	note(t, "R-7", "until there is another primary, "+name, time.Since(began).Round(10*time.Millisecond), "-")
	w.login(t, "from the new primary to a whole login, "+name)
	<-time.After(pick(200*time.Millisecond, 2*time.Second))
	n.seen.mark("the old one returns")
	mend(old)
	// What the old primary has and nobody else is undone before it follows. If it took the place of
	// the new one instead, what that has acknowledged would be undone.
	if long() {
		soon(t, "the old primary follows", 2*time.Minute, func() bool { return old.rests("/replica") })
		n.seen.mark("the old one follows")
		<-time.After(time.Second)
	}
	if r := h.leader(); r != leader {
		t.Errorf("the primary changed again when the old one came back")
	}
	w.end(t, name, file)
}

// watched is load on a cluster while something fails.
type watched struct {
	*cluster
	ledger *ledger
	load   *crowd
	token  string // from before
	over   chan struct{}
	pulses sync.WaitGroup
}

// watch begins load and returns when something of everything was acknowledged.
func (n *cluster) watch(t *testing.T) *watched {
	t.Helper()
	n.seen = newTimeline()
	w := &watched{cluster: n, ledger: &ledger{}, over: make(chan struct{})}
	w.load = &crowd{cluster: n, ledger: w.ledger, taken: map[bool]int{}, patient: true}
	w.load.gather(n.user(false))
	_, tokens := signedIn(t, n)
	w.token = tokens.get("access_token")
	w.pulses.Go(func() { n.pulse(w.over, w.token) })
	soon(t, "something of everything was acknowledged", time.Minute, w.ledger.full)
	<-time.After(pick(200*time.Millisecond, 2*time.Second))
	return w
}

// login signs in, which must succeed soon.
func (w *watched) login(t *testing.T, what string) {
	t.Helper()
	began, c, user := time.Now(), w.caller(w.servers[0]), w.user(false)
	soon(t, "a login on the primary", 30*time.Second, func() bool {
		code, err := c.login("app", user)
		if err == nil {
			_, err = c.redeem("app", code)
		}
		return err == nil
	})
	w.seen.mark("login")
	within(t, "R-7", what, time.Since(began), 5*time.Second)
}

// end ends the load, and checks the responses and everything that was acknowledged.
func (w *watched) end(t *testing.T, name, file string) (sums [outcomes]int) {
	t.Helper()
	close(w.over)
	w.load.end(t)
	w.pulses.Wait()
	sums = w.seen.sums()
	note(t, "R-7", "responses served, 503, failed, "+name, strings.Trim(fmt.Sprint(sums), "[]"), "-, -, 0")
	if sums[failed] > 0 {
		t.Errorf("%d calls got something other than a response or a clean 503", sums[failed])
	}
	w.seen.draw(t, file, name+": responses for each tenth of a second")
	w.seen = nil
	if ok, err := w.caller(w.servers[0]).active("app", w.token); !ok || err != nil {
		t.Errorf("a token from before: active %t, %v", ok, err)
	}
	w.ledger.check(t, w.cluster)
	return sums
}

// pulse introspects a token twenty times a second, however long the responses take.
func (n *cluster) pulse(over <-chan struct{}, token string) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	var all sync.WaitGroup
	defer all.Wait()
	for {
		select {
		case <-over:
			return
		case <-tick.C:
			all.Go(func() {
				c := n.caller(n.servers[0])
				if active, err := c.active("app", token); err != nil && codeOf(err) != http.StatusServiceUnavailable || err == nil && !active {
					n.t.Errorf("introspection: active %t, %v", active, err)
				}
			})
		}
	}
}
