package mfa_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

// Before the first factor nothing that is told of one name comes back anywhere: not in
// another login, not with another name of the same user. Real and invented names are alike.
func TestWhatIsToldOfANameComesBackNowhere(t *testing.T) {
	h := newHouse(t)
	h.policy.Passwordless = true
	h.create(mfa.Draft{Username: "grace", Email: "grace@example.com", Password: ownPass, TOTPSecret: secret32})
	seen := map[string]string{}
	for range 3 {
		id := h.begin()
		for _, who := range []string{"grace", "grace@example.com", h.unknown("totp")} {
			listed := h.listed(id, who)
			if again := h.listed(id, who); !reflect.DeepEqual(listed, again) {
				t.Errorf("%s in one login has %v, then %v", who, listed, again)
			}
			named, err := h.initiate(id, who, passwordless(""))
			want(t, who, err, "")
			picked, err := h.byMedium(id, passwordless(listed[0].Authenticator))
			want(t, who+" by what was listed", err, "")
			both, err := h.initiate(id, who, passwordless(listed[0].Authenticator))
			want(t, who+" by name and by what was listed", err, "")
			if picked.Sub != named.Sub || both.Sub != named.Sub || picked.Text != named.Text {
				t.Errorf("%s is %+v by name, %+v by what was listed", who, named, picked)
			}
			for _, told := range []string{string(listed[0].Authenticator), named.Sub} {
				if len(told) != 36 || seen[told] != "" {
					t.Errorf("%s of %s was told of %q before", told, who, seen[told])
				}
				seen[told] = who
			}
		}
	}
	account, err := h.store.AccountByIdentifier(context.Background(), "grace")
	want(t, "account", err, "")
	for _, a := range account.Authenticators {
		if seen[string(a.ID)] != "" {
			t.Errorf("the ID of %s was told", a.Method)
		}
		_, err := h.byMedium(h.begin(), mfa.Choice{Method: a.Method, Authenticator: a.ID, Usage: mfa.UsagePasswordless})
		want(t, "the ID of "+a.Method+", which was not told", err, mfa.NotConfigured)
	}
}

func TestOnlyWhatALoginToldLeadsToItsOwner(t *testing.T) {
	h := newHouse(t)
	h.policy.Passwordless = true
	u := h.create(mfa.Draft{Email: ownMail, Password: ownPass, TOTPSecret: secret32})
	nobody := h.unknown("totp")
	for _, who := range []string{ownMail, nobody} {
		id := h.begin()
		told := h.listed(id, who)[0].Authenticator
		account, identifier, err := h.verifier.OwnerOf(context.Background(), h.proving(id, "").Request, passwordless(told))
		want(t, who, err, "")
		if (account != nil) != (who == ownMail) || account != nil && account.User.ID != u.ID || identifier == "" {
			t.Errorf("%s: owner %v, %q", who, account, identifier)
		}
		_, err = h.byMedium(id, mfa.Choice{Method: "recovery", Authenticator: told, Usage: mfa.UsagePasswordless})
		want(t, who+": another method's", err, mfa.NotConfigured)
		_, err = h.byMedium(h.begin(), passwordless(told))
		want(t, who+": told in another login", err, mfa.NotConfigured)
		_, err = h.byMedium(id, passwordless(storage.AuthenticatorID(storage.Random128(rand.Reader))))
		want(t, who+": made up", err, mfa.NotConfigured)
		_, err = h.initiate(id, "somebody-else@example.com", passwordless(told))
		want(t, who+": told of another name", err, mfa.NotConfigured)
	}
}

// Who lists what a name has, and then proves the password, goes on with what was listed.
func TestWhatWasListedIsGoodAfterTheFirstFactor(t *testing.T) {
	h := newHouse(t)
	h.ada()
	id := h.begin()
	told := h.listed(id, ownMail)[0].Authenticator
	want(t, "password", h.login(id, ownMail, ownPass), "")
	_, err := h.verifier.Prove(context.Background(), h.visit, h.proving(id, ""), mfa.Choice{Method: "totp", Authenticator: told}, "", mfa.Typed(h.code(0)))
	want(t, "the code of what was listed", err, "")
}

// What two names are answered, whatever is tried with them and when, does not depend on
// whether they are of one user, of two, or of nobody.
func TestTwoNamesDoNotShowThatTheyAreOneUsers(t *testing.T) {
	for _, kind := range []string{"password", "passwordless"} {
		t.Run(kind, func(t *testing.T) {
			first := ""
			for i, of := range []string{"one user", "two users", "nobody"} {
				h := newHouse(t)
				h.policy.Passwordless = true
				h.visit.Address = "198.51.100.7"
				one, other := "ada", "ada@example.com"
				switch of {
				case "one user":
					h.create(mfa.Draft{Username: one, Email: other, Password: ownPass, TOTPSecret: secret32})
				case "two users":
					h.create(mfa.Draft{Username: one, Password: ownPass, TOTPSecret: secret32})
					h.create(mfa.Draft{Email: other, Password: ownPass, TOTPSecret: secret32})
				default:
					one, other = h.unknown("totp"), h.unknown("totp")
					for i := 200; other == one; i++ {
						if who := fmt.Sprintf("nobody%d@example.com", i); len(h.verifier.Options(h.proving(h.begin(), who))) > 0 {
							other = who
						}
					}
				}
				if got := h.transcript(kind, one, other); i == 0 {
					first = got
				} else if got != first {
					t.Errorf("names of one user are answered\n%s\nnames of %s\n%s", first, of, got)
				}
			}
			if strings.Count(first, "too_many_attempts") < 10 || strings.Count(first, "invalid") < 20 {
				t.Errorf("this says little:\n%s", first)
			}
		})
	}
}

// An address waits when it has failed for so many names, whosever they are.
func TestAnAddressIsCountedByNames(t *testing.T) {
	for _, users := range []int{1, 11} {
		h := newHouse(t)
		h.open(mfa.Options{Product: "Sallyport"})
		h.visit.Address = "198.51.100.7"
		names := []string{}
		for i := range 11 {
			names = append(names, fmt.Sprintf("name%d@example.com", i))
		}
		if users == 1 {
			u := h.create(mfa.Draft{Email: names[0], Password: ownPass})
			for _, name := range names[1:] {
				i := storage.Identifier{ID: storage.IdentifierID(storage.Random128(rand.Reader)), UserID: u.ID, Kind: storage.Email, Value: name, CreatedAt: h.now()}
				want(t, "another name", h.store.AddIdentifier(context.Background(), i, nil), "")
			}
		}
		for _, name := range names {
			want(t, name, h.login(h.begin(), name, "a wrong password"), mfa.InvalidCredentials)
		}
		want(t, "an eleventh name failed", h.login(h.begin(), "another", "a wrong password"), mfa.TooMany)
	}
}

// The counter of the user protects, by whichever of the user's names the guesses come: who
// is not told of its wait does not get in during it either.
func TestNoNameGetsPastTheWaitOfItsUser(t *testing.T) {
	h := newHouse(t)
	h.policy.Passwordless = true
	h.create(mfa.Draft{Username: "ada", Email: ownMail, Password: ownPass, TOTPSecret: secret32})
	for i := range 5 {
		want(t, "wrong", h.login(h.begin(), []string{"ada", ownMail}[i%2], "a wrong password"), mfa.InvalidCredentials)
	}
	want(t, "the right password during the wait", h.login(h.begin(), ownMail, ownPass), mfa.InvalidCredentials)
	h.wait(31 * time.Second)
	want(t, "the right password after it", h.login(h.begin(), ownMail, ownPass), "")
	for range 5 {
		want(t, "the name begins anew with the right password", h.login(h.begin(), ownMail, "a wrong password"), mfa.InvalidCredentials)
	}
	for range 5 {
		s, err := h.initiate(h.begin(), "ada", passwordless(""))
		want(t, "initiate", err, "")
		_, err = h.verify(s.Exchange, h.wrong())
		want(t, "wrong", err, mfa.InvalidPasscode)
	}
	s, err := h.initiate(h.begin(), ownMail, passwordless(""))
	want(t, "initiate", err, "")
	_, err = h.verify(s.Exchange, h.code(0))
	want(t, "the right code during the wait", err, mfa.InvalidPasscode)
	account, err := h.users.Find(context.Background(), "ada")
	want(t, "account", err, "")
	want(t, "unlock", h.users.Unlock(context.Background(), h.visit, account), "")
	for _, who := range []string{"ada", ownMail} {
		s, err = h.initiate(h.begin(), who, passwordless(""))
		want(t, "initiate", err, "")
		_, err = h.verify(s.Exchange, h.code(0))
		want(t, "the right code by "+who+" after an administrator unlocked it", err, "")
		h.wait(30 * time.Second)
	}
}

func TestALoginIsAskedAboutFewNames(t *testing.T) {
	h := newHouse(t)
	h.policy.Passwordless = true
	h.create(mfa.Draft{Email: ownMail, Password: ownPass, TOTPSecret: secret32})
	stranger := func(id storage.RequestID, who string) mfa.Proving {
		p := h.proving(id, who)
		p.Login = &storage.NewLogin{}
		return p
	}
	ctx := context.Background()
	id := h.begin()
	for i := range 5 {
		for range 3 {
			want(t, "ask", h.verifier.Ask(ctx, h.visit, stranger(id, fmt.Sprintf("nobody%d", i))), "")
		}
	}
	want(t, "a sixth name", h.verifier.Ask(ctx, h.visit, stranger(id, ownMail)), mfa.TooManyInitiations)
	_, err := h.verifier.Initiate(ctx, h.visit, stranger(id, ownMail), passwordless(""))
	want(t, "initiating with a sixth name", err, mfa.TooManyInitiations)
	want(t, "the browser's own name", h.verifier.Ask(ctx, h.visit, h.proving(id, ownMail)), "")
	want(t, "the first name once more", h.verifier.Ask(ctx, h.visit, stranger(id, "nobody0")), "")
}

// Who has proven the first factor is told of the wait of the second, whatever name the call
// has beside it.
func TestTheSecondFactorTellsItsWaitToWhoeverIsIdentified(t *testing.T) {
	h := newHouse(t)
	h.create(mfa.Draft{Username: "ada", Email: ownMail, Password: ownPass, TOTPSecret: secret32, MFAEnabled: true})
	second := func(name, code string) error {
		id := h.begin()
		want(t, "password", h.login(id, ownMail, ownPass), "")
		s, err := h.initiate(id, name, mfa.Choice{Method: "totp"})
		want(t, "initiate", err, "")
		_, err = h.verify(s.Exchange, code)
		return err
	}
	for range 5 {
		want(t, "wrong", second("ada", h.wrong()), mfa.InvalidPasscode)
	}
	want(t, "by another name", second(ownMail, h.code(0)), mfa.TooMany)
}

// Who is identified and mistypes a code is one of the failures of an address, and no further
// name: a person who mistypes both has failed for one.
func TestWhoIsIdentifiedIsNoFurtherNameOfAnAddress(t *testing.T) {
	h := newHouse(t)
	h.open(mfa.Options{Product: "Sallyport"})
	h.visit.Address = "198.51.100.7"
	for i := range 9 {
		name := fmt.Sprintf("name%d@example.com", i)
		h.create(mfa.Draft{Email: name, Password: ownPass, TOTPSecret: secret32, MFAEnabled: true})
		want(t, name, h.login(h.begin(), name, "a wrong password"), mfa.InvalidCredentials)
		id := h.begin()
		want(t, name, h.login(id, name, ownPass), "")
		_, err := h.prove(id, "totp", h.wrong(), "")
		want(t, name, err, mfa.InvalidPasscode)
	}
	want(t, "a tenth name", h.login(h.begin(), "another", "a wrong password"), mfa.InvalidCredentials)
}
