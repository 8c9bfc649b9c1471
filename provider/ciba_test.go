package provider

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/delivery"
	"sallyport/mfa/session"
	"sallyport/provider/clients"
	"sallyport/storage"
)

// asking is a client that asks users to sign in.
func asking(c *storage.Client) {
	c.GrantTypes, c.RedirectURIs, c.Name = []string{clients.CIBA, "refresh_token"}, nil, "Till"
}

func pinged(c *storage.Client) {
	c.BackchannelMode, c.BackchannelNotificationEndpoint = clients.Ping, "https://rp.example/ping"
}

// backchannel sends a request of a confidential client.
func (h *fixture) backchannel(id string, changes ...string) reply {
	h.t.Helper()
	return h.post(h.p.BackchannelAuthentication, id, formOf(append([]string{"scope", "openid email", "login_hint", "ada"}, changes...)...))
}

// asked is backchannel for requests that are taken.
func (h *fixture) asked(id string, changes ...string) string {
	h.t.Helper()
	r := h.backchannel(id, changes...)
	if r.Status != http.StatusOK || len(r.get("auth_req_id")) < 43 || r.Body["interval"] != 5.0 || r.Body["expires_in"] == nil || len(r.Body) != 3 {
		h.t.Fatalf("backchannel authentication = %d %s", r.Status, r.Raw)
	}
	return r.get("auth_req_id")
}

// fetched polls once the interval has passed.
func (h *fixture) fetched(id, request string) reply {
	h.t.Helper()
	h.clock.Advance(5 * time.Second)
	return h.post(h.p.Grants.Token, id, url.Values{"grant_type": {clients.CIBA}, "auth_req_id": {request}})
}

// signedIn signs a user in.
func (h *fixture) signedIn(name string) *session.SignedIn {
	h.t.Helper()
	h.client("portal")
	b := h.begin(params("portal"), nil)
	h.enter(b.Request, name, nil)
	f, _ := h.finish(b.Request, nil)
	s, err := h.sessions.Load(h.ctx, f.SessionToken)
	h.ok(err)
	return s
}

// waiting returns the only request that waits for a user.
func (h *fixture) waiting(s *session.SignedIn) Waiting {
	h.t.Helper()
	list, err := h.p.Waiting(h.ctx, s.Account.User.ID)
	h.ok(err)
	if len(list) != 1 {
		h.t.Fatalf("%d requests wait, want 1", len(list))
	}
	return list[0]
}

// looked opens the login for a request, with the session of its user.
func (h *fixture) looked(id storage.PolledID, s *session.SignedIn) Step {
	h.t.Helper()
	b, err := h.p.BeginWaiting(h.ctx, id, h.visit, s)
	h.ok(err)
	if b.Finished != nil {
		h.t.Fatal("the login ended without a question")
	}
	return h.next(b.Request, s)
}

// confirmed allows a request and ends its login.
func (h *fixture) confirmed(st Step, s *session.SignedIn) (Finished, error) {
	h.t.Helper()
	if st.Kind != StepConsent || st.Polled == nil {
		h.t.Fatalf("step = %s of %+v, want consent to a polled request", st.Kind, st.Polled)
	}
	h.ok(h.p.Allow(h.ctx, st, h.visit, nil))
	next, err := h.p.Next(h.ctx, Ask{Request: st.Request.Address(), Visit: h.visit, SignedIn: s})
	if err != nil {
		return Finished{}, err
	}
	return h.p.Finish(h.ctx, next, h.visit, s)
}

// pings leases the notifications of clients.
func (h *fixture) pings() []storage.Message {
	h.t.Helper()
	list, err := h.engine.LeaseMessages(h.ctx, storage.Lease{Kind: storage.BackchannelPing, Now: h.now(), For: time.Hour, Limit: 10})
	h.ok(err)
	return list
}

// announced does the jobs that tell users of requests, and returns what they are told.
func (h *fixture) announced() []storage.Message {
	h.t.Helper()
	jobs, err := h.engine.LeaseMessages(h.ctx, storage.Lease{Kind: WaitingKind, Now: h.now(), For: time.Hour, Limit: 100})
	h.ok(err)
	for _, m := range jobs {
		for range 2 { // a job that is repeated tells nobody twice
			h.ok(h.p.Announcer().Send(h.ctx, delivery.Outgoing{ID: m.ID, Kind: m.Kind, Data: m.Data, CreatedAt: m.CreatedAt}))
		}
		h.ok(h.engine.SettleMessage(h.ctx, storage.Delivery{ID: m.ID, Attempt: m.Attempts, OK: true, Now: h.now()}))
	}
	told, err := h.engine.LeaseMessages(h.ctx, storage.Lease{Kind: "mail", Now: h.now(), For: time.Hour, Limit: 100})
	h.ok(err)
	return told
}

func (h *fixture) disable(id storage.UserID) {
	h.t.Helper()
	a, err := h.engine.Account(h.ctx, id)
	h.ok(err)
	h.ok(h.users.Disable(h.ctx, h.visit, a))
}

// Conformance (CIBA): CIBA Core 7.1, 7.3: a named user is asked; auth_req_id has 256 bits, with expires_in and interval
// Conformance (CIBA): CIBA Core 10.1.1, 11: `authorization_pending`, then the tokens, once
func TestAClientAsksItsUser(t *testing.T) {
	onBothDatabases(t, func(h *fixture) {
		h.client("till", asking, pinged)
		h.client("other", asking)
		h.user("ada", "")
		s := h.signedIn("ada")
		token := "a-secret.of_the~client+/=="
		id := h.asked("till", "scope", "openid email offline_access", "binding_message", "Order 17: 5 €", "requested_expiry", "120", "client_notification_token", token)
		if r := h.fetched("till", id); r.Status != 400 || r.get("error") != "authorization_pending" {
			t.Errorf("before = %d %s", r.Status, r.Raw)
		}
		if r := h.fetched("other", id); r.get("error") != "invalid_grant" || strings.Contains(r.Refusal.Value, id) {
			t.Errorf("another client = %s, logged %q", r.Raw, r.Refusal.Value)
		}
		if r := h.post(h.p.Grants.Token, "till", url.Values{"grant_type": {clients.DeviceCode}, "device_code": {id}}); r.get("error") != "unauthorized_client" {
			t.Errorf("as a device = %s", r.Raw)
		}
		w := h.waiting(s)
		if w.Client.Name != "Till" || w.Message != "Order 17: 5 €" || w.Address != h.visit.Address || w.Until.Sub(w.Since) != 2*time.Minute {
			t.Errorf("waiting = %+v", w)
		}
		told := h.announced()
		if len(told) != 1 || told[0].Recipient != "ada@example.org" || told[0].Data["application"] != "Till" || !told[0].ExpiresAt.Equal(w.Until) || strings.Contains(told[0].Data["application"], "Order") {
			t.Errorf("told = %+v", told)
		}
		st := h.looked(w.ID, s)
		if st.Polled.Details.Message != "Order 17: 5 €" {
			t.Errorf("details = %+v", st.Polled.Details)
		}
		f, err := h.confirmed(st, s)
		h.ok(err)
		if f.Answer.Location != issuer+WaitingAllowedPath {
			t.Errorf("the browser goes to %q", f.Answer.Location)
		}
		pings := h.pings()
		if len(pings) != 1 || pings[0].Recipient != "till" || pings[0].Data[storage.PingCode] != id || pings[0].Data[storage.PingToken] != token {
			t.Errorf("pings = %+v", pings)
		}
		r := h.fetched("till", id)
		if r.Status != 200 || r.get("access_token") == "" || r.get("scope") != "openid email offline_access" {
			t.Fatalf("after = %d %s", r.Status, r.Raw)
		}
		claims, _ := h.readJWT(r.get("id_token"))
		if claims["aud"] != "till" || claims["sub"] == "" || claims["acr"] != string(mfa.AAL1) || claims["auth_time"] == nil {
			t.Errorf("ID token = %v", claims)
		}
		if r := h.post(h.p.Grants.Token, "till", refreshOf(r.get("refresh_token"))); r.Status != 200 {
			t.Errorf("refresh = %d %s", r.Status, r.Raw)
		}
		if r := h.fetched("till", id); r.get("error") != "invalid_grant" || r.Refusal.Reason != "used_code" {
			t.Errorf("again = %d %s for %s", r.Status, r.Raw, r.Refusal.Reason)
		}
		if _, err := h.p.BeginWaiting(h.ctx, w.ID, h.visit, s); mfa.CodeOf(err) != mfa.RequestOver {
			t.Errorf("the request opens again: %v", err)
		}
		if text := h.logged.String(); strings.Contains(text, id) || strings.Contains(text, token) {
			t.Errorf("the log has a secret: %s", text)
		}
	})
}

// Conformance (CIBA): CIBA Core 7.1: one hint, openid, binding_message, requested_expiry, client_notification_token
// Conformance (CIBA): CIBA Core 13: `invalid_request`, `invalid_scope`, `unauthorized_client`, `invalid_binding_message`
func TestBackchannelRequestsAreChecked(t *testing.T) {
	h := newFixture(t)
	h.client("till", asking)
	h.client("pinged", asking, pinged)
	h.client("portal")
	h.client("open", asking, public)
	h.client("strict", asking, func(c *storage.Client) { c.Profile = clients.FAPI2 })
	h.user("ada", "")
	for _, tc := range []struct {
		name, client string
		changes      []string
		want         string
	}{
		{"no hint", "till", []string{"login_hint", ""}, "invalid_request"},
		{"two hints", "till", []string{"id_token_hint", "x.y.z"}, "invalid_request"},
		{"a hint that is no token", "till", []string{"login_hint", "", "id_token_hint", "x.y.z"}, "invalid_request"},
		{"a token as hint", "till", []string{"login_hint", "", "login_hint_token", "x.y.z"}, "invalid_request"},
		{"without openid", "till", []string{"scope", "email"}, "invalid_scope"},
		{"a scope of others", "till", []string{"scope", "openid admin"}, "invalid_scope"},
		{"a user code", "till", []string{"user_code", "1234"}, "invalid_request"},
		{"a long message", "till", []string{"binding_message", strings.Repeat("ü", 101)}, "invalid_binding_message"},
		{"a message that overrides directions", "till", []string{"binding_message", "pay \u202e5"}, "invalid_binding_message"},
		{"a message with letters that show nothing", "till", []string{"binding_message", "pay\u31645"}, "invalid_binding_message"},
		{"a message of two lines", "till", []string{"binding_message", "pay\n5"}, "invalid_binding_message"},
		{"no time", "till", []string{"requested_expiry", "0"}, "invalid_request"},
		{"a negative time", "till", []string{"requested_expiry", "-5"}, "invalid_request"},
		{"an object that is not registered", "till", []string{"request", "x.y.z"}, "invalid_request"},
		{"an address of an object", "till", []string{"request_uri", "https://rp.example/object"}, "invalid_request"},
		{"an unknown resource", "till", []string{"resource", "https://api.example"}, "invalid_target"},
		{"a max_age that is none", "till", []string{"max_age", "soon"}, "invalid_request"},
		{"ping without token", "pinged", nil, "invalid_request"},
		{"ping with a token of two lines", "pinged", []string{"client_notification_token", "a\r\nX: y"}, "invalid_request"},
		{"ping with a long token", "pinged", []string{"client_notification_token", strings.Repeat("a", 1025)}, "invalid_request"},
		{"a client without the grant", "portal", nil, "unauthorized_client"},
		{"unsigned, with fapi2", "strict", nil, "invalid_request"},
	} {
		if r := h.backchannel(tc.client, tc.changes...); r.Status != 400 || r.get("error") != tc.want || strings.Contains(r.Refusal.Value, "x.y.z") || strings.Contains(r.Refusal.Value, "pay") {
			t.Errorf("%s = %d %s, want %s; logged %q", tc.name, r.Status, r.Raw, tc.want, r.Refusal.Value)
		}
	}
	if r := h.post(h.p.BackchannelAuthentication, "", url.Values{"client_id": {"open"}, "scope": {"openid"}, "login_hint": {"ada"}}); r.get("error") != "unauthorized_client" {
		t.Errorf("a public client = %d %s", r.Status, r.Raw)
	}
	for sent, want := range map[string]float64{"": 600, "1": 30, "30": 30, "90": 90, "99999": 600} {
		h.clock.Advance(10 * time.Minute)
		if r := h.backchannel("till", "requested_expiry", sent); r.Body["expires_in"] != want {
			t.Errorf("requested_expiry %q = %s, want %v", sent, r.Raw, want)
		}
	}
	if r := h.backchannel("pinged", "client_notification_token", strings.Repeat("a", 1024)); r.Status != 200 {
		t.Errorf("ping = %d %s", r.Status, r.Raw)
	}
}

// Conformance (CIBA): CIBA Core 7.1.1: signed requests, complete, and nothing beside them
func TestSignedBackchannelRequests(t *testing.T) {
	h := newFixture(t)
	key := newKey(t)
	h.client("till", asking, func(c *storage.Client) { c.JWKS, c.BackchannelRequestAlg = key.set(t), "ES256" })
	h.user("ada", "")
	now := h.now().Unix()
	good := map[string]any{"iss": "till", "aud": issuer, "exp": now + 300, "nbf": now, "iat": now, "jti": "one", "scope": "openid", "login_hint": "ada", "requested_expiry": 120}
	send := func(changes map[string]any, beside ...string) reply {
		payload := map[string]any{}
		for _, from := range []map[string]any{good, changes} {
			for name, v := range from {
				if payload[name] = v; v == nil {
					delete(payload, name)
				}
			}
		}
		text, err := json.Marshal(payload)
		h.ok(err)
		return h.post(h.p.BackchannelAuthentication, "till", formOf(append([]string{"request", key.sign(t, "ES256", "", text)}, beside...)...))
	}
	if r := send(nil); r.Status != 200 || r.Body["expires_in"] != 120.0 {
		t.Errorf("a signed request = %d %s", r.Status, r.Raw)
	}
	for name, changes := range map[string]map[string]any{
		"no exp": {"exp": nil}, "no nbf": {"nbf": nil}, "no iat": {"iat": nil}, "no jti": {"jti": nil}, "no aud": {"aud": nil}, "no iss": {"iss": nil},
		"expired": {"exp": now - 60}, "not yet": {"nbf": now + 60, "exp": now + 300}, "issued tomorrow": {"iat": now + 86400}, "too long": {"exp": now + 2*3600},
		"for another server": {"aud": "https://other.example"}, "of another client": {"iss": "other"}, "an assertion": {"sub": "till"}, "an object in it": {"request": "x.y.z"},
	} {
		if r := send(changes); r.Status != 400 || r.get("error") != "invalid_request_object" {
			t.Errorf("%s = %d %s", name, r.Status, r.Raw)
		}
	}
	if r := send(nil, "login_hint", "eve"); r.get("error") != "invalid_request" {
		t.Errorf("a hint beside it = %s", r.Raw)
	}
	if r := h.backchannel("till"); r.get("error") != "invalid_request" {
		t.Errorf("unsigned = %s", r.Raw)
	}
	stranger := newKey(t)
	text, err := json.Marshal(good)
	h.ok(err)
	if r := h.post(h.p.BackchannelAuthentication, "till", url.Values{"request": {stranger.sign(t, "ES256", "", text)}}); r.get("error") != "invalid_request_object" {
		t.Errorf("by a stranger = %s", r.Raw)
	}
}
