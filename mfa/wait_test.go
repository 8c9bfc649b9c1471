package mfa_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

// Whoever tries on during a wait has proven nothing and must not fill the trail: a wait is
// one line of it, and every try is counted.
func TestAWaitIsWrittenDownOnce(t *testing.T) {
	const tries = 50
	for name, c := range map[string]struct {
		begin  func(h *house) // fails until a wait begins
		try    func(h *house) error
		kind   string
		bucket string
	}{
		"a password": {func(h *house) {
			for h.login(h.begin(), ownMail, "guess guess guess"); mfa.CodeOf(h.login(h.begin(), ownMail, "guess guess guess")) != mfa.TooMany; {
			}
		}, func(h *house) error { return h.login(h.begin(), ownMail, ownPass) }, mfa.EventPasswordLocked, mfa.BucketPassword},
		"a code": {func(h *house) {
			for id, x := h.loggedIn(), storage.ExchangeID(""); ; {
				var err error
				if x, err = h.prove(id, "totp", h.wrong(), x); mfa.CodeOf(err) == mfa.TooMany {
					return
				}
			}
		}, func(h *house) error {
			_, err := h.prove(h.loggedIn(), "totp", h.wrong(), "")
			return err
		}, mfa.EventMFALocked, mfa.BucketFactor},
		"an address": {func(h *house) {
			h.visit.Address = "203.0.113.7"
			for i := range 3 {
				want(h.t, "wrong", h.login(h.begin(), fmt.Sprint("nobody", i), "guess guess guess"), mfa.InvalidCredentials)
			}
			want(h.t, "the first", h.login(h.begin(), "nobody", "guess guess guess"), mfa.TooMany)
		}, func(h *house) error { return h.login(h.begin(), ownMail, ownPass) }, mfa.EventPasswordLocked, "address"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			var throttled atomic.Int64
			max := -1
			if c.bucket == "address" {
				max = 3
			}
			h.open(mfa.Options{Product: "Sallyport", AddressMax: max, Throttled: func(_, bucket string) {
				if bucket != c.bucket {
					t.Errorf("refused by %s, want %s", bucket, c.bucket)
				}
				throttled.Add(1)
			}})
			h.ada()
			for wait := 1; wait <= 2; wait++ {
				c.begin(h)
				before := throttled.Load()
				var all sync.WaitGroup
				for range tries {
					all.Go(func() {
						err := c.try(h)
						for mfa.CodeOf(err) == mfa.Busy { // no place free in the queue of hashes: nothing was asked
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
				if got := h.lines(c.kind); got != wait {
					t.Errorf("after %d waits there are %d lines of %s", wait, got, c.kind)
				}
				h.wait(11 * time.Minute)
			}
		})
	}
}
