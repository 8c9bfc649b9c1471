package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/config"
	"sallyport/mfa"
	"sallyport/storage"
	"sallyport/storage/seal"
	"sallyport/storage/storagetest"
)

// onBoth runs a test with the settings of an installation on each database.
func onBoth(t *testing.T, test func(t *testing.T, settings string)) {
	t.Run("SQLite", func(t *testing.T) {
		settings, _, _ := installation(t)
		test(t, settings)
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		settings, _, _ := installation(t)
		text, err := os.ReadFile(settings)
		if err != nil {
			t.Fatal(err)
		}
		head, _, _ := strings.Cut(string(text), "database:")
		if err := os.WriteFile(settings, fmt.Appendf([]byte(head), "database:\n  dsn: %q\n", storagetest.Postgres(t)), 0o600); err != nil {
			t.Fatal(err)
		}
		run(t, "migrate", "--config", settings)
		test(t, settings)
	})
}

// clock is a time that a test moves.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time        { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) move(by time.Duration) { c.ahead.Add(int64(by)) }

const machineState = `clients:
  - client_id: machine
    client_secret: 0123456789abcdef0123456789abcdef
    grant_types: [client_credentials]
    scopes: [reports]
`

// server is a house in this process, whose clock the test moves.
type server struct {
	*house
	t *testing.T
}

func newServer(t *testing.T, settings string, c *clock) server {
	t.Helper()
	p := &program{out: t.Output(), err: t.Output(), now: c.now, random: rand.Reader}
	loaded, err := config.Load(settings, nil)
	if err != nil {
		t.Fatal(err)
	}
	h, err := p.open(t.Context(), loaded)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.close)
	applied(t, settings, machineState)
	return server{h, t}
}

// applied brings a desired state to an installation.
func applied(t *testing.T, settings, state string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "state.yaml")
	if err := os.WriteFile(file, []byte(state), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "apply", "--config", settings, file)
}

func (s server) poll() {
	s.t.Helper()
	if err := s.provider.Poll(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

func (s server) post(path string, values url.Values) map[string]any {
	s.t.Helper()
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(values.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("machine", "0123456789abcdef0123456789abcdef")
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	var out map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != http.StatusOK {
		s.t.Fatalf("%s: %d %s", path, w.Code, w.Body)
	}
	return out
}

// token returns an access token and the key it is signed with.
func (s server) token() (token, kid string) {
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

func (s server) active(token string) bool {
	s.t.Helper()
	return s.post("/introspect", url.Values{"token": {token}})["active"] == true
}

// published are the keys of an algorithm in the key set.
func (s server) published(alg string) []string {
	s.t.Helper()
	var set struct {
		Keys []struct{ Kid, Alg string }
	}
	if err := json.Unmarshal(s.provider.JWKS().Body, &set); err != nil {
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

func (s server) events(kind string) []storage.Event {
	s.t.Helper()
	all, err := s.store.ListEvents(s.t.Context(), storage.EventFilter{Kind: kind, Limit: 100})
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

// O-16 from end to end: published a day before, kept until a day after.
func TestASigningKeyGivesWay(t *testing.T) {
	onBoth(t, func(t *testing.T, settings string) {
		var c clock
		s := newServer(t, settings, &c)
		_, old := s.token()
		change, err := s.rotate(t.Context(), "admin", "oidc", "RS256", seal.Lead("oidc", false))
		if err != nil || len(change.Add) != 1 {
			t.Fatalf("rotate = %+v, %v", change, err)
		}
		next := string(change.Add[0].ID)
		step := func(by time.Duration, signs string, published ...string) string {
			t.Helper()
			c.move(by)
			s.poll()
			token, kid := s.token()
			if kid != signs {
				t.Errorf("signed with %s, want %s", kid, signs)
			}
			got := s.published("RS256")
			slices.Sort(got)
			slices.Sort(published)
			if !slices.Equal(got, published) {
				t.Errorf("published %v, want %v", got, published)
			}
			return token
		}
		step(0, old, old, next)
		last := step(24*time.Hour-2*time.Minute, old, old, next)
		step(2*time.Minute, next, old, next)
		if !s.active(last) {
			t.Error("a token signed by the old key died with the rotation")
		}
		step(7*time.Minute, next, old, next)
		if !s.active(last) {
			t.Error("a token signed by the old key died before its time")
		}
		step(time.Minute, next, old, next)
		if s.active(last) {
			t.Error("a token outlived its expiry")
		}
		step(24*time.Hour+50*time.Minute, next, old, next)
		step(3*time.Minute, next, next)
		events := s.events(mfa.EventKeysRotated)
		if len(events) != 1 || events[0].Actor != "admin" || events[0].Detail["key"] != next || events[0].Detail["alg"] != "RS256" {
			t.Errorf("events = %+v", events)
		}
	})
}

func TestAStolenSigningKeyIsGoneAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, settings string) {
		var c clock
		s := newServer(t, settings, &c)
		token, stolen := s.token()
		if !s.active(token) {
			t.Fatal("a fresh token is not active")
		}
		out := run(t, "keys", "retire", "--config", settings, "--emergency", stolen)
		if !strings.Contains(out, "IS WITHDRAWN") || !strings.Contains(out, "jwks.json") || !strings.Contains(out, "takes its place") {
			t.Errorf("output = %s", out)
		}
		s.poll()
		if s.active(token) {
			t.Error("a token signed by the stolen key still counts")
		}
		again, kid := s.token()
		if got := s.published("RS256"); kid == stolen || !s.active(again) || !slices.Equal(got, []string{kid}) {
			t.Errorf("signed with %s, published %v, stolen %s", kid, got, stolen)
		}
		if events := s.events(mfa.EventKeysWithdrawn); len(events) != 1 || events[0].Detail["key"] != stolen || events[0].Detail["by"] != kid {
			t.Errorf("events = %+v", events)
		}
		if list := run(t, "keys", "list", "--config", settings); strings.Contains(list, stolen) || !strings.Contains(list, kid) {
			t.Errorf("list = %s", list)
		}
		if list := run(t, "keys", "list", "--all", "--config", settings); !strings.Contains(list, stolen) {
			t.Errorf("list of all = %s", list)
		}
	})
}

func TestKeysCommandLine(t *testing.T) {
	settings, _, _ := installation(t)
	play := func(args string) (code int, out, err string) {
		p, o, e := testProgram("SALLYPORT_CONFIG=" + settings)
		code = p.main(context.Background(), strings.Fields(args))
		return code, o.String(), e.String()
	}
	if code, _, err := play("keys rotate --use oidc"); code != exitFailed || !strings.Contains(err, "there are no keys yet") {
		t.Errorf("before the first start: %d %s", code, err)
	}
	s := newServer(t, settings, new(clock))
	current := func(use string) string { return string(s.keyring.Current(use)) }
	for _, tc := range []struct {
		name, args string
		code       int
		out, err   string
	}{
		{"no verb", "keys", exitUsage, "", "want one of list, rotate, retire, reseal"},
		{"an unknown verb", "keys steal", exitUsage, "", "want one of list, rotate, retire, reseal"},
		{"no use", "keys rotate", exitUsage, "", "--use must be one of data, hash"},
		{"an unknown use", "keys rotate --use all", exitUsage, "", "--use must be one of"},
		{"an algorithm that is none", "keys rotate --use oidc --alg HS256", exitFailed, "", "no such algorithm"},
		{"an algorithm of its own for a data key", "keys rotate --use data --alg RS256", exitFailed, "", "no such key"},
		{"a batch too large", "keys reseal --data --batch 1001", exitUsage, "", "1 to 1000"},
		{"list", "keys list", exitOK, "in use", ""},
		{"each algorithm", "keys rotate --use oidc", exitOK, "oidc ES256: key", ""},
		{"again", "keys rotate --use oidc", exitFailed, "", "already waiting"},
		{"again and now", "keys rotate --use oidc --now", exitOK, "oidc RS256: key", ""},
		{"the next of an algorithm nobody has", "keys rotate --use oidc --alg EdDSA", exitOK, "oidc EdDSA: key", ""},
		{"the key in use", "keys retire " + current("data"), exitFailed, "", "it is still in use: rotate first"},
		{"a key nobody has", "keys retire 00000000-0000-0000-0000-000000000000", exitFailed, "", "there is no valid key"},
		{"a data key in an emergency", "keys retire --emergency " + current("data"), exitFailed, "", "stored secrets depend on"},
		{"a session key in an emergency", "keys retire --emergency " + current("session"), exitOK, "everybody is signed out", ""},
		{"a data key", "keys rotate --use data", exitOK, "reseal --data", ""},
		{"nothing to reseal", "keys reseal", exitOK, "Keys: 0 sealed anew", ""},
	} {
		code, out, err := play(tc.args)
		if code != tc.code || !strings.Contains(out, tc.out) || !strings.Contains(err, tc.err) || (tc.err == "") != (err == "") {
			t.Errorf("%s: exit code %d, %q, %q; want %d, %q, %q", tc.name, code, out, err, tc.code, tc.out, tc.err)
		}
	}
}

func TestKeyAgesAreMetrics(t *testing.T) {
	settings, _, _ := installation(t)
	var c clock
	s := newServer(t, settings, &c)
	c.move(10 * 24 * time.Hour)
	w := httptest.NewRecorder()
	s.ops(http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, want := range []string{`sallyport_key_age_seconds{alg="",use="data"} 86400`, `sallyport_key_age_seconds{alg="RS256",use="oidc"} 86400`} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("metrics have no %s", want)
		}
	}
	if n := strings.Count(w.Body.String(), "\nsallyport_key_age_seconds{"); n != 8 {
		t.Errorf("%d ages, want one of each of 6 uses and 2 algorithms", n)
	}
}
