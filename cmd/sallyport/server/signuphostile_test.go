package server_test

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"sallyport/cmd/sallyport/servertest"
	"sallyport/mfa"
	"sallyport/storage"
)

// What a stranger writes as client_id reaches no line of the audit trail: a long one could not be
// stored, and would hold up the lines behind it.
func TestAStrangersClientIsNotInTheTrail(t *testing.T) {
	servertest.OnBoth(t, func(t *testing.T, settings string) {
		p := newcomers(t, settings)
		p.sending()
		for i, client := range []string{strings.Repeat("0123456789abcdef", 600), "a secret in the wrong field"} {
			b := p.browser()
			b.Get("/signup")
			b.Submit("signup-submit", "email", []string{"prvn@example.com", "unpr@example.com"}[i], "client_id", client)
			b.Must("/signup/code", 200, "Look into your mail")
			p.nth(i + 1)
		}
		if err := p.Journal.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		lines, err := p.Store.ListEvents(t.Context(), storage.EventFilter{Kind: mfa.EventSignUpRequested, Limit: 10})
		if err != nil || len(lines) != 2 || lines[0].ClientID != "" || lines[1].ClientID != "" {
			t.Errorf("%+v, %v", lines, err)
		}
		// One line that the database refuses holds up no other.
		for _, id := range []storage.ClientID{"", storage.ClientID(randomText(t, 12000)), ""} {
			p.Journal.Note(p.Journal.Event(mfa.Caller{}, storage.Event{Kind: mfa.EventSignUpFailed, Outcome: mfa.OutcomeRefused, ClientID: id}))
		}
		if err := p.Journal.Flush(t.Context()); err != nil {
			t.Error(err)
		}
		lines, err = p.Store.ListEvents(t.Context(), storage.EventFilter{Kind: mfa.EventSignUpFailed, Limit: 10})
		if err != nil || len(lines) < 2 {
			t.Errorf("%d lines, %v, want those that can be stored", len(lines), err)
		}
	})
}

// A pending user who has proven an address is not taken over by whoever reads that mailbox.
func TestAProvenPendingUserIsNotClaimed(t *testing.T) {
	servertest.OnBoth(t, func(t *testing.T, settings string) {
		p := newcomers(t, settings)
		p.sending()
		ada := p.account("prvn@example.com")
		pending := storage.UserPending
		if err := p.Store.UpdateUser(t.Context(), storage.UserChange{ID: ada.User.ID, Status: &pending, Kill: true, Now: time.Now()}); err != nil {
			t.Fatal(err)
		}
		b := p.at("shop")
		b.Follow("signup")
		b.Submit("signup-submit", "email", "prvn@example.com")
		if text := p.nth(1); signUpLink.MatchString(text) {
			t.Errorf("the mail has a link: %s", text)
		}
	})
}

func randomText(t *testing.T, n int) string {
	t.Helper()
	b := make([]byte, n/2)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(b)
}
