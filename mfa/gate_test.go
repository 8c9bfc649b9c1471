package mfa_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"sallyport/mfa"
)

// narrow is a house in which one password is compared at a time. The returned
// function takes the place, and gives it back.
func narrow(t *testing.T, o mfa.PasswordOptions) (*house, func() func()) {
	t.Helper()
	h := newHouse(t)
	o.Memory, o.Time, o.Parallel = 64, 1, 1
	h.password = mfa.NewPassword(h.keyring, rand.Reader, o)
	h.open(mfa.Options{Product: "Sallyport", AddressMax: 3})
	return h, func() func() {
		release, err := h.password.Reserve(context.Background(), mfa.Place{})
		want(t, "take the place", err, "")
		return release
	}
}

func TestABusyServerCountsNoAttempt(t *testing.T) {
	h, take := narrow(t, mfa.PasswordOptions{Wait: time.Nanosecond})
	h.ada()
	release := take()
	for range 8 {
		want(t, "while the only place is taken", h.login(h.begin(), ownMail, "guess guess guess"), mfa.Busy)
	}
	release()
	want(t, "afterwards", h.login(h.begin(), ownMail, ownPass), "")
}

// Without this one blocked address denies passwords to everybody: its attempts
// would wait in the queue for a computation they never get.
func TestWhoHasToWaitAnywayDoesNotFillTheQueue(t *testing.T) {
	for name, block := range map[string]func(h *house){
		"a user after too many failures": func(h *house) {
			for range 5 {
				want(h.t, "wrong", h.login(h.begin(), ownMail, "guess guess guess"), mfa.InvalidCredentials)
			}
		},
		"an address after too many failures": func(h *house) {
			h.visit.Address = "203.0.113.7"
			for i := range 3 {
				want(h.t, "wrong", h.login(h.begin(), fmt.Sprintf("nobody%d", i), "guess guess guess"), mfa.InvalidCredentials)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, take := narrow(t, mfa.PasswordOptions{Queue: 1, Wait: time.Millisecond})
			h.ada()
			block(h)
			defer take()()
			want(t, "while no place is free", h.login(h.begin(), ownMail, ownPass), mfa.TooMany)
			h.visit.Address = "198.51.100.1"
			want(t, "somebody else", h.login(h.begin(), "nobody", ownPass), mfa.Busy)
		})
	}
}
