package web

import (
	chain "container/list"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"sallyport/mfa"
	"sallyport/mfa/budget"
)

const (
	// siteShare is the budget of a site (IPv6 /48), as a multiple of that of a network
	// (IPv4 address, IPv6 /64).
	siteShare = 4
	// siteRegistrations is that of registrations: with the default settings no site takes all places for
	// unused clients, each of which is taken for an hour.
	siteRegistrations = 2
	// budgetsKept bounds the networks, and the sites, for which a budget is kept. The one
	// least recently seen is dropped first and starts again with the whole budget.
	budgetsKept = 1 << 16
)

// Budgets limit what unauthenticated callers can make the server write, by their network.
// Each server keeps its own in memory: a row in the database for each network would make
// all callers behind it wait for each other's commits.
type Budgets struct {
	now     func() time.Time
	kinds   map[string]*networkBudget
	refused map[string]*atomic.Int64
}

// NewBudgets returns budgets with a limit for each network and window; 0 or no limit:
// unlimited.
func NewBudgets(now func() time.Time, window time.Duration, limits map[string]int) *Budgets {
	b := &Budgets{now: now, kinds: map[string]*networkBudget{}, refused: map[string]*atomic.Int64{}}
	for _, kind := range budget.All() {
		b.refused[kind] = new(atomic.Int64)
		if most := limits[kind]; most > 0 {
			b.kinds[kind] = newNetworkBudget(most, window, budgetsKept)
			if kind == budget.Registrations {
				b.kinds[kind].share = siteRegistrations
			}
		}
	}
	return b
}

// Admit implements budget.Admit.
func (b *Budgets) Admit(v mfa.Caller, budget string, amount int) time.Duration {
	p, network := b.kinds[budget], v.Network()
	if p == nil || network == "" {
		return 0
	}
	wait := p.take(b.now(), network, v.Site(), amount)
	if wait > 0 {
		b.refused[budget].Add(1)
	}
	return wait
}

// Refused returns how often each budget was exhausted when a caller needed it.
func (b *Budgets) Refused() map[string]int64 {
	out := map[string]int64{}
	for kind, n := range b.refused {
		out[kind] = n.Load()
	}
	return out
}

// networkBudget is one budget.
type networkBudget struct {
	most  int
	share int           // of a site
	every time.Duration // to refill by one

	mu       sync.Mutex
	networks *recent
	sites    *recent
}

func newNetworkBudget(most int, window time.Duration, kept int) *networkBudget {
	return &networkBudget{most: most, share: siteShare, every: window / time.Duration(most), networks: newRecent(kept), sites: newRecent(kept)}
}

// take spends an amount of the budgets of the network and its site, or of neither.
func (p *networkBudget) take(now time.Time, network, site string, amount int) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	of := []*rate.Limiter{p.networks.of(network, func() *rate.Limiter { return rate.NewLimiter(rate.Every(p.every), p.most) })}
	if site != "" {
		of = append(of, p.sites.of(site, func() *rate.Limiter {
			return rate.NewLimiter(rate.Every(p.every/time.Duration(p.share)), p.most*p.share)
		}))
	}
	wait := time.Duration(0)
	for _, l := range of {
		if missing := float64(max(amount, 1)) - l.TokensAt(now); missing > 0 {
			wait = max(wait, time.Duration(missing/float64(l.Limit())*float64(time.Second)), time.Second)
		}
	}
	if wait > 0 {
		return wait
	}
	for _, l := range of {
		l.AllowN(now, amount)
	}
	return 0
}

// recent are the limiters of the networks or sites last seen.
type recent struct {
	most  int
	all   map[string]*chain.Element
	order *chain.List // of known, the last seen in front
}

type known struct {
	who     string
	limiter *rate.Limiter
}

func newRecent(most int) *recent {
	return &recent{most: most, all: map[string]*chain.Element{}, order: chain.New()}
}

func (r *recent) of(who string, first func() *rate.Limiter) *rate.Limiter {
	if e := r.all[who]; e != nil {
		r.order.MoveToFront(e)
		return e.Value.(known).limiter
	}
	if r.order.Len() >= r.most {
		oldest := r.order.Back()
		delete(r.all, oldest.Value.(known).who)
		r.order.Remove(oldest)
	}
	k := known{who, first()}
	r.all[who] = r.order.PushFront(k)
	return k.limiter
}
