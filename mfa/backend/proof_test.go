package backend_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/backend"
	"sallyport/mfa/exchange"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/passcode"
	"sallyport/storage"
)

var ctx = context.Background()

// withCodes makes a fixture send codes.
func withCodes(h *mfatest.Fixture) {
	h.Open(exchange.Options{Product: "Sallyport", AddressMax: -1}, passcode.NewEmail(h.Keyring, rand.Reader, passcode.Options{Product: "Sallyport"}),
		passcode.NewSMS(h.Keyring, rand.Reader, passcode.Options{Product: "Sallyport"}))
}

// newTOTP creates a TOTP authenticator of a user.
func newTOTP(h *mfatest.Fixture, user storage.UserID) backend.TOTP {
	h.T.Helper()
	x, err := h.Backend.CreateTOTP(ctx, h.Caller, backend.NewTOTP{User: user, TTL: time.Hour, Codes: 10, Groups: []int{4, 4, 4}})
	mfatest.Want(h.T, "create TOTP", err, "")
	return x
}

// lastCode returns the code of the newest message.
func lastCode(h *mfatest.Fixture) string {
	h.T.Helper()
	for _, m := range h.Messages() {
		if m.Template == "code" {
			return m.Data["code"]
		}
	}
	h.T.Fatal("no code was sent")
	return ""
}

func TestATOTPAuthenticatorOfABackend(t *testing.T) {
	onBoth(t, func(h *mfatest.Fixture) {
		u := create(h, backend.Draft{Email: mfatest.Email, Pending: true})
		old := newTOTP(h, u.User.ID)
		x := newTOTP(h, u.User.ID)
		if len(x.RecoveryCodes) != 10 || len(x.RecoveryCodes[0]) != 14 || x.Verified {
			h.T.Fatalf("TOTP = %+v, want ten codes", x)
		}
		list, err := h.Backend.RecoveryCodes(ctx, u.User.ID)
		if mfatest.Want(h.T, "list", err, ""); len(list) != 1 || list[0].Authenticator != x.Authenticator || !slices.Equal(list[0].RecoveryCodes, x.RecoveryCodes) {
			h.T.Errorf("list = %+v, want the newer one with its codes", list)
		}
		prove := func(code string, use backend.SessionUse) (backend.Proven, error) {
			return h.Backend.ProveTOTP(ctx, h.Caller, backend.Proof{User: u.User.ID, Code: code, Session: use})
		}
		recover := func(code string) error {
			_, err := h.Backend.ProveRecovery(ctx, h.Caller, backend.Proof{User: u.User.ID, Code: code})
			return err
		}
		mfatest.Want(h.T, "a recovery code before the first TOTP code", recover(x.RecoveryCodes[0]), mfa.InvalidPasscode)
		_, err = prove("12345", backend.SessionUse{})
		mfatest.Want(h.T, "five digits", err, mfa.InvalidRequest)
		_, err = prove(old.Handout.Secret[:6], backend.SessionUse{})
		mfatest.Want(h.T, "no digits", err, mfa.InvalidRequest)
		code := h.AppCode(u.User.ID, x.Authenticator)
		_, err = prove(code, backend.SessionUse{Given: true})
		mfatest.Want(h.T, "with an unknown session", err, mfa.SessionNotFound)
		got, err := prove(code, backend.SessionUse{Duration: time.Hour, Claims: map[string]json.RawMessage{"plan": json.RawMessage(`"gold"`)}})
		mfatest.Want(h.T, "the first code", err, "")
		if got.Account.User.Status != storage.UserActive || got.Authenticator != x.Authenticator || got.Session == nil || len(got.SessionToken) != 64 {
			h.T.Fatalf("proven = %+v, want an active user with a session", got)
		}
		_, err = prove(code, backend.SessionUse{})
		mfatest.Want(h.T, "the same code", err, mfa.Replayed)
		_, err = h.Backend.CreateTOTP(ctx, h.Caller, backend.NewTOTP{User: u.User.ID, TTL: time.Hour, Codes: 10, Groups: []int{5, 5}})
		mfatest.Want(h.T, "another one", err, mfa.AlreadyEnrolled)
		mfatest.Want(h.T, "a recovery code", recover(x.RecoveryCodes[3]), "")
		mfatest.Want(h.T, "the same recovery code", recover(x.RecoveryCodes[3]), mfa.InvalidPasscode)
		list, err = h.Backend.RecoveryCodes(ctx, u.User.ID)
		if mfatest.Want(h.T, "list", err, ""); len(list) != 1 || !list[0].Verified || len(list[0].RecoveryCodes) != 9 {
			h.T.Errorf("list = %+v, want nine codes left", list)
		}
		h.Advance(time.Minute)
		again, err := prove(h.AppCode(u.User.ID, x.Authenticator), backend.SessionUse{Given: true, ID: got.Session.ID})
		mfatest.Want(h.T, "the session again", err, "")
		if again.SessionToken != got.SessionToken || !again.Session.ExpiresAt.Equal(got.Session.ExpiresAt) || len(again.Session.Factors) != 1 {
			h.T.Errorf("session = %+v, want the same with one factor", again.Session)
		}
		other := create(h, backend.Draft{Email: mfatest.OtherEmail})
		_, err = h.Backend.ProveTOTP(ctx, h.Caller, backend.Proof{User: other.User.ID, Code: "123456", Session: backend.SessionUse{Given: true, ID: got.Session.ID}})
		mfatest.Want(h.T, "another user's session", err, mfa.OtherUser)
		_, err = h.Backend.ProveTOTP(ctx, h.Caller, backend.Proof{User: other.User.ID, Code: "123456"})
		mfatest.Want(h.T, "without TOTP", err, mfa.NotConfigured)
		newTOTP(h, other.User.ID)
		h.Advance(time.Hour)
		_, err = h.Backend.ProveTOTP(ctx, h.Caller, backend.Proof{User: other.User.ID, Code: "123456"})
		mfatest.Want(h.T, "too late", err, mfa.EnrollmentExpired)
	})
}

func TestAnAppShowsTheIssuerOfItsBackend(t *testing.T) {
	h := mfatest.New(t)
	u := create(h, backend.Draft{Email: mfatest.Email})
	for issuer, want := range map[string]string{"": "otpauth://totp/Sallyport:ada@example.com?", "Harbour: app": "otpauth://totp/Harbour%20%20app:ada@example.com?"} {
		x, err := h.Backend.CreateTOTP(ctx, h.Caller, backend.NewTOTP{User: u.User.ID, TTL: time.Hour, Codes: 10, Groups: []int{5, 5}, Issuer: issuer})
		if mfatest.Want(t, "create", err, ""); !strings.HasPrefix(x.Handout.URI, want) {
			t.Errorf("issuer %q: %s, want %s...", issuer, x.Handout.URI, want)
		}
	}
}

// Operators say how long single sign-on lasts; a backend cannot.
func TestABrowserSessionIsExtendedWithinItsLimit(t *testing.T) {
	h := mfatest.New(t)
	o := h.Session(h.CreatePasswordUser().ID, "password")
	s, _, err := h.Backend.Authenticate(ctx, h.Caller, backend.SessionUse{ID: o.Session, Duration: 24 * 365 * time.Hour})
	if mfatest.Want(t, "extend", err, ""); !s.ExpiresAt.Equal(h.Now().Add(12 * time.Hour)) {
		t.Errorf("expires %v after now, want 12 hours", s.ExpiresAt.Sub(h.Now()))
	}
}

// A right code is spent by one of the callers that have it at the same time.
func TestOneOfParallelProofsWins(t *testing.T) {
	onBoth(t, func(h *mfatest.Fixture) {
		withCodes(h)
		u := create(h, backend.Draft{Phone: number})
		x := newTOTP(h, u.User.ID)
		code := h.AppCode(u.User.ID, x.Authenticator)
		won := 0
		for _, err := range concurrently(100, func(int) error {
			_, err := h.Backend.ProveTOTP(ctx, h.Caller, backend.Proof{User: u.User.ID, Code: code, Session: backend.SessionUse{Duration: time.Hour}})
			return err
		}) {
			if err == nil {
				won++
			} else if mfa.CodeOf(err) == "" && !errors.Is(err, storage.ErrUnavailable) {
				h.T.Errorf("a loser got %v, want a refusal", err)
			}
		}
		if won != 1 {
			h.T.Errorf("%d TOTP proofs succeeded, want 1", won)
		}
		sent, err := h.Backend.Send(ctx, h.Caller, backend.Send{Kind: storage.Phone, Address: number, TTL: 2 * time.Minute})
		mfatest.Want(h.T, "send", err, "")
		code, won = lastCode(h), 0
		for _, err := range concurrently(100, func(int) error {
			_, err := h.Backend.ProveOTP(ctx, h.Caller, backend.Proof{Identifier: sent.Identifier.ID, Code: code, Session: backend.SessionUse{Duration: time.Hour}})
			return err
		}) {
			if err == nil {
				won++
			} else if mfa.CodeOf(err) == "" && !errors.Is(err, storage.ErrUnavailable) {
				h.T.Errorf("a loser got %v, want a refusal", err)
			}
		}
		if won != 1 {
			h.T.Errorf("%d text message proofs succeeded, want 1", won)
		}
		if list, _, err := h.Backend.Sessions(ctx, u.User.ID); err != nil || len(list) != 2 {
			h.T.Errorf("%d sessions, %v; want 2", len(list), err)
		}
	})
}

func TestOneTimeCodesOfABackend(t *testing.T) {
	onBoth(t, func(h *mfatest.Fixture) {
		withCodes(h)
		send := func(n backend.Send) (backend.Sent, error) {
			if n.TTL == 0 {
				n.TTL = time.Minute
			}
			return h.Backend.Send(ctx, h.Caller, n)
		}
		prove := func(p backend.Proof) (backend.Proven, error) { return h.Backend.ProveOTP(ctx, h.Caller, p) }
		_, err := send(backend.Send{Kind: storage.Email, Address: mfatest.Email})
		refused(h.T, "an unknown address", err, mfa.IdentifierNotFound, storage.Email)
		_, err = send(backend.Send{Kind: storage.Email, Address: number})
		refused(h.T, "a number", err, mfa.InvalidIdentifier, storage.Email)
		_, err = send(backend.Send{Kind: storage.Email, Address: mfatest.Email, User: storage.UserID(storage.Random128(rand.Reader))})
		mfatest.Want(h.T, "for an unknown user", err, mfa.UserNotFound)

		sent, err := send(backend.Send{Kind: storage.Email, Address: "ADA@example.com", Create: true, Pending: true, Fingerprint: backend.Fingerprint{IP: "192.0.2.1"}})
		mfatest.Want(h.T, "send and create", err, "")
		if !sent.Created || sent.Account.User.Status != storage.UserPending || sent.Identifier.Value != mfatest.Email {
			h.T.Fatalf("sent = %+v, want a new pending user", sent)
		}
		first := lastCode(h)
		h.Advance(time.Second)
		again, err := send(backend.Send{Kind: storage.Email, Address: mfatest.Email, Create: true, Fingerprint: backend.Fingerprint{IP: "192.0.2.1"}})
		if mfatest.Want(h.T, "send again", err, ""); again.Created || again.Identifier.ID != sent.Identifier.ID {
			h.T.Errorf("sent = %+v, want the same user", again)
		}
		code := lastCode(h)
		p := backend.Proof{Identifier: sent.Identifier.ID, Fingerprint: backend.Fingerprint{IP: "192.0.2.1", UserAgent: "app"}, Session: backend.SessionUse{Duration: time.Hour}}
		p.Code = first
		if first != code {
			_, err = prove(p)
			mfatest.Want(h.T, "the superseded code", err, mfa.InvalidPasscode)
		}
		p.Code, p.Fingerprint.IP = code, "192.0.2.2"
		_, err = prove(p)
		mfatest.Want(h.T, "from another address", err, mfa.DeviceMismatch)
		p.Fingerprint.IP = "192.0.2.1"
		got, err := prove(p)
		mfatest.Want(h.T, "the right code", err, "")
		if got.Account.User.Status != storage.UserActive || got.Account.Identifiers[0].VerifiedAt.IsZero() || got.Session.Address != "192.0.2.1" || got.Session.UserAgent != "app" {
			h.T.Errorf("proven = %+v, session %+v; want an active user with a verified address", got.Account, got.Session)
		}
		if f := h.Backend.FactorsOf(*got.Session, got.Account); len(f) != 1 || f[0].Identifier.Value != mfatest.Email || f[0].Method != "email" {
			h.T.Errorf("factors = %+v, want one by e-mail", f)
		}
		_, err = prove(p)
		mfatest.Want(h.T, "the same code", err, mfa.Replayed)
		_, err = prove(backend.Proof{Identifier: storage.IdentifierID(storage.Random128(rand.Reader)), Code: code})
		mfatest.Want(h.T, "an unknown address", err, mfa.IdentifierNotFound)

		h.Advance(time.Second)
		_, err = send(backend.Send{Kind: storage.Email, Address: mfatest.Email})
		mfatest.Want(h.T, "send", err, "")
		code = lastCode(h)
		h.Advance(time.Minute)
		_, err = prove(backend.Proof{Identifier: sent.Identifier.ID, Code: code})
		mfatest.Want(h.T, "after its time", err, mfa.PasscodeExpired)

		// A number added with a code is dropped unless it is verified.
		added, err := send(backend.Send{Kind: storage.Phone, Address: number, User: sent.Account.User.ID})
		if mfatest.Want(h.T, "add a number", err, ""); added.Identifier.Value != number || added.Created {
			h.T.Errorf("sent = %+v, want the number added", added)
		}
		h.Advance(6 * time.Minute)
		if a, err := h.Backend.User(ctx, sent.Account.User.ID); err != nil || len(a.Identifiers) != 1 {
			h.T.Errorf("identifiers = %+v, %v; want the number dropped", a.Identifiers, err)
		}
		added, err = send(backend.Send{Kind: storage.Phone, Address: number, Session: backend.SessionUse{Given: true, ID: got.Session.ID}})
		mfatest.Want(h.T, "add it again", err, "")
		_, err = prove(backend.Proof{Identifier: added.Identifier.ID, Code: lastCode(h), Session: backend.SessionUse{Given: true, ID: got.Session.ID}})
		mfatest.Want(h.T, "verify it", err, "")
		h.Advance(6 * time.Minute)
		if a, err := h.Backend.User(ctx, sent.Account.User.ID); err != nil || len(a.Identifiers) != 2 {
			h.T.Errorf("identifiers = %+v, %v; want both", a.Identifiers, err)
		}
		other := create(h, backend.Draft{Email: mfatest.OtherEmail})
		_, err = send(backend.Send{Kind: storage.Phone, Address: number, User: other.User.ID})
		refused(h.T, "another user's number", err, mfa.IdentifierTaken, storage.Phone)
	})
}

// Wrong codes to an address count, and do not keep the owner of a second factor out.
func TestWrongCodesEndACode(t *testing.T) {
	h := mfatest.New(t)
	withCodes(h)
	u := create(h, backend.Draft{Email: mfatest.Email})
	x := newTOTP(h, u.User.ID)
	sent, err := h.Backend.Send(ctx, h.Caller, backend.Send{Kind: storage.Email, Address: mfatest.Email, TTL: 10 * time.Minute})
	mfatest.Want(t, "send", err, "")
	code := lastCode(h)
	wrong := "000000"
	if code == wrong {
		wrong = "000001"
	}
	for range 5 {
		_, err = h.Backend.ProveOTP(ctx, h.Caller, backend.Proof{Identifier: sent.Identifier.ID, Code: wrong})
		mfatest.Want(t, "a wrong code", err, mfa.InvalidPasscode)
	}
	if lock, ok, err := h.Backend.LockOf(ctx, u); err != nil || !ok || !lock.Until.After(h.Now()) {
		t.Errorf("lock = %+v, %v, %v; want a running one", lock, ok, err)
	}
	h.Advance(5 * time.Minute)
	_, err = h.Backend.ProveOTP(ctx, h.Caller, backend.Proof{Identifier: sent.Identifier.ID, Code: code})
	mfatest.Want(t, "the right code after them", err, mfa.InvalidPasscode)
	_, err = h.Backend.ProveTOTP(ctx, h.Caller, backend.Proof{User: u.User.ID, Code: h.AppCode(u.User.ID, x.Authenticator)})
	mfatest.Want(t, "TOTP", err, "")
}

func TestSendsOfABackendAreLimited(t *testing.T) {
	h := mfatest.New(t)
	withCodes(h)
	create(h, backend.Draft{Email: mfatest.Email})
	sent := 0
	for range 12 {
		if _, err := h.Backend.Send(ctx, h.Caller, backend.Send{Kind: storage.Email, Address: mfatest.Email, TTL: time.Minute}); err == nil {
			sent++
		} else {
			mfatest.Want(t, "too many", err, mfa.TooManyMessages)
		}
	}
	if sent != 10 {
		t.Errorf("%d were sent, want 10", sent)
	}
	h.Advance(10 * time.Minute)
	_, err := h.Backend.Send(ctx, h.Caller, backend.Send{Kind: storage.Email, Address: mfatest.Email, TTL: time.Minute})
	mfatest.Want(t, "ten minutes later", err, "")
}

func TestSessionsOfABackend(t *testing.T) {
	onBoth(t, func(h *mfatest.Fixture) {
		withCodes(h)
		u := create(h, backend.Draft{Email: mfatest.Email})
		x := newTOTP(h, u.User.ID)
		raw := func(s string) json.RawMessage { return json.RawMessage(s) }
		made, err := h.Backend.ProveTOTP(ctx, h.Caller, backend.Proof{User: u.User.ID, Code: h.AppCode(u.User.ID, x.Authenticator),
			Fingerprint: backend.Fingerprint{IP: "192.0.2.1"}, Session: backend.SessionUse{Duration: time.Hour, Claims: map[string]json.RawMessage{"a": raw("1"), "b": raw("2")}}})
		mfatest.Want(h.T, "create", err, "")
		id := made.Session.ID
		if named, err := h.Backend.SessionIDOf(ctx, made.SessionToken); err != nil || named != id {
			h.T.Errorf("session of the token = %v, %v; want %v", named, err, id)
		}
		if named, err := h.Backend.SessionIDOf(ctx, made.SessionToken[1:]+"x"); err != nil || named != "" {
			h.T.Errorf("session of another token = %v, %v; want none", named, err)
		}
		h.Advance(10 * time.Minute)
		s, _, err := h.Backend.Authenticate(ctx, h.Caller, backend.SessionUse{ID: id, Duration: 2 * time.Hour, Claims: map[string]json.RawMessage{"a": raw("null"), "c": raw(`{"d":[]}`)}})
		mfatest.Want(h.T, "extend", err, "")
		stored, _, err := h.Backend.SessionByID(ctx, id)
		mfatest.Want(h.T, "read", err, "")
		for _, x := range []storage.Session{s, stored} {
			if claims := backend.ClaimsOf(x); len(claims) != 2 || string(claims["b"]) != "2" || string(claims["c"]) != `{"d":[]}` || !x.ExpiresAt.Equal(h.Now().Add(2*time.Hour)) {
				h.T.Errorf("session = %+v, want the claims merged and two hours", x)
			}
		}
		long := raw(`"` + string(make([]byte, 5000)) + `"`)
		_, _, err = h.Backend.Authenticate(ctx, h.Caller, backend.SessionUse{ID: id, Claims: map[string]json.RawMessage{"long": long}})
		mfatest.Want(h.T, "large claims", err, mfa.InvalidRequest)
		_, err = h.Backend.ProveTOTP(ctx, h.Caller, backend.Proof{User: u.User.ID, Code: h.AppCode(u.User.ID, x.Authenticator),
			Fingerprint: backend.Fingerprint{IP: "192.0.2.2"}, Session: backend.SessionUse{Given: true, ID: id}})
		mfatest.Want(h.T, "from another address", err, mfa.DeviceMismatch)
		for _, err := range concurrently(20, func(i int) error {
			_, _, err := h.Backend.Authenticate(ctx, h.Caller, backend.SessionUse{ID: id, Claims: map[string]json.RawMessage{string(rune('e' + i)): raw("1")}})
			return err
		}) {
			if code := mfa.CodeOf(err); err != nil && code != mfa.RequestChanged {
				h.T.Errorf("merge: %v", err)
			}
		}
		mfatest.Want(h.T, "end", h.Backend.EndSession(ctx, h.Caller, id), "")
		mfatest.Want(h.T, "end it again", h.Backend.EndSession(ctx, h.Caller, id), mfa.SessionNotFound)
		_, err = h.Backend.ProveTOTP(ctx, h.Caller, backend.Proof{User: u.User.ID, Code: h.AppCode(u.User.ID, x.Authenticator), Session: backend.SessionUse{Given: true, ID: id}})
		mfatest.Want(h.T, "an ended session", err, mfa.SessionNotFound)
		_, err = h.Backend.ProveTOTP(ctx, h.Caller, backend.Proof{User: u.User.ID, Code: h.AppCode(u.User.ID, x.Authenticator)})
		mfatest.Want(h.T, "which spent no code", err, "")
	})
}
