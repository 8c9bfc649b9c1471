package exchange_test

import (
	"bytes"
	"context"
	"image/png"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/notice"
	"sallyport/storage"
)

var totpOnly = exchange.NewFactor{Method: "totp"}

func TestEnrollingInTheLogin(t *testing.T) {
	h := mfatest.New(t)
	h.Policy.MFA = mfa.MFAAlways
	u := h.CreatePasswordUser()
	id := h.SignedIn()
	if v := h.Verdict(id); v.Need != mfa.NeedEnroll || !slices.Equal(v.Methods, []string{"totp"}) {
		t.Fatalf("verdict = %+v, want enrol totp", v)
	}
	e, err := h.Enroll(id)
	mfatest.Want(t, "begin", err, "")
	again, err := h.Verifier.Enrollment(context.Background(), h.Caller, h.Verifier.InLogin(h.Read(id, "")), e.Exchange)
	mfatest.Want(t, "show again", err, "")
	if again.Handout.Secret != e.Handout.Secret || again.Handout.URI != e.Handout.URI || again.Text != "My phone" {
		t.Errorf("shown again: %+v, want %+v", again, e)
	}
	if v := h.Verdict(id); v.Need != mfa.NeedEnroll {
		t.Errorf("need = %q while pending, want enroll", v.Need)
	}
	mfatest.Want(t, "wrong code", h.Confirm(id, e.Exchange, "000000"), mfa.InvalidPasscode)
	code := h.HandoutCode(e)
	mfatest.Want(t, "right code", h.Confirm(id, e.Exchange, code), "")
	if v := h.Verdict(id); v.Need != mfa.NeedNothing || v.ACR != mfa.AAL2 {
		t.Errorf("verdict = %+v after enrolling, want done at aal2", v)
	}
	p := h.Read(id, "")
	if !p.Request.ShowRecovery || !p.Account.User.MFAEnabled {
		t.Errorf("ShowRecovery %v, MFAEnabled %v, want both", p.Request.ShowRecovery, p.Account.User.MFAEnabled)
	}
	codes, err := h.Verifier.RecoveryCodes(context.Background(), u.ID)
	if err != nil || len(codes) != 10 || len(codes[0]) != 27 {
		t.Errorf("recovery codes = %v (%v), want ten", codes, err)
	}
	mfatest.Want(t, "confirm again", h.Confirm(id, e.Exchange, code), mfa.EnrollmentExpired)
	h.Policy.MFA = mfa.MFAOff
	_, err = h.Prove(h.SignedIn(), "totp", code, "")
	mfatest.Want(t, "the enrolment's code as first login code", err, mfa.Replayed)
	h.Advance(30 * time.Second)
	_, err = h.Prove(h.SignedIn(), "totp", h.HandoutCode(e), "")
	mfatest.Want(t, "the next code", err, "")
	_, err = h.Prove(h.SignedIn(), "recovery", codes[3], "")
	mfatest.Want(t, "a recovery code as shown", err, "")
	got := h.Messages()
	if len(got) != 2 || got[1].Template != notice.FactorEnrolled {
		t.Errorf("messages = %+v, want one about the enrolment and one about the code", got)
	}
}

func TestTheHandoutIsReadableByApps(t *testing.T) {
	h := mfatest.New(t)
	h.Policy.MFA = mfa.MFAAlways
	h.CreatePasswordUser()
	e, err := h.Enroll(h.SignedIn())
	mfatest.Want(t, "begin", err, "")
	u, err := url.Parse(e.Handout.URI)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if u.Scheme != "otpauth" || u.Host != "totp" || u.Path != "/Sallyport:"+mfatest.Email || q.Get("secret") != e.Handout.Secret ||
		q.Get("issuer") != "Sallyport" || q.Get("algorithm") != "SHA1" || q.Get("digits") != "6" || q.Get("period") != "30" {
		t.Errorf("address = %s", e.Handout.URI)
	}
	if len(e.Handout.Secret) != 32 || strings.Contains(e.Handout.Secret, "=") {
		t.Errorf("secret = %d characters, want 32 without padding", len(e.Handout.Secret))
	}
	picture, err := png.Decode(bytes.NewReader(e.Handout.QR))
	if err != nil || picture.Bounds().Dx() != picture.Bounds().Dy() || picture.Bounds().Dx() < 200 {
		t.Errorf("QR code: %v, want a square PNG of 200 pixels or more", err)
	}
}

func TestWhoMayEnrol(t *testing.T) {
	t.Run("no user identified", func(t *testing.T) {
		h := mfatest.New(t)
		h.CreatePasswordUser()
		_, err := h.Enroll(h.OpenRequest())
		mfatest.Want(t, "begin", err, mfa.ReauthenticationRequired)
	})
	t.Run("a password of more than fifteen minutes ago", func(t *testing.T) {
		h := mfatest.New(t)
		h.CreatePasswordUser()
		id := h.SignedIn()
		h.Advance(15*time.Minute + time.Second)
		_, err := h.Enroll(id)
		mfatest.Want(t, "begin", err, mfa.ReauthenticationRequired)
	})
	t.Run("the password alone where there is a factor", func(t *testing.T) {
		h := mfatest.New(t)
		h.CreateAda()
		id := h.SignedIn()
		_, err := h.Enroll(id)
		mfatest.Want(t, "begin", err, mfa.ReauthenticationRequired)
		_, err = h.Prove(id, "totp", h.Code(0), "")
		mfatest.Want(t, "prove the factor", err, "")
		h.Advance(5*time.Minute + time.Second)
		_, err = h.Enroll(id)
		mfatest.Want(t, "six minutes later", err, mfa.ReauthenticationRequired)
		h.Advance(30 * time.Second)
		_, err = h.Prove(id, "totp", h.Code(0), "")
		mfatest.Want(t, "prove it again", err, "")
		_, err = h.Enroll(id)
		mfatest.Want(t, "begin", err, "")
	})
	t.Run("a method that the client does not allow or that needs no enrolment", func(t *testing.T) {
		h := mfatest.New(t)
		h.CreatePasswordUser()
		id := h.SignedIn()
		_, err := h.Verifier.Enroll(context.Background(), h.Caller, h.Verifier.InLogin(h.Read(id, "")), exchange.NewFactor{Method: "recovery", Name: ""})
		mfatest.Want(t, "recovery", err, mfa.NotConfigured)
		h.Policy.Methods = []string{"recovery"}
		_, err = h.Enroll(id)
		mfatest.Want(t, "not allowed", err, mfa.NotConfigured)
	})
}

func TestEnrolmentsEnd(t *testing.T) {
	for _, tc := range []struct {
		name string
		kill func(h *mfatest.Fixture, id storage.RequestID, e exchange.Enrolling)
		code mfa.Code
	}{
		{"by time", func(h *mfatest.Fixture, _ storage.RequestID, _ exchange.Enrolling) { h.Advance(10 * time.Minute) }, mfa.EnrollmentExpired},
		{"by a newer one", func(h *mfatest.Fixture, id storage.RequestID, _ exchange.Enrolling) {
			_, err := h.Enroll(id)
			mfatest.Want(h.T, "newer", err, "")
		}, mfa.EnrollmentExpired},
		{"by five wrong codes", func(h *mfatest.Fixture, id storage.RequestID, e exchange.Enrolling) {
			for range 5 {
				mfatest.Want(h.T, "wrong", h.Confirm(id, e.Exchange, "000000"), mfa.InvalidPasscode)
			}
		}, mfa.EnrollmentExpired},
		{"in another browser", func(h *mfatest.Fixture, _ storage.RequestID, _ exchange.Enrolling) { h.Caller.Browser = "b" }, mfa.EnrollmentExpired},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := mfatest.New(t)
			h.CreatePasswordUser()
			id := h.SignedIn()
			e, err := h.Enroll(id)
			mfatest.Want(t, "begin", err, "")
			tc.kill(h, id, e)
			mfatest.Want(t, "confirm", h.Confirm(id, e.Exchange, h.HandoutCode(e)), tc.code)
		})
	}
}

func TestAPendingAuthenticatorProvesNothing(t *testing.T) {
	h := mfatest.New(t)
	h.CreatePasswordUser()
	id := h.SignedIn()
	e, err := h.Enroll(id)
	mfatest.Want(t, "begin", err, "")
	_, err = h.Prove(id, "totp", h.HandoutCode(e), "")
	mfatest.Want(t, "as second factor", err, mfa.NotConfigured)
	_, err = h.Verifier.Verify(context.Background(), h.Caller, exchange.Answer{Exchange: e.Exchange, Method: "totp", Response: mfa.Typed(h.HandoutCode(e))})
	mfatest.Want(t, "through the exchange of its enrolment", err, mfa.InvalidExchange)
	other := h.SignedIn()
	mfatest.Want(t, "in another login", h.Confirm(other, e.Exchange, h.HandoutCode(e)), mfa.EnrollmentExpired)
	mfatest.Want(t, "its own", h.Confirm(id, e.Exchange, h.HandoutCode(e)), "")
}

func TestAConflictKeepsTheEnrolmentPending(t *testing.T) {
	h := mfatest.New(t)
	h.CreatePasswordUser()
	id := h.SignedIn()
	e, err := h.Enroll(id)
	mfatest.Want(t, "begin", err, "")
	old := h.Read(id, "")
	mfatest.Want(t, "another tab", h.SignIn(id, mfatest.Email, mfatest.Password), "")
	code := h.HandoutCode(e)
	_, err = h.Verifier.Confirm(context.Background(), h.Caller, h.Verifier.InLogin(old), e.Exchange, mfa.Typed(code))
	mfatest.Want(t, "confirm on the old page", err, mfa.RequestChanged)
	mfatest.Want(t, "confirm on the new one", h.Confirm(id, e.Exchange, code), "")
}

// Each authenticator of a method accepts one more code (T-1).
func TestAUserHoldsAtMostThreeOfAMethod(t *testing.T) {
	h := mfatest.New(t)
	u := h.CreatePasswordUser()
	o := h.Session(u.ID, "password")
	var held storage.AuthenticatorID
	add := func() error {
		h.Advance(time.Second) // so that one that is confirmed is listed first
		e, err := h.EnrollAs(o, totpOnly)
		if err != nil {
			return err
		}
		held = e.Authenticator
		_, err = h.ConfirmAs(o, e)
		o = h.Session(u.ID, "password", "totp")
		return err
	}
	mfatest.Want(t, "first", add(), "")
	mfatest.Want(t, "second", add(), "")
	h.Advance(time.Second)
	late, err := h.Verifier.Enroll(context.Background(), h.Caller, exchange.SignedIn(mfa.Owner{Account: o.Account, Factors: o.Factors, Origin: "dialect"}), totpOnly)
	mfatest.Want(t, "one begun elsewhere", err, "")
	mfatest.Want(t, "third", add(), "")
	mfatest.Want(t, "fourth", add(), mfa.AlreadyEnrolled)
	_, err = h.ConfirmAs(mfa.Owner{Account: o.Account, Factors: o.Factors, Origin: "dialect"}, late)
	mfatest.Want(t, "the one begun elsewhere, confirmed", err, mfa.AlreadyEnrolled)
	_, err = h.Verifier.ConfirmAlone(context.Background(), h.Caller,
		exchange.Answer{Exchange: late.Exchange, Method: "totp", Response: mfa.Typed(h.AppCode(u.ID, late.Authenticator))})
	mfatest.Want(t, "and by its exchange alone", err, mfa.AlreadyEnrolled)
	id := h.SignedIn()
	_, err = h.Prove(id, "totp", h.AppCode(u.ID, held), "")
	mfatest.Want(t, "prove one in a login", err, mfa.Replayed)
	h.Advance(30 * time.Second)
	_, err = h.Prove(id, "totp", h.AppCode(u.ID, held), "")
	mfatest.Want(t, "prove one in a login", err, "")
	_, err = h.Enroll(id)
	mfatest.Want(t, "a fourth in a login", err, mfa.AlreadyEnrolled)
}

// A stolen password must not add a factor in a login after the owner has added one.
func TestAnEnrolmentInALoginIsNotConfirmedAfterAnotherOne(t *testing.T) {
	h := mfatest.New(t)
	h.Policy.MFA = mfa.MFAAlways
	u := h.CreatePasswordUser()
	id := h.SignedIn()
	thief, err := h.Enroll(id)
	mfatest.Want(t, "a thief begins in a login", err, "")
	before := h.Read(id, "")
	o := h.Session(u.ID, "password")
	own, err := h.EnrollAs(o, totpOnly)
	mfatest.Want(t, "the owner begins", err, "")
	_, err = h.ConfirmAs(o, own)
	mfatest.Want(t, "the owner confirms", err, "")
	mfatest.Want(t, "the thief confirms", h.Confirm(id, thief.Exchange, h.HandoutCode(thief)), mfa.ReauthenticationRequired)
	_, err = h.Verifier.Confirm(context.Background(), h.Caller, h.Verifier.InLogin(before), thief.Exchange, mfa.Typed(h.HandoutCode(thief)))
	mfatest.Want(t, "with what was read before", err, mfa.ReauthenticationRequired)
}
