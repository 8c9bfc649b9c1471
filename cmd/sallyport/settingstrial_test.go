package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/servertest"
	"sallyport/config"
)

const trialState = `clients:
  - {client_id: own, public: true, headless_login: true, silent_login: true, passwordless: true, mfa: "OFF", consent: skip, redirect_uris: ["http://127.0.0.1:9/cb"], grant_types: [authorization_code, refresh_token], scopes: [openid, offline_access]}
  - {client_id: strict, public: true, headless_login: true, mfa: ALWAYS, consent: skip, redirect_uris: ["http://127.0.0.1:9/cb"], grant_types: [authorization_code], scopes: [openid]}
  - {client_id: machine, client_secret: 0123456789abcdef0123456789abcdef, grant_types: [client_credentials], access_token_format: opaque, scopes: [reports]}
users:
  - {username: vera, email: vera@example.com, password: ` + alicePass + `, totp_secret: ` + aliceSecret + `}
  - {username: nora, email: nora@example.com, email_verified: true, password: ` + alicePass + `}
`

// trialSource is an installation; each trial starts with a copy of its database.
type trialSource struct {
	dir, settings, public, admin string
	opaque                       any // an access token of the client machine
}

func newTrialSource(t *testing.T) *trialSource {
	t.Helper()
	o := new(trialSource)
	o.settings, o.public, o.admin = servertest.NewInstallation(t)
	o.dir = filepath.Dir(o.settings)
	servertest.Apply(t, o.settings, trialState)
	c, err := config.Load(o.settings, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, _, _ := testProgram()
	h, err := openServer(t.Context(), p, c)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	o.opaque = servertest.Server{Server: h, T: t}.Post("/token", url.Values{"grant_type": {"client_credentials"}})["access_token"]
	text, err := os.ReadFile(o.settings)
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(string(text), "drain_time:") // a trial has its own, and its own database
	if err := os.WriteFile(o.settings, []byte(head), 0o600); err != nil {
		t.Fatal(err)
	}
	return o
}

// trial is a server with settings, a database and a clock of its own.
type trial struct {
	*testing.T
	servertest.Server // once it is open
	clock             *servertest.Clock
	file              string // of the settings
	environ           map[string]string
	log               servertest.Buffer
}

func (o *trialSource) trial(t *testing.T, settings ...map[string]string) *trial {
	t.Helper()
	s := &trial{T: t, clock: new(servertest.Clock), file: o.settings, environ: map[string]string{}}
	database := filepath.Join(t.TempDir(), "sallyport.db")
	text, err := os.ReadFile(filepath.Join(o.dir, "sallyport.db"))
	if err == nil {
		err = os.WriteFile(database, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.environ["SALLYPORT_DATABASE_DSN"], s.environ["SALLYPORT_DRAIN_TIME"] = "sqlite:"+database, "0s"
	for _, some := range settings {
		for name, value := range some {
			s.environ[config.Prefix+name] = value
		}
	}
	return s
}

func (s *trial) program() *cli.Program {
	environ := []string{"SALLYPORT_CONFIG=" + s.file}
	for name, value := range s.environ {
		environ = append(environ, name+"="+value)
	}
	return &cli.Program{Out: &s.log, Err: &s.log, Environ: environ, Now: s.clock.Now, Random: rand.Reader}
}

// fault opens the server in this process and returns the error; "": none.
func (s *trial) fault() string {
	s.Helper()
	p := s.program()
	c, err := config.Load(s.file, p.Environ)
	if err != nil {
		return err.Error()
	}
	h, err := openServer(s.Context(), p, c)
	if err != nil {
		return err.Error()
	}
	s.Cleanup(h.Close)
	s.Server = servertest.Server{Server: h, T: s.T}
	return ""
}

// open opens the server in this process.
func (s *trial) open() *trial {
	s.Helper()
	if text := s.fault(); text != "" {
		s.Fatal(text)
	}
	return s
}

// check returns what "sallyport config check" prints.
func (s *trial) check() string {
	s.program().Main(s.Context(), commands(), []string{"config", "check"})
	return s.log.String()
}

// serveWhile runs "sallyport serve" until look returns, and returns how long it took to stop.
func (s *trial) serveWhile(look func()) time.Duration {
	s.Helper()
	ctx, stop := context.WithTimeout(s.Context(), time.Minute)
	defer stop()
	ended := make(chan int, 1)
	go func() { ended <- s.program().Main(ctx, commands(), []string{"serve"}) }()
	for tick := time.Tick(5 * time.Millisecond); !strings.Contains(s.log.String(), `"msg":"serving"`); <-tick {
		if ctx.Err() != nil || len(ended) > 0 {
			s.Fatalf("it does not serve: %s", s.log.String())
		}
	}
	look()
	began := time.Now()
	stop()
	if code := <-ended; code != cli.ExitOK {
		s.Errorf("serve: exit code %d: %s", code, s.log.String())
	}
	return time.Since(began)
}

// peek returns the response from an address while the server runs, and the certificate.
func peek(address, auth string) func(s *trial) string {
	return func(s *trial) (out string) {
		s.Helper()
		client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
		s.serveWhile(func() {
			r, err := http.NewRequestWithContext(s.Context(), "GET", address, http.NoBody)
			if err != nil {
				s.Fatal(err)
			}
			r.Header.Set("Authorization", auth)
			response, err := client.Do(r)
			if err != nil {
				out = err.Error()
				return
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			out = fmt.Sprintf("%s %s %v", response.Status, body, err)
			if response.TLS != nil {
				out += " over TLS with " + response.TLS.PeerCertificates[0].SerialNumber.String()
			}
		})
		return out
	}
}

// send makes a request from 10.1.1.1.
func (s *trial) send(method, path, kind, body string, header ...string) *httptest.ResponseRecorder {
	s.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.RemoteAddr = "10.1.1.1:4000"
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.Handler.ServeHTTP(w, r)
	return w
}

// body returns the body of a page or document.
func body(path string) func(s *trial) string {
	return func(s *trial) string { return s.open().send("GET", path, "", "").Body.String() }
}

// json posts an object and reads the object in the response; its member "status" is the status.
func (s *trial) json(path string, members map[string]any) map[string]any {
	s.Helper()
	text, err := json.Marshal(members)
	if err != nil {
		s.Fatal(err)
	}
	return s.read(s.send("POST", path, "application/json", string(text)))
}

// form posts a form and reads the object in the response.
func (s *trial) form(path string, values url.Values) map[string]any {
	s.Helper()
	return s.read(s.send("POST", path, "application/x-www-form-urlencoded", values.Encode()))
}

func (s *trial) read(w *httptest.ResponseRecorder) map[string]any {
	s.Helper()
	out := map[string]any{}
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		s.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	out["status"] = w.Code
	return out
}

// scrape returns the text of /metrics.
func scrape(s *trial) string {
	w := httptest.NewRecorder()
	s.open().OpsHandler(http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	return w.Body.String()
}
