package mfa_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"sallyport/mfa"
)

func TestChangingThePassword(t *testing.T) {
	h := newHouse(t)
	u := h.ada()
	o, elsewhere := h.owner(u), h.session(u.ID, "password")
	change := func(old, fresh string, others bool) error {
		return h.verifier.ChangePassword(context.Background(), h.visit, o, mfa.PasswordChange{Old: old, New: fresh, EndOthers: others})
	}
	const fresh = "seven grey geese on ice"
	want(t, "too short", change(ownPass, "short", true), mfa.PasswordTooShort)
	want(t, "too common", change(ownPass, "password123", true), mfa.PasswordTooCommon)
	want(t, "wrong old one", change("not it at all", fresh, true), mfa.InvalidCredentials)
	want(t, "no old one", change("", fresh, true), mfa.InvalidRequest)
	if h.again(elsewhere) == nil {
		t.Fatal("a refused change ended a session")
	}
	want(t, "right", change(ownPass, fresh, true), "")
	if h.again(elsewhere) != nil || h.again(o) == nil {
		t.Error("want every other session ended, and this one alive")
	}
	want(t, "log in with the old one", h.login(h.begin(), ownMail, ownPass), mfa.InvalidCredentials)
	want(t, "log in with the new one", h.login(h.begin(), ownMail, fresh), "")
	if got := h.messages()[0].Template; got != mfa.MessagePasswordChanged {
		t.Errorf("message = %s, want one about the password", got)
	}
	if got := h.events(); !slices.Contains(got, mfa.EventPasswordChanged) {
		t.Errorf("events = %v, want the change among them", got)
	}
	for range 5 {
		want(t, "wrong again", change("not it at all", ownPass, false), mfa.InvalidCredentials)
	}
	want(t, "right during the wait", change(fresh, ownPass, false), mfa.TooMany)
	want(t, "a login waits for the same counter", h.login(h.begin(), ownMail, fresh), mfa.InvalidCredentials)
}

// A stolen password is enough to sign in to a page that asks for no more: it must not
// be enough to put another one in its place.
func TestAPasswordIsNotReplacedWithoutTheFactorThereIs(t *testing.T) {
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
			h := newHouse(t)
			make := h.bob
			if tc.held {
				make = h.ada
			}
			o := h.session(make().ID, tc.with...)
			h.wait(tc.age)
			err := h.verifier.ChangePassword(context.Background(), h.visit, o, mfa.PasswordChange{Old: ownPass, New: "seven grey geese on ice"})
			want(t, "change", err, tc.code)
		})
	}
}

// Two tabs, two new passwords: the one that came first is the password, and the other
// tab hears that it was late.
func TestOfRacingPasswordChangesOneWins(t *testing.T) {
	h := newHouse(t)
	u := h.bob()
	o := h.session(u.ID, "password")
	fresh := []string{"seven grey geese on ice", "nine white swans on snow", "six brown ducks on mud"}
	errs := make([]error, len(fresh))
	var wg sync.WaitGroup
	for i, password := range fresh {
		wg.Go(func() {
			errs[i] = h.verifier.ChangePassword(context.Background(), h.visit, o, mfa.PasswordChange{Old: ownPass, New: password})
		})
	}
	wg.Wait()
	won := -1
	for i, err := range errs {
		if err == nil && won < 0 {
			won = i
			continue
		}
		want(t, "the loser", err, mfa.RequestChanged)
	}
	if won < 0 {
		t.Fatalf("nobody changed the password: %v", errs)
	}
	for i, password := range fresh {
		code := mfa.InvalidCredentials
		if i == won {
			code = ""
		}
		want(t, password, h.login(h.begin(), ownMail, password), code)
	}
	told := 0
	for _, m := range h.messages() {
		if m.Template == mfa.MessagePasswordChanged {
			told++
		}
	}
	if told != 1 {
		t.Errorf("%d messages about a change, want 1", told)
	}
}
