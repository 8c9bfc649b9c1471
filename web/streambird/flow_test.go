package streambird

import (
	"bytes"
	"encoding/base64"
	"image/png"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

const (
	someone = "ada@example.org"
	number  = "+14152222222"
)

// newUser creates a user with these members and returns its ID.
func (h *fixture) newUser(pairs ...any) string {
	h.T.Helper()
	return h.post("/users/create", pairs...).ok().text("user_id")
}

// app is an authenticator app of a user, set up through the dialect.
type app struct {
	h                *fixture
	user, id, secret string
	codes            []string // recovery codes
}

// newApp creates an authenticator for a user.
func (h *fixture) newApp(user string) *app {
	h.T.Helper()
	r := h.post("/totps/create", "user_id", user).ok()
	a := &app{h: h, user: user, id: r.text("totp_id"), secret: r.text("secret")}
	for _, code := range r.at("recovery_codes").([]any) {
		a.codes = append(a.codes, code.(string))
	}
	return a
}

// verify sends the code that the app shows now, with more members.
func (a *app) verify(more ...any) reply {
	a.h.T.Helper()
	return a.h.post("/totps/verify", append([]any{"user_id", a.user, "totp", a.h.Code(a.secret)}, more...)...)
}

// wrong is a code that the app does not show now.
func (a *app) wrong() string {
	a.h.T.Helper()
	right := ""
	for _, d := range []time.Duration{-60, -30, 0, 30, 60} {
		right += a.h.Services.Code(a.secret, a.h.Now().Add(d*time.Second)) + " "
	}
	for _, code := range []string{"000000", "111111", "222222", "333333", "444444"} {
		if !strings.Contains(right, code) {
			return code
		}
	}
	return "555555"
}

// next waits for the next code.
func (a *app) next() *app { a.h.Wait(30 * time.Second); return a }

func TestTOTPIsSetUpAndVerified(t *testing.T) {
	h := newFixture(t)
	created := golden(t, "users_create", h.post("/users/create", "first_name", "John", "last_name", "Smith", "email", "Ada@Example.org", "phone_number", number, "requires_verification", true).ok())
	user := created.text("user_id")
	totp := golden(t, "totps_create", h.post("/totps/create", "user_id", user).ok())
	a := &app{h: h, user: user, id: totp.text("totp_id"), secret: totp.text("secret")}
	picture, err := base64.StdEncoding.DecodeString(totp.text("qr_base64"))
	h.OK(err)
	image, err := png.Decode(bytes.NewReader(picture))
	h.OK(err)
	if size := image.Bounds(); size.Dx() != size.Dy() || size.Dx() < 200 {
		t.Errorf("the picture is %v, want a square of at least 200 pixels", size)
	}
	golden(t, "users_get_pending", h.call(http.MethodGet, "/users/"+user, "").ok())

	golden(t, "totps_verify_wrong", h.post("/totps/verify", "user_id", user, "totp", a.wrong()).refused(400, "invalid_totp"))
	golden(t, "totps_verify", a.verify().ok())
	golden(t, "totps_verify_replayed", a.verify().refused(400, "invalid_totp"))
	active := golden(t, "users_get", h.call(http.MethodGet, "/users/"+user, "").ok())
	if active.at("status") != "active" || active.at("totps.0.verified") != true || active.text("totps.0.id") != a.id || active.at("emails.0.verified") != false {
		t.Errorf("user = %s, want an active one with a verified TOTP", active.raw)
	}
	golden(t, "totps_create_again", h.post("/totps/create", "user_id", user).refused(409, "totp_already_exists"))

	session := golden(t, "totps_verify_session", a.next().verify("session_expires_in", 100).ok())
	if session.at("session.factors.0.method.method_id") != active.at("emails.0.id") || session.at("session.factors.0.method.totp_id") != a.id {
		t.Errorf("factor = %v", session.at("session.factors.0"))
	}
	golden(t, "totps_delete", h.call(http.MethodDelete, "/users/totps/"+a.id+"/delete", "").ok())
	golden(t, "totps_verify_deleted", a.next().verify().refused(404, "totp_not_found"))
	h.post("/totps/recovery_codes", "user_id", user).refused(404, "totp_not_found")
}

func TestStepsAreAcceptedOneEitherSideAndOnce(t *testing.T) {
	for _, tc := range []struct {
		name   string
		offset time.Duration
		ok     bool
	}{
		{"two before", -60 * time.Second, false}, {"the one before", -30 * time.Second, true}, {"now", 0, true},
		{"the next", 30 * time.Second, true}, {"the one after next", 60 * time.Second, false},
	} {
		h := newFixture(t)
		a := h.newApp(h.newUser("email", someone))
		r := h.post("/totps/verify", "user_id", a.user, "totp", h.Services.Code(a.secret, h.Now().Add(tc.offset)))
		if tc.ok {
			r.ok()
		} else {
			r.refused(400, "invalid_totp")
		}
		for _, malformed := range []string{"12345", "1234567", "12345x", "123 456"} {
			h.post("/totps/verify", "user_id", a.user, "totp", malformed).refused(400, "invalid_totp")
		}
	}
}

// Of parallel calls with one right code, one succeeds.
func TestOneOfAHundredParallelUsesOfACodeSucceeds(t *testing.T) {
	h := newFixture(t)
	a := h.newApp(h.newUser("email", someone))
	a.verify().ok()
	a.next()
	body := object("user_id", a.user, "totp", h.Code(a.secret), "session_expires_in", 60)
	var all sync.WaitGroup
	var won, refused atomic.Int64
	start := make(chan struct{})
	for range 100 {
		all.Go(func() {
			<-start
			switch w := h.raw(http.MethodPost, "/totps/verify", body); w.Code {
			case http.StatusOK:
				won.Add(1)
			case http.StatusBadRequest, http.StatusForbidden, http.StatusTooManyRequests:
				refused.Add(1)
			default:
				t.Errorf("status %d %s", w.Code, w.Body)
			}
		})
	}
	close(start)
	all.Wait()
	if won.Load() != 1 || refused.Load() != 99 {
		t.Errorf("%d of 100 succeeded and %d were refused, want 1 and 99\n%s", won.Load(), refused.Load(), h.failures())
	}
	if n := len(h.call(http.MethodGet, "/sessions/list?user_id="+a.user, "").ok().at("sessions").([]any)); n != 1 {
		t.Errorf("%d sessions, want 1", n)
	}
}

func TestAnAuthenticatorMustBeVerifiedInTime(t *testing.T) {
	h := newFixture(t)
	user := h.newUser("email", someone)
	first := h.newApp(user)
	second := h.post("/totps/create", "user_id", user, "expires_in", 5).ok()
	a := &app{h: h, user: user, id: second.text("totp_id"), secret: second.text("secret")}
	if first.id == a.id {
		t.Fatal("the second authenticator has the ID of the first")
	}
	first.verify().refused(400, "invalid_totp") // replaced
	h.Wait(5 * time.Minute)
	a.verify().refused(400, "invalid_totp")
	if list := h.call(http.MethodGet, "/users/"+user, "").ok().at("totps").([]any); len(list) != 0 {
		t.Errorf("totps = %v, want none", list)
	}
	h.newApp(user).verify().ok()
}

func TestRecoveryCodesWorkOnceInEveryCase(t *testing.T) {
	h := newFixture(t)
	a := h.newApp(h.newUser("email", someone))
	golden(t, "totps_recovery_codes_pending", h.post("/totps/recovery_codes", "user_id", a.user).ok())
	h.post("/totps/recovery", "user_id", a.user, "recovery_code", a.codes[0]).refused(400, "invalid_recovery_code") // not verified yet
	a.verify().ok()
	golden(t, "totps_recovery", h.post("/totps/recovery", "user_id", a.user, "recovery_code", strings.ToUpper(a.codes[0]), "session_expires_in", 60).ok())
	golden(t, "totps_recovery_used", h.post("/totps/recovery", "user_id", a.user, "recovery_code", a.codes[0]).refused(400, "invalid_recovery_code"))
	h.post("/totps/recovery", "user_id", a.user, "totp", a.codes[1]).ok() // the library for Node
	h.post("/totps/recovery", "user_id", a.user, "recovery_code", "aaaaa-aaaaa").refused(400, "invalid_recovery_code")
	left := h.post("/totps/recovery_codes", "user_id", a.user).ok()
	if got := left.at("totps.0.recovery_codes").([]any); len(got) != 14 || strings.Contains(left.raw, a.codes[0]) || strings.Contains(left.raw, a.codes[1]) || left.at("totps.0.id") != a.id {
		t.Errorf("%s, want the 14 unused codes of %s", left.raw, a.id)
	}
	if !strings.Contains(left.raw, a.codes[2]) {
		t.Errorf("%s lacks %s", left.raw, a.codes[2])
	}
}

func TestALockedUserIsRefusedWithoutRetryAfter(t *testing.T) {
	h := newFixture(t)
	a := h.newApp(h.newUser("email", someone))
	a.verify().ok()
	a.next()
	locked := false
	for range 30 {
		r := h.post("/totps/verify", "user_id", a.user, "totp", a.wrong())
		if r.code == http.StatusForbidden {
			golden(t, "totps_verify_locked", r.refused(403, "user_locked"))
			locked = true
			break
		}
		r.refused(400, "invalid_totp")
	}
	if !locked {
		t.Fatal("30 wrong codes impose no wait")
	}
	a.verify().refused(403, "user_locked") // the right one
	h.Wait(2 * time.Hour)
	a.verify().ok()
}

// The factors of a user are the same on every surface.
func TestAnAuthenticatorOfAnotherSurfaceWorks(t *testing.T) {
	h := newFixture(t)
	ctx := t.Context()
	account, err := h.Users.Account(ctx, h.User("bob", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "aaaaaaaaaaaaaaaaaaaaaaaa"))
	h.OK(err)
	user := userID(account.User)
	a := &app{h: h, user: user, secret: "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"}
	id := a.verify("session_expires_in", 60).ok().text("totp_id")
	r := h.post("/totps/recovery", "user_id", user, "recovery_code", "aaaaaaaaaaaaaaaaaaaaaaaa", "session_expires_in", 60).ok()
	if r.text("totp_id") != id {
		t.Errorf("the recovery code belongs to %s, want %s", r.text("totp_id"), id)
	}
	x, token := h.browserSession(account)
	list := h.call(http.MethodGet, "/sessions/list?user_id="+user, "").ok()
	if !strings.Contains(list.raw, `"delivery_channel":"password"`) || !strings.Contains(list.raw, sessionID(x)) {
		t.Errorf("sessions = %s, want the one of the browser with its password", list.raw)
	}
	golden(t, "sessions_verify_browser", h.post("/sessions/verify", "session_token", token).ok())
}

// A session keeps its factors when what they were proven with is removed.
func TestFactorsOfRemovedAuthenticatorsAreShown(t *testing.T) {
	h := newFixture(t)
	created := h.post("/users/create", "email", someone).ok()
	a := h.newApp(created.text("user_id"))
	token := a.verify("session_expires_in", 60).ok().text("session_token")
	h.post("/otps/email/send", "email", someone).ok()
	h.post("/otps/verify", "method_id", created.text("email_id"), "otp", h.sent(someone), "session_token", token).ok()
	h.call(http.MethodDelete, "/users/emails/"+created.text("email_id")+"/delete", "").ok()
	h.call(http.MethodDelete, "/users/totps/"+a.id+"/delete", "").ok()
	list := h.call(http.MethodGet, "/sessions/list?user_id="+a.user, "").ok()
	for _, x := range list.at("sessions").([]any) {
		for _, f := range x.(map[string]any)["factors"].([]any) {
			if method := f.(map[string]any)["method"].(map[string]any); method["method_id"] == "" || method["method_type"] == "totp" && method["totp_id"] == nil {
				t.Errorf("factor = %v, want IDs", f)
			}
		}
	}
}

// browserSession stores a session as a login with a password does.
func (h *fixture) browserSession(a storage.Account) (storage.Session, string) {
	h.T.Helper()
	factor := storage.Factor{Method: "password", Kinds: []storage.Kind{storage.Know}, AMR: []string{"pwd"}, At: h.Now()}
	x, _, _ := h.Sessions.ForLogin(nil, storage.AuthRequest{}, a.User.ID, []storage.Factor{factor}, mfa.Caller{Address: "192.0.2.9", UserAgent: "Firefox"})
	h.OK(h.Store.CreateSession(h.T.Context(), x, nil))
	return x, h.Sessions.Token(x)
}
