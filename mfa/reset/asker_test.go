package reset_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/ticket"
	"sallyport/storage"
)

// A code is right in the browser that asked for it alone, and wrong ones elsewhere do not count there:
// no stranger uses up the guesses of a user, with or without asking for messages.
func TestAStrangerDoesNotUseUpTheGuessesOfAUser(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFixture(t, dsn)
		f.CreateAda()
		_, code := f.asked()
		guess := func(browser, name, code string) error {
			caller := f.Caller
			caller.Browser = browser
			_, err := f.resets.Guess(t.Context(), caller, name, code, ticket.Return{})
			return err
		}
		for _, browser := range []string{"stranger", "another stranger", ""} {
			mfatest.Want(t, "the code in another browser", guess(browser, "ada", code), mfa.InvalidPasscode)
			for range 20 {
				mfatest.Want(t, "a wrong code", guess(browser, "ada", "123456789"), mfa.InvalidPasscode)
			}
		}
		mine := f.Caller
		f.Caller.Browser = "stranger"
		_, theirs := f.asked() // in the mail of Ada
		mfatest.Want(t, "a code after five wrong ones in its browser", guess("stranger", "ada", theirs), mfa.InvalidPasscode)
		f.Caller.Browser = "fresh"
		_, theirs = f.asked()
		mfatest.Want(t, "a code of another message", guess(mine.Browser, "ada", theirs), mfa.InvalidPasscode)
		mfatest.Want(t, "the code where it was asked for", guess(mine.Browser, "ada", code), "")
	})
}

// Without a browser the login is the asker.
func TestACodeOfALoginWithoutABrowserIsRightInThatLogin(t *testing.T) {
	f := newFixture(t, "")
	f.CreateAda()
	f.Caller.Browser = ""
	_, code := f.asked() // in "the-request"
	for request, want := range map[storage.RequestID]mfa.Code{"another": mfa.InvalidPasscode, "": mfa.InvalidPasscode, "the-request": ""} {
		_, err := f.resets.Guess(t.Context(), f.Caller, "ada", code, ticket.Return{Request: request})
		mfatest.Want(t, "the code in "+string(request), err, want)
	}
}

// Of nine digits, five guesses at each of the five messages an hour are right with less than one in a
// million a day, whoever asks (docs/decisions/0120).
func TestEveryCodeGetsFiveGuesses(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFixture(t, dsn)
		f.CreateAda()
		var codes []string
		for range 3 { // sent again, in one browser
			_, code := f.asked()
			codes = append(codes, code)
			_, err := f.resets.Guess(t.Context(), f.Caller, "ada", "000000000", ticket.Return{})
			mfatest.Want(t, "a wrong code", err, mfa.InvalidPasscode)
		}
		for _, code := range codes {
			_, err := f.resets.Guess(t.Context(), f.Caller, "ada", code, ticket.Return{})
			mfatest.Want(t, "an earlier code", err, "")
		}
		for range 2 {
			_, err := f.resets.Guess(t.Context(), f.Caller, "ada", "000000000", ticket.Return{})
			mfatest.Want(t, "a wrong code", err, mfa.InvalidPasscode)
		}
		for _, code := range codes {
			_, err := f.resets.Guess(t.Context(), f.Caller, "ada", code, ticket.Return{})
			mfatest.Want(t, "a code after five wrong ones", err, mfa.InvalidPasscode)
		}
	})
}

// Nobody fills the list of what happened to a user, whatever browsers they invent.
func TestWrongCodesOfAUserHaveFewLinesWhoeverTypesThem(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFixture(t, dsn)
		f.CreateAda()
		_, code := f.asked()
		guesses := func(day string) {
			for n := range 40 {
				caller := f.Caller
				caller.Browser = fmt.Sprintf("%s %d", day, n)
				_, err := f.resets.Guess(t.Context(), caller, []string{"ada", mfatest.Email}[n%2], "123456789", ticket.Return{})
				mfatest.Want(t, "a wrong code", err, mfa.InvalidPasscode)
			}
		}
		guesses("first")
		if n := len(f.EventsOf(mfa.EventResetFailed)); n != 11 {
			t.Errorf("%d events, want ten, and one of the wait", n)
		}
		_, err := f.resets.Guess(t.Context(), f.Caller, "ada", code, ticket.Return{})
		mfatest.Want(t, "the code after them", err, "")
		f.Advance(24 * time.Hour)
		guesses("second")
		if n := len(f.EventsOf(mfa.EventResetFailed)); n != 22 {
			t.Errorf("%d events, want as many on the next day", n)
		}
	})
}

// A flood of requests for a name, from many browsers and networks, ends in few mails, and its user gets
// a new password by any of them.
func TestAFloodOfResetsLeavesTheOwnerAWay(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFixture(t, dsn)
		f.CreateAda()
		owner := f.Caller
		var links []string
		for n := range 60 {
			f.Caller.Browser, f.Caller.Address = fmt.Sprint("bot ", n), fmt.Sprintf("198.51.%d.1", n)
			if err := f.resets.Ask(t.Context(), f.Caller, []string{"ada", mfatest.Email}[n%2], ticket.Return{}); err != nil {
				mfatest.Want(t, "one of a flood", err, mfa.TooManyMessages)
			}
			for _, m := range f.work() {
				links = append(links, strings.TrimPrefix(m.Data["link"], "https://login.example.com/reset/"))
			}
			f.Advance(30 * time.Second)
		}
		if len(links) != 5 {
			t.Fatalf("%d mails in half an hour, want 5", len(links))
		}
		f.Caller = owner
		mfatest.Want(t, "the owner asks", f.resets.Ask(t.Context(), f.Caller, "ada", ticket.Return{}), mfa.TooManyMessages)
		mfatest.Want(t, "the owner signs in meanwhile", f.SignIn(f.OpenRequest(), "ada", mfatest.Password), "")
		mfatest.Want(t, "the owner follows a link of the flood", f.set(links[2], fresh), "")
		mfatest.Want(t, "the owner signs in", f.SignIn(f.OpenRequest(), "ada", fresh), "")
		mfatest.Want(t, "the flood's other links", f.set(links[4], fresh+" again"), mfa.InvalidExchange)
	})
}
