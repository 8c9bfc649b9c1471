package exchange_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/enrollcode"
	"sallyport/mfa/exchange"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/notice"
	"sallyport/mfa/throttle"
	"sallyport/mfa/users"
	"sallyport/storage"
)

// resetAda creates a user, resets the factors and returns the administrator's code.
func resetAda(t *testing.T, h *mfatest.Fixture) (storage.UserID, string) {
	t.Helper()
	h.Open(exchange.Options{Product: "Sallyport", AddressMax: -1, SendsMail: true})
	h.Policy.MFA = mfa.MFAAlways
	u := h.CreateAda()
	return u.ID, reset(t, h, u.ID)
}

func reset(t *testing.T, h *mfatest.Fixture, user storage.UserID) string {
	t.Helper()
	a, err := h.Store.Account(context.Background(), user)
	if err != nil {
		t.Fatal(err)
	}
	code, err := h.Users.ResetFactors(context.Background(), mfa.Caller{Actor: "admin"}, a)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// enrolWith begins an enrolment in a login with an enrollment code.
func enrolWith(h *mfatest.Fixture, id storage.RequestID, code string) (exchange.Enrolling, error) {
	return h.Verifier.Enroll(context.Background(), h.Caller, h.Verifier.InLogin(h.Read(id, "")), exchange.NewFactor{Method: "totp", Code: code})
}

// mailed sends a code and returns it, with its recipients.
func mailed(t *testing.T, h *mfatest.Fixture, id storage.RequestID) (code string, to []string) {
	t.Helper()
	if err := h.Verifier.MailEnrollmentCode(context.Background(), h.Caller, h.Verifier.InLogin(h.Read(id, ""))); err != nil {
		t.Fatalf("mail: %v", err)
	}
	for _, m := range h.Messages() {
		if m.Template == notice.EnrollmentCode && m.CreatedAt.Equal(h.Now()) {
			code, to = m.Data["code"], append(to, m.Recipient)
		}
	}
	return code, to
}

func TestAStolenPasswordAloneEnrolsNothingAfterAReset(t *testing.T) {
	on(t, func(h *mfatest.Fixture) {
		_, code := resetAda(t, h)
		id := h.SignedIn()
		_, err := enrolWith(h, id, "")
		mfatest.Want(t, "without a code", err, mfa.EnrollmentCodeRequired)
		_, err = enrolWith(h, id, "AAAAAA-BBBBBB-CCCCCC-DDDDDD")
		mfatest.Want(t, "with a wrong code", err, mfa.InvalidPasscode)
		_, err = enrolWith(h, id, "?")
		mfatest.Want(t, "with what is no code", err, mfa.InvalidRequest)
		e, err := enrolWith(h, id, strings.ToLower(code))
		mfatest.Want(t, "with the administrator's code", err, "")
		mfatest.Want(t, "confirm", h.Confirm(id, e.Exchange, h.HandoutCode(e)), "")
		if p := h.Read(id, ""); enrollcode.Of(p.Account) != nil {
			t.Error("the demand is still there after the enrolment")
		}
	})
}

func TestAMailedCodeEnrolsOnce(t *testing.T) {
	h := mfatest.New(t)
	user, _ := resetAda(t, h)
	id := h.SignedIn()
	code, to := mailed(t, h, id)
	if len(code) != 8 || len(to) != 1 || to[0] != mfatest.Email {
		t.Fatalf("%q was sent to %v", code, to)
	}
	mfatest.Want(t, "another one at once", h.Verifier.MailEnrollmentCode(context.Background(), h.Caller, h.Verifier.InLogin(h.Read(id, ""))), mfa.TooManyMessages)
	h.Advance(enrollcode.Pause)
	second, _ := mailed(t, h, id)
	e, err := enrolWith(h, id, code)
	mfatest.Want(t, "the first code after the second was sent", err, "")
	mfatest.Want(t, "confirm", h.Confirm(id, e.Exchange, h.HandoutCode(e)), "")
	reset(t, h, user)
	_, err = enrolWith(h, h.SignedIn(), second)
	mfatest.Want(t, "a code of the demand before", err, mfa.InvalidPasscode)
}

// Whoever has the password and asks for codes on and on keeps the owner from one for an hour at most.
func TestThePauseBetweenMailedCodesDoubles(t *testing.T) {
	h := mfatest.New(t)
	resetAda(t, h)
	id := h.SignedIn()
	mailed(t, h, id)
	for _, minutes := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		h.Advance(minutes*time.Minute - time.Second)
		id = h.SignedIn()
		err := h.Verifier.MailEnrollmentCode(context.Background(), h.Caller, h.Verifier.InLogin(h.Read(id, "")))
		mfatest.Want(t, "a second before "+(minutes*time.Minute).String(), err, mfa.TooManyMessages)
		h.Advance(time.Second)
		if code, _ := mailed(t, h, id); code == "" {
			t.Errorf("no code after %d minutes", minutes)
		}
	}
	h.Advance(24 * time.Hour)
	id = h.SignedIn()
	mailed(t, h, id)
	h.Advance(enrollcode.Pause)
	mailed(t, h, id)
}

func TestEnrollmentCodesExpire(t *testing.T) {
	h := mfatest.New(t)
	_, code := resetAda(t, h)
	id := h.SignedIn()
	sent, _ := mailed(t, h, id)
	h.Advance(enrollcode.MailLife)
	id = h.SignedIn()
	_, err := enrolWith(h, id, sent)
	mfatest.Want(t, "a mailed code after its time", err, mfa.PasscodeExpired)
	h.Advance(enrollcode.DefaultLife)
	_, err = enrolWith(h, h.SignedIn(), code)
	mfatest.Want(t, "the administrator's code after its time", err, mfa.PasscodeExpired)
}

// An address that is proven after the reset may be one of whoever stole the password.
func TestNoCodeIsMailedToAnAddressProvenAfterTheReset(t *testing.T) {
	h := mfatest.New(t)
	user, _ := resetAda(t, h)
	h.Advance(time.Second)
	now := h.Now()
	err := h.Store.AddIdentifier(context.Background(), storage.Identifier{ID: storage.IdentifierID("01000000-0000-7000-8000-000000000001"), UserID: user, Kind: storage.Email,
		Value: "eve@example.net", VerifiedAt: now, CreatedAt: now, UpdatedAt: now}, nil)
	mfatest.Want(t, "add", err, "")
	h.Advance(time.Second)
	reset(t, h, user) // whoever stole the password may ask for another reset
	if _, to := mailed(t, h, h.SignedIn()); len(to) != 1 || to[0] != mfatest.Email {
		t.Errorf("a code was sent to %v", to)
	}
}

func TestAUserWithoutAProvenAddressNeedsTheAdministratorsCode(t *testing.T) {
	h := mfatest.New(t)
	h.Policy.MFA = mfa.MFAAlways
	h.Open(exchange.Options{Product: "Sallyport", AddressMax: -1, SendsMail: true})
	u := h.Create(users.Draft{Email: mfatest.Email, Password: mfatest.Password})
	code := reset(t, h, u.ID)
	id := h.SignedIn()
	d := h.Verifier.EnrollmentDemand(h.Read(id, "").Account)
	if d == nil || len(d.Addresses) != 0 {
		t.Fatalf("the demand is %+v, want one without addresses", d)
	}
	mfatest.Want(t, "mail", h.Verifier.MailEnrollmentCode(context.Background(), h.Caller, h.Verifier.InLogin(h.Read(id, ""))), mfa.NotConfigured)
	_, err := enrolWith(h, id, code)
	mfatest.Want(t, "with the administrator's code", err, "")
}

func TestGuessesOfEnrollmentCodesAreCounted(t *testing.T) {
	h := mfatest.New(t)
	user, code := resetAda(t, h)
	for n := range 100 {
		_, err := enrolWith(h, h.SignedIn(), "00000000")
		mfatest.Want(t, "wrong code", err, mfa.InvalidPasscode)
		if n >= throttle.Schedule(throttle.Factor).Free && n < 99 {
			_, err = enrolWith(h, h.SignedIn(), code)
			mfatest.Want(t, "right code during the wait", err, mfa.TooMany)
		}
		h.Advance(time.Hour)
	}
	_, err := enrolWith(h, h.SignedIn(), code)
	mfatest.Want(t, "right code after 100 wrong ones", err, mfa.Locked)
	_, err = enrolWith(h, h.SignedIn(), "")
	mfatest.Want(t, "no code after 100 wrong ones", err, mfa.Locked)
	if sent := h.Messages(); sent[0].Template != notice.FactorLocked || sent[1].Template == notice.FactorLocked {
		t.Errorf("messages = %+v, want one about the lock", sent)
	}
	_, err = enrolWith(h, h.SignedIn(), reset(t, h, user))
	mfatest.Want(t, "a new code", err, "")
}

// An enrolment that was begun before the demand, or by a server that knew of none, is not confirmed.
func TestAnEnrolmentBegunWithoutTheCodeIsNotConfirmed(t *testing.T) {
	h := mfatest.New(t)
	h.Policy.MFA = mfa.MFAAlways
	u := h.CreatePasswordUser()
	id := h.SignedIn()
	e, err := h.Enroll(id)
	mfatest.Want(t, "begin", err, "")
	demand, _, err := enrollcode.New(h.Keyring, strings.NewReader(strings.Repeat("x", 99))).Demand(&storage.Account{User: u}, time.Hour, h.Now())
	mfatest.Want(t, "demand", err, "")
	mfatest.Want(t, "store", h.Store.PutAuthenticator(context.Background(), demand, nil, nil), "")
	mfatest.Want(t, "confirm", h.Confirm(id, e.Exchange, h.HandoutCode(e)), mfa.EnrollmentCodeRequired)
	_, err = h.Verifier.ConfirmAlone(context.Background(), h.Caller, exchange.Answer{Exchange: e.Exchange, Method: "totp", Response: mfa.Typed(h.HandoutCode(e))})
	mfatest.Want(t, "confirm by the exchange alone", err, mfa.EnrollmentCodeRequired)
}

func TestOneOfConcurrentEnrolmentsSpendsTheCode(t *testing.T) {
	on(t, func(h *mfatest.Fixture) {
		user, code := resetAda(t, h)
		const callers = 6
		type begun struct {
			id storage.RequestID
			e  exchange.Enrolling
		}
		var all []begun
		for range callers {
			id := h.SignedIn()
			e, err := enrolWith(h, id, code)
			mfatest.Want(t, "begin", err, "")
			all = append(all, begun{id, e})
		}
		var wg sync.WaitGroup
		var mu sync.Mutex
		done := 0
		for _, b := range all {
			wg.Go(func() {
				if h.Confirm(b.id, b.e.Exchange, h.HandoutCode(b.e)) == nil {
					mu.Lock()
					done++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		a, err := h.Store.Account(context.Background(), user)
		if err != nil || done != 1 || enrollcode.Of(&a) != nil {
			t.Errorf("%d of %d enrolments were confirmed (%v), demand %v", done, callers, err, enrollcode.Of(&a))
		}
	})
}
