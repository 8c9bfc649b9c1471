package selfservice_test

import (
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/selfservice"
	"sallyport/storage"
)

// Whoever may sign up has as many accounts, and so guesses, as they like: five at each of five codes an
// hour to an address. Of nine digits that is 6 in 10 million a day (docs/decisions/0108).
func TestACodeOfANewAddressHasNineDigits(t *testing.T) {
	onBoth(t, func(t *testing.T, h addressFixture) {
		o := h.Owner(h.CreateAda())
		for _, n := range []selfservice.NewAddress{{Kind: storage.Email, Typed: newMail}, {Kind: storage.Phone, Typed: number}} {
			sent, err := h.send(o, n)
			mfatest.Want(t, "send to "+n.Typed, err, "")
			pending, err := h.Verifier.AddressPending(t.Context(), h.Caller, o, sent.Exchange)
			mfatest.Want(t, "read", err, "")
			code, _ := h.SentCode(n.Typed)
			if len(code) != 9 || sent.Digits != 9 || pending.Digits != 9 {
				t.Errorf("%s: code of %d digits, pages say %d and %d, want 9", n.Typed, len(code), sent.Digits, pending.Digits)
			}
			mfatest.Want(t, "a code of six digits", h.confirm(o, sent.Exchange, "123456"), mfa.InvalidRequest)
			mfatest.Want(t, "the code", h.confirm(o, sent.Exchange, code), "")
			h.Advance(time.Minute)
			o.Account = h.account(o.Account.User.ID)
		}
	})
}

// The owner of a session proves factors, and addresses, of their own: no success brings further guesses
// at the code of a foreign address. Nor do wrong ones keep the user from the second factor.
func TestNoLoginBringsFurtherGuessesAtTheCodeOfAnAddress(t *testing.T) {
	onBoth(t, func(t *testing.T, h addressFixture) {
		u := h.CreateAda()
		o := h.Owner(u)
		target := selfservice.NewAddress{Kind: storage.Email, Typed: newMail}
		guesses := 0
		for round := range 3 {
			sent, err := h.send(o, target)
			mfatest.Want(t, "send", err, "")
			for range 5 {
				code, _ := h.SentCode(newMail)
				err := h.confirm(o, sent.Exchange, other(code))
				if mfa.CodeOf(err) == mfa.TooMany {
					break
				}
				mfatest.Want(t, "a wrong code", err, mfa.InvalidPasscode)
				guesses++
			}
			_, err = h.Prove(h.SignedIn(), "totp", h.Code(0), "")
			mfatest.Want(t, "the own second factor", err, "")
			h.Advance(2 * time.Minute)
			o = h.Session(u.ID, "password", "totp")
			if round == 0 {
				o = h.prove(o, selfservice.NewAddress{Kind: storage.Email, Typed: "one@new.example"})
			}
		}
		if guesses != 10 {
			t.Errorf("%d guesses on a day, want 10", guesses)
		}
		sent, err := h.send(o, selfservice.NewAddress{Kind: storage.Phone, Typed: number})
		mfatest.Want(t, "send", err, "")
		code, _ := h.SentCode(number)
		mfatest.Want(t, "the code of another address", h.confirm(o, sent.Exchange, code), mfa.TooMany)
		h.Advance(24 * time.Hour)
		h.prove(h.Session(u.ID, "password", "totp"), selfservice.NewAddress{Kind: storage.Phone, Typed: number})
	})
}
