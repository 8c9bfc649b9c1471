package mfatest

import (
	"context"

	"github.com/pquerna/otp/totp"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/storage"
)

// EnrollAs starts an enrolment of a signed-in user.
func (h *Fixture) EnrollAs(o mfa.Owner, n exchange.NewFactor) (exchange.Enrolling, error) {
	h.T.Helper()
	return h.Verifier.Enroll(context.Background(), h.Caller, exchange.SignedIn(o), n)
}

// ConfirmAs confirms an enrolment of a signed-in user.
func (h *Fixture) ConfirmAs(o mfa.Owner, e exchange.Enrolling) ([]string, error) {
	h.T.Helper()
	return h.Verifier.Confirm(context.Background(), h.Caller, exchange.SignedIn(o), e.Exchange, mfa.Typed(h.AppCode(o.Account.User.ID, e.Authenticator)))
}

// AppCode returns the current code of an authenticator.
func (h *Fixture) AppCode(user storage.UserID, id storage.AuthenticatorID) string {
	h.T.Helper()
	account, err := h.Store.Account(context.Background(), user)
	if err != nil {
		h.T.Fatal(err)
	}
	for _, a := range account.Authenticators {
		if a.ID == id {
			return h.TOTP.CodeOf(a, h.Now())
		}
	}
	h.T.Fatalf("no authenticator %s", id)
	return ""
}

// Enroll starts an enrolment of TOTP in a login.
func (h *Fixture) Enroll(id storage.RequestID) (exchange.Enrolling, error) {
	h.T.Helper()
	return h.Verifier.Enroll(context.Background(), h.Caller, h.Verifier.InLogin(h.Read(id, "")), exchange.NewFactor{Method: "totp", Name: "My phone"})
}

// Confirm confirms an enrolment in a login.
func (h *Fixture) Confirm(id storage.RequestID, x storage.ExchangeID, typed string) error {
	h.T.Helper()
	_, err := h.Verifier.Confirm(context.Background(), h.Caller, h.Verifier.InLogin(h.Read(id, "")), x, mfa.Typed(typed))
	return err
}

// HandoutCode returns the current code, computed from the handout alone.
func (h *Fixture) HandoutCode(e exchange.Enrolling) string {
	h.T.Helper()
	code, err := totp.GenerateCode(e.Handout.Secret, h.Now())
	if err != nil {
		h.T.Fatal(err)
	}
	return code
}
