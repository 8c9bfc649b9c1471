package servertest

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"sallyport/cmd/sallyport/adminclient"
	"sallyport/cmd/sallyport/server"
	"sallyport/mfa"
	"sallyport/provider/apikeys"
	"sallyport/storage"
	"sallyport/web"
	"sallyport/web/admin"
	"sallyport/web/webtest"
)

// AdminDescription reads the description of the admin API. Tests run in the folders of their
// packages, at different depths.
var AdminDescription = sync.OnceValues(func() (*openapi3.T, error) {
	root := ".."
	for _, err := os.Stat(filepath.Join(root, "go.mod")); errors.Is(err, os.ErrNotExist); _, err = os.Stat(filepath.Join(root, "go.mod")) {
		root = filepath.Join(root, "..")
	}
	return webtest.Description(filepath.Join(root, "web/admin/openapi.yaml"))
})

const AdminKey = "a-key-of-the-admin-api-that-tests-know-by-heart"

// AdminAPI is an admin API with a key. Every response is compared with the description.
type AdminAPI struct {
	*testing.T
	Server  *server.Server
	Handler http.Handler
	Log     *Buffer
	Key     string
	Called  map[string]bool // method and path, as described
}

func NewAdminAPI(t *testing.T) *AdminAPI {
	t.Helper()
	return NewAdminAPIWith(t, "")
}

// NewAdminAPIWith returns the admin API of a server with further settings.
func NewAdminAPIWith(t *testing.T, settingsText string) *AdminAPI {
	t.Helper()
	settings, _, _ := NewInstallation(t)
	AppendSettings(t, settings, settingsText)
	o := Options(t, settings, new(Clock))
	c := &AdminAPI{T: t, Log: new(Buffer), Key: AdminKey, Called: map[string]bool{}, Server: Open(t, o)}
	var err error
	if c.Handler, err = c.Server.AdminAPI(AdminKey, o.Config.Issuer, server.NewLog(c.Log, "info"), o.Random); err != nil {
		t.Fatal(err)
	}
	return c
}

// Response is a response of the admin API.
type Response struct {
	*testing.T
	Code   int
	Header http.Header
	Raw    []byte
}

// Call makes a call. body is nil, the text of a desired state, or a value to send as JSON.
func (c *AdminAPI) Call(method, path string, body any) Response {
	c.Helper()
	text, kind, err := adminclient.Encode(body)
	if err != nil {
		c.Fatal(err)
	}
	r := httptest.NewRequest(method, admin.Base+path, strings.NewReader(string(text)))
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	r.Header.Set("User-Agent", "console")
	return c.Do(r)
}

func (c *AdminAPI) Do(r *http.Request) Response {
	c.Helper()
	if c.Key != "" {
		r.Header.Add("Authorization", "Bearer "+c.Key)
	}
	w := httptest.NewRecorder()
	c.Handler.ServeHTTP(w, r)
	out := Response{c.T, w.Code, w.Header(), w.Body.Bytes()}
	doc, err := AdminDescription()
	if err != nil {
		c.Fatal(err)
	}
	template := webtest.Validate(c.T, doc, webtest.Response{Method: r.Method, Path: r.URL.Path, Code: w.Code, Header: w.Header(), Raw: out.Raw})
	c.Called[r.Method+" "+template] = true
	if w.Header().Get("Cache-Control") != "no-store" {
		c.Errorf("%s %s may be kept: %q", r.Method, r.URL.Path, w.Header().Get("Cache-Control"))
	}
	return out
}

// Decode requires this status and decodes the body.
func (r Response) Decode(code int, into any) {
	r.Helper()
	if r.Code != code {
		r.Fatalf("answer = %d %s, want %d", r.Code, r.Raw, code)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(r.Raw, into); err != nil {
		r.Fatal(err)
	}
}

// Done requires success, described in these words.
func (r Response) Done(code int, want string) admin.Done {
	r.Helper()
	var d admin.Done
	r.Decode(code, &d)
	if d.Done != want {
		r.Errorf("done = %q, want %q", d.Done, want)
	}
	return d
}

// Refused requires this problem.
func (r Response) Refused(code int, word, detail string) admin.Problem {
	r.Helper()
	var p admin.Problem
	if err := json.Unmarshal(r.Raw, &p); err != nil {
		r.Fatal(err)
	}
	if r.Code != code || p.Status != code || p.Code != word || !strings.Contains(p.Detail+p.Faults.Error(), detail) || p.Support != r.Header.Get(web.CorrelationHeader) {
		r.Fatalf("answer = %d %s, want %d %s, %q in it", r.Code, r.Raw, code, word, detail)
	}
	return p
}

// Newest returns the newest event of a kind.
func (c *AdminAPI) Newest(kind string) storage.Event {
	c.Helper()
	events, err := c.Server.Store.ListEvents(c.Context(), storage.EventFilter{Kind: kind, Limit: 1})
	if err != nil || len(events) == 0 {
		c.Fatalf("no event %s: %v", kind, err)
	}
	return events[0]
}

// NewAPIKey creates an API key and returns its secret and id.
func (c *AdminAPI) NewAPIKey(d apikeys.Draft) (string, storage.APIKeyID) {
	c.Helper()
	k, secret, err := c.Server.APIKeys.Create(c.Context(), mfa.Caller{}, apikeys.Operator(), d)
	if err != nil {
		c.Fatal(err)
	}
	return secret, k.ID
}
