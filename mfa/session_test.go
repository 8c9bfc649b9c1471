package mfa_test

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

func factorAt(method string, kind storage.Kind, amr string, at time.Time) storage.Factor {
	return storage.Factor{Method: method, Kinds: []storage.Kind{kind}, AMR: []string{amr}, At: at}
}

func TestASessionFromItsTokenAndBack(t *testing.T) {
	h := newHouse(t)
	u := h.ada()
	x := h.sign(nil, u.ID, factorAt("password", storage.Know, "pwd", h.now()))
	token := h.sessions.Token(x)
	if !regexp.MustCompile(`^[0-9A-Za-z]{64}$`).MatchString(token) {
		t.Fatalf("token = %q, want 64 letters and digits", token)
	}
	in := h.load(token)
	if in == nil || in.Session.ID != x.ID || in.Account.User.ID != u.ID || len(in.Session.Factors) != 1 {
		t.Fatalf("loaded %+v", in)
	}
	for name, bad := range map[string]string{"nothing": "", "short": token[:63], "long": token + "a", "garbage": strings.Repeat("z", 64), "changed": flip(token)} {
		if h.load(bad) != nil {
			t.Errorf("%s is somebody's token", name)
		}
	}
}

func flip(token string) string {
	if token[10] == 'a' {
		return token[:10] + "b" + token[11:]
	}
	return token[:10] + "a" + token[11:]
}

func TestARaisedSessionHasANewToken(t *testing.T) {
	h := newHouse(t)
	u := h.ada()
	first := h.sign(nil, u.ID, factorAt("password", storage.Know, "pwd", h.now()))
	in := h.load(h.sessions.Token(first))
	same, isNew, end := h.sessions.Prepare(in, storage.AuthRequest{}, u.ID, in.Session.Factors, h.visit)
	if isNew || end != "" || same.Generation != first.Generation {
		t.Errorf("nothing new: %+v %v %q, want the session as it is", same, isNew, end)
	}
	h.wait(time.Minute)
	raised := h.sign(in, u.ID, in.Session.Factors[0], factorAt("totp", storage.Have, "otp", h.now()))
	if raised.ID != first.ID || raised.Generation != first.Generation+1 || len(raised.Factors) != 2 {
		t.Errorf("raised to %+v, want the same id, the next generation and two factors", raised)
	}
	if h.load(h.sessions.Token(first)) != nil {
		t.Error("the token from before is still good")
	}
	if h.load(h.sessions.Token(raised)) == nil {
		t.Error("the new token is not good")
	}
	if !raised.ExpiresAt.Equal(first.ExpiresAt) {
		t.Errorf("a second factor moved the absolute end from %s to %s", first.ExpiresAt, raised.ExpiresAt)
	}
	h.wait(20 * time.Minute)
	again := h.sign(&mfa.SignedIn{Session: raised}, u.ID, factorAt("password", storage.Know, "pwd", h.now()))
	if !again.ExpiresAt.Equal(h.now().Add(12 * time.Hour)) {
		t.Errorf("the password anew gives until %s, want twelve hours", again.ExpiresAt)
	}
}

func TestAnotherUserEndsTheSession(t *testing.T) {
	h := newHouse(t)
	u := h.ada()
	other := h.create(mfa.Draft{Email: otherMail})
	first := h.sign(nil, u.ID, factorAt("password", storage.Know, "pwd", h.now()))
	in := h.load(h.sessions.Token(first))
	x := h.sign(in, other.ID, factorAt("password", storage.Know, "pwd", h.now()))
	if x.ID == first.ID || h.load(h.sessions.Token(first)) != nil {
		t.Error("the first user's session lives on")
	}
	if got := h.load(h.sessions.Token(x)); got == nil || got.Account.User.ID != other.ID {
		t.Errorf("loaded %+v, want the other user", got)
	}
}

func TestSessionsEnd(t *testing.T) {
	for _, tc := range []struct {
		name string
		end  func(h *house, in *mfa.SignedIn)
	}{
		{"after thirty idle minutes", func(h *house, _ *mfa.SignedIn) { h.wait(30 * time.Minute) }},
		{"after twelve hours however busy", func(h *house, in *mfa.SignedIn) {
			for range 36 {
				h.wait(20 * time.Minute)
				h.load(h.sessions.Token(in.Session))
				want(h.t, "flush", h.sessions.Flush(context.Background()), "")
			}
		}},
		{"by logout", func(h *house, in *mfa.SignedIn) {
			want(h.t, "end", h.sessions.End(context.Background(), in, false, h.visit), "")
		}},
		{"with the user", func(h *house, in *mfa.SignedIn) {
			off := storage.UserDisabled
			want(h.t, "disable", h.store.UpdateUser(context.Background(), storage.UserChange{ID: in.Session.UserID, Status: &off, Now: h.now()}), "")
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHouse(t)
			u := h.ada()
			token := h.sessions.Token(h.sign(nil, u.ID, factorAt("password", storage.Know, "pwd", h.now())))
			in := h.load(token)
			if in == nil {
				t.Fatal("the session does not live")
			}
			tc.end(h, in)
			if h.load(token) != nil {
				t.Error("the session lives on")
			}
		})
	}
}

func TestBeingSeenMovesTheIdleLimit(t *testing.T) {
	h := newHouse(t)
	token := h.sessions.Token(h.sign(nil, h.ada().ID, factorAt("password", storage.Know, "pwd", h.now())))
	for range 5 {
		h.wait(29 * time.Minute)
		if h.load(token) == nil {
			t.Fatal("idle although seen")
		}
		want(t, "flush", h.sessions.Flush(context.Background()), "")
	}
}

func TestRunWritesWhatIsNotedBeforeItStops(t *testing.T) {
	h := newHouse(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	h.journal.Note(h.journal.Event(h.visit, storage.Event{Kind: mfa.EventConfiguration}))
	want(t, "journal", h.journal.Run(ctx), "")
	want(t, "sessions", h.sessions.Run(ctx), "")
	list, err := h.store.ListEvents(context.Background(), storage.EventFilter{Limit: 10})
	if err != nil || len(list) != 1 || list[0].CorrelationID != "c-1" || list[0].Outcome != mfa.OutcomeOK {
		t.Errorf("events = %+v (%v), want the one noted", list, err)
	}
}

func TestADeviceRemembersFourUsers(t *testing.T) {
	h := newHouse(t)
	users := []storage.UserID{"user-one", "user-two", "user-three", "user-four", "user-five"}
	cookie := ""
	for _, u := range users {
		cookie = h.sessions.Remember(cookie, u)
	}
	device := ""
	for i, u := range users {
		d, ok := h.sessions.Knows(cookie, u)
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
	if again := h.sessions.Remember(cookie, "user-three"); len(again) != len(cookie) {
		t.Errorf("remembering somebody known changed the length from %d to %d", len(cookie), len(again))
	}
	for _, bad := range []string{"", ".", "x", cookie + ".x", cookie[:len(cookie)-1], strings.Repeat("A", 22), strings.Repeat("A", 22) + "." + strings.Repeat("A", 22)} {
		if _, ok := h.sessions.Knows(bad, "user-five"); ok {
			t.Errorf("%q knows a user", bad)
		}
	}
	if strings.Contains(cookie, "user-five") {
		t.Error("the cookie names a user")
	}
}
