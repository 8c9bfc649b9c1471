package passcode_test

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/passcode"
	"sallyport/mfa/users"
	"sallyport/storage"
)

var byMail = exchange.Choice{Method: "email"}

// newFixture returns a fixture whose verifier sends codes.
func newFixture(t *testing.T) *mfatest.Fixture {
	h := mfatest.New(t)
	h.Open(exchange.Options{Product: "Sallyport", AddressMax: -1}, passcode.NewEmail(h.Keyring, rand.Reader, passcode.Options{Product: "Sallyport"}),
		passcode.NewSMS(h.Keyring, rand.Reader, passcode.Options{Product: "Sallyport", Toll: tollOf}))
	return h
}

// newest returns the code of the newest message to an address, and how many there are.
func newest(h *mfatest.Fixture, address string) (string, int) {
	h.T.Helper()
	code, n := "", 0
	for _, m := range h.Messages() {
		if m.Recipient == address && m.Template == "code" {
			if n == 0 {
				code = m.Data["code"]
			}
			n++
		}
	}
	return code, n
}

// enrolled returns a user with a password and an e-mail address for codes.
func enrolled(h *mfatest.Fixture) storage.User {
	h.T.Helper()
	u := h.CreatePasswordUser()
	enrollMail(h, u)
	return u
}

// enrollMail enrols the e-mail address of a user.
func enrollMail(h *mfatest.Fixture, u storage.User) {
	h.T.Helper()
	o := h.Session(u.ID, "password")
	e, err := h.EnrollAs(o, exchange.NewFactor{Method: "email", Address: "Ada@Example.com"})
	mfatest.Want(h.T, "enrol", err, "")
	code, n := newest(h, "ada@example.com")
	if n != 1 || e.Handout.Secret != "" || e.Text != "a•••a@example.com" {
		h.T.Fatalf("enrolment = %+v with %d messages, want one and no secret", e, n)
	}
	_, err = h.Verifier.Confirm(context.Background(), h.Caller, exchange.SignedIn(o), e.Exchange, mfa.Typed(other(code)))
	mfatest.Want(h.T, "confirm with a wrong code", err, mfa.InvalidPasscode)
	_, err = h.Verifier.Confirm(context.Background(), h.Caller, exchange.SignedIn(o), e.Exchange, mfa.Typed(code))
	mfatest.Want(h.T, "confirm", err, "")
	h.Advance(2 * time.Minute)
}

// other returns a code that differs from the given one.
func other(code string) string {
	if code == "000000" {
		return "000001"
	}
	return "000000"
}

func prove(h *mfatest.Fixture, id storage.RequestID, x storage.ExchangeID, code string) error {
	return proveIn(h, h.Read(id, ""), x, code)
}

// proveIn is prove in a login that was read before, until the database has time for it.
func proveIn(h *mfatest.Fixture, p exchange.Login, x storage.ExchangeID, code string) error {
	for {
		_, err := h.Verifier.Prove(context.Background(), h.Caller, p, byMail, x, mfa.Typed(code))
		if !errors.Is(err, storage.ErrUnavailable) {
			return err
		}
	}
}

func TestACodeByMailIsASecondFactor(t *testing.T) {
	h := newFixture(t)
	enrolled(h)
	id := h.SignedIn()
	if v := h.Verdict(id); v.Need != mfa.NeedSecond {
		t.Fatalf("needs %q, want a second factor", v.Need)
	}
	mfatest.Want(t, "without a code sent", prove(h, id, "", "123456"), mfa.InvalidExchange)
	s, err := h.Initiate(id, "", byMail)
	mfatest.Want(t, "send", err, "")
	first, _ := newest(h, "ada@example.com")
	_, err = h.Initiate(id, "", byMail)
	mfatest.Want(t, "send again immediately", err, mfa.TooManyMessages)
	h.Advance(30 * time.Second)
	again, err := h.Initiate(id, "", byMail)
	mfatest.Want(t, "send again after 30 s", err, "")
	mfatest.Want(t, "the superseded code", prove(h, id, s.Exchange, first), mfa.InvalidExchange)
	code, n := newest(h, "ada@example.com")
	if n != 3 {
		t.Errorf("%d messages, want 3", n)
	}
	mfatest.Want(t, "a wrong code", prove(h, id, again.Exchange, other(code)), mfa.InvalidPasscode)
	mfatest.Want(t, "the right code", prove(h, id, again.Exchange, code), "")
	mfatest.Want(t, "the same code again", prove(h, id, again.Exchange, code), mfa.InvalidExchange)
	if v := h.Verdict(id); v.Need != mfa.NeedNothing || v.ACR != mfa.AAL2 {
		t.Errorf("verdict %+v, want aal2", v)
	}
}

func TestAnExpiredCodeIsReportedAndNotCounted(t *testing.T) {
	h := newFixture(t)
	enrolled(h)
	id := h.SignedIn()
	for range 6 { // more than a counter allows
		s, err := h.Initiate(id, "", byMail)
		if mfa.CodeOf(err) == mfa.TooManyMessages {
			break
		}
		mfatest.Want(t, "send", err, "")
		code, _ := newest(h, "ada@example.com")
		h.Advance(10 * time.Minute)
		mfatest.Want(t, "after ten minutes", prove(h, id, s.Exchange, code), mfa.PasscodeExpired)
		id = h.SignedIn()
	}
}

func TestAtMostFiveCodesAnHour(t *testing.T) {
	h := newFixture(t)
	enrolled(h)
	sent := 1
	for range 40 {
		if _, err := h.Initiate(h.SignedIn(), "", byMail); err == nil {
			sent++
		}
		h.Advance(time.Minute)
	}
	if sent != 5 { // with that of the enrolment
		t.Errorf("%d codes were sent in an hour, want 5", sent)
	}
	h.Advance(time.Hour)
	_, err := h.Initiate(h.SignedIn(), "", byMail)
	mfatest.Want(t, "an hour later", err, "")
}

// requireTwo sets whether a user requires two factors; if so, a code alone does not sign them in.
func requireTwo(h *mfatest.Fixture, u storage.User, on bool) {
	h.T.Helper()
	mfatest.Want(h.T, "change", h.Store.UpdateUser(context.Background(), storage.UserChange{ID: u.ID, MFAEnabled: &on, Now: h.Now()}), "")
}

// Whoever knows only a name must not keep its owner from getting codes.
func TestOthersCannotUseUpTheCodesOfAnOwner(t *testing.T) {
	h := newFixture(t)
	u := enrolled(h)
	requireTwo(h, u, false)
	_, before := newest(h, mfatest.Email)
	h.Policy.Passwordless = true
	choice := exchange.Choice{Method: "email", Usage: mfa.UsagePasswordless}
	var last error
	for range 30 {
		_, last = h.Initiate(h.OpenRequest(), mfatest.Email, choice)
		h.Advance(time.Minute)
	}
	mfatest.Want(t, "the attacker", last, mfa.TooManyMessages)
	if _, n := newest(h, mfatest.Email); n != before+4 { // with that of the enrolment five in an hour
		t.Errorf("the attacker had %d codes sent, want 4", n-before)
	}
	attacker := h.Caller
	h.Caller.Device = h.Sessions.Remember("", u.ID)
	_, err := h.Initiate(h.OpenRequest(), mfatest.Email, choice)
	mfatest.Want(t, "the owner, in a browser that signed in before", err, "")
	if _, n := newest(h, mfatest.Email); n != before+5 {
		t.Errorf("%d codes, want one for the owner", n-before)
	}
	h.Caller = attacker
	h.Advance(time.Minute)
	requireTwo(h, u, true)
	h.Policy.Passwordless = false
	s, err := h.Initiate(h.SignedIn(), "", byMail)
	mfatest.Want(t, "the owner", err, "")
	if d, err := h.Verifier.Delivery(context.Background(), h.Caller, s.Exchange); err != nil || d != exchange.DeliverySending {
		t.Errorf("delivery = %q, %v; want %q", d, err, exchange.DeliverySending)
	}
}

// Unknown names are limited like known ones, and nothing is sent for them.
func TestCodesForUnknownNames(t *testing.T) {
	h := newFixture(t)
	h.CreatePasswordUser()
	who := h.UnknownUser("email")
	h.Policy.Passwordless = true
	choice := exchange.Choice{Method: "email", Usage: mfa.UsagePasswordless}
	id := h.OpenRequest()
	s, err := h.Initiate(id, who, choice)
	mfatest.Want(t, "send", err, "")
	_, err = h.Initiate(id, who, choice)
	mfatest.Want(t, "send again", err, mfa.TooManyMessages)
	_, err = h.Verifier.Prove(context.Background(), h.Caller, h.Read(id, who), choice, s.Exchange, mfa.Typed("123456"))
	mfatest.Want(t, "any code", err, mfa.InvalidPasscode)
	if n := len(h.Messages()); n != 0 {
		t.Errorf("%d messages, want none", n)
	}
}

func TestAtMostFiveOfParallelGuessesAreCompared(t *testing.T) {
	h := newFixture(t)
	enrolled(h)
	id := h.SignedIn()
	s, err := h.Initiate(id, "", byMail)
	mfatest.Want(t, "send", err, "")
	code, _ := newest(h, "ada@example.com")
	p := h.Read(id, "")
	var wg sync.WaitGroup
	var mu sync.Mutex
	compared := 0
	for range 100 {
		wg.Go(func() {
			err := proveIn(h, p, s.Exchange, other(code))
			mu.Lock()
			defer mu.Unlock()
			if mfa.CodeOf(err) == mfa.InvalidPasscode {
				compared++
			}
		})
	}
	wg.Wait()
	if compared > 5 || compared == 0 {
		t.Errorf("%d guesses were compared, want 1 to 5", compared)
	}
	if err := prove(h, id, s.Exchange, code); mfa.CodeOf(err) != mfa.InvalidExchange && mfa.CodeOf(err) != mfa.TooMany {
		t.Errorf("the right code after them: %v, want a refusal", err)
	}
}

func TestOneOfParallelRightCodesWins(t *testing.T) {
	h := newFixture(t)
	enrolled(h)
	id := h.SignedIn()
	s, err := h.Initiate(id, "", byMail)
	mfatest.Want(t, "send", err, "")
	code, _ := newest(h, "ada@example.com")
	p := h.Read(id, "")
	var wg sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for range 100 {
		wg.Go(func() {
			if proveIn(h, p, s.Exchange, code) == nil {
				mu.Lock()
				won++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if won != 1 {
		t.Errorf("%d succeeded, want 1", won)
	}
}

func TestAddressesThatNothingIsSentTo(t *testing.T) {
	h := newFixture(t)
	u := h.CreatePasswordUser()
	o := h.Session(u.ID, "password")
	for typed, want := range map[string]mfa.Code{"": mfa.InvalidIdentifier, "ada": mfa.InvalidIdentifier, "ada@example.com": mfa.InvalidIdentifier,
		"+4915112345678": mfa.AddressNotAllowed, "+1 415 222 2222": ""} {
		_, err := h.EnrollAs(o, exchange.NewFactor{Method: "sms", Address: typed})
		mfatest.Want(t, typed, err, want)
	}
	_, err := h.EnrollAs(o, exchange.NewFactor{Method: "email", Address: mfatest.Email, Shape: mfa.Shape{Digits: 8}})
	mfatest.Want(t, "a shape", err, mfa.InvalidRequest)
}

// tollOf allows ten messages a day to the United States and none to Germany. Beyond three, one
// code in two must have come back.
func tollOf(number string) (storage.Toll, bool) {
	return storage.Toll{Country: "US", Max: 10, Free: 3, Ratio: 2}, number[:2] == "+1"
}

func TestTextMessagesStopWhenNoCodesComeBack(t *testing.T) {
	h := newFixture(t)
	o := h.Session(h.CreatePasswordUser().ID, "password")
	send := func(number string) (exchange.Enrolling, error) {
		h.Advance(time.Minute)
		return h.EnrollAs(o, exchange.NewFactor{Method: "sms", Address: number})
	}
	for n, number := range []string{"+14152222221", "+14152222222", "+14152222223"} {
		e, err := send(number)
		mfatest.Want(t, number, err, "")
		if n == 2 {
			code, _ := newest(h, number)
			_, err = h.Verifier.Confirm(context.Background(), h.Caller, exchange.SignedIn(o), e.Exchange, mfa.Typed(code))
			mfatest.Want(t, "a code that came back", err, "")
		}
	}
	o = h.Session(h.Create(users.Draft{Email: mfatest.OtherEmail, Password: mfatest.Password}).ID, "password")
	for _, number := range []string{"+14152222224", "+14152222225"} {
		_, err := send(number)
		mfatest.Want(t, number, err, "")
	}
	_, err := send("+14152222226")
	mfatest.Want(t, "after five messages and one code", err, mfa.TooManyMessages)
	h.Advance(24 * time.Hour)
	_, err = h.EnrollAs(h.Session(h.Create(users.Draft{Email: "eve@example.com", Password: mfatest.Password}).ID, "password"), exchange.NewFactor{Method: "sms", Address: "+14152222227"})
	mfatest.Want(t, "on the next day", err, "")
}

// A page finds the code that its own browser had sent, and nobody else's: whoever knows the request can
// begin attempts in it.
func TestSentFindsTheCodeOfItsOwnBrowser(t *testing.T) {
	h := newFixture(t)
	u := enrolled(h)
	requireTwo(h, u, false)
	h.Policy.Passwordless = true
	choice := exchange.Choice{Method: "email", Usage: mfa.UsagePasswordless, Unlisted: true}
	id := h.OpenRequest()
	sent := func(c exchange.Choice) (exchange.Sent, error) {
		return h.Verifier.Sent(context.Background(), h.Caller, h.Read(id, ""), c)
	}
	_, err := sent(choice)
	mfatest.Want(t, "before", err, mfa.InvalidExchange)
	own, err := h.Initiate(id, mfatest.Email, choice)
	mfatest.Want(t, "begin", err, "")
	h.Caller.Browser = "browser-b"
	_, err = sent(choice)
	mfatest.Want(t, "another browser", err, mfa.InvalidExchange)
	_, err = h.Initiate(id, "nobody@example.com", exchange.Choice{Method: "sms", Usage: mfa.UsagePasswordless, Unlisted: true})
	mfatest.Want(t, "begin in another browser", err, "")
	h.Caller.Browser = ""
	_, err = sent(choice)
	mfatest.Want(t, "no browser", err, mfa.InvalidExchange)
	h.Caller.Browser = "browser-a"
	for _, c := range []exchange.Choice{choice, {Usage: mfa.UsagePasswordless}} {
		s, err := sent(c)
		mfatest.Want(t, "the owner", err, "")
		if s.Exchange != own.Exchange || s.Method != "email" || s.Identifier != mfatest.Email || s.Delivery != exchange.DeliverySending || s.Pause != own.Pause {
			t.Errorf("%+v, want what was begun: %+v", s, own)
		}
	}
	_, err = sent(exchange.Choice{Method: "email", Usage: mfa.UsageSecond})
	mfatest.Want(t, "another usage", err, mfa.InvalidExchange)
	h.Advance(10 * time.Minute)
	_, err = sent(choice)
	mfatest.Want(t, "an expired code", err, mfa.InvalidExchange)
}
