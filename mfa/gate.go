package mfa

import (
	"context"
	"sync/atomic"
	"time"
)

// gate bounds how many costly computations run at once and how many wait. Without
// it a few hundred parallel logins would take all memory and all cores.
type gate struct {
	turns   chan struct{}
	waiting atomic.Int64
	queue   int64
	wait    time.Duration
}

func newGate(parallel, queue int, wait time.Duration) *gate {
	return &gate{turns: make(chan struct{}, parallel), queue: int64(queue), wait: wait}
}

// enter waits for a turn; the caller gives it back by the returned function.
func (g *gate) enter(ctx context.Context) (func(), error) {
	release := func() { <-g.turns }
	select {
	case g.turns <- struct{}{}:
		return release, nil
	default:
	}
	busy := &Error{Code: Busy, RetryAfter: max(g.wait, time.Second)}
	if g.waiting.Add(1) > g.queue {
		g.waiting.Add(-1)
		return nil, busy
	}
	defer g.waiting.Add(-1)
	timer := time.NewTimer(g.wait)
	defer timer.Stop()
	select {
	case g.turns <- struct{}{}:
		return release, nil
	case <-timer.C:
		return nil, busy
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
