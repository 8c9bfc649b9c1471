package mfa_test

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
	"sallyport/storage"
)

func TestEnrollingInTheLogin(t *testing.T) {
	h := newHouse(t)
	h.policy.MFA = mfa.MFAAlways
	u := h.bob()
	id := h.loggedIn()
	if v := h.verdict(id); v.Need != mfa.NeedEnroll || !slices.Equal(v.Methods, []string{"totp"}) {
		t.Fatalf("verdict = %+v, want enrol totp", v)
	}
	e, err := h.enrol(id)
	want(t, "begin", err, "")
	again, err := h.verifier.PendingEnrollment(context.Background(), h.visit, h.proving(id, ""), e.Exchange)
	want(t, "show again", err, "")
	if again.Handout.Secret != e.Handout.Secret || again.Handout.URI != e.Handout.URI || again.Text != "My phone" {
		t.Errorf("shown again: %+v, want %+v", again, e)
	}
	if v := h.verdict(id); v.Need != mfa.NeedEnroll {
		t.Errorf("need = %q while pending, want enroll", v.Need)
	}
	want(t, "wrong code", h.confirm(id, e.Exchange, "000000"), mfa.InvalidPasscode)
	code := h.phone(e)
	want(t, "right code", h.confirm(id, e.Exchange, code), "")
	if v := h.verdict(id); v.Need != mfa.NeedNothing || v.ACR != mfa.AAL2 {
		t.Errorf("verdict = %+v after enrolling, want done at aal2", v)
	}
	p := h.proving(id, "")
	if !p.Request.ShowRecovery || !p.Account.User.MFAEnabled {
		t.Errorf("ShowRecovery %v, MFAEnabled %v, want both", p.Request.ShowRecovery, p.Account.User.MFAEnabled)
	}
	codes, err := h.verifier.RecoveryCodes(context.Background(), u.ID)
	if err != nil || len(codes) != 10 || len(codes[0]) != 27 {
		t.Errorf("recovery codes = %v (%v), want ten", codes, err)
	}
	want(t, "confirm again", h.confirm(id, e.Exchange, code), mfa.EnrollmentExpired)
	h.policy.MFA = mfa.MFAOff
	_, err = h.prove(h.loggedIn(), "totp", code, "")
	want(t, "the enrolment's code as first login code", err, mfa.Replayed)
	h.wait(30 * time.Second)
	_, err = h.prove(h.loggedIn(), "totp", h.phone(e), "")
	want(t, "the next code", err, "")
	_, err = h.prove(h.loggedIn(), "recovery", codes[3], "")
	want(t, "a recovery code as shown", err, "")
	got := h.messages()
	if len(got) != 2 || got[1].Template != mfa.MessageFactorEnrolled {
		t.Errorf("messages = %+v, want one about the enrolment and one about the code", got)
	}
}

func TestTheHandoutIsWhatAppsRead(t *testing.T) {
	h := newHouse(t)
	h.policy.MFA = mfa.MFAAlways
	h.bob()
	e, err := h.enrol(h.loggedIn())
	want(t, "begin", err, "")
	u, err := url.Parse(e.Handout.URI)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if u.Scheme != "otpauth" || u.Host != "totp" || u.Path != "/Sallyport:"+ownMail || q.Get("secret") != e.Handout.Secret ||
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
	t.Run("nobody identified", func(t *testing.T) {
		h := newHouse(t)
		h.bob()
		_, err := h.enrol(h.begin())
		want(t, "begin", err, mfa.ReauthenticationRequired)
	})
	t.Run("not with a password of more than fifteen minutes ago", func(t *testing.T) {
		h := newHouse(t)
		h.bob()
		id := h.loggedIn()
		h.wait(15*time.Minute + time.Second)
		_, err := h.enrol(id)
		want(t, "begin", err, mfa.ReauthenticationRequired)
	})
	t.Run("not with the password alone where there is a factor", func(t *testing.T) {
		h := newHouse(t)
		h.ada()
		id := h.loggedIn()
		_, err := h.enrol(id)
		want(t, "begin", err, mfa.ReauthenticationRequired)
		_, err = h.prove(id, "totp", h.code(0), "")
		want(t, "prove the factor", err, "")
		h.wait(5*time.Minute + time.Second)
		_, err = h.enrol(id)
		want(t, "six minutes later", err, mfa.ReauthenticationRequired)
		h.wait(30 * time.Second)
		_, err = h.prove(id, "totp", h.code(0), "")
		want(t, "prove it again", err, "")
		_, err = h.enrol(id)
		want(t, "begin", err, "")
	})
	t.Run("not what the client does not allow or what needs no enrolling", func(t *testing.T) {
		h := newHouse(t)
		h.bob()
		id := h.loggedIn()
		_, err := h.verifier.BeginEnrollment(context.Background(), h.visit, h.proving(id, ""), "recovery", "")
		want(t, "recovery", err, mfa.NotConfigured)
		h.policy.Methods = []string{"recovery"}
		_, err = h.enrol(id)
		want(t, "not allowed", err, mfa.NotConfigured)
	})
}

func TestEnrolmentsDie(t *testing.T) {
	for _, tc := range []struct {
		name string
		kill func(h *house, id storage.RequestID, e mfa.Enrolling)
		code mfa.Code
	}{
		{"by time", func(h *house, _ storage.RequestID, _ mfa.Enrolling) { h.wait(10 * time.Minute) }, mfa.EnrollmentExpired},
		{"by a newer one", func(h *house, id storage.RequestID, _ mfa.Enrolling) {
			_, err := h.enrol(id)
			want(h.t, "newer", err, "")
		}, mfa.EnrollmentExpired},
		{"by five wrong codes", func(h *house, id storage.RequestID, e mfa.Enrolling) {
			for range 5 {
				want(h.t, "wrong", h.confirm(id, e.Exchange, "000000"), mfa.InvalidPasscode)
			}
		}, mfa.EnrollmentExpired},
		{"in another browser", func(h *house, _ storage.RequestID, _ mfa.Enrolling) { h.visit.Browser = "b" }, mfa.EnrollmentExpired},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHouse(t)
			h.bob()
			id := h.loggedIn()
			e, err := h.enrol(id)
			want(t, "begin", err, "")
			tc.kill(h, id, e)
			want(t, "confirm", h.confirm(id, e.Exchange, h.phone(e)), tc.code)
		})
	}
}

func TestAPendingAuthenticatorProvesNothing(t *testing.T) {
	h := newHouse(t)
	h.bob()
	id := h.loggedIn()
	e, err := h.enrol(id)
	want(t, "begin", err, "")
	_, err = h.prove(id, "totp", h.phone(e), "")
	want(t, "as second factor", err, mfa.NotConfigured)
	_, err = h.verifier.Verify(context.Background(), h.visit, mfa.Answer{Exchange: e.Exchange, Method: "totp", Response: mfa.Typed(h.phone(e))})
	want(t, "through the exchange of its enrolment", err, mfa.InvalidExchange)
	other := h.loggedIn()
	want(t, "in another login", h.confirm(other, e.Exchange, h.phone(e)), mfa.EnrollmentExpired)
	want(t, "its own", h.confirm(id, e.Exchange, h.phone(e)), "")
}

func TestALoginThatMovedOnKeepsTheEnrolmentPending(t *testing.T) {
	h := newHouse(t)
	h.bob()
	id := h.loggedIn()
	e, err := h.enrol(id)
	want(t, "begin", err, "")
	old := h.proving(id, "")
	want(t, "another tab", h.login(id, ownMail, ownPass), "")
	code := h.phone(e)
	err = h.verifier.ConfirmEnrollment(context.Background(), h.visit, old, e.Exchange, mfa.Typed(code))
	want(t, "confirm on the old page", err, mfa.RequestChanged)
	want(t, "confirm on the new one", h.confirm(id, e.Exchange, code), "")
}

// Every further authenticator of a method is one more code that is right (T-1).
func TestNobodyHoldsMoreThanThreeOfAMethod(t *testing.T) {
	h := newHouse(t)
	u := h.bob()
	o := h.session(u.ID, "password")
	var held storage.AuthenticatorID
	add := func() error {
		h.wait(time.Second) // so that one that is confirmed is listed first
		e, err := h.enrolFor(o, totpOnly)
		if err != nil {
			return err
		}
		held = e.Authenticator
		_, err = h.confirmFor(o, e)
		o = h.session(u.ID, "password", "totp")
		return err
	}
	want(t, "first", add(), "")
	want(t, "second", add(), "")
	h.wait(time.Second)
	late, err := h.verifier.EnrollFor(context.Background(), h.visit, mfa.Owner{Account: o.Account, Factors: o.Factors, Origin: "dialect"}, totpOnly)
	want(t, "one begun elsewhere", err, "")
	want(t, "third", add(), "")
	want(t, "fourth", add(), mfa.AlreadyEnrolled)
	_, err = h.confirmFor(mfa.Owner{Account: o.Account, Factors: o.Factors, Origin: "dialect"}, late)
	want(t, "the one begun elsewhere, confirmed", err, mfa.AlreadyEnrolled)
	_, err = h.verifier.ConfirmAlone(context.Background(), h.visit,
		mfa.Answer{Exchange: late.Exchange, Method: "totp", Response: mfa.Typed(h.shows(u.ID, late.Authenticator))})
	want(t, "and by its exchange alone", err, mfa.AlreadyEnrolled)
	id := h.loggedIn()
	_, err = h.prove(id, "totp", h.shows(u.ID, held), "")
	want(t, "prove one in a login", err, mfa.Replayed)
	h.wait(30 * time.Second)
	_, err = h.prove(id, "totp", h.shows(u.ID, held), "")
	want(t, "prove one in a login", err, "")
	_, err = h.enrol(id)
	want(t, "a fourth in a login", err, mfa.AlreadyEnrolled)
}

// A password stolen before the owner had a factor is not enough to confirm another
// one beside it, in a login neither.
func TestAnEnrolmentInALoginIsNotConfirmedBesideAFactorThatCameMeanwhile(t *testing.T) {
	h := newHouse(t)
	h.policy.MFA = mfa.MFAAlways
	u := h.bob()
	id := h.loggedIn()
	thief, err := h.enrol(id)
	want(t, "a thief begins in a login", err, "")
	before := h.proving(id, "")
	o := h.session(u.ID, "password")
	own, err := h.enrolFor(o, totpOnly)
	want(t, "the owner begins", err, "")
	_, err = h.confirmFor(o, own)
	want(t, "the owner confirms", err, "")
	want(t, "the thief confirms", h.confirm(id, thief.Exchange, h.phone(thief)), mfa.ReauthenticationRequired)
	err = h.verifier.ConfirmEnrollment(context.Background(), h.visit, before, thief.Exchange, mfa.Typed(h.phone(thief)))
	want(t, "with what was read before", err, mfa.ReauthenticationRequired)
}
