package selfservice_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/notice"
	"sallyport/mfa/selfservice"
	"sallyport/mfa/users"
	"sallyport/storage"
)

// rename changes the user name of a user with a fresh proof.
func (h addressFixture) rename(id storage.UserID, name string) error {
	h.T.Helper()
	return h.Accounts.ChangeUsername(context.Background(), h.Caller, h.Session(id, "password"), name)
}

// kept returns the user names kept for a user.
func (h addressFixture) kept(id storage.UserID) []string {
	h.T.Helper()
	own, _ := h.Accounts.Username(h.account(id))
	var out []string
	for _, i := range own.Kept {
		out = append(out, i.Text())
	}
	slices.Sort(out)
	return out
}

const keep = 90 * 24 * time.Hour

func TestAUserNameIsChosenChangedAndTakenBack(t *testing.T) {
	onBoth(t, func(t *testing.T, h addressFixture) {
		u, bob := h.CreatePasswordUser(), h.Create(users.Draft{Email: mfatest.OtherEmail, EmailVerified: true, Password: mfatest.Password})
		mfatest.Want(t, "choose", h.rename(bob.ID, "Bob"), "")
		h.is(bob.ID, map[string]bool{mfatest.OtherEmail: true, "bob": true})
		mfatest.Want(t, "the same", h.rename(bob.ID, " BOB "), "")
		created := h.account(bob.ID).Identifiers[1].CreatedAt
		h.Advance(time.Hour)
		mfatest.Want(t, "change", h.rename(bob.ID, "bob.the-builder_2"), "")
		h.is(bob.ID, map[string]bool{mfatest.OtherEmail: true, "bob.the-builder_2": true})
		if got := h.account(bob.ID).Identifiers[1].CreatedAt; !got.Equal(created) {
			t.Error("the new name is not in the place of the old one")
		}
		if got := h.kept(bob.ID); !slices.Equal(got, []string{"bob"}) {
			t.Errorf("kept: %v", got)
		}
		mfatest.Want(t, "sign in with the old one", h.SignIn(h.OpenRequest(), "bob", mfatest.Password), mfa.InvalidCredentials)
		mfatest.Want(t, "sign in with the new one", h.SignIn(h.OpenRequest(), "bob.the-builder_2", mfatest.Password), "")
		mfatest.Want(t, "pass for bob", h.rename(u.ID, "BOB"), mfa.IdentifierTaken)
		mfatest.Want(t, "take it back", h.rename(bob.ID, "bob"), "")
		if got := h.kept(bob.ID); !slices.Equal(got, []string{"bob.the-builder_2"}) {
			t.Errorf("kept: %v", got)
		}
		mfatest.Want(t, "sign in with it", h.SignIn(h.OpenRequest(), "bob", mfatest.Password), "")
		h.Advance(keep)
		mfatest.Want(t, "when the time is over", h.rename(u.ID, "bob.the-builder_2"), "")
		if got := h.told(mfatest.OtherEmail); !slices.Equal(got, []string{notice.UsernameChanged, notice.UsernameChanged, notice.UsernameChanged}) {
			t.Errorf("the user was told %v", got)
		}
		if n := strings.Count(strings.Join(h.Events(), " "), mfa.EventUsernameChanged); n != 4 {
			t.Errorf("%d events", n)
		}
	})
}

func TestNamesThatNobodyCanChoose(t *testing.T) {
	h := addressFixture{mfatest.New(t)}
	u := h.CreatePasswordUser()
	h.Create(users.Draft{Username: "grace", Password: mfatest.Password})
	for name, want := range map[string]mfa.Code{
		"ab": mfa.InvalidIdentifier, strings.Repeat("a", 31): mfa.InvalidIdentifier, "": mfa.InvalidIdentifier, "ada lovelace": mfa.InvalidIdentifier,
		"ada@example.org": mfa.InvalidIdentifier, "+14152222222": mfa.InvalidIdentifier, "0041-44-668": mfa.InvalidIdentifier, "14152222222": mfa.InvalidIdentifier,
		".ada": mfa.InvalidIdentifier, "ada-": mfa.InvalidIdentifier, "a..da": mfa.InvalidIdentifier, "a._da": mfa.InvalidIdentifier, "gr\u0430ce": mfa.InvalidIdentifier, // a Cyrillic a
		"gra\u200bce": mfa.InvalidIdentifier, "müller": mfa.InvalidIdentifier, "ßob": mfa.InvalidIdentifier, "groẞ": mfa.InvalidIdentifier, "../ada": mfa.InvalidIdentifier, "<b>ada": mfa.InvalidIdentifier, "ada\x00": mfa.InvalidIdentifier,
		strings.Repeat("a", 1<<20): mfa.InvalidIdentifier, "\xff\xfe": mfa.InvalidIdentifier, string(u.ID): mfa.InvalidIdentifier,
		"Admin": mfa.IdentifierTaken, "a.d-m_in": mfa.IdentifierTaken, "g-rosse": mfa.IdentifierTaken, "ＡＤＭＩＮ": mfa.IdentifierTaken, "GRACE": mfa.IdentifierTaken, "ｇｒａｃｅ": mfa.IdentifierTaken,
	} {
		mfatest.Want(t, fmt.Sprintf("%.40q", name), h.rename(u.ID, name), want)
	}
	if got := len(h.account(u.ID).Identifiers); got != 1 {
		t.Errorf("%d names", got)
	}
}

func TestAUserNameNeedsAFreshProofAndTheSetting(t *testing.T) {
	ctx, h := context.Background(), addressFixture{mfatest.New(t)}
	u := h.CreateAda()
	mfatest.Want(t, "a password where there is a second factor", h.rename(u.ID, "countess"), mfa.ReauthenticationRequired)
	o := h.Owner(u)
	h.Advance(6 * time.Minute)
	mfatest.Want(t, "an old proof", h.Accounts.ChangeUsername(ctx, h.Caller, o, "countess"), mfa.ReauthenticationRequired)
	o = h.Owner(u)
	h.Accounts = selfservice.New(h.Store, h.Verifier, h.Password, h.Journal, h.Now, rand.Reader, selfservice.Options{})
	mfatest.Want(t, "without the setting", h.Accounts.ChangeUsername(ctx, h.Caller, o, "countess"), mfa.NotConfigured)
	h.is(u.ID, map[string]bool{mfatest.Email: true, "ada": true})
}

// Who could change names without end would keep them from everybody, or find out who has which.
func TestUserNamesAreNotCollected(t *testing.T) {
	onBoth(t, func(t *testing.T, h addressFixture) {
		u := h.CreatePasswordUser()
		for i := range 4 {
			mfatest.Want(t, "change", h.rename(u.ID, fmt.Sprintf("name-%d", i)), "")
		}
		mfatest.Want(t, "a fifth name", h.rename(u.ID, "name-4"), mfa.NotAllowed)
		mfatest.Want(t, "one of the four", h.rename(u.ID, "name-0"), "")
		if got := h.kept(u.ID); !slices.Equal(got, []string{"name-1", "name-2", "name-3"}) {
			t.Errorf("kept: %v", got)
		}
		h.Advance(keep)
		mfatest.Want(t, "when they are free", h.rename(u.ID, "name-4"), "")
		h.Advance(25 * time.Hour)
		h.Create(users.Draft{Username: "grace", Password: mfatest.Password})
		for range 10 {
			mfatest.Want(t, "probe", h.rename(u.ID, "grace"), mfa.IdentifierTaken)
		}
		mfatest.Want(t, "one more", h.rename(u.ID, "grace"), mfa.TooMany)
		mfatest.Want(t, "a free one", h.rename(u.ID, "nobody"), mfa.TooMany)
		h.Advance(25 * time.Hour)
		mfatest.Want(t, "the next day", h.rename(u.ID, "nobody"), "")
	})
}

func TestOneOfRacingUsersGetsAUserName(t *testing.T) {
	onBoth(t, func(t *testing.T, h addressFixture) {
		const racers = 6
		giver := h.Create(users.Draft{Username: "ada", Password: mfatest.Password})
		var owners [racers]mfa.Owner
		for i := range racers {
			owners[i] = h.Session(h.Create(users.Draft{Email: fmt.Sprintf("racer%d@example.com", i), Password: mfatest.Password}).ID, "password")
		}
		race := func(name string, more func()) int {
			var errs [racers]error
			var wg sync.WaitGroup
			for i := range racers {
				wg.Go(func() {
					errs[i] = h.Accounts.ChangeUsername(context.Background(), h.Caller, owners[i], name)
				})
			}
			wg.Go(more)
			wg.Wait()
			won := 0
			for _, err := range errs {
				if err == nil {
					won++
				} else if mfa.CodeOf(err) != mfa.IdentifierTaken {
					t.Errorf("a racer got %v", err)
				}
			}
			return won
		}
		// Given up in the same moment, it is free in none.
		if won := race("ada", func() { mfatest.Want(t, "give up", h.rename(giver.ID, "countess"), "") }); won != 0 {
			t.Errorf("%d of %d got a name that was just given up", won, racers)
		}
		if won := race("wanted", func() {}); won != 1 {
			t.Errorf("%d of %d got the name", won, racers)
		}
		mfatest.Want(t, "take back", h.rename(giver.ID, "ada"), "")
	})
}

// Two tabs of one user: what the second was shown is not true any more.
func TestTwoChangesOfAUserNameAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, h addressFixture) {
		ctx, u := context.Background(), h.CreatePasswordUser()
		o := h.Session(u.ID, "password")
		mfatest.Want(t, "the first", h.Accounts.ChangeUsername(ctx, h.Caller, o, "first"), "")
		mfatest.Want(t, "the second", h.Accounts.ChangeUsername(ctx, h.Caller, o, "second"), mfa.RequestChanged)
		h.is(u.ID, map[string]bool{mfatest.Email: true, "first": true})
	})
}

func TestAdministratorsSetAndFreeUserNames(t *testing.T) {
	onBoth(t, func(t *testing.T, h addressFixture) {
		ctx, admin := context.Background(), mfa.Caller{Actor: users.ActorAdmin}
		u, grace := h.CreatePasswordUser(), h.Create(users.Draft{Username: "grace", Password: mfatest.Password})
		set := func(id storage.UserID, name string) error {
			a, err := h.Users.Amendment(ctx, h.account(id), users.Draft{Username: name}, users.AmendOptions{})
			mfatest.Want(t, "compare", err, "")
			return h.Users.Amend(ctx, admin, a)
		}
		mfatest.Want(t, "any name", set(u.ID, "ñandú"), "")
		mfatest.Want(t, "change", h.rename(u.ID, "countess"), "")
		mfatest.Want(t, "a kept one for another", set(grace.ID, "ñandú"), mfa.IdentifierTaken)
		mfatest.Want(t, "back to its user, by its user", h.rename(u.ID, "ÑANDÚ"), "")
		mfatest.Want(t, "change again", h.rename(u.ID, "countess"), "")
		mfatest.Want(t, "back to its user", set(u.ID, "ñandú"), "")
		if got := h.kept(u.ID); len(got) != 0 {
			t.Errorf("kept after an administrator set the name: %v", got)
		}
		mfatest.Want(t, "change once more", h.rename(u.ID, "countess"), "")
		_, err := h.Users.FreeUsername(ctx, admin, "countess")
		mfatest.Want(t, "free one that is in use", err, mfa.IdentifierNotFound)
		id, err := h.Users.FreeUsername(ctx, admin, "Ñandú")
		mfatest.Want(t, "free", err, "")
		if id != u.ID {
			t.Errorf("freed the name of %s", id)
		}
		mfatest.Want(t, "the freed one for another", set(grace.ID, "ñandú"), "")
		_, err = h.Users.FreeUsername(ctx, admin, "Ñandú")
		mfatest.Want(t, "free again", err, mfa.IdentifierNotFound)
		for _, bad := range []string{"", "\x00", "a b", strings.Repeat("a", 5000)} {
			_, err := h.Users.FreeUsername(ctx, admin, bad)
			mfatest.Want(t, "free what is no name", err, mfa.IdentifierNotFound)
		}
		h.is(u.ID, map[string]bool{mfatest.Email: true, "countess": true})
	})
}

// What is kept for a user goes with the user.
func TestTheNamesOfADeletedUserAreFree(t *testing.T) {
	h := addressFixture{mfatest.New(t)}
	h.Open(exchange.Options{AddressMax: -1})
	u := h.Create(users.Draft{Username: "ada", Password: mfatest.Password})
	mfatest.Want(t, "change", h.rename(u.ID, "countess"), "")
	mfatest.Want(t, "delete", h.Users.Delete(context.Background(), mfa.Caller{}, h.account(u.ID)), "")
	h.Create(users.Draft{Username: "ada", Password: mfatest.Password})
}
