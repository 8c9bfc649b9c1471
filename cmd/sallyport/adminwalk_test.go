package main

import (
	"crypto/rand"
	"crypto/sha256"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/users"
	"sallyport/provider/desired"
	"sallyport/storage"
	"sallyport/web/admin"
)

// walk makes every call there is, and looks at what it did.
func (c *console) walk() {
	c.Helper()
	c.userWalk()
	c.sessionWalk()
	c.clientWalk()
	c.keyWalk()
	c.stateWalk()
	var keys admin.Keys
	c.call("GET", "/keys", nil).ok(200, &keys)
	if !slices.ContainsFunc(keys.Keys, func(k admin.ServerKey) bool { return k.Use == "oidc" && k.Alg == "ES256" }) {
		c.Errorf("keys = %+v, want one that signs", keys.Keys)
	}
	var id admin.Identity
	c.key = ""
	c.call("GET", "/server?challenge=abc", nil).ok(200, &id)
	if !strings.HasPrefix(id.Issuer, "http://127.0.0.1:") || id.Proof != admin.KeyOf(adminKey).Proof(id.Issuer, "abc") || id.Proof == admin.KeyOf(adminKey).Proof(id.Issuer, "abd") {
		c.Errorf("identity = %+v", id)
	}
	c.key = adminKey
}

func (c *console) userWalk() {
	c.Helper()
	// Texts that one reader could take for something else than another.
	odd := "quote\" back\\slash # no: comment \u2028 \U0001f6a2 {x: [y]} \u0007 tab\t - & * ! | > ' % @ `"
	id := string(c.call("POST", "/users", map[string]any{"username": "alice", "password": "a quiet harbour: #dawn \"\\u0041", "mfa_enabled": true,
		"totp_secret": phoneKey, "totp_period": "60s", "recovery_codes": []string{"aaaabbbbccccddddeeeeffff"},
		"profile": map[string]any{"name": odd, "given_name": "yes", "nickname": "0123", "address": map[string]any{"country": "null"}}}).done(201, "created").User)
	one := "/users/" + id
	var u admin.User
	c.call("GET", one, nil).ok(200, &u)
	if u.Profile["name"] != odd || u.Profile["given_name"] != "yes" || u.Profile["nickname"] != "0123" || len(u.Factors) != 3 || *u.RecoveryCodes != 1 || !u.MFAEnabled {
		c.Errorf("user = %+v", u)
	}
	account, err := c.h.store.Account(c.Context(), storage.UserID(id))
	if err != nil {
		c.Fatal(err)
	}
	if a, err := c.h.users.Amendment(c.Context(), account, users.Draft{Password: "a quiet harbour: #dawn \"\\u0041"}, users.AmendOptions{Credentials: true}); err != nil || len(a.Differences) != 0 {
		c.Errorf("the password became another: %v %v", a.Differences, err)
	}
	d := c.call("PATCH", one, map[string]any{"email": "alice@example.com", "email_verified": true, "roles": []string{"editor"}, "profile": map[string]any{"name": "Alice"}}).done(200, "changed")
	if len(d.Differences) != 6 || d.User != storage.UserID(id) {
		c.Errorf("differences = %+v", d.Differences)
	}
	c.call("PATCH", one, map[string]any{"mfa_enabled": true}).done(200, "nothing to change")
	c.call("PATCH", one, map[string]any{"totp_secret": phoneKey, "totp_digits": 8}).done(200, "changed")
	c.call("POST", one+"/disable", nil).done(200, "disabled")
	c.call("POST", one+"/enable", nil).done(200, "enabled")
	c.call("POST", one+"/unlock", nil).done(200, "unlocked")
	c.call("POST", one+"/password", map[string]any{"password": "another harbour"}).done(200, "has another password, everything under way ended")
	c.call("POST", one+"/reset-factors", nil).done(200, "second factors taken away, everything under way ended")
	second := c.call("POST", "/users", map[string]any{"phone_number": "+12025550123", "id": "00000000-0000-4000-8000-00000000000c"}).done(201, "created")
	var page admin.Users
	c.call("GET", "/users?limit=1", nil).ok(200, &page)
	first := page.Users[0].ID
	if len(page.Users) != 1 || page.Next != first {
		c.Errorf("the first page = %+v", page)
	}
	c.call("GET", "/users?limit=2&after="+string(first), nil).ok(200, &page)
	if len(page.Users) != 1 {
		c.Errorf("the second page = %+v", page)
	}
	for name, want := range map[string]int{"ALICE@example.com": 1, "nobody": 0, "a%40b%40c": 0, string(second.User): 1} {
		page = admin.Users{}
		c.call("GET", "/users?name="+name, nil).ok(200, &page)
		if len(page.Users) != want || page.Next != "" {
			c.Errorf("users called %s = %+v, want %d", name, page, want)
		}
	}
	c.call("DELETE", "/users/"+string(second.User), nil).done(200, "deleted")
	var events admin.Events
	c.call("GET", "/events?limit=2&user="+id, nil).ok(200, &events)
	if len(events.Events) != 2 || events.Next != events.Events[1].ID || events.Events[1].Actor != "admin" {
		c.Errorf("events = %+v", events)
	}
	next := "/events?kind=user.created&since=2020-01-01T00:00:00Z&until=" + time.Now().UTC().Add(time.Hour).Format(time.RFC3339) + "&user=" + id + "&before=" + string(events.Next)
	events = admin.Events{}
	c.call("GET", next, nil).ok(200, &events)
	if len(events.Events) != 1 || events.Next != "" || events.Events[0].Kind != mfa.EventUserCreated {
		c.Errorf("the next page = %+v", events)
	}
}

func (c *console) sessionWalk() {
	c.Helper()
	id := c.call("POST", "/users", map[string]any{"username": "bob"}).done(201, "created").User
	begin := func() storage.SessionID {
		now := time.Now()
		s := storage.Session{ID: storage.SessionID(storage.TimeOrdered(now, rand.Reader)), UserID: id, Origin: "browser",
			CreatedAt: now, LastSeenAt: now, ExpiresAt: now.Add(time.Hour)}
		if err := c.h.store.CreateSession(c.Context(), s, nil); err != nil {
			c.Fatal(err)
		}
		return s.ID
	}
	var list admin.Sessions
	session := begin()
	c.call("GET", "/users/"+string(id)+"/sessions", nil).ok(200, &list)
	if len(list.Sessions) != 1 || list.Sessions[0].ID != session {
		c.Errorf("sessions = %+v", list)
	}
	if d := c.call("DELETE", "/sessions/"+string(session)+"?offline=true", nil).done(200, "ended"); d.User != id || d.Session != session {
		c.Errorf("ended = %+v", d)
	}
	for _, query := range []string{"", "?offline=false", "?offline=true"} {
		begin()
		c.call("POST", "/users/"+string(id)+"/sign-out"+query, nil).done(200, "all sessions ended")
		c.call("GET", "/users/"+string(id)+"/sessions", nil).ok(200, &list)
		if len(list.Sessions) != 0 {
			c.Errorf("sessions after sign-out%s = %+v", query, list)
		}
	}
}

func (c *console) clientWalk() {
	c.Helper()
	body := map[string]any{"client_name": "Office", "redirect_uris": []string{"https://office.example.com/cb"}, "access_token_ttl": "5m"}
	made := c.call("PUT", "/clients/office", body).done(201, "created")
	good := func(secret string) bool {
		x, err := c.h.store.Client(c.Context(), "office")
		if err != nil {
			c.Fatal(err)
		}
		sum := sha256.Sum256([]byte(secret))
		return slices.ContainsFunc(x.SecretHashes, func(h []byte) bool { return string(h) == string(sum[:]) })
	}
	if len(made.Secret) != 43 || !good(made.Secret) {
		c.Errorf("made = %+v, want a secret that is good", made)
	}
	body["client_name"] = "Bureau"
	if d := c.call("PUT", "/clients/office", body).done(200, "changed"); d.Secret != "" || !good(made.Secret) || len(d.Differences) != 1 {
		c.Errorf("replaced = %+v, want the secret kept", d)
	}
	c.call("PUT", "/clients/office", body).done(200, "nothing to change")
	second := c.call("POST", "/clients/office/secrets", nil).done(201, "the new secret is good beside the old one")
	c.call("POST", "/clients/office/secrets", nil).refused(409, "conflict", "a rotation is under way")
	c.call("PUT", "/clients/office", body).done(200, "nothing to change")
	if !good(made.Secret) || !good(second.Secret) {
		c.Error("want both secrets good")
	}
	c.call("DELETE", "/clients/office/secrets/old", nil).done(200, "only the newest secret is good")
	c.call("DELETE", "/clients/office/secrets/old", nil).refused(409, "conflict", "no rotation is under way")
	own := strings.Repeat("own", 12)
	if d := c.call("POST", "/clients/office/secrets", map[string]any{"client_secret": own}).done(201, "the new secret is good beside the old one"); d.Secret != "" || !good(own) || good(made.Secret) {
		c.Errorf("a secret that was brought = %+v", d)
	}
	var x admin.Client
	c.call("GET", "/clients/office", nil).ok(200, &x)
	if x.Name != "Bureau" || x.Secrets != 2 || x.AccessTokenTTL != 300 {
		c.Errorf("client = %+v", x)
	}
	if d := c.call("PUT", "/clients/spa", map[string]any{"public": true, "redirect_uris": []string{"https://spa.example.com/cb"}}).done(201, "created"); d.Secret != "" {
		c.Error("a public client got a secret")
	}
	c.call("POST", "/clients/spa/secrets", nil).refused(409, "conflict", "it has no secret")
	c.call("PUT", "/clients/spa", map[string]any{"public": true, "redirect_urls": []string{}}).refused(400, "invalid_request", "redirect_urls: there is no such key")
	var all admin.Clients
	c.call("GET", "/clients", nil).ok(200, &all)
	if len(all.Clients) != 2 || strings.Contains(string(c.call("GET", "/clients", nil).raw), "secret_hashes") {
		c.Errorf("clients = %+v", all)
	}
	c.call("DELETE", "/clients/spa", nil).done(200, "deleted")
	c.call("DELETE", "/clients/spa", nil).refused(404, "not_found", "no such client")
}

func (c *console) keyWalk() {
	c.Helper()
	made := c.call("POST", "/api-keys", map[string]any{"name": "Back office", "dialects": []string{"admin", "streambird"}, "verbs": []string{"read"}, "app": "x",
		"expires_at": "2999-01-01T00:00:00Z"}).done(201, "created")
	c.call("POST", "/api-keys", map[string]any{"name": "Back office", "dialects": []string{"admin"}, "verbs": []string{"read"}}).refused(409, "conflict", "has this name")
	one := "/api-keys/" + string(made.APIKey)
	opens := func(secret string, want bool) {
		c.Helper()
		_, err := c.h.apiKeys.Authenticate(c.Context(), mfa.Caller{}, secret)
		if (err == nil) != want {
			c.Errorf("the key opens: %v, want %v", err, want)
		}
	}
	opens(made.Secret, true)
	c.call("POST", one+"/disable", nil).done(200, "disabled")
	opens(made.Secret, false)
	c.call("POST", one+"/enable", nil).done(200, "enabled")
	lost := c.call("POST", one+"/secrets", nil).done(201, "the new secret is good beside the old one")
	c.call("DELETE", one+"/secrets/new", nil).done(200, "only the old secret is good")
	opens(lost.Secret, false)
	second := c.call("POST", one+"/secrets", nil).done(201, "the new secret is good beside the old one")
	opens(made.Secret, true)
	c.call("DELETE", one+"/secrets/old", nil).done(200, "only the newest secret is good")
	opens(made.Secret, false)
	opens(second.Secret, true)
	var k admin.APIKey
	c.call("GET", one, nil).ok(200, &k)
	if k.Name != "Back office" || k.Secrets != 1 || k.App != "x" || k.ExpiresAt == nil {
		c.Errorf("key = %+v", k)
	}
	for query, want := range map[string]int{"": 1, "?name=Back%20office": 1, "?name=" + string(k.ID): 1, "?name=none": 0} {
		var all admin.APIKeys
		c.call("GET", "/api-keys"+query, nil).ok(200, &all)
		if len(all.APIKeys) != want {
			c.Errorf("keys%s = %+v, want %d", query, all, want)
		}
	}
	c.call("DELETE", one, nil).done(200, "deleted")
	opens(second.Secret, false)
}

func (c *console) stateWalk() {
	c.Helper()
	state := []byte("clients:\n  - {client_id: shop, public: true, redirect_uris: [\"https://shop.example.com/cb\"]}\nusers:\n  - {username: carol, password: a quiet harbour}\n")
	var o desired.Outcome
	for _, tc := range []struct {
		query         string
		changes, left int
	}{{"?dry_run=true&prune=true", 3, 2}, {"?dry_run=false", 2, 3}, {"?replace_credentials=true", 0, 3}, {"?prune=true", 1, 2}} {
		o = desired.Outcome{}
		c.call("POST", "/state"+tc.query, state).ok(200, &o)
		if len(o.Changes) != tc.changes || len(o.LeftAlone) != tc.left || o.DryRun != strings.Contains(tc.query, "dry_run=true") {
			c.Errorf("%s: %+v, want %d changes, %d left alone", tc.query, o, tc.changes, tc.left)
		}
	}
	p := c.call("POST", "/state", []byte("users:\n  - {username: dora, colour: red}\n  - {email: x}\n")).refused(400, "invalid_request", "there is no such key")
	if len(p.Faults) != 2 || p.Faults[0].Line != 2 || p.Faults[0].Field != "users[0].colour" || p.Faults[1].Line != 3 {
		c.Errorf("faults = %+v", p.Faults)
	}
}

// Whoever writes back what they read changes nothing; one member changed is one change.
func TestWhatWasReadCanBeWrittenBack(t *testing.T) {
	c := newConsole(t)
	for id, body := range map[string]map[string]any{
		"office": {"client_name": "Office", "redirect_uris": []string{"https://office.example.com/cb"}, "access_token_ttl": "5m", "mfa": "TIME_BASED",
			"mfa_interval": "12h", "refresh_grace": "0s", "grant_types": []string{"authorization_code", "refresh_token"}, "scopes": []string{"openid"}},
		"spa": {"public": true, "redirect_uris": []string{"https://spa.example.com/cb"}, "refresh_grace": "7s", "refresh_token_ttl": "720h"},
	} {
		c.call("PUT", "/clients/"+id, body).done(201, "created")
		var read map[string]any
		c.call("GET", "/clients/"+id, nil).ok(200, &read)
		c.call("PUT", "/clients/"+id, read).done(200, "nothing to change")
		read["refresh_token_ttl"] = 86400
		if d := c.call("PUT", "/clients/"+id, read).done(200, "changed"); len(d.Differences) != 1 || d.Differences[0].Key != "refresh_token_ttl" {
			t.Errorf("%s: differences = %+v", id, d.Differences)
		}
		c.call("PUT", "/clients/"+id, read).refused(400, "invalid_request", "updated_at: is read-only")
	}
	id := string(c.call("POST", "/users", map[string]any{"username": "bob", "email": "bob@example.com", "password": "a quiet harbour at dawn",
		"recovery_codes": []string{"aaaabbbbccccddddeeeeffff"}, "roles": []string{"editor"}, "profile": map[string]any{"name": "Bob", "address": map[string]any{"country": "DE"}},
		"mfa_enabled": false}).done(201, "created").User)
	var read map[string]any
	c.call("GET", "/users/"+id, nil).ok(200, &read)
	c.call("PATCH", "/users/"+id, read).done(200, "nothing to change")
	read["roles"] = []string{"auditor"}
	if d := c.call("PATCH", "/users/"+id, read).done(200, "changed"); len(d.Differences) != 1 || d.Differences[0].Key != "roles" {
		t.Errorf("differences = %+v", d.Differences)
	}
	c.call("GET", "/users/"+id, nil).ok(200, &read)
	read["names"] = []any{}
	c.call("PATCH", "/users/"+id, read).refused(400, "invalid_request", "names: is read-only")
}
