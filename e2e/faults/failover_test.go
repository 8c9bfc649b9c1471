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
// under load, in every way, and another machine takes over. Whoever calls gets 503 or is
// served, nothing acknowledged is lost, and nothing is used twice. The long form only: the
// set-up takes half a minute, and a dead machine is replaced after its lease.
func TestPatroni(t *testing.T) {
	if !long() {
		return
	}
	h := newHA(t, 3)
	const faults = 4
	n := newCluster(t, plan{dsn: h.pooled, direct: h.direct, users: faults*(share()+2) + 4})
	for i, tc := range []struct {
		name       string
		fail, mend func(*node)
	}{
		{"PostgreSQL killed", func(p *node) { p.signal(syscall.SIGKILL, false) }, func(*node) {}},
		{"machine killed", func(p *node) { p.signal(syscall.SIGKILL, true) }, (*node).start},
		{"machine paused", func(p *node) { p.signal(syscall.SIGSTOP, true) }, func(p *node) { p.signal(syscall.SIGCONT, true) }},
		{"machine cut off", func(p *node) { p.cut(hole) }, func(p *node) { p.cut(fair) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h.settled(t)
			h.failover(t, n, tc.name, fmt.Sprintf("failover-%d", i+1), tc.fail, tc.mend)
		})
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
	n.seen = newTimeline()
	l := &ledger{}
	load := &crowd{cluster: n, ledger: l, taken: map[bool]int{}, patient: true}
	load.gather(n.user(false))
	_, tokens := signedIn(t, n)
	var pulses sync.WaitGroup
	over := make(chan struct{})
	pulses.Go(func() { n.pulse(over, tokens.get("access_token")) })
	soon(t, "something of everything was acknowledged", time.Minute, l.full)
	<-time.After(2 * time.Second)

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
	taken := time.Now()
	c := n.caller(n.servers[0])
	again := n.user(false)
	soon(t, "a login on the new primary", 30*time.Second, func() bool {
		code, err := c.login("app", again)
		if err == nil {
			_, err = c.redeem("app", code)
		}
		return err == nil
	})
	n.seen.mark("login")
	within(t, "R-7", "from the new primary to a whole login, "+name, time.Since(taken), 5*time.Second)
	<-time.After(2 * time.Second)
	n.seen.mark("the old one returns")
	mend(old)
	// What the old primary has and nobody else is undone before it follows. If it took the place of
	// the new one instead, what that has acknowledged would be undone.
	soon(t, "the old primary follows", 2*time.Minute, func() bool { return old.rests("/replica") })
	if r := h.leader(); r != leader {
		t.Errorf("the primary changed again when the old one came back")
	}
	n.seen.mark("the old one follows")
	<-time.After(time.Second)
	close(over)
	load.end(t)
	pulses.Wait()
	sums := n.seen.sums()
	note(t, "R-7", "responses served, 503, failed, "+name, strings.Trim(fmt.Sprint(sums), "[]"), "-, -, 0")
	if sums[failed] > 0 {
		t.Errorf("%d calls got something other than a response or a clean 503", sums[failed])
	}
	n.seen.draw(t, file, name+": responses for each tenth of a second")
	n.seen = nil
	if ok, err := c.active("app", tokens.get("access_token")); !ok || err != nil {
		t.Errorf("a token from before: active %t, %v", ok, err)
	}
	l.check(t, n)
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
