package backend_test

import (
	"context"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/backend"
	"sallyport/mfa/exchange"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/notice"
	"sallyport/mfa/users"
	"sallyport/storage"
)

// factor returns the only authenticator of a user with a method and a state, or nil.
func factor(h *mfatest.Fixture, user storage.UserID, method string, state storage.AuthenticatorState) *storage.Authenticator {
	h.T.Helper()
	a, err := h.Backend.User(context.Background(), user)
	mfatest.Want(h.T, "read", err, "")
	var found *storage.Authenticator
	for i, x := range a.Authenticators {
		if x.Method == method && x.State == state {
			if found != nil {
				h.T.Fatalf("two of %s", method)
			}
			found = &a.Authenticators[i]
		}
	}
	return found
}

func TestDeletingAUserEndsEverything(t *testing.T) {
	h := mfatest.New(t)
	ctx := context.Background()
	u := h.CreateAda()
	o := h.Owner(u)
	mfatest.Want(t, "delete", h.Backend.DeleteUser(ctx, h.Caller, u.ID), "")
	if h.Reload(o) != nil {
		t.Error("the session lives on")
	}
	_, err := h.Backend.User(ctx, u.ID)
	mfatest.Want(t, "read", err, mfa.UserNotFound)
	mfatest.Want(t, "delete again", h.Backend.DeleteUser(ctx, h.Caller, u.ID), mfa.UserNotFound)
	if n := h.CountEvents(mfa.EventUserDeleted); n != 1 {
		t.Errorf("logged %d times", n)
	}
	create(h, backend.Draft{Email: mfatest.Email})
}

func TestADeletedAddressIsFreeAndItsUserIsTold(t *testing.T) {
	h := mfatest.New(t)
	ctx := context.Background()
	a, b := create(h, backend.Draft{Email: mfatest.Email, Phone: number}), create(h, backend.Draft{Email: mfatest.OtherEmail})
	ids := map[storage.IdentifierKind]storage.IdentifierID{}
	for _, i := range a.Identifiers {
		ids[i.Kind] = i.ID
	}
	mfatest.Want(t, "verify", h.Store.VerifyIdentifier(ctx, ids[storage.Email], h.Now(), nil), "")
	_, err := h.Backend.DeleteIdentifier(ctx, h.Caller, storage.Email, ids[storage.Phone])
	refused(t, "a number as an e-mail address", err, mfa.IdentifierNotFound, storage.Email)
	got, err := h.Backend.DeleteIdentifier(ctx, h.Caller, storage.Phone, ids[storage.Phone])
	mfatest.Want(t, "delete the number", err, "")
	if got.User.ID != a.User.ID || len(got.Identifiers) != 1 || len(h.Messages()) != 0 {
		t.Errorf("got %+v, %d messages about an address that was not verified", got, len(h.Messages()))
	}
	_, err = h.Backend.DeleteIdentifier(ctx, h.Caller, storage.Phone, ids[storage.Phone])
	refused(t, "delete again", err, mfa.IdentifierNotFound, storage.Phone)
	won := 0
	for _, err := range concurrently(8, func(int) error {
		_, err := h.Backend.DeleteIdentifier(ctx, h.Caller, storage.Email, ids[storage.Email])
		return err
	}) {
		if err == nil {
			won++
			continue
		}
		refused(t, "a loser", err, mfa.IdentifierNotFound, storage.Email)
	}
	m := h.Messages()
	if won != 1 || len(m) != 1 || m[0].Template != notice.AddressRemoved || m[0].Recipient != mfatest.Email || m[0].Data["address"] != mfatest.Email {
		t.Errorf("%d winners, messages %+v", won, m)
	}
	if n := h.CountEvents(mfa.EventUserChanged); n != 2 {
		t.Errorf("logged %d times, want 2", n)
	}
	_, _, err = h.Backend.ChangeUser(ctx, h.Caller, b.User.ID, backend.Change{Emails: []string{mfatest.Email}, Phones: []string{number}})
	mfatest.Want(t, "another user gets them", err, "")
}

func TestDeletingTheLastTOTPTakesTheRecoveryCodes(t *testing.T) {
	h := mfatest.New(t)
	ctx := context.Background()
	u := h.CreateAda()
	active := factor(h, u.ID, "totp", storage.AuthenticatorActive)
	pending, err := h.EnrollAs(h.Owner(u), exchange.NewFactor{Method: "totp", Name: "second"})
	mfatest.Want(t, "enroll", err, "")
	got, err := h.Backend.DeleteTOTP(ctx, h.Caller, pending.Authenticator)
	mfatest.Want(t, "delete the pending one", err, "")
	if got.User.ID != u.ID || !got.User.MFAEnabled || factor(h, u.ID, "recovery", storage.AuthenticatorActive) == nil || len(h.Messages()) != 0 {
		t.Errorf("the user lost more than a pending authenticator: %+v", got)
	}
	_, err = h.Backend.DeleteTOTP(ctx, h.Caller, factor(h, u.ID, "recovery", storage.AuthenticatorActive).ID)
	mfatest.Want(t, "a set of recovery codes", err, mfa.NotConfigured)
	got, err = h.Backend.DeleteTOTP(ctx, h.Caller, active.ID)
	mfatest.Want(t, "delete", err, "")
	if got.User.MFAEnabled || len(got.Authenticators) != 1 || got.Authenticators[0].Method != "password" {
		t.Errorf("left: %+v", got)
	}
	if m := h.Messages(); len(m) != 1 || m[0].Template != notice.FactorRemoved {
		t.Errorf("messages %+v", m)
	}
	if n := h.CountEvents(mfa.EventFactorDeleted); n != 2 {
		t.Errorf("logged %d times, want 2", n)
	}
	for _, id := range []storage.AuthenticatorID{active.ID, "", "x"} {
		_, err = h.Backend.DeleteTOTP(ctx, h.Caller, id)
		mfatest.Want(t, "delete again", err, mfa.NotConfigured)
	}
}

func TestALockIsShownWhileItLasts(t *testing.T) {
	h := mfatest.New(t)
	ctx := context.Background()
	u := h.CreateAda()
	lock := func() (backend.Lock, bool) {
		t.Helper()
		a, err := h.Backend.User(ctx, u.ID)
		mfatest.Want(t, "read", err, "")
		l, locked, err := h.Backend.LockOf(ctx, a)
		mfatest.Want(t, "lock", err, "")
		return l, locked
	}
	for range 5 {
		mfatest.Want(t, "a wrong password", h.SignIn(h.OpenRequest(), mfatest.Email, "wrong password"), mfa.InvalidCredentials)
	}
	if l, locked := lock(); locked {
		t.Errorf("guessed passwords lock the codes: %+v", l)
	}
	h.Advance(time.Hour)
	login := h.SignedIn()
	for range 5 {
		_, err := h.Prove(login, "totp", h.Wrong(), "")
		mfatest.Want(t, "a wrong code", err, mfa.InvalidPasscode)
		h.Advance(time.Second)
	}
	since := h.Now().Add(-time.Second)
	if l, locked := lock(); !locked || !l.Since.Equal(since) || !l.Until.Equal(since.Add(30*time.Second)) {
		t.Errorf("locked %v, %+v, want half a minute from %s", locked, l, since)
	}
	h.Advance(time.Minute)
	if l, locked := lock(); locked {
		t.Errorf("after the wait: %+v", l)
	}
	for range 95 {
		h.Advance(time.Hour)
		_, err := h.Prove(h.SignedIn(), "totp", h.Wrong(), "")
		mfatest.Want(t, "a wrong code", err, mfa.InvalidPasscode)
	}
	if l, locked := lock(); !locked || !l.Until.IsZero() {
		t.Errorf("after a hundred failures: %v, %+v", locked, l)
	}
	a, err := h.Backend.User(ctx, u.ID)
	mfatest.Want(t, "read", err, "")
	mfatest.Want(t, "unlock", h.Users.Unlock(ctx, h.Caller, a), "")
	if l, locked := lock(); locked {
		t.Errorf("after an unlock: %+v", l)
	}
}

func TestUsersAreSearched(t *testing.T) {
	h := mfatest.New(t)
	ctx := context.Background()
	all := map[storage.UserID]bool{}
	for _, d := range []users.Draft{{Email: "a@example.com"}, {Email: "b@example.com", Status: storage.UserPending}, {Email: "c@example.com", Phone: number}, {Username: "d"}, {Email: "e@example.com"}} {
		all[h.Create(d).ID] = true
	}
	for name, tc := range map[string]struct {
		query backend.Query
		total int
	}{
		"everybody":              {backend.Query{}, 5},
		"an address as typed":    {backend.Query{Emails: []string{" A@Example.com", "none@example.com"}}, 1},
		"a number as typed":      {backend.Query{Phones: []string{"+1 (415) 222-2222"}}, 1},
		"what is no address":     {backend.Query{Emails: []string{"d", ""}}, 0},
		"any, one no address":    {backend.Query{Any: true, Emails: []string{"d"}, Statuses: []storage.UserStatus{storage.UserPending}}, 1},
		"both":                   {backend.Query{Emails: []string{"a@example.com"}, Statuses: []storage.UserStatus{storage.UserPending}}, 0},
		"an address of a number": {backend.Query{Emails: []string{"c@example.com"}, Phones: []string{number}}, 1},
	} {
		tc.query.Limit = 2
		seen := map[storage.UserID]bool{}
		for more := true; more; {
			page, err := h.Backend.Search(ctx, tc.query)
			mfatest.Want(t, name, err, "")
			if page.Total != tc.total || len(page.Accounts) > 2 {
				t.Fatalf("%s: %d of %d, want %d", name, len(page.Accounts), page.Total, tc.total)
			}
			for _, a := range page.Accounts {
				if seen[a.User.ID] || !all[a.User.ID] || a.User.ID <= tc.query.After {
					t.Errorf("%s: %s, after %s", name, a.User.ID, tc.query.After)
				}
				seen[a.User.ID], tc.query.After = true, a.User.ID
			}
			more = page.More
		}
		if len(seen) != tc.total {
			t.Errorf("%s: %d found, want %d", name, len(seen), tc.total)
		}
	}
	for _, q := range []backend.Query{{}, {Limit: 1001}, {Limit: 1, Emails: make([]string, 1001)}} {
		_, err := h.Backend.Search(ctx, q)
		mfatest.Want(t, "out of bounds", err, mfa.InvalidRequest)
	}
}
