package web_test

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/rs/cors"

	"sallyport/web"
)

const spa = "https://spa.example"

// desk is a surface that pages of one origin may call.
type desk struct{ calls *cors.Cors }

func newDesk() desk {
	return desk{web.RegisteredOrigins(func(_ context.Context, origin string) bool { return origin == spa })}
}

func (d desk) Mount(r gin.IRouter) {
	r.POST("/desk/open", func(c *gin.Context) { c.Status(http.StatusNoContent) })
	r.GET("/desk/panic", func(*gin.Context) { panic("broken") })
	r.GET("/desk/wait", func(c *gin.Context) {
		<-c.Request.Context().Done()
		c.Status(web.FailureStatus(c, c.Request.Context().Err()))
	})
	r.GET("/private", func(c *gin.Context) { c.String(http.StatusOK, "private") })
}

func (d desk) Shared(path string) *cors.Cors {
	if strings.HasPrefix(path, "/desk/") {
		return d.calls
	}
	return nil
}

func deskServer(t *testing.T, o web.Options) http.Handler {
	t.Helper()
	o.Issuer = "https://login.example"
	h, err := web.New(o, rand.Reader, func() time.Time { return t0 }, newDesk())
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func from(origin string, r *http.Request) *http.Request {
	r.Header.Set("Origin", origin)
	return r
}

// A page that may call an address may read every response, whoever wrote it.
func TestPagesReadEveryRefusal(t *testing.T) {
	open := deskServer(t, web.Options{Timeout: time.Millisecond})
	shut := deskServer(t, web.Options{Rate: 1e-9})
	shut.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)) // uses up the rate
	post := func(path, kind, body string) func() *http.Request {
		return func() *http.Request {
			r := httptest.NewRequest("POST", path, strings.NewReader(body))
			r.Header.Set("Content-Type", kind)
			return r
		}
	}
	get := func(method, path string) func() *http.Request {
		return func() *http.Request { return httptest.NewRequest(method, path, nil) }
	}
	for _, tc := range []struct {
		name   string
		h      http.Handler
		make   func() *http.Request
		status int
	}{
		{"a call", open, post("/desk/open", "application/json", "{}"), 204},
		{"nothing there", open, get("GET", "/desk/nothing"), 404},
		{"another method", open, get("DELETE", "/desk/open"), 405},
		{"HEAD of a call", open, get("HEAD", "/desk/open"), 405},
		{"a body too long", open, post("/desk/open", "application/json", strings.Repeat(" ", 70_000)), 413},
		{"a form too long", open, post("/desk/open", "application/x-www-form-urlencoded", "a="+strings.Repeat("x", 70_000)), 413},
		{"an address too long", open, get("GET", "/desk/open?a="+strings.Repeat("x", 16<<10)), 414},
		{"another kind of body", open, post("/desk/open", "multipart/form-data; boundary=x", "--x--"), 415},
		{"no text", open, get("GET", "/desk/open?a=%ff"), 400},
		{"a panic", open, get("GET", "/desk/panic"), 500},
		{"a timeout", open, get("GET", "/desk/wait"), 503},
		{"more than can be served", shut, get("GET", "/desk/open"), 503},
	} {
		w := httptest.NewRecorder()
		tc.h.ServeHTTP(w, from(spa, tc.make()))
		if w.Code != tc.status || w.Header().Get("Access-Control-Allow-Origin") != spa || !strings.Contains(w.Header().Get("Access-Control-Expose-Headers"), "Retry-After") {
			t.Errorf("%s: %d %v, want %d that the page can read", tc.name, w.Code, w.Header(), tc.status)
		}
		w = httptest.NewRecorder()
		tc.h.ServeHTTP(w, from("https://evil.example", tc.make()))
		if got := w.Header().Get("Access-Control-Allow-Origin"); got != "" {
			t.Errorf("%s: a page of another origin may read it: %q", tc.name, got)
		}
		r := from(spa, httptest.NewRequest("OPTIONS", tc.make().URL.String(), nil))
		r.Header.Set("Access-Control-Request-Method", tc.make().Method)
		w = httptest.NewRecorder()
		tc.h.ServeHTTP(w, r)
		if w.Code != 204 || w.Header().Get("Access-Control-Allow-Origin") != spa {
			t.Errorf("%s: preflight %d %v", tc.name, w.Code, w.Header())
		}
	}
	w := httptest.NewRecorder()
	open.ServeHTTP(w, from(spa, httptest.NewRequest("GET", "/private", nil)))
	if got := w.Header().Get("Access-Control-Allow-Origin"); w.Code != 200 || got != "" {
		t.Errorf("an address that is not shared: %d, %q", w.Code, got)
	}
}

// Libraries for tracing add headers to every call of a page.
func TestPreflightsAllowEveryHeader(t *testing.T) {
	h := deskServer(t, web.Options{})
	for _, headers := range []string{"authorization,content-type", "traceparent,tracestate", "baggage,sentry-trace", "b3", "x-b3-traceid,x-b3-spanid,x-b3-sampled",
		"uber-trace-id", "x-datadog-trace-id,x-datadog-parent-id,x-datadog-sampling-priority", "newrelic", "x-amzn-trace-id", "request-id,request-context", "x-requested-with"} {
		for origin, want := range map[string]string{spa: headers, "https://evil.example": "", "null": ""} {
			r := from(origin, httptest.NewRequest("OPTIONS", "/desk/open", nil))
			r.Header.Set("Access-Control-Request-Method", "POST")
			r.Header.Set("Access-Control-Request-Headers", headers)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if got := w.Header().Get("Access-Control-Allow-Headers"); got != want || w.Header().Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s from %s: %q allowed, want %q (%v)", headers, origin, got, want, w.Header())
			}
		}
	}
}

// HEAD is GET without a body, on a real connection.
func TestHEADWhereGETIs(t *testing.T) {
	got := newCounted()
	h := deskServer(t, web.Options{Counters: got.counters()})
	srv := httptest.NewServer(h)
	defer srv.Close()
	for path, want := range map[string]int{"/private": 200, "/nothing": 404, "/desk/open": 405} {
		req, err := http.NewRequestWithContext(t.Context(), "HEAD", srv.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want || path == "/private" && (res.ContentLength != 7 || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/plain")) {
			t.Errorf("HEAD %s = %d %v, want %d", path, res.StatusCode, res.Header, want)
		}
	}
	if got.responses["HEAD /private 200 0s"] != 1 || got.responses["HEAD none 405 0s"] != 1 {
		t.Errorf("counted %v, want HEAD under its route", got.responses)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("DELETE", "/private", nil))
	if allow := w.Header().Get("Allow"); w.Code != 405 || allow != "GET, HEAD" {
		t.Errorf("Allow = %q, want GET, HEAD", allow)
	}
}
