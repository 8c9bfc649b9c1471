// Package servertest has fixtures for tests of servers: installations, servers in this process
// and the admin API.
package servertest

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

// Clock is a clock that a test sets forward.
type Clock struct{ ahead atomic.Int64 }

func (c *Clock) Now() time.Time        { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *Clock) Move(by time.Duration) { c.ahead.Add(int64(by)) }

const MachineState = `clients:
  - client_id: machine
    client_secret: 0123456789abcdef0123456789abcdef
    grant_types: [client_credentials]
    scopes: [reports]
`

// Server is a server in this process, with the client machine.
type Server struct {
	*server.Server
	T *testing.T
}

// New opens a server with these settings and this clock.
func New(t *testing.T, settings string, c *Clock) Server {
	t.Helper()
	h := Open(t, Options(t, settings, c))
	Apply(t, settings, MachineState)
	return Server{h, t}
}

// Open opens a server until the test ends.
func Open(t *testing.T, o server.Options) *server.Server {
	t.Helper()
	h, err := server.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

// Apply applies a desired state to an installation.
func Apply(t *testing.T, settings, state string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "state.yaml")
	if err := os.WriteFile(file, []byte(state), 0o600); err != nil {
		t.Fatal(err)
	}
	o := Options(t, settings, new(Clock))
	o.AdminOnly = true
	h, err := server.Open(t.Context(), o)
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

func (s Server) Poll() {
	s.T.Helper()
	if err := s.Provider.Poll(s.T.Context()); err != nil {
		s.T.Fatal(err)
	}
}

func (s Server) Post(path string, values url.Values) map[string]any {
	s.T.Helper()
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(values.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("machine", "0123456789abcdef0123456789abcdef")
	w := httptest.NewRecorder()
	s.Handler.ServeHTTP(w, r)
	var out map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != http.StatusOK {
		s.T.Fatalf("%s: %d %s", path, w.Code, w.Body)
	}
	return out
}

// Token returns an access token and the key it is signed with.
func (s Server) Token() (token, kid string) {
	s.T.Helper()
	token, _ = s.Post("/token", url.Values{"grant_type": {"client_credentials"}})["access_token"].(string)
	head, _, _ := strings.Cut(token, ".")
	text, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		s.T.Fatal(err)
	}
	var header struct {
		Kid string `json:"kid"`
	}
	if err := json.Unmarshal(text, &header); err != nil {
		s.T.Fatal(err)
	}
	return token, header.Kid
}

func (s Server) Active(token string) bool {
	s.T.Helper()
	return s.Post("/introspect", url.Values{"token": {token}})["active"] == true
}

// Published returns the ids of an algorithm's keys in the key set.
func (s Server) Published(alg string) []string {
	s.T.Helper()
	var set struct {
		Keys []struct{ Kid, Alg string }
	}
	if err := json.Unmarshal(s.Provider.JWKS().Body, &set); err != nil {
		s.T.Fatal(err)
	}
	var out []string
	for _, k := range set.Keys {
		if k.Alg == alg {
			out = append(out, k.Kid)
		}
	}
	return out
}

func (s Server) EventsOf(kind string) []storage.Event {
	s.T.Helper()
	all, err := s.Store.ListEvents(s.T.Context(), storage.EventFilter{Kind: kind, Limit: 100})
	if err != nil {
		s.T.Fatal(err)
	}
	return all
}

// Buffer is a writer that can be read while a server writes to it.
type Buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *Buffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *Buffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
