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
	// siteShare is how much of a budget a site (IPv6 /48) has, as a multiple of that of a
	// network (IPv4 address, IPv6 /64).
	siteShare = 4
	// budgetsKept bounds the networks, and the sites, of one budget that are remembered.
	// Who was heard of longest ago is forgotten first, and has the whole budget again.
	budgetsKept = 1 << 16
)

// Budgets bound what callers make this server write who have proven nothing, by where
// they call from. They are kept in memory, each server has its own: a row for each
// address would make everybody behind one wait for the others' commits.
type Budgets struct {
	now     func() time.Time
	kinds   map[string]*purse
	refused map[string]*atomic.Int64
}

// NewBudgets returns budgets of so much within a window and address; a budget that is 0
// or not named has no end.
func NewBudgets(now func() time.Time, window time.Duration, limits map[string]int) *Budgets {
	b := &Budgets{now: now, kinds: map[string]*purse{}, refused: map[string]*atomic.Int64{}}
	for _, kind := range budget.All() {
		b.refused[kind] = new(atomic.Int64)
		if most := limits[kind]; most > 0 {
			b.kinds[kind] = newPurse(most, window, budgetsKept)
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

// Refused returns how often each budget was used up when something was asked of it.
func (b *Budgets) Refused() map[string]int64 {
	out := map[string]int64{}
	for kind, n := range b.refused {
		out[kind] = n.Load()
	}
	return out
}

// purse is one budget.
type purse struct {
	most  int
	every time.Duration // one of it comes back

	mu       sync.Mutex
	networks *recent
	sites    *recent
}

func newPurse(most int, window time.Duration, kept int) *purse {
	return &purse{most: most, every: window / time.Duration(most), networks: newRecent(kept), sites: newRecent(kept)}
}

// take takes an amount from the network and its site, or from neither.
func (p *purse) take(now time.Time, network, site string, amount int) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	of := []*rate.Limiter{p.networks.of(network, func() *rate.Limiter { return rate.NewLimiter(rate.Every(p.every), p.most) })}
	if site != "" {
		of = append(of, p.sites.of(site, func() *rate.Limiter {
			return rate.NewLimiter(rate.Every(p.every/siteShare), p.most*siteShare)
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

// recent are the limiters of those heard of last.
type recent struct {
	most  int
	all   map[string]*chain.Element
	order *chain.List // of known, the last heard of in front
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
