package stytch

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image/png"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/storage"
)

func TestTOTP(t *testing.T) {
	h := newFixture(t)
	id := h.user("ada")
	h.post("/v1/totps/recovery_codes", "user_id", id).refused(404, "totps_not_found_for_user")
	h.post("/v1/totps/authenticate", "user_id", id, "totp_code", "123456").refused(404, "totps_not_found_for_user")
	first := h.newApp(id)
	made := h.post("/v1/totps", "user_id", id, "expiration_minutes", 60).ok().golden(t, "totps_create")
	made.is("user.totps", fmt.Sprintf("[map[totp_id:%s verified:false]]", made.get("totp_id")))
	picture, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(made.get("qr_code"), "data:image/png;base64,"))
	h.OK(err)
	image, err := png.Decode(bytes.NewReader(picture))
	h.OK(err)
	if size := image.Bounds().Size(); size.X != size.Y || size.X < 200 {
		t.Errorf("the QR code has %v pixels, want a square of 200 at least", size)
	}
	a := app{id, made.get("totp_id"), made.get("secret"), nil}
	h.post("/v1/totps/authenticate", "user_id", id, "totp_code", h.Code(first.secret)).refused(401, "unable_to_authenticate_totp")
	h.prove(a).ok().golden(t, "totps_authenticate").is("totp_id", a.id).is("session", "<nil>").is("session_token", "").is("session_jwt", "")
	h.prove(a).refused(400, "totp_code_already_authenticated").golden(t, "totp_code_already_authenticated")
	h.Wait(-30 * time.Second)
	h.prove(a).refused(401, "unable_to_authenticate_totp") // of an earlier step
	h.Wait(30 * time.Second)
	h.post("/v1/totps", "user_id", id).refused(400, "active_totp_exists")
	h.call(http.MethodDelete, "/v1/users/totps/"+a.id, "{}").ok().golden(t, "totps_delete").is("user.totps", "[]")
	h.post("/v1/totps/authenticate", "user_id", id, "totp_code", "123456").refused(404, "totps_not_found_for_user")
	h.newApp(id)
}

func TestCodesOfThreeStepsAreAccepted(t *testing.T) {
	h := newFixture(t)
	a := h.newApp(h.user("ada"))
	at := func(steps int) string {
		return h.Services.Code(a.secret, h.Now().Add(time.Duration(steps)*30*time.Second))
	}
	h.post("/v1/totps/authenticate", "user_id", a.user, "totp_code", at(-2)).refused(401, "unable_to_authenticate_totp")
	h.post("/v1/totps/authenticate", "user_id", a.user, "totp_code", at(2)).refused(401, "unable_to_authenticate_totp")
	for _, steps := range []int{-1, 0, 1} {
		h.post("/v1/totps/authenticate", "user_id", a.user, "totp_code", at(steps)).ok()
	}
	h.post("/v1/totps/authenticate", "user_id", a.user, "totp_code", at(0)).refused(401, "unable_to_authenticate_totp")
}

func TestAnUnverifiedTOTPExpires(t *testing.T) {
	h := newFixture(t)
	id := h.user("ada")
	made := h.post("/v1/totps", "user_id", id, "expiration_minutes", 5).ok()
	h.Wait(5*time.Minute + time.Second)
	h.post("/v1/totps/authenticate", "user_id", id, "totp_code", h.Code(made.get("secret"))).refused(401, "expired_totp")
	h.prove(h.newApp(id)).ok()
}

// Of any number of parallel calls with one code, one succeeds. The others are replays; as attempts
// count until they are compared, a large burst of them meets the lock, which ends with it.
func TestOneOfParallelCallsUsesACode(t *testing.T) {
	h := newFixture(t)
	a := h.verifiedApp(h.user("ada"))
	for _, calls := range []int{4, 100} {
		got := h.burst(calls, fmt.Sprintf(`{"user_id":%q,"totp_code":%q,"session_duration_minutes":5}`, a.user, h.Code(a.secret)))
		replayed, locked := got["400 totp_code_already_authenticated"], got["429 user_lock_limit_reached"]
		if got["200 "] != 1 || replayed+locked != calls-1 || replayed == 0 || calls == 4 && locked > 0 {
			t.Errorf("responses = %v, want one success and replays", got)
		}
		h.Wait(30 * time.Second)
	}
	h.prove(a).ok().is("user.is_locked", false)
	if n := len(h.call(http.MethodGet, "/v1/sessions?user_id="+a.user, "").ok().at("sessions").([]any)); n != 2 {
		t.Errorf("%d sessions, want one for each success", n)
	}
}

// burst makes calls with one body in parallel, and counts the responses by status and error_type.
func (h *fixture) burst(calls int, body string) map[string]int {
	var all sync.WaitGroup
	responses := make(chan string, calls)
	for range calls {
		all.Go(func() {
			r, w := request(http.MethodPost, "/v1/totps/authenticate", body), httptest.NewRecorder()
			r.SetBasicAuth(project, h.secret)
			h.Handler.ServeHTTP(w, r)
			var b errorBody
			if err := json.Unmarshal(w.Body.Bytes(), &b); err != nil {
				h.T.Error(err)
			}
			responses <- fmt.Sprint(w.Code, " ", b.Type)
		})
	}
	all.Wait()
	close(responses)
	got := map[string]int{}
	for r := range responses {
		got[r]++
	}
	return got
}

func TestRecoveryCodes(t *testing.T) {
	h := newFixture(t)
	a := h.verifiedApp(h.user("ada"))
	if len(a.codes) != 10 {
		t.Errorf("%d recovery codes, want 10", len(a.codes))
	}
	h.post("/v1/totps/recovery_codes", "user_id", a.user).ok().golden(t, "totps_recovery_codes").is("totps.0.recovery_codes", fmt.Sprint(a.codes))
	h.post("/v1/totps/recover", "user_id", a.user, "recovery_code", strings.ToUpper(a.codes[3]), "session_duration_minutes", 5).ok().
		golden(t, "totps_recover").is("totp_id", a.id).is("user.totps.0.verified", true)
	h.post("/v1/totps/recover", "user_id", a.user, "recovery_code", a.codes[3]).refused(401, "unable_to_authenticate_recovery_code")
	h.post("/v1/totps/recover", "user_id", a.user, "recovery_code", "0000-0000-0000").refused(401, "unable_to_authenticate_recovery_code")
	left := append(append([]string{}, a.codes[:3]...), a.codes[4:]...)
	h.post("/v1/totps/recovery_codes", "user_id", a.user).ok().is("totps.0.recovery_codes", fmt.Sprint(left))
	h.prove(a).ok()
}

func TestFactorsAreRefused(t *testing.T) {
	h := newFixture(t)
	a := h.verifiedApp(h.user("ada"))
	unknown, foreign := "user-test-00000000-0000-0000-0000-000000000001", strings.Replace(a.user, "test", "live", 1)
	code := h.Code(a.secret)
	for _, tc := range []struct {
		path, body string
		status     int
		kind       string
	}{
		{"/v1/totps", `{}`, 400, "invalid_user_id"},
		{"/v1/totps", `{"user_id":7}`, 400, "bad_request"},
		{"/v1/totps", `{"user_id":"` + unknown + `"}`, 404, "user_not_found"},
		{"/v1/totps", `{"user_id":"` + foreign + `"}`, 404, "user_not_found"},
		{"/v1/totps", `{"user_id":"` + unknown + `","expiration_minutes":4}`, 400, "invalid_expiration"},
		{"/v1/totps", `{"user_id":"` + unknown + `","expiration_minutes":1441}`, 400, "invalid_expiration"},
		{"/v1/totps", `{"user_id":"` + unknown + `","expiration_minutes":5.5}`, 400, "bad_request"},
		{"/v1/totps", `{"user_id":"` + unknown + `","expiration_minutes":-60}`, 400, "invalid_expiration"},
		{"/v1/totps", `{"user_id":"` + unknown + `","expiration_minutes":"60"}`, 400, "bad_request"},
		{"/v1/totps/recovery_codes", `{}`, 400, "invalid_user_id"},
		{"/v1/totps/recovery_codes", `{"user_id":"` + unknown + `"}`, 404, "user_not_found"},
		{"/v1/totps/authenticate", `{"totp_code":"123456"}`, 400, "invalid_user_id"},
		{"/v1/totps/authenticate", `{"user_id":"` + unknown + `","totp_code":"123456"}`, 404, "user_not_found"},
		{"/v1/totps/authenticate", `{"user_id":"` + foreign + `","totp_code":"123456"}`, 404, "user_not_found"},
		{"/v1/totps/authenticate", `{"user_id":"` + unknown + `","totp_code":"12345"}`, 400, "invalid_totp_code"},
		{"/v1/totps/authenticate", `{"user_id":"` + unknown + `","totp_code":"12345a"}`, 400, "invalid_totp_code"},
		{"/v1/totps/authenticate", `{"user_id":"` + unknown + `","totp_code":"123.456"}`, 400, "invalid_totp_code"},
		{"/v1/totps/authenticate", `{"user_id":"` + unknown + `","totp_code":123456}`, 400, "bad_request"},
		{"/v1/totps/authenticate", `{"user_id":"` + a.user + `","totp_code":"12345678"}`, 400, "invalid_totp_code"},
		{"/v1/totps/authenticate", `{"user_id":"` + a.user + `"}`, 400, "invalid_totp_code"},
		{"/v1/totps/authenticate", `{"user_id":"` + a.user + `","totp_code":"` + code + `","session_duration_minutes":4}`, 400, "invalid_session_duration_minutes"},
		{"/v1/totps/authenticate", `{"user_id":"` + a.user + `","totp_code":"` + code + `","session_duration_minutes":0}`, 400, "invalid_session_duration_minutes"},
		{"/v1/totps/authenticate", `{"user_id":"` + a.user + `","totp_code":"` + code + `","session_duration_minutes":527041}`, 400, "invalid_session_duration_minutes"},
		{"/v1/totps/authenticate", `{"user_id":"` + a.user + `","totp_code":"` + code + `","session_token":"x","session_jwt":"y"}`, 400, "too_many_session_arguments"},
		{"/v1/totps/authenticate", `{"user_id":"` + a.user + `","totp_code":"` + code + `","session_token":"x"}`, 404, "session_not_found"},
		{"/v1/totps/authenticate", `{"user_id":"` + a.user + `","totp_code":"` + code + `","session_jwt":"y"}`, 404, "session_not_found"},
		{"/v1/totps/authenticate", `{"user_id":"` + a.user + `","totp_code":"` + code + `","session_custom_claims":7}`, 400, "bad_request"},
		{"/v1/totps/authenticate", `{"user_id":"` + a.user + `","totp_code":"` + code + `","session_duration_minutes":5,"session_custom_claims":{"a":"` + strings.Repeat("x", 4096) + `"}}`, 400, "custom_claims_too_large"},
		{"/v1/totps/recover", `{"user_id":"` + a.user + `"}`, 400, "invalid_recovery_code"},
		{"/v1/totps/recover", `{"user_id":"` + unknown + `","recovery_code":"x"}`, 400, "invalid_recovery_code"},
		{"/v1/totps/recover", `{"user_id":"` + unknown + `","recovery_code":"` + a.codes[0] + `"}`, 404, "user_not_found"},
		{"/v1/totps/recover", `{"user_id":"` + a.user + `","recovery_code":"` + a.codes[0] + `","session_token":"x"}`, 404, "session_not_found"},
	} {
		h.call(http.MethodPost, tc.path, tc.body).refused(tc.status, tc.kind)
	}
	h.prove(a).ok() // none of them used the code up, or counted
	h.post("/v1/totps/recover", "user_id", a.user, "recovery_code", " "+strings.ToUpper(a.codes[0])+"\u200b").ok()
}

func TestALockIsShownAndRefusesRightCodes(t *testing.T) {
	h := newFixture(t)
	a := h.verifiedApp(h.user("ada"))
	for range 20 {
		if r := h.post("/v1/totps/authenticate", "user_id", a.user, "totp_code", h.wrong(a)); r.code != 401 {
			break
		}
	}
	locked := h.prove(a).refused(429, "user_lock_limit_reached")
	if locked.w.Header().Get("Retry-After") == "" {
		t.Error("a lock has no Retry-After")
	}
	shown := h.call(http.MethodGet, "/v1/users/"+a.user, "").ok().is("is_locked", true)
	since, err := time.Parse(time.RFC3339, shown.get("lock_created_at"))
	h.OK(err)
	until, err := time.Parse(time.RFC3339, shown.get("lock_expires_at"))
	h.OK(err)
	if !until.After(h.Now()) || since.After(h.Now()) {
		t.Errorf("locked from %v to %v at %v", since, until, h.Now())
	}
	h.post("/v1/users/search").ok().is("results.0.is_locked", true)
	h.Wait(until.Sub(h.Now()) + time.Second)
	h.prove(a).ok().is("user.is_locked", false).is("user.lock_created_at", "<nil>").is("user.lock_expires_at", "<nil>")
}

// A TOTP that was enrolled on another surface is the user's here too.
func TestFactorsOfOtherSurfaces(t *testing.T) {
	h := newFixture(t)
	id := h.User("ada", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "bbbb-bbbb-bbbb")
	user := "user-test-" + string(id)
	h.call(http.MethodGet, "/v1/users/"+user, "").ok().is("totps.0.verified", true).is("emails.0.verified", true)
	a := app{user: user, secret: "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"}
	h.prove(a).ok()
	h.post("/v1/totps/recover", "user_id", user, "recovery_code", "BBBB-BBBB-BBBB").ok()
	h.OK(h.Store.CreateSession(context.Background(), storage.Session{ID: storage.SessionID(storage.TimeOrdered(h.Now(), rand.Reader)), UserID: id, Origin: "browser",
		Factors:    []storage.Factor{{Method: "password", Authenticator: storage.AuthenticatorID(id), At: h.Now()}, {Method: "email", Authenticator: storage.AuthenticatorID(id), At: h.Now()}},
		Generation: 1, Attributes: []byte(`{"iss":"eve","plan":"gold"}`), CreatedAt: h.Now(), LastSeenAt: h.Now(), ExpiresAt: h.Now().Add(time.Hour)}, nil))
	h.call(http.MethodGet, "/v1/sessions?user_id="+user, "").ok().is("sessions.0.authentication_factors.0.type", "password").
		is("sessions.0.authentication_factors.0.delivery_method", "knowledge").is("sessions.0.authentication_factors.1.type", "email_otp").
		is("sessions.0.custom_claims", "map[plan:gold]")
	status := storage.UserDisabled
	h.OK(h.Store.UpdateUser(context.Background(), storage.UserChange{ID: id, Status: &status, Now: h.Now()}))
	h.call(http.MethodGet, "/v1/users/"+user, "").ok().is("is_locked", true)
	h.Wait(30 * time.Second)
	if r := h.prove(a); r.code < 400 {
		t.Errorf("a disabled user = %d %s", r.code, r.raw)
	}
}
