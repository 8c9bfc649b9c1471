package login

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/web"
	"sallyport/web/page"
	"sallyport/web/signin"
)

func TestEveryCodeHasARefusal(t *testing.T) {
	for _, code := range mfa.Codes() {
		r, ok := refusals[code]
		if !ok {
			t.Errorf("%s has no refusal", code)
			continue
		}
		if r.course == onward != (r.status == http.StatusSeeOther) || r.course != onward && r.status < 400 {
			t.Errorf("%s: status %d does not go with its course", code, r.status)
		}
	}
	if len(refusals) != len(mfa.Codes()) {
		t.Errorf("%d refusals for %d codes", len(refusals), len(mfa.Codes()))
	}
}

// failing fails every request with one error, on a page and in a form.
type failing struct {
	pages *Pages
	err   error
}

func (f failing) Mount(r gin.IRouter) {
	r.GET("/page", func(c *gin.Context) { f.pages.fail(c, signin.Call{Caller: web.Caller(c)}, f.err) })
	r.GET("/form", func(c *gin.Context) {
		call := signin.Call{Caller: web.Caller(c)}
		f.pages.retry(c, call, f.err, func(code int, a *page.Alert) { f.pages.showLogin(c, call, code, "ada", a) })
	})
}

func TestEveryCodeIsAPage(t *testing.T) {
	for _, code := range mfa.Codes() {
		p, _ := stage(t, page.Options{})
		h, err := web.New(web.Options{Issuer: issuer}, rand.Reader, func() time.Time { return t0 },
			failing{p, fmt.Errorf("log in: %w", &mfa.Error{Code: code, RetryAfter: 1500 * time.Millisecond, Err: errors.New("the cause")})})
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"/page", "/form"} {
			if w := get(h, path+"?requestId=r-1", "de"); w.Code >= 500 && refusals[code].status < 500 {
				t.Errorf("%s at %s in German: %d %s", code, path, w.Code, w.Body)
			}
			w := get(h, path+"?requestId=r-1", "en")
			want := refusals[code]
			if w.Code != want.status {
				t.Errorf("%s at %s: code = %d, want %d", code, path, w.Code, want.status)
			}
			if want.course == onward {
				if w.Header().Get("Location") != "/continue?requestId=r-1" {
					t.Errorf("%s at %s: Location = %q, want /continue", code, path, w.Header().Get("Location"))
				}
				continue
			}
			body := w.Body.String()
			// Support cannot help with what was typed.
			numbered := strings.Contains(body, w.Header().Get(web.CorrelationHeader))
			if !strings.Contains(body, `id="error"`) || numbered == (path == "/form" && page.AlertOf(code).Wrong) {
				t.Errorf("%s at %s: no error, or number shown = %t: %s", code, path, numbered, body)
			}
			if strings.Contains(body, "the cause") {
				t.Errorf("%s at %s: the cause is shown", code, path)
			}
			if got := w.Header().Get("Retry-After"); got != "2" {
				t.Errorf("%s at %s: Retry-After = %q, want 2", code, path, got)
			}
			if isForm := strings.Contains(body, `id="login-form"`); isForm != (path == "/form" && want.course == again) {
				t.Errorf("%s at %s: form shown = %t", code, path, isForm)
			}
		}
	}
}

func TestUnexpectedErrorsRevealNothing(t *testing.T) {
	for _, tc := range []struct {
		name  string
		err   error
		code  int
		after string
	}{
		{"a bug", errors.New("pq: relation users does not exist"), 500, ""},
		{"a database out of reach", fmt.Errorf("pq: read request: %w", context.DeadlineExceeded), 503, "5"},
	} {
		var log strings.Builder
		p, _ := stage(t, page.Options{})
		h, err := web.New(web.Options{Issuer: issuer, Logger: slog.New(slog.NewJSONHandler(&log, nil))}, rand.Reader, func() time.Time { return t0 }, failing{p, tc.err})
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"/page", "/form"} {
			w := get(h, path+"?requestId=r-1", "en")
			body := w.Body.String()
			if w.Code != tc.code || w.Header().Get("Retry-After") != tc.after {
				t.Errorf("%s: response = %d after %q, want %d after %q", tc.name, w.Code, w.Header().Get("Retry-After"), tc.code, tc.after)
			}
			if strings.Contains(body, "pq:") || !strings.Contains(body, `id="support-id"`) || !strings.Contains(body, `href="/continue?requestId=r-1"`) {
				t.Errorf("%s: page = %s", tc.name, body)
			}
			if !strings.Contains(log.String(), "pq:") || !strings.Contains(log.String(), w.Header().Get(web.CorrelationHeader)) {
				t.Errorf("%s: log = %s, want the error and its number", tc.name, log.String())
			}
		}
	}
}

func TestRefusalsBeforeAnyHandler(t *testing.T) {
	_, h := stage(t, page.Options{})
	for path, want := range map[string]struct {
		code int
		text string
	}{
		"/nowhere":          {404, "This page does not exist"},
		"/show/login?a=%00": {400, "We could not read that request"},
		"/show/login?a=1&state=" + longText(16<<10): {414, "The application sent more in “state” than an address may hold"},
		"/show/login?%22%3Ex=" + longText(16<<10):   {414, "We could not read that request"}, // a name that is not shown
		"/show/" + longText(16<<10):                 {414, "We could not read that request"},
		"/show/login?a=1;b=2&requestId=r%2D1":       {400, "We could not read that request"},
	} {
		w := get(h, path, "en")
		if w.Code != want.code || !strings.Contains(w.Body.String(), want.text) {
			t.Errorf("%.30s: %d %s, want %d %q", path, w.Code, w.Body, want.code, want.text)
		}
	}
}

func longText(n int) string { return strings.Repeat("x", n) }
