package exchange_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/throttle"
	"sallyport/storage"
	"sallyport/storage/storagetest"
)

// on runs a test on both databases.
func on(t *testing.T, test func(h *mfatest.Fixture)) {
	t.Run("SQLite", func(t *testing.T) { test(mfatest.New(t)) })
	t.Run("PostgreSQL", func(t *testing.T) { test(mfatest.NewAt(t, storagetest.Postgres(t))) })
}

// free is a login of an address that does not wait.
func free(h *mfatest.Fixture, id storage.RequestID, identifier string) exchange.Login {
	p := h.Read(id, identifier)
	p.Address = &storage.AddressState{}
	return p
}

// guess sends wrong responses at once and returns how many were compared. The others must be
// refused by a counter, or for a database that is busy.
func guess(h *mfatest.Fixture, n int, wrong mfa.Code, try func(i int) error) int {
	h.T.Helper()
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { errs[i] = try(i) })
	}
	all.Wait()
	compared := 0
	for _, err := range errs {
		switch code := mfa.CodeOf(err); {
		case code == wrong:
			compared++
		case code != mfa.TooMany && !errors.Is(err, storage.ErrUnavailable):
			h.T.Errorf("a wrong guess: %v", err)
		}
	}
	return compared
}

// All guesses were read before the first one was counted: none is counted before it is compared.
func TestConcurrentGuessesAreBoundedWhereNothingWasCounted(t *testing.T) {
	const guesses, most = 24, 5
	on(t, func(h *mfatest.Fixture) {
		h.CreateAda()
		logins := make([]exchange.Login, guesses)
		for i := range logins {
			logins[i] = free(h, h.OpenRequest(), mfatest.Email)
		}
		right := free(h, h.OpenRequest(), mfatest.Email)
		n := guess(h, guesses, mfa.InvalidCredentials, func(i int) error {
			return h.Verifier.Password(context.Background(), h.Caller, logins[i], "a wrong guess")
		})
		// Where the user's counter refuses and that of the name does not, every password is wrong:
		// the counter says how many were judged.
		account, err := h.Store.Account(context.Background(), right.Account.User.ID)
		mfatest.Want(h.T, "read", err, "")
		waits, err := h.Store.Waits(context.Background(), throttle.UserKeys(h.Keyring, account), h.Now())
		mfatest.Want(h.T, "read waits", err, "")
		if err := h.Verifier.Password(context.Background(), h.Caller, right, mfatest.Password); n >= most &&
			(len(waits) == 0 || mfa.CodeOf(err) != mfa.InvalidCredentials && mfa.CodeOf(err) != mfa.TooMany) {
			h.T.Errorf("the right password after %d wrong ones, with the waits %v: %v", n, waits, err)
		}

		h.Advance(25 * throttle.Schedule(throttle.Password).Cap)
		for i := range logins {
			logins[i] = free(h, h.SignedIn(), "")
		}
		right = free(h, h.SignedIn(), "")
		n = guess(h, guesses, mfa.InvalidPasscode, func(i int) error {
			_, err := h.Verifier.Prove(context.Background(), h.Caller, logins[i], exchange.Choice{Method: "totp"}, "", mfa.Typed(h.Wrong()))
			return err
		})
		if n == 0 || n > most {
			h.T.Errorf("%d of %d wrong codes were compared, want 1 to %d", n, guesses, most)
		}
		if n == most {
			_, err := h.Verifier.Prove(context.Background(), h.Caller, right, exchange.Choice{Method: "totp"}, "", mfa.Typed(h.Code(0)))
			mfatest.Want(h.T, "the right code during the wait", err, mfa.TooMany)
		}
	})
}

func TestARightResponseIsCountedIfAnotherOneFailedMeanwhile(t *testing.T) {
	on(t, func(h *mfatest.Fixture) {
		u := h.CreateAda()
		ctx := context.Background()
		early := free(h, h.OpenRequest(), mfatest.Email)
		mfatest.Want(h.T, "a wrong one", h.Verifier.Password(ctx, h.Caller, free(h, h.OpenRequest(), mfatest.Email), "a wrong guess"), mfa.InvalidCredentials)
		mfatest.Want(h.T, "a right one read before", h.Verifier.Password(ctx, h.Caller, early, mfatest.Password), "")
		account, err := h.Store.Account(ctx, u.ID)
		mfatest.Want(h.T, "read", err, "")
		for _, a := range account.Authenticators {
			if len(a.Failing) > 0 {
				h.T.Errorf("%s has failures in %v after a success", a.Method, a.Failing)
			}
		}
		waits, err := h.Store.Waits(ctx, throttle.UserKeys(h.Keyring, account), h.Now())
		if err != nil || len(waits) > 0 {
			h.T.Errorf("waits = %v, %v after a success", waits, err)
		}
	})
}

func TestALoginWithoutFailuresCountsNothing(t *testing.T) {
	h := mfatest.New(t)
	h.CreateAda()
	p := free(h, h.OpenRequest(), mfatest.Email)
	before := h.Store.Stats()
	mfatest.Want(t, "password", h.Verifier.Password(context.Background(), h.Caller, p, mfatest.Password), "")
	after := h.Store.Stats()
	if s, c := after.Statements-before.Statements, after.Commits-before.Commits; s != 3 || c != 1 {
		t.Errorf("%d statements and %d commits, want the authenticator, the request and the event in 1", s, c)
	}
	p.Address.Waits = true
	if err := h.Verifier.Password(context.Background(), h.Caller, p, mfatest.Password); mfa.CodeOf(err) != mfa.RequestChanged {
		t.Errorf("with an address that waits = %v, want a counted attempt that comes second", err)
	}
	if n := h.Store.Stats().Commits - after.Commits; n != 1 {
		t.Errorf("%d commits, want the count alone", n)
	}
}

// A counter can refuse where its user has no failures: that of a name which others typed in logins
// of their own.
func TestAWaitOfTheNameHoldsForUsersWithoutFailures(t *testing.T) {
	on(t, func(h *mfatest.Fixture) {
		h.CreateAda()
		ctx := context.Background()
		for range 5 {
			p := free(h, h.OpenRequest(), mfatest.Email)
			p.Account = nil // the login is of another user
			mfatest.Want(h.T, "the name in the login of another user", h.Verifier.Password(ctx, h.Caller, p, "a wrong guess"), mfa.InvalidCredentials)
		}
		refusesAll(h, h.Caller)
	})
}

// A success in one known browser resets that browser's counter alone.
func TestAWaitOfABrowserOutlivesASuccessInAnother(t *testing.T) {
	on(t, func(h *mfatest.Fixture) {
		u := h.CreateAda()
		ctx := context.Background()
		stolen, own := h.Caller, h.Caller
		stolen.Device, own.Device = h.Sessions.Remember("", u.ID), h.Sessions.Remember("", u.ID)
		for range 5 {
			mfatest.Want(h.T, "in the stolen browser", h.Verifier.Password(ctx, stolen, free(h, h.OpenRequest(), mfatest.Email), "a wrong guess"), mfa.InvalidCredentials)
		}
		mfatest.Want(h.T, "in the owner's", h.Verifier.Password(ctx, own, free(h, h.OpenRequest(), mfatest.Email), mfatest.Password), "")
		refusesAll(h, stolen)
	})
}

// refusesAll guesses during a wait: wrong and right passwords are refused alike.
func refusesAll(h *mfatest.Fixture, caller mfa.Caller) {
	h.T.Helper()
	for i := range 6 {
		for _, password := range []string{mfatest.Password, "a wrong guess"} {
			err := h.Verifier.Password(context.Background(), caller, free(h, h.OpenRequest(), mfatest.Email), password)
			mfatest.Want(h.T, fmt.Sprintf("guess %d with %q during the wait", i, password), err, mfa.TooMany)
		}
	}
}
