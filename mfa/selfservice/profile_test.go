package selfservice_test

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"

	"sallyport/mfa"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/selfservice"
	"sallyport/mfa/users"
)

// profileFixture lets users edit some claims.
func profileFixture(t *testing.T, editable ...string) *mfatest.Fixture {
	h := mfatest.New(t)
	h.Accounts = selfservice.New(h.Store, h.Verifier, h.Password, h.Journal, h.Now, rand.Reader, selfservice.Options{Editable: editable})
	return h
}

func TestUsersEditTheClaimsThatTheyMay(t *testing.T) {
	ctx, h := context.Background(), profileFixture(t, "nickname", "locale", "zoneinfo")
	u := h.Create(users.Draft{Username: "ada", Password: mfatest.Password, Profile: map[string]any{"name": "Ada", "nickname": "A", "website": "https://ada.example"}})
	o := h.Session(u.ID, "password")
	err := h.Accounts.ChangeProfile(ctx, h.Caller, o, map[string]string{"name": "Eve", "website": "x", "email": "eve@example.com", "nickname": " Countess ", "locale": "de", "zoneinfo": "Europe/Berlin"})
	mfatest.Want(t, "change", err, "")
	mfatest.Want(t, "a change of what was read before", h.Accounts.ChangeProfile(ctx, h.Caller, o, map[string]string{"nickname": "B"}), mfa.RequestChanged)
	o = *h.Reload(o)
	want := map[string]any{"name": "Ada", "website": "https://ada.example", "nickname": "Countess", "locale": "de", "zoneinfo": "Europe/Berlin"}
	if got := o.Account.User.Profile; len(got) != len(want) {
		t.Errorf("profile = %v", got)
	}
	for claim, value := range want {
		if o.Account.User.Profile[claim] != value {
			t.Errorf("%s = %v, want %v", claim, o.Account.User.Profile[claim], value)
		}
	}
	mfatest.Want(t, "remove", h.Accounts.ChangeProfile(ctx, h.Caller, o, map[string]string{"nickname": ""}), "")
	if _, there := h.Reload(o).Account.User.Profile["nickname"]; there {
		t.Error("the nickname is still there")
	}
	if !slices.Contains(h.Events(), mfa.EventProfileChanged) {
		t.Error("the change is not in the audit trail")
	}
	none := profileFixture(t)
	mfatest.Want(t, "nothing to edit", none.Accounts.ChangeProfile(ctx, none.Caller, none.Session(none.CreatePasswordUser().ID, "password"), map[string]string{"name": "Eve"}), mfa.NotConfigured)
}

func TestClaimsThatAreNotValidAreRefused(t *testing.T) {
	ctx, h := context.Background(), profileFixture(t, selfservice.ProfileClaims()...)
	o := h.Session(h.CreatePasswordUser().ID, "password")
	for _, tc := range []struct{ claim, value string }{
		{"name", "Ada\nAdmin"}, {"name", "\u202eadA"}, {"nickname", strings.Repeat("a", 101)}, {"given_name", "\xff"},
		{"locale", "not a language"}, {"locale", "../../etc"}, {"zoneinfo", "Local"}, {"zoneinfo", "../UTC"}, {"zoneinfo", "Europe/Atlantis"},
	} {
		err := h.Accounts.ChangeProfile(ctx, h.Caller, o, map[string]string{"family_name": "L", tc.claim: tc.value})
		mfatest.Want(t, tc.claim+" "+tc.value, err, mfa.InvalidRequest)
		if e, ok := errors.AsType[*mfa.ClaimError](err); !ok || e.Claim != tc.claim {
			t.Errorf("%q: the error is about %v", tc.value, err)
		}
	}
	if got := h.Reload(o).Account.User.Profile; len(got) != 0 {
		t.Errorf("part of a refused change was written: %v", got)
	}
	mfatest.Want(t, "the longest", h.Accounts.ChangeProfile(ctx, h.Caller, o, map[string]string{"name": strings.Repeat("ä", 100)}), "")
}
