package exchange_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/throttle"
	"sallyport/storage"
)

// Attempts during a wait must not fill the audit trail: it has one event for a wait, and the
// metric counts every attempt.
func TestAWaitIsLoggedOnce(t *testing.T) {
	const tries = 50
	for name, c := range map[string]struct {
		begin  func(h *mfatest.Fixture) // fails until a wait begins
		try    func(h *mfatest.Fixture) error
		kind   string
		bucket string
	}{
		"a password": {func(h *mfatest.Fixture) {
			for h.SignIn(h.OpenRequest(), mfatest.Email, "guess guess guess"); mfa.CodeOf(h.SignIn(h.OpenRequest(), mfatest.Email, "guess guess guess")) != mfa.TooMany; {
			}
		}, func(h *mfatest.Fixture) error { return h.SignIn(h.OpenRequest(), mfatest.Email, mfatest.Password) }, mfa.EventPasswordLocked, throttle.Password},
		"a code": {func(h *mfatest.Fixture) {
			for id, x := h.SignedIn(), storage.ExchangeID(""); ; {
				var err error
				if x, err = h.Prove(id, "totp", h.Wrong(), x); mfa.CodeOf(err) == mfa.TooMany {
					return
				}
			}
		}, func(h *mfatest.Fixture) error {
			_, err := h.Prove(h.SignedIn(), "totp", h.Wrong(), "")
			return err
		}, mfa.EventMFALocked, throttle.Factor},
		"an address": {func(h *mfatest.Fixture) {
			h.Caller.Address = "203.0.113.7"
			for i := range 3 {
				mfatest.Want(h.T, "wrong", h.SignIn(h.OpenRequest(), fmt.Sprint("nobody", i), "guess guess guess"), mfa.InvalidCredentials)
			}
			mfatest.Want(h.T, "the first", h.SignIn(h.OpenRequest(), "nobody", "guess guess guess"), mfa.TooMany)
		}, func(h *mfatest.Fixture) error { return h.SignIn(h.OpenRequest(), mfatest.Email, mfatest.Password) }, mfa.EventPasswordLocked, "address"},
	} {
		t.Run(name, func(t *testing.T) {
			h := mfatest.New(t)
			var throttled atomic.Int64
			max := -1
			if c.bucket == "address" {
				max = 3
			}
			h.Open(exchange.Options{Product: "Sallyport", AddressMax: max, Throttled: func(_, bucket string) {
				if bucket != c.bucket {
					t.Errorf("refused by %s, want %s", bucket, c.bucket)
				}
				throttled.Add(1)
			}})
			h.CreateAda()
			for wait := 1; wait <= 2; wait++ {
				c.begin(h)
				before := throttled.Load()
				var all sync.WaitGroup
				for range tries {
					all.Go(func() {
						err := c.try(h)
						for mfa.CodeOf(err) == mfa.Busy { // no place free in the queue of hashes: nothing was counted
							err = c.try(h)
						}
						if mfa.CodeOf(err) != mfa.TooMany {
							t.Errorf("during the wait: %v", err)
						}
					})
				}
				all.Wait()
				if got := throttled.Load() - before; got != tries {
					t.Errorf("wait %d: %d refused tries were counted, want %d", wait, got, tries)
				}
				if got := h.CountEvents(c.kind); got != wait {
					t.Errorf("after %d waits there are %d lines of %s", wait, got, c.kind)
				}
				h.Advance(11 * time.Minute)
			}
		})
	}
}
