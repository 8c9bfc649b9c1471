package selfservice_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/notice"
	"sallyport/mfa/selfservice"
)

func TestChangingThePassword(t *testing.T) {
	h := mfatest.New(t)
	u := h.CreateAda()
	o, elsewhere := h.Owner(u), h.Session(u.ID, "password")
	change := func(old, fresh string, others bool) error {
		return h.Accounts.ChangePassword(context.Background(), h.Caller, o, selfservice.PasswordChange{Old: old, New: fresh, EndOthers: others})
	}
	const fresh = "seven grey geese on ice"
	mfatest.Want(t, "too short", change(mfatest.Password, "short", true), mfa.PasswordTooShort)
	mfatest.Want(t, "too common", change(mfatest.Password, "password123", true), mfa.PasswordTooCommon)
	mfatest.Want(t, "wrong old one", change("not it at all", fresh, true), mfa.InvalidCredentials)
	mfatest.Want(t, "no old one", change("", fresh, true), mfa.InvalidRequest)
	if h.Reload(elsewhere) == nil {
		t.Fatal("a refused change ended a session")
	}
	mfatest.Want(t, "right", change(mfatest.Password, fresh, true), "")
	if h.Reload(elsewhere) != nil || h.Reload(o) == nil {
		t.Error("want every other session ended, and this one alive")
	}
	mfatest.Want(t, "log in with the old one", h.SignIn(h.OpenRequest(), mfatest.Email, mfatest.Password), mfa.InvalidCredentials)
	mfatest.Want(t, "log in with the new one", h.SignIn(h.OpenRequest(), mfatest.Email, fresh), "")
	if got := h.Messages()[0].Template; got != notice.PasswordChanged {
		t.Errorf("message = %s, want one about the password", got)
	}
	if got := h.Events(); !slices.Contains(got, mfa.EventPasswordChanged) {
		t.Errorf("events = %v, want the change among them", got)
	}
	for range 5 {
		mfatest.Want(t, "wrong again", change("not it at all", mfatest.Password, false), mfa.InvalidCredentials)
	}
	mfatest.Want(t, "right during the wait", change(fresh, mfatest.Password, false), mfa.TooMany)
	mfatest.Want(t, "a login waits for the same counter", h.SignIn(h.OpenRequest(), mfatest.Email, fresh), mfa.InvalidCredentials)
}

// A stolen password may be enough to sign in, but not to change the password.
func TestAPasswordChangeNeedsAFreshSecondFactor(t *testing.T) {
	for _, tc := range []struct {
		name string
		held bool
		with []string
		age  time.Duration
		code mfa.Code
	}{
		{"the password alone where there is a factor", true, []string{"password"}, 0, mfa.ReauthenticationRequired},
		{"both, long ago", true, []string{"password", "totp"}, 6 * time.Minute, mfa.ReauthenticationRequired},
		{"both, young", true, []string{"password", "totp"}, 4 * time.Minute, ""},
		{"the password alone where there is nothing else, whenever it was", false, []string{"password"}, 11 * time.Hour, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := mfatest.New(t)
			make := h.CreatePasswordUser
			if tc.held {
				make = h.CreateAda
			}
			o := h.Session(make().ID, tc.with...)
			h.Advance(tc.age)
			err := h.Accounts.ChangePassword(context.Background(), h.Caller, o, selfservice.PasswordChange{Old: mfatest.Password, New: "seven grey geese on ice"})
			mfatest.Want(t, "change", err, tc.code)
		})
	}
}

// Of two tabs that change the password, the second gets a conflict.
func TestOnlyOneOfParallelPasswordChangesSucceeds(t *testing.T) {
	h := mfatest.New(t)
	u := h.CreatePasswordUser()
	o := h.Session(u.ID, "password")
	fresh := []string{"seven grey geese on ice", "nine white swans on snow", "six brown ducks on mud"}
	errs := make([]error, len(fresh))
	var wg sync.WaitGroup
	for i, password := range fresh {
		wg.Go(func() {
			errs[i] = h.Accounts.ChangePassword(context.Background(), h.Caller, o, selfservice.PasswordChange{Old: mfatest.Password, New: password})
		})
	}
	wg.Wait()
	won := -1
	for i, err := range errs {
		if err == nil && won < 0 {
			won = i
			continue
		}
		mfatest.Want(t, "the loser", err, mfa.RequestChanged)
	}
	if won < 0 {
		t.Fatalf("no change succeeded: %v", errs)
	}
	for i, password := range fresh {
		code := mfa.InvalidCredentials
		if i == won {
			code = ""
		}
		mfatest.Want(t, password, h.SignIn(h.OpenRequest(), mfatest.Email, password), code)
	}
	messages := 0
	for _, m := range h.Messages() {
		if m.Template == notice.PasswordChanged {
			messages++
		}
	}
	if messages != 1 {
		t.Errorf("%d messages about a change, want 1", messages)
	}
}
