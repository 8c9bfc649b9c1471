package exchange_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/password"
	"sallyport/mfa/selfservice"
	"sallyport/mfa/throttle"
	"sallyport/storage"
)

// narrow is a house in which one password is compared at a time. The returned
// function takes the place, and gives it back.
func narrow(t *testing.T, o password.Options) (*mfatest.Fixture, func() func()) {
	t.Helper()
	h := mfatest.New(t)
	o.Memory, o.Time, o.Parallel = 64, 1, 1
	h.Password = password.New(h.Keyring, rand.Reader, o)
	h.Open(exchange.Options{Product: "Sallyport", AddressMax: 3})
	return h, func() func() {
		release, err := h.Password.Reserve(context.Background(), mfa.Place{})
		mfatest.Want(t, "take the place", err, "")
		return release
	}
}

func TestABusyServerCountsNoAttempt(t *testing.T) {
	spans := map[string]int{}
	h, take := narrow(t, password.Options{Wait: time.Nanosecond, Span: func(_ context.Context, deed string) func() {
		spans[deed]++
		return func() { spans["end of "+deed]++ }
	}})
	h.Ada()
	clear(spans)
	release := take()
	for range 8 {
		mfatest.Want(t, "while the only place is taken", h.SignIn(h.Begin(), mfatest.Email, "guess guess guess"), mfa.Busy)
	}
	if got := h.Password.Load(); got != (password.Load{Running: 1, Parallel: 1, Queue: 64, Refused: 8}) {
		t.Errorf("load = %+v, want one running and eight turned away", got)
	}
	release()
	mfatest.Want(t, "afterwards", h.SignIn(h.Begin(), mfatest.Email, mfatest.Password), "")
	if got := h.Password.Load(); got.Running != 0 || got.Waiting != 0 {
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
	for name, block := range map[string]func(h *mfatest.Fixture) (bucket string){
		"a user after too many failures": func(h *mfatest.Fixture) string {
			for range 5 {
				mfatest.Want(h.T, "wrong", h.SignIn(h.Begin(), mfatest.Email, "guess guess guess"), mfa.InvalidCredentials)
			}
			return throttle.Password
		},
		"an address after too many failures": func(h *mfatest.Fixture) string {
			h.Caller.Address = "203.0.113.7"
			for i := range 3 {
				mfatest.Want(h.T, "wrong", h.SignIn(h.Begin(), fmt.Sprintf("nobody%d", i), "guess guess guess"), mfa.InvalidCredentials)
			}
			return "address"
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, take := narrow(t, password.Options{Queue: 1, Wait: time.Millisecond})
			h.Ada()
			bucket := block(h)
			defer take()()
			mfatest.Want(t, "while no place is free", h.SignIn(h.Begin(), mfatest.Email, mfatest.Password), mfa.TooMany)
			waiting, _ := h.Journal.Backlog()
			mfatest.Want(t, "flush", h.Journal.Flush(context.Background()), "")
			told, err := h.Store.ListEvents(context.Background(), storage.EventFilter{Kind: mfa.EventPasswordLocked, Limit: 10})
			if left, lost := h.Journal.Backlog(); waiting == 0 || left != 0 || lost != 0 || err != nil {
				t.Errorf("%d events waited, %d wait after the flush, %d were lost, %v", waiting, left, lost, err)
			}
			if len(told) != 1 || told[0].Detail["bucket"] != bucket || !slices.Contains(throttle.Buckets(), bucket) {
				t.Errorf("events = %+v, want one of bucket %s", told, bucket)
			}
			h.Caller.Address = "198.51.100.1"
			mfatest.Want(t, "somebody else", h.SignIn(h.Begin(), "nobody", mfatest.Password), mfa.Busy)
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
	h := mfatest.New(t)
	o := h.Owner(h.Ada())
	free, drawn := 0, 0
	h.Password = password.New(h.Keyring, tell{func() {
		drawn++
		if release, err := h.Password.Reserve(context.Background(), mfa.Place{}); err == nil {
			free++
			release()
		}
	}}, password.Options{Memory: 64, Time: 1, Parallel: 1, Wait: time.Nanosecond})
	h.Open(exchange.Options{AddressMax: -1})
	mfatest.Want(t, "change", h.Accounts.ChangePassword(context.Background(), h.Caller, o, selfservice.PasswordChange{Old: mfatest.Password, New: "seven grey geese on ice"}), "")
	if drawn == 0 || free > 0 {
		t.Errorf("the only place was free in %d of %d hashes, want none", free, drawn)
	}
	release, err := h.Password.Reserve(context.Background(), mfa.Place{})
	mfatest.Want(t, "the place afterwards", err, "")
	release()
}

// hangUp is a password whose caller leaves while it is compared.
type hangUp struct {
	*password.Method
	leave func()
}

func (m hangUp) Finish(ctx context.Context, a mfa.Attempt, s mfa.State, r mfa.Response) (mfa.Proof, error) {
	m.leave()
	return m.Method.Finish(ctx, a, s, r)
}

// A half-closed connection ends the context of its request and still reads the answer.
func TestWhoHangsUpIsCountedAllTheSame(t *testing.T) {
	h := mfatest.New(t)
	h.Caller.Address = "203.0.113.7"
	for i := range 3 {
		ctx, leave := context.WithCancel(context.Background())
		v := exchange.NewVerifier(h.Store, h.Keyring, h.Journal, h.Now, rand.Reader, exchange.Options{AddressMax: 3}, hangUp{h.Password, leave})
		err := v.Password(ctx, h.Caller, h.Read(h.Begin(), fmt.Sprintf("nobody%d", i)), "guess guess guess")
		mfatest.Want(t, "wrong", err, mfa.InvalidCredentials)
	}
	h.Open(exchange.Options{AddressMax: 3})
	mfatest.Want(t, "the address afterwards", h.SignIn(h.Begin(), "nobody", "guess guess guess"), mfa.TooMany)
}
