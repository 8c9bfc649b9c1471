package storagetest

import (
	"fmt"
	"time"

	"sallyport/storage"
)

// takesBack counts failures of several causes at an address that waits after six failures, or
// failures for more than three subjects.
func takesBack(w *fixture, a *storage.AddressThrottle, may func(*fixture, *storage.AddressThrottle, time.Time) (storage.Refusal, error)) {
	of := func(cause int, named bool) *storage.AddressThrottle {
		x := *a
		x.Cause = fmt.Appendf(nil, "%08d of a longer hash", cause)
		if named {
			x.Subject = x.Cause
		}
		return &x
	}
	fail := func(x *storage.AddressThrottle, times int) {
		w.Helper()
		for range times {
			w.ok(w.s.CountFailure(w.ctx, storage.Attempt{Address: x, Now: w.now}))
		}
	}
	takeBack := func(x *storage.AddressThrottle) {
		w.Helper()
		w.ok(w.s.Spend(w.ctx, storage.Spend{Now: w.now, TakeBack: x}))
	}
	waits := func(what string, want bool) {
		w.Helper()
		if _, err := may(w, a, w.now); (err != nil) != want {
			w.Fatalf("%s: %v, want a wait: %v", what, err, want)
		}
	}
	fail(of(1, true), 2)
	fail(of(2, true), 2)
	takeBack(of(3, true)) // has none
	takeBack(of(2, true))
	fail(of(2, true), 1)
	fail(of(4, false), 1) // an identified user: two and one and one are four
	takeBack(of(4, false))
	takeBack(of(4, false)) // once only
	fail(of(4, false), 2)
	waits("five failures", false)
	takeBack(of(2, true))
	takeBack(of(4, false))
	fail(of(5, true), 1)
	fail(of(6, true), 1)
	waits("four failures for three subjects", false)
	takeBack(of(6, true))
	fail(of(7, true), 1)
	waits("three subjects again", false)
	fail(of(8, true), 1)
	waits("a fourth subject", true)
	for cause := range 9 {
		takeBack(of(cause, true))
	}
	waits("a success does not end the wait of others", true)
	w.now = w.now.Add(a.Window)
	waits("after the wait", false)
	fail(of(1, true), 5)
	waits("five failures of the next window", false)
	fail(of(1, true), 1)
	waits("six", true)
}
