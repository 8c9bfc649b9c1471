package streambird

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
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/backend"
	"sallyport/storage"
	"sallyport/web"
)

// failing fails every call with an error.
type failing struct {
	s     *Surface
	route route
	err   error
}

func (f failing) Mount(r gin.IRouter) {
	r.POST("/fail", func(c *gin.Context) { f.s.fail(c, f.route, f.err) })
}

func respond(t *testing.T, x route, err error) (*httptest.ResponseRecorder, refusal, string) {
	t.Helper()
	var log strings.Builder
	logger := slog.New(slog.NewTextHandler(&log, nil))
	h, wrong := web.New(web.Options{Issuer: issuer, Logger: logger}, rand.Reader, time.Now, failing{&Surface{}, x, err})
	if wrong != nil {
		t.Fatal(wrong)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/fail", nil))
	var r refusal
	if wrong := json.Unmarshal(w.Body.Bytes(), &r); wrong != nil {
		t.Fatalf("%s: %v", w.Body, wrong)
	}
	if w.Header().Get("Content-Type") != "application/json" || r.Status != w.Code || r.Text == "" || r.Type == "" {
		t.Errorf("response = %d %s %s", w.Code, w.Header().Get("Content-Type"), w.Body)
	}
	return w, r, log.String()
}

func TestEveryCodeHasARefusal(t *testing.T) {
	doc, err := document()
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range mfa.Codes() {
		w, r, _ := respond(t, route{}, fmt.Errorf("operation: %w", &mfa.Error{Code: code, RetryAfter: time.Hour, Err: errors.New("hidden cause")}))
		if w.Code < 400 || w.Code >= 500 || strings.Contains(w.Body.String(), "hidden cause") {
			t.Errorf("%s = %d %s", code, w.Code, w.Body)
		}
		if wait := w.Header().Get("Retry-After"); (wait == "30") != (w.Code == http.StatusTooManyRequests) || wait != "" && wait != "30" {
			t.Errorf("%s = %d with Retry-After %q", code, w.Code, wait)
		}
		if err := doc.Components.Schemas["Refusal"].Value.Properties["error_type"].Value.VisitJSON(r.Type); err != nil {
			t.Errorf("%s: %v", code, err)
		}
	}
	if len(refusals) != len(mfa.Codes()) {
		t.Errorf("%d refusals for %d codes", len(refusals), len(mfa.Codes()))
	}
}

func TestRefusalsByCall(t *testing.T) {
	phone := func(code mfa.Code) error {
		return &backend.AddressError{Kind: storage.Phone, Err: &mfa.Error{Code: code}}
	}
	mail := func(code mfa.Code) error {
		return &backend.AddressError{Kind: storage.Email, Err: &mfa.Error{Code: code}}
	}
	for _, tc := range []struct {
		name   string
		route  route
		err    error
		status int
		kind   string
		wait   string
	}{
		{"a wrong TOTP code", route{wrong: invalidTOTP}, &mfa.Error{Code: mfa.InvalidPasscode}, 400, "invalid_totp", ""},
		{"a malformed TOTP code", route{wrong: invalidTOTP}, &mfa.Error{Code: mfa.InvalidRequest}, 400, "invalid_totp", ""},
		{"a replayed TOTP code", route{wrong: invalidTOTP}, &mfa.Error{Code: mfa.Replayed}, 400, "invalid_totp", ""},
		{"an expired TOTP", route{wrong: invalidTOTP}, &mfa.Error{Code: mfa.EnrollmentExpired}, 400, "invalid_totp", ""},
		{"a wrong recovery code", route{wrong: invalidRecoveryCode}, &mfa.Error{Code: mfa.InvalidPasscode}, 400, "invalid_recovery_code", ""},
		{"a wrong code", route{wrong: invalidOTP}, &mfa.Error{Code: mfa.InvalidPasscode}, 400, "invalid_otp", ""},
		{"a used code", route{wrong: invalidOTP}, &mfa.Error{Code: mfa.Replayed}, 400, "invalid_otp", ""},
		{"an expired code", route{wrong: invalidOTP}, &mfa.Error{Code: mfa.PasscodeExpired}, 400, "invalid_otp", ""},
		{"a malformed code", route{wrong: invalidOTP}, &mfa.Error{Code: mfa.InvalidRequest}, 400, "invalid_otp", ""},
		{"a malformed call elsewhere", route{}, &mfa.Error{Code: mfa.InvalidRequest}, 400, "validation_error", ""},
		{"a locked user", route{wrong: invalidTOTP}, &mfa.Error{Code: mfa.TooMany, RetryAfter: time.Minute}, 403, "user_locked", ""},
		{"a disabled factor", route{wrong: invalidTOTP}, &mfa.Error{Code: mfa.Locked}, 403, "user_locked", ""},
		{"a taken number", route{}, phone(mfa.IdentifierTaken), 409, "duplicate_phone_number", ""},
		{"a taken address", route{}, mail(mfa.IdentifierTaken), 409, "duplicate_email", ""},
		{"an invalid number", route{}, phone(mfa.InvalidIdentifier), 400, "invalid_phone_number", ""},
		{"an invalid address", route{}, mail(mfa.InvalidIdentifier), 400, "invalid_email", ""},
		{"an unknown number", route{}, phone(mfa.IdentifierNotFound), 404, "phone_number_not_found", ""},
		{"an unknown address", route{}, mail(mfa.IdentifierNotFound), 404, "email_not_found", ""},
		{"too many messages, for an hour", route{}, &mfa.Error{Code: mfa.TooManyMessages, RetryAfter: time.Hour}, 429, "too_many_requests", "30"},
		{"too many messages, for a moment", route{}, &mfa.Error{Code: mfa.TooManyMessages, RetryAfter: time.Millisecond}, 429, "too_many_requests", "1"},
		{"busy", route{}, &mfa.Error{Code: mfa.Busy, RetryAfter: 7 * time.Second}, 429, "too_many_requests", "7"},
		{"broken", route{}, errors.New("SELECT secret"), 500, "internal_server_error", ""},
		{"an unknown code", route{}, &mfa.Error{Code: "new", Err: errors.New("SELECT secret")}, 500, "internal_server_error", ""},
		{"out of reach", route{}, fmt.Errorf("read: %w", context.DeadlineExceeded), 503, "service_unavailable", "5"},
	} {
		w, r, log := respond(t, tc.route, tc.err)
		if w.Code != tc.status || r.Type != tc.kind || w.Header().Get("Retry-After") != tc.wait || strings.Contains(w.Body.String(), "SELECT") {
			t.Errorf("%s = %d %s, Retry-After %q; want %d %s %q", tc.name, w.Code, w.Body, w.Header().Get("Retry-After"), tc.status, tc.kind, tc.wait)
		}
		if strings.Contains(log, "level=ERROR") != (tc.status >= 500) {
			t.Errorf("%s: log = %s", tc.name, log)
		}
	}
}

// The guide has a row for every error_type of the description.
func TestTheGuideNamesEveryErrorType(t *testing.T) {
	guide, err := os.ReadFile("../../docs/guides/coming-from-streambird.md")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := document()
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range doc.Components.Schemas["Refusal"].Value.Properties["error_type"].Value.Enum {
		if !strings.Contains(string(guide), fmt.Sprintf("`%s`", kind)) {
			t.Errorf("%s is missing in the guide", kind)
		}
	}
}
