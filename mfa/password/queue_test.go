package password

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"

	"sallyport/mfa"
)

func TestOneNetworkGetsAShareOfThePlaces(t *testing.T) {
	g := newQueue(4, 4, 2, time.Hour)
	enter := func(from string) (func(), error) { return g.enter(context.Background(), mfa.Place{From: from}) }
	first, err := enter("203.0.113.7")
	if err != nil {
		t.Fatal(err)
	}
	second, err := enter("203.0.113.7")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := enter("203.0.113.7"); mfa.CodeOf(err) != mfa.Busy {
		t.Errorf("a third one of the same network: %v, want %s", err, mfa.Busy)
	}
	other, err := enter("198.51.100.1")
	if err != nil {
		t.Errorf("another network: %v, want a place", err)
	}
	first()
	third, err := enter("203.0.113.7")
	if err != nil {
		t.Errorf("after one was given back: %v, want a place", err)
	}
	for _, release := range []func(){second, third, other} {
		release()
	}
	if len(g.from) != 0 || len(g.running) != 0 {
		t.Errorf("%d networks and %d places are kept, want none", len(g.from), len(g.running))
	}
	for range 8 { // callers without a network have no share
		if _, err := g.enter(context.Background(), mfa.Place{Queue: func(context.Context) error { return &mfa.Error{Code: mfa.TooMany} }}); err != nil && mfa.CodeOf(err) != mfa.TooMany {
			t.Errorf("without a network: %v", err)
		}
	}
	if len(g.running) != 4 || g.waiting.Load() != 0 {
		t.Errorf("%d places are taken and %d wait, want 4 and none: refused callers do not wait", len(g.running), g.waiting.Load())
	}
}

func TestTheDefaultShareOfANetworkIsAnEighth(t *testing.T) {
	for _, c := range []struct {
		o    Options
		want int
	}{{Options{Parallel: 2}, 8}, {Options{Parallel: 2, Queue: 1}, 1}, {Options{PerNetwork: 3}, 3}, {Options{PerNetwork: -1}, -1}} {
		if got := New(testKeyring(t), nil, c.o).queue.share; got != c.want {
			t.Errorf("%+v: a network has %d places, want %d", c.o, got, c.want)
		}
	}
}

func TestTheQueueOfHashesIsBounded(t *testing.T) {
	g := newQueue(1, 2, -1, time.Hour)
	release, err := g.enter(context.Background(), mfa.Place{})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	for range 2 {
		wg.Go(func() {
			if _, err := g.enter(ctx, mfa.Place{}); err == nil {
				t.Error("a second one entered")
			}
		})
	}
	for g.waiting.Load() < 2 {
		runtime.Gosched() // two are on their way into the queue
	}
	_, err = g.enter(context.Background(), mfa.Place{})
	if mfa.CodeOf(err) != mfa.Busy {
		t.Errorf("a full queue: %v, want %s", err, mfa.Busy)
	}
	cancel()
	wg.Wait()
	release()
	if release, err = g.enter(context.Background(), mfa.Place{}); err != nil {
		t.Fatalf("after all are gone: %v", err)
	}
	short := newQueue(1, 2, -1, time.Nanosecond)
	short.running <- struct{}{}
	if _, err := short.enter(context.Background(), mfa.Place{}); mfa.CodeOf(err) != mfa.Busy || err.(*mfa.Error).RetryAfter < time.Second {
		t.Errorf("a wait that ends: %v, want %s with a wait", err, mfa.Busy)
	}
	release()
}
