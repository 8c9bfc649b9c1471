package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"sallyport/config"
	"sallyport/storage"
	"sallyport/web"
	"sallyport/web/admin"
	"sallyport/web/webtest"
)

// adminDescription is the description as it is served.
var adminDescription = sync.OnceValues(func() (*openapi3.T, error) { return webtest.Description("../../web/admin/openapi.yaml") })

const adminKey = "a-key-of-the-admin-api-that-tests-know-by-heart"

// console is an admin API with a key. Every answer is held against the description.
type console struct {
	*testing.T
	h       *house
	handler http.Handler
	log     *shared
	key     string
	called  map[string]bool // method and path, as described
}

func newConsole(t *testing.T) *console {
	t.Helper()
	return strictConsole(t, "")
}

// strictConsole is one of a server with further settings.
func strictConsole(t *testing.T, settingsText string) *console {
	t.Helper()
	settings, _, _ := installation(t)
	more(t, settings, settingsText)
	loaded, err := config.Load(settings, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, _, _ := testProgram()
	c := &console{T: t, log: new(shared), key: adminKey, called: map[string]bool{}}
	if c.h, err = p.open(t.Context(), loaded); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.h.close)
	if c.handler, err = c.h.adminAPI(adminKey, loaded.Issuer, newLog(c.log, "info"), p.random); err != nil {
		t.Fatal(err)
	}
	return c
}

// reply is an answer of the API.
type reply struct {
	*testing.T
	code   int
	header http.Header
	raw    []byte
}

// call makes a call; body is nothing, the text of a desired state, or what is sent as JSON.
func (c *console) call(method, path string, body any) reply {
	c.Helper()
	text, kind, err := encoded(body)
	if err != nil {
		c.Fatal(err)
	}
	r := httptest.NewRequest(method, admin.Base+path, strings.NewReader(string(text)))
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	r.Header.Set("User-Agent", "console")
	return c.do(r)
}

func (c *console) do(r *http.Request) reply {
	c.Helper()
	if c.key != "" {
		r.Header.Add("Authorization", "Bearer "+c.key)
	}
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, r)
	out := reply{c.T, w.Code, w.Header(), w.Body.Bytes()}
	doc, err := adminDescription()
	if err != nil {
		c.Fatal(err)
	}
	template := webtest.Validate(c.T, doc, webtest.Response{Method: r.Method, Path: r.URL.Path, Code: w.Code, Header: w.Header(), Raw: out.raw})
	c.called[r.Method+" "+template] = true
	if w.Header().Get("Cache-Control") != "no-store" {
		c.Errorf("%s %s may be kept: %q", r.Method, r.URL.Path, w.Header().Get("Cache-Control"))
	}
	return out
}

// ok demands success and reads the answer.
func (r reply) ok(code int, into any) {
	r.Helper()
	if r.code != code {
		r.Fatalf("answer = %d %s, want %d", r.code, r.raw, code)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(r.raw, into); err != nil {
		r.Fatal(err)
	}
}

// done demands success and the words for it.
func (r reply) done(code int, want string) admin.Done {
	r.Helper()
	var d admin.Done
	r.ok(code, &d)
	if d.Done != want {
		r.Errorf("done = %q, want %q", d.Done, want)
	}
	return d
}

// refused demands a problem.
func (r reply) refused(code int, word, detail string) admin.Problem {
	r.Helper()
	var p admin.Problem
	if err := json.Unmarshal(r.raw, &p); err != nil {
		r.Fatal(err)
	}
	if r.code != code || p.Status != code || p.Code != word || !strings.Contains(p.Detail+p.Faults.Error(), detail) || p.Support != r.header.Get(web.CorrelationHeader) {
		r.Fatalf("answer = %d %s, want %d %s, %q in it", r.code, r.raw, code, word, detail)
	}
	return p
}

// newest is the newest event of a kind.
func (c *console) newest(kind string) storage.Event {
	c.Helper()
	events, err := c.h.store.ListEvents(c.Context(), storage.EventFilter{Kind: kind, Limit: 1})
	if err != nil || len(events) == 0 {
		c.Fatalf("no event %s: %v", kind, err)
	}
	return events[0]
}
