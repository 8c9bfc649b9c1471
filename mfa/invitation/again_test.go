package invitation_test

import (
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/invitation"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/users"
	"sallyport/storage"
)

// amend changes the user with a name to a draft.
func (f *fixture) amend(name string, d users.Draft) {
	f.T.Helper()
	a, err := f.Users.Find(f.T.Context(), name)
	mfatest.Want(f.T, "find", err, "")
	c, err := f.Users.Amendment(f.T.Context(), a, d, users.AmendOptions{})
	mfatest.Want(f.T, "compare", err, "")
	f.Advance(time.Second)
	mfatest.Want(f.T, "amend", f.Users.Amend(f.T.Context(), f.admin, c), "")
}

// An invitation that was accepted is not the end of it: its user may be pending again.
func TestWhoIsPendingAgainIsInvitedAgain(t *testing.T) {
	again := map[string]func(f *fixture, m invitation.Made) (invitation.Made, error){
		"invite": func(f *fixture, _ invitation.Made) (invitation.Made, error) {
			return f.invite(invitation.Draft{Email: grace})
		},
		"resend": func(f *fixture, m invitation.Made) (invitation.Made, error) {
			return f.invitations.Resend(f.T.Context(), f.admin, m.ID, invitation.Hand{})
		},
	}
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFixture(t, dsn, true)
		first := f.invited(grace)
		for name, invite := range again {
			f.amend(grace, users.Draft{Status: storage.UserActive})
			if i, err := f.invitations.Get(t.Context(), first.ID); err != nil || i.State != storage.InvitationAccepted {
				t.Fatalf("%s: %+v, %v, want an accepted one", name, i, err)
			}
			f.amend(grace, users.Draft{Status: storage.UserPending})
			f.mails()
			m, err := invite(f, first)
			if err != nil || !m.Again || m.ID != first.ID || m.State != storage.InvitationPending || !m.AcceptedAt.IsZero() {
				t.Fatalf("%s: made %+v, %v", name, m, err)
			}
			got := f.mails()
			if len(got) != 1 || got[0].Recipient != grace {
				t.Fatalf("%s: messages %+v, want one", name, got)
			}
			if _, ok := f.ticket(got[0].Data["link"]); !ok {
				t.Errorf("%s: the link is not valid", name)
			}
		}
		// It is revoked like any other, and the user stays: they were more than invited.
		i, removed, err := f.invitations.Revoke(t.Context(), f.admin, first.ID)
		if err != nil || removed || i.ID != first.ID || f.status(grace) != storage.UserPending {
			t.Errorf("revoked %+v, removed %t, %v", i, removed, err)
		}
	})
}

// An administrator corrects the address of an invited user, or adds another one.
func TestAnInvitationGoesToTheAddressThatIsInvited(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFixture(t, dsn, true)
		const right = "grace.hopper@example.com"
		first := f.invited(grace)
		old := f.mails()[0].Data["link"]
		f.amend(grace, users.Draft{Email: right})
		_, err := f.invitations.Resend(t.Context(), f.admin, first.ID, invitation.Hand{})
		mfatest.Want(t, "to an address that is gone", err, mfa.IdentifierNotFound)
		m, err := f.invite(invitation.Draft{Email: right})
		if err != nil || m.ID != first.ID || m.Email() != right {
			t.Fatalf("made %+v, %v", m, err)
		}
		got := f.mails()
		if len(got) != 1 || got[0].Recipient != right {
			t.Fatalf("messages %+v, want one to the new address", got)
		}
		if x, ok := f.ticket(got[0].Data["link"]); !ok || x.Identifier != m.Account.Identifiers[0].ID {
			t.Errorf("ticket = %+v, valid: %t", x, ok)
		}
		if _, ok := f.ticket(old); ok {
			t.Error("the link to the old address is valid")
		}
		if i, err := f.invitations.Get(t.Context(), first.ID); err != nil || i.Email() != right {
			t.Errorf("invitation = %+v, %v", i, err)
		}
		if _, err := f.invitations.Resend(t.Context(), f.admin, first.ID, invitation.Hand{}); err != nil {
			t.Errorf("resend: %v", err)
		}
		if _, err := f.invite(invitation.Draft{Email: grace}); err != nil {
			t.Errorf("invite another with the old address: %v", err)
		}
	})
}
