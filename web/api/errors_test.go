package api

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/web"
	"sallyport/web/problem"
)

// failing fails every call with an error.
type failing struct {
	s   *Surface
	err error
}

func (f failing) Mount(r gin.IRouter) {
	r.POST("/fail", func(c *gin.Context) { f.s.fail(c, f.err, "") })
	r.POST("/open", func(c *gin.Context) { f.s.notOpened(c, f.err) })
}

func respond(t *testing.T, path string, err error) (*httptest.ResponseRecorder, problem.Problem, string) {
	t.Helper()
	var log strings.Builder
	logger := slog.New(slog.NewTextHandler(&log, nil))
	h, wrong := web.New(web.Options{Issuer: "https://op.example", Logger: logger}, rand.Reader, time.Now, failing{&Surface{}, err})
	if wrong != nil {
		t.Fatal(wrong)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, nil))
	var p problem.Problem
	if wrong := json.Unmarshal(w.Body.Bytes(), &p); wrong != nil {
		t.Fatal(wrong)
	}
	return w, p, log.String()
}

func TestEveryCodeHasARefusal(t *testing.T) {
	for _, code := range mfa.Codes() {
		w, p, _ := respond(t, "/fail", fmt.Errorf("operation: %w", &mfa.Error{Code: code, Err: errors.New("hidden cause")}))
		if w.Code < 400 || w.Code >= 600 || w.Code == 500 || p.Status != w.Code || p.Code != string(code) || p.Detail == "" ||
			p.Title != http.StatusText(w.Code) || p.Support == "" {
			t.Errorf("%s = %d %s, want a form of its own", code, w.Code, w.Body)
		}
		if strings.Contains(w.Body.String(), "hidden cause") {
			t.Errorf("%s reveals its cause: %s", code, w.Body)
		}
	}
	if len(refusals) != len(mfa.Codes()) {
		t.Errorf("%d refusals for %d codes", len(refusals), len(mfa.Codes()))
	}
}

func TestRetryAfterIsInWholeSeconds(t *testing.T) {
	for wait, want := range map[time.Duration]string{0: "", time.Millisecond: "1", 30 * time.Second: "30", 30001 * time.Millisecond: "31"} {
		w, _, _ := respond(t, "/fail", &mfa.Error{Code: mfa.TooMany, RetryAfter: wait})
		if got := w.Header().Get("Retry-After"); got != want {
			t.Errorf("Retry-After of %s = %q, want %q", wait, got, want)
		}
	}
}

func TestUnexpectedErrorsRevealNothing(t *testing.T) {
	for _, tc := range []struct {
		name        string
		err         error
		status      int
		code, retry string
	}{
		{"broken", errors.New("SELECT secret"), 500, "server_error", ""},
		{"out of reach", fmt.Errorf("read: %w", context.DeadlineExceeded), 503, "temporarily_unavailable", "5"},
		{"an unknown code", &mfa.Error{Code: "new", Err: errors.New("SELECT secret")}, 500, "server_error", ""},
	} {
		for _, path := range []string{"/fail", "/open"} {
			w, p, log := respond(t, path, tc.err)
			if w.Code != tc.status || p.Code != tc.code || w.Header().Get("Retry-After") != tc.retry || strings.Contains(w.Body.String(), "SELECT") {
				t.Errorf("%s at %s = %d %s", tc.name, path, w.Code, w.Body)
			}
			if !strings.Contains(log, p.Support) || !strings.Contains(log, "level=ERROR") {
				t.Errorf("%s at %s: log = %s", tc.name, path, log)
			}
		}
	}
}
