package stytch

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/backend"
	"sallyport/provider/apikeys"
	"sallyport/storage"
	"sallyport/web"
)

// failing fails every call with an error.
type failing struct {
	s   *Surface
	err error
	own words
}

func (f failing) Mount(r gin.IRouter) {
	r.POST("/fail", func(c *gin.Context) { f.s.fail(c, f.err, f.own) })
}

func respond(t *testing.T, err error, own words) (*httptest.ResponseRecorder, errorBody, string) {
	t.Helper()
	var log strings.Builder
	s := &Surface{environment: "test", random: rand.Reader, docs: origin + described}
	h, wrong := web.New(web.Options{Issuer: origin, Logger: slog.New(slog.NewTextHandler(&log, nil))}, rand.Reader, time.Now, failing{s, err, own})
	if wrong != nil {
		t.Fatal(wrong)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/fail", nil))
	var b errorBody
	if wrong := json.Unmarshal(w.Body.Bytes(), &b); wrong != nil {
		t.Fatal(wrong)
	}
	return w, b, log.String()
}

// all returns every refusal of the dialect.
func all() []refusal {
	out := []refusal{unauthorized, forbidden, invalidUserID, invalidMethodID, invalidTOTPID, invalidSessionID, invalidTOTPCode, invalidRecoveryCode, invalidCode,
		invalidCreateUser, invalidExpiration, invalidExpirationOTP, invalidDuration, claimsTooLarge, twoSessions, neitherSession, revokesSeveral, revokesNone,
		noProject, invalidIP, invalidAgent, broken, unavailable, invalidLimit, invalidCursor, invalidOperator, filterNameType, filterName, filterString, filterStatus, filterList, filterCount}
	for _, w := range []words{refusals, ofPhone, ofTOTP, ofTOTPCode, ofRecoveryCode, ofOTP, ofSending(sms)} {
		for _, r := range w {
			out = append(out, r)
		}
	}
	for _, status := range []int{404, 405} {
		var f *fault
		errors.As(engineFault(status, "refused"), &f)
		out = append(out, f.refusal)
	}
	return out
}

// Every code has a response, and the table of the guide and the description are those of the
// code.
func TestEveryCodeHasAResponse(t *testing.T) {
	for _, code := range mfa.Codes() {
		w, b, _ := respond(t, fmt.Errorf("operation: %w", &mfa.Error{Code: code, Err: errors.New("hidden cause")}), nil)
		if w.Code < 400 || w.Code == 500 || b.StatusCode != w.Code || b.Type == "" || b.Message == "" || strings.Contains(w.Body.String(), "hidden") {
			t.Errorf("%s = %d %s", code, w.Code, w.Body)
		}
	}
	if len(refusals) != len(mfa.Codes()) {
		t.Errorf("%d refusals for %d codes", len(refusals), len(mfa.Codes()))
	}
	guide, err := os.ReadFile("../../docs/guides/coming-from-stytch.md")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := documentation()
	if err != nil {
		t.Fatal(err)
	}
	kinds := doc.Components.Schemas["Error"].Value.Properties["error_type"].Value.Enum
	var listed []any
	for _, r := range all() {
		if r.kind != "" && !slices.Contains(kinds, any(r.kind)) {
			t.Errorf("the description lacks %s", r.kind)
		}
		if line := fmt.Sprintf("| %d | `%s` |", r.status, r.kind); !strings.Contains(string(guide), line) {
			t.Errorf("the guide lacks the line %q", line)
		}
		listed = append(listed, r.kind)
	}
	for _, kind := range kinds {
		if !slices.Contains(listed, kind) {
			t.Errorf("the description has %s, which is never sent", kind)
		}
	}
}

func TestACodeMeansWhatItsCallSays(t *testing.T) {
	phone := func(code mfa.Code) error {
		return &backend.AddressError{Kind: storage.Phone, Err: &mfa.Error{Code: code}}
	}
	for _, tc := range []struct {
		err    error
		own    words
		status int
		kind   string
	}{
		{&mfa.Error{Code: mfa.InvalidPasscode}, ofTOTPCode, 401, "unable_to_authenticate_totp"},
		{&mfa.Error{Code: mfa.InvalidPasscode}, ofRecoveryCode, 401, "unable_to_authenticate_recovery_code"},
		{&mfa.Error{Code: mfa.InvalidPasscode}, ofOTP, 404, "otp_code_not_found"},
		{&mfa.Error{Code: mfa.Replayed}, ofTOTPCode, 400, "totp_code_already_authenticated"},
		{&mfa.Error{Code: mfa.Replayed}, ofRecoveryCode, 401, "unable_to_authenticate_recovery_code"},
		{&mfa.Error{Code: mfa.Replayed}, ofOTP, 401, "unable_to_auth_otp_code"},
		{&mfa.Error{Code: mfa.NotConfigured}, ofTOTPCode, 404, "totps_not_found_for_user"},
		{&mfa.Error{Code: mfa.NotConfigured}, ofTOTP, 404, "totp_not_found"},
		{&mfa.Error{Code: mfa.NotConfigured}, ofSending(sms), 400, "unavailable_endpoint"},
		{&mfa.Error{Code: mfa.EnrollmentExpired}, ofTOTPCode, 401, "expired_totp"},
		{phone(mfa.IdentifierTaken), nil, 400, "duplicate_phone_number"},
		{phone(mfa.InvalidIdentifier), ofSending(sms), 400, "invalid_phone_number"},
		{phone(mfa.IdentifierNotFound), ofOTP, 404, "phone_number_not_found"},
	} {
		if w, b, _ := respond(t, tc.err, tc.own); w.Code != tc.status || b.Type != tc.kind {
			t.Errorf("%v = %d %s, want %d %s", tc.err, w.Code, b.Type, tc.status, tc.kind)
		}
	}
}

// A call that the server cannot make says what is switched off, and which setting turns it on.
func TestSwitchedOffCallsNameTheSetting(t *testing.T) {
	calls := 0
	for _, at := range (&Surface{}).routes() {
		setting := map[bool]string{true: "sms.countries", false: "mail.host"}[strings.HasPrefix(at.path, "/v1/otps/sms/")]
		if !strings.HasSuffix(at.path, "/send") && !strings.HasSuffix(at.path, "/login_or_create") {
			continue
		}
		calls++
		w, b, _ := respond(t, &mfa.Error{Code: mfa.NotConfigured}, at.words)
		if w.Code != 400 || b.Type != "unavailable_endpoint" || !strings.Contains(b.Message, "switched off") || !strings.Contains(b.Message, setting) {
			t.Errorf("%s = %d %+v, want what is switched off, and %s", at.path, w.Code, b, setting)
		}
	}
	if calls != 4 {
		t.Errorf("%d calls send codes, want 4", calls)
	}
}

func TestWaits(t *testing.T) {
	for _, tc := range []struct {
		err   mfa.Error
		kind  string
		retry string
	}{
		{mfa.Error{Code: mfa.TooMany, RetryAfter: 30 * time.Second}, "user_lock_limit_reached", "30"},
		{mfa.Error{Code: mfa.Locked}, "user_lock_limit_reached", "3600"},
		{mfa.Error{Code: mfa.TooManyMessages, RetryAfter: 1500 * time.Millisecond}, "too_many_requests", "2"},
		{mfa.Error{Code: mfa.TooManyRequests, RetryAfter: time.Minute}, "too_many_requests", "60"},
	} {
		w, b, _ := respond(t, &tc.err, nil)
		if w.Code != 429 || b.Type != tc.kind || w.Header().Get("Retry-After") != tc.retry {
			t.Errorf("%s = %d %s, Retry-After %q", tc.err.Code, w.Code, b.Type, w.Header().Get("Retry-After"))
		}
	}
}

func TestUnexpectedErrorsRevealNothing(t *testing.T) {
	for _, tc := range []struct {
		name        string
		err         error
		status      int
		kind, retry string
	}{
		{"broken", errors.New("SELECT secret"), 500, "internal_server_error", ""},
		{"out of reach", fmt.Errorf("read: %w", context.DeadlineExceeded), 503, "server_unavailable", "5"},
		{"an unknown code", &mfa.Error{Code: "new", Err: errors.New("SELECT secret")}, 500, "internal_server_error", ""},
	} {
		w, b, log := respond(t, tc.err, nil)
		if w.Code != tc.status || b.Type != tc.kind || w.Header().Get("Retry-After") != tc.retry || strings.Contains(w.Body.String(), "SELECT") {
			t.Errorf("%s = %d %s", tc.name, w.Code, w.Body)
		}
		if !strings.Contains(log, b.RequestID) || !strings.Contains(log, "level=ERROR") {
			t.Errorf("%s: log = %s", tc.name, log)
		}
	}
}

func TestCredentials(t *testing.T) {
	h := newFixture(t)
	_, foreign := h.newKey("other", other, apikeys.VerbRead, apikeys.VerbWrite)
	_, reader := h.newKey("reader", project, apikeys.VerbRead)
	basic := func(project, secret string) func(*http.Request) {
		return func(r *http.Request) { r.SetBasicAuth(project, secret) }
	}
	for name, credentials := range map[string]func(*http.Request){
		"none":                 func(*http.Request) {},
		"a wrong secret":       basic(project, "secret-test-x"),
		"no secret":            basic(project, ""),
		"no project":           basic("", h.secret),
		"another project":      basic(other, h.secret),
		"a secret of another":  basic(project, foreign),
		"the live environment": basic(strings.Replace(project, "test", "live", 1), h.secret),
		"a bearer token":       func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+h.secret) },
		"no base64":            func(r *http.Request) { r.Header.Set("Authorization", "Basic "+h.secret) },
		"two headers": func(r *http.Request) {
			r.SetBasicAuth(project, h.secret)
			r.Header.Add("Authorization", r.Header.Get("Authorization"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			h.T = t
			for _, at := range h.surface.routes() {
				path := strings.NewReplacer(":user_id", "x", ":email_id", "x", ":phone_id", "x", ":totp_id", "x").Replace(at.path)
				r := request(at.verb, path, "{}")
				credentials(r)
				got := h.do(r).refused(401, "unauthorized_credentials")
				if got.w.Header().Get("WWW-Authenticate") == "" {
					t.Error("401 without WWW-Authenticate")
				}
			}
		})
	}
	h.T = t
	r := request(http.MethodPost, "/v1/users/search", "{}")
	r.SetBasicAuth(project, reader)
	h.do(r).ok()
	for _, path := range []string{"/v1/users", "/v1/totps/recovery_codes", "/v1/sessions/authenticate"} {
		r := request(http.MethodPost, path, "{}")
		r.SetBasicAuth(project, reader)
		h.do(r).refused(403, "unauthorized_action")
	}
}

// faulty is a surface that panics at an address of the dialect.
type faulty struct{}

func (faulty) Mount(r gin.IRouter) {
	r.GET("/v1/panic", func(*gin.Context) { panic("the shelf fell down") })
}

// SDKs parse every response: whatever is sent to the dialect's addresses, it is JSON in its
// format.
func TestEveryRefusalIsInTheFormat(t *testing.T) {
	h := newFixture(t, faulty{})
	h.Broken = true
	for _, tc := range []struct {
		verb, path string
		status     int
		kind       string
	}{
		{"GET", "/v1/", 404, "route_not_found"},
		{"GET", "/v1/passwords", 404, "route_not_found"},
		{"POST", "/v1/magic_links/authenticate", 404, "route_not_found"},
		{"POST", "/v1/authentic", 404, "route_not_found"},
		{"PATCH", "/v1/users", 405, "method_not_allowed"},
		{"GET", "/v1/totps", 405, "method_not_allowed"},
	} {
		h.call(tc.verb, tc.path, "").refused(tc.status, tc.kind)
	}
	for _, tc := range []struct {
		name, kind, body string
		status           int
	}{
		{"a form", "application/x-www-form-urlencoded", "email=a", 415},
		{"text", "text/plain", "{}", 415},
		{"no type", "", "{}", 415},
		{"a list", "application/json", "[]", 400},
		{"two objects", "application/json", "{}{}", 400},
		{"half an object", "application/json", `{"email":`, 400},
		{"no text", "application/json", "{\"email\":\"\xff\"}", 400},
		{"a NUL", "application/json", `{"email":"a\u0000@example.com"}`, 400},
		{"too deep", "application/json", strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40), 400},
		{"too long", "application/json", `{"a":"` + strings.Repeat("x", 70_000) + `"}`, 413},
	} {
		r := request(http.MethodPost, "/v1/users", tc.body)
		r.Header.Set("Content-Type", tc.kind)
		r.SetBasicAuth(project, h.secret)
		h.do(r).refused(tc.status, "bad_request")
	}
	for _, path := range []string{"/v1/auth", "/v1/auth/users", "/v2/users"} {
		w := httptest.NewRecorder()
		h.Handler.ServeHTTP(w, request(http.MethodGet, path, ""))
		if strings.Contains(w.Body.String(), "error_type") {
			t.Errorf("%s = %s, want the form of another surface", path, w.Body)
		}
	}
	w := httptest.NewRecorder()
	h.Handler.ServeHTTP(w, request(http.MethodGet, "/v1/panic", ""))
	if w.Code != 500 || !strings.Contains(w.Body.String(), `"error_type":"internal_server_error"`) {
		t.Errorf("a panic = %d %s", w.Code, w.Body)
	}
}

func TestNoSecretIsLogged(t *testing.T) {
	h := newFixture(t)
	a := h.verifiedApp(h.user("ada"))
	code, wrong := h.Code(a.secret), h.wrong(a)
	h.post("/v1/totps/authenticate", "user_id", a.user, "totp_code", wrong).refused(401, "unable_to_authenticate_totp")
	x := h.prove(a, "session_duration_minutes", 5).ok()
	h.post("/v1/sessions/revoke", "session_token", x.get("session_token")).ok()
	h.post("/v1/sessions/authenticate", "session_token", x.get("session_token")).refused(404, "session_not_found")
	h.post("/v1/totps/recover", "user_id", a.user, "recovery_code", a.codes[0]).ok()
	h.post("/v1/otps/email/send", "email", "ada@example.com").ok()
	for _, secret := range []string{code, wrong, a.secret, a.codes[0], a.codes[1], x.get("session_token"), x.get("session_jwt"), h.secret, h.sent("ada@example.com"), "ada@example.com"} {
		if strings.Contains(h.Log.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}
