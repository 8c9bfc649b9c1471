package server_test

import (
	"slices"
	"strings"
	"testing"

	"sallyport/cmd/sallyport/servertest"
	"sallyport/mfa"
	"sallyport/provider/apikeys"
	"sallyport/storage"
	"sallyport/web/admin"
)

func (c adminWalk) invitationWalk() {
	c.Helper()
	c.Call("PUT", "/clients/charts", map[string]any{"client_name": "Charts", "public": true, "redirect_uris": []string{"https://charts.example/callback"},
		"grant_types": []string{"authorization_code"}, "scopes": []string{"openid"}}).Done(201, "created")
	made := c.Call("POST", "/invitations", map[string]any{"email": "Grace@Example.com", "roles": []string{"editor"}, "client": "charts", "link": true,
		"profile": map[string]any{"given_name": "Grace", "locale": "de"}}).Done(201, "invited")
	i := *made.Invitation
	if i.State != storage.InvitationPending || i.Email != "grace@example.com" || i.InvitedBy != "admin" || i.Client != "charts" || i.User != made.User || i.Sent != 1 ||
		!slices.Equal(i.Roles, []string{"editor"}) || !strings.Contains(made.Link, "/invitation/") {
		c.Errorf("invitation = %+v", made)
	}
	again := c.Call("POST", "/invitations", map[string]any{"email": "grace@example.com", "roles": []string{"owner"}, "link": true}).Done(200, "another link was made; the user was pending already and stays as they are")
	if again.Invitation.ID != i.ID || again.Link == made.Link || again.Invitation.Sent != 2 || !slices.Equal(again.Invitation.Roles, i.Roles) {
		c.Errorf("again = %+v", again)
	}
	for query, want := range map[string]int{"": 1, "?state=pending": 1, "?state=expired": 0, "?state=accepted": 0, "?user=GRACE%40example.com": 1, "?user=nobody": 0, "?limit=1": 1, "?before=" + string(i.ID): 0} {
		var page admin.Invitations
		got := c.Call("GET", "/invitations"+query, nil)
		got.Decode(200, &page)
		if len(page.Invitations) != want || (page.Next != "") != (query == "?limit=1") || strings.Contains(string(got.Raw), "/invitation/") {
			c.Errorf("invitations%s = %s, want %d", query, got.Raw, want)
		}
	}
	resent := c.Call("POST", "/invitations/"+string(i.ID)+"/resend", map[string]any{"link": true}).Done(200, "another link was made")
	if resent.Invitation.Sent != 3 || resent.Link == "" || c.Newest(mfa.EventInvitationResent).UserID != i.User {
		c.Errorf("resent = %+v", resent)
	}
	c.Call("GET", "/invitations/"+string(i.ID), nil).Decode(200, &i)
	if i.Sent != 3 {
		c.Errorf("invitation = %+v", i)
	}
	if d := c.Call("DELETE", "/invitations/"+string(i.ID), nil).Done(200, "revoked, the user is removed"); d.User != i.User {
		c.Errorf("revoked = %+v", d)
	}
	c.Call("GET", "/users/"+string(i.User), nil).Refused(404, "user_not_found", "no such user")
	c.Call("DELETE", "/clients/charts", nil)
}

func TestWhatCannotBeInvitedIsRefused(t *testing.T) {
	c := adminWalk{servertest.NewAdminAPI(t)}
	c.Call("POST", "/users", map[string]any{"email": "ada@example.com"}).Done(201, "created")
	kept := c.Call("POST", "/users", map[string]any{"email": "lin@example.com", "status": "pending"}).Done(201, "created").User
	lin := *c.Call("POST", "/invitations", map[string]any{"email": "lin@example.com", "link": true}).Done(200, "another link was made; the user was pending already and stays as they are").Invitation
	for _, tc := range []struct {
		body       map[string]any
		code       int
		word, want string
	}{
		{map[string]any{"email": "ada@example.com", "link": true}, 409, "identifier_taken", "a user who has this address signs in already"},
		{map[string]any{"email": "grace@example.com"}, 409, "conflict", "the server sends no mail"},
		{map[string]any{}, 400, "invalid_request", "is required"},
		{map[string]any{"email": "grace", "link": true}, 400, "invalid_request", "must be an e-mail address"},
		{map[string]any{"email": 7}, 400, "invalid_request", "must be text"},
		{map[string]any{"email": "grace@example.com", "roles": "editor"}, 400, "invalid_request", "must be a list of texts"},
		{map[string]any{"email": "grace@example.com", "roles": []string{"editor", "editor"}, "link": true}, 400, "invalid_request", "a role is there twice"},
		{map[string]any{"email": "grace@example.com", "profile": map[string]any{"email_verified": true}, "link": true}, 400, "invalid_request", "is not a profile claim"},
		{map[string]any{"email": "grace@example.com", "password": "a quiet harbour"}, 400, "invalid_request", "there is no such key"},
		{map[string]any{"email": "grace@example.com", "client": "nobody", "link": true}, 404, "not_found", "no such client"},
		{map[string]any{"email": "grace@example.com", "inviter": "\u2800", "link": true}, 400, "invalid_request", "inviter: must be a name that can be shown"},
		{map[string]any{"email": "grace@example.com", "inviter": " ", "link": true}, 400, "invalid_request", "inviter: must be a name that can be shown"},
		{map[string]any{"email": "grace@example.com", "inviter": "Vera ", "link": true}, 400, "invalid_request", "inviter: must be a name that can be shown"},
		{map[string]any{"email": "grace@example.com", "link": "yes"}, 400, "invalid_request", "must be true or false"},
	} {
		c.Call("POST", "/invitations", tc.body).Refused(tc.code, tc.word, tc.want)
	}
	c.Call("GET", "/users?name=grace@example.com", nil).Decode(200, new(admin.Users))
	var users admin.Users
	if c.Call("GET", "/users?name=grace%40example.com", nil).Decode(200, &users); len(users.Users) != 0 {
		t.Error("what was refused left a user")
	}
	for query, want := range map[string]string{"state=late": "state: there is no such state", "before=x": "before: must be an id", "limit=0": "limit: must be from 1 to 1000"} {
		c.Call("GET", "/invitations?"+query, nil).Refused(400, "invalid_request", want)
	}
	one := "/invitations/" + string(lin.ID)
	for _, call := range [][2]string{{"GET", ""}, {"DELETE", ""}, {"POST", "/resend"}} {
		c.Call(call[0], "/invitations/none"+call[1], nil).Refused(404, "not_found", "no such invitation")
	}
	c.Call("POST", one+"/resend", nil).Refused(409, "conflict", "the server sends no mail")
	c.Call("DELETE", one, map[string]any{"reason": "x"}).Refused(400, "invalid_request", "there is no such key")
	reads, _ := c.NewAPIKey(apikeys.Draft{Name: "reads", Dialects: []string{"admin"}, Verbs: []string{"read"}})
	writes, writer := c.NewAPIKey(apikeys.Draft{Name: "writes", Dialects: []string{"admin"}, Verbs: []string{"write"}})
	c.Key = reads
	c.Call("GET", one, nil).Decode(200, nil)
	c.Call("POST", "/invitations", map[string]any{"email": "grace@example.com", "link": true}).Refused(403, "not_allowed", "the verb write")
	c.Key = writes
	d := c.Call("POST", "/invitations", map[string]any{"email": "grace@example.com", "link": true}).Done(201, "invited")
	if want := "apikey:" + string(writer); d.Invitation.InvitedBy != want || c.Newest(mfa.EventUserInvited).Actor != want || c.Newest(mfa.EventUserInvited).Detail["link"] != "returned" {
		t.Errorf("invited by %s, want %s", d.Invitation.InvitedBy, want)
	}
	if strings.Contains(c.Log.String(), d.Link[strings.LastIndex(d.Link, "/")+1:]) {
		t.Error("the log has the link")
	}
	c.Key = servertest.AdminKey
	if d := c.Call("DELETE", one, nil).Done(200, "revoked; the user stays, as they were there before or have changed since"); d.User != kept {
		t.Errorf("revoked = %+v", d)
	}
	lin = *c.Call("POST", "/invitations", map[string]any{"email": "lin@example.com", "link": true}).Done(200, "another link was made; the user was pending already and stays as they are").Invitation
	c.Call("POST", "/users/"+string(kept)+"/enable", nil).Done(200, "enabled")
	for method, path := range map[string]string{"DELETE": "", "POST": "/resend"} {
		c.Call(method, "/invitations/"+string(lin.ID)+path, nil).Refused(409, "conflict", "it was accepted")
	}
}
