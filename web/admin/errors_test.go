package admin

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
	"sallyport/provider/apikeys"
	"sallyport/provider/clients"
	"sallyport/provider/desired"
	"sallyport/web"
)

// failing fails every call with an error.
type failing struct {
	*Surface
	err error
}

func (f failing) Mount(r gin.IRouter) { r.POST("/fail", func(c *gin.Context) { f.fail(c, f.err) }) }

func respond(t *testing.T, err error) (*httptest.ResponseRecorder, Problem, string) {
	t.Helper()
	var log strings.Builder
	logger := slog.New(slog.NewTextHandler(&log, nil))
	h, wrong := web.New(web.Options{Issuer: "https://op.example", Logger: logger}, rand.Reader, time.Now, failing{&Surface{}, err})
	if wrong != nil {
		t.Fatal(wrong)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/fail", nil))
	var p Problem
	if wrong := json.Unmarshal(w.Body.Bytes(), &p); wrong != nil {
		t.Fatal(wrong)
	}
	return w, p, log.String()
}

func TestEveryCodeHasARefusal(t *testing.T) {
	for _, code := range mfa.Codes() {
		w, p, _ := respond(t, fmt.Errorf("operation: %w", &mfa.Error{Code: code, RetryAfter: 1500 * time.Millisecond, Err: errors.New("hidden cause")}))
		if w.Code < 400 || w.Code >= 600 || w.Code == 500 || p.Status != w.Code || p.Code != string(code) || p.Detail == "" ||
			p.Title != http.StatusText(w.Code) || p.Support == "" || w.Header().Get("Retry-After") != "2" {
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

func TestOtherErrorsHaveAResponse(t *testing.T) {
	for _, tc := range []struct {
		name   string
		err    error
		status int
		code   string
		detail string
	}{
		{"broken", errors.New("SELECT secret"), 500, "server_error", "something went wrong"},
		{"out of reach", fmt.Errorf("read: %w", context.DeadlineExceeded), 503, "temporarily_unavailable", "try again later"},
		{"an unknown code", &mfa.Error{Code: "new", Err: errors.New("SELECT secret")}, 500, "server_error", "something went wrong"},
		{"no client", fmt.Errorf("operation: %w", clients.ErrNotFound), 404, codeNotFound, "there is no such client"},
		{"an expired key is unknown to an administrator", apikeys.ErrExpired, 404, codeNotFound, "there is no such API key"},
		{"faults", Faults{{Line: 3, Field: "a", Detail: "is wrong"}}, 400, "invalid_request", "the body has faults"},
		{"stopped by a rule", &desired.Stopped{Done: 1, Of: 3, What: "user x", Err: &mfa.Error{Code: mfa.IdentifierTaken}}, 409, "identifier_taken", "stopped after 1 of 3 changes; they stay, and another run does the rest: user x: another user has"},
		{"stopped by a fault", &desired.Stopped{Done: 1, Of: 3, What: "user x", Err: errors.New("SELECT secret")}, 500, "server_error", "stopped after 1 of 3 changes; they stay, and another run does the rest: user x: something went wrong"},
	} {
		w, p, log := respond(t, tc.err)
		if w.Code != tc.status || p.Code != tc.code || !strings.HasPrefix(p.Detail, tc.detail) && !strings.Contains(p.Detail, tc.detail) || strings.Contains(w.Body.String(), "SELECT") {
			t.Errorf("%s = %d %s", tc.name, w.Code, w.Body)
		}
		if ours := w.Code >= 500; ours != strings.Contains(log, "level=ERROR") || ours && !strings.Contains(log, p.Support) {
			t.Errorf("%s: log = %s", tc.name, log)
		}
	}
}

func TestKeysNeverPrint(t *testing.T) {
	k := KeyOf("geheim")
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", k, "inside", struct{ K Key }{k})
	for _, text := range []string{fmt.Sprint(k), fmt.Sprintf("%v %+v %#v %x %s", k, k, k, k, k), log.String()} {
		if !strings.Contains(text, "hidden") || strings.Contains(text, "geheim") || strings.Contains(text, fmt.Sprintf("%x", k.sum[:4])) || strings.Contains(text, fmt.Sprint(k.sum[0], " ", k.sum[1])) {
			t.Errorf("a key prints as %s", text)
		}
	}
}

func TestWrongKeysAreLimited(t *testing.T) {
	now := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	v := newKeyLimiter(func() time.Time { return now })
	for i := range wrongAtOnce {
		if v.exhausted("192.0.2.1") {
			t.Fatalf("shut after %d", i)
		}
		v.count("192.0.2.1")
	}
	if !v.exhausted("192.0.2.1") || v.exhausted("192.0.2.2") {
		t.Error("want it shut for the one address only")
	}
	now = now.Add(wrongEach)
	if v.exhausted("192.0.2.1") {
		t.Error("still shut later")
	}
	for i := range 3 * wrongFrom {
		v.count(fmt.Sprint("address ", i))
	}
	if len(v.of) > wrongFrom {
		t.Errorf("%d addresses are remembered, want %d at most", len(v.of), wrongFrom)
	}
}
