package provider

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/session"
	"sallyport/provider/clients"
	"sallyport/storage"
	"sallyport/storage/storagetest"
)

const (
	orders      = "https://orders.example"
	accessType  = "urn:ietf:params:oauth:token-type:access_token"
	idTokenType = "urn:ietf:params:oauth:token-type:id_token"
)

// exchanging lets a client exchange tokens of rp and of gateway, which are for the API.
func exchanging(c *storage.Client) {
	c.GrantTypes = append(c.GrantTypes, clients.TokenExchange)
	c.ExchangeSubjectClients, c.ExchangeSubjectAudiences = []string{"rp", "gateway", "worker"}, []string{api, orders}
	c.ExchangeAudiences, c.ExchangeScopes = []string{orders, "billing", "gateway", "worker", api}, []string{"read", "write"}
}

// withGateway has a client whose tokens are for an API, and the client that is this API.
func (h *fixture) withGateway(changes ...func(*storage.Client)) {
	h.client("rp", resources(api))
	h.client("gateway", append([]func(*storage.Client){exchanging}, changes...)...)
	h.client("worker", exchanging)
	h.client("billing")
	h.user("ada", "")
}

// exchange exchanges a token as a client.
func (h *fixture) exchange(id, subject string, changes ...string) reply {
	h.t.Helper()
	form := exchangeOf(subject, changes...)
	return h.post(h.p.Grants.Token, id, form)
}

func exchangeOf(subject string, changes ...string) url.Values {
	form := formOf("grant_type", clients.TokenExchange, "subject_token", subject, "subject_token_type", accessType, "audience", orders)
	maps.Copy(form, formOf(changes...))
	for i := 0; i < len(changes); i += 2 {
		if changes[i+1] == "" {
			form.Del(changes[i])
		}
	}
	return form
}

// Conformance (Token exchange): RFC 8693 2.1, 2.2.1: a token of a user is exchanged for an access token of the audience; `issued_token_type` and `scope` say what it is
// Conformance (Token exchange): RFC 8693 4.1: `act` names the client that acts for the user, in the token and in introspection
func TestATokenIsExchangedForAnother(t *testing.T) {
	for _, format := range []string{"jwt", "opaque"} {
		t.Run(format, func(t *testing.T) {
			h := newFixture(t)
			h.withGateway(func(c *storage.Client) { c.AccessTokenFormat = format })
			subject, s := h.access("rp", "scope", "openid read offline_access")
			h.wait(9 * time.Minute)
			got := h.exchange("gateway", subject)
			if got.Status != http.StatusOK || got.get("issued_token_type") != accessType || got.get("token_type") != "Bearer" || got.get("scope") != "read" ||
				got.Body["expires_in"] != 60.0 || got.get("refresh_token") != "" || got.get("id_token") != "" {
				t.Fatalf("exchange = %d %s, want a token as long as the subject's", got.Status, got.Raw)
			}
			seen := h.post(h.p.Introspection.Introspect, "gateway", formOf("token", got.get("access_token")))
			act, _ := seen.Body["act"].(map[string]any)
			if seen.Body["active"] != true || seen.get("sub") != string(s.Session.UserID) || seen.get("client_id") != "gateway" || seen.get("aud") != orders ||
				seen.get("sid") != string(s.Session.ID) || seen.get("acr") != "aal1" || !maps.Equal(act, map[string]any{"sub": "gateway"}) {
				t.Errorf("introspection = %s", seen.Raw)
			}
			h.ok(h.journal.Flush(h.ctx))
			events, err := h.engine.ListEvents(h.ctx, storage.EventFilter{Kind: mfa.EventTokenExchange, Limit: 2})
			h.ok(err)
			if len(events) != 1 || events[0].ClientID != "gateway" || events[0].UserID != s.Session.UserID || events[0].GrantID == "" ||
				!maps.Equal(events[0].Detail, map[string]string{"subject_client": "rp", "actor": "gateway", "audience": orders}) {
				t.Errorf("events = %+v, want both parties", events)
			}
			h.wait(time.Minute)
			if h.active("gateway", got.get("access_token")) {
				t.Error("the token lives longer than the one it was exchanged for")
			}
		})
	}
}

// Conformance (Token exchange): RFC 8693 2.2.2: a subject token that the policy of the client does not allow is `invalid_request`, a target `invalid_target`
// Conformance (Token exchange): RFC 6749 5.2: a client without the grant type is `unauthorized_client`
func TestWhatIsNotExchanged(t *testing.T) {
	h := newFixture(t)
	h.withGateway()
	h.client("other", resources(api))
	subject, _ := h.access("rp", "scope", "openid read")
	foreign, _ := h.access("other", "scope", "openid read")
	elsewhere := func() string {
		h.client("rp", resources("https://elsewhere.example"))
		token, _ := h.access("rp", "scope", "openid read")
		h.client("rp", resources(api))
		return token
	}()
	login := h.tokensFor("rp", "ada", "openid read offline_access")
	machine := h.post(h.p.Grants.Token, "gateway", formOf("grant_type", "client_credentials", "scope", "read")).get("access_token")
	for _, tc := range []struct {
		name, client, subject string
		changes               []string
		code, reason          string
	}{
		{"by a client without the grant type", "billing", subject, nil, "unauthorized_client", ""},
		{"a token of another client", "gateway", foreign, nil, "invalid_request", "other_client"},
		{"a token for another resource", "gateway", elsewhere, nil, "invalid_request", "other_audience"},
		{"a token of a client alone", "gateway", machine, nil, "invalid_request", "unknown_token"},
		{"a refresh token", "gateway", login.get("refresh_token"), nil, "invalid_request", "unknown_token"},
		{"an ID token as an access token", "gateway", login.get("id_token"), nil, "invalid_request", "unknown_token"},
		{"an ID token that the policy does not name", "gateway", login.get("id_token"), []string{"subject_token_type", idTokenType}, "unauthorized_client", ""},
		{"a JWT of somebody", "gateway", subject, []string{"subject_token_type", "urn:ietf:params:oauth:token-type:jwt"}, "invalid_request", ""},
		{"without a type", "gateway", subject, []string{"subject_token_type", ""}, "invalid_request", ""},
		{"without a token", "gateway", "", nil, "invalid_request", "no_token"},
		{"a changed token", "gateway", tampered(subject), nil, "invalid_request", "unknown_token"},
		{"for an audience of nobody", "gateway", subject, []string{"audience", "https://evil.example"}, "invalid_target", ""},
		{"for a resource of nobody", "gateway", subject, []string{"resource", "https://evil.example"}, "invalid_target", ""},
		{"for none of several", "gateway", subject, []string{"audience", ""}, "invalid_target", ""},
		{"a scope that the token lacks", "gateway", subject, []string{"scope", "write"}, "invalid_scope", ""},
		{"a scope that the policy lacks", "gateway", subject, []string{"scope", "openid"}, "invalid_scope", ""},
		{"for a refresh token", "gateway", subject, []string{"requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token"}, "invalid_request", ""},
		{"an actor without a type", "gateway", subject, []string{"actor_token", machine}, "invalid_request", ""},
		{"an actor type without a token", "gateway", subject, []string{"actor_token_type", accessType}, "invalid_request", ""},
		{"an actor of another client", "gateway", subject, []string{"actor_token", subject, "actor_token_type", accessType}, "invalid_request", "other_client"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := h.exchange(tc.client, tc.subject, tc.changes...)
			if got.Status != http.StatusBadRequest || got.get("error") != tc.code || tc.reason != "" && got.Refusal.Reason != tc.reason {
				t.Errorf("exchange = %d %s (%s), want %s %s", got.Status, got.Raw, got.Refusal.Reason, tc.code, tc.reason)
			}
		})
	}
	h.wait(10 * time.Minute)
	if got := h.exchange("gateway", subject); got.get("error") != "invalid_request" {
		t.Errorf("an expired token = %d %s, want invalid_request", got.Status, got.Raw)
	}
	if n := h.events(mfa.EventTokenExchange); n != 0 {
		t.Errorf("%d exchanges are logged, want none", n)
	}
}

// What the client of the subject token may do with it here, nobody may who exchanged it.
func TestAnExchangedTokenOpensNothingHere(t *testing.T) {
	h := newFixture(t)
	h.withGateway(managing, func(c *storage.Client) {
		c.ExchangeAudiences, c.ExchangeScopes = []string{issuer}, []string{"read", "profile", "email"}
	})
	subject, _ := h.access("rp", "scope", "openid read email")
	token := h.exchange("gateway", subject, "audience", issuer).get("access_token")
	if !h.active("gateway", token) {
		t.Fatal("the token is not active")
	}
	if got := h.userinfo(token); got.Status != http.StatusUnauthorized {
		t.Errorf("userinfo = %d %s, want 401", got.Status, got.Raw)
	}
	if _, err := h.p.Introspection.Owner(h.ctx, token); mfa.CodeOf(err) != mfa.NotSignedIn {
		t.Errorf("managing the account = %v, want %s", err, mfa.NotSignedIn)
	}
	if hint, _, err := h.p.logoutHint(h.ctx, url.Values{}, url.Values{"access_token_hint": {token}}); hint != nil || err != nil {
		t.Errorf("signing out = %v %v, want nothing", hint, err)
	}
}

// Conformance (Token exchange): RFC 8693 4.1: actors are nested, the current one outermost; the chain is bounded
func TestExchangesInTurn(t *testing.T) {
	h := newFixture(t)
	h.withGateway()
	token, _ := h.access("rp", "scope", "openid read")
	var made []string
	for i, step := range [][2]string{{"gateway", "worker"}, {"worker", "gateway"}, {"gateway", "worker"}, {"worker", orders}} {
		got := h.exchange(step[0], token, "audience", step[1])
		if got.Status != http.StatusOK {
			t.Fatalf("exchange %d = %d %s", i, got.Status, got.Raw)
		}
		token = got.get("access_token")
		made = append(made, token)
	}
	claims, _ := h.readJWT(token)
	var actors []string
	for act, _ := claims["act"].(map[string]any); act != nil; act, _ = act["act"].(map[string]any) {
		actors = append(actors, act["sub"].(string))
	}
	if !slices.Equal(actors, []string{"worker", "gateway", "worker", "gateway"}) {
		t.Errorf("actors = %v", actors)
	}
	if got := h.exchange("worker", token, "audience", api); got.get("error") != "invalid_request" {
		t.Errorf("a fifth exchange = %d %s, want invalid_request", got.Status, got.Raw)
	}
	// The client revokes its own token, and with it what came of it.
	h.post(h.p.Introspection.Revoke, "worker", formOf("token", made[1]))
	for i, want := range []bool{true, false, false, false} {
		if got := h.active([]string{"gateway", "worker"}[i%2], made[i]); got != want {
			t.Errorf("token %d is active: %v, want %v", i, got, want)
		}
	}
	h.client("gateway", exchanging, func(c *storage.Client) { c.Disabled = true })
	if got := h.exchange("worker", made[0]); got.get("error") != "invalid_request" {
		t.Errorf("a token of a disabled client = %d %s, want invalid_request", got.Status, got.Raw)
	}
}

// Conformance (Token exchange): RFC 8693 4.4: a token that says who may act is exchanged by nobody else
// Conformance (Token exchange): RFC 8693 1.1: with `token_exchange_impersonation` the token does not name the actor
func TestWhoActs(t *testing.T) {
	h := newFixture(t)
	h.withGateway()
	h.client("support", exchanging, func(c *storage.Client) { c.ExchangeSubjectClients = []string{"rp"} })
	subject, s := h.access("rp", "scope", "openid read")
	agent, _ := h.signIn(params("support", "scope", "openid read"), "ada")
	user := h.post(h.p.Grants.Token, "support", redeem(agent)).get("access_token")
	machine := h.post(h.p.Grants.Token, "support", formOf("grant_type", "client_credentials", "scope", "read")).get("access_token")
	act := func(r reply) any {
		t.Helper()
		if r.Status != http.StatusOK {
			t.Fatalf("exchange = %d %s", r.Status, r.Raw)
		}
		claims, _ := h.readJWT(r.get("access_token"))
		return claims["act"]
	}
	if got, _ := act(h.exchange("support", subject, "actor_token", user, "actor_token_type", accessType)).(map[string]any); got["sub"] != string(s.Session.UserID) || got["client_id"] != "support" {
		t.Errorf("act of a user = %v", got)
	}
	if got, _ := act(h.exchange("support", subject, "actor_token", machine, "actor_token_type", accessType)).(map[string]any); got["sub"] != "support" || got["client_id"] != nil {
		t.Errorf("act of a client = %v", got)
	}
	h.client("support", exchanging, func(c *storage.Client) { c.ExchangeImpersonation = true })
	if got := act(h.exchange("support", subject)); got != nil {
		t.Errorf("act of an impersonation = %v, want none", got)
	}
	h.client("rp", resources(api), func(c *storage.Client) { c.MayAct = "support" })
	bound, _ := h.access("rp", "scope", "openid read")
	if claims, _ := h.readJWT(bound); claims["may_act"].(map[string]any)["sub"] != "support" {
		t.Errorf("may_act = %v", claims["may_act"])
	}
	act(h.exchange("support", bound))
	if got := h.exchange("gateway", bound); got.get("error") != "invalid_request" {
		t.Errorf("another client = %d %s, want invalid_request", got.Status, got.Raw)
	}
}

// A token of a thief, who has not its key, is not exchanged for one without a key.
//
// Conformance (Token exchange): RFC 9449 5: a bound subject token is exchanged by whoever proves its key; the new token is bound to the key of the request
func TestExchangingBoundTokens(t *testing.T) {
	h := newFixture(t)
	h.withGateway(func(c *storage.Client) { c.ExchangeSubjectClients = []string{"rp", "gateway"} })
	p, thief := h.prover(), h.prover()
	code, _ := h.signIn(params("gateway", "scope", "openid read"), "ada")
	subject := h.tokenWith("gateway", redeem(code), p.forToken()).get("access_token")
	if got := h.exchange("gateway", subject); got.get("error") != "invalid_request" || got.Refusal.Reason != "wrong_key" {
		t.Errorf("without a proof = %d %s", got.Status, got.Raw)
	}
	if got := h.tokenWith("gateway", exchangeOf(subject), thief.forToken()); got.get("error") != "invalid_request" || got.Refusal.Reason != "wrong_key" {
		t.Errorf("with another key = %d %s", got.Status, got.Raw)
	}
	got := h.tokenWith("gateway", exchangeOf(subject), p.forToken())
	if claims, _ := h.readJWT(got.get("access_token")); got.get("token_type") != "DPoP" || claims["cnf"].(map[string]any)["jkt"] != p.jkt() {
		t.Errorf("with its key = %d %s", got.Status, got.Raw)
	}
	bearer, _ := h.access("rp", "scope", "openid read")
	proof := thief.forToken()
	if got := h.tokenWith("gateway", exchangeOf(bearer), proof); got.get("token_type") != "DPoP" {
		t.Errorf("a bearer token = %d %s, want one that is bound", got.Status, got.Raw)
	}
	if got := h.tokenWith("gateway", exchangeOf(bearer), proof); got.get("error") != "invalid_dpop_proof" {
		t.Errorf("a used proof = %d %s", got.Status, got.Raw)
	}
}

// Conformance (Token exchange): RFC 8693 3: an ID token is exchanged while the grant of its login lives
func TestExchangingIDTokens(t *testing.T) {
	h := newFixture(t)
	h.withGateway(func(c *storage.Client) { c.ExchangeSubjectTypes = []string{"id_token"} })
	made := h.tokensFor("rp", "ada", "openid read offline_access")
	as := func(token string) reply { return h.exchange("gateway", token, "subject_token_type", idTokenType) }
	got := as(made.get("id_token"))
	if got.Status != http.StatusOK || got.get("scope") != "read" || !h.active("gateway", got.get("access_token")) {
		t.Fatalf("exchange = %d %s", got.Status, got.Raw)
	}
	if other := h.exchange("gateway", made.get("access_token")); other.get("error") != "unauthorized_client" {
		t.Errorf("an access token = %d %s, want unauthorized_client", other.Status, other.Raw)
	}
	h.post(h.p.Introspection.Revoke, "rp", formOf("token", made.get("refresh_token")))
	if h.active("gateway", got.get("access_token")) {
		t.Error("the token outlives the grant")
	}
	if got := as(made.get("id_token")); got.get("error") != "invalid_request" {
		t.Errorf("without a grant = %d %s, want invalid_request", got.Status, got.Raw)
	}
	again := h.tokensFor("rp", "ada", "openid read offline_access")
	h.wait(10 * time.Minute)
	if got := as(again.get("id_token")); got.get("error") != "invalid_request" || got.Refusal.Reason != "expired_token" {
		t.Errorf("an expired ID token = %d %s, want invalid_request", got.Status, got.Raw)
	}
}

// An ID token is worth what its own login was granted, also after that has ended, and nothing where
// it would get rid of a binding.
func TestAnIDTokenIsNotWidened(t *testing.T) {
	run := func(t *testing.T, dsn string) {
		h := newFixtureOn(t, dsn)
		h.withGateway(func(c *storage.Client) { c.ExchangeSubjectTypes = []string{"id_token"} })
		as := func(token string) reply { return h.exchange("gateway", token, "subject_token_type", idTokenType) }
		code, s := h.signIn(params("rp", "scope", "openid"), "ada")
		narrow := h.post(h.p.Grants.Token, "rp", redeem(code))
		h.wait(2 * time.Second)
		again := func() string {
			b := h.begin(params("rp", "scope", "openid read"), s)
			return h.values(b.Finished.Answer).Get("code")
		}
		wide := h.post(h.p.Grants.Token, "rp", redeem(again()))
		for name, tc := range map[string]struct{ token, scope string }{"narrow": {narrow.get("id_token"), ""}, "wide": {wide.get("id_token"), "read"}} {
			if got := as(tc.token); got.Status != http.StatusOK || got.get("scope") != tc.scope {
				t.Errorf("%s = %d %s, want the scope %q", name, got.Status, got.Raw, tc.scope)
			}
		}
		h.post(h.p.Introspection.Revoke, "rp", formOf("token", narrow.get("access_token")))
		if got := as(narrow.get("id_token")); got.get("error") != "invalid_request" {
			t.Errorf("after its grant = %d %s, want invalid_request", got.Status, got.Raw)
		}
		bound := h.tokenWith("rp", redeem(again()), h.prover().forToken())
		if got := as(bound.get("id_token")); bound.get("token_type") != "DPoP" || got.get("error") != "invalid_request" {
			t.Errorf("of a login with a key = %d %s, want invalid_request", got.Status, got.Raw)
		}
		h.client("rp", resources(api), func(c *storage.Client) { c.DPoPBound = true })
		h.ok(h.p.Poll(h.ctx))
		if got := as(wide.get("id_token")); got.get("error") != "invalid_request" || got.Refusal.Reason != "wrong_key" {
			t.Errorf("of a client with keys = %d %s, want invalid_request", got.Status, got.Raw)
		}
	}
	t.Run("sqlite", func(t *testing.T) { run(t, "") })
	t.Run("postgres", func(t *testing.T) { run(t, storagetest.Postgres(t)) })
}

// However a grant ends, what its tokens were exchanged for ends with it, also if both happen at once.
func TestExchangedTokensEndWithTheGrant(t *testing.T) {
	run := func(t *testing.T, dsn string) {
		h := newFixtureOn(t, dsn)
		h.withGateway()
		for name, end := range map[string]func(made reply, s *session.SignedIn) error{
			"the client revokes its token": func(made reply, _ *session.SignedIn) error {
				h.post(h.p.Introspection.Revoke, "rp", formOf("token", made.get("access_token")))
				return nil
			},
			"the code is used again": func(made reply, _ *session.SignedIn) error {
				h.post(h.p.Grants.Token, "rp", redeem(made.get("code")))
				return nil
			},
			"the session ends": func(_ reply, s *session.SignedIn) error { return h.sessions.End(h.ctx, s, h.visit, "") },
		} {
			code, s := h.signIn(params("rp", "scope", "openid read"), "ada")
			made := h.post(h.p.Grants.Token, "rp", redeem(code))
			made.Body["code"] = code
			before := h.exchange("gateway", made.get("access_token")).get("access_token")
			if !h.active("gateway", before) {
				t.Fatalf("%s: the token is not active", name)
			}
			var ending sync.WaitGroup
			ending.Go(func() {
				if err := end(made, s); err != nil {
					t.Error(err)
				}
			})
			raced := parallel(6, func() reply { return h.exchange("gateway", made.get("access_token")) })
			ending.Wait()
			tokens := []string{before}
			for _, r := range count(t, raced, "invalid_request") {
				tokens = append(tokens, r.get("access_token"))
			}
			for _, token := range tokens {
				if h.active("gateway", token) {
					t.Errorf("%s: an exchanged token is active", name)
				}
			}
			if got := h.exchange("gateway", made.get("access_token")); got.get("error") != "invalid_request" || !strings.HasPrefix(got.Refusal.Reason, "revoked") {
				t.Errorf("%s: exchange = %d %s", name, got.Status, got.Raw)
			}
		}
	}
	t.Run("sqlite", func(t *testing.T) { run(t, "") })
	t.Run("postgres", func(t *testing.T) { run(t, storagetest.Postgres(t)) })
}
