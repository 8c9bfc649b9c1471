package users_test

import (
	"context"
	"encoding/base32"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/users"
	"sallyport/storage"
)

func TestAnImportedAuthenticatorKeepsItsParameters(t *testing.T) {
	for _, tc := range []struct {
		name   string
		shape  mfa.Shape
		period int
	}{
		{"as most apps", mfa.Shape{}, 0},
		{"SHA-256", mfa.Shape{Algorithm: "SHA256"}, 30},
		{"eight digits of SHA-512, a minute each", mfa.Shape{Algorithm: "SHA512", Digits: 8}, 60},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := mfatest.New(t)
			u := h.Create(users.Draft{Email: mfatest.Email, Password: mfatest.Password, TOTPSecret: mfatest.TOTPKey, TOTPShape: tc.shape, TOTPPeriod: tc.period})
			a, err := h.Store.Account(context.Background(), u.ID)
			if err != nil {
				t.Fatal(err)
			}
			var own storage.Authenticator
			for _, x := range a.Authenticators {
				if x.Method == "totp" {
					own = x
				}
			}
			period := time.Duration(max(tc.period, 30)) * time.Second
			code, next := h.TOTP.CodeOf(own, h.Now()), h.TOTP.CodeOf(own, h.Now().Add(period))
			if code == next || code != h.TOTP.CodeOf(own, h.Now().Truncate(period)) {
				t.Fatalf("codes %s and %s do not change with the period", code, next)
			}
			_, err = h.Prove(h.SignedIn(), "totp", code, "")
			mfatest.Want(t, "the code of now", err, "")
			_, err = h.Prove(h.SignedIn(), "totp", code, "")
			mfatest.Want(t, "the same code once more", err, mfa.Replayed)
			_, err = h.Prove(h.SignedIn(), "totp", next, "")
			mfatest.Want(t, "the code of the next step", err, "")
		})
	}
}

func TestADraftIsRefusedForEveryFault(t *testing.T) {
	h := mfatest.New(t)
	faults := h.Users.Faults(users.Draft{ID: "42", Username: "a@b.example", Email: "none", Phone: "0151", Password: "short", PasswordHash: "$1$x",
		TOTPSecret: base32.StdEncoding.EncodeToString(mfatest.TOTPSecret), TOTPPeriod: 45, RecoveryCodes: []string{"x"},
		Profile: map[string]any{"name": "a\u202eb"}, Roles: []string{"a\u2066b"}})
	var got []string
	for _, f := range faults {
		got = append(got, f.Field)
	}
	fields := []string{"id", "username", "email", "phone_number", "profile.name", "roles", "password", "password_hash", "totp_secret", "recovery_codes"}
	if len(got) != len(fields) {
		t.Fatalf("faults in %v, want %v", got, fields)
	}
	for i := range fields {
		if got[i] != fields[i] || mfa.CodeOf(faults[i].Err) == "" {
			t.Errorf("fault %d is in %s (%v), want %s with a code", i, got[i], faults[i].Err, fields[i])
		}
	}
	if f := h.Users.Faults(users.Draft{Email: mfatest.Email, Password: mfatest.Password, TOTPSecret: mfatest.TOTPKey, RecoveryCodes: []string{"aaaa-bbbb-cccc"}}); len(f) != 0 {
		t.Errorf("a good draft has faults: %v", f)
	}
	mfatest.Want(t, "a shape that no app knows", func() error {
		_, err := h.Users.Create(context.Background(), h.Caller, users.Draft{Email: mfatest.Email, TOTPSecret: mfatest.TOTPKey, TOTPShape: mfa.Shape{Digits: 7}})
		return err
	}(), mfa.InvalidRequest)
}

func TestTheLoginAfterAResetEnrols(t *testing.T) {
	h := mfatest.New(t)
	u := h.CreateAda()
	under := h.SignedIn()
	a, err := h.Store.Account(context.Background(), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	h.Caller.Actor = users.ActorAdmin
	_, err = h.Users.ResetFactors(context.Background(), h.Caller, a)
	mfatest.Want(t, "reset", err, "")
	if _, err := h.Prove(under, "totp", h.Code(0), ""); mfa.CodeOf(err) == "" {
		t.Errorf("the login under way went on: %v", err)
	}
	v := h.Verdict(h.SignedIn())
	if v.Need != mfa.NeedEnroll {
		t.Errorf("the next login asks for %q, want %q", v.Need, mfa.NeedEnroll)
	}
}

func TestAUserIsFoundByEveryIdentifier(t *testing.T) {
	h := mfatest.New(t)
	u := h.CreateAda()
	for _, who := range []string{string(u.ID), "ada", "ADA@EXAMPLE.COM", " ada "} {
		a, err := h.Users.Find(context.Background(), who)
		if err != nil || a.User.ID != u.ID {
			t.Errorf("find %q: %v, %v", who, a.User.ID, err)
		}
	}
	for _, who := range []string{"", "bob", "a@b@c", "00000000-0000-4000-8000-000000000000", "\xff"} {
		_, err := h.Users.Find(context.Background(), who)
		mfatest.Want(t, "find "+who, err, mfa.UserNotFound)
	}
}

func TestASecondAmendmentFindsNoDifference(t *testing.T) {
	h := mfatest.New(t)
	u := h.CreateAda()
	h.Create(users.Draft{Email: mfatest.OtherEmail})
	ctx := context.Background()
	draft := users.Draft{Email: "ada@example.org", Profile: map[string]any{"name": "Ada", "address": map[string]any{"country": "GB"}},
		Password: "some other phrase", RecoveryCodes: []string{"dddd-eeee-ffff"}}
	all := users.AmendOptions{Credentials: true}
	amend := func() (users.Amendment, error) {
		a, err := h.Store.Account(ctx, u.ID)
		if err != nil {
			t.Fatal(err)
		}
		x, err := h.Users.Amendment(ctx, a, draft, all)
		if err != nil {
			t.Fatal(err)
		}
		return x, h.Users.Amend(ctx, h.Caller, x)
	}
	first, err := amend()
	mfatest.Want(t, "amend", err, "")
	if len(first.Differences) != 5 {
		t.Errorf("%d differences, want 5: %+v", len(first.Differences), first.Differences)
	}
	second, err := amend()
	mfatest.Want(t, "amend again", err, "")
	if len(second.Differences) != 0 {
		t.Errorf("differences the second time: %+v", second.Differences)
	}
	mfatest.Want(t, "login with the new password", h.Verifier.Password(ctx, h.Caller, h.Read(h.OpenRequest(), "ada@example.org"), "some other phrase"), "")
	_, err = h.Prove(h.SignedInAs("ada", "some other phrase"), "recovery", "dddd-eeee-ffff", "")
	mfatest.Want(t, "a new recovery code", err, "")
	if again, _ := amend(); len(again.Differences) != 0 {
		t.Errorf("a used recovery code is a difference: %+v", again.Differences)
	}
	draft.Email = mfatest.OtherEmail
	_, err = amend()
	mfatest.Want(t, "a name that is another's", err, mfa.IdentifierTaken)
}
