package account

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

// Anyone who knows a name can make attempts. They must not displace other activity.
func TestFailedAttemptsDoNotHideActivity(t *testing.T) {
	h := newFixture(t)
	id := h.User("ada", "")
	var tries []storage.Event
	for i := range 1200 {
		at := t0.Add(-time.Hour + time.Duration(i)*time.Second)
		e := storage.Event{ID: storage.EventID(storage.TimeOrdered(at, rand.Reader)), At: at, Kind: mfa.EventPasswordFailed, Outcome: mfa.OutcomeRefused,
			UserID: id, Address: "203.0.113.9", Detail: map[string]string{"method": "password"}}
		if i%3 == 0 {
			e.Kind, e.Outcome, e.Detail = mfa.EventMFAInitiated, mfa.OutcomeOK, map[string]string{"method": "totp"}
		}
		if i < 5 {
			e.Kind, e.Outcome = mfa.EventMFAFailed, mfa.OutcomeRefused
		}
		tries = append(tries, e)
	}
	h.OK(h.Store.AppendEvents(context.Background(), tries))
	b := h.browser()
	b.signIn("/account", "ada", "", "")
	b.Must("/account", 200, `id="refused"`, "Signed in to Sallyport", "The account was created", "Wrong password <span class=\"tag\">797 times</span>", "203.0.113.9", "3 times")
	if n := strings.Count(b.Page.Body.String(), "Wrong password"); n != 1 {
		t.Errorf("wrong passwords have %d lines, want one for all", n)
	}
	b.Header.Set("Accept-Language", "de")
	b.Get("/account")
	b.Must("/account", 200, "797-mal")
}

// Nor must the requests of clients that ask for a sign-in, which a stranger at their tills can cause.
func TestRequestsOfClientsDoNotHideActivity(t *testing.T) {
	h := newFixture(t)
	h.User("ada", "")
	b := h.browser()
	b.signIn("/account", "ada", "", "")
	for _, id := range []storage.ClientID{"east", "north", "west"} {
		h.till(id, "Till "+string(id))
		for range 5 {
			h.Wait(time.Second)
			h.asked(string(id), "")
		}
	}
	b.Get("/account")
	b.Must("/account", 200, "Signed in to Sallyport", "Anyone who knows your name can try. What succeeded is listed above.")
	for _, name := range []string{"Till east", "Till north", "Till west"} {
		b.Must("/account", 200, name+` asked you to confirm a sign-in <span class="tag">5 times</span>`)
	}
}
