package invitation_test

import (
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/invitation"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/notice"
	"sallyport/mfa/users"
	"sallyport/storage"
	"sallyport/storage/storagetest"
)

const (
	page  = "https://login.example.com/invitation/"
	grace = "grace@example.com"
	life  = 7 * 24 * time.Hour
)

// fixture is a server's part that invites people.
type fixture struct {
	*mfatest.Fixture
	invitations *invitation.Registry
	admin       mfa.Caller
}

func newFixture(t *testing.T, dsn string, mail bool) *fixture {
	t.Helper()
	f := &fixture{Fixture: mfatest.NewAt(t, dsn), admin: mfa.Caller{Actor: users.ActorAdmin}}
	f.invitations = invitation.New(f.Store, f.Users, f.Keyring, f.Journal, f.Now, rand.Reader,
		invitation.Options{Product: "Sallyport", Page: page, Life: life, Mail: mail})
	return f
}

func onBoth(t *testing.T, test func(t *testing.T, dsn string)) {
	t.Run("SQLite", func(t *testing.T) { test(t, "") })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, storagetest.Postgres(t)) })
}

func (f *fixture) invite(d invitation.Draft) (invitation.Made, error) {
	return f.invitations.Invite(f.T.Context(), f.admin, d)
}

// invited returns the invitation of an address.
func (f *fixture) invited(email string) invitation.Made {
	f.T.Helper()
	m, err := f.invite(invitation.Draft{Email: email})
	if err != nil {
		f.T.Fatalf("invite %s: %v", email, err)
	}
	return m
}

// mails returns the messages that wait.
func (f *fixture) mails() []storage.Message {
	f.T.Helper()
	out, err := f.Store.LeaseMessages(f.T.Context(), storage.Lease{Kind: notice.Mail, Now: f.Now(), For: 24 * time.Hour, Limit: 100})
	if err != nil {
		f.T.Fatal(err)
	}
	return out
}

// ticket returns the ticket of a link.
func (f *fixture) ticket(link string) (storage.Ticket, bool) {
	f.T.Helper()
	t, err := f.Store.TicketByLink(f.T.Context(), storage.PurposeInvitation, strings.TrimPrefix(link, page))
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		f.T.Fatal(err)
	}
	return t, err == nil && t.Valid(f.Now())
}

// events returns the events of a kind.
func (f *fixture) events(kind string) []storage.Event {
	f.T.Helper()
	if err := f.Journal.Flush(f.T.Context()); err != nil {
		f.T.Fatal(err)
	}
	out, err := f.Store.ListEvents(f.T.Context(), storage.EventFilter{Kind: kind, Limit: 1000})
	if err != nil {
		f.T.Fatal(err)
	}
	return out
}

// status returns the status of the user with a name; "": there is none.
func (f *fixture) status(name string) storage.UserStatus {
	f.T.Helper()
	a, err := f.Users.Find(f.T.Context(), name)
	if err != nil && mfa.CodeOf(err) != mfa.UserNotFound {
		f.T.Fatal(err)
	}
	return a.User.Status
}

func TestAnInvitationIsAPendingUserAndAMessageWithALink(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFixture(t, dsn, true)
		m, err := f.invite(invitation.Draft{Email: " Grace@Example.com", Roles: []string{"editor"}, Profile: map[string]any{"locale": "de-AT"}, Client: "app",
			Hand: invitation.Hand{Application: "Harbour"}})
		if err != nil || m.Again || m.Link != "" || m.Email() != grace || m.Actor != "admin" || !m.ExpiresAt.Equal(f.Now().Add(life)) {
			t.Fatalf("made %+v, %v", m, err)
		}
		a, err := f.Users.Find(t.Context(), grace)
		if err != nil || a.User.Status != storage.UserPending || !slices.Equal(a.User.Roles, []string{"editor"}) || !a.Identifiers[0].VerifiedAt.IsZero() {
			t.Errorf("user = %+v, %v", a, err)
		}
		got := f.mails()
		if len(got) != 1 || got[0].Recipient != grace || got[0].Template != notice.Invitation || got[0].Locale != "de" || got[0].Data["application"] != "Harbour" ||
			!got[0].ExpiresAt.Equal(m.ExpiresAt) {
			t.Fatalf("messages = %+v", got)
		}
		ticket, ok := f.ticket(got[0].Data["link"])
		if !ok || ticket.UserID != a.User.ID || ticket.Identifier != a.Identifiers[0].ID || ticket.ClientID != "app" || !ticket.ExpiresAt.Equal(m.ExpiresAt) {
			t.Errorf("ticket = %+v", ticket)
		}
		e := f.events(mfa.EventUserInvited)
		if len(e) != 1 || e[0].Actor != "admin" || e[0].UserID != a.User.ID || e[0].Detail["invitation"] != string(m.ID) || e[0].Detail["link"] != "" || len(e[0].Detail) != 1 {
			t.Errorf("events = %+v", e)
		}
	})
}

func TestWhoIsInvitedAlreadyGetsAnotherLinkAndStaysAsTheyAre(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFixture(t, dsn, true)
		first := f.invited(grace)
		f.Advance(2 * time.Minute)
		again, err := f.invite(invitation.Draft{Email: grace, Roles: []string{"owner"}})
		if err != nil || !again.Again || again.ID != first.ID || again.Sent != 2 || again.UserID != first.UserID || len(again.Account.User.Roles) != 0 {
			t.Fatalf("made %+v, %v", again, err)
		}
		got := f.mails()
		if len(got) != 2 {
			t.Fatalf("%d messages, want two", len(got))
		}
		for _, m := range got {
			if _, ok := f.ticket(m.Data["link"]); !ok {
				t.Error("a link is not valid")
			}
		}
		if n := len(f.events(mfa.EventInvitationResent)); n != 1 {
			t.Errorf("%d events, want one", n)
		}
		// A pending user of a backend is invited, and not created again.
		lin := f.Create(users.Draft{Email: "lin@example.com", Status: storage.UserPending})
		m, err := f.invite(invitation.Draft{Email: "lin@example.com"})
		if err != nil || !m.Again || m.UserID != lin.ID || m.Created {
			t.Errorf("made %+v, %v", m, err)
		}
	})
}

func TestOnlyAPendingUserIsInvited(t *testing.T) {
	f := newFixture(t, "", true)
	f.CreateAda()
	f.Create(users.Draft{Email: "off@example.com", Status: storage.UserDisabled})
	for email, want := range map[string]error{
		mfatest.Email: invitation.ErrActive, "off@example.com": invitation.ErrActive,
	} {
		if _, err := f.invite(invitation.Draft{Email: email}); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", email, err, want)
		}
	}
	for email, want := range map[string]mfa.Code{"no address": mfa.InvalidIdentifier, "": mfa.InvalidIdentifier, "+12025550123": mfa.InvalidIdentifier, "grace": mfa.InvalidIdentifier} {
		_, err := f.invite(invitation.Draft{Email: email})
		mfatest.Want(t, email, err, want)
	}
	_, err := f.invite(invitation.Draft{Email: grace, Roles: []string{" "}})
	mfatest.Want(t, "a bad role", err, mfa.InvalidRequest)
	if n := len(f.mails()); n != 0 || f.status(grace) != "" {
		t.Errorf("%d messages, status %q: what was refused left something", n, f.status(grace))
	}
	m := f.invited(grace)
	a, err := f.Users.Find(t.Context(), grace)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Users.Disable(t.Context(), f.admin, a); err != nil {
		t.Fatal(err)
	}
	if _, err := f.invitations.Resend(t.Context(), f.admin, m.ID, invitation.Hand{}); !errors.Is(err, invitation.ErrActive) {
		t.Errorf("a disabled user is invited again: %v", err)
	}
	if err := f.Users.Enable(t.Context(), f.admin, a); err != nil {
		t.Fatal(err)
	}
	if _, err := f.invitations.Resend(t.Context(), f.admin, m.ID, invitation.Hand{}); !errors.Is(err, invitation.ErrAccepted) {
		t.Errorf("an accepted invitation is sent again: %v", err)
	}
	if _, _, err := f.invitations.Revoke(t.Context(), f.admin, m.ID); !errors.Is(err, invitation.ErrAccepted) {
		t.Errorf("an accepted invitation is revoked: %v", err)
	}
}

func TestAdministratorsWhoInviteOneAddressAtOnceCreateOneUser(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFixture(t, dsn, true)
		var all sync.WaitGroup
		made, errs := make([]invitation.Made, 8), make([]error, 8)
		for i := range made {
			all.Go(func() { made[i], errs[i] = f.invite(invitation.Draft{Email: grace, Hand: invitation.Hand{Link: true}}) })
		}
		all.Wait()
		created := 0
		for i, m := range made {
			if errs[i] != nil || m.ID != made[0].ID || m.UserID != made[0].UserID {
				t.Errorf("%d: %+v, %v", i, m.Invitation, errs[i])
			}
			if !m.Again {
				created++
			}
		}
		if created != 1 || len(f.events(mfa.EventUserCreated)) != 1 || len(f.events(mfa.EventUserInvited)) != 1 || len(f.events(mfa.EventInvitationResent)) != 7 {
			t.Errorf("%d users created", created)
		}
	})
}

func TestALinkIsReturnedOnlyToWhoAsksAndTheTrailSaysSo(t *testing.T) {
	f := newFixture(t, "", false)
	if _, err := f.invite(invitation.Draft{Email: grace}); !errors.Is(err, invitation.ErrNoMail) {
		t.Errorf("without mail: %v", err)
	}
	m, err := f.invite(invitation.Draft{Email: grace, Hand: invitation.Hand{Link: true}})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := f.ticket(m.Link); !ok || !strings.HasPrefix(m.Link, page) {
		t.Errorf("link = %q", m.Link)
	}
	if _, err := f.invitations.Resend(t.Context(), f.admin, m.ID, invitation.Hand{}); !errors.Is(err, invitation.ErrNoMail) {
		t.Errorf("resent without mail: %v", err)
	}
	again, err := f.invitations.Resend(t.Context(), f.admin, m.ID, invitation.Hand{Link: true})
	if err != nil || again.Link == m.Link || again.Link == "" {
		t.Errorf("resent: %+v, %v", again, err)
	}
	for _, kind := range []string{mfa.EventUserInvited, mfa.EventInvitationResent} {
		if e := f.events(kind); len(e) != 1 || e[0].Detail["link"] != "returned" {
			t.Errorf("%s: %+v", kind, e)
		}
	}
	if n := len(f.mails()); n != 0 {
		t.Errorf("%d messages, want none", n)
	}
	list, err := f.invitations.List(t.Context(), storage.InvitationFilter{Limit: 10})
	if err != nil || len(list) != 1 || list[0].Email() != grace || list[0].Sent != 2 {
		t.Errorf("list = %+v, %v", list, err)
	}
}

func TestMessagesToAnAddressAreLimited(t *testing.T) {
	f := newFixture(t, "", true)
	m := f.invited(grace)
	var err error
	n := 1
	for ; n < 100 && err == nil; n++ {
		_, err = f.invitations.Resend(t.Context(), f.admin, m.ID, invitation.Hand{})
	}
	mfatest.Want(t, "another one", err, mfa.TooManyMessages)
	if sent := len(f.mails()); sent != n-1 || sent > 10 {
		t.Errorf("%d messages of %d calls", sent, n)
	}
	// Revoking and inviting again does not count anew.
	if _, _, err := f.invitations.Revoke(t.Context(), f.admin, m.ID); err != nil {
		t.Fatal(err)
	}
	_, err = f.invite(invitation.Draft{Email: grace})
	mfatest.Want(t, "invited anew", err, mfa.TooManyMessages)
	if f.status(grace) != "" {
		t.Error("the refused invitation left a user")
	}
	f.Advance(time.Hour)
	f.invited(grace)
}

func TestARevokedInvitationLeavesNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFixture(t, dsn, true)
		m := f.invited(grace)
		link := f.mails()[0].Data["link"]
		i, removed, err := f.invitations.Revoke(t.Context(), f.admin, m.ID)
		if err != nil || !removed || i.ID != m.ID || f.status(grace) != "" {
			t.Errorf("revoke: %t, %v, status %q", removed, err, f.status(grace))
		}
		if _, ok := f.ticket(link); ok {
			t.Error("the link is valid")
		}
		if _, _, err := f.invitations.Revoke(t.Context(), f.admin, m.ID); !errors.Is(err, invitation.ErrNotFound) {
			t.Errorf("revoked twice: %v", err)
		}
		if len(f.events(mfa.EventInvitationRevoked)) != 1 || len(f.events(mfa.EventUserDeleted)) != 1 {
			t.Error("the trail does not say that the user is gone")
		}
		lin := f.Create(users.Draft{Email: "lin@example.com", Status: storage.UserPending})
		f.invited("lin@example.com")
		link = f.mails()[0].Data["link"]
		list, err := f.invitations.List(t.Context(), storage.InvitationFilter{User: lin.ID, Limit: 10})
		if err != nil || len(list) != 1 {
			t.Fatalf("list = %+v, %v", list, err)
		}
		if _, removed, err := f.invitations.Revoke(t.Context(), f.admin, list[0].ID); err != nil || removed || f.status("lin@example.com") != storage.UserPending {
			t.Errorf("revoke: %t, %v", removed, err)
		}
		if _, ok := f.ticket(link); ok {
			t.Error("the link of a user who stays is valid")
		}
	})
}

func TestAnExpiredInvitationCanBeSentAgainAndIsSweptAfterAWhile(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFixture(t, dsn, true)
		m, other := f.invited(grace), f.invited("lin@example.com")
		accepted := f.invited("ada@example.com")
		a, err := f.Users.Find(t.Context(), "ada@example.com")
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Users.Enable(t.Context(), f.admin, a); err != nil {
			t.Fatal(err)
		}
		sweep := func() int {
			n, err := f.invitations.Sweep(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		f.Advance(life)
		i, err := f.invitations.Get(t.Context(), m.ID)
		if err != nil || i.State != storage.InvitationExpired {
			t.Errorf("state = %q, %v", i.State, err)
		}
		if n := sweep(); n != 0 || f.status(grace) != storage.UserPending {
			t.Errorf("swept %d at once", n)
		}
		f.Advance(storage.KeepTicket - time.Second)
		if _, err := f.invitations.Resend(t.Context(), f.admin, other.ID, invitation.Hand{}); err != nil {
			t.Errorf("sent again: %v", err)
		}
		f.Advance(time.Second)
		if n := sweep(); n != 1 || f.status(grace) != "" || f.status("lin@example.com") != storage.UserPending || f.status("ada@example.com") != storage.UserActive {
			t.Errorf("swept %d", n)
		}
		if _, err := f.invitations.Get(t.Context(), m.ID); !errors.Is(err, invitation.ErrNotFound) {
			t.Errorf("get: %v", err)
		}
		if i, err := f.invitations.Get(t.Context(), accepted.ID); err != nil || i.State != storage.InvitationAccepted {
			t.Errorf("accepted: %+v, %v", i, err)
		}
		if e := f.events(mfa.EventInvitationExpired); len(e) != 1 || e[0].Actor != "system" || len(f.events(mfa.EventUserDeleted)) != 1 {
			t.Errorf("events = %+v", e)
		}
		f.invited(grace) // the address is free
	})
}
