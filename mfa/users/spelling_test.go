package users_test

import (
	"testing"

	"sallyport/mfa"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/users"
)

func TestAUserSignsInWithEverySpellingOfAName(t *testing.T) {
	h := mfatest.New(t)
	h.Create(users.Draft{Username: "σίσυφος", Email: "ada@bücher.example", Password: mfatest.Password})
	for _, typed := range []string{"ΣΊΣΥΦΟΣ", "σίσυφοσ", "ada@xn--bcher-kva.example", "ADA@BÜCHER.example"} {
		name, _, err := mfa.Canonical(typed)
		if err != nil {
			t.Fatal(err)
		}
		mfatest.Want(t, typed, h.SignIn(h.OpenRequest(), name, mfatest.Password), "")
	}
}

// TestAnotherSpellingReplacesAnAddress: it may be another mailbox, so the old one is not verified.
func TestAnotherSpellingReplacesAnAddress(t *testing.T) {
	h := mfatest.New(t)
	u := h.Create(users.Draft{Email: "weiss@example.org"})
	account, err := h.Users.Account(t.Context(), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	a, err := h.Users.Amendment(t.Context(), account, users.Draft{Email: "weiß@example.org", EmailVerified: true}, users.AmendOptions{})
	mfatest.Want(t, "compare", err, "")
	mfatest.Want(t, "change", h.Users.Amend(t.Context(), h.Caller, a), "")
	got, err := h.Users.Find(t.Context(), "WEISS@example.org")
	if err != nil || len(got.Identifiers) != 1 || got.Identifiers[0].Text() != "weiß@example.org" || got.Identifiers[0].VerifiedAt.IsZero() {
		t.Errorf("the user has %+v, %v", got.Identifiers, err)
	}
}
