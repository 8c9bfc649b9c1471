package mfa_test

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
	"sallyport/storage"
)

func TestUnknownWrongAndDisabledAnswerAlike(t *testing.T) {
	h := newHouse(t)
	h.ada()
	h.create(mfa.Draft{Email: "off@example.com", Password: ownPass, Status: storage.UserDisabled})
	h.create(mfa.Draft{Email: "none@example.com"})
	for _, tc := range []struct{ name, identifier, password string }{
		{"a wrong password", ownMail, "not the password"},
		{"an unknown user", "nobody@example.com", ownPass},
		{"a disabled user", "off@example.com", ownPass},
		{"a user without a password", "none@example.com", ownPass},
	} {
		id := h.begin()
		for i := range 7 {
			err := h.login(id, tc.identifier, tc.password)
			code, retry := mfa.InvalidCredentials, time.Duration(0)
			if i >= 5 {
				code, retry = mfa.TooMany, 30*time.Second
			}
			want(t, tc.name, err, code)
			if e, ok := err.(*mfa.Error); !ok || e.RetryAfter != retry || e.Err != nil {
				t.Errorf("%s, try %d: %#v, want a bare %s with retry %s", tc.name, i+1, err, code, retry)
			}
		}
		if p := h.proving(id, ""); p.Request.Subject != "" {
			t.Errorf("%s set a subject", tc.name)
		}
	}
}

func TestPasswordsThatCannotBeOneCountNothing(t *testing.T) {
	h := newHouse(t)
	h.ada()
	id := h.begin()
	for _, p := range []string{"", strings.Repeat("x", 1025), "with\x00nul", "bad\xffutf8"} {
		for range 6 {
			want(t, "malformed", h.login(id, ownMail, p), mfa.InvalidRequest)
		}
	}
	want(t, "no identifier", h.login(id, "", ownPass), mfa.InvalidRequest)
	want(t, "right password", h.login(id, ownMail, ownPass), "")
}

func TestThePasswordWaitEndsAtFifteenMinutes(t *testing.T) {
	h := newHouse(t)
	h.ada()
	for i := range 20 {
		err := h.login(h.begin(), ownMail, "wrong password")
		want(t, "wrong", err, mfa.InvalidCredentials)
		if i >= 4 {
			h.wait(15 * time.Minute)
		}
	}
	want(t, "right after at most 15 minutes", h.login(h.begin(), ownMail, ownPass), "")
}

func TestStrangersDoNotLockTheOwnerOut(t *testing.T) {
	h := newHouse(t)
	u := h.ada()
	other := h.create(mfa.Draft{Email: otherMail, Password: "another harbour at dusk"})
	for range 6 {
		_ = h.login(h.begin(), ownMail, "guess guess guess")
	}
	want(t, "owner in a new browser", h.login(h.begin(), ownMail, ownPass), mfa.TooMany)
	h.visit.Device = h.sessions.Remember("", other.ID)
	want(t, "somebody with a device cookie of their own", h.login(h.begin(), ownMail, ownPass), mfa.TooMany)
	h.visit.Device = h.sessions.Remember(h.visit.Device, u.ID)
	want(t, "owner in the browser they used before", h.login(h.begin(), ownMail, ownPass), "")
	for range 5 {
		want(t, "wrong in that browser", h.login(h.begin(), ownMail, "guess guess guess"), mfa.InvalidCredentials)
	}
	want(t, "that browser has its own wait", h.login(h.begin(), ownMail, ownPass), mfa.TooMany)
}

func TestPasswordAndFactorDoNotFeedEachOther(t *testing.T) {
	h := newHouse(t)
	h.ada()
	id := h.loggedIn()
	for range 6 {
		_ = h.login(h.begin(), ownMail, "guess guess guess")
	}
	_, err := h.prove(id, "totp", h.code(0), "")
	want(t, "totp while passwords wait", err, "")
	h.wait(time.Hour)
	id = h.loggedIn()
	for range 6 {
		_, _ = h.prove(id, "totp", h.wrong(), "")
	}
	want(t, "password while codes wait", h.login(h.begin(), ownMail, ownPass), "")
}

func TestARequestKeepsItsSubject(t *testing.T) {
	h := newHouse(t)
	u := h.ada()
	h.create(mfa.Draft{Email: otherMail, Password: "another harbour at dusk"})
	id := h.loggedIn()
	want(t, "another user's right password", h.login(id, otherMail, "another harbour at dusk"), mfa.InvalidCredentials)
	want(t, "the own password under another user's name", h.login(id, otherMail, ownPass), mfa.InvalidCredentials)
	want(t, "nobody's password", h.login(id, "nobody@example.com", "another harbour at dusk"), mfa.InvalidCredentials)
	if p := h.proving(id, ""); p.Request.Subject != u.ID {
		t.Errorf("subject = %s, want %s", p.Request.Subject, u.ID)
	}
	want(t, "own password by another name", h.login(id, "ada", ownPass), "")
	h.policy.Methods = []string{"totp"}
	want(t, "a client whose list names second factors only", h.login(h.begin(), ownMail, ownPass), "")
}

func TestALoginThatMovedOnMeanwhile(t *testing.T) {
	h := newHouse(t)
	h.ada()
	p := h.proving(h.begin(), ownMail)
	want(t, "first post", h.verifier.Login(context.Background(), h.visit, p, ownPass), "")
	want(t, "second post of the same page", h.verifier.Login(context.Background(), h.visit, p, ownPass), mfa.RequestChanged)
}

func TestImportedHashesBecomeArgon2id(t *testing.T) {
	h := newHouse(t)
	b, err := bcrypt.GenerateFromPassword([]byte(ownPass), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	u := h.create(mfa.Draft{Email: ownMail, PasswordHash: string(b)})
	want(t, "wrong password", h.login(h.begin(), ownMail, "some other password"), mfa.InvalidCredentials)
	want(t, "right password", h.login(h.begin(), ownMail, ownPass), "")
	a, err := h.store.Account(context.Background(), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	now := string(a.Authenticators[0].Secret)
	if !strings.HasPrefix(now, "$argon2id$v=19$m=64,t=1,p=1,keyid=") {
		t.Errorf("the hash is %q after a login, want argon2id with the pepper's key", now)
	}
	want(t, "right password again", h.login(h.begin(), ownMail, ownPass), "")
}

// A hash of a spelling as it was typed opens with that spelling once; from then on every
// spelling opens. A login of then that finishes late never puts the old password back.
func TestAHashOfARawSpellingIsReplacedAtSignIn(t *testing.T) {
	const typed, other, fresh = "ein ru\u0308hriger Hafen", "ein r\u00fchriger Hafen", "seven grey geese on ice"
	salt := []byte("a salt of 24 bytes, here")
	b64 := base64.RawStdEncoding.EncodeToString
	hash := "$argon2id$v=19$m=64,t=1,p=1$" + b64(salt) + "$" + b64(argon2.IDKey([]byte(typed), salt, 1, 64, 1, 32))
	for range 5 {
		h := newHouse(t)
		u := h.create(mfa.Draft{Email: ownMail, PasswordHash: hash})
		want(t, "another spelling", h.login(h.begin(), ownMail, other), mfa.InvalidCredentials)
		logins := make([]error, 3)
		o, ids := h.session(u.ID, "password"), make([]storage.RequestID, len(logins))
		for i := range ids {
			ids[i] = h.begin()
		}
		var wg sync.WaitGroup
		for i, id := range ids {
			wg.Go(func() { logins[i] = h.login(id, ownMail, typed) })
		}
		var changed error
		wg.Go(func() {
			changed = h.verifier.ChangePassword(context.Background(), h.visit, o, mfa.PasswordChange{Old: typed, New: fresh})
		})
		wg.Wait()
		want(t, "change", changed, "")
		for i, err := range logins {
			if code := mfa.CodeOf(err); err != nil && code != mfa.InvalidCredentials && code != mfa.RequestChanged {
				t.Errorf("login %d: %v", i, err)
			}
		}
		for _, p := range []string{typed, other} {
			h.wait(time.Hour)
			want(t, "the old password", h.login(h.begin(), ownMail, p), mfa.InvalidCredentials)
		}
		h.wait(time.Hour)
		want(t, "the new one", h.login(h.begin(), ownMail, fresh), "")
	}
	h := newHouse(t)
	h.create(mfa.Draft{Email: ownMail, PasswordHash: hash})
	want(t, "as it was typed", h.login(h.begin(), ownMail, typed), "")
	want(t, "another spelling from then on", h.login(h.begin(), ownMail, other), "")
	want(t, "and the first one", h.login(h.begin(), ownMail, typed), "")
}

func TestAnAddressThatFailsForManyUsersWaits(t *testing.T) {
	h := newHouse(t)
	h.open(mfa.Options{AddressMaxSubjects: 3})
	h.ada()
	h.visit.Address = "2001:db8::1"
	for _, who := range []string{"u1", "u2", "u3", "u4"} {
		want(t, who, h.login(h.begin(), who, "some password"), mfa.InvalidCredentials)
	}
	h.visit.Address = "2001:db8::ffff"
	want(t, "the same /64", h.login(h.begin(), ownMail, ownPass), mfa.TooMany)
	h.visit.Address = "2001:db8:0:1::1"
	want(t, "another /64", h.login(h.begin(), ownMail, ownPass), "")
	h.visit.Address = "2001:db8::1"
	h.wait(10*time.Minute + time.Second)
	want(t, "after ten minutes", h.login(h.begin(), ownMail, ownPass), "")
}

func TestTamperedSecretsAreAWrongPasswordAndAnAlarm(t *testing.T) {
	h := newHouse(t)
	u := h.ada()
	a, err := h.store.Account(context.Background(), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	p := h.proving(h.begin(), ownMail)
	p.Account = &a
	for i := range a.Authenticators {
		a.Authenticators[i].Secret, a.Authenticators[i].Broken = nil, true
	}
	want(t, "broken secret", h.verifier.Login(context.Background(), h.visit, p, ownPass), mfa.InvalidCredentials)
	if !slices.Contains(h.events(), mfa.EventDecryptFailure) {
		t.Error("no alarm")
	}
}
