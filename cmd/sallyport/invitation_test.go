package main

import (
	"encoding/json"
	"strings"
	"testing"

	"sallyport/cmd/sallyport/cli"
	"sallyport/mfa"
	"sallyport/storage"
	"sallyport/web/admin"
)

func TestInvitationsAreMadeListedResentAndRevoked(t *testing.T) {
	o := newFixture(t)
	o.must("user", "create", "--email", "alice@example.com")
	out := o.must("invitation", "create", "--email", "Grace@example.com", "--role", "editor,viewer", "--role", "owner", "--given-name", "Grace", "--language", "de", "--print-link")
	if !strings.HasPrefix(out, "invitation of Grace@example.com: invited\n") || !strings.Contains(out, "/invitation/") {
		t.Errorf("create: %q", out)
	}
	if a := o.account("grace@example.com"); a.User.Status != storage.UserPending || strings.Join(a.User.Roles, " ") != "editor viewer owner" || a.User.Profile["given_name"] != "Grace" {
		t.Errorf("user = %+v", a.User)
	}
	var list []admin.Invitation
	for args, want := range map[string]int{"": 1, "--state pending": 1, "--state accepted": 0, "--user grace@example.com --limit 1": 1, "--user nobody": 0} {
		o.read(&list, append([]string{"invitation", "list"}, strings.Fields(args)...)...)
		if len(list) != want {
			t.Errorf("list %s: %+v, want %d", args, list, want)
		}
	}
	var one admin.Invitation
	o.read(&one, "invitation", "show", "grace@example.com")
	for args, want := range map[string]string{
		"invitation list":                                  "editor, viewer, owner",
		"invitation show grace@example.com":                "invited by   admin",
		"invitation show " + string(one.ID):                "links made   ",
		"invitation resend GRACE@example.com --print-link": "another link was made\nlink for the person",
	} {
		out := o.must(strings.Fields(args)...)
		if !strings.Contains(out, want) || strings.Contains(out, "/invitation/") != strings.Contains(args, "--print-link") {
			t.Errorf("%s: %q, want %q in it", args, out, want)
		}
	}
	out = o.must("invitation", "revoke", "--yes", "grace@example.com")
	if out != "invitation of grace@example.com ("+string(one.ID)+"): revoked, the user is removed\n" || o.countEvents(mfa.EventInvitationRevoked, one.User) != 1 {
		t.Errorf("revoke: %q", out)
	}
	o.rejects([]refused{
		{"nobody's invitation", "", cli.ExitFailed, `invitation "grace@example.com": there is no such invitation`, []string{"invitation", "show", "grace@example.com"}},
		{"an unknown ID", "", cli.ExitFailed, "there is no such invitation", []string{"invitation", "resend", string(one.ID)}},
		{"no mail", "", cli.ExitFailed, "the server sends no mail", []string{"invitation", "create", "--email", "grace@example.com"}},
		{"no address", "", cli.ExitUsage, "want either --email or --file", []string{"invitation", "create"}},
		{"an active user", "", cli.ExitFailed, "only a pending user is invited", []string{"invitation", "create", "--print-link", "--email", "alice@example.com"}},
		{"another client", "", cli.ExitFailed, "no such client", []string{"invitation", "create", "--print-link", "--email", "grace@example.com", "--client", "nobody"}},
		{"an unknown state", "", cli.ExitFailed, "there is no such state", []string{"invitation", "list", "--state", "late"}},
		{"a page of nothing", "", cli.ExitUsage, "--limit must be from 1 to 1000", []string{"invitation", "list", "--limit", "0"}},
	})
}

func TestAddressesOfAFileAreInvited(t *testing.T) {
	o := newFixture(t)
	code, out, text := o.run("grace@example.com\n\n no address \nlin@example.com\r\n", "invitation", "create", "--file", "-", "--print-link", "--json", "--config", o.settings)
	var done []admin.Done
	if err := json.Unmarshal([]byte(out), &done); err != nil || len(done) != 2 || done[1].Invitation.Email != "lin@example.com" || done[0].Link == done[1].Link {
		t.Errorf("%v %s", err, out)
	}
	if code != cli.ExitFailed || !strings.Contains(text, "invitation of no address: email: must be an e-mail address") || strings.Count(text, "\n") != 1 {
		t.Errorf("%d %s", code, text)
	}
}
