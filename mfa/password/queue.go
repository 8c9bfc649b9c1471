package password

import (
	"context"
	"slices"
	"sync"
	"time"

	"sallyport/mfa"
)

// queue limits how many hashes are computed in parallel and how many callers wait, and so the
// memory and cores that parallel logins take. Callers wait in lines, one for each Place.From.
// The lines take turns: a network with many callers delays others by one hash each turn. The
// queue holds as many as can be served in time. If it is full, a caller is refused
// immediately: the last of the longest line, or the new one.
type queue struct {
	now    func() time.Time
	places int
	length int           // how many may wait, if they can be served in time
	wait   time.Duration // how long

	mu      sync.Mutex
	running int
	waiting int
	refused int64
	took    time.Duration // how long a place is held, on average since all were free
	lines   []*line       // in the order of their turns; never empty
}

// line is the callers of one network that wait.
type line struct {
	from    string
	waiters []*waiter
}

// waiter is a caller that waits. end is closed with the mutex held, after err is set.
type waiter struct {
	line *line // nil: the wait ended
	end  chan struct{}
	err  error // nil: the waiter holds a place
}

func newQueue(now func() time.Time, places, length int, wait time.Duration) *queue {
	return &queue{now: now, places: places, length: length, wait: wait}
}

// Load is the load of the queue of password hashes.
type Load struct {
	Running, Parallel int
	Waiting, Queue    int
	Refused           int64 // since the start
}

func (q *queue) load() Load {
	q.mu.Lock()
	defer q.mu.Unlock()
	return Load{Running: q.running, Parallel: q.places, Waiting: q.waiting, Queue: q.length, Refused: q.refused}
}

// enter waits for a place. The returned function releases it.
func (q *queue) enter(ctx context.Context, p mfa.Place) (func(), error) {
	taken, err := q.take(ctx, p.From)
	if err != nil {
		return nil, err
	}
	if !taken {
		if p.Queue != nil {
			if err := p.Queue(ctx); err != nil {
				return nil, err
			}
		}
		w, err := q.join(ctx, p.From)
		if err != nil {
			return nil, err
		}
		if err := q.await(ctx, w); err != nil {
			return nil, err
		}
	}
	start := q.now()
	return func() { q.release(q.now().Sub(start)) }, nil
}

// take takes a place if one is free. Otherwise it refuses a caller that join would refuse.
func (q *queue) take(ctx context.Context, from string) (bool, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.occupy() {
		return true, nil
	}
	_, err := q.admit(ctx, from)
	return false, err
}

// occupy takes a place, if one is free. Then none wait. The average begins at zero whenever all
// places were free: one from a slow hour would refuse the first of the next morning.
func (q *queue) occupy() bool {
	if q.running == q.places {
		return false
	}
	if q.running == 0 {
		q.took = 0
	}
	q.running++
	return true
}

// join adds a caller to its line, or gives it a place that became free.
func (q *queue) join(ctx context.Context, from string) (*waiter, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	w := &waiter{end: make(chan struct{})}
	if q.occupy() {
		close(w.end)
		return w, nil
	}
	full, err := q.admit(ctx, from)
	if err != nil {
		return nil, err
	}
	if full {
		q.refuseLast()
	}
	at := q.find(from)
	if at < 0 {
		at = len(q.lines)
		q.lines = append(q.lines, &line{from: from})
	}
	w.line = q.lines[at]
	w.line.waiters = append(w.line.waiters, w)
	q.waiting++
	return w, nil
}

// await returns nil when a waiter has a place.
func (q *queue) await(ctx context.Context, w *waiter) error {
	timer := time.NewTimer(q.wait)
	defer timer.Stop()
	var gone error
	select {
	case <-w.end:
		return w.err
	case <-timer.C:
	case <-ctx.Done():
		gone = ctx.Err()
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if w.line == nil { // it was served or refused meanwhile; the caller releases a place
		return w.err
	}
	from := w.line.from
	q.remove(w)
	if gone == nil {
		gone = q.busy(from)
	}
	return gone
}

// release gives a place that was held for some time to the next caller. If hashes take
// longer than they did, it refuses those who now cannot be served in time.
func (q *queue) release(held time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	held = min(max(held, 0), q.wait) // a clock that jumps, or a database that hung, is soon forgotten
	q.took += (held - q.took) / 8
	if len(q.lines) == 0 {
		q.running--
		return
	}
	l := q.lines[0]
	w := l.waiters[0]
	q.remove(w)
	if len(l.waiters) > 0 {
		q.lines = append(q.lines[1:], l)
	}
	close(w.end)
	for q.waiting > q.room(q.wait-q.wait/4) {
		q.refuseLast()
	}
}

// remove ends the wait of a caller.
func (q *queue) remove(w *waiter) {
	l := w.line
	w.line = nil
	q.waiting--
	i := slices.Index(l.waiters, w)
	l.waiters = slices.Delete(l.waiters, i, i+1)
	if len(l.waiters) == 0 {
		i = slices.Index(q.lines, l)
		q.lines = slices.Delete(q.lines, i, i+1)
	}
}

// room returns how many callers can wait and be served within a time.
func (q *queue) room(within time.Duration) int {
	if q.took == 0 {
		return q.length
	}
	return min(q.length, int(within*time.Duration(q.places)/q.took))
}

// admit returns Busy if a caller cannot be served in time. full reports that the last of the
// longest line must make way.
func (q *queue) admit(ctx context.Context, from string) (full bool, err error) {
	// A deadline in the past is one of another clock: ctx would have ended.
	if end, ok := ctx.Deadline(); ok {
		if left := end.Sub(q.now()); left > 0 && q.estimate(from)+q.took > left {
			return false, q.busy(from)
		}
	}
	// What a place takes varies, and a caller must not wait in vain.
	if q.waiting < q.room(q.wait/2) {
		return false, nil
	}
	own := 0
	if i := q.find(from); i >= 0 {
		own = len(q.lines[i].waiters)
	}
	if l := q.longest(); l == nil || len(l.waiters) <= own+1 {
		return false, q.busy(from)
	}
	return true, nil
}

// longest returns the longest line, of several the one whose turn is last; nil: none waits.
func (q *queue) longest() *line {
	var longest *line
	for _, l := range q.lines {
		if longest == nil || len(l.waiters) >= len(longest.waiters) {
			longest = l
		}
	}
	return longest
}

// refuseLast refuses the last caller of the longest line.
func (q *queue) refuseLast() {
	l := q.longest()
	w := l.waiters[len(l.waiters)-1]
	q.remove(w)
	w.err = q.busy(l.from)
	close(w.end)
}

// busy returns the refusal of a caller. It should come back when those ahead are served.
func (q *queue) busy(from string) error {
	q.refused++
	return &mfa.Error{Code: mfa.Busy, RetryAfter: max(q.estimate(from), time.Second)}
}

// estimate returns how long a new caller of a network would wait.
func (q *queue) estimate(from string) time.Duration {
	return q.took * time.Duration(q.ahead(from)+1) / time.Duration(q.places)
}

// ahead returns how many waiting callers would be served before a new one of a network.
func (q *queue) ahead(from string) int {
	own, at := 0, q.find(from)
	if at < 0 {
		at = len(q.lines)
	} else {
		own = len(q.lines[at].waiters)
	}
	n := own
	for i, l := range q.lines {
		switch {
		case i < at:
			n += min(len(l.waiters), own+1)
		case i > at:
			n += min(len(l.waiters), own)
		}
	}
	return n
}

// find returns the index of a network's line; -1: it has none.
func (q *queue) find(from string) int {
	return slices.IndexFunc(q.lines, func(l *line) bool { return l.from == from })
}
