package stytch

import (
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sallyport/provider/apikeys"
)

func TestSessions(t *testing.T) {
	h := newFixture(t)
	a := h.verifiedApp(h.user("ada"))
	begun := h.prove(a, "session_duration_minutes", 60, "session_custom_claims", map[string]any{"cart": 12, "beta": true, "sub": "eve", "https://stytch.com/session": 7}).ok().
		golden(t, "session_begun").is("session.custom_claims", "map[beta:true cart:12]")
	token := begun.get("session_token")
	if len(token) < 44 {
		t.Errorf("token %q is short", token)
	}
	h.Wait(time.Minute)
	both := h.post("/v1/totps/recover", "user_id", a.user, "recovery_code", a.codes[0], "session_jwt", begun.get("session_jwt"), "session_custom_claims", map[string]any{"beta": nil, "step": "up"}).
		ok().golden(t, "session_two_factors").is("session.session_id", begun.get("session.session_id")).is("session.expires_at", begun.get("session.expires_at")).
		is("session.custom_claims", "map[cart:12 step:up]").is("session_token", token)
	h.Wait(time.Minute)
	refreshed := h.prove(a, "session_token", token, "session_duration_minutes", 30).ok().is("session.expires_at", h.Now().Add(30*time.Minute).Format(time.RFC3339))
	if n := len(refreshed.at("session.authentication_factors").([]any)); n != 2 {
		t.Errorf("%d factors after a repeated method, want 2", n)
	}
	h.Wait(6 * time.Minute) // the JWTs have expired
	used := h.post("/v1/sessions/authenticate", "session_jwt", both.get("session_jwt")).ok().golden(t, "sessions_authenticate").is("session_token", token)
	h.claims(used.get("session_jwt"))
	h.post("/v1/sessions/authenticate", "session_token", token, "session_duration_minutes", 5, "session_custom_claims", map[string]any{"cart": nil}).ok().
		is("session.expires_at", h.Now().Add(5*time.Minute).Format(time.RFC3339)).is("session.custom_claims", "map[step:up]")
	h.call(http.MethodGet, "/v1/sessions?user_id="+a.user, "").ok().golden(t, "sessions_get")
	h.post("/v1/sessions/revoke", "session_token", token).ok().golden(t, "sessions_revoke")
	h.post("/v1/sessions/authenticate", "session_token", token).refused(404, "session_not_found")
	h.post("/v1/sessions/authenticate", "session_jwt", used.get("session_jwt")).refused(404, "session_not_found")
	h.prove(a, "session_token", token).refused(404, "session_not_found")
	h.call(http.MethodGet, "/v1/sessions?user_id="+a.user, "").ok().is("sessions", "[]")
	for _, by := range []string{"session_id", "session_jwt"} {
		h.Wait(30 * time.Second)
		x := h.prove(a, "session_duration_minutes", 5).ok()
		value := x.get("session_jwt")
		if by == "session_id" {
			value = x.get("session.session_id")
		}
		h.post("/v1/sessions/revoke", by, value).ok()
		h.post("/v1/sessions/revoke", by, value).refused(404, "session_not_found")
	}
}

func TestSessionsEndByThemselvesAndWithTheirUser(t *testing.T) {
	h := newFixture(t)
	a := h.verifiedApp(h.user("ada"))
	x := h.prove(a, "session_duration_minutes", 5).ok()
	h.Wait(5*time.Minute + time.Second)
	h.post("/v1/sessions/authenticate", "session_token", x.get("session_token")).refused(404, "session_not_found")
	x = h.prove(a, "session_duration_minutes", 5).ok()
	h.call(http.MethodDelete, "/v1/users/"+a.user, "{}").ok()
	h.post("/v1/sessions/authenticate", "session_jwt", x.get("session_jwt")).refused(404, "session_not_found")
}

func TestSessionArguments(t *testing.T) {
	h := newFixture(t)
	a, b := h.verifiedApp(h.user("ada")), h.verifiedApp(h.user("bob"))
	x := h.prove(a, "session_duration_minutes", 527040).ok()
	token, jwt := x.get("session_token"), x.get("session_jwt")
	h.prove(b, "session_token", token).refused(400, "user_id_mismatch")
	h.prove(b, "session_jwt", jwt, "session_duration_minutes", 5).refused(400, "user_id_mismatch")
	h.prove(b).ok() // neither used the code up
	for _, tc := range []struct {
		path   string
		pairs  []any
		status int
		kind   string
	}{
		{"authenticate", nil, 400, "no_session_arguments"},
		{"authenticate", []any{"session_token", ""}, 400, "no_session_arguments"},
		{"authenticate", []any{"session_token", token, "session_jwt", jwt}, 400, "too_many_session_arguments"},
		{"authenticate", []any{"session_token", token, "session_duration_minutes", 4}, 400, "invalid_session_duration_minutes"},
		{"authenticate", []any{"session_token", token, "session_duration_minutes", "5"}, 400, "bad_request"},
		{"authenticate", []any{"session_token", token, "session_custom_claims", map[string]any{"a": strings.Repeat("x", 5000)}}, 400, "custom_claims_too_large"},
		{"authenticate", []any{"session_token", 7}, 400, "bad_request"},
		{"authenticate", []any{"session_token", token + "x"}, 404, "session_not_found"},
		{"authenticate", []any{"session_token", jwt}, 404, "session_not_found"},
		{"authenticate", []any{"session_jwt", token}, 404, "session_not_found"},
		{"authenticate", []any{"session_jwt", jwt[:len(jwt)-6] + "AAAAAA"}, 404, "session_not_found"},
		{"revoke", nil, 400, "no_session_revoke_arguments"},
		{"revoke", []any{"session_token", token, "session_jwt", jwt}, 400, "too_many_session_revoke_arguments"},
		{"revoke", []any{"session_token", token, "session_id", x.get("session.session_id")}, 400, "too_many_session_revoke_arguments"},
		{"revoke", []any{"session_id", "x"}, 400, "invalid_session_id"},
		{"revoke", []any{"session_id", a.user}, 400, "invalid_session_id"},
		{"revoke", []any{"session_id", strings.Replace(x.get("session.session_id"), "test", "live", 1)}, 404, "session_not_found"},
		{"revoke", []any{"session_token", "x"}, 404, "session_not_found"},
		{"revoke", []any{"session_jwt", "x"}, 404, "session_not_found"},
	} {
		h.post("/v1/sessions/"+tc.path, tc.pairs...).refused(tc.status, tc.kind)
	}
	claims := func(name string) map[string]any { return map[string]any{name: strings.Repeat("x", 3000)} }
	h.post("/v1/sessions/authenticate", "session_token", token, "session_custom_claims", claims("a")).ok()
	h.post("/v1/sessions/authenticate", "session_token", token, "session_custom_claims", claims("b")).refused(400, "custom_claims_too_large")
	h.Wait(time.Minute)
	h.prove(a, "session_token", token, "session_custom_claims", claims("b")).refused(400, "custom_claims_too_large")
	h.prove(a, "session_token", token).ok()
	h.post("/v1/sessions/authenticate", "session_token", token).ok().is("session.session_id", x.get("session.session_id"))
}

// A JWT names the project it is for, and no other project accepts it.
func TestJWTs(t *testing.T) {
	h := newFixture(t)
	a := h.verifiedApp(h.user("ada"))
	x := h.prove(a, "session_duration_minutes", 527040, "session_custom_claims", map[string]any{"cart": 12}).ok()
	claims := h.claims(x.get("session_jwt"))
	session := claims["https://stytch.com/session"].(map[string]any)
	now := float64(h.Now().Unix())
	for name, want := range map[string]any{"iss": "stytch.com/" + project, "sub": a.user, "aud": []any{project}, "iat": now, "nbf": now, "exp": now + 300, "cart": 12.0} {
		if fmt.Sprint(claims[name]) != fmt.Sprint(want) {
			t.Errorf("%s = %v, want %v", name, claims[name], want)
		}
	}
	for name, path := range map[string]string{"id": "session.session_id", "started_at": "session.started_at", "last_accessed_at": "session.last_accessed_at",
		"expires_at": "session.expires_at", "attributes": "session.attributes", "authentication_factors": "session.authentication_factors", "roles": "session.roles"} {
		if session[name] == nil || fmt.Sprint(session[name]) != fmt.Sprint(x.at(path)) {
			t.Errorf("%s = %v, want %v", name, session[name], x.at(path))
		}
	}
	_, secret := h.newKey("another", other, apikeys.VerbRead, apikeys.VerbWrite)
	r := request(http.MethodPost, "/v1/sessions/authenticate", fmt.Sprintf(`{"session_jwt":%q}`, x.get("session_jwt")))
	r.SetBasicAuth(other, secret)
	h.do(r).refused(404, "session_not_found")
	r = request(http.MethodPost, "/v1/sessions/authenticate", fmt.Sprintf(`{"session_token":%q}`, x.get("session_token")))
	r.SetBasicAuth(other, secret)
	if got := h.claims(h.do(r).ok().get("session_jwt")); got["iss"] != "stytch.com/"+other || fmt.Sprint(got["aud"]) != "["+other+"]" {
		t.Errorf("claims for another project = %v", got)
	}
}

// claims verifies a JWT with the public key set, as a backend does without the server.
func (h *fixture) claims(token string) map[string]any {
	h.T.Helper()
	parsed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	h.OK(err)
	header := parsed.Signatures[0].Protected
	if header.ExtraHeaders[jose.HeaderType] != "JWT" || !strings.HasPrefix(header.KeyID, "jwk-test-") {
		h.T.Errorf("header = %+v", header)
	}
	set := h.do(request(http.MethodGet, "/v1/sessions/jwks/"+project, "")).ok()
	for _, k := range set.at("keys").([]any) {
		key := k.(map[string]any)
		if key["kid"] != header.KeyID {
			continue
		}
		n, err := base64.RawURLEncoding.DecodeString(key["n"].(string))
		h.OK(err)
		payload, err := parsed.Verify(&rsa.PublicKey{N: new(big.Int).SetBytes(n), E: 65537})
		h.OK(err)
		var claims map[string]any
		h.OK(json.Unmarshal(payload, &claims))
		return claims
	}
	h.T.Fatalf("no key %s in %s", header.KeyID, set.raw)
	return nil
}

func TestTheKeySetIsPublic(t *testing.T) {
	h := newFixture(t)
	h.do(request(http.MethodGet, "/v1/sessions/jwks/"+project, "")).ok().golden(t, "sessions_jwks")
	for _, id := range []string{"x", strings.Replace(project, "test", "live", 1)} {
		h.do(request(http.MethodGet, "/v1/sessions/jwks/"+id, "")).refused(404, "project_not_found")
	}
}
