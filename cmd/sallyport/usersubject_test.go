package main

import (
	"strings"
	"testing"

	"sallyport/cmd/sallyport/server"
	"sallyport/provider/clients"
)

// Support finds the user of a subject that an application names.
func TestUsersAreFoundBySubject(t *testing.T) {
	o := newFixtureWithUsers(t)
	o.must("apply", o.file("clients.yaml", `clients:
  - {client_id: shop, public: true, redirect_uris: ["https://shop.example.com/cb"]}
  - {client_id: clinic, public: true, subject_type: pairwise, redirect_uris: ["https://clinic.example.com/cb"]}
`))
	id := o.account("alice").User.ID
	sub := ""
	o.withServer(func(h *server.Server) {
		c, err := h.Clients.Client(o.Context(), "clinic")
		if err != nil {
			t.Fatal(err)
		}
		if sub, err = clients.New(c).Subject(h.Keyring, id); err != nil {
			t.Fatal(err)
		}
	})
	if sub == string(id) {
		t.Fatal("the subject is the ID of the user")
	}
	for _, args := range [][]string{{sub, "--client", "clinic"}, {string(id), "--client", "shop"}} {
		if out := o.must(append([]string{"user", "show"}, args...)...); !strings.Contains(out, "alice@example.com") {
			t.Errorf("user show %v: %s", args, out)
		}
	}
	for _, args := range [][]string{{sub, "--client", "shop"}, {string(id), "--client", "clinic"}, {"alice", "--client", "clinic"}, {"alice", "--client", "shop"}, {sub, "--client", "nobody"}} {
		if code, out, text := o.run("", append([]string{"user", "show"}, args...)...); code == 0 || strings.Contains(out+text, "alice@") {
			t.Errorf("user show %v = %d: %s%s", args, code, out, text)
		}
	}
	moved := o.must("apply", o.file("moved.yaml", `clients:
  - {client_id: clinic, public: true, subject_type: pairwise, redirect_uris: ["https://other.example.com/cb"]}
`))
	if !strings.Contains(moved, "WARNING: every user of this client gets another subject") {
		t.Errorf("a change of sector is not warned of: %s", moved)
	}
}
