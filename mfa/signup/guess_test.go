package signup_test

import (
	"fmt"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/signup"
	"sallyport/mfa/ticket"
	"sallyport/storage"
)

// A code is right in the browser that asked for it alone, and wrong ones elsewhere do not count there:
// no stranger uses up the guesses of a person, with or without asking for messages.
func TestAStrangerDoesNotUseUpTheGuessesOfASignUp(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFixture(t, dsn, signup.Open)
		_, code := f.asked(nova)
		for _, browser := range []string{"stranger", "another stranger", ""} {
			mfatest.Want(t, "the code in another browser", f.guess(browser, nova, code), mfa.InvalidPasscode)
			for range 20 {
				mfatest.Want(t, "a wrong code", f.guess(browser, nova, "123456789"), mfa.InvalidPasscode)
			}
		}
		mine := f.Caller.Browser
		f.Caller.Browser = "stranger"
		_, theirs := f.asked(nova)
		mfatest.Want(t, "a code after five wrong ones in its browser", f.guess("stranger", nova, theirs), mfa.InvalidPasscode)
		mfatest.Want(t, "a code of another browser's message", f.guess(mine, nova, theirs), mfa.InvalidPasscode)
		mfatest.Want(t, "the code at another address", f.guess(mine, "other@example.com", code), mfa.InvalidPasscode)
		mfatest.Want(t, "the code as it is typed", f.guess(mine, " NOVA@example.com", code[:3]+" "+code[3:6]+"-"+code[6:]), "")
	})
}

// Without a browser the login is the asker.
func TestACodeOfALoginWithoutABrowserIsRightInThatLogin(t *testing.T) {
	f := newFixture(t, "", signup.Open)
	f.Caller.Browser = ""
	_, code := f.asked(nova)
	for request, want := range map[storage.RequestID]mfa.Code{"another": mfa.InvalidPasscode, "": mfa.InvalidPasscode, back.Request: ""} {
		_, err := f.signups.Guess(t.Context(), f.Caller, nova, code, ticket.Return{Request: request})
		mfatest.Want(t, "the code in "+string(request), err, want)
	}
}

// Five wrong codes a day for address and asker, over all messages together (docs/decisions/0120).
func TestEveryCodeGetsFiveGuesses(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFixture(t, dsn, signup.Open)
		link, first := f.asked(nova)
		for range 4 {
			mfatest.Want(t, "a wrong code", f.guess(f.Caller.Browser, nova, "000000000"), mfa.InvalidPasscode)
		}
		_, second := f.asked(nova)
		if len(first) != 9 || len(second) != 9 {
			t.Errorf("codes = %q, %q, want nine digits", first, second)
		}
		for _, code := range []string{first, second} {
			mfatest.Want(t, "a code after four wrong ones", f.guess(f.Caller.Browser, nova, code), "")
		}
		mfatest.Want(t, "the fifth wrong code", f.guess(f.Caller.Browser, nova, "000000000"), mfa.InvalidPasscode)
		for _, code := range []string{first, second} {
			mfatest.Want(t, "a code after five wrong ones", f.guess(f.Caller.Browser, nova, code), mfa.InvalidPasscode)
		}
		_, err := f.accept(link, fresh)
		mfatest.Want(t, "the link all the same", err, "")
	})
}

// Nobody fills the audit trail, whatever browsers they invent.
func TestWrongCodesOfAnAddressHaveFewLinesWhoeverTypesThem(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFixture(t, dsn, signup.Open)
		_, code := f.asked(nova)
		for n := range 20 {
			for range 7 {
				mfatest.Want(t, "a wrong code", f.guess(fmt.Sprint("invented ", n), nova, "123456789"), mfa.InvalidPasscode)
			}
		}
		if got := f.reasons(mfa.EventSignUpFailed)["refused"]; got != 11 {
			t.Errorf("%d events, want ten, and one of the wait", got)
		}
		mfatest.Want(t, "the code after them", f.guess(f.Caller.Browser, nova, code), "")
		f.Advance(24 * time.Hour)
		for range 7 {
			mfatest.Want(t, "a wrong code", f.guess("invented", nova, "123456789"), mfa.InvalidPasscode)
		}
		if got := f.reasons(mfa.EventSignUpFailed)["refused"]; got != 12 {
			t.Errorf("%d events, want another on the next day", got)
		}
	})
}

// A flood of requests for an address ends in few mails, and its owner comes in by any of them.
func TestAFloodOfSignUpsLeavesTheOwnerAWay(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFixture(t, dsn, signup.Open)
		owner := f.Caller
		var links []string
		for n := range 60 {
			f.Caller.Browser, f.Caller.Address = fmt.Sprint("bot ", n), fmt.Sprintf("198.51.100.%d", n)
			if err := f.signups.Ask(t.Context(), f.Caller, nova, back); err != nil {
				mfatest.Want(t, "one of a flood", err, mfa.TooManyMessages)
			}
			for _, m := range f.work(f.lease(signup.Kind)) {
				links = append(links, m.Data["link"][len(page):])
			}
			f.Advance(30 * time.Second)
		}
		if len(links) != 5 {
			t.Fatalf("%d mails in half an hour, want 5", len(links))
		}
		f.Caller = owner
		mfatest.Want(t, "the owner asks", f.signups.Ask(t.Context(), f.Caller, nova, back), mfa.TooManyMessages)
		done, err := f.accept(links[4], fresh)
		mfatest.Want(t, "the owner follows a link of the flood", err, "")
		if done.SameBrowser {
			t.Error("the owner's browser counts as that of the flood")
		}
		mfatest.Want(t, "the owner signs in", f.SignIn(f.OpenRequest(), nova, fresh), "")
		mfatest.Want(t, "the flood's other links", func() error { _, err := f.accept(links[0], fresh); return err }(), mfa.InvalidExchange)
	})
}
