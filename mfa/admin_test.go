package mfa_test

import (
	"context"
	"encoding/base32"
	"testing"
	"time"

	"sallyport/mfa"
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
			h := newHouse(t)
			u := h.create(mfa.Draft{Email: ownMail, Password: ownPass, TOTPSecret: secret32, TOTPShape: tc.shape, TOTPPeriod: tc.period})
			a, err := h.store.Account(context.Background(), u.ID)
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
			code, next := h.totp.CodeOf(own, h.now()), h.totp.CodeOf(own, h.now().Add(period))
			if code == next || code != h.totp.CodeOf(own, h.now().Truncate(period)) {
				t.Fatalf("codes %s and %s do not change with the period", code, next)
			}
			_, err = h.prove(h.loggedIn(), "totp", code, "")
			want(t, "the code of now", err, "")
			_, err = h.prove(h.loggedIn(), "totp", code, "")
			want(t, "the same code once more", err, mfa.Replayed)
			_, err = h.prove(h.loggedIn(), "totp", next, "")
			want(t, "the code of the next step", err, "")
		})
	}
}

func TestADraftIsRefusedForEveryFault(t *testing.T) {
	h := newHouse(t)
	faults := h.users.Faults(mfa.Draft{ID: "42", Username: "a@b.example", Email: "none", Phone: "0151", Password: "short", PasswordHash: "$1$x",
		TOTPSecret: base32.StdEncoding.EncodeToString(secretBytes), TOTPPeriod: 45, RecoveryCodes: []string{"x"}})
	var got []string
	for _, f := range faults {
		got = append(got, f.Field)
	}
	fields := []string{"id", "username", "email", "phone_number", "password", "password_hash", "totp_secret", "recovery_codes"}
	if len(got) != len(fields) {
		t.Fatalf("faults in %v, want %v", got, fields)
	}
	for i := range fields {
		if got[i] != fields[i] || mfa.CodeOf(faults[i].Err) == "" {
			t.Errorf("fault %d is in %s (%v), want %s with a code", i, got[i], faults[i].Err, fields[i])
		}
	}
	if f := h.users.Faults(mfa.Draft{Email: ownMail, Password: ownPass, TOTPSecret: secret32, RecoveryCodes: []string{"aaaa-bbbb-cccc"}}); len(f) != 0 {
		t.Errorf("a good draft has faults: %v", f)
	}
	want(t, "a shape that no app knows", func() error {
		_, err := h.users.Create(context.Background(), h.visit, mfa.Draft{Email: ownMail, TOTPSecret: secret32, TOTPShape: mfa.Shape{Digits: 7}})
		return err
	}(), mfa.InvalidRequest)
}

func TestAfterAResetTheNextLoginEnrols(t *testing.T) {
	h := newHouse(t)
	u := h.ada()
	under := h.loggedIn()
	a, err := h.store.Account(context.Background(), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	h.visit.Actor = mfa.ActorAdmin
	want(t, "reset", h.users.ResetFactors(context.Background(), h.visit, a), "")
	if _, err := h.prove(under, "totp", h.code(0), ""); mfa.CodeOf(err) == "" {
		t.Errorf("the login under way went on: %v", err)
	}
	v := h.verdict(h.loggedIn())
	if v.Need != mfa.NeedEnroll {
		t.Errorf("the next login asks for %q, want %q", v.Need, mfa.NeedEnroll)
	}
}

func TestAUserIsFoundByEveryName(t *testing.T) {
	h := newHouse(t)
	u := h.ada()
	for _, who := range []string{string(u.ID), "ada", "ADA@EXAMPLE.COM", " ada "} {
		a, err := h.users.Find(context.Background(), who)
		if err != nil || a.User.ID != u.ID {
			t.Errorf("find %q: %v, %v", who, a.User.ID, err)
		}
	}
	for _, who := range []string{"", "bob", "a@b@c", "00000000-0000-4000-8000-000000000000", "\xff"} {
		_, err := h.users.Find(context.Background(), who)
		want(t, "find "+who, err, mfa.UserNotFound)
	}
}

func TestAnAmendmentIsMadeOnce(t *testing.T) {
	h := newHouse(t)
	u := h.ada()
	h.create(mfa.Draft{Email: otherMail})
	ctx := context.Background()
	draft := mfa.Draft{Email: "ada@example.org", Profile: map[string]any{"name": "Ada", "address": map[string]any{"country": "GB"}},
		Password: "some other phrase", RecoveryCodes: []string{"dddd-eeee-ffff"}}
	all := mfa.Amending{Credentials: true}
	amend := func() (mfa.Amendment, error) {
		a, err := h.store.Account(ctx, u.ID)
		if err != nil {
			t.Fatal(err)
		}
		x, err := h.users.Amendment(ctx, a, draft, all)
		if err != nil {
			t.Fatal(err)
		}
		return x, h.users.Amend(ctx, h.visit, x)
	}
	first, err := amend()
	want(t, "amend", err, "")
	if len(first.Differences) != 5 {
		t.Errorf("%d differences, want 5: %+v", len(first.Differences), first.Differences)
	}
	second, err := amend()
	want(t, "amend again", err, "")
	if len(second.Differences) != 0 {
		t.Errorf("differences the second time: %+v", second.Differences)
	}
	want(t, "login with the new password", h.verifier.Login(ctx, h.visit, h.proving(h.begin(), "ada@example.org"), "some other phrase"), "")
	_, err = h.prove(h.loggedInAs("ada", "some other phrase"), "recovery", "dddd-eeee-ffff", "")
	want(t, "a new recovery code", err, "")
	if again, _ := amend(); len(again.Differences) != 0 {
		t.Errorf("a used recovery code made a difference: %+v", again.Differences)
	}
	draft.Email = otherMail
	_, err = amend()
	want(t, "a name that is another's", err, mfa.IdentifierTaken)
}
