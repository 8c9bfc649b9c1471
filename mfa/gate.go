package mfa

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// gate bounds how many costly computations run at once and how many wait. Without
// it a few hundred parallel logins would take all memory and all cores.
type gate struct {
	turns   chan struct{}
	waiting atomic.Int64
	refused atomic.Int64
	queue   int64
	wait    time.Duration
	share   int // of one network, running and waiting; below 0: all

	mu   sync.Mutex
	from map[string]int
}

func newGate(parallel, queue, share int, wait time.Duration) *gate {
	return &gate{turns: make(chan struct{}, parallel), queue: int64(queue), share: share, wait: wait, from: map[string]int{}}
}

// enter waits for a turn; the caller gives it back by the returned function.
func (g *gate) enter(ctx context.Context, p Place) (func(), error) {
	if !g.admit(p.From) {
		return nil, g.busy()
	}
	if err := g.turn(ctx, p); err != nil {
		g.leave(p.From)
		return nil, err
	}
	return func() { <-g.turns; g.leave(p.From) }, nil
}

func (g *gate) busy() error {
	g.refused.Add(1)
	return &Error{Code: Busy, RetryAfter: max(g.wait, time.Second)}
}

// Load says how busy a gate is.
type Load struct {
	Running, Parallel int
	Waiting, Queue    int
	Refused           int64 // turned away since the start
}

func (g *gate) load() Load {
	return Load{Running: len(g.turns), Parallel: cap(g.turns), Waiting: int(min(g.waiting.Load(), g.queue)), Queue: int(g.queue), Refused: g.refused.Load()}
}

func (g *gate) turn(ctx context.Context, p Place) error {
	select {
	case g.turns <- struct{}{}:
		return nil
	default:
	}
	if p.Queue != nil {
		if err := p.Queue(ctx); err != nil {
			return err
		}
	}
	if g.waiting.Add(1) > g.queue {
		g.waiting.Add(-1)
		return g.busy()
	}
	defer g.waiting.Add(-1)
	timer := time.NewTimer(g.wait)
	defer timer.Stop()
	select {
	case g.turns <- struct{}{}:
		return nil
	case <-timer.C:
		return g.busy()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// admit counts a network in, unless it has its share already.
func (g *gate) admit(from string) bool {
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

func (g *gate) leave(from string) {
	if from == "" || g.share < 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.from[from]--; g.from[from] <= 0 {
		delete(g.from, from)
	}
}
