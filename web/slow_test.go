package web_test

import (
	"crypto/rand"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/web"
)

// mount is a surface of one function.
type mount func(gin.IRouter)

func (m mount) Mount(r gin.IRouter) { m(r) }

// arriving is a body that records when all of it was read.
type arriving struct {
	io.Reader
	whole bool
}

func (a *arriving) Read(p []byte) (int, error) {
	n, err := a.Reader.Read(p)
	a.whole = a.whole || err == io.EOF
	return n, err
}

// A slow caller must not get the response for a slow server: the deadline begins when the
// body is complete.
func TestDeadlineBeginsAfterTheBody(t *testing.T) {
	body := &arriving{Reader: strings.NewReader(`{"a":1}`)}
	h, err := web.New(web.Options{Issuer: "https://login.example"}, rand.Reader, func() time.Time { return t0 }, mount(func(r gin.IRouter) {
		r.POST("/json", func(c *gin.Context) {
			whole := body.whole
			text, err := io.ReadAll(c.Request.Body)
			c.String(http.StatusOK, "%t %s %v", whole, text, err)
		})
	}))
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/json", body)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if got := w.Body.String(); got != `true {"a":1} <nil>` {
		t.Errorf("the handler saw %s, want the whole body, read before", got)
	}
}
