package provider

import (
	"fmt"
	"testing"

	"sallyport/storage"
)

// setRoles replaces the roles of a user.
func (h *fixture) setRoles(u storage.User, roles ...string) {
	h.t.Helper()
	h.ok(h.engine.UpdateUser(h.ctx, storage.UserChange{ID: u.ID, Roles: &roles, Now: h.now()}))
}

// RFC 9068 section 2.2.3.1: the access token contains the roles, for resource
// servers that do not introspect.
func TestRolesAreCurrent(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	user := h.user("ada", "")
	h.setRoles(user, "editor", "auditor")
	tokens := h.tokensFor("rp", "ada", "openid offline_access")
	inToken := func(token string) string {
		claims, _ := h.readJWT(token)
		return fmt.Sprint(claims["roles"])
	}
	introspect := func(token string) string {
		return fmt.Sprint(h.post(h.p.Introspection.Introspect, "rp", formOf("token", token)).Body["roles"])
	}
	first := tokens.get("access_token")
	if got := inToken(first); got != "[editor auditor]" {
		t.Errorf("roles = %s, want both", got)
	}
	h.setRoles(user, "auditor")
	if got := introspect(first); got != "[auditor]" {
		t.Errorf("introspection after one was removed = %s, want the other", got)
	}
	before := h.engine.Stats()
	tokens = h.post(h.p.Grants.Token, "rp", refreshOf(tokens.get("refresh_token")))
	// One read, and the two statements that spend the token.
	if after := h.engine.Stats(); after.Statements-before.Statements != 3 {
		t.Errorf("the refresh took %d statements, want 3", after.Statements-before.Statements)
	}
	if got := inToken(tokens.get("access_token")); got != "[auditor]" {
		t.Errorf("refreshed roles = %s, want the present one", got)
	}
	h.setRoles(user)
	if got := introspect(tokens.get("access_token")); got != "[]" {
		t.Errorf("introspection of a user without roles = %s, want an empty list", got)
	}
	if got := inToken(h.tokensFor("rp", "ada", "openid").get("access_token")); got != "[]" {
		t.Errorf("roles of a user without any = %s, want an empty list", got)
	}
	own := h.post(h.p.Grants.Token, "rp", formOf("grant_type", "client_credentials")).get("access_token")
	if claims, _ := h.readJWT(own); claims["roles"] != nil || introspect(own) != "<nil>" {
		t.Errorf("a token without a user has roles: %v", claims)
	}
}

func TestThirdPartiesNeedTheRolesScope(t *testing.T) {
	h := newFixture(t)
	all := []string{"openid", "roles", "read"}
	for _, id := range []storage.ClientID{"own", "others", "opaque"} {
		h.client(id, func(c *storage.Client) {
			c.Scopes = all
			if id == "others" {
				c.Consent = "ask"
			}
			if id == "opaque" {
				c.AccessTokenFormat = "opaque"
			}
		})
	}
	h.setRoles(h.user("ada", ""), "editor")
	for _, tc := range []struct {
		name, client, scope   string
		introspected, userinf string
	}{
		{"a first-party application, without the scope", "own", "openid", "[editor]", "<nil>"},
		{"a first-party application, with the scope", "own", "openid roles", "[editor]", "[editor]"},
		{"an opaque token", "opaque", "openid", "[editor]", "<nil>"},
		{"a third-party application, without the scope", "others", "openid", "<nil>", "<nil>"},
		{"a third-party application, with the scope", "others", "openid roles", "[editor]", "[editor]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := h.begin(params(storage.ClientID(tc.client), "scope", tc.scope), nil)
			h.enter(b.Request, "ada", nil)
			if st := h.next(b.Request, nil); st.Kind == StepConsent {
				h.ok(h.p.Allow(h.ctx, st, h.visit, nil))
			}
			_, q := h.finish(b.Request, nil)
			token := h.post(h.p.Grants.Token, tc.client, redeem(q.Get("code"))).get("access_token")
			if tc.client != "opaque" {
				if claims, _ := h.readJWT(token); fmt.Sprint(claims["roles"]) != tc.introspected {
					t.Errorf("roles in the token = %v, want %s", claims["roles"], tc.introspected)
				}
			}
			if got := h.post(h.p.Introspection.Introspect, tc.client, formOf("token", token)); fmt.Sprint(got.Body["roles"]) != tc.introspected {
				t.Errorf("introspection = %s, want roles %s", got.Raw, tc.introspected)
			}
			if got := h.userinfo(token); fmt.Sprint(got.Body["roles"]) != tc.userinf {
				t.Errorf("userinfo = %s, want roles %s", got.Raw, tc.userinf)
			}
		})
	}
}

// Whoever exchanges a token does not get the roles that its user left out, nor the clients that
// introspect it.
func TestExchangedTokensHaveNoRolesThatWereLeftOut(t *testing.T) {
	for _, tc := range []struct {
		name    string
		allowed []string
		want    bool
	}{
		{"left out", []string{"read"}, false},
		{"allowed", []string{"read", "roles"}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newFixture(t)
			h.client("asks", resources(api), func(c *storage.Client) { c.Consent = "ask"; c.Scopes = append(c.Scopes, "roles") })
			h.client("gateway", exchanging, func(c *storage.Client) {
				c.Consent, c.ExchangeSubjectClients, c.ExchangeSubjectTypes = "skip", []string{"asks"}, []string{"access_token", "id_token"}
			})
			h.setRoles(h.user("ada", ""), "editor")
			c := &consenter{fixture: h}
			st := c.at("scope", "openid read roles")
			h.ok(h.p.Allow(h.ctx, st, h.visit, tc.allowed))
			_, q := h.finish(st.Request.ID, nil)
			made := h.post(h.p.Grants.Token, "asks", redeem(q.Get("code")))
			for name, got := range map[string]reply{
				"the access token": h.exchange("gateway", made.get("access_token")),
				"the ID token":     h.exchange("gateway", made.get("id_token"), "subject_token_type", idTokenType),
			} {
				token, _ := h.readJWT(got.get("access_token"))
				seen := h.post(h.p.Introspection.Introspect, "gateway", formOf("token", got.get("access_token")))
				if seen.Body["active"] != true || (token["roles"] != nil) != tc.want || (seen.Body["roles"] != nil) != tc.want {
					t.Errorf("%s: roles %v, introspected %s, want roles: %v", name, token["roles"], seen.Raw, tc.want)
				}
			}
		})
	}
}
