package server_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"sallyport/cmd/sallyport/servertest"
	"sallyport/mfa"
	"sallyport/mfa/notice"
	"sallyport/mfa/users"
	"sallyport/provider/desired"
	"sallyport/storage"
)

// A desired state deletes no client that it never had, and adopts one that it names: that neither
// expires nor changes itself any more. Other changes of operators leave a client its token.
func TestOperatorsAndRegisteredClients(t *testing.T) {
	settings, _, _ := servertest.NewInstallation(t)
	g := newRegistry(t, settings, open+"limits: {registrations: 0}\n")
	id, token, _ := g.registered(plainClient)
	file := filepath.Join(t.TempDir(), "state.yaml")
	if err := os.WriteFile(file, []byte("clients:\n  - {client_id: "+id+", client_name: Renamed, client_secret: 0123456789abcdef0123456789abcdef, redirect_uris: [\"https://rp.example/cb\"], consent: ask, mfa: ALWAYS}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	other, kept, _ := g.registered(plainClient)
	plan, err := g.LoadPlan(t.Context(), file, desired.Options{Prune: true})
	if err == nil {
		changes := plan.Outcome().Changes
		if len(changes) != 1 || changes[0].Name != id || changes[0].Action != desired.Change {
			t.Fatalf("the plan is %+v, want the change of %s", changes, id)
		}
		adopts := func(d users.Difference) bool {
			return d.Key == "registration" && d.Warning == "its registration access token ends, and it does not expire"
		}
		if !slices.ContainsFunc(changes[0].Differences, adopts) {
			t.Errorf("the plan does not say that the client is adopted: %+v", changes[0].Differences)
		}
		err = g.Records().CarryOut(t.Context(), mfa.Caller{Actor: "admin"}, plan)
	}
	if err != nil {
		t.Fatal(err)
	}
	update := func(id string) string {
		return fmt.Sprintf(`{"client_id":%q,"redirect_uris":["https://rp.example/cb"]}`, id)
	}
	g.refused("an adopted client", 401, "invalid_token")(g.send("PUT", "/register/"+id, token, update(id)))
	if stored, err := g.Store.Client(t.Context(), storage.ClientID(id)); err != nil || stored.MFA != "ALWAYS" || stored.Registration != nil {
		t.Errorf("adopted: %+v, %v", stored, err)
	}
	// change is what the admin API does.
	change := func(how func(*storage.Client)) {
		t.Helper()
		stored, err := g.Store.Client(t.Context(), storage.ClientID(other))
		if err == nil {
			was := stored
			how(&stored)
			err = g.Clients.Change(t.Context(), mfa.Caller{Actor: "admin"}, was, stored)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	change(func(c *storage.Client) { c.MFA = "ALWAYS" })
	code, out, _ := g.send("PUT", "/register/"+other, kept, update(other))
	if stored, err := g.Store.Client(t.Context(), storage.ClientID(other)); code != 200 || err != nil || stored.MFA != "ALWAYS" {
		t.Errorf("PUT: %d %v; stored %+v, %v", code, out, stored, err)
	}
	change(func(c *storage.Client) { c.Disabled = true })
	g.refused("a disabled client", 401, "invalid_token")(g.send("GET", "/register/"+other, fmt.Sprint(out["registration_access_token"]), ""))
}

// An invitation into a client that a stranger registered says where that leads before the stranger's
// name for it, also when it is sent again.
func TestAnInvitationNamesAStrangersClientByItsHost(t *testing.T) {
	c := servertest.NewAdminAPIWith(t, fmt.Sprintf("outbox_file: %q\n", filepath.Join(t.TempDir(), "outbox.jsonl")))
	now := time.Now()
	shop := storage.Client{ID: "shop", Name: "Your Bank", RedirectURIs: []string{"https://rp.example/cb"}, CreatedAt: now, UpdatedAt: now,
		Registration: &storage.Registration{TokenHash: []byte{1}, At: now, ExpiresAt: now.Add(time.Hour)}}
	if err := c.Server.Store.RegisterClient(t.Context(), shop, 10, now, nil); err != nil {
		t.Fatal(err)
	}
	i := c.Call("POST", "/invitations", map[string]any{"email": "grace@example.com", "client": "shop"}).Done(201, "invited").Invitation
	c.Call("POST", "/invitations/"+string(i.ID)+"/resend", nil).Done(200, "another link was made")
	sent, err := c.Server.Store.LeaseMessages(t.Context(), storage.Lease{Kind: "mail", Now: time.Now(), For: time.Minute, Limit: 10})
	if err != nil || len(sent) != 2 {
		t.Fatalf("messages = %+v, %v", sent, err)
	}
	for _, m := range sent {
		if got := m.Data["application"]; m.Template != notice.Invitation || got != "rp.example (Your Bank)" {
			t.Errorf("the message names %q, want the host before the name", got)
		}
	}
}
