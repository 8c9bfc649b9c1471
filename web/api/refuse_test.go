package api_test

import (
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/gin-gonic/gin"

	"sallyport/web"
	"sallyport/web/webtest"
)

// faulty panics below the surface's addresses.
type faulty struct{}

func (faulty) Mount(r gin.IRouter) {
	r.POST(base+"/break", func(*gin.Context) { panic("broken") })
}

// The engine's refusals are problems as well, and the client's page can read them.
func TestEngineRefusalsAreProblems(t *testing.T) {
	h := newFixture(t)
	engine := func(o web.Options) http.Handler {
		o.Issuer = issuer
		e, err := web.New(o, rand.Reader, h.Now, h.api, faulty{})
		h.OK(err)
		return e
	}
	open, shut := engine(web.Options{}), engine(web.Options{Rate: 1e-9})
	shut.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, base, nil)) // uses up the rate
	for _, tc := range []struct {
		name       string
		engine     http.Handler
		verb, path string
		body       string
		status     int
		code       string
	}{
		{"nothing at the address", open, "POST", base + "/nothing", "{}", 404, "invalid_request"},
		{"the place itself", open, "GET", base, "", 404, "invalid_request"},
		{"another method", open, "GET", base + "/step", "", 405, "invalid_request"},
		{"a body with a long Content-Length", open, "POST", base + "/step", strings.Repeat(" ", 70_000), 413, "invalid_request"},
		{"a long address", open, "POST", base + "/step?" + strings.Repeat("x", 16<<10), "{}", 414, "invalid_request"},
		{"a panic", open, "POST", base + "/break", "{}", 500, "server_error"},
		{"more than can be served", shut, "POST", base + "/step", "{}", 503, "temporarily_unavailable"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := httptest.NewRequest(tc.verb, tc.path, strings.NewReader(tc.body))
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Accept", "text/html") // no page, whatever the caller accepts
			a := h.app()
			a.h = &fixture{Fixture: &webtest.Fixture{T: t, Handler: tc.engine}}
			got := a.do(r).refused(tc.status, tc.code)
			if got.header.Get("Access-Control-Allow-Origin") != site || (got.header.Get("Retry-After") != "") != (tc.status == 503) {
				t.Errorf("headers = %v, want those for the page's origin", got.header)
			}
			doc, err := description()
			if err == nil {
				err = doc.Components.Schemas["Problem"].Value.VisitJSON(got.body, openapi3.VisitAsResponse())
			}
			if err != nil {
				t.Errorf("%s: %v", got.raw, err)
			}
		})
	}
	for _, path := range []string{"/api/login/v10/step", "/api/login", "/nothing"} {
		w := httptest.NewRecorder()
		open.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != http.StatusNotFound || strings.Contains(w.Header().Get("Content-Type"), "problem") {
			t.Errorf("%s = %d %s, want the engine's own words", path, w.Code, w.Header().Get("Content-Type"))
		}
	}
}
