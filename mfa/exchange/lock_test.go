package exchange_test

import (
	"context"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/notice"
	"sallyport/mfa/users"
)

func TestWrongPasswordsAreToldToTheirUserOnceADay(t *testing.T) {
	on(t, func(h *mfatest.Fixture) {
		h.Create(users.Draft{Email: mfatest.Email, EmailVerified: true, Password: mfatest.Password, Profile: map[string]any{"locale": "de-CH"}})
		h.Caller.UserAgent, h.Caller.Address = "Mozilla/5.0 (Windows NT 10.0) Firefox/128.0", "2001:db8:1:2:3::4"
		for _, name := range []string{mfatest.Email, "nobody@example.com"} {
			for range 4 {
				mfatest.Want(t, "free failure", h.SignIn(h.OpenRequest(), name, "wrong"), mfa.InvalidCredentials)
			}
		}
		told := func(what string, want int) {
			t.Helper()
			if err := h.Journal.Flush(context.Background()); err != nil {
				t.Fatal(err)
			}
			if sent := h.Sent(notice.PasswordLocked); len(sent) != want {
				t.Errorf("%s: %d messages, want %d", what, len(sent), want)
			}
		}
		told("without a wait", 0)
		for day := 1; day <= 2; day++ {
			for range 3 {
				for _, name := range []string{mfatest.Email, "nobody@example.com"} {
					mfatest.Want(t, "failure", h.SignIn(h.OpenRequest(), name, "wrong"), mfa.InvalidCredentials)
					for range 3 {
						mfatest.Want(t, "attempt during the wait", h.SignIn(h.OpenRequest(), name, "wrong"), mfa.TooMany)
					}
				}
				told("after a wait", day)
				h.Advance(15 * time.Minute)
			}
			h.Advance(23 * time.Hour)
		}
		m := h.Sent(notice.PasswordLocked)[0]
		if m.Recipient != mfatest.Email || m.Locale != "de" || m.Data["browser"] != "Firefox" || m.Data["system"] != "Windows" || m.Data["network"] != "2001:db8:1:2::/64" && m.Data["network"] != "2001:db8:1:2::" {
			t.Errorf("the message is %+v", m)
		}
	})
}
