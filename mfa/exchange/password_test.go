package exchange_test

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/selfservice"
	"sallyport/mfa/users"
	"sallyport/storage"
)

func TestUnknownWrongAndDisabledAreRefusedAlike(t *testing.T) {
	h := mfatest.New(t)
	h.CreateAda()
	h.Create(users.Draft{Email: "off@example.com", Password: mfatest.Password, Status: storage.UserDisabled})
	h.Create(users.Draft{Email: "none@example.com"})
	for _, tc := range []struct{ name, identifier, password string }{
		{"a wrong password", mfatest.Email, "not the password"},
		{"an unknown user", "nobody@example.com", mfatest.Password},
		{"a disabled user", "off@example.com", mfatest.Password},
		{"a user without a password", "none@example.com", mfatest.Password},
	} {
		id := h.OpenRequest()
		for i := range 7 {
			err := h.SignIn(id, tc.identifier, tc.password)
			code, retry := mfa.InvalidCredentials, time.Duration(0)
			if i >= 5 {
				code, retry = mfa.TooMany, 30*time.Second
			}
			mfatest.Want(t, tc.name, err, code)
			if e, ok := err.(*mfa.Error); !ok || e.RetryAfter != retry || e.Err != nil {
				t.Errorf("%s, try %d: %#v, want a bare %s with retry %s", tc.name, i+1, err, code, retry)
			}
		}
		if p := h.Read(id, ""); p.Request.Subject != "" {
			t.Errorf("%s set a subject", tc.name)
		}
	}
}

func TestMalformedPasswordsAreNotCounted(t *testing.T) {
	h := mfatest.New(t)
	h.CreateAda()
	id := h.OpenRequest()
	for _, p := range []string{"", strings.Repeat("x", 1025), "with\x00nul", "bad\xffutf8"} {
		for range 6 {
			mfatest.Want(t, "malformed", h.SignIn(id, mfatest.Email, p), mfa.InvalidRequest)
		}
	}
	mfatest.Want(t, "no identifier", h.SignIn(id, "", mfatest.Password), mfa.InvalidRequest)
	mfatest.Want(t, "right password", h.SignIn(id, mfatest.Email, mfatest.Password), "")
}

func TestThePasswordWaitEndsAtFifteenMinutes(t *testing.T) {
	h := mfatest.New(t)
	h.CreateAda()
	for i := range 20 {
		err := h.SignIn(h.OpenRequest(), mfatest.Email, "wrong password")
		mfatest.Want(t, "wrong", err, mfa.InvalidCredentials)
		if i >= 4 {
			h.Advance(15 * time.Minute)
		}
	}
	mfatest.Want(t, "right after at most 15 minutes", h.SignIn(h.OpenRequest(), mfatest.Email, mfatest.Password), "")
}

func TestAttackersDoNotLockTheOwnerOut(t *testing.T) {
	h := mfatest.New(t)
	u := h.CreateAda()
	other := h.Create(users.Draft{Email: mfatest.OtherEmail, Password: "another harbour at dusk"})
	for range 6 {
		_ = h.SignIn(h.OpenRequest(), mfatest.Email, "guess guess guess")
	}
	mfatest.Want(t, "owner in a new browser", h.SignIn(h.OpenRequest(), mfatest.Email, mfatest.Password), mfa.TooMany)
	h.Caller.Device = h.Sessions.Remember("", other.ID)
	mfatest.Want(t, "a device cookie of another user", h.SignIn(h.OpenRequest(), mfatest.Email, mfatest.Password), mfa.TooMany)
	h.Caller.Device = h.Sessions.Remember(h.Caller.Device, u.ID)
	mfatest.Want(t, "owner in the browser they used before", h.SignIn(h.OpenRequest(), mfatest.Email, mfatest.Password), "")
	for range 5 {
		mfatest.Want(t, "wrong in that browser", h.SignIn(h.OpenRequest(), mfatest.Email, "guess guess guess"), mfa.InvalidCredentials)
	}
	mfatest.Want(t, "that browser has its own wait", h.SignIn(h.OpenRequest(), mfatest.Email, mfatest.Password), mfa.TooMany)
}

func TestPasswordAndFactorCountSeparately(t *testing.T) {
	h := mfatest.New(t)
	h.CreateAda()
	id := h.SignedIn()
	for range 6 {
		_ = h.SignIn(h.OpenRequest(), mfatest.Email, "guess guess guess")
	}
	_, err := h.Prove(id, "totp", h.Code(0), "")
	mfatest.Want(t, "totp while passwords wait", err, "")
	h.Advance(time.Hour)
	id = h.SignedIn()
	for range 6 {
		_, _ = h.Prove(id, "totp", h.Wrong(), "")
	}
	mfatest.Want(t, "password while codes wait", h.SignIn(h.OpenRequest(), mfatest.Email, mfatest.Password), "")
}

func TestARequestKeepsItsSubject(t *testing.T) {
	h := mfatest.New(t)
	u := h.CreateAda()
	h.Create(users.Draft{Email: mfatest.OtherEmail, Password: "another harbour at dusk"})
	id := h.SignedIn()
	mfatest.Want(t, "another user's right password", h.SignIn(id, mfatest.OtherEmail, "another harbour at dusk"), mfa.InvalidCredentials)
	mfatest.Want(t, "the own password under another user's name", h.SignIn(id, mfatest.OtherEmail, mfatest.Password), mfa.InvalidCredentials)
	mfatest.Want(t, "an unknown name", h.SignIn(id, "nobody@example.com", "another harbour at dusk"), mfa.InvalidCredentials)
	if p := h.Read(id, ""); p.Request.Subject != u.ID {
		t.Errorf("subject = %s, want %s", p.Request.Subject, u.ID)
	}
	mfatest.Want(t, "own password by another name", h.SignIn(id, "ada", mfatest.Password), "")
	h.Policy.Methods = []string{"totp"}
	mfatest.Want(t, "a client whose list names second factors only", h.SignIn(h.OpenRequest(), mfatest.Email, mfatest.Password), "")
}

func TestALoginThatChangedMeanwhileIsAConflict(t *testing.T) {
	h := mfatest.New(t)
	h.CreateAda()
	p := h.Read(h.OpenRequest(), mfatest.Email)
	mfatest.Want(t, "first post", h.Verifier.Password(context.Background(), h.Caller, p, mfatest.Password), "")
	mfatest.Want(t, "second post of the same page", h.Verifier.Password(context.Background(), h.Caller, p, mfatest.Password), mfa.RequestChanged)
}

func TestImportedHashesBecomeArgon2id(t *testing.T) {
	h := mfatest.New(t)
	b, err := bcrypt.GenerateFromPassword([]byte(mfatest.Password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	u := h.Create(users.Draft{Email: mfatest.Email, PasswordHash: string(b)})
	mfatest.Want(t, "wrong password", h.SignIn(h.OpenRequest(), mfatest.Email, "some other password"), mfa.InvalidCredentials)
	mfatest.Want(t, "right password", h.SignIn(h.OpenRequest(), mfatest.Email, mfatest.Password), "")
	a, err := h.Store.Account(context.Background(), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	now := string(a.Authenticators[0].Secret)
	if !strings.HasPrefix(now, "$argon2id$v=19$m=64,t=1,p=1,keyid=") {
		t.Errorf("the hash is %q after a login, want argon2id with the pepper's key", now)
	}
	mfatest.Want(t, "right password again", h.SignIn(h.OpenRequest(), mfatest.Email, mfatest.Password), "")
}

// A hash of the password as typed accepts that spelling and is then replaced by one that
// accepts every spelling. A login that finishes later does not restore the old hash.
func TestAHashOfARawSpellingIsReplacedAtSignIn(t *testing.T) {
	const typed, other, fresh = "ein ru\u0308hriger Hafen", "ein r\u00fchriger Hafen", "seven grey geese on ice"
	salt := []byte("a salt of 24 bytes, here")
	b64 := base64.RawStdEncoding.EncodeToString
	hash := "$argon2id$v=19$m=64,t=1,p=1$" + b64(salt) + "$" + b64(argon2.IDKey([]byte(typed), salt, 1, 64, 1, 32))
	for range 5 {
		h := mfatest.New(t)
		u := h.Create(users.Draft{Email: mfatest.Email, PasswordHash: hash})
		mfatest.Want(t, "another spelling", h.SignIn(h.OpenRequest(), mfatest.Email, other), mfa.InvalidCredentials)
		logins := make([]error, 3)
		o, ids := h.Session(u.ID, "password"), make([]storage.RequestID, len(logins))
		for i := range ids {
			ids[i] = h.OpenRequest()
		}
		var wg sync.WaitGroup
		for i, id := range ids {
			wg.Go(func() { logins[i] = h.SignIn(id, mfatest.Email, typed) })
		}
		var changed error
		wg.Go(func() {
			changed = h.Accounts.ChangePassword(context.Background(), h.Caller, o, selfservice.PasswordChange{Old: typed, New: fresh})
		})
		wg.Wait()
		mfatest.Want(t, "change", changed, "")
		for i, err := range logins {
			if code := mfa.CodeOf(err); err != nil && code != mfa.InvalidCredentials && code != mfa.RequestChanged {
				t.Errorf("login %d: %v", i, err)
			}
		}
		for _, p := range []string{typed, other} {
			h.Advance(time.Hour)
			mfatest.Want(t, "the old password", h.SignIn(h.OpenRequest(), mfatest.Email, p), mfa.InvalidCredentials)
		}
		h.Advance(time.Hour)
		mfatest.Want(t, "the new one", h.SignIn(h.OpenRequest(), mfatest.Email, fresh), "")
	}
	h := mfatest.New(t)
	h.Create(users.Draft{Email: mfatest.Email, PasswordHash: hash})
	mfatest.Want(t, "as it was typed", h.SignIn(h.OpenRequest(), mfatest.Email, typed), "")
	mfatest.Want(t, "another spelling from then on", h.SignIn(h.OpenRequest(), mfatest.Email, other), "")
	mfatest.Want(t, "and the first one", h.SignIn(h.OpenRequest(), mfatest.Email, typed), "")
}

func TestAnAddressThatFailsForManyUsersWaits(t *testing.T) {
	h := mfatest.New(t)
	h.Open(exchange.Options{AddressMaxSubjects: 3})
	h.CreateAda()
	h.Caller.Address = "2001:db8::1"
	for _, who := range []string{"u1", "u2", "u3", "u4"} {
		mfatest.Want(t, who, h.SignIn(h.OpenRequest(), who, "some password"), mfa.InvalidCredentials)
	}
	h.Caller.Address = "2001:db8::ffff"
	mfatest.Want(t, "the same /64", h.SignIn(h.OpenRequest(), mfatest.Email, mfatest.Password), mfa.TooMany)
	h.Caller.Address = "2001:db8:0:1::1"
	mfatest.Want(t, "another /64", h.SignIn(h.OpenRequest(), mfatest.Email, mfatest.Password), "")
	h.Caller.Address = "2001:db8::1"
	h.Advance(10*time.Minute + time.Second)
	mfatest.Want(t, "after ten minutes", h.SignIn(h.OpenRequest(), mfatest.Email, mfatest.Password), "")
}

func TestTamperedSecretsAreAWrongPasswordAndAreLogged(t *testing.T) {
	h := mfatest.New(t)
	u := h.CreateAda()
	a, err := h.Store.Account(context.Background(), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	p := h.Read(h.OpenRequest(), mfatest.Email)
	p.Account = &a
	for i := range a.Authenticators {
		a.Authenticators[i].Secret, a.Authenticators[i].Broken = nil, true
	}
	mfatest.Want(t, "broken secret", h.Verifier.Password(context.Background(), h.Caller, p, mfatest.Password), mfa.InvalidCredentials)
	if !slices.Contains(h.Events(), mfa.EventDecryptFailure) {
		t.Error("no alarm")
	}
}
