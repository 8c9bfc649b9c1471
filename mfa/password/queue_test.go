package password

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sallyport/mfa"
)

// testQueue is a queue whose only place is taken, with a clock that the test moves.
type testQueue struct {
	*queue
	t  *testing.T
	at time.Time
}

func newTestQueue(t *testing.T, length int, wait time.Duration) *testQueue {
	t.Helper()
	q := &testQueue{t: t, at: Noon}
	q.queue = newQueue(func() time.Time { return q.at }, 1, length, wait)
	if _, err := q.enter(t.Context(), mfa.Place{}); err != nil {
		t.Fatal(err)
	}
	return q
}

// join adds a caller of each network, a letter, to the queue.
func (q *testQueue) join(networks string) []*waiter {
	q.t.Helper()
	var out []*waiter
	for _, from := range strings.Split(networks, "") {
		w, err := q.queue.join(q.t.Context(), from)
		if err != nil {
			q.t.Fatalf("a caller of %s after %d: %v", from, len(out), err)
		}
		out = append(out, w)
	}
	return out
}

// ended reports whether the wait of a caller ended.
func ended(w *waiter) bool {
	select {
	case <-w.end:
		return true
	default:
		return false
	}
}

func TestNetworksTakeTurns(t *testing.T) {
	for joined, want := range map[string]string{ // numbers of callers in the order in which they are served
		"aaaa":     "0123",
		"abcabc":   "012345",
		"aaaab":    "04123",
		"aaaabbc":  "0461523",
		"aabaacbb": "02516374",
		"aaaaabcd": "05671234",
	} {
		q := newTestQueue(t, 100, time.Hour)
		waiting, order := q.join(joined), ""
		for range waiting {
			before := order
			q.release(0)
			for i, w := range waiting {
				if ended(w) && !strings.Contains(order, fmt.Sprint(i)) {
					order += fmt.Sprint(i)
				}
			}
			if len(order) != len(before)+1 {
				t.Fatalf("%s: %q are served after %q, want one more", joined, order, before)
			}
		}
		if order != want {
			t.Errorf("%s is served in the order %s, want %s", joined, order, want)
		}
		q.release(0)
		if q.load().Running != 0 || q.load().Waiting != 0 || len(q.lines) != 0 {
			t.Errorf("%s: %+v and %d lines remain, want none", joined, q.load(), len(q.lines))
		}
	}
}

// The prediction is the order in which callers are in fact served.
func TestTheWaitOfACallerIsPredicted(t *testing.T) {
	for _, joined := range []string{"a", "aaaa", "abcabc", "aaaab", "aaabbbcc", "abbbca", "cbaabbccaa"} {
		for _, from := range []string{"a", "b", "c", "d"} {
			for served := range len(joined) {
				q := newTestQueue(t, 100, time.Hour)
				q.join(joined)
				for range served {
					q.release(0)
				}
				want := q.ahead(from)
				w := q.join(from)[0]
				got := -1 // the first release serves a caller with none ahead
				for ; !ended(w); got++ {
					q.release(0)
				}
				if got != want {
					t.Errorf("%s, %d of them served: %d were ahead of a caller of %s, predicted %d", joined, served, got, from, want)
				}
			}
		}
	}
}

func TestACallerWhoCannotBeServedInTimeIsRefusedAtOnce(t *testing.T) {
	q := newTestQueue(t, 100, 15*time.Second)
	q.took = 2 * time.Second
	q.join("bcd") // within half of the wait
	for _, from := range []string{"b", "e"} {
		asked := false
		_, err := q.enter(t.Context(), mfa.Place{From: from, Queue: func(context.Context) error { asked = true; return nil }})
		var e *mfa.Error
		if !errors.As(err, &e) || e.Code != mfa.Busy || e.RetryAfter != 8*time.Second || asked {
			t.Errorf("a caller of %s: %+v, counters read: %v; want %s for 8 s, and no work for it", from, err, asked, mfa.Busy)
		}
	}
	if got, want := q.load(), (Load{Running: 1, Parallel: 1, Waiting: 3, Queue: 100, Refused: 2}); got != want {
		t.Errorf("load = %+v, want %+v", got, want)
	}
	q.release(time.Second / 10) // hashes are faster again
	for range 40 {
		q.release(time.Second / 10)
		q.join("f")
	}
	if _, err := q.queue.join(t.Context(), "e"); err != nil {
		t.Errorf("a caller of e later: %v, want a turn", err)
	}
}

func TestACallerWhoseTimeIsShorterThanTheWaitIsRefusedAtOnce(t *testing.T) {
	q := newTestQueue(t, 100, time.Minute)
	q.at = time.Now().Add(time.Hour) // of the clock of deadlines, none passes
	q.took = time.Second
	q.join("b")
	// One is ahead: a place in two seconds, the hash after three.
	for left, want := range map[time.Duration]mfa.Code{2999 * time.Millisecond: mfa.Busy, 3 * time.Second: ""} {
		ctx, cancel := context.WithDeadline(t.Context(), q.at.Add(left))
		if _, err := q.queue.join(ctx, "c"); mfa.CodeOf(err) != want {
			t.Errorf("%s before its deadline: %v, want %q", left, err, want)
		}
		cancel()
	}
}

func TestAFullQueueRefusesTheNetworkThatFillsIt(t *testing.T) {
	q := newTestQueue(t, 4, time.Hour)
	waiting := q.join("aaba")
	if _, err := q.queue.join(t.Context(), "a"); mfa.CodeOf(err) != mfa.Busy {
		t.Errorf("another caller of a: %v, want %s", err, mfa.Busy)
	}
	q.join("c")
	if !ended(waiting[3]) || mfa.CodeOf(waiting[3].err) != mfa.Busy {
		t.Errorf("the last of a waits: %v, %v; want it to make way for c", ended(waiting[3]), waiting[3].err)
	}
	for _, from := range []string{"a", "b", "c"} { // no line is longer by two
		if _, err := q.queue.join(t.Context(), from); mfa.CodeOf(err) != mfa.Busy {
			t.Errorf("another caller of %s: %v, want %s", from, err, mfa.Busy)
		}
	}
	q.join("d") // in place of the second of a
	if !ended(waiting[1]) || ended(waiting[0]) || ended(waiting[2]) || q.load().Waiting != 4 || q.load().Refused != 6 {
		t.Errorf("load = %+v, want the first of each network to wait", q.load())
	}
}

// The database hung in the evening. In the morning everyone comes at once.
func TestTheFirstCallersAreNotRefusedForWhatWasSlow(t *testing.T) {
	q := newTestQueue(t, 100, 2*time.Second)
	q.took = 2 * time.Second
	if _, err := q.queue.join(t.Context(), "b"); mfa.CodeOf(err) != mfa.Busy {
		t.Errorf("while it hangs: %v, want %s", err, mfa.Busy)
	}
	q.release(2 * time.Second) // all places are free
	q.join(strings.Repeat("b", 32))
	for range 31 {
		q.release(25 * time.Millisecond)
	}
	if q.load().Refused != 1 || q.took < 20*time.Millisecond || q.took > 25*time.Millisecond {
		t.Errorf("load = %+v, %s a hash; want no more refused, and the average of today", q.load(), q.took)
	}
}

// A busy machine or a slow database changes what was predicted: whoever is late now learns it
// now.
func TestAQueueThatBecomesSlowRefusesTheLast(t *testing.T) {
	q := newTestQueue(t, 100, 14*time.Second)
	q.took = time.Second
	waiting := q.join("aaabcd")
	q.release(9 * time.Second) // two seconds on average: five can be served
	if q.load().Waiting != 5 || q.load().Refused != 0 {
		t.Errorf("load = %+v, want five who wait", q.load())
	}
	q.release(9 * time.Second) // nearly three: three can
	if q.load().Waiting != 3 || q.load().Refused != 1 || !ended(waiting[2]) || mfa.CodeOf(waiting[2].err) != mfa.Busy {
		t.Errorf("load = %+v, want the last of a refused", q.load())
	}
	q = newTestQueue(t, 100, 14*time.Second)
	q.took = time.Second
	waiting = q.join("bcdefg")
	q.release(10 * time.Second) // four can be served
	if q.load().Waiting != 4 || q.load().Refused != 1 || mfa.CodeOf(waiting[5].err) != mfa.Busy {
		t.Errorf("load = %+v, want the last of all refused", q.load())
	}
}

func TestTheQueueOfHashesIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newTestQueue(t, 2, time.Hour)
		ctx, disconnect := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for _, from := range []string{"a", "b"} {
			wg.Go(func() {
				if _, err := q.enter(ctx, mfa.Place{From: from}); !errors.Is(err, context.Canceled) {
					t.Errorf("a caller who disconnects: %v", err)
				}
			})
		}
		synctest.Wait() // both wait
		if _, err := q.enter(t.Context(), mfa.Place{From: "c"}); mfa.CodeOf(err) != mfa.Busy {
			t.Errorf("a full queue: %v, want %s", err, mfa.Busy)
		}
		disconnect()
		wg.Wait()
		if got := q.load(); got.Waiting != 0 || got.Running != 1 || len(q.lines) != 0 {
			t.Errorf("load = %+v after all have disconnected, want none waiting", got)
		}
		// In time or not at all: a wait that was predicted wrongly ends too.
		if _, err := q.enter(t.Context(), mfa.Place{From: "c"}); mfa.CodeOf(err) != mfa.Busy || err.(*mfa.Error).RetryAfter < time.Second {
			t.Errorf("a wait that ends: %v, want %s with a wait", err, mfa.Busy)
		}
		q.release(0)
		if _, err := q.enter(t.Context(), mfa.Place{Queue: func(context.Context) error { t.Error("asked with a place free"); return nil }}); err != nil {
			t.Errorf("a place is free: %v", err)
		}
		if _, err := q.enter(t.Context(), mfa.Place{Queue: func(context.Context) error { return &mfa.Error{Code: mfa.TooMany} }}); mfa.CodeOf(err) != mfa.TooMany || q.load().Waiting != 0 {
			t.Errorf("a caller whose counter refuses: %v, %d wait, want none", err, q.load().Waiting)
		}
	})
}

// Callers come, go, and give up at the moment they are served; no place is lost.
func TestNoPlaceIsLost(t *testing.T) {
	q := newQueue(time.Now, 3, 20, time.Minute)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for n := range 300 {
				ctx, cancel := context.WithCancel(t.Context())
				go cancel()
				if (i+n)%3 == 0 {
					ctx = t.Context()
				}
				if release, err := q.enter(ctx, mfa.Place{From: fmt.Sprint(i % 4)}); err == nil {
					release()
				}
			}
		})
	}
	wg.Wait()
	if got := q.load(); got.Running != 0 || got.Waiting != 0 || len(q.lines) != 0 {
		t.Errorf("load = %+v and lines %v afterwards, want none", got, q.lines)
	}
}
