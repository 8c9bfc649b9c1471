package session_test

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/session"
	"sallyport/mfa/users"
	"sallyport/storage"
)

func factorAt(method string, kind storage.Kind, amr string, at time.Time) storage.Factor {
	return storage.Factor{Method: method, Kinds: []storage.Kind{kind}, AMR: []string{amr}, At: at}
}

func TestASessionFromItsTokenAndBack(t *testing.T) {
	h := mfatest.New(t)
	u := h.CreateAda()
	x := h.StoreSession(nil, u.ID, factorAt("password", storage.Know, "pwd", h.Now()))
	token := h.Sessions.Token(x)
	if !regexp.MustCompile(`^[0-9A-Za-z]{64}$`).MatchString(token) {
		t.Fatalf("token = %q, want 64 letters and digits", token)
	}
	in := h.Load(token)
	if in == nil || in.Session.ID != x.ID || in.Account.User.ID != u.ID || len(in.Session.Factors) != 1 {
		t.Fatalf("loaded %+v", in)
	}
	for name, bad := range map[string]string{"nothing": "", "short": token[:63], "long": token + "a", "garbage": strings.Repeat("z", 64), "changed": flip(token)} {
		if h.Load(bad) != nil {
			t.Errorf("the token %s is accepted", name)
		}
	}
}

func flip(token string) string {
	if token[10] == 'a' {
		return token[:10] + "b" + token[11:]
	}
	return token[:10] + "a" + token[11:]
}

func TestNewProofsRotateTheSessionToken(t *testing.T) {
	h := mfatest.New(t)
	u := h.CreateAda()
	first := h.StoreSession(nil, u.ID, factorAt("password", storage.Know, "pwd", h.Now()))
	in := h.Load(h.Sessions.Token(first))
	same, isNew, end := h.Sessions.ForLogin(in, storage.AuthRequest{}, u.ID, in.Session.Factors, h.Caller)
	if isNew || end != "" || same.Generation != first.Generation {
		t.Errorf("nothing new: %+v %v %q, want the session as it is", same, isNew, end)
	}
	h.Advance(time.Minute)
	raised := h.StoreSession(in, u.ID, in.Session.Factors[0], factorAt("totp", storage.Have, "otp", h.Now()))
	if raised.ID != first.ID || raised.Generation != first.Generation+1 || len(raised.Factors) != 2 {
		t.Errorf("raised to %+v, want the same id, the next generation and two factors", raised)
	}
	if h.Load(h.Sessions.Token(first)) != nil {
		t.Error("the token from before is still good")
	}
	if h.Load(h.Sessions.Token(raised)) == nil {
		t.Error("the new token is not good")
	}
	if !raised.ExpiresAt.Equal(first.ExpiresAt) {
		t.Errorf("a second factor moved the absolute end from %s to %s", first.ExpiresAt, raised.ExpiresAt)
	}
	h.Advance(20 * time.Minute)
	again := h.StoreSession(&session.SignedIn{Session: raised}, u.ID, factorAt("password", storage.Know, "pwd", h.Now()))
	if !again.ExpiresAt.Equal(h.Now().Add(12 * time.Hour)) {
		t.Errorf("the new proof extends it until %s, want twelve hours", again.ExpiresAt)
	}
	h.Advance(20 * time.Minute)
	again = h.StoreSession(&session.SignedIn{Session: again}, u.ID, factorAt("passkey", storage.Are, "user", h.Now()))
	if !again.ExpiresAt.Equal(h.Now().Add(12 * time.Hour)) {
		t.Errorf("a verified passkey extends it until %s, want twelve hours", again.ExpiresAt)
	}
}

func TestAnotherUserEndsTheSession(t *testing.T) {
	h := mfatest.New(t)
	u := h.CreateAda()
	other := h.Create(users.Draft{Email: mfatest.OtherEmail})
	first := h.StoreSession(nil, u.ID, factorAt("password", storage.Know, "pwd", h.Now()))
	in := h.Load(h.Sessions.Token(first))
	x := h.StoreSession(in, other.ID, factorAt("password", storage.Know, "pwd", h.Now()))
	if x.ID == first.ID || h.Load(h.Sessions.Token(first)) != nil {
		t.Error("the first user's session is still active")
	}
	if got := h.Load(h.Sessions.Token(x)); got == nil || got.Account.User.ID != other.ID {
		t.Errorf("loaded %+v, want the other user", got)
	}
}

func TestSessionsEnd(t *testing.T) {
	for _, tc := range []struct {
		name string
		end  func(h *mfatest.Fixture, in *session.SignedIn)
	}{
		{"after thirty idle minutes", func(h *mfatest.Fixture, _ *session.SignedIn) { h.Advance(30 * time.Minute) }},
		{"after twelve hours however busy", func(h *mfatest.Fixture, in *session.SignedIn) {
			for range 36 {
				h.Advance(20 * time.Minute)
				h.Load(h.Sessions.Token(in.Session))
				mfatest.Want(h.T, "flush", h.Sessions.Flush(context.Background()), "")
			}
		}},
		{"by logout", func(h *mfatest.Fixture, in *session.SignedIn) {
			mfatest.Want(h.T, "end", h.Sessions.End(context.Background(), in, h.Caller, ""), "")
		}},
		{"with the user", func(h *mfatest.Fixture, in *session.SignedIn) {
			off := storage.UserDisabled
			mfatest.Want(h.T, "disable", h.Store.UpdateUser(context.Background(), storage.UserChange{ID: in.Session.UserID, Status: &off, Now: h.Now()}), "")
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := mfatest.New(t)
			u := h.CreateAda()
			token := h.Sessions.Token(h.StoreSession(nil, u.ID, factorAt("password", storage.Know, "pwd", h.Now())))
			in := h.Load(token)
			if in == nil {
				t.Fatal("the session does not live")
			}
			tc.end(h, in)
			if h.Load(token) != nil {
				t.Error("the session is still active")
			}
		})
	}
}

func TestALoadExtendsTheIdleLimit(t *testing.T) {
	h := mfatest.New(t)
	token := h.Sessions.Token(h.StoreSession(nil, h.CreateAda().ID, factorAt("password", storage.Know, "pwd", h.Now())))
	for range 5 {
		h.Advance(29 * time.Minute)
		if h.Load(token) == nil {
			t.Fatal("idle although seen")
		}
		mfatest.Want(t, "flush", h.Sessions.Flush(context.Background()), "")
	}
}

func TestRunFlushesBeforeItStops(t *testing.T) {
	h := mfatest.New(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	h.Journal.Note(h.Journal.Event(h.Caller, storage.Event{Kind: mfa.EventConfiguration}))
	mfatest.Want(t, "journal", h.Journal.Run(ctx), "")
	mfatest.Want(t, "sessions", h.Sessions.Run(ctx), "")
	list, err := h.Store.ListEvents(context.Background(), storage.EventFilter{Limit: 10})
	if err != nil || len(list) != 1 || list[0].CorrelationID != "c-1" || list[0].Outcome != mfa.OutcomeOK {
		t.Errorf("events = %+v (%v), want the one noted", list, err)
	}
}

func TestADeviceRemembersFourUsers(t *testing.T) {
	h := mfatest.New(t)
	users := []storage.UserID{"user-one", "user-two", "user-three", "user-four", "user-five"}
	cookie := ""
	for _, u := range users {
		cookie = h.Sessions.Remember(cookie, u)
	}
	device := ""
	for i, u := range users {
		d, ok := h.Sessions.Knows(cookie, u)
		if ok != (i > 0) {
			t.Errorf("knows %s: %v", u, ok)
		}
		if ok && device == "" {
			device = d
		}
		if ok && d != device {
			t.Errorf("two devices in one cookie")
		}
	}
	if again := h.Sessions.Remember(cookie, "user-three"); len(again) != len(cookie) {
		t.Errorf("adding a user again changed the length from %d to %d", len(cookie), len(again))
	}
	for _, bad := range []string{"", ".", "x", cookie + ".x", cookie[:len(cookie)-1], strings.Repeat("A", 22), strings.Repeat("A", 22) + "." + strings.Repeat("A", 22)} {
		if _, ok := h.Sessions.Knows(bad, "user-five"); ok {
			t.Errorf("%q knows a user", bad)
		}
	}
	if strings.Contains(cookie, "user-five") {
		t.Error("the cookie names a user")
	}
}
