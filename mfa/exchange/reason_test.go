package exchange_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/users"
	"sallyport/storage"
)

// refusedEvents returns kind, reason and "of a user" of the refusals in the trail.
func refusedEvents(h *mfatest.Fixture) []string {
	h.T.Helper()
	h.Events() // flushes
	list, err := h.Store.ListEvents(context.Background(), storage.EventFilter{Limit: 1000})
	mfatest.Want(h.T, "list events", err, "")
	var out []string
	for _, e := range list {
		if e.Outcome == mfa.OutcomeRefused {
			out = append(out, fmt.Sprint(e.Kind, " ", e.Detail["reason"], " ", e.UserID != ""))
		}
	}
	slices.Sort(out) // events of one moment have no order
	return out
}

func TestTheTrailTellsADisabledUserFromAWrongPassword(t *testing.T) {
	h := mfatest.New(t)
	h.CreateAda()
	h.Create(users.Draft{Email: "off@example.com", Password: mfatest.Password, Status: storage.UserDisabled})
	id := h.OpenRequest()
	mfatest.Want(t, "wrong", h.SignIn(id, mfatest.Email, "not the password"), mfa.InvalidCredentials)
	mfatest.Want(t, "unknown", h.SignIn(id, "nobody@example.com", mfatest.Password), mfa.InvalidCredentials)
	mfatest.Want(t, "disabled", h.SignIn(id, "off@example.com", mfatest.Password), mfa.InvalidCredentials)
	mfatest.Want(t, "disabled, wrong", h.SignIn(id, "off@example.com", "not the password"), mfa.InvalidCredentials)
	want := []string{"password.failed disabled_user true", "password.failed disabled_user true",
		"password.failed invalid_credentials false", "password.failed invalid_credentials true"}
	if got := refusedEvents(h); !slices.Equal(got, want) {
		t.Errorf("events = %q, want %q", got, want)
	}
}

func TestTheTrailTellsAnExpiredExchangeFromAnUnknownOne(t *testing.T) {
	for _, tc := range []struct {
		name  string
		after time.Duration
		other string // browser
		want  []string
	}{
		{"just expired", 5 * time.Minute, "", []string{"mfa.expired expired_exchange true"}},
		{"within the hour", time.Hour, "", []string{"mfa.expired expired_exchange true"}},
		{"long ago", 2 * time.Hour, "", nil},
		{"in another browser", 6 * time.Minute, "browser-b", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := mfatest.New(t)
			h.CreateAda()
			s, err := h.Initiate(h.SignedIn(), "", exchange.Choice{Method: "totp"})
			mfatest.Want(t, "initiate", err, "")
			h.Advance(tc.after)
			for range 2 {
				_, err := h.Store.Sweep(context.Background(), h.Now(), 1000)
				mfatest.Want(t, "sweep", err, "")
			}
			if tc.other != "" {
				h.Caller.Browser = tc.other
			}
			_, expired := h.Verify(s.Exchange, h.Code(0))
			_, unknown := h.Verify("00000000-0000-4000-8000-000000000000", h.Code(0))
			if mfa.CodeOf(expired) != mfa.InvalidExchange || fmt.Sprint(expired) != fmt.Sprint(unknown) {
				t.Errorf("the caller learns %v of an expired exchange, %v of an unknown one", expired, unknown)
			}
			if got := refusedEvents(h); !slices.Equal(got, tc.want) {
				t.Errorf("events = %q, want %q", got, tc.want)
			}
		})
	}
}
