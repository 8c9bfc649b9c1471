package web

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/budget"
)

func TestBudgets(t *testing.T) {
	now := time.Unix(1000, 0)
	from := func(address string) mfa.Caller { return mfa.Caller{Address: address} }
	spend := func(b *Budgets, address string, n int) (passed int) {
		for range n {
			if b.Admit(from(address), budget.Opens, 1) == 0 {
				passed++
			}
		}
		return passed
	}
	for name, test := range map[string]func(t *testing.T, b *Budgets){
		"an address has its budget, and gets it back with time": func(t *testing.T, b *Budgets) {
			if got := spend(b, "192.0.2.1", 100); got != 60 {
				t.Errorf("%d passed, want 60", got)
			}
			if wait := b.Admit(from("192.0.2.1"), budget.Opens, 1); wait != time.Second {
				t.Errorf("wait = %s, want 1s", wait)
			}
			now = now.Add(10 * time.Second)
			if got := spend(b, "192.0.2.1", 100); got != 10 {
				t.Errorf("%d passed 10 s later, want 10", got)
			}
			if got := b.Refused(); got[budget.Opens] != 131 || got[budget.Initiations] != 0 {
				t.Errorf("refused %v", got)
			}
		},
		"another address, another budget and no address are not touched": func(t *testing.T, b *Budgets) {
			spend(b, "192.0.2.1", 100)
			for what, wait := range map[string]time.Duration{"another": b.Admit(from("192.0.2.2"), budget.Opens, 1), "no": b.Admit(from(""), budget.Opens, 1),
				"initiations": b.Admit(from("192.0.2.1"), budget.Initiations, 1), "without end": b.Admit(from("192.0.2.1"), budget.Failures, 1),
				"of IPv6": b.Admit(from("::ffff:192.0.2.3"), budget.Opens, 1)} {
				if wait != 0 {
					t.Errorf("%s waits %s", what, wait)
				}
			}
			if b.Admit(from("::ffff:192.0.2.1"), budget.Opens, 1) == 0 {
				t.Error("the same address in other letters has a budget of its own")
			}
		},
		"an IPv6 network is one address, a larger one has four times as much": func(t *testing.T, b *Budgets) {
			if got := spend(b, "2001:db8:1:1::1", 50) + spend(b, "2001:db8:1:1:ffff::2", 50); got != 60 {
				t.Errorf("of one /64 %d passed, want 60", got)
			}
			rest := 0
			for i := 2; i < 20; i++ {
				rest += spend(b, fmt.Sprintf("2001:db8:1:%x::1", i), 50)
			}
			if rest != 3*60 {
				t.Errorf("of the rest of the /48 %d passed, want 180", rest)
			}
			if got := spend(b, "2001:db8:2:1::1", 50); got != 50 {
				t.Errorf("of another /48 %d passed, want 50", got)
			}
		},
		"of registrations a larger one has twice as much": func(t *testing.T, b *Budgets) {
			passed := 0
			for i := range 400 {
				if b.Admit(from(fmt.Sprintf("2001:db8:1:%x::1", i%8)), budget.Registrations, 1) == 0 {
					passed++
				}
			}
			if passed != 2*5 {
				t.Errorf("%d passed, want 10", passed)
			}
		},
		"looking takes nothing": func(t *testing.T, b *Budgets) {
			for range 200 {
				b.Admit(from("192.0.2.1"), budget.Opens, 0)
			}
			if got := spend(b, "192.0.2.1", 100); got != 60 {
				t.Errorf("%d passed, want 60", got)
			}
			if b.Admit(from("192.0.2.1"), budget.Opens, 0) == 0 {
				t.Error("a budget that is used up looks as if it were not")
			}
		},
		"what the network refuses the address keeps": func(t *testing.T, b *Budgets) {
			for i := range 4 {
				spend(b, fmt.Sprintf("2001:db8:1:%x::1", i+1), 60)
			}
			spend(b, "2001:db8:1:ff::1", 60)
			now = now.Add(time.Minute)
			if got := spend(b, "2001:db8:1:ff::1", 100); got != 60 {
				t.Errorf("a minute later %d passed, want 60", got)
			}
		},
		"racing callers have no more": func(t *testing.T, b *Budgets) {
			var passed atomic.Int64
			var all sync.WaitGroup
			for range 16 {
				all.Go(func() { passed.Add(int64(spend(b, "192.0.2.1", 20))) })
			}
			all.Wait()
			if passed.Load() != 60 {
				t.Errorf("%d passed, want 60", passed.Load())
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			test(t, NewBudgets(func() time.Time { return now }, time.Minute, map[string]int{budget.Opens: 60, budget.Initiations: 60, budget.Registrations: 5}))
		})
	}
}

// Calls from ever new addresses take a bounded amount of memory and displace the addresses
// least recently seen.
func TestBudgetsAreBounded(t *testing.T) {
	p, now := newNetworkBudget(1, time.Minute, 100), time.Unix(1000, 0)
	take := func(text string) time.Duration {
		v := mfa.Caller{Address: text}
		return p.take(now, v.Network(), v.Site(), 1)
	}
	for i := range 100_000 {
		take(fmt.Sprintf("2001:db8:%x:%x::1", i>>4, i))
		if i%50 == 0 && i > 0 {
			if take("192.0.2.1") == 0 && i > 50 {
				t.Fatal("an address that was heard of lately was forgotten")
			}
		}
	}
	for name, r := range map[string]*recent{"networks": p.networks, "sites": p.sites} {
		if len(r.all) > 100 || r.order.Len() != len(r.all) {
			t.Errorf("%d %s are kept, and %d in order; want 100 at most", len(r.all), name, r.order.Len())
		}
	}
}
