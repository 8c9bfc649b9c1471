package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/cmd/sallyport/server"
	"sallyport/mfa"
	"sallyport/mfa/users"
	"sallyport/provider/desired"
	"sallyport/storage"
)

// clock is a clock that a test sets forward.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time        { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) move(by time.Duration) { c.ahead.Add(int64(by)) }

const machineState = `clients:
  - client_id: machine
    client_secret: 0123456789abcdef0123456789abcdef
    grant_types: [client_credentials]
    scopes: [reports]
`

// testServer is a server in this process, with the client machine.
type testServer struct {
	*server.Server
	t *testing.T
}

// newTestServer opens a server with these settings and this clock.
func newTestServer(t *testing.T, settings string, c *clock) testServer {
	t.Helper()
	h := openOptions(t, options(t, settings, c))
	applied(t, settings, machineState)
	return testServer{h, t}
}

// openOptions opens a server until the test ends.
func openOptions(t *testing.T, o server.Options) *server.Server {
	t.Helper()
	h, err := server.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

// applied applies a desired state to an installation.
func applied(t *testing.T, settings, state string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "state.yaml")
	if err := os.WriteFile(file, []byte(state), 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := server.Open(t.Context(), options(t, settings, new(clock)))
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	plan, err := h.LoadPlan(t.Context(), file, desired.Options{})
	if err == nil {
		err = h.Records().CarryOut(t.Context(), mfa.Caller{Actor: users.ActorAdmin}, plan)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (s testServer) poll() {
	s.t.Helper()
	if err := s.Provider.Poll(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

func (s testServer) post(path string, values url.Values) map[string]any {
	s.t.Helper()
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(values.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("machine", "0123456789abcdef0123456789abcdef")
	w := httptest.NewRecorder()
	s.Handler.ServeHTTP(w, r)
	var out map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != http.StatusOK {
		s.t.Fatalf("%s: %d %s", path, w.Code, w.Body)
	}
	return out
}

// token returns an access token and the key it is signed with.
func (s testServer) token() (token, kid string) {
	s.t.Helper()
	token, _ = s.post("/token", url.Values{"grant_type": {"client_credentials"}})["access_token"].(string)
	head, _, _ := strings.Cut(token, ".")
	text, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		s.t.Fatal(err)
	}
	var header struct {
		Kid string `json:"kid"`
	}
	if err := json.Unmarshal(text, &header); err != nil {
		s.t.Fatal(err)
	}
	return token, header.Kid
}

func (s testServer) active(token string) bool {
	s.t.Helper()
	return s.post("/introspect", url.Values{"token": {token}})["active"] == true
}

// published are the keys of an algorithm in the key set.
func (s testServer) published(alg string) []string {
	s.t.Helper()
	var set struct {
		Keys []struct{ Kid, Alg string }
	}
	if err := json.Unmarshal(s.Provider.JWKS().Body, &set); err != nil {
		s.t.Fatal(err)
	}
	var out []string
	for _, k := range set.Keys {
		if k.Alg == alg {
			out = append(out, k.Kid)
		}
	}
	return out
}

func (s testServer) events(kind string) []storage.Event {
	s.t.Helper()
	all, err := s.Store.ListEvents(s.t.Context(), storage.EventFilter{Kind: kind, Limit: 100})
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

// shared is a writer that can be read while a server writes to it.
type shared struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *shared) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
