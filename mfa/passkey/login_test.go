package passkey_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"slices"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/audit"
	"sallyport/mfa/budget"
	"sallyport/mfa/device"
	"sallyport/mfa/exchange"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/notice"
	"sallyport/mfa/passkey"
	"sallyport/mfa/passkey/passkeytest"
	"sallyport/mfa/users"
	"sallyport/storage"
)

// site is a fixture with passkeys.
type site struct {
	*mfatest.Fixture
	passkeys *passkey.Method
}

func newSite(t *testing.T) *site {
	t.Helper()
	h := mfatest.New(t)
	m, err := passkey.New(h.Store, h.Keyring, rand.Reader, passkey.Options{Product: "Sallyport", RPID: rpID, Origins: []string{origin}, TTL: ttl, Enroll: 2 * ttl})
	mfatest.Want(t, "set up", err, "")
	h.Open(exchange.Options{Product: "Sallyport", AddressMax: -1}, m)
	return &site{h, m}
}

// owner returns a user with fresh proofs of all factors.
func (h *site) owner(id storage.UserID) mfa.Owner {
	h.T.Helper()
	account, err := h.Store.Account(h.T.Context(), id)
	mfatest.Want(h.T, "read account", err, "")
	o := mfa.Owner{Account: account, Origin: mfa.OriginAccount}
	for _, x := range account.Authenticators {
		i, _ := h.Verifier.Info(x.Method)
		f := mfa.FactorOf(i, nil)
		f.Authenticator, f.At = x.ID, h.Now()
		o.Factors = append(o.Factors, f)
	}
	return o
}

// enrol enrols a device for a user.
func (h *site) enrol(id storage.UserID, d *passkeytest.Device) error {
	h.T.Helper()
	e := exchange.SignedIn(h.owner(id))
	begun, err := h.Verifier.Enroll(h.T.Context(), h.Caller, e, exchange.NewFactor{Method: passkey.Name})
	if err != nil {
		return err
	}
	r, err := d.Create(begun.Handout.Options)
	mfatest.Want(h.T, "create", err, "")
	_, err = h.Verifier.Confirm(h.T.Context(), h.Caller, e, begun.Exchange, r)
	return err
}

// signIn proves a passkey in a new request, as programs do, and returns the request.
func (h *site) signIn(d *passkeytest.Device, name string) (storage.RequestID, error) {
	h.T.Helper()
	id := h.OpenRequest()
	s, err := h.Initiate(id, name, exchange.Choice{Method: passkey.Name, Usage: mfa.UsageFirst})
	mfatest.Want(h.T, "initiate", err, "")
	v, err := h.Verifier.Verify(h.T.Context(), h.Caller, exchange.Answer{Exchange: s.Exchange, Method: passkey.Name, Response: d.Force(asked(h.T, s.Challenge))})
	if err != nil {
		return id, err
	}
	return id, h.Verifier.Redeem(h.T.Context(), h.Caller, h.Read(id, ""), v.Status, passkey.Name, mfa.UsageFirst)
}

func TestARedeemedStatusCountsForWhatWasProven(t *testing.T) {
	h := newSite(t)
	ada := h.CreatePasswordUser()
	d := passkeytest.New(rpID, origin)
	mfatest.Want(t, "enrol", h.enrol(ada.ID, d), "")
	for _, name := range []string{"", mfatest.Email} {
		for verified, want := range map[bool]mfa.Level{true: mfa.PHR, false: mfa.AAL1} {
			d.Authenticator.Options.UserNotVerified = !verified
			id, err := h.signIn(d, name)
			mfatest.Want(t, "sign in", err, "")
			if v := h.Verdict(id); v.ACR != want || h.Read(id, "").Request.Subject != ada.ID {
				t.Errorf("named %q, verified %v: acr %s, want %s", name, verified, v.ACR, want)
			}
		}
	}
}

func TestAResponseIsForTheChallengeOfItsExchange(t *testing.T) {
	h := newSite(t)
	ada := h.CreatePasswordUser()
	d := passkeytest.New(rpID, origin)
	mfatest.Want(t, "enrol", h.enrol(ada.ID, d), "")
	id := h.OpenRequest()
	c := exchange.Choice{Method: passkey.Name, Usage: mfa.UsageFirst}
	offer, err := h.Verifier.Offer(t.Context(), h.Caller, h.Read(id, ""), c)
	mfatest.Want(t, "offer", err, "")
	s, err := h.Initiate(id, "", c)
	mfatest.Want(t, "initiate", err, "")
	answer := exchange.Answer{Exchange: s.Exchange, Method: passkey.Name, Response: d.Force(asked(t, offer.Challenge))}
	_, err = h.Verifier.Verify(t.Context(), h.Caller, answer)
	mfatest.Want(t, "a response to the page's", err, mfa.InvalidCredentials)
	answer.Response = d.Force(asked(t, s.Challenge))
	_, err = h.Verifier.Verify(t.Context(), h.Caller, answer)
	mfatest.Want(t, "a response to its own", err, "")
	_, err = h.Verifier.Verify(t.Context(), h.Caller, answer)
	mfatest.Want(t, "the same again", err, mfa.InvalidExchange)
}

func TestACounterThatGoesBackIsReportedAndAccepted(t *testing.T) {
	h := newSite(t)
	ada := h.CreatePasswordUser()
	d := passkeytest.New(rpID, origin)
	d.Credential.Counter = 7
	mfatest.Want(t, "enrol", h.enrol(ada.ID, d), "")
	for i, counter := range []uint32{8, 3, 3, 9} {
		d.Credential.Counter = counter
		_, err := h.signIn(d, "")
		mfatest.Want(t, "sign in", err, "")
		x := h.passkeyOf(ada.ID)
		if want := max(8, int64(counter)); x.Counter != want {
			t.Errorf("response %d: the counter is %d, want %d", i, x.Counter, want)
		}
		about, _ := h.passkeys.Describe(x)
		if about.CounterBack.IsZero() != (i == 0) {
			t.Errorf("response %d: went back at %s", i, about.CounterBack)
		}
	}
	if n := h.CountEvents(mfa.EventPasskeyCounter); n != 2 {
		t.Errorf("%d events, want 2", n)
	}
	mailed := slices.DeleteFunc(h.Messages(), func(m storage.Message) bool { return m.Template != notice.PasskeyCounter })
	if len(mailed) != 1 {
		t.Errorf("%d mails, want 1", len(mailed))
	}
}

func TestACounterOfNothingIsNoCounter(t *testing.T) {
	h := newSite(t)
	ada := h.CreatePasswordUser()
	d := passkeytest.New(rpID, origin)
	mfatest.Want(t, "enrol", h.enrol(ada.ID, d), "")
	for range 3 {
		_, err := h.signIn(d, "")
		mfatest.Want(t, "sign in", err, "")
	}
	if n := h.CountEvents(mfa.EventPasskeyCounter); n != 0 {
		t.Errorf("%d events, want none", n)
	}
}

func TestAChangedBackupStateIsKeptAndReported(t *testing.T) {
	h := newSite(t)
	ada := h.CreatePasswordUser()
	d := passkeytest.New(rpID, origin)
	d.Authenticator.Options.BackupEligible = true
	mfatest.Want(t, "enrol", h.enrol(ada.ID, d), "")
	for i, state := range []bool{false, true, true, false} {
		d.Authenticator.Options.BackupState = state
		_, err := h.signIn(d, "")
		mfatest.Want(t, "sign in", err, "")
		if about, _ := h.passkeys.Describe(h.passkeyOf(ada.ID)); about.Synced != state {
			t.Errorf("response %d: synced %v, want %v", i, about.Synced, state)
		}
	}
	if n := h.CountEvents(mfa.EventPasskeyBackup); n != 2 {
		t.Errorf("%d events, want 2", n)
	}
}

func (h *site) passkeyOf(id storage.UserID) storage.Authenticator {
	h.T.Helper()
	for _, x := range h.owner(id).Account.Authenticators {
		if x.Method == passkey.Name {
			return x
		}
	}
	h.T.Fatal("there is no passkey")
	return storage.Authenticator{}
}

// Wrong responses lock nobody out, and say the same of every name.
func TestWrongResponsesCountAgainstNobody(t *testing.T) {
	h := newSite(t)
	ada := h.CreatePasswordUser()
	off := h.Create(users.Draft{Email: mfatest.OtherEmail, EmailVerified: true, Password: mfatest.Password})
	d := passkeytest.New(rpID, origin)
	mfatest.Want(t, "enrol", h.enrol(ada.ID, d), "")
	mfatest.Want(t, "enrol", h.enrol(off.ID, passkeytest.New(rpID, origin)), "")
	disabled := storage.UserDisabled
	mfatest.Want(t, "disable", h.Store.UpdateUser(t.Context(), storage.UserChange{ID: off.ID, Status: &disabled, Now: h.Now()}), "")
	stranger := passkeytest.New(rpID, origin)
	for range 30 {
		for _, name := range []string{mfatest.Email, mfatest.OtherEmail, "nobody@example.com"} {
			_, err := h.signIn(stranger, name)
			mfatest.Want(t, "of "+name, err, mfa.InvalidCredentials)
		}
	}
	_, err := h.signIn(d, "")
	mfatest.Want(t, "the owner", err, "")
	mfatest.Want(t, "the owner's password", h.SignIn(h.OpenRequest(), mfatest.Email, mfatest.Password), "")
}

// The owner of a passkey who types another name is told the same whether it exists or not.
func TestAPasskeyDoesNotSayWhichNamesExist(t *testing.T) {
	h := newSite(t)
	ada, off := h.CreatePasswordUser(), h.Create(users.Draft{Email: mfatest.OtherEmail, EmailVerified: true, Password: mfatest.Password})
	d := passkeytest.New(rpID, origin)
	mfatest.Want(t, "enrol", h.enrol(ada.ID, d), "")
	other := func(name string) {
		t.Helper()
		_, err := h.signIn(d, name)
		mfatest.Want(t, name, err, mfa.InvalidCredentials)
	}
	other(mfatest.OtherEmail)
	other("nobody@example.com")
	disabled := storage.UserDisabled
	mfatest.Want(t, "disable", h.Store.UpdateUser(t.Context(), storage.UserChange{ID: off.ID, Status: &disabled, Now: h.Now()}), "")
	other(mfatest.OtherEmail)
	for _, own := range []string{mfatest.Email, ""} {
		_, err := h.signIn(d, own)
		mfatest.Want(t, "the owner as "+own, err, "")
	}
}

func TestAUserHoldsTenPasskeysAndEachCredentialOnce(t *testing.T) {
	h := newSite(t)
	ada, bob := h.CreatePasswordUser(), h.Create(users.Draft{Email: mfatest.OtherEmail, EmailVerified: true, Password: mfatest.Password})
	var last *passkeytest.Device
	for range 10 {
		last = passkeytest.New(rpID, origin)
		mfatest.Want(t, "enrol", h.enrol(ada.ID, last), "")
	}
	mfatest.Want(t, "the eleventh", h.enrol(ada.ID, passkeytest.New(rpID, origin)), mfa.AlreadyEnrolled)
	mfatest.Want(t, "the passkey of another user", h.enrol(bob.ID, last), mfa.AlreadyEnrolled)
	signal := h.passkeys.Accepted(h.owner(ada.ID).Account)
	if len(signal.AllAcceptedCredentialIDs) != 10 || signal.RPID != rpID {
		t.Errorf("%d accepted for %s, want 10", len(signal.AllAcceptedCredentialIDs), signal.RPID)
	}
}

func TestTheFirstPasskeyMakesRecoveryCodesAndNoDemand(t *testing.T) {
	h := newSite(t)
	ada := h.CreatePasswordUser()
	mfatest.Want(t, "enrol", h.enrol(ada.ID, passkeytest.New(rpID, origin)), "")
	codes, err := h.Store.RecoveryCodes(context.Background(), ada.ID)
	mfatest.Want(t, "read", err, "")
	if len(codes) != 10 || h.owner(ada.ID).Account.User.MFAEnabled {
		t.Errorf("%d recovery codes, two factors demanded: %v", len(codes), h.owner(ada.ID).Account.User.MFAEnabled)
	}
	// The password still signs in, and is not enough to change factors.
	id := h.SignedIn()
	if v := h.Verdict(id); v.Need != mfa.NeedNothing {
		t.Errorf("with the password: %s", v.Need)
	}
	_, err = h.Verifier.Enroll(t.Context(), h.Caller, h.Verifier.InLogin(h.Read(id, "")), exchange.NewFactor{Method: passkey.Name})
	mfatest.Want(t, "enrol with the password alone", err, mfa.ReauthenticationRequired)
}

// A passkey without user verification is what a thief holds: beside other factors it changes none.
func TestAStolenPasskeyAloneChangesNoFactor(t *testing.T) {
	h := newSite(t)
	ada := h.CreatePasswordUser()
	d := passkeytest.New(rpID, origin)
	d.Authenticator.Options.UserNotVerified = true
	mfatest.Want(t, "enrol", h.enrol(ada.ID, d), "")
	all := h.owner(ada.ID)
	withPassword, alone := all, all
	withPassword.Factors, alone.Factors = nil, nil
	for _, f := range all.Factors {
		if f.Method == passkey.Name {
			f.Kinds, f.AMR = []storage.Kind{storage.Have}, []string{"pop"}
			alone.Factors = append(alone.Factors, f)
		}
		if f.Method != "recovery" {
			withPassword.Factors = append(withPassword.Factors, f)
		}
	}
	mfatest.Want(t, "the passkey alone", h.Verifier.CheckFresh(alone), mfa.ReauthenticationRequired)
	mfatest.Want(t, "with the password", h.Verifier.CheckFresh(withPassword), "")

	id, err := h.signIn(d, "")
	mfatest.Want(t, "sign in", err, "")
	_, err = h.Verifier.Enroll(t.Context(), h.Caller, h.Verifier.InLogin(h.Read(id, "")), exchange.NewFactor{Method: passkey.Name})
	mfatest.Want(t, "enrol in a login with the passkey alone", err, mfa.ReauthenticationRequired)

	only := alone
	only.Account.Authenticators = slices.DeleteFunc(slices.Clone(only.Account.Authenticators), func(x storage.Authenticator) bool { return x.Method == "password" })
	mfatest.Want(t, "where the account can give no more", h.Verifier.CheckFresh(only), "")
}

// An offer must be one that the user can accept: after a reset an enrolment demands a code.
func TestNoPasskeyIsOfferedAfterAReset(t *testing.T) {
	h := newSite(t)
	ada := h.CreatePasswordUser()
	offered := func(want string) {
		t.Helper()
		if got := h.Verifier.Suggest(h.Read(h.SignedIn(), "")); got != want {
			t.Errorf("offered %q, want %q", got, want)
		}
	}
	offered(passkey.Name)
	_, err := h.Users.ResetFactors(t.Context(), mfa.Caller{Actor: "admin"}, h.owner(ada.ID).Account)
	mfatest.Want(t, "reset", err, "")
	offered("")
}

func TestAnAccountNeedsNoPassword(t *testing.T) {
	h := newSite(t)
	u := h.Create(users.Draft{Email: mfatest.Email, EmailVerified: true, Password: mfatest.Password})
	d := passkeytest.New(rpID, origin)
	mfatest.Want(t, "enrol", h.enrol(u.ID, d), "")
	o := h.owner(u.ID)
	for _, x := range o.Account.Authenticators {
		if x.Method == "password" {
			mfatest.Want(t, "remove the password", h.Store.DeleteAuthenticator(t.Context(), storage.Removal{UserID: u.ID, Authenticator: x.ID, Now: h.Now()}), "")
		}
	}
	h.Policy.MFA = mfa.MFAAlways
	id, err := h.signIn(d, "")
	mfatest.Want(t, "sign in", err, "")
	if v := h.Verdict(id); v.Need != mfa.NeedNothing || v.ACR != mfa.PHR {
		t.Errorf("verdict %+v, want the end, and phr", v)
	}
	mfatest.Want(t, "a password", h.SignIn(h.OpenRequest(), mfatest.Email, mfatest.Password), mfa.InvalidCredentials)
	o = h.owner(u.ID)
	if !h.Accounts.Strong(o) {
		t.Error("the passkey does not open the account page")
	}
	mfatest.Want(t, "another passkey", h.enrol(u.ID, passkeytest.New(rpID, origin)), "")
	h.Advance(6 * time.Minute)
	mfatest.Want(t, "with an old proof", h.Verifier.CheckFresh(o), mfa.ReauthenticationRequired)
}

// A browser that the user signed in with before is no reason to write without a bound: nothing
// else counts what a passkey fails at.
func TestFailuresOfPasskeysAreBoundedInEveryBrowser(t *testing.T) {
	h := newSite(t)
	ada := h.CreatePasswordUser()
	d := passkeytest.New(rpID, origin)
	mfatest.Want(t, "enrol", h.enrol(ada.ID, d), "")
	h.Caller.Address = "192.0.2.7"
	spent := 0
	admit := func(_ mfa.Caller, of string, n int) time.Duration {
		if of == budget.Failures {
			spent += n
		}
		return 0
	}
	h.Journal = audit.NewJournal(h.Store, h.Now, rand.Reader, slog.New(slog.DiscardHandler), admit)
	h.Open(exchange.Options{Product: "Sallyport", Admit: admit}, h.passkeys)
	h.Caller.Device = device.Remember(h.Keyring, rand.Reader, "", ada.ID)
	stranger := passkeytest.New(rpID, origin)
	stranger.Credential.ID = d.Credential.ID
	for i := range 3 {
		_, err := h.signIn(stranger, mfatest.Email)
		mfatest.Want(t, "a stranger", err, mfa.InvalidCredentials)
		if spent != i+1 {
			t.Fatalf("%d failures took %d from the budget of their network", i+1, spent)
		}
	}
}
