package provider

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"sallyport/mfa"
	"sallyport/storage"
)

// presenter is a caller who presents a token that was not issued to it.
type presenter struct {
	name   string
	header string
	form   []string
}

// postAs calls an endpoint with the credentials of a presenter.
func (h *fixture) postAs(serve func(http.ResponseWriter, *http.Request, mfa.Caller), who presenter, form url.Values) reply {
	return h.postFrom(h.visit, serve, who, form)
}

func (h *fixture) postFrom(v mfa.Caller, serve func(http.ResponseWriter, *http.Request, mfa.Caller), who presenter, form url.Values) reply {
	for i := 0; i < len(who.form); i += 2 {
		form.Set(who.form[i], who.form[i+1])
	}
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if who.header != "" {
		r.Header.Set("Authorization", who.header)
	}
	return h.callFrom(v, serve, r)
}

// otherCallers are all callers except "rp" and "spa".
func (h *fixture) otherCallers() []presenter {
	h.client("other")
	h.client("post", func(c *storage.Client) { c.AuthMethod = "client_secret_post" })
	h.client("app", public)
	h.client("off", func(c *storage.Client) { c.Disabled = true })
	return []presenter{
		{"another client", basic("other", clientSecret), nil},
		{"another client that posts its secret", "", []string{"client_id", "post", "client_secret", clientSecret}},
		{"another public client", "", []string{"client_id", "app"}},
		{"a disabled client", basic("off", clientSecret), nil},
		{"the client with a wrong secret", basic("rp", clientSecret+"?"), nil},
		{"the client with an empty secret", basic("rp", ""), nil},
		{"the client by its name alone", "", []string{"client_id", "rp"}},
		{"the client by another method than its own", "", []string{"client_id", "rp", "client_secret", clientSecret}},
		{"the public client with a secret", "", []string{"client_id", "spa", "client_secret", clientSecret}},
		{"no client", "", nil},
		{"an unknown client", basic("nobody", clientSecret), nil},
	}
}

// A caller who finds a token, used or not, cannot use it to end the grant of its client.
func TestOtherClientsCannotEndTokens(t *testing.T) {
	for _, holder := range []presenter{
		{"a confidential client", basic("rp", clientSecret), []string{}},
		{"a public client", "", []string{"client_id", "spa"}},
	} {
		t.Run("of "+holder.name, func(t *testing.T) {
			h := newFixture(t)
			h.client("rp", grace(0))
			h.client("spa", public, grace(0))
			h.user("ada", "")
			id := storage.ClientID("rp")
			if holder.header == "" {
				id = "spa"
			}
			used, s := h.signIn(params(id, "scope", "openid offline_access"), "ada")
			old := h.postAs(h.p.Grants.Token, holder, redeem(used))
			newest := h.postAs(h.p.Grants.Token, holder, refreshOf(old.get("refresh_token")))
			unused := h.values(h.begin(params(id), s).Finished.Answer).Get("code")
			alive := func(after string) {
				t.Helper()
				st, err := h.engine.Grant(h.ctx, grantOf(h, newest.get("access_token")))
				h.ok(err)
				if !st.Alive() || st.Grant.Generation != 1 {
					t.Fatalf("after %s: alive %v in generation %d, want it alive in 1", after, st.Alive(), st.Grant.Generation)
				}
			}
			there := h.visit.Address
			for i, who := range h.otherCallers() {
				h.visit.Address = fmt.Sprintf("198.51.100.%d", i) // from one they would all have to wait soon
				for name, token := range map[string]string{"the used refresh token": old.get("refresh_token"), "the refresh token": newest.get("refresh_token"),
					"the access token": newest.get("access_token")} {
					if got := h.postAs(h.p.Grants.Token, who, refreshOf(token)); got.Status == http.StatusOK {
						t.Errorf("%s refreshed with %s: %s", who.name, name, got.Raw)
					}
					h.postAs(h.p.Introspection.Revoke, who, formOf("token", token))
					if got := h.postAs(h.p.Introspection.Introspect, who, formOf("token", token)); got.Body["active"] == true {
						t.Errorf("%s is shown %s: %s", who.name, name, got.Raw)
					}
					alive(who.name + " showed " + name)
				}
				for name, code := range map[string]string{"the used code": used, "the code": unused} {
					if got := h.postAs(h.p.Grants.Token, who, redeem(code)); got.Status == http.StatusOK {
						t.Errorf("%s redeemed %s: %s", who.name, name, got.Raw)
					}
					alive(who.name + " showed " + name)
				}
			}
			h.visit.Address = there
			if got := h.postAs(h.p.Grants.Token, holder, redeem(unused)); got.Status != http.StatusOK {
				t.Errorf("the code is no longer valid: %d %s", got.Status, got.Raw)
			}
			if got := h.postAs(h.p.Grants.Token, holder, refreshOf(newest.get("refresh_token"))); got.Status != http.StatusOK {
				t.Errorf("the refresh token is no longer valid: %d %s", got.Status, got.Raw)
			}
			if n := h.events(mfa.EventRefreshReused) + h.events(mfa.EventCodeReplayed) + h.events(mfa.EventTokenRevoked); n != 0 {
				t.Errorf("%d events of an end, want none", n)
			}
			if got := h.postAs(h.p.Grants.Token, holder, refreshOf(old.get("refresh_token"))); got.get("error") != "invalid_grant" || h.events(mfa.EventRefreshReused) != 1 {
				t.Errorf("its own reuse = %d %s, want the family ended", got.Status, got.Raw)
			}
		})
	}
}

// grantOf is the grant of a JWT access token.
func grantOf(h *fixture, token string) storage.GrantID {
	h.t.Helper()
	claims, _ := h.readJWT(token)
	id, _ := claims["grant_id"].(string)
	return storage.GrantID(id)
}

// The verifier is the only credential of a public client. A caller who has seen a code in a
// URL, but not the verifier, could not have redeemed it.
func TestOnlyACallerWithTheVerifierReplaysACode(t *testing.T) {
	for _, tc := range []struct {
		name, client, challenge, verifier string
		ends                              bool
	}{
		{"with the verifier", "spa", challengeB, verifierB, true},
		{"with a wrong verifier", "spa", challengeB, strings.Repeat("a", 43), false},
		{"without a verifier", "spa", challengeB, "", false},
		{"with the verifier, by a client with a secret", "rp", challengeB, verifierB, true},
		{"without a verifier, by a client with a secret", "rp", challengeB, "", false},
		{"of a code that never had a challenge", "rp", "", "", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newFixture(t)
			h.client("rp", func(c *storage.Client) { c.PKCEOptional = true })
			h.client("spa", public)
			h.user("ada", "")
			holder := presenter{form: []string{"client_id", tc.client}}
			if tc.client == "rp" {
				holder.header = basic("rp", clientSecret)
			}
			change := []string{}
			first := verifierB
			if tc.challenge == "" {
				change, first = []string{"code_challenge", "", "code_challenge_method", ""}, ""
			}
			code, _ := h.signIn(params(storage.ClientID(tc.client), change...), "ada")
			token := h.postAs(h.p.Grants.Token, holder, redeem(code, "code_verifier", first)).get("access_token")
			if got := h.postAs(h.p.Grants.Token, holder, redeem(code, "code_verifier", tc.verifier)); got.get("error") != "invalid_grant" {
				t.Errorf("replay = %d %s, want invalid_grant", got.Status, got.Raw)
			}
			st, err := h.engine.Grant(h.ctx, grantOf(h, token))
			h.ok(err)
			if st.Alive() == tc.ends {
				t.Errorf("alive = %v, want the grant ended: %v", st.Alive(), tc.ends)
			}
		})
	}
}

// The same concurrently: of many parallel callers only the right client spends the token.
func TestOtherClientsCannotSpendTokensInParallel(t *testing.T) {
	for _, what := range []string{"code", "refresh token"} {
		t.Run(what, func(t *testing.T) {
			h := newFixture(t)
			h.client("rp", grace(0))
			h.client("spa", public)
			h.user("ada", "")
			others := h.otherCallers()
			code, _ := h.signIn(params("rp", "scope", "openid offline_access"), "ada")
			form := func() url.Values { return redeem(code) }
			if what == "refresh token" {
				token := h.post(h.p.Grants.Token, "rp", redeem(code)).get("refresh_token")
				form = func() url.Values { return refreshOf(token) }
			}
			turns := make(chan presenter, 2*len(others)+1)
			for _, who := range append(append([]presenter{{"the client", basic("rp", clientSecret), nil}}, others...), others...) {
				turns <- who
			}
			var good []reply
			for _, r := range parallel(cap(turns), func() reply { return h.postAs(h.p.Grants.Token, <-turns, form()) }) {
				if r.Status == http.StatusOK {
					good = append(good, r)
				}
			}
			if len(good) != 1 {
				t.Fatalf("%d callers got tokens, want 1", len(good))
			}
			if !h.active("rp", good[0].get("access_token")) || !h.active("rp", good[0].get("refresh_token")) {
				t.Error("the tokens of the right client ended")
			}
			for _, who := range others { // now that it is used
				h.postAs(h.p.Grants.Token, who, form())
			}
			if !h.active("rp", good[0].get("refresh_token")) {
				t.Error("another client ended them afterwards")
			}
		})
	}
}
