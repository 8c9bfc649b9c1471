package exchange_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/users"
	"sallyport/storage"
)

// An address waits after failures for so many names, of the same user or not.
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
			mfatest.Want(t, name, h.SignIn(h.OpenRequest(), name, "a wrong password"), mfa.InvalidCredentials)
		}
		mfatest.Want(t, "an eleventh name failed", h.SignIn(h.OpenRequest(), "another", "a wrong password"), mfa.TooMany)
	}
}

// The user's counter protects all names of the user: a caller who does not see its wait can
// not sign in during it either.
func TestNoNameBypassesTheWaitOfItsUser(t *testing.T) {
	h := mfatest.New(t)
	h.Policy.Passwordless = true
	h.Create(users.Draft{Username: "ada", Email: mfatest.Email, Password: mfatest.Password, TOTPSecret: mfatest.TOTPKey})
	for i := range 5 {
		mfatest.Want(t, "wrong", h.SignIn(h.OpenRequest(), []string{"ada", mfatest.Email}[i%2], "a wrong password"), mfa.InvalidCredentials)
	}
	mfatest.Want(t, "the right password during the wait", h.SignIn(h.OpenRequest(), mfatest.Email, mfatest.Password), mfa.InvalidCredentials)
	h.Advance(31 * time.Second)
	mfatest.Want(t, "the right password after it", h.SignIn(h.OpenRequest(), mfatest.Email, mfatest.Password), "")
	for range 5 {
		mfatest.Want(t, "the name starts over with the right password", h.SignIn(h.OpenRequest(), mfatest.Email, "a wrong password"), mfa.InvalidCredentials)
	}
	for range 5 {
		s, err := h.Initiate(h.OpenRequest(), "ada", mfatest.Passwordless(""))
		mfatest.Want(t, "initiate", err, "")
		_, err = h.Verify(s.Exchange, h.Wrong())
		mfatest.Want(t, "wrong", err, mfa.InvalidPasscode)
	}
	s, err := h.Initiate(h.OpenRequest(), mfatest.Email, mfatest.Passwordless(""))
	mfatest.Want(t, "initiate", err, "")
	_, err = h.Verify(s.Exchange, h.Code(0))
	mfatest.Want(t, "the right code during the wait", err, mfa.InvalidPasscode)
	account, err := h.Users.Find(context.Background(), "ada")
	mfatest.Want(t, "account", err, "")
	mfatest.Want(t, "unlock", h.Users.Unlock(context.Background(), h.Caller, account), "")
	for _, who := range []string{"ada", mfatest.Email} {
		s, err = h.Initiate(h.OpenRequest(), who, mfatest.Passwordless(""))
		mfatest.Want(t, "initiate", err, "")
		_, err = h.Verify(s.Exchange, h.Code(0))
		mfatest.Want(t, "the right code by "+who+" after an administrator unlocked it", err, "")
		h.Advance(30 * time.Second)
	}
}

func TestALoginListsFewNames(t *testing.T) {
	h := mfatest.New(t)
	h.Policy.Passwordless = true
	h.Create(users.Draft{Email: mfatest.Email, Password: mfatest.Password, TOTPSecret: mfatest.TOTPKey})
	detached := func(id storage.RequestID, who string) exchange.Login {
		p := h.Read(id, who)
		p.Detached = &storage.NewLogin{}
		return p
	}
	ctx := context.Background()
	id := h.OpenRequest()
	for i := range 5 {
		for range 3 {
			mfatest.Want(t, "ask", h.Verifier.RememberName(ctx, h.Caller, detached(id, fmt.Sprintf("nobody%d", i))), "")
		}
	}
	mfatest.Want(t, "a sixth name", h.Verifier.RememberName(ctx, h.Caller, detached(id, mfatest.Email)), mfa.TooManyInitiations)
	_, err := h.Verifier.Initiate(ctx, h.Caller, detached(id, mfatest.Email), mfatest.Passwordless(""))
	mfatest.Want(t, "initiating with a sixth name", err, mfa.TooManyInitiations)
	mfatest.Want(t, "the browser's own name", h.Verifier.RememberName(ctx, h.Caller, h.Read(id, mfatest.Email)), "")
	mfatest.Want(t, "the first name once more", h.Verifier.RememberName(ctx, h.Caller, detached(id, "nobody0")), "")
}

// After the first factor the wait of the second is shown, whatever name the call has.
func TestAnIdentifiedUserSeesTheWaitOfTheSecondFactor(t *testing.T) {
	h := mfatest.New(t)
	h.Create(users.Draft{Username: "ada", Email: mfatest.Email, Password: mfatest.Password, TOTPSecret: mfatest.TOTPKey, MFAEnabled: true})
	second := func(name, code string) error {
		id := h.OpenRequest()
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

// A wrong code of an identified user counts as a failure of the address, not as another name.
func TestAnIdentifiedUserIsNotCountedAsAnotherNameOfAnAddress(t *testing.T) {
	h := mfatest.New(t)
	h.Open(exchange.Options{Product: "Sallyport"})
	h.Caller.Address = "198.51.100.7"
	for i := range 9 {
		name := fmt.Sprintf("name%d@example.com", i)
		h.Create(users.Draft{Email: name, Password: mfatest.Password, TOTPSecret: mfatest.TOTPKey, MFAEnabled: true})
		mfatest.Want(t, name, h.SignIn(h.OpenRequest(), name, "a wrong password"), mfa.InvalidCredentials)
		id := h.OpenRequest()
		mfatest.Want(t, name, h.SignIn(id, name, mfatest.Password), "")
		_, err := h.Prove(id, "totp", h.Wrong(), "")
		mfatest.Want(t, name, err, mfa.InvalidPasscode)
	}
	mfatest.Want(t, "a tenth name", h.SignIn(h.OpenRequest(), "another", "a wrong password"), mfa.InvalidCredentials)
}
