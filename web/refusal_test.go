package web_test

import (
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/web"
)

// counter is a surface that refuses in its own format below its own address.
type counter struct{}

func (counter) Mount(r gin.IRouter) {
	r.POST("/counter/open", func(c *gin.Context) { c.Status(http.StatusNoContent) })
	r.GET("/counter/panic", func(*gin.Context) { panic("broken") })
}

func (counter) Refuse(c *gin.Context, code int, reason string) bool {
	if !strings.HasPrefix(c.Request.URL.Path, "/counter/") {
		return false
	}
	c.String(code, "the counter is closed: "+reason)
	return true
}

func TestSurfaceRefusesInItsOwnFormat(t *testing.T) {
	handler, err := web.New(web.Options{Issuer: "https://login.example"}, rand.Reader, func() time.Time { return t0 }, counter{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, verb, path, body string
		code                   int
		own                    bool
	}{
		{"nothing there", "GET", "/counter/nothing", "", http.StatusNotFound, true},
		{"another method", "GET", "/counter/open", "", http.StatusMethodNotAllowed, true},
		{"too large", "POST", "/counter/open", strings.Repeat("x", 70_000), http.StatusRequestEntityTooLarge, true},
		{"a panic", "GET", "/counter/panic", "", http.StatusInternalServerError, true},
		{"another surface's address", "GET", "/nothing", "", http.StatusNotFound, false},
	} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(tc.verb, tc.path, strings.NewReader(tc.body)))
		if own := strings.HasPrefix(w.Body.String(), "the counter is closed"); w.Code != tc.code || own != tc.own {
			t.Errorf("%s: %d %s, want %d in its own words: %t", tc.name, w.Code, w.Body, tc.code, tc.own)
		}
	}
}
