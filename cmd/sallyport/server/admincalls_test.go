package server_test

import (
	"crypto/rand"
	"crypto/sha256"
	"slices"
	"strings"
	"time"

	"sallyport/cmd/sallyport/servertest"
	"sallyport/mfa"
	"sallyport/mfa/users"
	"sallyport/provider/desired"
	"sallyport/storage"
	"sallyport/web/admin"
)

// adminWalk makes every call of the admin API.
type adminWalk struct{ *servertest.AdminAPI }

// walk makes every call and checks its effect.
func (c adminWalk) walk() {
	c.Helper()
	c.userWalk()
	c.sessionWalk()
	c.retiredWalk()
	c.clientWalk()
	c.keyWalk()
	c.invitationWalk()
	c.registrationWalk()
	c.messageWalk()
	c.waitWalk()
	c.stateWalk()
	var keys admin.Keys
	c.Call("GET", "/keys", nil).Decode(200, &keys)
	if !slices.ContainsFunc(keys.Keys, func(k admin.ServerKey) bool { return k.Use == "oidc" && k.Alg == "ES256" }) {
		c.Errorf("keys = %+v, want one that signs", keys.Keys)
	}
	var id admin.Identity
	c.Key = ""
	c.Call("GET", "/server?challenge=abc", nil).Decode(200, &id)
	if !strings.HasPrefix(id.Issuer, "http://127.0.0.1:") || id.Proof != admin.KeyOf(servertest.AdminKey).Proof(id.Issuer, "abc") || id.Proof == admin.KeyOf(servertest.AdminKey).Proof(id.Issuer, "abd") {
		c.Errorf("identity = %+v", id)
	}
	c.Key = servertest.AdminKey
}

func (c adminWalk) userWalk() {
	c.Helper()
	// Texts that parsers could interpret differently.
	odd := "quote\" back\\slash # no: comment \U0001f6a2 {x: [y]} - & * ! | > ' % @ `"
	id := string(c.Call("POST", "/users", map[string]any{"username": "alice", "password": "a quiet harbour: #dawn \"\\u0041", "mfa_enabled": true,
		"totp_secret": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "totp_period": "60s", "recovery_codes": []string{"aaaabbbbccccddddeeeeffff"},
		"profile": map[string]any{"name": odd, "given_name": "yes", "nickname": "0123", "address": map[string]any{"country": "null"}}}).Done(201, "created").User)
	one := "/users/" + id
	var u admin.User
	c.Call("GET", one, nil).Decode(200, &u)
	if u.Profile["name"] != odd || u.Profile["given_name"] != "yes" || u.Profile["nickname"] != "0123" || len(u.Factors) != 3 || *u.RecoveryCodes != 1 || !u.MFAEnabled {
		c.Errorf("user = %+v", u)
	}
	account, err := c.Server.Store.Account(c.Context(), storage.UserID(id))
	if err != nil {
		c.Fatal(err)
	}
	if a, err := c.Server.Users.Amendment(c.Context(), account, users.Draft{Password: "a quiet harbour: #dawn \"\\u0041"}, users.AmendOptions{Credentials: true}); err != nil || len(a.Differences) != 0 {
		c.Errorf("the password changed: %v %v", a.Differences, err)
	}
	d := c.Call("PATCH", one, map[string]any{"email": "alice@example.com", "email_verified": true, "roles": []string{"editor"}, "profile": map[string]any{"name": "Alice"}}).Done(200, "changed")
	if len(d.Differences) != 6 || d.User != storage.UserID(id) {
		c.Errorf("differences = %+v", d.Differences)
	}
	c.Call("PATCH", one, map[string]any{"mfa_enabled": true}).Done(200, "nothing to change")
	c.Call("PATCH", one, map[string]any{"totp_secret": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "totp_digits": 8}).Done(200, "changed")
	c.Call("POST", one+"/disable", nil).Done(200, "disabled")
	c.Call("POST", one+"/enable", nil).Done(200, "enabled")
	c.Call("POST", one+"/unlock", nil).Done(200, "unlocked")
	c.Call("POST", one+"/reset-counters", nil).Done(200, "no counter is ahead of the clock")
	c.Call("POST", one+"/password", map[string]any{"password": "another harbour"}).Done(200, "has another password, everything under way ended")
	c.Call("POST", one+"/reset-factors", nil).Done(200, "second factors taken away, everything under way ended")
	second := c.Call("POST", "/users", map[string]any{"phone_number": "+12025550123", "id": "00000000-0000-4000-8000-00000000000c"}).Done(201, "created")
	var page admin.Users
	c.Call("GET", "/users?limit=1", nil).Decode(200, &page)
	first := page.Users[0].ID
	if len(page.Users) != 1 || page.Next != first {
		c.Errorf("the first page = %+v", page)
	}
	c.Call("GET", "/users?limit=2&after="+string(first), nil).Decode(200, &page)
	if len(page.Users) != 1 {
		c.Errorf("the second page = %+v", page)
	}
	for name, want := range map[string]int{"ALICE@example.com": 1, "nobody": 0, "a%40b%40c": 0, string(second.User): 1} {
		page = admin.Users{}
		c.Call("GET", "/users?name="+name, nil).Decode(200, &page)
		if len(page.Users) != want || page.Next != "" {
			c.Errorf("users called %s = %+v, want %d", name, page, want)
		}
	}
	c.Call("DELETE", "/users/"+string(second.User), nil).Done(200, "deleted")
	var events admin.Events
	c.Call("GET", "/events?limit=2&user="+id, nil).Decode(200, &events)
	if len(events.Events) != 2 || events.Next != events.Events[1].ID || events.Events[1].Actor != "admin" {
		c.Errorf("events = %+v", events)
	}
	next := "/events?kind=user.created&since=2020-01-01T00:00:00Z&until=" + time.Now().UTC().Add(time.Hour).Format(time.RFC3339) + "&user=" + id + "&before=" + string(events.Next)
	events = admin.Events{}
	c.Call("GET", next, nil).Decode(200, &events)
	if len(events.Events) != 1 || events.Next != "" || events.Events[0].Kind != mfa.EventUserCreated {
		c.Errorf("the next page = %+v", events)
	}
}

// retiredWalk frees a user name that is kept for the user who gave it up.
func (c adminWalk) retiredWalk() {
	c.Helper()
	ctx := c.Context()
	id := c.Call("POST", "/users", map[string]any{"username": "erna", "email": "erna@example.com", "password": "a lighthouse at dusk"}).Done(201, "created").User
	a, err := c.Server.Users.Account(ctx, id)
	if err != nil {
		c.Fatal(err)
	}
	name := slices.IndexFunc(a.Identifiers, func(i storage.Identifier) bool { return i.Kind == storage.Username })
	names := storage.NamesChange{Retire: []storage.IdentifierID{a.Identifiers[name].ID}, Until: time.Now().Add(time.Hour)}
	if err := c.Server.Store.UpdateUser(ctx, storage.UserChange{ID: id, Now: time.Now(), Names: &names}); err != nil {
		c.Fatal(err)
	}
	var user map[string]any
	c.Call("GET", "/users/"+string(id), nil).Decode(200, &user)
	if list, _ := user["retired_usernames"].([]any); len(list) != 1 {
		c.Errorf("retired names: %v", user["retired_usernames"])
	}
	c.Call("PATCH", "/users/"+string(id), user).Done(200, "nothing to change") // what was read can be written back
	c.Call("POST", "/users", map[string]any{"username": "Erna"}).Refused(409, "identifier_taken", "")
	for _, query := range []string{"?name=nobody", "?name=alice", ""} {
		c.Call("DELETE", "/retired-usernames"+query, nil).Refused(404, "identifier_not_found", "no user has this")
	}
	c.Call("DELETE", "/retired-usernames?name=%00", nil).Refused(400, "invalid_request", "not valid text")
	if d := c.Call("DELETE", "/retired-usernames?name=ERNA", nil).Done(200, "no longer kept for its user"); d.User != id {
		c.Errorf("freed = %+v", d)
	}
	next := c.Call("POST", "/users", map[string]any{"username": "Erna"}).Done(201, "created").User
	for _, user := range []storage.UserID{id, next} {
		c.Call("DELETE", "/users/"+string(user), nil).Done(200, "deleted")
	}
}

func (c adminWalk) sessionWalk() {
	c.Helper()
	id := c.Call("POST", "/users", map[string]any{"username": "bob"}).Done(201, "created").User
	begin := func() storage.SessionID {
		now := time.Now()
		s := storage.Session{ID: storage.SessionID(storage.TimeOrdered(now, rand.Reader)), UserID: id, Origin: "browser",
			CreatedAt: now, LastSeenAt: now, ExpiresAt: now.Add(time.Hour)}
		if err := c.Server.Store.CreateSession(c.Context(), s, nil); err != nil {
			c.Fatal(err)
		}
		return s.ID
	}
	var list admin.Sessions
	session := begin()
	var devices admin.RememberedDevices
	if c.Call("GET", "/users/"+string(id)+"/remembered-devices", nil).Decode(200, &devices); len(devices.Devices) != 0 {
		c.Errorf("remembered devices: %+v", devices)
	}
	c.Call("DELETE", "/users/"+string(id)+"/remembered-devices", nil).Done(200, "asked for the second factor again")
	c.Call("DELETE", "/users/"+string(id)+"/remembered-devices?device=none", nil).Refused(409, "not_configured", "no such")
	c.Call("GET", "/users/"+string(id)+"/sessions", nil).Decode(200, &list)
	if len(list.Sessions) != 1 || list.Sessions[0].ID != session {
		c.Errorf("sessions = %+v", list)
	}
	if d := c.Call("DELETE", "/sessions/"+string(session)+"?offline=true", nil).Done(200, "ended"); d.User != id || d.Session != session {
		c.Errorf("ended = %+v", d)
	}
	for _, query := range []string{"", "?offline=false", "?offline=true"} {
		begin()
		c.Call("POST", "/users/"+string(id)+"/sign-out"+query, nil).Done(200, "all sessions ended")
		c.Call("GET", "/users/"+string(id)+"/sessions", nil).Decode(200, &list)
		if len(list.Sessions) != 0 {
			c.Errorf("sessions after sign-out%s = %+v", query, list)
		}
	}
}

func (c adminWalk) clientWalk() {
	c.Helper()
	body := map[string]any{"client_name": "Office", "redirect_uris": []string{"https://office.example.com/cb"}, "access_token_ttl": "5m"}
	created := c.Call("PUT", "/clients/office", body).Done(201, "created")
	good := func(secret string) bool {
		x, err := c.Server.Store.Client(c.Context(), "office")
		if err != nil {
			c.Fatal(err)
		}
		sum := sha256.Sum256([]byte(secret))
		return slices.ContainsFunc(x.SecretHashes, func(h []byte) bool { return string(h) == string(sum[:]) })
	}
	if len(created.Secret) != 64 || !good(created.Secret) {
		c.Errorf("created = %+v, want a secret that is valid", created)
	}
	body["client_name"] = "Bureau"
	if d := c.Call("PUT", "/clients/office", body).Done(200, "changed"); d.Secret != "" || !good(created.Secret) || len(d.Differences) != 1 {
		c.Errorf("replaced = %+v, want the secret kept", d)
	}
	c.Call("PUT", "/clients/office", body).Done(200, "nothing to change")
	second := c.Call("POST", "/clients/office/secrets", nil).Done(201, "the new secret is good beside the old one")
	c.Call("POST", "/clients/office/secrets", nil).Refused(409, "conflict", "a rotation is under way")
	c.Call("PUT", "/clients/office", body).Done(200, "nothing to change")
	if !good(created.Secret) || !good(second.Secret) {
		c.Error("want both secrets valid")
	}
	c.Call("DELETE", "/clients/office/secrets/old", nil).Done(200, "only the newest secret is good")
	c.Call("DELETE", "/clients/office/secrets/old", nil).Refused(409, "conflict", "no rotation is under way")
	own := strings.Repeat("own", 12)
	if d := c.Call("POST", "/clients/office/secrets", map[string]any{"client_secret": own}).Done(201, "the new secret is good beside the old one"); d.Secret != "" || !good(own) || good(created.Secret) {
		c.Errorf("a secret of the caller = %+v", d)
	}
	var x admin.Client
	c.Call("GET", "/clients/office", nil).Decode(200, &x)
	if x.Name != "Bureau" || x.Secrets != 2 || x.AccessTokenTTL != 300 {
		c.Errorf("client = %+v", x)
	}
	if d := c.Call("PUT", "/clients/spa", map[string]any{"public": true, "redirect_uris": []string{"https://spa.example.com/cb"}}).Done(201, "created"); d.Secret != "" {
		c.Error("a public client got a secret")
	}
	c.Call("POST", "/clients/spa/secrets", nil).Refused(409, "conflict", "it has no secret")
	c.Call("PUT", "/clients/spa", map[string]any{"public": true, "redirect_urls": []string{}}).Refused(400, "invalid_request", "there is no such key; did you mean redirect_uris?")
	var all admin.Clients
	c.Call("GET", "/clients", nil).Decode(200, &all)
	if len(all.Clients) != 2 || strings.Contains(string(c.Call("GET", "/clients", nil).Raw), "secret_hashes") {
		c.Errorf("clients = %+v", all)
	}
	c.Call("DELETE", "/clients/spa", nil).Done(200, "deleted")
	c.Call("DELETE", "/clients/spa", nil).Refused(404, "not_found", "no such client")
	c.signingWalk()
}

// signingWalk walks through a client that signs with its secret: the server keeps that, and no call shows it.
func (c adminWalk) signingWalk() {
	c.Helper()
	body := map[string]any{"redirect_uris": []string{"https://ledger.example.com/cb"}}
	has := func(secrets ...string) {
		c.Helper()
		x, err := c.Server.Store.Client(c.Context(), "ledger")
		var want []storage.ClientSecret
		for _, s := range secrets {
			want = append(want, storage.ClientSecret(s))
		}
		if err != nil || !slices.Equal(x.Secrets, want) {
			c.Errorf("the server keeps %d secrets, %v; want %d", len(x.Secrets), err, len(want))
		}
		if text := c.Call("GET", "/clients/ledger", nil).Raw; slices.ContainsFunc(secrets, func(s string) bool { return strings.Contains(string(text), s) }) {
			c.Error("a GET shows the secret")
		}
	}
	hashed := c.Call("PUT", "/clients/ledger", body).Done(201, "created").Secret
	has()
	body["token_endpoint_auth_method"], body["token_endpoint_auth_signing_alg"] = "client_secret_jwt", "HS512"
	first := c.Call("PUT", "/clients/ledger", body).Done(200, "changed").Secret
	if len(first) != 64 || first == hashed {
		c.Errorf("a client that is to sign got a secret of %d characters", len(first))
	}
	has(first)
	c.Call("PUT", "/clients/ledger", body).Done(200, "nothing to change")
	c.Call("POST", "/clients/ledger/secrets", map[string]any{"client_secret": first[:63]}).Refused(400, "invalid_request", "must have 64 characters or more with HS512")
	second := c.Call("POST", "/clients/ledger/secrets", nil).Done(201, "the new secret is good beside the old one").Secret
	body["client_name"] = "Ledger"
	c.Call("PUT", "/clients/ledger", body).Done(200, "changed")
	has(second, first)
	c.Call("DELETE", "/clients/ledger/secrets/old", nil).Done(200, "only the newest secret is good")
	has(second)
	body["client_secret_sha256"] = strings.Repeat("0", 64)
	c.Call("PUT", "/clients/ledger", body).Refused(400, "invalid_request", "a hash verifies no signature")
	delete(body, "client_secret_sha256")
	body["token_endpoint_auth_method"] = "client_secret_basic"
	delete(body, "token_endpoint_auth_signing_alg")
	if d := c.Call("PUT", "/clients/ledger", body).Done(200, "changed"); d.Secret != "" {
		c.Error("a client that sends the secret that it has got another")
	}
	has()
	body["token_endpoint_auth_method"], body["jwks_uri"] = "private_key_jwt", "https://ledger.example.com/jwks"
	if d := c.Call("PUT", "/clients/ledger", body).Done(200, "changed"); d.Secret != "" {
		c.Error("a client with keys got a secret")
	}
	c.Call("DELETE", "/clients/ledger", nil).Done(200, "deleted")
}

func (c adminWalk) keyWalk() {
	c.Helper()
	created := c.Call("POST", "/api-keys", map[string]any{"name": "Back office", "dialects": []string{"admin", "streambird"}, "verbs": []string{"read"}, "app": "x",
		"expires_at": "2999-01-01T00:00:00Z"}).Done(201, "created")
	c.Call("POST", "/api-keys", map[string]any{"name": "Back office", "dialects": []string{"admin"}, "verbs": []string{"read"}}).Refused(409, "conflict", "has this name")
	one := "/api-keys/" + string(created.APIKey)
	opens := func(secret string, want bool) {
		c.Helper()
		_, err := c.Server.APIKeys.Authenticate(c.Context(), mfa.Caller{}, secret)
		if (err == nil) != want {
			c.Errorf("the key opens: %v, want %v", err, want)
		}
	}
	opens(created.Secret, true)
	c.Call("POST", one+"/disable", nil).Done(200, "disabled")
	opens(created.Secret, false)
	c.Call("POST", one+"/enable", nil).Done(200, "enabled")
	withdrawn := c.Call("POST", one+"/secrets", nil).Done(201, "the new secret is good beside the old one")
	c.Call("DELETE", one+"/secrets/new", nil).Done(200, "only the old secret is good")
	opens(withdrawn.Secret, false)
	second := c.Call("POST", one+"/secrets", nil).Done(201, "the new secret is good beside the old one")
	opens(created.Secret, true)
	c.Call("DELETE", one+"/secrets/old", nil).Done(200, "only the newest secret is good")
	opens(created.Secret, false)
	opens(second.Secret, true)
	var k admin.APIKey
	c.Call("GET", one, nil).Decode(200, &k)
	if k.Name != "Back office" || k.Secrets != 1 || k.App != "x" || k.ExpiresAt == nil {
		c.Errorf("key = %+v", k)
	}
	for query, want := range map[string]int{"": 1, "?name=Back%20office": 1, "?name=" + string(k.ID): 1, "?name=none": 0} {
		var all admin.APIKeys
		c.Call("GET", "/api-keys"+query, nil).Decode(200, &all)
		if len(all.APIKeys) != want {
			c.Errorf("keys%s = %+v, want %d", query, all, want)
		}
	}
	c.Call("DELETE", one, nil).Done(200, "deleted")
	opens(second.Secret, false)
}

func (c adminWalk) stateWalk() {
	c.Helper()
	state := []byte("clients:\n  - {client_id: shop, public: true, redirect_uris: [\"https://shop.example.com/cb\"]}\nusers:\n  - {username: carol, password: a quiet harbour}\n")
	var o desired.Outcome
	for _, tc := range []struct {
		query         string
		changes, left int
	}{{"?dry_run=true&prune=true", 3, 2}, {"?dry_run=false", 2, 3}, {"?replace_credentials=true", 0, 3}, {"?prune=true", 1, 2}} {
		o = desired.Outcome{}
		c.Call("POST", "/state"+tc.query, state).Decode(200, &o)
		if len(o.Changes) != tc.changes || len(o.LeftAlone) != tc.left || o.DryRun != strings.Contains(tc.query, "dry_run=true") {
			c.Errorf("%s: %+v, want %d changes, %d kept", tc.query, o, tc.changes, tc.left)
		}
	}
	p := c.Call("POST", "/state", []byte("users:\n  - {username: dora, colour: red}\n  - {email: x}\n")).Refused(400, "invalid_request", "there is no such key")
	if len(p.Faults) != 2 || p.Faults[0].Line != 2 || p.Faults[0].Field != "users[0]" || p.Faults[1].Line != 3 {
		c.Errorf("faults = %+v", p.Faults)
	}
}
