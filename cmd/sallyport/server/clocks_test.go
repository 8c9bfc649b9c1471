package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport/cmd/sallyport/server"
	"sallyport/cmd/sallyport/servertest"
	"sallyport/e2e/play"
	"sallyport/storage/storagetest"
)

const clocksState = `clients:
  - {client_id: app, client_secret: 0123456789abcdef0123456789abcdef, headless_login: true, mfa: ALWAYS, consent: skip, redirect_uris: ["https://own.example/cb"], grant_types: [authorization_code, refresh_token], scopes: [openid, offline_access]}
users:
`

// TestServersWhoseClocksDiffer is R-4: one of two servers is ahead or behind, and a login goes
// from one to the other. At 10 s a server is not ready, and a call that reaches it anyway does no
// harm: no code is good twice, and nothing ends that is still valid.
func TestServersWhoseClocksDiffer(t *testing.T) {
	settings, _, _ := servertest.NewUnstarted(t)
	servertest.UseDatabase(t, settings, storagetest.Postgres(t))
	apart := []time.Duration{time.Second, -time.Second, 10 * time.Second, -10 * time.Second, 0}
	state, people := strings.Builder{}, make([]play.User, len(apart))
	state.WriteString(clocksState)
	for i := range people {
		people[i] = play.NewUser(fmt.Sprintf("person%d", i), true)
		state.WriteString(people[i].State())
	}
	right, other := new(servertest.Clock), new(servertest.Clock)
	o := servertest.Options(t, settings, right)
	o.Migrate = true
	a := servertest.Open(t, o)
	servertest.Apply(t, settings, state.String())
	b := servertest.Open(t, servertest.Options(t, settings, other))
	// A password is not proven before it was set: whoever is as new as the clocks differ has to wait.
	right.Move(time.Minute)
	other.Move(time.Minute)
	for i, by := range apart {
		other.Move(by)
		t.Run(by.String(), func(t *testing.T) { twoClocks(t, a, b, right, other, people[i]) })
		other.Move(-by)
	}
}

func twoClocks(t *testing.T, a, b *server.Server, right, other *servertest.Clock, u play.User) {
	step := right.Now().Unix() / 30
	code := func(ahead int64) string {
		text, err := play.TOTPAt(u.TOTP, step+ahead)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	issued, refusal := clockLogin(t, a, b, u, code(0))
	tokens := clockForm(t, b, "/token", url.Values{"grant_type": {"authorization_code"}, "code": {issued}, "redirect_uri": {"https://own.example/cb"}, "code_verifier": {strings.Repeat("v", 43)}})
	if tokens["access_token"] == nil {
		t.Fatalf("the code of one server at the other: %v %s", tokens, refusal)
	}
	for _, s := range []*server.Server{a, b} {
		if again, refusal := clockLogin(t, s, s, u, code(0)); again != "" || !strings.HasPrefix(refusal, "replayed") && !strings.HasPrefix(refusal, "invalid_passcode") {
			t.Errorf("a used passcode: %q %s, want a refusal", again, refusal)
		}
	}
	refresh := tokens
	for _, s := range []*server.Server{b, a, b} {
		token, _ := refresh["refresh_token"].(string)
		if refresh = clockForm(t, s, "/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}); refresh["access_token"] == nil {
			t.Fatalf("refresh: %v", refresh)
		}
	}
	if _, err := b.SweepExpired(t.Context()); err != nil {
		t.Error(err)
	}
	for name, s := range map[string]*server.Server{"the database's time": a, "another time": b} {
		for _, of := range []map[string]any{tokens, refresh} {
			token, _ := of["access_token"].(string)
			if r := clockForm(t, s, "/introspect", url.Values{"token": {token}}); r["active"] != true {
				t.Errorf("a token at the server with %s: %v", name, r)
			}
		}
	}
}

// TestAServerAheadSweepsNothingThatIsValid is R-4: what a server whose clock is 10 s ahead sweeps, another
// one still has to know, or the same one when its clock is set right. The attack: a token is revoked, and
// once the record of that is gone it is good again until it expires.
func TestAServerAheadSweepsNothingThatIsValid(t *testing.T) {
	servertest.OnBothUnstarted(t, func(t *testing.T, settings string) {
		clock := new(servertest.Clock)
		s := servertest.New(t, settings, clock)
		issued := s.Post("/token", url.Values{"grant_type": {"client_credentials"}})
		token, _ := issued["access_token"].(string)
		lifetime, _ := issued["expires_in"].(float64)
		clock.Move(time.Duration(lifetime)*time.Second - 5*time.Second)
		if !s.Active(token) {
			t.Fatal("the token ended before its time")
		}
		r := httptest.NewRequest(http.MethodPost, "/revoke", strings.NewReader(url.Values{"token": {token}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.SetBasicAuth("machine", "0123456789abcdef0123456789abcdef")
		w := httptest.NewRecorder()
		if s.Handler.ServeHTTP(w, r); w.Code != http.StatusOK {
			t.Fatalf("revoke: %d %s", w.Code, w.Body)
		}
		clock.Move(10 * time.Second)
		if _, err := s.SweepExpired(t.Context()); err != nil {
			t.Fatal(err)
		}
		clock.Move(-10 * time.Second)
		if s.Active(token) {
			t.Error("a revoked token is active again")
		}
		clock.Move(2 * time.Minute)
		if n, err := s.SweepExpired(t.Context()); n == 0 || err != nil {
			t.Errorf("swept %d, %v; want the record gone when every server knows that the token has expired", n, err)
		}
	})
}

// clockLogin begins at one server, proves at the other, and ends at the first. It returns the
// authorization code, or why the passcode was refused.
func clockLogin(t *testing.T, a, b *server.Server, u play.User, passcode string) (code, refusal string) {
	t.Helper()
	p := ownerParams("app", "https://own.example")
	p["scope"] = "openid offline_access"
	id := callFrom(t, a, "/api/login/v1/requests", p)["request_id"]
	proven := callFrom(t, b, "/api/login/v1/password", map[string]any{"request_id": id, "identifier": u.Name, "password": u.Password})
	got := callFrom(t, b, "/api/login/v1/verify", map[string]any{"request_id": id, "login_token": proven["login_token"], "method": "totp", "passcode": passcode})
	if got["step"] == nil {
		return "", fmt.Sprintf("%v, after %v", got["code"], proven)
	}
	if got["login_token"] == nil {
		got["login_token"] = proven["login_token"]
	}
	ended := callFrom(t, a, "/api/login/v1/finish", map[string]any{"request_id": id, "login_token": got["login_token"]})
	return fmt.Sprint(ended["code"]), ""
}

func clockForm(t *testing.T, s *server.Server, path string, values url.Values) map[string]any {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(values.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("app", "0123456789abcdef0123456789abcdef")
	w := httptest.NewRecorder()
	s.Handler.ServeHTTP(w, r)
	var out map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		t.Fatalf("%s: %d %s", path, w.Code, w.Body)
	}
	return out
}
