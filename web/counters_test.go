package web_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/web"
)

// work is a surface whose calls take time on its own clock.
type work struct{ now time.Time }

func (w *work) Mount(r gin.IRouter) {
	r.GET("/task/:ms", func(c *gin.Context) {
		d, err := time.ParseDuration(c.Param("ms"))
		if err != nil {
			c.Status(http.StatusBadRequest)
			return
		}
		w.now = w.now.Add(d)
		c.Status(http.StatusNoContent)
	})
	r.POST("/task/:ms", func(c *gin.Context) { c.Redirect(http.StatusSeeOther, "/") })
	r.GET("/panic", func(*gin.Context) { panic("the shelf fell down") })
}

// TestResponseLabelsAreAClosedList: whatever a caller sends, a response is counted under
// a known route and method.
func TestResponseLabelsAreAClosedList(t *testing.T) {
	w, got := &work{now: t0}, newCounted()
	h, err := web.New(web.Options{Issuer: "https://login.example", Counters: got.counters()}, rand.Reader, func() time.Time { return w.now }, w)
	if err != nil {
		t.Fatal(err)
	}
	for _, call := range [][2]string{
		{"GET", "/task/1ms"}, {"GET", "/task/1ms1us"}, {"GET", "/task/70ms"}, {"GET", "/task/6s"}, {"GET", "/task/soon"},
		{"POST", "/task/1ms"}, {"GET", "/panic"}, {"PUT", "/task/1ms"}, {"GET", "/no/such/place"}, {"GET", "/another?q=1"},
		{"HEAD", "/task/1ms"}, {"BREW", "/task/1ms"}, {"BREW" + "X", "/nowhere"}, {"PROPFIND", "/%00"}, {"OPTIONS", "/task/1ms"},
	} {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(call[0], call[1], nil))
	}
	want := map[string]int{"GET /panic 500 0s": 1, "GET /task/:ms 204 1ms": 1, "GET /task/:ms 204 1.001ms": 1, "GET /task/:ms 204 70ms": 1,
		"GET /task/:ms 204 6s": 1, "GET /task/:ms 400 0s": 1, "POST /task/:ms 303 0s": 1, "GET none 404 0s": 2,
		"HEAD /task/:ms 204 1ms": 1, "OPTIONS none 405 0s": 1, "PUT none 405 0s": 1, "other none 400 0s": 1, "other none 404 0s": 1, "other none 405 0s": 1}
	if !maps.Equal(got.responses, want) {
		t.Errorf("responses:\n%v\nwant:\n%v", got.responses, want)
	}
	if requests, running := number(t, got.requests), number(t, got.running); requests != 15 || running != 0 {
		t.Errorf("requests = %v, running = %v after the last response, want 15 and 0", requests, running)
	}
}

// TestSpansHoldNoInput: only a trusted proxy's headers reach the tracer.
func TestSpansHoldNoInput(t *testing.T) {
	type key struct{}
	const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	var got []web.Inbound
	var codes []int
	seen := ""
	o := web.Options{Issuer: "https://login.example", TrustedProxies: []string{"10.0.0.0/8"},
		Span: func(ctx context.Context, in web.Inbound) (context.Context, func(int)) {
			got = append(got, in)
			return context.WithValue(ctx, key{}, "carried"), func(code int) { codes = append(codes, code) }
		}}
	h, err := web.New(o, rand.Reader, func() time.Time { return t0 }, mounted(func(r gin.IRouter) {
		r.GET("/hello/:name", func(c *gin.Context) { seen, _ = c.Request.Context().Value(key{}).(string) })
		r.GET("/panic", func(*gin.Context) { panic("the shelf fell down") })
	}))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ peer, method, path string }{
		{"192.0.2.1:9", "GET", "/hello/ada"}, {"10.1.2.3:9", "GET", "/hello/ada"}, {"10.1.2.3:9", "BREW", "/x"}, {"192.0.2.1:9", "GET", "/panic"},
	} {
		r := httptest.NewRequest(c.method, c.path, nil)
		r.RemoteAddr = c.peer
		r.Header.Set("Traceparent", traceparent)
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	if seen != "carried" || !slices.Equal(codes, []int{200, 200, 404, 500}) {
		t.Errorf("context %q, codes %v", seen, codes)
	}
	for i, want := range []struct {
		method, route string
		proxied       bool
	}{{"GET", "/hello/:name", false}, {"GET", "/hello/:name", true}, {"other", "none", true}, {"GET", "/panic", false}} {
		if g := got[i]; g.Method != want.method || g.Route != want.route || (g.Parent == traceparent) != want.proxied || (g.Parent == "") == want.proxied || len(g.Correlation) != 19 {
			t.Errorf("span %d = %+v, want %+v", i, g, want)
		}
	}
}

// mounted is a surface of one function.
type mounted func(r gin.IRouter)

func (m mounted) Mount(r gin.IRouter) { m(r) }

// BenchmarkEngine measures the engine's own cost for a request, without and with tracing
// (but not the tracer).
func BenchmarkEngine(b *testing.B) {
	for name, span := range map[string]web.Spanner{
		"untraced": nil,
		"traced": func(ctx context.Context, _ web.Inbound) (context.Context, func(int)) {
			return ctx, func(int) {}
		},
	} {
		b.Run(name, func(b *testing.B) {
			o := web.Options{Issuer: "https://login.example", Span: span, Rate: 1e9,
				Logger: slog.New(slog.DiscardHandler)}
			h, err := web.New(o, rand.Reader, time.Now, mounted(func(r gin.IRouter) {
				r.GET("/hello/:name", func(c *gin.Context) { c.Status(http.StatusNoContent) })
			}))
			if err != nil {
				b.Fatal(err)
			}
			r := httptest.NewRequest("GET", "/hello/ada", nil)
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(httptest.NewRecorder(), r)
			}
		})
	}
}
