package reset_test

import (
	"crypto/rand"
	"maps"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/notice"
	"sallyport/mfa/passcode"
	"sallyport/mfa/reset"
	"sallyport/mfa/ticket"
	"sallyport/mfa/users"
	"sallyport/storage"
)

const number = "+14152222222"

// withSMS sends text messages, free ones a day and then as many as came back, to one country.
func withSMS(f *fixture, free int) {
	toll := func(number string) (storage.Toll, bool) {
		return storage.Toll{Country: "US", Max: 100, Free: free, Ratio: 1}, strings.HasPrefix(number, "+1")
	}
	o := passcode.Options{Product: "Sallyport", Toll: toll}
	f.Open(exchange.Options{Product: "Sallyport", AddressMax: -1}, passcode.NewEmail(f.Keyring, rand.Reader, o), passcode.NewSMS(f.Keyring, rand.Reader, o))
	f.resets = reset.New(f.Store, f.Verifier, f.Users, f.Keyring, f.Journal, f.Now, rand.Reader, reset.Options{
		Product: "Sallyport", Page: "https://login.example.com/reset/", Life: time.Hour, Mail: true, Toll: toll})
}

// texts asks for a message, and returns the text messages that this wrote.
func (f *fixture) texts(name string) []storage.Message {
	f.T.Helper()
	if mails := f.ask(name); len(mails) > 0 {
		f.T.Errorf("%s: %d mails, want none", name, len(mails))
	}
	f.Advance(2 * time.Minute)
	return f.lease(notice.SMS)
}

func TestAUserWithANumberAloneGetsATextMessage(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFixture(t, dsn)
		withSMS(f, 1)
		f.Create(users.Draft{Username: "ada", Phone: number, PhoneVerified: true, Password: mfatest.Password})
		f.Create(users.Draft{Username: "both", Email: mfatest.Email, EmailVerified: true, Phone: "+14152222223", PhoneVerified: true, Password: mfatest.Password})
		f.Create(users.Draft{Username: "unproven", Email: mfatest.OtherEmail, EmailVerified: false, Phone: "+14152222224", Password: mfatest.Password})
		f.Create(users.Draft{Username: "abroad", Phone: "+4915112345678", PhoneVerified: true, Password: mfatest.Password})
		sim := f.Create(users.Draft{Username: "sim", Phone: "+14152222226", PhoneVerified: true, Password: mfatest.Password})
		o := f.Session(sim.ID, "password")
		e, err := f.EnrollAs(o, exchange.NewFactor{Method: "sms", Address: "+14152222226"})
		mfatest.Want(t, "enrol", err, "")
		sent, _ := f.SentCode("+14152222226")
		_, err = f.Verifier.Confirm(t.Context(), f.Caller, exchange.SignedIn(o), e.Exchange, mfa.Typed(sent))
		mfatest.Want(t, "confirm", err, "")
		f.lease(notice.SMS)

		for _, name := range []string{"unproven", "+14152222224", "abroad", "sim", "+14152222226", "nobody"} {
			if got := f.texts(name); len(got) > 0 {
				t.Errorf("%s: %+v, want no message", name, got)
			}
		}
		for _, name := range []string{"both", "+14152222223"} {
			if got := f.ask(name); len(got) != 1 || got[0].Recipient != mfatest.Email {
				t.Errorf("%s: %+v, want a mail", name, got)
			}
			f.Advance(2 * time.Minute)
		}
		got := f.texts("ada")
		if len(got) != 1 || got[0].Recipient != number || got[0].Template != notice.PasswordReset || len(got[0].Data["code"]) != 9 {
			t.Fatalf("messages = %+v, want one to %s", got, number)
		}
		_, err = f.resets.Guess(t.Context(), f.Caller, "+1 415 222 2222", got[0].Data["code"], ticket.Return{})
		mfatest.Want(t, "the code", err, "")
		mfatest.Want(t, "set", f.set(strings.TrimPrefix(got[0].Data["link"], "https://login.example.com/reset/"), fresh), "")
		mfatest.Want(t, "the new password", f.SignIn(f.OpenRequest(), "ada", fresh), "")

		// The codes of the factor and of this message came back, that of the next one does not.
		if got := f.texts(number); len(got) != 1 {
			t.Errorf("messages = %+v, want one: the others came back", got)
		}
		if got := f.texts(number); len(got) > 0 {
			t.Errorf("messages = %+v beyond the limit of the country", got)
		}
		reasons := map[string]int{}
		for _, e := range f.EventsOf(mfa.EventResetRequested) {
			reasons[e.Outcome+" "+e.Detail["reason"]]++
		}
		want := map[string]int{"ok ": 4, "refused no_address": 2, "refused second_factor": 2, "refused address_not_allowed": 1, "refused too_many_messages: send_country": 1}
		if !maps.Equal(reasons, want) {
			t.Errorf("events = %v, want %v", reasons, want)
		}
	})
}

// What is set up while the message is on its way counts, too.
func TestANumberThatBecomesASecondFactorResetsNoPassword(t *testing.T) {
	f := newFixture(t, "")
	withSMS(f, 100)
	u := f.Create(users.Draft{Username: "ada", Phone: number, PhoneVerified: true, Password: mfatest.Password})
	got := f.texts("ada")
	if len(got) != 1 {
		t.Fatalf("messages = %+v, want one", got)
	}
	link := strings.TrimPrefix(got[0].Data["link"], "https://login.example.com/reset/")
	_, err := f.resets.Open(t.Context(), link)
	mfatest.Want(t, "the link", err, "")
	o := f.Session(u.ID, "password")
	e, err := f.EnrollAs(o, exchange.NewFactor{Method: "sms", Address: number})
	mfatest.Want(t, "enrol", err, "")
	sent, _ := f.SentCode(number)
	_, err = f.Verifier.Confirm(t.Context(), f.Caller, exchange.SignedIn(o), e.Exchange, mfa.Typed(sent))
	mfatest.Want(t, "confirm", err, "")
	_, err = f.resets.Open(t.Context(), link)
	mfatest.Want(t, "the link of a factor", err, mfa.InvalidExchange)
}

// One text message has 160 characters (3GPP TS 23.038); a longer one is paid twice.
func TestATextMessageForANewPasswordIsOne(t *testing.T) {
	texts, err := notice.NewRenderer("login.example.com", "https://login.example.com/account", nil)
	mfatest.Want(t, "renderer", err, "")
	for _, locale := range []string{"en", "de"} {
		c, err := texts.Render(notice.SMS, notice.PasswordReset, locale, map[string]string{"product": "Sallyport", "code": "123456789", "minutes": "60",
			"link": "https://login.example.com/reset/" + storage.Random128(rand.Reader)})
		mfatest.Want(t, locale, err, "")
		if n := utf8.RuneCountInString(c.Text); n > 160 {
			t.Errorf("%s: %d characters: %s", locale, n, c.Text)
		}
	}
}
