package web_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"sallyport/web"
)

var t0 = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)

// echo is a surface that responds with what the engine passed to it.
type echo struct{}

func (echo) Mount(r gin.IRouter) {
	r.GET("/hello/:name", func(c *gin.Context) { c.String(http.StatusOK, "hello") })
	r.POST("/form", func(c *gin.Context) { c.String(http.StatusOK, c.Request.PostForm.Get("a")) })
	r.POST("/read", func(c *gin.Context) {
		var long *http.MaxBytesError
		if _, err := io.ReadAll(c.Request.Body); errors.As(err, &long) {
			c.Status(http.StatusRequestEntityTooLarge)
			return
		}
		c.Status(http.StatusNoContent)
	})
	r.GET("/panic", func(*gin.Context) { panic("the shelf fell down") })
	r.GET("/late-panic", func(c *gin.Context) { c.String(http.StatusOK, "half"); panic("too late") })
	r.GET("/caller", func(c *gin.Context) { c.JSON(http.StatusOK, web.Caller(c)) })
	r.GET("/bind", func(c *gin.Context) {
		c.String(http.StatusOK, web.Bind(c)+" "+web.Bind(c)+" "+web.Caller(c).Browser)
	})
	r.GET("/out", func(c *gin.Context) { web.ClearCookie(c, web.SessionCookie) })
	r.GET("/locale", func(c *gin.Context) { c.String(http.StatusOK, web.Locale(c, c.QueryArray("ui")...)) })
	r.GET("/deadline", func(c *gin.Context) {
		end, ok := c.Request.Context().Deadline()
		c.String(http.StatusOK, "%t %t", ok, time.Until(end) <= 10*time.Second)
	})
}

type echoServer struct {
	http.Handler
	log     *bytes.Buffer
	counted counted
}

// counted is what the engine counts on.
type counted struct {
	requests, panics, shed, failed prometheus.Counter
	running                        prometheus.Gauge
	responses                      map[string]int
}

func newCounted() counted {
	counter := func() prometheus.Counter { return prometheus.NewCounter(prometheus.CounterOpts{Name: "n"}) }
	return counted{counter(), counter(), counter(), counter(), prometheus.NewGauge(prometheus.GaugeOpts{Name: "n"}), map[string]int{}}
}

func (c counted) counters() *web.Counters {
	return &web.Counters{Requests: c.requests, Panics: c.panics, Shed: c.shed, Failed: c.failed, Running: c.running,
		Observe: func(method, route string, code int, took time.Duration) {
			c.responses[fmt.Sprintf("%s %s %d %s", method, route, code, took)]++
		}}
}

// number is the value of a counter or gauge.
func number(t *testing.T, m prometheus.Metric) float64 {
	t.Helper()
	var out dto.Metric
	if err := m.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.GetCounter().GetValue() + out.GetGauge().GetValue()
}

func open(t *testing.T, change func(*web.Options)) echoServer {
	t.Helper()
	d := echoServer{log: new(bytes.Buffer), counted: newCounted()}
	o := web.Options{Issuer: "https://login.example", Logger: slog.New(slog.NewJSONHandler(d.log, nil)), Counters: d.counted.counters()}
	if change != nil {
		change(&o)
	}
	h, err := web.New(o, rand.Reader, func() time.Time { return t0 }, echo{})
	if err != nil {
		t.Fatal(err)
	}
	d.Handler = h
	return d
}

func (d echoServer) do(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w
}

func post(path, kind, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", kind)
	return r
}

func TestHostileInputIsRefused(t *testing.T) {
	const form = "application/x-www-form-urlencoded"
	d := open(t, nil)
	chunked := post("/read", "application/json", strings.Repeat("x", 64<<10+1))
	chunked.ContentLength = -1
	chunkedForm := post("/form", form, "a="+strings.Repeat("x", 64<<10))
	chunkedForm.ContentLength = -1
	encoded := post("/form", form, "a=1")
	encoded.Header.Set("Content-Encoding", "gzip")
	override := httptest.NewRequest(http.MethodGet, "/form", nil)
	override.Header.Set("X-HTTP-Method-Override", "POST")
	for _, tc := range []struct {
		name string
		r    *http.Request
		want int
	}{
		{"an honest form", post("/form", form, "a=1"), 200},
		{"an honest form with a charset", post("/form", form+"; charset=utf-8", "a=1"), 200},
		{"exactly as many parameters as allowed", post("/form", form, strings.Repeat("a=1&", 99)+"a=1"), 200},
		{"one parameter too many", post("/form", form, strings.Repeat("a=1&", 100)+"a=1"), 400},
		{"a form of separators alone", post("/form", form, strings.Repeat("&", 60000)), 400},
		{"too many in query and form together", post("/form?"+strings.Repeat("b=1&", 50), form, strings.Repeat("a=1&", 60)), 400},
		{"too many in the query", httptest.NewRequest("GET", "/hello/x?"+strings.Repeat("a&", 100), nil), 400},
		{"a form longer than 64 KiB", post("/form", form, "a="+strings.Repeat("x", 64<<10)), 413},
		{"a form longer than 64 KiB that does not say so", chunkedForm, 413},
		{"JSON longer than 64 KiB that does not say so", chunked, 413},
		{"a URL longer than 16 KiB", httptest.NewRequest("GET", "/hello/x?a="+strings.Repeat("x", 16<<10), nil), 414},
		{"a path longer than 16 KiB", httptest.NewRequest("GET", "/hello/"+strings.Repeat("x", 16<<10), nil), 414},
		{"a NUL in the query", httptest.NewRequest("GET", "/hello/x?a=%00", nil), 400},
		{"a NUL in a query name", httptest.NewRequest("GET", "/hello/x?a%00=1", nil), 400},
		{"a NUL in the path", httptest.NewRequest("GET", "/hello/a%00b", nil), 400},
		{"a NUL in the form", post("/form", form, "a=%00"), 400},
		{"invalid UTF-8 in the query", httptest.NewRequest("GET", "/hello/x?a=%ff", nil), 400},
		{"invalid UTF-8 in the path", httptest.NewRequest("GET", "/hello/%ff", nil), 400},
		{"invalid UTF-8 in the form", post("/form", form, "a=%c3%28"), 400},
		{"a bad escape in the query", httptest.NewRequest("GET", "/hello/x?a=%zz", nil), 400},
		{"a bad escape in the form", post("/form", form, "a=%zz"), 400},
		{"a semicolon in the query", httptest.NewRequest("GET", "/hello/x?a=1;b=2", nil), 400},
		{"a compressed body", encoded, 415},
		{"a multipart body", post("/form", "multipart/form-data; boundary=x", "--x--"), 415},
		{"an invalid content type", post("/form", "form/;;", "a=1"), 415},
		{"an unknown address", httptest.NewRequest("GET", "/nowhere", nil), 404},
		{"a trailing slash", httptest.NewRequest("GET", "/caller/", nil), 404},
		{"another case", httptest.NewRequest("GET", "/Caller", nil), 404},
		{"another method", httptest.NewRequest("GET", "/form", nil), 405},
		{"an unknown method", httptest.NewRequest("BREW", "/form", nil), 405},
		{"a method in a header", override, 405},
	} {
		w := d.do(tc.r)
		if w.Code != tc.want {
			t.Errorf("%s: code = %d, want %d", tc.name, w.Code, tc.want)
		}
		if w.Code == 405 && w.Header().Get("Allow") != "POST" {
			t.Errorf("%s: Allow = %q, want POST", tc.name, w.Header().Get("Allow"))
		}
	}
}

func TestLongBodyMustBeAllowed(t *testing.T) {
	d := open(t, func(o *web.Options) { o.MaxBody = 128 << 10 })
	for _, tc := range []struct {
		name string
		r    *http.Request
		want int
	}{
		{"as long as allowed", post("/read", "application/yaml", strings.Repeat("x", 128<<10)), 204},
		{"longer", post("/read", "application/yaml", strings.Repeat("x", 128<<10+1)), 413},
		{"a form stays short", post("/form", "application/x-www-form-urlencoded", "a="+strings.Repeat("x", 64<<10)), 413},
	} {
		if w := d.do(tc.r); w.Code != tc.want {
			t.Errorf("%s: code = %d, want %d", tc.name, w.Code, tc.want)
		}
	}
}

func TestEveryResponseHasTheHeaders(t *testing.T) {
	d := open(t, nil)
	for _, path := range []string{"/hello/x", "/nowhere", "/hello/x?a=%00", "/panic"} {
		h := d.do(httptest.NewRequest("GET", path, nil)).Header()
		for name, want := range map[string]string{
			"Cache-Control":           "no-store",
			"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
			"Permissions-Policy":      "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), usb=()",
			"Referrer-Policy":         "no-referrer",
			// A login in a popup window may load any of them.
			"Cross-Origin-Opener-Policy":   "",
			"Cross-Origin-Resource-Policy": "same-origin",
			"X-Content-Type-Options":       "nosniff",
			"X-Frame-Options":              "DENY",
			"Strict-Transport-Security":    "max-age=31536000",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s of %s = %q, want %q", name, path, got, want)
			}
		}
		if len(h.Get(web.CorrelationHeader)) != 19 {
			t.Errorf("correlation id of %s = %q, want four groups of four", path, h.Get(web.CorrelationHeader))
		}
	}
	d = open(t, func(o *web.Options) { o.Issuer = "http://localhost:8080" })
	if h := d.do(httptest.NewRequest("GET", "/hello/x", nil)).Header(); h.Get("Strict-Transport-Security") != "" {
		t.Errorf("HSTS on http = %q, want none", h.Get("Strict-Transport-Security"))
	}
}

func TestPanicIsAResponseAndALogLine(t *testing.T) {
	d := open(t, nil)
	w := d.do(httptest.NewRequest("GET", "/panic?code=opens-a-login", nil))
	if w.Code != 500 || strings.Contains(w.Body.String(), "shelf") || strings.Contains(w.Body.String(), "goroutine") {
		t.Errorf("response = %d %s, want a 500 that reveals nothing", w.Code, w.Body)
	}
	if !strings.Contains(w.Body.String(), w.Header().Get(web.CorrelationHeader)) {
		t.Errorf("response = %s, want the correlation id in it", w.Body)
	}
	log := d.log.String()
	if !strings.Contains(log, "the shelf fell down") || !strings.Contains(log, `"code":500`) || strings.Contains(log, "opens-a-login") {
		t.Errorf("log = %s, want cause and code, without the query", log)
	}
	d.do(httptest.NewRequest("GET", "/late-panic", nil))
	if panics, failed := number(t, d.counted.panics), number(t, d.counted.failed); panics != 2 || failed != 1 {
		t.Errorf("panics = %v, failed = %v, want 2 and the one whose response had not begun", panics, failed)
	}
	if w := d.do(httptest.NewRequest("GET", "/hello/x", nil)); w.Code != 200 {
		t.Errorf("code after a panic = %d, want 200", w.Code)
	}
}

func TestAccessLogHasTheRouteAndNoSecret(t *testing.T) {
	d := open(t, nil)
	r := post("/form?requestId=opens-a-login", "application/x-www-form-urlencoded", "password=hunter2")
	r.Header.Set("Cookie", "__Host-sallyport_session=token")
	r.Header.Set("Authorization", "Bearer abc")
	d.do(r)
	d.do(httptest.NewRequest("GET", "/hello/secret-name%0a%7b%22msg%22:1%7d", nil))
	log := d.log.String()
	for _, secret := range []string{"opens-a-login", "hunter2", "token", "Bearer", "secret-name"} {
		if strings.Contains(log, secret) {
			t.Errorf("log holds %q: %s", secret, log)
		}
	}
	lines := strings.Split(strings.TrimSpace(log), "\n")
	if len(lines) != 2 {
		t.Fatalf("log lines = %d, want 2: %s", len(lines), log)
	}
	var line struct{ Route, Method, Address string }
	if err := json.Unmarshal([]byte(lines[1]), &line); err != nil || line.Route != "/hello/:name" || line.Method != "GET" {
		t.Errorf("line = %+v (%v), want the route's template", line, err)
	}
}

// The method of a request may be a secret, or hold a line break.
func TestAccessLogHasKnownMethodsOnly(t *testing.T) {
	d := open(t, nil)
	for _, method := range []string{"hunter2", "GET2", strings.Repeat("X", 9000), "PROPFIND"} {
		r := httptest.NewRequest("GET", "/hello/x", nil)
		r.Method = method
		d.do(r)
	}
	if log := d.log.String(); strings.Count(log, `"msg":"request","method":"other"`) != 4 || strings.Contains(log, "hunter2") {
		t.Errorf("log = %s, want four others", log)
	}
}

func TestErrorPageIsForPeopleOnly(t *testing.T) {
	d := open(t, func(o *web.Options) {
		o.ErrorPage = func(c *gin.Context, f web.Fault) { c.String(f.Status, "page") }
	})
	r := httptest.NewRequest("GET", "/nowhere", nil)
	r.Header.Set("Accept", "text/html,application/xhtml+xml")
	if w := d.do(r); w.Code != 404 || w.Body.String() != "page" {
		t.Errorf("response = %d %s, want the page with 404", w.Code, w.Body)
	}
	var wire struct {
		Error string `json:"error"`
	}
	w := d.do(httptest.NewRequest("GET", "/nowhere", nil))
	if err := json.Unmarshal(w.Body.Bytes(), &wire); err != nil || wire.Error != "not_found" {
		t.Errorf("response = %s (%v), want not_found as JSON", w.Body, err)
	}
}

func TestValveShedsAFlood(t *testing.T) {
	d := open(t, func(o *web.Options) { o.Rate = 3 })
	var codes []int
	for range 5 {
		w := d.do(httptest.NewRequest("GET", "/hello/x", nil))
		codes = append(codes, w.Code)
		if w.Code == 503 && w.Header().Get("Retry-After") != "1" {
			t.Errorf("Retry-After = %q, want 1", w.Header().Get("Retry-After"))
		}
	}
	if shed := number(t, d.counted.shed); codes[2] != 200 || codes[3] != 503 || shed != 2 {
		t.Errorf("codes = %v, shed = %v, want three served and two shed", codes, shed)
	}
}

func TestRequestHasADeadline(t *testing.T) {
	w := open(t, nil).do(httptest.NewRequest("GET", "/deadline", nil))
	if w.Body.String() != "true true" {
		t.Errorf("deadline = %q, want one within 10 s", w.Body)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for name, o := range map[string]web.Options{
		"an issuer without a host":       {Issuer: "login.example"},
		"a proxy that is no address":     {Issuer: "https://login.example", TrustedProxies: []string{"proxy.local"}},
		"a language that does not exist": {Issuer: "https://login.example", Languages: []string{"en", "not a language"}},
	} {
		if _, err := web.New(o, rand.Reader, func() time.Time { return t0 }); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
