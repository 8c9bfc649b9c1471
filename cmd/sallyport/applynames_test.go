package main

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/server"
	"sallyport/storage"
)

// editable lets users choose their user names.
func (o *fixture) editable() {
	o.Helper()
	text, err := os.ReadFile(o.settings)
	if err == nil {
		err = os.WriteFile(o.settings, append(text, "usernames: {editable: true}\n"...), 0o600)
	}
	if err != nil {
		o.Fatal(err)
	}
}

// chooses gives a user a user name as the account page does.
func (o *fixture) chooses(user, name string) {
	o.Helper()
	a := o.account(user)
	o.withServer(func(h *server.Server) {
		now := time.Now()
		change := storage.NamesChange{Until: now.Add(time.Hour), Add: []storage.Identifier{
			{ID: storage.IdentifierID(storage.TimeOrdered(now, rand.Reader)), UserID: a.User.ID, Kind: storage.Username, Value: name, VerifiedAt: now, CreatedAt: now, UpdatedAt: now}}}
		for _, i := range a.Identifiers {
			if i.Kind == storage.Username {
				change.Retire = append(change.Retire, i.ID)
			}
		}
		if err := h.Store.UpdateUser(o.Context(), storage.UserChange{ID: a.User.ID, Now: now, Names: &change}); err != nil {
			o.Fatal(err)
		}
	})
}

// faulty checks that a state cannot be applied, nor rehearsed, and why.
func (o *fixture) faulty(state, want string) {
	o.Helper()
	file := o.file("names.yaml", state)
	for _, args := range [][]string{{"apply", "--dry-run", file}, {"apply", file}} {
		if code, out, err := o.run("", args...); code != cli.ExitFailed || out != "" || !strings.Contains(err, "the desired state has faults") || !strings.Contains(err, want) {
			o.Errorf("%v: %d, %q, %s, want %s", args[:2], code, out, err, want)
		}
	}
}

// Whoever chooses the user name of somebody to come must not become them.
func TestApplyDoesNotTakeAChosenUserNameForItsUser(t *testing.T) {
	o := newFixture(t)
	o.editable()
	o.must("user", "create", "--email", "mallory@example.net", "--email-verified")
	o.must("user", "create", "--username", "ada")
	o.must("user", "create", "--email", "bob@example.com", "--email-verified")
	o.chooses("mallory@example.net", "alice")
	o.chooses("bob@example.com", "bob")
	mallory := o.account("alice").User.ID
	for _, names := range []string{"username: alice", "username: ALICE, email: alice@example.com, email_verified: true", "username: alice, phone_number: '+12025550123'"} {
		o.faulty("users: [{"+names+", roles: [admin]}]", fmt.Sprintf("users[0].username: user %s has this name, and perhaps chose it: give the id", mallory))
	}
	if a := o.account("alice"); len(a.User.Roles) != 0 || len(a.Identifiers) != 2 {
		t.Errorf("the user who chose the name became %+v", a)
	}
	for names, who := range map[string]string{"username: ada": "ada", "username: bob, email: bob@example.com": "bob", "username: alice, id: " + string(mallory): "alice"} {
		o.must("apply", o.file("names.yaml", "users: [{"+names+", roles: [editor]}]"))
		if got := o.account(who).User.Roles; len(got) != 1 {
			t.Errorf("%s: roles %v", names, got)
		}
	}
	if code, _, err := o.run("", "user", "create", "--username", "alice"); code != cli.ExitFailed || !strings.Contains(err, "another user has that name") {
		t.Errorf("create: %d, %s", code, err)
	}
}

func TestApplyFindsAUserNameThatIsKept(t *testing.T) {
	o := newFixture(t)
	o.must("apply", o.file("names.yaml", "users: [{username: dave}]"))
	dave := o.account("dave").User.ID
	o.must("user", "create", "--email", "eve@example.com", "--email-verified")
	o.chooses("dave", "davey")
	for _, names := range []string{"username: dave", "username: Dave, email: eve@example.com", "username: dave, id: 00000000-0000-4000-8000-00000000000d"} {
		o.faulty("users: [{"+names+"}]", fmt.Sprintf("users[0].username: is kept for user %s, who gave it up", dave))
	}
	if out := o.must("apply", o.file("names.yaml", fmt.Sprintf("users: [{username: dave, id: %s}]", dave))); !strings.Contains(out, "davey") || o.account("dave").User.ID != dave {
		t.Errorf("the user of the name does not get it back: %s", out)
	}
	o.chooses("dave", "davey")
	o.must("user", "free-username", "dave")
	o.must("apply", filepath.Join(o.dir, "names.yaml"), "--dry-run")
	o.must("apply", o.file("names.yaml", "users: [{username: dave}]"))
	if o.account("dave").User.ID == dave {
		t.Error("a name that is free was not given to a new user")
	}
}
