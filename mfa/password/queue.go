package password

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"sallyport/mfa"
)

// queue limits how many hashes are computed in parallel and how many wait, and so the memory
// and cores that parallel logins take.
type queue struct {
	running chan struct{}
	waiting atomic.Int64
	refused atomic.Int64
	length  int64
	wait    time.Duration
	share   int // of one network, running and waiting; negative: no limit

	mu   sync.Mutex
	from map[string]int
}

func newQueue(parallel, length, share int, wait time.Duration) *queue {
	return &queue{running: make(chan struct{}, parallel), length: int64(length), share: share, wait: wait, from: map[string]int{}}
}

// enter waits for a place. The returned function releases it.
func (g *queue) enter(ctx context.Context, p mfa.Place) (func(), error) {
	if !g.admit(p.From) {
		return nil, g.busy()
	}
	if err := g.turn(ctx, p); err != nil {
		g.leave(p.From)
		return nil, err
	}
	return func() { <-g.running; g.leave(p.From) }, nil
}

func (g *queue) busy() error {
	g.refused.Add(1)
	return &mfa.Error{Code: mfa.Busy, RetryAfter: max(g.wait, time.Second)}
}

// Load is the load of the queue of password hashes.
type Load struct {
	Running, Parallel int
	Waiting, Queue    int
	Refused           int64 // since the start
}

func (g *queue) load() Load {
	return Load{Running: len(g.running), Parallel: cap(g.running), Waiting: int(min(g.waiting.Load(), g.length)), Queue: int(g.length), Refused: g.refused.Load()}
}

func (g *queue) turn(ctx context.Context, p mfa.Place) error {
	select {
	case g.running <- struct{}{}:
		return nil
	default:
	}
	if p.Queue != nil {
		if err := p.Queue(ctx); err != nil {
			return err
		}
	}
	if g.waiting.Add(1) > g.length {
		g.waiting.Add(-1)
		return g.busy()
	}
	defer g.waiting.Add(-1)
	timer := time.NewTimer(g.wait)
	defer timer.Stop()
	select {
	case g.running <- struct{}{}:
		return nil
	case <-timer.C:
		return g.busy()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// admit counts a network, and returns false if it has its share.
func (g *queue) admit(from string) bool {
	if from == "" || g.share < 0 {
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.from[from] >= g.share {
		return false
	}
	g.from[from]++
	return true
}

func (g *queue) leave(from string) {
	if from == "" || g.share < 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.from[from]--; g.from[from] <= 0 {
		delete(g.from, from)
	}
}
