package server_test

import (
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sallyport/cmd/sallyport/servertest"
	"sallyport/mfa"
	"sallyport/mfa/invitation"
	"sallyport/storage"
	"sallyport/web/webtest"
)

var invitationLink = regexp.MustCompile(`https?://\S+(/invitation/\S+)`)

// invited invites an address, and returns the link of the nth mail.
func (p people) invited(n int, d invitation.Draft) (invitation.Made, string) {
	p.t.Helper()
	m, err := p.Invitations.Invite(p.t.Context(), mfa.Caller{Actor: "admin"}, d)
	if err != nil {
		p.t.Fatal(err)
	}
	if d.Hand.Link {
		return m, m.Link[strings.Index(m.Link, "/invitation/"):]
	}
	found := invitationLink.FindStringSubmatch(p.nth(n))
	if found == nil {
		p.t.Fatalf("no link in %s", p.nth(n))
	}
	return m, strings.TrimSpace(found[1])
}

// accept accepts an invitation with a password.
func (p people) accept(link string) *webtest.Browser {
	b := p.browser()
	b.Get(link)
	b.Must(link, 200)
	b.Submit("create-submit", "new", "seven ships at sea", "repeat", "seven ships at sea")
	return b
}

// Nobody can sign up here. From an administrator over a mail to a password, once, and to the second
// factor that the application demands.
func TestAnInvitedPersonAccepts(t *testing.T) {
	servertest.OnBoth(t, func(t *testing.T, settings string) {
		p := newPeople(t, settings)
		p.sending()
		m, link := p.invited(1, invitation.Draft{Email: "grace@example.com", Roles: []string{"editor"}, Client: "shop", Inviter: "Vera <b>Lind", Hand: invitation.Hand{Application: "Shop"}})
		if text := p.nth(1); !strings.Contains(text, "Vera <b>Lind has invited you to an account") || !strings.Contains(text, link) {
			t.Errorf("the mail is %s", text)
		}
		for _, method := range []string{"HEAD", "GET", "GET", "HEAD"} { // a scanner
			w := httptest.NewRecorder()
			p.Handler.ServeHTTP(w, httptest.NewRequest(method, link, nil))
			if w.Code != 200 {
				t.Errorf("%s = %d", method, w.Code)
			}
		}
		if a := p.account("grace@example.com"); a.User.Status != storage.UserPending {
			t.Errorf("a GET made the user %s", a.User.Status)
		}
		b := p.browser()
		b.Get(link)
		if body := b.Page.Body.String(); !strings.Contains(body, "Vera &lt;b&gt;Lind has invited you to shop.") {
			t.Errorf("the page does not say who invites: %s", body)
		}
		p.accept(link).Must("/signed-up", 200)
		a := p.account("grace@example.com")
		if a.User.ID != m.UserID || a.User.Status != storage.UserActive || !slices.Equal(a.User.Roles, []string{"editor"}) || a.Identifiers[0].VerifiedAt.IsZero() || len(a.Authenticators) != 1 {
			t.Errorf("user = %+v", a)
		}
		if i, err := p.Invitations.Get(t.Context(), m.ID); err != nil || i.State != storage.InvitationAccepted {
			t.Errorf("invitation = %+v, %v", i, err)
		}
		b.Get(link)
		b.Must(link, 410)
		b = p.atLogin()
		b.Submit("login-submit", "username", "grace@example.com", "password", "seven ships at sea")
		b.Must("/enroll", 200)
	})
}

// Links end with the invitation, and of those that race one is used.
func TestALinkOfAnInvitationIsGoodOnce(t *testing.T) {
	servertest.OnBoth(t, func(t *testing.T, settings string) {
		p := newPeople(t, settings)
		byHand := invitation.Hand{Link: true}
		m, first := p.invited(0, invitation.Draft{Email: "grace@example.com", Hand: byHand})
		_, second := p.invited(0, invitation.Draft{Email: "grace@example.com", Hand: byHand})
		ended, posts := make(chan string), []func(){}
		for i := range 6 {
			b := p.browser()
			b.Get([]string{first, second}[i%2])
			action, form := b.Form(`id="create-submit"`)
			form.Set("new", "seven ships at sea")
			form.Set("repeat", "seven ships at sea")
			posts = append(posts, func() { b.Post(action, form); ended <- b.At })
		}
		for _, post := range posts {
			go post()
		}
		won := 0
		for range 6 {
			if <-ended == "/signed-up" {
				won++
			}
		}
		if i, err := p.Invitations.Get(t.Context(), m.ID); won != 1 || err != nil || i.State != storage.InvitationAccepted {
			t.Errorf("%d of 6 won; %+v, %v", won, i, err)
		}
		m, link := p.invited(0, invitation.Draft{Email: "lin@example.com", Hand: byHand})
		b := p.browser()
		b.Get(link)
		if _, removed, err := p.Invitations.Revoke(t.Context(), mfa.Caller{Actor: "admin"}, m.ID); err != nil || !removed {
			t.Fatal(removed, err)
		}
		b.Submit("create-submit", "new", "seven ships at sea", "repeat", "seven ships at sea")
		if b.Page.Code != 410 {
			t.Errorf("a revoked link was answered with %d", b.Page.Code)
		}
		b.Get(link)
		b.Must(link, 410)
	})
}
