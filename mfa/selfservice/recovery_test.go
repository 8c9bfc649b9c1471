package selfservice_test

import (
	"context"
	"slices"
	"testing"

	"sallyport/mfa"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/notice"
	"sallyport/mfa/users"
	"sallyport/storage"
)

func TestNewRecoveryCodesInvalidateTheOld(t *testing.T) {
	h := mfatest.New(t)
	o := h.Session(h.CreateAda().ID, "password", "totp")
	codes, err := h.Accounts.NewRecoveryCodes(context.Background(), h.Caller, o)
	mfatest.Want(t, "new codes", err, "")
	_, err = h.Prove(h.SignedIn(), "recovery", "bbbb-bbbb-bbbb", "")
	mfatest.Want(t, "an old one", err, mfa.InvalidPasscode)
	_, err = h.Prove(h.SignedIn(), "recovery", codes[7], "")
	mfatest.Want(t, "a new one", err, "")
	messages := h.Messages()
	if !slices.ContainsFunc(messages, func(m storage.Message) bool { return m.Template == notice.RecoveryRenewed }) {
		t.Errorf("messages = %+v, want one about the new codes", messages)
	}
	_, err = h.Accounts.NewRecoveryCodes(context.Background(), h.Caller, h.Session(h.Create(users.Draft{Email: mfatest.OtherEmail, Password: mfatest.Password}).ID, "password"))
	mfatest.Want(t, "without a second factor", err, mfa.NotConfigured)
}
