package admin

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/input"
	"sallyport/mfa"
	"sallyport/mfa/invitation"
	"sallyport/provider/clients"
	"sallyport/provider/desired"
	"sallyport/storage"
)

// Invitations is a page of invitations, newest first.
type Invitations struct {
	Invitations []Invitation         `json:"invitations"`
	Next        storage.InvitationID `json:"next,omitempty"` // "before" of the next page
}

// Invitation is an invitation of a user, without its link.
type Invitation struct {
	ID         storage.InvitationID    `json:"id"`
	State      storage.InvitationState `json:"state"`
	User       storage.UserID          `json:"user"`
	Email      string                  `json:"email,omitempty"`
	Roles      []string                `json:"roles,omitempty"`
	Client     storage.ClientID        `json:"client,omitempty"`
	InvitedBy  string                  `json:"invited_by"`        // as the actor of an event
	Inviter    string                  `json:"inviter,omitempty"` // as the person reads it
	Sent       int                     `json:"sent"`
	CreatedAt  time.Time               `json:"created_at"`
	SentAt     time.Time               `json:"sent_at"`
	ExpiresAt  time.Time               `json:"expires_at"`
	AcceptedAt *time.Time              `json:"accepted_at,omitempty"`
}

// maxInviter is the length of the name of who invites, in bytes.
const maxInviter = 100

func newInvitation(i invitation.Invited) Invitation {
	return Invitation{ID: i.ID, State: i.State, User: i.UserID, Email: i.Email(), Roles: i.Account.User.Roles, Client: i.ClientID, InvitedBy: i.Actor, Inviter: i.Inviter,
		Sent: i.Sent, CreatedAt: i.CreatedAt, SentAt: i.SentAt, ExpiresAt: i.ExpiresAt, AcceptedAt: moment(i.AcceptedAt)}
}

// What Invite and Resend did.
const (
	doneInvited = "invited"
	doneAgain   = "another link was made; the user was pending already and stays as they are"
	doneResent  = "another link was made"
)

func (s *Surface) listInvitations(c *gin.Context, _ mfa.Caller) {
	ctx := c.Request.Context()
	f := storage.InvitationFilter{State: storage.InvitationState(c.Query("state")), Before: storage.InvitationID(c.Query("before"))}
	if _, ok := storage.Bytes(f.Before); !ok && f.Before != "" {
		badParameter(c, "before", "must be an id")
		return
	}
	if f.State != "" && !slices.Contains(storage.InvitationStates(), f.State) {
		badParameter(c, "state", "there is no such state")
		return
	}
	var ok bool
	if f.Limit, ok = s.limit(c); !ok {
		return
	}
	page := Invitations{Invitations: []Invitation{}}
	if name, sent := c.GetQuery("user"); sent {
		a, err := s.Users.Find(ctx, name)
		if mfa.CodeOf(err) == mfa.UserNotFound {
			c.JSON(http.StatusOK, page)
			return
		}
		if err != nil {
			s.fail(c, err)
			return
		}
		f.User = a.User.ID
	}
	list, err := s.Invitations.List(ctx, f)
	if err != nil {
		s.fail(c, err)
		return
	}
	for _, i := range list {
		page.Invitations = append(page.Invitations, newInvitation(i))
	}
	if len(list) == f.Limit {
		page.Next = list[f.Limit-1].ID
	}
	c.JSON(http.StatusOK, page)
}

func (s *Surface) showInvitation(c *gin.Context, _ mfa.Caller) {
	i, err := s.Invitations.Get(c.Request.Context(), storage.InvitationID(c.Param("invitation")))
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, newInvitation(i))
}

func (s *Surface) createInvitation(c *gin.Context, v mfa.Caller) {
	in, ok := s.read(c, true)
	if !ok {
		return
	}
	in.Required("email")
	d := invitation.Draft{Email: in.Text("email"), Roles: in.List("roles"), Client: storage.ClientID(in.Text("client")), Inviter: in.Text("inviter"), Hand: invitation.Hand{Link: in.Flag("link")}}
	if o := in.Object("profile"); o != nil {
		d.Profile = o.Members
	}
	if len(d.Inviter) > maxInviter || !input.Shown(d.Inviter) || input.Unseen(d.Inviter) || d.Inviter != strings.TrimSpace(d.Inviter) {
		in.Fault("inviter", "must be a name that can be shown, of at most 100 bytes")
	}
	if !s.valid(c, in) {
		return
	}
	application, err := s.application(c, d.Client)
	if err == nil {
		err = s.invitable(c, v, d)
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	d.Hand.Application = application
	m, err := s.Invitations.Invite(c.Request.Context(), v, d)
	if err != nil {
		s.fail(c, err)
		return
	}
	status, done := http.StatusCreated, doneInvited
	if m.Again {
		status, done = http.StatusOK, doneAgain
	}
	c.Header("Location", Base+"/invitations/"+string(m.ID))
	s.made(c, status, done, m)
}

// invitable returns the faults of the user of an invitation, which are those of a desired state.
func (s *Surface) invitable(c *gin.Context, v mfa.Caller, d invitation.Draft) error {
	user := map[string]any{"email": d.Email, "status": string(storage.UserPending)}
	if d.Roles != nil {
		user["roles"] = anyList(d.Roles)
	}
	if d.Profile != nil {
		user["profile"] = d.Profile
	}
	ctx := c.Request.Context()
	p, err := s.Records.PlanObject(ctx, map[string]any{"users": []any{user}}, desired.Options{Single: desired.OnlyNew, By: by(c)})
	_, err = s.carryOut(ctx, v, p, err, true)
	if mfa.CodeOf(err) == mfa.IdentifierTaken {
		return nil // Invite decides
	}
	if faults, ok := errors.AsType[Faults](err); ok {
		return within(faults, "users[0]")
	}
	return err
}

func anyList(texts []string) []any {
	out := make([]any, 0, len(texts))
	for _, text := range texts {
		out = append(out, text)
	}
	return out
}

// application returns the name of a client, for the message: as pages show it, as the person has no other
// sign of who that is.
func (s *Surface) application(c *gin.Context, id storage.ClientID) (string, error) {
	if id == "" {
		return "", nil
	}
	client, err := s.Clients.Client(c.Request.Context(), id)
	return clients.New(client).ShownAnywhere().Name, err
}

func (s *Surface) resendInvitation(c *gin.Context, v mfa.Caller) {
	in, ok := s.read(c, false)
	if !ok {
		return
	}
	h := invitation.Hand{Link: in.Flag("link")}
	if !s.valid(c, in) {
		return
	}
	ctx := c.Request.Context()
	i, err := s.Invitations.Get(ctx, storage.InvitationID(c.Param("invitation")))
	if err != nil {
		s.fail(c, err)
		return
	}
	// A client that was deleted meanwhile is not named.
	h.Application, _ = s.application(c, i.ClientID)
	m, err := s.Invitations.Resend(ctx, v, i.ID, h)
	if err != nil {
		s.fail(c, err)
		return
	}
	s.made(c, http.StatusOK, doneResent, m)
}

// made writes an invitation that was made or sent again.
func (s *Surface) made(c *gin.Context, status int, done string, m invitation.Made) {
	i := newInvitation(m.Invited)
	c.JSON(status, Done{User: m.UserID, Invitation: &i, Done: done, Link: m.Link})
}

func (s *Surface) revokeInvitation(c *gin.Context, v mfa.Caller) {
	in, ok := s.read(c, false)
	if !ok || !s.valid(c, in) {
		return
	}
	i, removed, err := s.Invitations.Revoke(c.Request.Context(), v, storage.InvitationID(c.Param("invitation")))
	if err != nil {
		s.fail(c, err)
		return
	}
	done := "revoked, the user is removed"
	if !removed {
		done = "revoked; the user stays, as they were there before or have changed since"
	}
	c.JSON(http.StatusOK, Done{User: i.UserID, Done: done})
}
