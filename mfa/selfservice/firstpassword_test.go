package selfservice_test

import (
	"crypto/rand"
	"slices"
	"sync"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/notice"
	"sallyport/mfa/passkey"
	"sallyport/mfa/users"
	"sallyport/storage"
)

// A user with a passkey alone sets the first password, freshly proven, and once.
func TestTheFirstPasswordIsSetOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, h addressFixture) {
		keys, u := h.passkeyOnly(proven)
		owner := func() mfa.Owner {
			f := mfa.FactorOf(keys.Info(), nil)
			f.At = h.Now()
			return mfa.Owner{Account: h.account(u.ID), Factors: []storage.Factor{f}}
		}
		old := owner()
		h.Advance(6 * time.Minute)
		o := owner()
		set := func(o mfa.Owner, plain string) error { return h.Accounts.SetPassword(t.Context(), h.Caller, o, plain) }
		const fresh = "seven grey geese on ice"
		mfatest.Want(t, "too short", set(o, "short"), mfa.PasswordTooShort)
		mfatest.Want(t, "the address", set(o, "ada@example.com"), mfa.PasswordTooCommon)
		mfatest.Want(t, "proven long ago", set(old, fresh), mfa.ReauthenticationRequired)
		var all sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			all.Go(func() { errs[i] = set(o, fresh) })
		}
		all.Wait()
		won := slices.DeleteFunc(slices.Clone(errs), func(err error) bool { return mfa.CodeOf(err) == mfa.RequestChanged })
		if len(won) != 1 || won[0] != nil {
			t.Errorf("of racing ones: %v, want one success", errs)
		}
		mfatest.Want(t, "again", set(owner(), "eight grey geese on ice"), mfa.NotConfigured)
		mfatest.Want(t, "sign in", h.SignIn(h.OpenRequest(), "ada@example.com", fresh), "")
		if m := h.Messages(); len(m) != 1 || m[0].Template != notice.PasswordChanged {
			t.Errorf("messages: %+v", m)
		}
		if e := h.Events(); !slices.Contains(e, mfa.EventPasswordChanged) {
			t.Errorf("events: %v", e)
		}
	})
}

// Without a proven address nobody would learn of a password that somebody else has set, and no reset
// would end it.
func TestAFirstPasswordNeedsAnAddress(t *testing.T) {
	onBoth(t, func(t *testing.T, h addressFixture) {
		for what, d := range map[string]users.Draft{"no address": {Username: "ada"}, "one that is not proven": {Username: "grace", Email: "grace@example.com"}} {
			_, u := h.passkeyOnly(d)
			mfatest.Want(t, what, h.Accounts.SetPassword(t.Context(), h.Caller, h.Session(u.ID, passkey.Name), "seven grey geese on ice"), mfa.NotConfigured)
		}
	})
}

// proven is a user with a proven address.
var proven = users.Draft{Email: "ada@example.com", EmailVerified: true}

// passkeyOnly opens the server's part with passkeys, and returns a user with one and no password.
func (h addressFixture) passkeyOnly(d users.Draft) (*passkey.Method, storage.User) {
	h.T.Helper()
	keys, err := passkey.New(h.Store, h.Keyring, rand.Reader, passkey.Options{Product: "Sallyport", RPID: "login.example", Origins: []string{"https://login.example"}, TTL: time.Minute, Enroll: time.Minute})
	mfatest.Want(h.T, "method", err, "")
	h.Open(exchange.Options{Product: "Sallyport"}, keys)
	u := h.Create(d)
	mfatest.Want(h.T, "add", h.Store.PutAuthenticator(h.T.Context(), storage.Authenticator{ID: storage.AuthenticatorID(storage.Random128(rand.Reader)), UserID: u.ID,
		Method: passkey.Name, State: storage.AuthenticatorActive, CreatedAt: h.Now(), UpdatedAt: h.Now()}, nil, nil), "")
	return keys, u
}

// Who has a foreign session and sends the form while the owner ends it leaves no password behind: hashing,
// and asking whether it is known from a breach, take their time.
func TestASessionThatEndsMeanwhileSetsNoPassword(t *testing.T) {
	onBoth(t, func(t *testing.T, h addressFixture) {
		_, u := h.passkeyOnly(proven)
		foreign, own := h.Session(u.ID, passkey.Name), h.Session(u.ID, passkey.Name)
		const fresh = "seven grey geese on ice"
		mfatest.Want(t, "the owner ends the others", h.Sessions.EndOthers(t.Context(), h.Caller, own), "")
		mfatest.Want(t, "the foreign session", h.Accounts.SetPassword(t.Context(), h.Caller, foreign, fresh), mfa.RequestChanged)
		mfatest.Want(t, "its password", h.SignIn(h.OpenRequest(), "ada@example.com", fresh), mfa.InvalidCredentials)
		mfatest.Want(t, "the owner's session", h.Accounts.SetPassword(t.Context(), h.Caller, own, fresh), "")
	})
}
