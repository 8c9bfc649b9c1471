package users_test

import (
	"context"
	"testing"

	"sallyport/mfa"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/users"
	"sallyport/storage"
)

func TestAnImpossibleNumberIsFoundButNotGivenToUsers(t *testing.T) {
	h := mfatest.New(t)
	ctx := context.Background()
	const stored, other = "+1415222", "+1415223"
	_, err := h.Users.Create(ctx, h.Caller, users.Draft{Phone: stored})
	mfatest.Want(t, "create", err, mfa.InvalidIdentifier)
	u := h.CreateAda()
	i := storage.Identifier{ID: storage.IdentifierID(u.ID), UserID: u.ID, Kind: storage.Phone, Value: stored, CreatedAt: h.Now(), UpdatedAt: h.Now()}
	mfatest.Want(t, "a number of an earlier version", h.Store.AddIdentifier(ctx, i, nil), "")
	a, err := h.Users.Find(ctx, "+1 415-222")
	if err != nil || a.User.ID != u.ID {
		t.Fatalf("found %s, %v", a.User.ID, err)
	}
	mfatest.Want(t, "sign in", h.SignIn(h.OpenRequest(), stored, mfatest.Password), "")
	for number, want := range map[string]mfa.Code{stored: "", other: mfa.InvalidIdentifier} {
		d := users.Draft{Phone: number, Roles: []string{"auditor"}}
		_, err := h.Users.Amendment(ctx, a, d, users.AmendOptions{})
		mfatest.Want(t, "amend to "+number, err, want)
		if faults := h.Users.Faults(d, a.Identifiers...); len(faults) != 0 != (want != "") {
			t.Errorf("faults of %s: %v", number, faults)
		}
	}
	if faults := h.Users.Faults(users.Draft{Phone: stored}); len(faults) != 1 || faults[0].Field != "phone_number" {
		t.Errorf("faults of a new user: %v", faults)
	}
}
