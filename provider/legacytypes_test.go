package provider

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"sallyport/provider/signing"
	"sallyport/storage"
)

// legacy enables the legacy response types, in the server and for a client.
func (h *fixture) legacy(id storage.ClientID, types ...string) {
	h.t.Helper()
	h.p.options.LegacyResponseTypes = true
	h.client(id, public, func(c *storage.Client) { c.LegacyResponseTypes = types })
}

func TestResponseTypesWithTokensUseTheFragment(t *testing.T) {
	for _, tc := range []struct {
		responseType, listed string
		want                 []string
	}{
		{"token", "token", []string{"access_token", "expires_in", "iss", "scope", "state", "token_type"}},
		{"id_token", "id_token", []string{"id_token", "iss", "state"}},
		{"token id_token", "id_token token", []string{"access_token", "expires_in", "id_token", "iss", "scope", "state", "token_type"}},
		{"code id_token", "id_token code", []string{"code", "id_token", "iss", "state"}},
		{"code token", "code token", []string{"access_token", "code", "expires_in", "iss", "scope", "state", "token_type"}},
		{"id_token code token", "code id_token token", []string{"access_token", "code", "expires_in", "id_token", "iss", "scope", "state", "token_type"}},
	} {
		t.Run(tc.responseType, func(t *testing.T) {
			h := newFixture(t)
			h.legacy("spa", tc.listed)
			user := h.user("ada", "")
			v := params("spa", "response_type", tc.responseType, "scope", "openid email")
			if !strings.Contains(tc.responseType, "code") {
				v = params("spa", "response_type", tc.responseType, "scope", "openid email", "code_challenge", "", "code_challenge_method", "")
			}
			b := h.begin(v, nil)
			h.enter(b.Request, "ada", nil)
			f, q := h.finish(b.Request, nil)
			if !strings.HasPrefix(f.Answer.Location, callback+"#") {
				t.Fatalf("response = %s, want it in the fragment", f.Answer.Location)
			}
			var got []string
			for name := range q {
				got = append(got, name)
			}
			if slices.Sort(got); !slices.Equal(got, tc.want) {
				t.Errorf("response holds %v, want %v", got, tc.want)
			}
			h.checkTokens(t, q.Get("id_token"), q.Get("access_token"), q.Get("code"), string(user.ID))
			s, err := h.sessions.Load(h.ctx, f.SessionToken)
			h.ok(err)
			if at := h.begin(v, s); at.Finished == nil || !strings.Contains(at.Finished.Answer.Location, "#") {
				t.Errorf("with a session the login is at %+v, want finished", at)
			}
			if err := h.p.sessions.End(h.ctx, s, h.visit, ""); err != nil {
				t.Fatal(err)
			}
			if token := q.Get("access_token"); token != "" && h.userinfo(token).Status != http.StatusUnauthorized {
				t.Error("the access token outlived the session")
			}
		})
	}
}

// checkTokens checks tokens of the authorization endpoint and redeems the code that came with them.
func (h *fixture) checkTokens(t *testing.T, id, access, code, user string) {
	t.Helper()
	if access != "" {
		if info := h.userinfo(access); info.Status != http.StatusOK || info.get("email") != "ada@example.org" {
			t.Errorf("userinfo = %d %s", info.Status, info.Raw)
		}
	}
	if id != "" {
		claims, _ := h.readJWT(id)
		if claims["sub"] != user || claims["nonce"] != "the-nonce" || claims["aud"] != "spa" {
			t.Errorf("ID token = %v", claims)
		}
		for name, of := range map[string]string{"at_hash": access, "c_hash": code} {
			if of == "" && claims[name] != nil || of != "" && claims[name] != signing.HalfHash("ES256", of) {
				t.Errorf("%s = %v of %q", name, claims[name], of)
			}
		}
		if alone := access == "" && code == ""; alone != (claims["email"] != nil) {
			t.Errorf("email = %v: it belongs in the ID token when there is no access token", claims["email"])
		}
	}
	if code != "" {
		if got := h.post(h.p.Grants.Token, "", redeem(code, "client_id", "spa")); got.Status != http.StatusOK || got.get("id_token") == "" {
			t.Errorf("token = %d %s", got.Status, got.Raw)
		}
	}
}

func TestResponseTypesThatAreNotAllowed(t *testing.T) {
	for _, tc := range []struct {
		name    string
		off     bool
		listed  string
		changes []string
		want    string
	}{
		{"the server has them switched off", true, "token", []string{"response_type", "token"}, "unsupported_response_type"},
		{"the client does not list it", false, "id_token", []string{"response_type", "token"}, "unsupported_response_type"},
		{"part of what is listed", false, "code id_token", []string{"response_type", "id_token"}, "unsupported_response_type"},
		{"a token in the query", false, "token", []string{"response_type", "token", "response_mode", "query"}, "invalid_request"},
		{"an ID token without nonce", false, "id_token", []string{"response_type", "id_token", "nonce", ""}, "invalid_request"},
		{"an ID token without openid", false, "code id_token", []string{"response_type", "code id_token", "scope", "email"}, "invalid_scope"},
		{"a code without challenge", false, "code token", []string{"response_type", "code token", "code_challenge", "", "code_challenge_method", ""}, "invalid_request"},
		{"a type twice", false, "token", []string{"response_type", "token token"}, "unsupported_response_type"},
		{"no type at all", false, "token", []string{"response_type", "none token"}, "unsupported_response_type"},
		{"not signed in", false, "token", []string{"response_type", "token", "prompt", "none"}, "login_required"},
		{"a foreign scope", false, "token", []string{"response_type", "token", "scope", "admin"}, "invalid_scope"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newFixture(t)
			h.legacy("spa", tc.listed)
			h.p.options.LegacyResponseTypes = !tc.off
			b := h.begin(params("spa", tc.changes...), nil)
			if b.Answer == nil || !strings.HasPrefix(b.Answer.Location, callback+"#") {
				t.Fatalf("response = %+v, want a refusal in the fragment", b)
			}
			if q := h.values(*b.Answer); q.Get("error") != tc.want || q.Get("state") != "the-state" || q.Get("access_token") != "" {
				t.Errorf("response = %v, want %s", q, tc.want)
			}
		})
	}
}

func TestTokensOfTheAuthorizationEndpointByForm(t *testing.T) {
	h := newFixture(t)
	h.legacy("spa", "code id_token")
	h.user("ada", "")
	b := h.begin(params("spa", "response_type", "code id_token", "response_mode", "form_post"), nil)
	h.enter(b.Request, "ada", nil)
	f, q := h.finish(b.Request, nil)
	if f.Answer.FormPost == nil || q.Get("id_token") == "" || q.Get("code") == "" {
		t.Errorf("response = %+v, want a form with code and ID token", f.Answer)
	}
}

// Such a token is not asked about again, and who was told of the end of the session is not told twice.
func TestASessionThatEndsMeanwhileIssuesNoTokensInTheFragment(t *testing.T) {
	for _, types := range []string{"id_token", "token", "code id_token"} {
		h := newFixture(t)
		h.legacy("spa", types)
		h.client("rp")
		h.user("ada", "")
		v := params("spa", "response_type", types)
		if !strings.Contains(types, "code") {
			v = params("spa", "response_type", types, "code_challenge", "", "code_challenge_method", "")
		}
		_, s := h.signIn(params("rp"), "ada")
		if b := h.begin(v, s); b.Finished == nil {
			t.Fatalf("%s: no single sign-on: %+v", types, b)
		}
		h.ok(h.sessions.End(h.ctx, s, h.visit, ""))
		if b := h.begin(v, s); b.Finished != nil || b.Request == "" {
			t.Errorf("%s: %+v, want a login", types, b)
		}
	}
}
