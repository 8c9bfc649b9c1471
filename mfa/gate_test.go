package mfa_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
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
	spans := map[string]int{}
	h, take := narrow(t, mfa.PasswordOptions{Wait: time.Nanosecond, Span: func(_ context.Context, deed string) func() {
		spans[deed]++
		return func() { spans["end of "+deed]++ }
	}})
	h.ada()
	clear(spans)
	release := take()
	for range 8 {
		want(t, "while the only place is taken", h.login(h.begin(), ownMail, "guess guess guess"), mfa.Busy)
	}
	if got := h.password.Load(); got != (mfa.Load{Running: 1, Parallel: 1, Queue: 64, Refused: 8}) {
		t.Errorf("load = %+v, want one running and eight turned away", got)
	}
	release()
	want(t, "afterwards", h.login(h.begin(), ownMail, ownPass), "")
	if got := h.password.Load(); got.Running != 0 || got.Waiting != 0 {
		t.Errorf("load = %+v afterwards, want none", got)
	}
	// The place taken, eight refused, one that got it and computed.
	if want := map[string]int{"wait to hash password": 10, "end of wait to hash password": 10, "hash password": 1, "end of hash password": 1}; !maps.Equal(spans, want) {
		t.Errorf("spans = %v, want %v", spans, want)
	}
}

// Without this one blocked address denies passwords to everybody: its attempts
// would wait in the queue for a computation they never get.
func TestWhoHasToWaitAnywayDoesNotFillTheQueue(t *testing.T) {
	for name, block := range map[string]func(h *house) (bucket string){
		"a user after too many failures": func(h *house) string {
			for range 5 {
				want(h.t, "wrong", h.login(h.begin(), ownMail, "guess guess guess"), mfa.InvalidCredentials)
			}
			return mfa.BucketPassword
		},
		"an address after too many failures": func(h *house) string {
			h.visit.Address = "203.0.113.7"
			for i := range 3 {
				want(h.t, "wrong", h.login(h.begin(), fmt.Sprintf("nobody%d", i), "guess guess guess"), mfa.InvalidCredentials)
			}
			return "address"
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, take := narrow(t, mfa.PasswordOptions{Queue: 1, Wait: time.Millisecond})
			h.ada()
			bucket := block(h)
			defer take()()
			want(t, "while no place is free", h.login(h.begin(), ownMail, ownPass), mfa.TooMany)
			waiting, _ := h.journal.Backlog()
			want(t, "flush", h.journal.Flush(context.Background()), "")
			told, err := h.store.ListEvents(context.Background(), storage.EventFilter{Kind: mfa.EventPasswordLocked, Limit: 10})
			if left, lost := h.journal.Backlog(); waiting == 0 || left != 0 || lost != 0 || err != nil {
				t.Errorf("%d events waited, %d wait after the flush, %d were lost, %v", waiting, left, lost, err)
			}
			if len(told) != 1 || told[0].Detail["bucket"] != bucket || !slices.Contains(mfa.Buckets(), bucket) {
				t.Errorf("events = %+v, want one of bucket %s", told, bucket)
			}
			h.visit.Address = "198.51.100.1"
			want(t, "somebody else", h.login(h.begin(), "nobody", ownPass), mfa.Busy)
		})
	}
}

// tell is randomness that tells when it is drawn, as a salt is when a hash begins.
type tell struct{ drawn func() }

func (r tell) Read(b []byte) (int, error) {
	r.drawn()
	return rand.Read(b)
}

// Otherwise hashes of new passwords run beside those that the places bound (T-8).
func TestANewPasswordIsHashedInThePlaceOfTheOld(t *testing.T) {
	h := newHouse(t)
	o := h.owner(h.ada())
	free, drawn := 0, 0
	h.password = mfa.NewPassword(h.keyring, tell{func() {
		drawn++
		if release, err := h.password.Reserve(context.Background(), mfa.Place{}); err == nil {
			free++
			release()
		}
	}}, mfa.PasswordOptions{Memory: 64, Time: 1, Parallel: 1, Wait: time.Nanosecond})
	h.open(mfa.Options{AddressMax: -1})
	want(t, "change", h.verifier.ChangePassword(context.Background(), h.visit, o, mfa.PasswordChange{Old: ownPass, New: "seven grey geese on ice"}), "")
	if drawn == 0 || free > 0 {
		t.Errorf("the only place was free in %d of %d hashes, want none", free, drawn)
	}
	release, err := h.password.Reserve(context.Background(), mfa.Place{})
	want(t, "the place afterwards", err, "")
	release()
}

// hangUp is a password whose caller leaves while it is compared.
type hangUp struct {
	*mfa.Password
	leave func()
}

func (m hangUp) Finish(ctx context.Context, a mfa.Attempt, s mfa.State, r mfa.Response) (mfa.Proof, error) {
	m.leave()
	return m.Password.Finish(ctx, a, s, r)
}

// A half-closed connection ends the context of its request and still reads the answer.
func TestWhoHangsUpIsCountedAllTheSame(t *testing.T) {
	h := newHouse(t)
	h.visit.Address = "203.0.113.7"
	for i := range 3 {
		ctx, leave := context.WithCancel(context.Background())
		v := mfa.NewVerifier(h.store, h.keyring, h.journal, h.now, rand.Reader, mfa.Options{AddressMax: 3}, hangUp{h.password, leave})
		err := v.Login(ctx, h.visit, h.proving(h.begin(), fmt.Sprintf("nobody%d", i)), "guess guess guess")
		want(t, "wrong", err, mfa.InvalidCredentials)
	}
	h.open(mfa.Options{AddressMax: 3})
	want(t, "the address afterwards", h.login(h.begin(), "nobody", "guess guess guess"), mfa.TooMany)
}
