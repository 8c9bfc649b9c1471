package exchange_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"runtime"
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

// onePlace returns a fixture that compares one password at a time. The returned function
// takes the place and returns a function that releases it.
func onePlace(t *testing.T, o password.Options) (*mfatest.Fixture, func() func()) {
	t.Helper()
	h := mfatest.New(t)
	o.Memory, o.Time, o.Parallel = 64, 1, 1
	h.Password = password.New(h.Keyring, h.Now, rand.Reader, o)
	h.Open(exchange.Options{Product: "Sallyport", AddressMax: 3})
	return h, func() func() {
		release, err := h.Password.Reserve(context.Background(), mfa.Place{})
		mfatest.Want(t, "take the place", err, "")
		return release
	}
}

func TestABusyServerCountsNoAttempt(t *testing.T) {
	spans := map[string]int{}
	h, take := onePlace(t, password.Options{Wait: time.Nanosecond, Span: func(_ context.Context, operation string) func() {
		spans[operation]++
		return func() { spans["end of "+operation]++ }
	}})
	h.CreateAda()
	clear(spans)
	release := take()
	for range 8 {
		mfatest.Want(t, "while the only place is taken", h.SignIn(h.OpenRequest(), mfatest.Email, "guess guess guess"), mfa.Busy)
	}
	if got := h.Password.Load(); got != (password.Load{Running: 1, Parallel: 1, Queue: 512, Refused: 8}) {
		t.Errorf("load = %+v, want one running and eight turned away", got)
	}
	release()
	mfatest.Want(t, "afterwards", h.SignIn(h.OpenRequest(), mfatest.Email, mfatest.Password), "")
	if got := h.Password.Load(); got.Running != 0 || got.Waiting != 0 {
		t.Errorf("load = %+v afterwards, want none", got)
	}
	// One took the place, eight were refused, one waited and computed.
	if want := map[string]int{"wait to hash password": 10, "end of wait to hash password": 10, "hash password": 1, "end of hash password": 1}; !maps.Equal(spans, want) {
		t.Errorf("spans = %v, want %v", spans, want)
	}
}

// Else one blocked address could lock everyone out with attempts that fill the queue.
func TestABlockedCallerDoesNotFillTheQueue(t *testing.T) {
	for name, block := range map[string]func(h *mfatest.Fixture) (bucket string){
		"a user after too many failures": func(h *mfatest.Fixture) string {
			for range 5 {
				mfatest.Want(h.T, "wrong", h.SignIn(h.OpenRequest(), mfatest.Email, "guess guess guess"), mfa.InvalidCredentials)
			}
			return throttle.Password
		},
		"an address after too many failures": func(h *mfatest.Fixture) string {
			h.Caller.Address = "203.0.113.7"
			for i := range 3 {
				mfatest.Want(h.T, "wrong", h.SignIn(h.OpenRequest(), fmt.Sprintf("nobody%d", i), "guess guess guess"), mfa.InvalidCredentials)
			}
			return "address"
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, take := onePlace(t, password.Options{Queue: 1, Wait: time.Millisecond})
			h.CreateAda()
			bucket := block(h)
			defer take()()
			mfatest.Want(t, "while no place is free", h.SignIn(h.OpenRequest(), mfatest.Email, mfatest.Password), mfa.TooMany)
			waiting, _ := h.Journal.Backlog()
			mfatest.Want(t, "flush", h.Journal.Flush(context.Background()), "")
			events, err := h.Store.ListEvents(context.Background(), storage.EventFilter{Kind: mfa.EventPasswordLocked, Limit: 10})
			if left, lost := h.Journal.Backlog(); waiting == 0 || left != 0 || lost != 0 || err != nil {
				t.Errorf("%d events waited, %d wait after the flush, %d were lost, %v", waiting, left, lost, err)
			}
			if len(events) != 1 || events[0].Detail["bucket"] != bucket || !slices.Contains(throttle.Buckets(), bucket) {
				t.Errorf("events = %+v, want one of bucket %s", events, bucket)
			}
			h.Caller.Address = "198.51.100.1"
			mfatest.Want(t, "another user", h.SignIn(h.OpenRequest(), "nobody", mfatest.Password), mfa.Busy)
		})
	}
}

// A user in a browser of their own does not stand in line with others of the address.
func TestNeighboursDoNotFillTheQueueForAUserInTheirBrowser(t *testing.T) {
	const address = "192.0.2.7"
	h, take := onePlace(t, password.Options{Queue: 2, Wait: time.Minute})
	u := h.CreateAda()
	release := take()
	neighbours := make(chan error, 2)
	for range cap(neighbours) {
		go func() {
			release, err := h.Password.Reserve(t.Context(), mfa.Place{From: address})
			if err == nil {
				release()
			}
			neighbours <- err
		}()
	}
	for h.Password.Load().Waiting < cap(neighbours) {
		runtime.Gosched()
	}
	h.Caller.Address = address
	mfatest.Want(t, "another browser there", h.SignIn(h.OpenRequest(), mfatest.Email, mfatest.Password), mfa.Busy)
	h.Caller.Device = h.Sessions.Remember("", u.ID)
	login, signedIn := h.Read(h.OpenRequest(), mfatest.Email), make(chan error, 1)
	go func() { signedIn <- h.Verifier.Password(t.Context(), h.Caller, login, mfatest.Password) }()
	mfatest.Want(t, "the last neighbour", <-neighbours, mfa.Busy)
	release()
	mfatest.Want(t, "the first neighbour", <-neighbours, "")
	mfatest.Want(t, "the user", <-signedIn, "")
}

// observedRandom reports when it is read, as it is for a salt before each hash.
type observedRandom struct{ drawn func() }

func (r observedRandom) Read(b []byte) (int, error) {
	r.drawn()
	return rand.Read(b)
}

// Else hashes of new passwords would run in addition to those the queue allows (T-8).
func TestAPasswordChangeUsesOnePlace(t *testing.T) {
	h := mfatest.New(t)
	o := h.Owner(h.CreateAda())
	free, drawn := 0, 0
	h.Password = password.New(h.Keyring, h.Now, observedRandom{func() {
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

// hangUp is a password method whose caller disconnects during the comparison.
type hangUp struct {
	*password.Method
	leave func()
}

func (m hangUp) Finish(ctx context.Context, a mfa.Attempt, s mfa.State, r mfa.Response) (mfa.Proof, error) {
	m.leave()
	return m.Method.Finish(ctx, a, s, r)
}

// Half-closing a connection ends the context of its request, but the caller reads the response.
func TestADisconnectedCallerIsCounted(t *testing.T) {
	h := mfatest.New(t)
	h.Caller.Address = "203.0.113.7"
	for i := range 3 {
		ctx, leave := context.WithCancel(context.Background())
		v := exchange.NewVerifier(h.Store, h.Keyring, h.Journal, h.Now, rand.Reader, exchange.Options{AddressMax: 3}, hangUp{h.Password, leave})
		err := v.Password(ctx, h.Caller, h.Read(h.OpenRequest(), fmt.Sprintf("nobody%d", i)), "guess guess guess")
		mfatest.Want(t, "wrong", err, mfa.InvalidCredentials)
	}
	h.Open(exchange.Options{AddressMax: 3})
	mfatest.Want(t, "the address afterwards", h.SignIn(h.OpenRequest(), "nobody", "guess guess guess"), mfa.TooMany)
}
