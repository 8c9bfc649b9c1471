package streambird

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"sallyport/provider/apikeys"
)

func TestWhatACodeDoesToASession(t *testing.T) {
	h := newFixture(t)
	a := h.newApp(h.newUser("email", someone))
	b := h.newApp(h.newUser("email", "bob@example.org"))
	b.verify().ok()
	first := a.verify("session_expires_in", 100).ok()
	token, jwt, id := first.text("session_token"), first.text("session_jwt"), first.text("session.id")
	seconds := func(r reply, path string) int64 { return int64(r.at(path).(float64)) }
	if got, want := seconds(first, "session.expires_at"), h.Now().Add(100*time.Minute).Unix(); got != want {
		t.Errorf("expires at %d, want %d", got, want)
	}
	if r := a.next().verify().ok(); len(r.body) != 2 {
		t.Errorf("without session arguments: %s", r.raw)
	}
	same := a.next().verify("session_token", token).ok()
	if same.text("session.id") != id || seconds(same, "session.expires_at") != seconds(first, "session.expires_at") || same.text("session_token") != token {
		t.Errorf("with the token: %s, want the session %s, which expires as before", same.raw, id)
	}
	if got := same.at("session.factors").([]any); len(got) != 1 || seconds(same, "session.factors.0.method.last_verified_at") != h.Now().Unix() {
		t.Errorf("factors = %v, want one, refreshed", got)
	}
	shorter := a.next().verify("session_jwt", jwt, "session_expires_in", 5).ok()
	if shorter.text("session.id") != id || seconds(shorter, "session.expires_at") != h.Now().Add(5*time.Minute).Unix() || shorter.text("session_token") != token {
		t.Errorf("with the JWT and 5 minutes: %s", shorter.raw)
	}
	both := h.post("/totps/recovery", "user_id", a.user, "recovery_code", a.codes[0], "session_token", token).ok()
	if got := both.at("session.factors").([]any); len(got) != 2 {
		t.Errorf("factors = %v, want two", got)
	}

	b.next()
	code := h.Code(b.secret)
	prove := func(pairs ...any) reply {
		t.Helper()
		return h.post("/totps/verify", append([]any{"user_id", b.user, "totp", code}, pairs...)...)
	}
	prove("session_token", token).refused(400, "session_user_mismatch")
	prove("session_jwt", jwt).refused(400, "session_user_mismatch")
	prove("session_token", strings.Repeat("x", 64)).refused(404, "session_not_found")
	prove("session_jwt", jwt[:len(jwt)-4]+"AAAA").refused(404, "session_not_found")
	prove("session_jwt", "x").refused(404, "session_not_found")
	prove("session_token", token, "session_jwt", jwt).refused(400, "validation_error")
	prove("session_token", token, "session_expires_in", 4).refused(400, "validation_error")
	for _, unknown := range []string{"user_24wFP9pDa9YiMJLun94iKykoZs2", "email" + strings.TrimPrefix(b.user, "user"), "user-test-1", "x"} {
		h.post("/totps/verify", "user_id", unknown, "totp", code, "session_token", "x").refused(404, "user_not_found") // the user comes before the session
	}
	prove().ok() // no refusal has spent the code
	h.Wait(5 * time.Minute)
	b.next()
	code = h.Code(b.secret)
	prove("session_token", token).refused(404, "session_not_found") // expired
	prove("session_expires_in", 60).ok()
}

func TestSessionsAreVerifiedListedAndEnded(t *testing.T) {
	h := newFixture(t)
	a := h.newApp(h.newUser("email", someone))
	first := a.verify("session_expires_in", 60).ok()
	second := a.next().verify("session_expires_in", 60).ok()
	third := a.next().verify("session_expires_in", 60).ok()
	checked := golden(t, "sessions_verify", h.post("/sessions/verify", "session_token", first.text("session_token")).ok())
	if checked.text("session.id") != first.text("session.id") || checked.at("session.expires_at") != first.at("session.expires_at") {
		t.Errorf("%s, want the session of %s", checked.raw, first.raw)
	}
	h.Wait(time.Minute)
	later := h.post("/sessions/verify", "session_jwt", first.text("session_jwt"), "session_expires_in", 525600).ok()
	if got, want := int64(later.at("session.expires_at").(float64)), h.Now().Add(365*24*time.Hour).Unix(); got != want {
		t.Errorf("expires at %d, want %d", got, want)
	}
	if got := later.at("session.last_active_at"); got != float64(h.Now().Unix()) {
		t.Errorf("last active at %v, want now", got)
	}
	h.Wait(25 * time.Hour)
	h.post("/sessions/verify", "session_jwt", later.text("session_jwt")).ok() // past its exp
	h.post("/sessions/verify", "session_token", second.text("session_token")).refused(404, "session_not_found")
	h.post("/sessions/verify", "session_jwt", third.text("session_jwt")).refused(404, "session_not_found")

	second, third = a.next().verify("session_expires_in", 60).ok(), a.next().verify("session_expires_in", 60).ok()
	list := golden(t, "sessions_list", h.call(http.MethodGet, "/sessions/list?user_id="+a.user, "").ok())
	if n := len(list.at("sessions").([]any)); n != 3 || strings.Contains(list.raw, "session_token") {
		t.Errorf("%d sessions, want 3 without tokens: %s", n, list.raw)
	}
	golden(t, "sessions_delete", h.call(http.MethodDelete, "/sessions/delete", object("session_token", first.text("session_token"))).ok())
	h.call(http.MethodDelete, "/sessions/delete", object("session_jwt", second.text("session_jwt"))).ok()
	h.call(http.MethodDelete, "/sessions/delete", object("session_id", third.text("session.id"))).ok()
	for _, r := range []reply{first, second, third} {
		h.post("/sessions/verify", "session_token", r.text("session_token")).refused(404, "session_not_found")
		h.post("/sessions/verify", "session_jwt", r.text("session_jwt")).refused(404, "session_not_found")
		h.call(http.MethodDelete, "/sessions/delete", object("session_id", r.text("session.id"))).refused(404, "session_not_found")
		h.call(http.MethodDelete, "/sessions/delete", object("session_token", r.text("session_token"))).refused(404, "session_not_found")
	}
	if n := len(h.call(http.MethodGet, "/sessions/list?user_id="+a.user, "").ok().at("sessions").([]any)); n != 0 {
		t.Errorf("%d sessions, want none", n)
	}
	h.call(http.MethodGet, "/sessions/list?user_id=user_24wFP9pDa9YiMJLun94iKykoZs2", "").refused(404, "user_not_found")
}

// A program that verifies a JWT itself, with the published keys, finds the session under both
// names.
func TestJWTsAreVerifiedWithThePublishedKeys(t *testing.T) {
	h := newFixture(t)
	a := h.newApp(h.newUser("email", someone))
	r := a.verify("session_expires_in", 100).ok()
	header, claims := h.verified(r.text("session_jwt"))
	if header["alg"] != "RS256" || header["typ"] != "JWT" || !strings.HasPrefix(header["kid"].(string), "jwk_") || len(header) != 3 {
		t.Errorf("header = %v", header)
	}
	want := r.at("session").(map[string]any)
	delete(want, "session_token")
	now := float64(h.Now().Unix())
	if !reflect.DeepEqual(claims["session"], any(want)) || !reflect.DeepEqual(claims["https://streambird.io/jwt/session"], any(want)) {
		t.Errorf("claims = %v, want the session %v twice", claims, want)
	}
	if claims["iat"] != now || claims["nbf"] != now || claims["exp"] != want["expires_at"] || claims["jti"] != want["id"] ||
		claims["sub"] != a.user || claims["iss"] != "login.example/harbour" || len(claims) != 8 {
		t.Errorf("claims = %v", claims)
	}
	year := a.next().verify("session_expires_in", 525600).ok()
	if _, claims := h.verified(year.text("session_jwt")); claims["exp"] != float64(h.Now().Add(24*time.Hour).Unix()) {
		t.Errorf("exp = %v, want in a day", claims["exp"])
	}
	golden(t, "jwks", h.call(http.MethodGet, keysPath, "").ok())
}

// verified verifies a JWT as a program does and returns its header and claims.
func (h *fixture) verified(jwt string) (map[string]any, map[string]any) {
	h.T.Helper()
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		h.T.Fatalf("%q is no JWT", jwt)
	}
	part := func(text string) []byte {
		b, err := base64.RawURLEncoding.DecodeString(text)
		h.OK(err)
		return b
	}
	var header, claims map[string]any
	h.OK(json.Unmarshal(part(parts[0]), &header))
	h.OK(json.Unmarshal(part(parts[1]), &claims))
	set := h.call(http.MethodGet, keysPath, "").ok()
	for _, entry := range set.at("keys").([]any) {
		key := entry.(map[string]any)
		if key["kid"] != header["kid"] {
			continue
		}
		public := &rsa.PublicKey{N: new(big.Int).SetBytes(part(key["n"].(string))), E: int(new(big.Int).SetBytes(part(key["e"].(string))).Int64())}
		sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
		h.OK(rsa.VerifyPKCS1v15(public, crypto.SHA256, sum[:], part(parts[2])))
		return header, claims
	}
	h.T.Fatalf("the key %v is not published: %s", header["kid"], set.raw)
	return nil, nil
}

func TestSecretsAreNotLogged(t *testing.T) {
	h := newFixture(t)
	_, reader := h.newKey("reader", apikeys.VerbRead)
	a := h.newApp(h.newUser("email", someone, "phone_number", number))
	code := h.Code(a.secret)
	r := a.verify("session_expires_in", 60).ok()
	h.post("/sessions/verify", "session_token", r.text("session_token")).ok()
	h.post("/totps/recovery", "user_id", a.user, "recovery_code", a.codes[0]).ok()
	req := h.request(http.MethodGet, keysPath+"?api_key="+reader, "")
	req.Header.Del("Authorization")
	h.do(req).ok()
	h.OK(h.Journal.Flush(context.Background()))
	for _, secret := range []string{h.key, reader, code, a.secret, a.codes[0], r.text("session_token"), r.text("session_jwt"), someone, number} {
		if bytes.Contains([]byte(h.Log.String()), []byte(secret)) {
			t.Errorf("the log holds %q", secret)
		}
	}
}
