package exchange_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/notice"
)

func TestAReplayDoesNotCount(t *testing.T) {
	h := mfatest.New(t)
	h.CreateAda()
	first, second := h.SignedIn(), h.SignedIn()
	code := h.Code(0)
	_, err := h.Prove(first, "totp", code, "")
	mfatest.Want(t, "first use", err, "")
	for range 8 {
		_, err := h.Prove(second, "totp", code, "")
		mfatest.Want(t, "replay", err, mfa.Replayed)
	}
}

func TestTheThrottleFollowsItsSchedule(t *testing.T) {
	h := mfatest.New(t)
	h.CreateAda()
	id := h.SignedIn()
	waits := []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 16 * time.Minute, 32 * time.Minute, time.Hour, time.Hour}
	for range 4 {
		_, err := h.Prove(id, "totp", h.Wrong(), "")
		mfatest.Want(t, "free failure", err, mfa.InvalidPasscode)
	}
	for i, wait := range waits {
		id = h.SignedIn()
		_, err := h.Prove(id, "totp", h.Wrong(), "")
		mfatest.Want(t, "counted failure", err, mfa.InvalidPasscode)
		h.Advance(wait - time.Second)
		id = h.SignedIn()
		_, err = h.Prove(id, "totp", h.Code(0), "")
		mfatest.Want(t, "a second too early", err, mfa.TooMany)
		e, _ := err.(*mfa.Error)
		if e == nil || e.RetryAfter != time.Second {
			t.Fatalf("wait %d: %v, want a retry after 1s", i, err)
		}
		h.Advance(time.Second)
	}
	id = h.SignedIn()
	_, err := h.Prove(id, "totp", h.Code(0), "")
	mfatest.Want(t, "right code after the wait", err, "")
	id = h.SignedIn()
	h.Advance(30 * time.Second)
	_, err = h.Prove(id, "totp", h.Wrong(), "")
	mfatest.Want(t, "first failure after success", err, mfa.InvalidPasscode)
}

func TestAHundredFailuresDisableTheFactor(t *testing.T) {
	h := mfatest.New(t)
	h.CreateAda()
	for i := range 100 {
		id := h.SignedIn()
		_, err := h.Prove(id, "totp", h.Wrong(), "")
		mfatest.Want(t, "failure", err, mfa.InvalidPasscode)
		if i < 99 {
			h.Advance(time.Hour)
		}
	}
	h.Advance(48 * time.Hour)
	id := h.SignedIn()
	_, err := h.Prove(id, "totp", h.Code(0), "")
	mfatest.Want(t, "right code afterwards", err, mfa.Locked)
	_, err = h.Prove(id, "recovery", "aaaaaaaaaaaaaaaaaaaaaaaa", "")
	mfatest.Want(t, "recovery code afterwards", err, mfa.Locked)
	if v := h.Verdict(id); v.Need != mfa.NeedSecond {
		t.Errorf("need = %q with a factor disabled, want second", v.Need)
	}
	_, err = h.Verifier.Enroll(context.Background(), h.Caller, h.Verifier.InLogin(h.Read(id, "")), exchange.NewFactor{Method: "totp", Name: "thief's"})
	mfatest.Want(t, "enrolling another one with the password alone", err, mfa.ReauthenticationRequired)
	if !slices.Contains(h.Events(), mfa.EventMFADisabled) {
		t.Errorf("no event says that the factor was switched off")
	}
	ms := h.Messages()
	if len(ms) != 1 || ms[0].Template != notice.FactorLocked || ms[0].Recipient != mfatest.Email {
		t.Errorf("messages = %+v, want one about the lock to %s", ms, mfatest.Email)
	}
}
