package admin

import (
	"context"
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/provider/clients"
	"sallyport/provider/desired"
	"sallyport/storage"
)

// Users is a page of users.
type Users struct {
	Users []User         `json:"users"`
	Next  storage.UserID `json:"next,omitempty"` // "after" of the next page
}

// maxSearch is the longest part of a name that users are searched by.
const maxSearch = 320

func (s *Surface) listUsers(c *gin.Context, _ mfa.Caller) {
	if name, sent := c.GetQuery("name"); sent {
		s.findUser(c, name)
		return
	}
	if subject, sent := c.GetQuery("subject"); sent {
		s.findSubject(c, subject, storage.ClientID(c.Query("client")))
		return
	}
	after := storage.UserID(c.Query("after"))
	if _, ok := storage.Bytes(after); !ok && after != "" {
		badParameter(c, "after", "must be an id")
		return
	}
	limit, ok := s.limit(c)
	if !ok {
		return
	}
	part, sent := c.GetQuery("search")
	if sent && (mfa.Fold(part) == "" || len(part) > maxSearch) {
		badParameter(c, "search", fmt.Sprintf("must have from 1 to %d bytes", maxSearch))
		return
	}
	var list []storage.Account
	var more bool
	var err error
	if sent {
		list, more, err = s.Users.Search(c.Request.Context(), part, after, limit)
	} else {
		list, err = s.Users.List(c.Request.Context(), after, limit)
		more = len(list) == limit
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	page := Users{Users: []User{}}
	for _, a := range list {
		page.Users = append(page.Users, newUser(a))
	}
	if more {
		page.Next = list[len(list)-1].User.ID
	}
	c.JSON(http.StatusOK, page)
}

// findUser lists the user with an id or a name, or no user.
func (s *Surface) findUser(c *gin.Context, name string) {
	a, err := s.Users.Find(c.Request.Context(), name)
	if mfa.CodeOf(err) == mfa.UserNotFound {
		c.JSON(http.StatusOK, Users{Users: []User{}})
		return
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, Users{Users: []User{newUser(a)}})
}

// findSubject lists the user whom a client knows under a subject, or no user.
func (s *Surface) findSubject(c *gin.Context, subject string, client storage.ClientID) {
	if client == "" {
		badParameter(c, "client", "must name the client that sees the subject")
		return
	}
	x, err := s.Clients.Client(c.Request.Context(), client)
	if err != nil {
		s.fail(c, err)
		return
	}
	user := clients.New(x).UserOf(s.Keyring, subject)
	if _, ok := storage.Bytes(user); !ok {
		c.JSON(http.StatusOK, Users{Users: []User{}})
		return
	}
	s.findUser(c, string(user))
}

// account reads the user in the address.
func (s *Surface) account(c *gin.Context) (storage.Account, bool) {
	id := storage.UserID(c.Param("user"))
	if _, ok := storage.Bytes(id); !ok {
		s.fail(c, &mfa.Error{Code: mfa.UserNotFound})
		return storage.Account{}, false
	}
	a, err := s.Users.Account(c.Request.Context(), id)
	if err != nil {
		s.fail(c, err)
	}
	return a, err == nil
}

func (s *Surface) showUser(c *gin.Context, _ mfa.Caller) {
	a, ok := s.account(c)
	if !ok {
		return
	}
	if v, ok := s.view(c, a); ok {
		c.JSON(http.StatusOK, v)
	}
}

// view is the response to a read of a user.
func (s *Surface) view(c *gin.Context, a storage.Account) (User, bool) {
	summary, err := s.Users.Summary(c.Request.Context(), a)
	if err != nil {
		s.fail(c, err)
		return User{}, false
	}
	v := newUser(a)
	v.addSummary(summary)
	return v, true
}

func (s *Surface) createUser(c *gin.Context, v mfa.Caller) {
	members, ok := s.object(c)
	if !ok {
		return
	}
	change, ok := s.one(c, v, "users", members, desired.OnlyNew)
	if !ok {
		return
	}
	c.Header("Location", Base+"/users/"+change.ID)
	c.JSON(http.StatusCreated, Done{User: storage.UserID(change.ID), Done: "created"})
}

// amendUser changes the members of a user that the body names.
func (s *Surface) amendUser(c *gin.Context, v mfa.Caller) {
	a, ok := s.account(c)
	if !ok {
		return
	}
	members, ok := s.object(c)
	if !ok {
		return
	}
	if id, sent := members["id"]; sent && id != string(a.User.ID) {
		s.fail(c, Faults{{Field: "id", Detail: "an id cannot change"}})
		return
	}
	view, ok := s.view(c, a)
	if !ok {
		return
	}
	if err := dropUnchanged(members, view, userReadOnly, true); err != nil {
		s.fail(c, err)
		return
	}
	members["id"] = string(a.User.ID)
	addName(members, a)
	change, ok := s.one(c, v, "users", members, desired.OnlyKnown)
	if !ok {
		return
	}
	c.JSON(http.StatusOK, Done{User: a.User.ID, Done: done(change), Differences: change.Differences})
}

// addName adds one of the user's names to a body without a name: a desired state requires
// one, and a name that the user has changes nothing.
func addName(members map[string]any, a storage.Account) {
	keys := map[storage.IdentifierKind]string{storage.Username: "username", storage.Email: "email", storage.Phone: "phone_number"}
	for _, key := range keys {
		if _, sent := members[key]; sent {
			return
		}
	}
	if len(a.Identifiers) > 0 {
		members[keys[a.Identifiers[0].Kind]] = a.Identifiers[0].Text()
	}
}

// ofUser serves a call that makes one change to one user.
func (s *Surface) ofUser(done string, do func(context.Context, mfa.Caller, storage.Account) error) func(*gin.Context, mfa.Caller) {
	return s.changesUser(func(ctx context.Context, v mfa.Caller, a storage.Account) (Done, error) {
		return Done{User: a.User.ID, Done: done}, do(ctx, v, a)
	})
}

// changesUser is ofUser for a change that says what it did.
func (s *Surface) changesUser(do func(context.Context, mfa.Caller, storage.Account) (Done, error)) func(*gin.Context, mfa.Caller) {
	return func(c *gin.Context, v mfa.Caller) {
		in, ok := s.read(c, false)
		if !ok || !s.valid(c, in) {
			return
		}
		a, ok := s.account(c)
		if !ok {
			return
		}
		done, err := do(c.Request.Context(), v, a)
		if err != nil {
			s.fail(c, err)
			return
		}
		c.JSON(http.StatusOK, done)
	}
}

// resetFactors returns the code with which the user enrols again, once.
func (s *Surface) resetFactors(ctx context.Context, v mfa.Caller, a storage.Account) (Done, error) {
	code, err := s.Users.ResetFactors(ctx, v, a)
	return Done{User: a.User.ID, Done: "second factors taken away, everything under way ended", EnrollmentCode: code}, err
}

func (s *Surface) resetCounters(ctx context.Context, v mfa.Caller, a storage.Account) (Done, error) {
	n, err := s.Users.ResetCounters(ctx, v, a)
	if n == 0 {
		return Done{User: a.User.ID, Done: "no counter is ahead of the clock"}, err
	}
	return Done{User: a.User.ID, Done: "codes from now on are accepted"}, err
}

func (s *Surface) setPassword(c *gin.Context, v mfa.Caller) {
	in, ok := s.read(c, true)
	if !ok {
		return
	}
	password := in.Text("password")
	if !s.valid(c, in) {
		return
	}
	a, ok := s.account(c)
	if !ok {
		return
	}
	if err := s.Users.SetPassword(c.Request.Context(), v, a, password); err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, Done{User: a.User.ID, Done: "has another password, everything under way ended"})
}

// signOut ends the sessions of a user; with offline also their offline grants.
func (s *Surface) signOut(c *gin.Context, v mfa.Caller) {
	offline, ok := s.flag(c, "offline")
	if !ok {
		return
	}
	s.ofUser("all sessions ended", func(ctx context.Context, v mfa.Caller, a storage.Account) error {
		if offline {
			return s.Users.SignOut(ctx, v, a)
		}
		return s.Sessions.EndAll(ctx, v, a.User.ID)
	})(c, v)
}

// freeUsername lets anybody have a user name that is kept for the user who gave it up.
func (s *Surface) freeUsername(c *gin.Context, v mfa.Caller) {
	user, err := s.Users.FreeUsername(c.Request.Context(), v, c.Query("name"))
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, Done{User: user, Done: "no longer kept for its user"})
}

// Sessions are the sessions of a user.
type Sessions struct {
	Sessions []Session `json:"sessions"` // newest first
}

func (s *Surface) listSessions(c *gin.Context, _ mfa.Caller) {
	a, ok := s.account(c)
	if !ok {
		return
	}
	list, err := s.Sessions.ListOf(c.Request.Context(), a.User.ID)
	if err != nil {
		s.fail(c, err)
		return
	}
	out := Sessions{Sessions: []Session{}}
	for _, x := range list {
		out.Sessions = append(out.Sessions, newSession(x))
	}
	c.JSON(http.StatusOK, out)
}

func (s *Surface) endSession(c *gin.Context, v mfa.Caller) {
	offline, ok := s.flag(c, "offline")
	if !ok {
		return
	}
	x, err := s.Sessions.EndByID(c.Request.Context(), v, storage.SessionID(c.Param("session")), offline)
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, Done{User: x.UserID, Session: x.ID, Done: "ended"})
}
