package exchange_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/users"
	"sallyport/storage"
)

// Before the first factor nothing that is told of one name comes back anywhere: not in
// another login, not with another name of the same user. Real and invented names are alike.
func TestWhatIsToldOfANameComesBackNowhere(t *testing.T) {
	h := mfatest.New(t)
	h.Policy.Passwordless = true
	h.Create(users.Draft{Username: "grace", Email: "grace@example.com", Password: mfatest.Password, TOTPSecret: mfatest.TOTPKey})
	seen := map[string]string{}
	for range 3 {
		id := h.Begin()
		for _, who := range []string{"grace", "grace@example.com", h.Unknown("totp")} {
			listed := h.Listed(id, who)
			if again := h.Listed(id, who); !reflect.DeepEqual(listed, again) {
				t.Errorf("%s in one login has %v, then %v", who, listed, again)
			}
			named, err := h.Initiate(id, who, mfatest.Passwordless(""))
			mfatest.Want(t, who, err, "")
			picked, err := h.ByMedium(id, mfatest.Passwordless(listed[0].Authenticator))
			mfatest.Want(t, who+" by what was listed", err, "")
			both, err := h.Initiate(id, who, mfatest.Passwordless(listed[0].Authenticator))
			mfatest.Want(t, who+" by name and by what was listed", err, "")
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
	account, err := h.Store.AccountByIdentifier(context.Background(), "grace")
	mfatest.Want(t, "account", err, "")
	for _, a := range account.Authenticators {
		if seen[string(a.ID)] != "" {
			t.Errorf("the ID of %s was told", a.Method)
		}
		_, err := h.ByMedium(h.Begin(), exchange.Choice{Method: a.Method, Authenticator: a.ID, Usage: mfa.UsagePasswordless})
		mfatest.Want(t, "the ID of "+a.Method+", which was not told", err, mfa.NotConfigured)
	}
}

func TestOnlyWhatALoginToldLeadsToItsOwner(t *testing.T) {
	h := mfatest.New(t)
	h.Policy.Passwordless = true
	u := h.Create(users.Draft{Email: mfatest.Email, Password: mfatest.Password, TOTPSecret: mfatest.TOTPKey})
	nobody := h.Unknown("totp")
	for _, who := range []string{mfatest.Email, nobody} {
		id := h.Begin()
		told := h.Listed(id, who)[0].Authenticator
		account, identifier, err := h.Verifier.OwnerOf(context.Background(), h.Read(id, "").Request, mfatest.Passwordless(told))
		mfatest.Want(t, who, err, "")
		if (account != nil) != (who == mfatest.Email) || account != nil && account.User.ID != u.ID || identifier == "" {
			t.Errorf("%s: owner %v, %q", who, account, identifier)
		}
		_, err = h.ByMedium(id, exchange.Choice{Method: "recovery", Authenticator: told, Usage: mfa.UsagePasswordless})
		mfatest.Want(t, who+": another method's", err, mfa.NotConfigured)
		_, err = h.ByMedium(h.Begin(), mfatest.Passwordless(told))
		mfatest.Want(t, who+": told in another login", err, mfa.NotConfigured)
		_, err = h.ByMedium(id, mfatest.Passwordless(storage.AuthenticatorID(storage.Random128(rand.Reader))))
		mfatest.Want(t, who+": made up", err, mfa.NotConfigured)
		_, err = h.Initiate(id, "somebody-else@example.com", mfatest.Passwordless(told))
		mfatest.Want(t, who+": told of another name", err, mfa.NotConfigured)
	}
}

// Who lists what a name has, and then proves the password, goes on with what was listed.
func TestWhatWasListedIsGoodAfterTheFirstFactor(t *testing.T) {
	h := mfatest.New(t)
	h.Ada()
	id := h.Begin()
	told := h.Listed(id, mfatest.Email)[0].Authenticator
	mfatest.Want(t, "password", h.SignIn(id, mfatest.Email, mfatest.Password), "")
	_, err := h.Verifier.Prove(context.Background(), h.Caller, h.Read(id, ""), exchange.Choice{Method: "totp", Authenticator: told}, "", mfa.Typed(h.Code(0)))
	mfatest.Want(t, "the code of what was listed", err, "")
}

// What two names are answered, whatever is tried with them and when, does not depend on
// whether they are of one user, of two, or of nobody.
func TestTwoNamesDoNotShowThatTheyAreOneUsers(t *testing.T) {
	for _, kind := range []string{"password", "passwordless"} {
		t.Run(kind, func(t *testing.T) {
			first := ""
			for i, of := range []string{"one user", "two users", "nobody"} {
				h := mfatest.New(t)
				h.Policy.Passwordless = true
				h.Caller.Address = "198.51.100.7"
				one, other := "ada", "ada@example.com"
				switch of {
				case "one user":
					h.Create(users.Draft{Username: one, Email: other, Password: mfatest.Password, TOTPSecret: mfatest.TOTPKey})
				case "two users":
					h.Create(users.Draft{Username: one, Password: mfatest.Password, TOTPSecret: mfatest.TOTPKey})
					h.Create(users.Draft{Email: other, Password: mfatest.Password, TOTPSecret: mfatest.TOTPKey})
				default:
					one, other = h.Unknown("totp"), h.Unknown("totp")
					for i := 200; other == one; i++ {
						if who := fmt.Sprintf("nobody%d@example.com", i); len(h.Verifier.Options(h.Read(h.Begin(), who))) > 0 {
							other = who
						}
					}
				}
				if got := h.Transcript(kind, one, other); i == 0 {
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
	for _, people := range []int{1, 11} {
		h := mfatest.New(t)
		h.Open(exchange.Options{Product: "Sallyport"})
		h.Caller.Address = "198.51.100.7"
		names := []string{}
		for i := range 11 {
			names = append(names, fmt.Sprintf("name%d@example.com", i))
		}
		if people == 1 {
			u := h.Create(users.Draft{Email: names[0], Password: mfatest.Password})
			for _, name := range names[1:] {
				i := storage.Identifier{ID: storage.IdentifierID(storage.Random128(rand.Reader)), UserID: u.ID, Kind: storage.Email, Value: name, CreatedAt: h.Now()}
				mfatest.Want(t, "another name", h.Store.AddIdentifier(context.Background(), i, nil), "")
			}
		}
		for _, name := range names {
			mfatest.Want(t, name, h.SignIn(h.Begin(), name, "a wrong password"), mfa.InvalidCredentials)
		}
		mfatest.Want(t, "an eleventh name failed", h.SignIn(h.Begin(), "another", "a wrong password"), mfa.TooMany)
	}
}

// The counter of the user protects, by whichever of the user's names the guesses come: who
// is not told of its wait does not get in during it either.
func TestNoNameGetsPastTheWaitOfItsUser(t *testing.T) {
	h := mfatest.New(t)
	h.Policy.Passwordless = true
	h.Create(users.Draft{Username: "ada", Email: mfatest.Email, Password: mfatest.Password, TOTPSecret: mfatest.TOTPKey})
	for i := range 5 {
		mfatest.Want(t, "wrong", h.SignIn(h.Begin(), []string{"ada", mfatest.Email}[i%2], "a wrong password"), mfa.InvalidCredentials)
	}
	mfatest.Want(t, "the right password during the wait", h.SignIn(h.Begin(), mfatest.Email, mfatest.Password), mfa.InvalidCredentials)
	h.Wait(31 * time.Second)
	mfatest.Want(t, "the right password after it", h.SignIn(h.Begin(), mfatest.Email, mfatest.Password), "")
	for range 5 {
		mfatest.Want(t, "the name begins anew with the right password", h.SignIn(h.Begin(), mfatest.Email, "a wrong password"), mfa.InvalidCredentials)
	}
	for range 5 {
		s, err := h.Initiate(h.Begin(), "ada", mfatest.Passwordless(""))
		mfatest.Want(t, "initiate", err, "")
		_, err = h.Verify(s.Exchange, h.Wrong())
		mfatest.Want(t, "wrong", err, mfa.InvalidPasscode)
	}
	s, err := h.Initiate(h.Begin(), mfatest.Email, mfatest.Passwordless(""))
	mfatest.Want(t, "initiate", err, "")
	_, err = h.Verify(s.Exchange, h.Code(0))
	mfatest.Want(t, "the right code during the wait", err, mfa.InvalidPasscode)
	account, err := h.Users.Find(context.Background(), "ada")
	mfatest.Want(t, "account", err, "")
	mfatest.Want(t, "unlock", h.Users.Unlock(context.Background(), h.Caller, account), "")
	for _, who := range []string{"ada", mfatest.Email} {
		s, err = h.Initiate(h.Begin(), who, mfatest.Passwordless(""))
		mfatest.Want(t, "initiate", err, "")
		_, err = h.Verify(s.Exchange, h.Code(0))
		mfatest.Want(t, "the right code by "+who+" after an administrator unlocked it", err, "")
		h.Wait(30 * time.Second)
	}
}

func TestALoginIsAskedAboutFewNames(t *testing.T) {
	h := mfatest.New(t)
	h.Policy.Passwordless = true
	h.Create(users.Draft{Email: mfatest.Email, Password: mfatest.Password, TOTPSecret: mfatest.TOTPKey})
	stranger := func(id storage.RequestID, who string) exchange.Login {
		p := h.Read(id, who)
		p.Detached = &storage.NewLogin{}
		return p
	}
	ctx := context.Background()
	id := h.Begin()
	for i := range 5 {
		for range 3 {
			mfatest.Want(t, "ask", h.Verifier.Ask(ctx, h.Caller, stranger(id, fmt.Sprintf("nobody%d", i))), "")
		}
	}
	mfatest.Want(t, "a sixth name", h.Verifier.Ask(ctx, h.Caller, stranger(id, mfatest.Email)), mfa.TooManyInitiations)
	_, err := h.Verifier.Initiate(ctx, h.Caller, stranger(id, mfatest.Email), mfatest.Passwordless(""))
	mfatest.Want(t, "initiating with a sixth name", err, mfa.TooManyInitiations)
	mfatest.Want(t, "the browser's own name", h.Verifier.Ask(ctx, h.Caller, h.Read(id, mfatest.Email)), "")
	mfatest.Want(t, "the first name once more", h.Verifier.Ask(ctx, h.Caller, stranger(id, "nobody0")), "")
}

// Who has proven the first factor is told of the wait of the second, whatever name the call
// has beside it.
func TestTheSecondFactorTellsItsWaitToWhoeverIsIdentified(t *testing.T) {
	h := mfatest.New(t)
	h.Create(users.Draft{Username: "ada", Email: mfatest.Email, Password: mfatest.Password, TOTPSecret: mfatest.TOTPKey, MFAEnabled: true})
	second := func(name, code string) error {
		id := h.Begin()
		mfatest.Want(t, "password", h.SignIn(id, mfatest.Email, mfatest.Password), "")
		s, err := h.Initiate(id, name, exchange.Choice{Method: "totp"})
		mfatest.Want(t, "initiate", err, "")
		_, err = h.Verify(s.Exchange, code)
		return err
	}
	for range 5 {
		mfatest.Want(t, "wrong", second("ada", h.Wrong()), mfa.InvalidPasscode)
	}
	mfatest.Want(t, "by another name", second(mfatest.Email, h.Code(0)), mfa.TooMany)
}

// Who is identified and mistypes a code is one of the failures of an address, and no further
// name: a person who mistypes both has failed for one.
func TestWhoIsIdentifiedIsNoFurtherNameOfAnAddress(t *testing.T) {
	h := mfatest.New(t)
	h.Open(exchange.Options{Product: "Sallyport"})
	h.Caller.Address = "198.51.100.7"
	for i := range 9 {
		name := fmt.Sprintf("name%d@example.com", i)
		h.Create(users.Draft{Email: name, Password: mfatest.Password, TOTPSecret: mfatest.TOTPKey, MFAEnabled: true})
		mfatest.Want(t, name, h.SignIn(h.Begin(), name, "a wrong password"), mfa.InvalidCredentials)
		id := h.Begin()
		mfatest.Want(t, name, h.SignIn(id, name, mfatest.Password), "")
		_, err := h.Prove(id, "totp", h.Wrong(), "")
		mfatest.Want(t, name, err, mfa.InvalidPasscode)
	}
	mfatest.Want(t, "a tenth name", h.SignIn(h.Begin(), "another", "a wrong password"), mfa.InvalidCredentials)
}
