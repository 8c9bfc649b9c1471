package web

import (
	chain "container/list"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"sallyport/mfa"
)

const (
	// networkShare is how much of a budget an IPv6 network (/48) has, which one caller may
	// have as a whole, as a multiple of that of an address (IPv4, IPv6 /64).
	networkShare = 4
	// budgetsKept bounds the addresses, and the networks, of one budget that are remembered.
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
	for _, kind := range mfa.Budgets() {
		b.refused[kind] = new(atomic.Int64)
		if most := limits[kind]; most > 0 {
			b.kinds[kind] = newPurse(most, window, budgetsKept)
		}
	}
	return b
}

// Admit implements mfa.Admit.
func (b *Budgets) Admit(v mfa.Visit, budget string, amount int) time.Duration {
	p := b.kinds[budget]
	address, network, ok := originOf(v.Address)
	if p == nil || !ok {
		return 0
	}
	wait := p.take(b.now(), address, network, amount)
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

// originOf is where a caller is counted: the address, and, of IPv6, the network that one
// caller may have as a whole. false: nobody knows.
func originOf(text string) (address, network netip.Prefix, ok bool) {
	a, err := netip.ParseAddr(text)
	if err != nil {
		return address, network, false
	}
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return netip.PrefixFrom(a, 32), netip.Prefix{}, true
	}
	return netip.PrefixFrom(a, 64).Masked(), netip.PrefixFrom(a, 48).Masked(), true
}

// purse is one budget.
type purse struct {
	most  int
	every time.Duration // one of it comes back

	mu        sync.Mutex
	addresses *recent
	networks  *recent
}

func newPurse(most int, window time.Duration, kept int) *purse {
	return &purse{most: most, every: window / time.Duration(most), addresses: newRecent(kept), networks: newRecent(kept)}
}

// take takes an amount from the address and its network, or from neither.
func (p *purse) take(now time.Time, address, network netip.Prefix, amount int) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	of := []*rate.Limiter{p.addresses.of(address, func() *rate.Limiter { return rate.NewLimiter(rate.Every(p.every), p.most) })}
	if network.IsValid() {
		of = append(of, p.networks.of(network, func() *rate.Limiter {
			return rate.NewLimiter(rate.Every(p.every/networkShare), p.most*networkShare)
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
	all   map[netip.Prefix]*chain.Element
	order *chain.List // of known, the last heard of in front
}

type known struct {
	who     netip.Prefix
	limiter *rate.Limiter
}

func newRecent(most int) *recent {
	return &recent{most: most, all: map[netip.Prefix]*chain.Element{}, order: chain.New()}
}

func (r *recent) of(who netip.Prefix, first func() *rate.Limiter) *rate.Limiter {
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
