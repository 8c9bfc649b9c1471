package users_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"runtime"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/password"
	"sallyport/mfa/users"
	"sallyport/storage"
)

// An address that signs up, or resets passwords, in a flood has a line of its own: at most it keeps
// itself waiting.
func TestNewPasswordsOfAnAddressDoNotFillTheQueueForOthers(t *testing.T) {
	for name, begin := range map[string]func(h *mfatest.Fixture, caller mfa.Caller, n int) error{
		"sign-up": func(h *mfatest.Fixture, caller mfa.Caller, n int) error {
			_, err := h.Users.SignUp(context.Background(), caller, users.SignUp{Password: mfatest.Password,
				Address: storage.Identifier{UserID: "new", Kind: storage.Email, Value: fmt.Sprintf("n%d@example.com", n)}})
			return err
		},
		"reset": func(h *mfatest.Fixture, caller mfa.Caller, n int) error {
			return h.Users.ResetPassword(context.Background(), caller, storage.Account{User: storage.User{ID: "nobody"}}, mfatest.Password, storage.TicketSpend{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := mfatest.New(t)
			h.Password = password.New(h.Keyring, h.Now, rand.Reader, password.Options{Memory: 64, Time: 1, Parallel: 1, Queue: 2, Wait: time.Minute})
			h.Open(exchange.Options{Product: "Sallyport"})
			release, err := h.Password.Reserve(t.Context(), mfa.Place{})
			mfatest.Want(t, "take the place", err, "")
			flood, other := make(chan error, 2), make(chan error, 1)
			for n := range cap(flood) {
				go func() { flood <- begin(h, mfa.Caller{Address: "192.0.2.7"}, n) }()
			}
			for h.Password.Load().Waiting < cap(flood) {
				runtime.Gosched()
			}
			mfatest.Want(t, "more of the address", begin(h, mfa.Caller{Address: "192.0.2.7"}, 2), mfa.Busy)
			go func() { other <- begin(h, mfa.Caller{Address: "198.51.100.1"}, 3) }()
			select {
			case err := <-other:
				t.Fatalf("another address: %v, with no place free", err)
			case err := <-flood:
				mfatest.Want(t, "the last of the flood", err, mfa.Busy)
			}
			release()
			<-flood
			<-other
		})
	}
}
