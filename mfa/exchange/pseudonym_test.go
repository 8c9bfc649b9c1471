package exchange_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/users"
	"sallyport/storage"
)

// Before the first factor no pseudonym repeats in another login or with another name of the
// same user. Real and decoy ones look alike.
func TestPseudonymsOfANameNeverRepeat(t *testing.T) {
	h := mfatest.New(t)
	h.Policy.Passwordless = true
	h.Create(users.Draft{Username: "grace", Email: "grace@example.com", Password: mfatest.Password, TOTPSecret: mfatest.TOTPKey})
	seen := map[string]string{}
	for range 3 {
		id := h.OpenRequest()
		for _, who := range []string{"grace", "grace@example.com", h.UnknownUser("totp")} {
			listed := h.ListOptions(id, who)
			if again := h.ListOptions(id, who); !reflect.DeepEqual(listed, again) {
				t.Errorf("%s in one login has %v, then %v", who, listed, again)
			}
			named, err := h.Initiate(id, who, mfatest.Passwordless(""))
			mfatest.Want(t, who, err, "")
			picked, err := h.InitiateListed(id, mfatest.Passwordless(listed[0].Authenticator))
			mfatest.Want(t, who+" by what was listed", err, "")
			both, err := h.Initiate(id, who, mfatest.Passwordless(listed[0].Authenticator))
			mfatest.Want(t, who+" by name and by what was listed", err, "")
			if picked.Sub != named.Sub || both.Sub != named.Sub || picked.Text != named.Text {
				t.Errorf("%s is %+v by name, %+v by what was listed", who, named, picked)
			}
			for _, shown := range []string{string(listed[0].Authenticator), named.Sub} {
				if len(shown) != 36 || seen[shown] != "" {
					t.Errorf("%s of %s was shown of %q before", shown, who, seen[shown])
				}
				seen[shown] = who
			}
		}
	}
	account, err := h.Users.Named(context.Background(), "grace")
	mfatest.Want(t, "account", err, "")
	for _, a := range account.Authenticators {
		if seen[string(a.ID)] != "" {
			t.Errorf("the ID of %s was shown", a.Method)
		}
		_, err := h.InitiateListed(h.OpenRequest(), exchange.Choice{Method: a.Method, Authenticator: a.ID, Usage: mfa.UsagePasswordless})
		mfatest.Want(t, "the ID of "+a.Method+", which was not shown", err, mfa.NotConfigured)
	}
}

func TestOnlyListedPseudonymsLeadToTheirOwner(t *testing.T) {
	h := mfatest.New(t)
	h.Policy.Passwordless = true
	u := h.Create(users.Draft{Email: mfatest.Email, Password: mfatest.Password, TOTPSecret: mfatest.TOTPKey})
	unknown := h.UnknownUser("totp")
	for _, who := range []string{mfatest.Email, unknown} {
		id := h.OpenRequest()
		shown := h.ListOptions(id, who)[0].Authenticator
		account, identifier, err := h.Verifier.OwnerOf(context.Background(), h.Read(id, "").Request, mfatest.Passwordless(shown))
		mfatest.Want(t, who, err, "")
		if (account != nil) != (who == mfatest.Email) || account != nil && account.User.ID != u.ID || identifier == "" {
			t.Errorf("%s: owner %v, %q", who, account, identifier)
		}
		_, err = h.InitiateListed(id, exchange.Choice{Method: "recovery", Authenticator: shown, Usage: mfa.UsagePasswordless})
		mfatest.Want(t, who+": another method's", err, mfa.NotConfigured)
		_, err = h.InitiateListed(h.OpenRequest(), mfatest.Passwordless(shown))
		mfatest.Want(t, who+": shown in another login", err, mfa.NotConfigured)
		_, err = h.InitiateListed(id, mfatest.Passwordless(storage.AuthenticatorID(storage.Random128(rand.Reader))))
		mfatest.Want(t, who+": made up", err, mfa.NotConfigured)
		_, err = h.Initiate(id, "someone-else@example.com", mfatest.Passwordless(shown))
		mfatest.Want(t, who+": shown of another name", err, mfa.NotConfigured)
	}
}

// A caller may list a name's factors, prove the password and use a listed pseudonym.
func TestPseudonymsAreValidAfterTheFirstFactor(t *testing.T) {
	h := mfatest.New(t)
	h.CreateAda()
	id := h.OpenRequest()
	shown := h.ListOptions(id, mfatest.Email)[0].Authenticator
	mfatest.Want(t, "password", h.SignIn(id, mfatest.Email, mfatest.Password), "")
	_, err := h.Verifier.Prove(context.Background(), h.Caller, h.Read(id, ""), exchange.Choice{Method: "totp", Authenticator: shown}, "", mfa.Typed(h.Code(0)))
	mfatest.Want(t, "the code of what was listed", err, "")
}

// Responses about two names do not depend on whether they belong to one user, to two users or
// to none.
func TestTwoNamesDoNotRevealThatTheyAreOneUsers(t *testing.T) {
	for _, kind := range []string{"password", "passwordless"} {
		t.Run(kind, func(t *testing.T) {
			first := ""
			for i, of := range []string{"one user", "two users", "no user"} {
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
					one, other = h.UnknownUser("totp"), h.UnknownUser("totp")
					for i := 200; other == one; i++ {
						if who := fmt.Sprintf("nobody%d@example.com", i); len(h.Verifier.Options(h.Read(h.OpenRequest(), who))) > 0 {
							other = who
						}
					}
				}
				if got := h.Transcript(kind, one, other); i == 0 {
					first = got
				} else if got != first {
					t.Errorf("responses for names of one user:\n%s\nnames of %s\n%s", first, of, got)
				}
			}
			if strings.Count(first, "too_many_attempts") < 10 || strings.Count(first, "invalid") < 20 {
				t.Errorf("few waits and refusals:\n%s", first)
			}
		})
	}
}
