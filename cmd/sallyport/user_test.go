package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/server"
	"sallyport/mfa"
	"sallyport/mfa/enrollcode"
	"sallyport/mfa/notice"
	"sallyport/mfa/throttle"
	"sallyport/mfa/users"
	"sallyport/storage"
	"sallyport/web/admin"
)

const (
	firstPass  = "a quiet harbour at dawn"
	secondPass = "another harbour at dusk"
	phoneKey   = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
)

// newFixtureWithUsers is an installation with one user who has everything.
func newFixtureWithUsers(t *testing.T) *fixture {
	t.Helper()
	o := newFixture(t)
	o.secrets = []string{firstPass, secondPass, phoneKey, "aaaabbbbccccddddeeeeffff", "argon2id", "geheim"}
	state := o.file("state.yaml", `clients:
  - {client_id: shop, public: true, redirect_uris: ["https://shop.example.com/cb"]}
users:
  - username: alice
    email: alice@example.com
    email_verified: true
    phone_number: "+4915112345678"
    password: `+firstPass+`
    totp_secret: `+phoneKey+`
    recovery_codes: [aaaabbbbccccddddeeeeffff]
    profile: {name: "Alice \u00a0Anders", locale: de-DE}
    roles: [editor, auditor]
    mfa_enabled: true
`)
	o.must("apply", state)
	return o
}

// proves reports whether a password is a user's.
func (o *fixture) proves(name, plain string) bool {
	o.Helper()
	a := o.account(name)
	right := false
	o.withServer(func(h *server.Server) {
		am, err := h.Users.Amendment(o.Context(), a, users.Draft{Password: plain}, users.AmendOptions{Credentials: true})
		if err != nil {
			o.Fatal(err)
		}
		right = len(am.Differences) == 0
	})
	return right
}

// What a user accepted, whose it is and where it could be read.
func TestAcceptedTermsAreShown(t *testing.T) {
	o := newFixtureWithUsers(t)
	at := time.Date(2026, 11, 20, 10, 0, 5, 0, time.UTC)
	for _, tc := range []struct {
		terms storage.Terms
		want  string
	}{
		{storage.Terms{Version: "2026-01", AcceptedAt: at}, "2026-01, accepted 2026-11-20"}, // of an earlier version of the server
		{storage.Terms{URL: "https://example.com/terms", Version: "2026-01", AcceptedAt: at}, "2026-01 (https://example.com/terms), accepted 2026-11-20"},
		{storage.Terms{Client: "shop", URL: "https://shop.example.com/terms", Version: "3", AcceptedAt: at}, "3 of shop (https://shop.example.com/terms), accepted 2026-11-20"},
	} {
		id := o.account("alice").User.ID
		o.withServer(func(h *server.Server) {
			if err := h.Store.UpdateUser(o.Context(), storage.UserChange{ID: id, Terms: &tc.terms, Now: time.Now()}); err != nil {
				o.Fatal(err)
			}
		})
		if out := o.must("user", "show", "alice"); !strings.Contains(out, tc.want) {
			t.Errorf("show: %s, want %s", out, tc.want)
		}
		var v admin.User
		if o.read(&v, "user", "show", "alice"); v.Terms == nil || storage.Terms(*v.Terms) != tc.terms {
			t.Errorf("terms = %+v, want %+v", v.Terms, tc.terms)
		}
	}
}

func TestUsersAreCreatedAndShown(t *testing.T) {
	o := newFixtureWithUsers(t)
	if code, out, err := o.run(firstPass+"\r\n", "user", "create", "--username", "Bob", "--email", "bob@example.com", "--email-verified", "--password-file", "-", "--pending"); code != cli.ExitOK || !strings.HasPrefix(out, "user Bob (") || !strings.HasSuffix(out, "): created\n") {
		t.Fatalf("create: %d %s %s", code, out, err)
	}
	id := "00000000-0000-4000-8000-00000000000c"
	o.must("user", "create", "--phone", "+12025550123", "--id", id)
	if !o.proves("bob", firstPass) {
		t.Error("the line end became part of the password")
	}
	for _, who := range []string{"bob", "BOB@example.com", string(o.account("bob").User.ID)} {
		var v admin.User
		o.read(&v, "user", "show", who)
		if v.Status != storage.UserPending || len(v.Names) != 2 || !v.Names[0].Verified || len(v.Factors) != 1 || *v.Sessions != 0 {
			t.Errorf("show %s: %+v", who, v)
		}
	}
	var all []admin.User
	o.read(&all, "user", "list")
	if len(all) != 3 {
		t.Errorf("%d users listed, want 3", len(all))
	}
	o.read(&all, "user", "list", "--limit", "1", "--after", id)
	if len(all) != 1 || all[0].ID == storage.UserID(id) {
		t.Errorf("the page after %s: %+v", id, all)
	}
	for search, want := range map[string]string{"ALIC": "alice", "example.com": "alice bob", "2025550": "+12025550123", "bob@": "bob", "%": "", "nobody": ""} {
		o.read(&all, "user", "list", "--search", search)
		var found []string
		for _, v := range all {
			found = append(found, v.Names[0].Value)
		}
		slices.Sort(found)
		if got := strings.ReplaceAll(strings.Join(found, " "), "@example.com", ""); got != want {
			t.Errorf("search %s: %s, want %s", search, got, want)
		}
	}
	for _, tc := range []struct {
		args []string
		want []string
	}{
		{[]string{"user", "list"}, []string{"alice, alice@example.com", "bob", "pending", id}},
		{[]string{"user", "show", "alice"}, []string{"email", "alice@example.com", "1 unused", "totp", "mfa_enabled", `\u00a0`, `["editor","auditor"]`}},
		{[]string{"user", "show", id}, []string{"+12025550123 (not verified)"}},
	} {
		out := o.must(tc.args...)
		for _, want := range tc.want {
			if !strings.Contains(out, want) {
				t.Errorf("%v = %s, want %q in it", tc.args, out, want)
			}
		}
		if strings.Contains(out, "\u00a0") {
			t.Errorf("%v prints a control character", tc.args)
		}
	}
	if n := o.countEvents(mfa.EventUserCreated, storage.UserID(id)); n != 1 {
		t.Errorf("%d events of the creation, want 1", n)
	}
}

func TestDisablingAUserEndsEverything(t *testing.T) {
	o := newFixtureWithUsers(t)
	b := o.belongings("alice")
	if got := o.remaining(b); got != "session grant offline login" {
		t.Fatalf("before: %s", got)
	}
	alice := o.account("alice").User.ID
	for range 2 { // the second time changes nothing and is no error
		if out := o.must("user", "disable", "alice"); !strings.Contains(out, "disabled") {
			t.Errorf("disable: %s", out)
		}
	}
	if got := o.remaining(b); got != "" || o.account("alice").User.Status != storage.UserDisabled {
		t.Errorf("after disable: %q remains, user is %s", got, o.account("alice").User.Status)
	}
	o.must("user", "enable", "alice")
	if got := o.remaining(b); got != "" || o.account("alice").User.Status != storage.UserActive {
		t.Errorf("after enable: %q remains, user is %s", got, o.account("alice").User.Status)
	}
	if n := o.countEvents(mfa.EventUserChanged, alice); n != 3 {
		t.Errorf("%d events, want 3", n)
	}
	var done admin.Done
	o.read(&done, "user", "delete", "--yes", "alice")
	if done.User != alice || done.Done != "deleted" || o.countEvents(mfa.EventUserDeleted, alice) != 1 {
		t.Errorf("delete: %+v", done)
	}
	o.rejects([]refused{{"a deleted user is not found", "", cli.ExitFailed, "there is no such user", []string{"user", "show", "alice"}}})
}

func TestResettingFactorsEndsEverything(t *testing.T) {
	o := newFixtureWithUsers(t)
	b := o.belongings("alice")
	alice := o.account("alice").User.ID
	for range 2 {
		o.must("user", "reset-factors", "--yes", "alice")
	}
	a := o.account("alice")
	if len(a.Authenticators) != 2 || a.Authenticators[0].Method != "password" || a.Authenticators[1].Method != enrollcode.Name ||
		!a.User.MFAEnabled || o.remaining(b) != "" {
		t.Errorf("after the reset: %+v, %q remains", a, o.remaining(b))
	}
	if n := o.countEvents(mfa.EventFactorDeleted, alice); n != 2 {
		t.Errorf("%d factors deleted in the trail, want 2", n)
	}
	o.withServer(func(h *server.Server) {
		if codes, err := h.Store.RecoveryCodes(t.Context(), alice); err != nil || len(codes) != 0 {
			t.Errorf("%d recovery codes are left (%v)", len(codes), err)
		}
		messages, err := h.Store.ListMessages(t.Context(), storage.MessageFilter{Now: time.Now(), Limit: 10})
		if err != nil || len(messages) != 2 || messages[0].Template != notice.FactorRemoved || messages[0].Locale != "de" {
			t.Errorf("messages to alice: %+v (%v)", messages, err)
		}
	})
}

func TestUnlockingAUser(t *testing.T) {
	o := newFixtureWithUsers(t)
	a := o.account("alice")
	var totp storage.Authenticator
	for _, x := range a.Authenticators {
		if x.Method == "totp" {
			totp = x
		}
	}
	o.withServer(func(h *server.Server) {
		key := storage.ThrottleKey{Bucket: throttle.Factor, Subject: h.Keyring.Hash("user", string(a.User.ID))}
		_, err := h.Store.CountAttempt(t.Context(), storage.Attempt{Now: time.Now(), Throttles: []storage.Throttle{{Key: key, Schedule: storage.Schedule{Max: 1}}}})
		if err == nil {
			err = h.Store.SetAuthenticatorState(t.Context(), a.User.ID, totp.ID, storage.AuthenticatorDisabled, time.Now(), nil, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	if out := o.must("user", "show", "alice"); !strings.Contains(out, "factor, until an operator unlocks it") || !strings.Contains(out, "disabled") {
		t.Errorf("locked alice: %s", out)
	}
	for range 2 {
		o.must("user", "unlock", "alice")
	}
	var v admin.User
	o.read(&v, "user", "show", "alice")
	if len(v.Waits) != 0 || o.countEvents(mfa.EventUserUnlocked, a.User.ID) != 2 || o.countEvents(mfa.EventFactorEnabled, a.User.ID) != 1 {
		t.Errorf("after unlock: %+v", v)
	}
	for _, f := range v.Factors {
		if f.State != storage.AuthenticatorActive {
			t.Errorf("%s is %s", f.Method, f.State)
		}
	}
}
