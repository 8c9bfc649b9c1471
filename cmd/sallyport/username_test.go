package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/server"
	"sallyport/storage"
)

func TestAUserNameThatIsKeptIsShownAndFreed(t *testing.T) {
	o := newFixtureWithUsers(t)
	a := o.account("alice")
	o.withServer(func(h *server.Server) {
		now := time.Now()
		fresh := storage.Identifier{ID: storage.IdentifierID(a.User.ID), UserID: a.User.ID, Kind: storage.Username, Value: "countess", VerifiedAt: now, CreatedAt: now, UpdatedAt: now}
		for _, i := range a.Identifiers {
			if i.Kind == storage.Username {
				change := storage.NamesChange{Retire: []storage.IdentifierID{i.ID}, Until: now.Add(time.Hour), Add: []storage.Identifier{fresh}}
				if err := h.Store.UpdateUser(t.Context(), storage.UserChange{ID: a.User.ID, Now: now, Names: &change}); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
	for _, want := range []string{"retired username", "alice, kept until"} {
		if out := o.must("user", "show", "countess"); !strings.Contains(out, want) {
			t.Errorf("user show lacks %q: %s", want, out)
		}
	}
	refused := func(want string, args ...string) {
		t.Helper()
		if code, _, err := o.run("", args...); code != cli.ExitFailed || !strings.Contains(err, want) {
			t.Errorf("%v: %d, %s", args, code, err)
		}
	}
	refused("another user has that name", "user", "create", "--username", "alice")
	refused("there is no such user", "user", "show", "alice")
	refused("no user has this name", "user", "free-username", "countess")
	refused("no user has this name", "user", "free-username", "a/b ?c")
	if out := o.must("user", "free-username", "Alice"); out != fmt.Sprintf("user name Alice of user %s: no longer kept for its user\n", a.User.ID) {
		t.Errorf("free-username: %q", out)
	}
	o.must("user", "create", "--username", "alice")
}
