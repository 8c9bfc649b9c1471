package server_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/cmd/sallyport/server"
	"sallyport/cmd/sallyport/servertest"
	"sallyport/mfa"
	"sallyport/storage"
	"sallyport/web/admin"
	"sallyport/web/webtest"
)

// registry is a server at which programs register.
type registry struct {
	*server.Server
	t       *testing.T
	clock   *servertest.Clock
	address string // of callers
}

const registryState = `users:
  - {username: vera, password: "a lighthouse at dusk"}
`

func newRegistry(t *testing.T, settings, more string) registry {
	t.Helper()
	servertest.AppendSettings(t, settings, more)
	servertest.Apply(t, settings, registryState)
	g := registry{t: t, clock: new(servertest.Clock), address: "192.0.2.1:1"}
	o := servertest.Options(t, settings, g.clock)
	o.Log = slog.New(slog.DiscardHandler)
	g.Server = servertest.Open(t, o)
	return g
}

func (g registry) send(method, path, token, body string) (int, map[string]any, http.Header) {
	g.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.RemoteAddr = g.address
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	g.Handler.ServeHTTP(w, r)
	out := map[string]any{}
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
			g.t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
	}
	return w.Code, out, w.Header()
}

// registered registers a client.
func (g registry) registered(body string) (id, token string, out map[string]any) {
	g.t.Helper()
	code, out, _ := g.send("POST", "/register", "", body)
	if code != 201 {
		g.t.Fatalf("register: %d %v", code, out)
	}
	id, _ = out["client_id"].(string)
	token, _ = out["registration_access_token"].(string)
	return id, token, out
}

func (g registry) refused(what string, want int, code string) func(got int, out map[string]any, _ http.Header) {
	return func(got int, out map[string]any, _ http.Header) {
		g.t.Helper()
		if got != want || out["error"] != code {
			g.t.Errorf("%s: %d %v, want %d %s", what, got, out, want, code)
		}
	}
}

const open = "registration: {mode: open}\n"

var plainClient = `{"redirect_uris":["https://rp.example/cb"],"client_name":"Shop"}`

// login signs a user in at a client, and returns the code; "": the client asked nothing of the user.
func (g registry) login(id string) (*webtest.Browser, func() string) {
	b := (&webtest.Fixture{T: g.t, Handler: g.Handler}).Browser()
	b.Get("/authorize?" + url.Values{"response_type": {"code"}, "client_id": {id}, "redirect_uri": {"https://rp.example/cb"}, "scope": {"openid"}, "state": {"s"},
		"code_challenge": {webtest.Challenge(strings.Repeat("v", 43))}, "code_challenge_method": {"S256"}}.Encode())
	return b, func() string {
		b.Submit("username", "username", "vera", "password", "a lighthouse at dusk")
		b.Must("/consent", 200, "Shop")
		b.Press("consent-allow")
		return b.MustLeave("https://rp.example/cb").Get("code")
	}
}

func (g registry) tokens(id, secret, code string) (int, map[string]any) {
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {"https://rp.example/cb"}, "code_verifier": {strings.Repeat("v", 43)}}
	r := httptest.NewRequest("POST", "/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(id, secret)
	w := httptest.NewRecorder()
	g.Handler.ServeHTTP(w, r)
	var out map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		g.t.Fatal(err)
	}
	return w.Code, out
}

// Conformance (Registration): RFC 7591 3, RFC 7592 2, OpenID Registration 3, 4: a client registers, signs a user in, reads, replaces and deletes its registration
func TestAClientRegistersItself(t *testing.T) {
	servertest.OnBoth(t, func(t *testing.T, settings string) {
		g := newRegistry(t, settings, open+"limits: {registrations: 0}\n")
		if _, d, _ := g.send("GET", "/.well-known/openid-configuration", "", ""); !strings.HasSuffix(fmt.Sprint(d["registration_endpoint"]), "/register") {
			t.Errorf("registration_endpoint = %v", d["registration_endpoint"])
		}
		preflight := httptest.NewRequest("OPTIONS", "/register", nil)
		for name, value := range map[string]string{"Origin": "https://new.example", "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"} {
			preflight.Header.Set(name, value)
		}
		w := httptest.NewRecorder()
		if g.Handler.ServeHTTP(w, preflight); w.Header().Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("pages of applications can not register: %d %v", w.Code, w.Header())
		}
		id, token, out := g.registered(plainClient)
		secret, _ := out["client_secret"].(string)
		if out["client_secret_expires_at"] != 0.0 || out["token_endpoint_auth_method"] != "client_secret_basic" || !strings.HasSuffix(fmt.Sprint(out["registration_client_uri"]), "/register/"+id) || len(secret) < 32 {
			t.Errorf("registered: %v", out)
		}
		_, finish := g.login(id)
		status, tokens := g.tokens(id, secret, finish())
		if status != 200 || tokens["access_token"] == nil {
			t.Fatalf("tokens: %d %v", status, tokens)
		}
		stored, err := g.Store.Client(t.Context(), storage.ClientID(id))
		if err != nil || stored.Registration.UsedAt.IsZero() || stored.Consent != "ask" {
			t.Errorf("stored = %+v, %v", stored, err)
		}
		if text, _ := json.Marshal(stored); strings.Contains(string(text), secret) || strings.Contains(string(text), token) {
			t.Error("a secret is stored in clear")
		}

		at := "/register/" + id
		code, read, _ := g.send("GET", at, token, "")
		if code != 200 || read["client_name"] != "Shop" || read["client_secret"] != nil {
			t.Errorf("GET: %d %v", code, read)
		}
		code, changed, _ := g.send("PUT", at, token, `{"client_id":"`+id+`","client_secret":"`+secret+`","redirect_uris":["https://rp.example/cb","https://rp.example/2"]}`)
		next, _ := changed["registration_access_token"].(string)
		if code != 200 || changed["client_name"] != nil || next == "" || next == token {
			t.Fatalf("PUT: %d %v", code, changed)
		}
		g.refused("the token before", 401, "invalid_token")(g.send("GET", at, token, ""))
		for what, body := range map[string]string{
			"another client_id":    `{"client_id":"x","redirect_uris":["https://rp.example/cb"]}`,
			"no client_id":         plainClient,
			"another secret":       `{"client_id":"` + id + `","client_secret":"x","redirect_uris":["https://rp.example/cb"]}`,
			"the token in the PUT": `{"client_id":"` + id + `","registration_access_token":"x","redirect_uris":["https://rp.example/cb"]}`,
		} {
			g.refused(what, 400, "invalid_request")(g.send("PUT", at, next, body))
		}
		g.refused("a refused PUT changes nothing", 400, "invalid_redirect_uri")(g.send("PUT", at, next, `{"client_id":"`+id+`","redirect_uris":["http://rp.example/"]}`))

		other, theirs, _ := g.registered(plainClient)
		g.refused("the token of another client", 401, "invalid_token")(g.send("DELETE", "/register/"+other, next, ""))
		g.refused("no token", 401, "invalid_token")(g.send("GET", "/register/"+other, "", ""))
		g.refused("an unknown client", 401, "invalid_token")(g.send("GET", "/register/unknown", theirs, ""))

		// A login that runs while its client goes away ends without a code.
		b, _ := g.login(id)
		if code, _, _ := g.send("DELETE", at, next, ""); code != 204 {
			t.Errorf("DELETE: %d", code)
		}
		b.Submit("username", "username", "vera", "password", "a lighthouse at dusk")
		if strings.Contains(b.Left, "code=") {
			t.Errorf("a login of a deleted client ends with a code: %s", b.Left)
		}
		g.refused("after the DELETE", 401, "invalid_token")(g.send("GET", at, next, ""))
		if status, refusal := g.tokens(id, secret, "x"); status != 401 || refusal["error"] != "invalid_client" {
			t.Errorf("token endpoint for a deleted client: %d %v", status, refusal)
		}
		if code, info, _ := g.send("GET", "/userinfo", fmt.Sprint(tokens["access_token"]), ""); code != 401 {
			t.Errorf("tokens of a deleted client: %d %v", code, info)
		}
	})
}

// Conformance (Registration): RFC 7592 3: of requests with one registration access token one replaces the client
func TestOnePutWins(t *testing.T) {
	servertest.OnBoth(t, func(t *testing.T, settings string) {
		g := newRegistry(t, settings, open+"limits: {registrations: 0}\n")
		id, token, _ := g.registered(plainClient)
		var won, lost atomic.Int64
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				switch code, _, _ := g.send("PUT", "/register/"+id, token, fmt.Sprintf(`{"client_id":%q,"client_name":"%d","redirect_uris":["https://rp.example/cb"]}`, id, i)); code {
				case 200:
					won.Add(1)
				case 401:
					lost.Add(1)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 || lost.Load() != 7 {
			t.Errorf("%d won, %d lost, want 1 and 7", won.Load(), lost.Load())
		}
	})
}

// Conformance (Registration): RFC 7591 3: an initial access token is required, and good for as many clients as it says
func TestInitialAccessTokens(t *testing.T) {
	servertest.OnBoth(t, func(t *testing.T, settings string) {
		g := newRegistry(t, settings, "registration: {mode: token}\nlimits: {registrations: 0}\n")
		ctx, admin := t.Context(), mfa.Caller{Actor: "admin"}
		_, _, h := g.send("POST", "/register", "", plainClient)
		if !strings.HasPrefix(h.Get("WWW-Authenticate"), "Bearer ") {
			t.Errorf("challenge = %q", h.Get("WWW-Authenticate"))
		}
		g.refused("no token", 401, "invalid_token")(g.send("POST", "/register", "", plainClient))
		g.refused("an invented token", 401, "invalid_token")(g.send("POST", "/register", "sallyport_registration_x", plainClient))
		made, secret, err := g.RegistrationTokens.Create(ctx, admin, "CI", 2, g.clock.Now().Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		g.refused("a client that is refused", 400, "invalid_redirect_uri")(g.send("POST", "/register", secret, `{}`))
		for range 2 {
			if code, out, _ := g.send("POST", "/register", secret, plainClient); code != 201 {
				t.Fatalf("%d %v", code, out)
			}
		}
		g.refused("a third client", 401, "invalid_token")(g.send("POST", "/register", secret, plainClient))
		_, late, err := g.RegistrationTokens.Create(ctx, admin, "late", 2, g.clock.Now().Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		g.clock.Move(time.Hour)
		g.refused("an expired token", 401, "invalid_token")(g.send("POST", "/register", late, plainClient))
		gone, revoked, err := g.RegistrationTokens.Create(ctx, admin, "gone", 2, g.clock.Now().Add(time.Hour))
		if err == nil {
			err = g.RegistrationTokens.Revoke(ctx, admin, gone.ID)
		}
		if err != nil {
			t.Fatal(err)
		}
		g.refused("a revoked token", 401, "invalid_token")(g.send("POST", "/register", revoked, plainClient))
		lines, err := g.Store.ListEvents(ctx, storage.EventFilter{Kind: mfa.EventClientRegistered, Limit: 10})
		if err != nil || len(lines) != 2 || lines[0].Detail["token"] != string(made.ID) {
			t.Errorf("lines = %+v, %v", lines, err)
		}
	})
}

func TestRegistrationIsOffByDefault(t *testing.T) {
	settings, _, _ := servertest.NewInstallation(t)
	g := newRegistry(t, settings, "")
	g.refused("register", 404, "invalid_request")(g.send("POST", "/register", "", plainClient))
	g.refused("read", 404, "invalid_request")(g.send("GET", "/register/x", "x", ""))
	if _, d, _ := g.send("GET", "/.well-known/openid-configuration", "", ""); d["registration_endpoint"] != nil {
		t.Error("discovery has a registration_endpoint")
	}
}

func TestHostileRegistrations(t *testing.T) {
	settings, _, _ := servertest.NewInstallation(t)
	g := newRegistry(t, settings, open+"limits: {registrations: 0}\n")
	metadata := "invalid_client_metadata"
	for what, x := range map[string]struct {
		body string
		want int
	}{
		"a name twice":                   {`{"redirect_uris":["https://rp.example/cb"],"redirect_uris":["https://evil.test/"]}`, 400},
		"no object":                      {`[]`, 400},
		"not JSON":                       {`{`, 400},
		"too long":                       {`{"x":"` + strings.Repeat("x", 70<<10) + `"}`, 413},
		"a sector on this machine":       {`{"redirect_uris":["https://rp.example/cb"],"sector_identifier_uri":"https://127.0.0.1/s"}`, 400},
		"a sector at a metadata service": {`{"redirect_uris":["https://rp.example/cb"],"sector_identifier_uri":"https://169.254.169.254/s"}`, 400},
		"an algorithm without a key":     {`{"redirect_uris":["https://rp.example/cb"],"id_token_signed_response_alg":"PS256"}`, 400},
		"a statement that is no text":    {`{"redirect_uris":["https://rp.example/cb"],"software_statement":{}}`, 400},
	} {
		code, out, _ := g.send("POST", "/register", "", x.body)
		if code != x.want || out["error"] == nil || out["error"] != metadata && out["error"] != "invalid_software_statement" && code != 413 {
			t.Errorf("%s: %d %v", what, code, out)
		}
		if text := fmt.Sprint(out); strings.Contains(text, "dial") || strings.Contains(text, "not on the internet") {
			t.Errorf("%s: the refusal says what the server can reach: %v", what, out)
		}
	}
	// A form, which pages of other origins may send, registers nothing.
	r := httptest.NewRequest("POST", "/register", strings.NewReader("redirect_uris=https://rp.example/cb"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	if g.Handler.ServeHTTP(w, r); w.Code != 415 {
		t.Errorf("a form: %d", w.Code)
	}
}

// Strangers fill neither the disk nor the audit trail, and what they leave is removed.
func TestAFloodOfRegistrations(t *testing.T) {
	servertest.OnBoth(t, func(t *testing.T, settings string) {
		g := newRegistry(t, settings, "registration: {mode: open, max_unused: 5}\nlimits: {registrations: 3}\n")
		var codes []int
		for i := range 8 {
			g.address = fmt.Sprintf("192.0.2.%d:1", i/4)
			code, _, h := g.send("POST", "/register", "", plainClient)
			if codes = append(codes, code); code != 201 && h.Get("Retry-After") == "" {
				t.Errorf("%d without Retry-After", code)
			}
		}
		if fmt.Sprint(codes) != "[201 201 201 429 201 201 503 429]" {
			t.Errorf("codes = %v", codes)
		}
		if lines, err := g.Store.ListEvents(t.Context(), storage.EventFilter{Kind: mfa.EventClientRegistered, Limit: 10}); err != nil || len(lines) > 0 {
			t.Errorf("lines = %v, %v", lines, err)
		}
		g.clock.Move(time.Hour + time.Minute)
		if n, err := g.Store.Sweep(t.Context(), g.clock.Now(), 1000); err != nil || n < 5 {
			t.Errorf("swept %d, %v", n, err)
		}
		g.address = "192.0.2.9:1"
		g.registered(plainClient)
	})
}

// registrationWalk makes every call about initial access tokens.
func (c adminWalk) registrationWalk() {
	c.Helper()
	made := c.Call("POST", "/registration-tokens", map[string]any{"name": "CI", "max_uses": 3}).Done(201, "created")
	if !strings.HasPrefix(made.Secret, "sallyport_registration_") {
		c.Errorf("token = %+v", made)
	}
	for field, body := range map[string]map[string]any{
		"name": {"name": "a\nb"}, "max_uses": {"name": "a", "max_uses": 0}, "expires_at": {"name": "a", "expires_at": "2001-01-01T00:00:00Z"},
	} {
		c.Call("POST", "/registration-tokens", body).Refused(400, "invalid_request", field)
	}
	got := c.Call("GET", "/registration-tokens", nil)
	var page admin.RegistrationTokens
	if got.Decode(200, &page); len(page.Tokens) != 1 || page.Tokens[0].ID != made.RegistrationToken || page.Tokens[0].MaxUses != 3 || strings.Contains(string(got.Raw), made.Secret) {
		c.Errorf("tokens = %s", got.Raw)
	}
	one := "/registration-tokens/" + string(made.RegistrationToken)
	c.Call("DELETE", one, nil).Done(200, "revoked")
	c.Call("DELETE", one, nil).Refused(404, "not_found", "no such registration token")
}
