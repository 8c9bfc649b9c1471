package server_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
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

	"github.com/go-jose/go-jose/v4"

	"sallyport/cmd/sallyport/server"
	"sallyport/cmd/sallyport/servertest"
	"sallyport/mfa"
	"sallyport/provider/desired"
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
		g := newRegistry(t, settings, open)
		if _, d, _ := g.send("GET", "/.well-known/openid-configuration", "", ""); !strings.HasSuffix(fmt.Sprint(d["registration_endpoint"]), "/register") {
			t.Errorf("registration_endpoint = %v", d["registration_endpoint"])
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
		g := newRegistry(t, settings, open)
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
		g := newRegistry(t, settings, "registration: {mode: token}\n")
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

// Conformance (Registration): OpenID Registration 5: the list at sector_identifier_uri contains every redirect URI
func TestSectorsAreFetched(t *testing.T) {
	documents := map[string]string{"/good": `["https://rp.example/cb","https://other.example/"]`, "/bad": `["https://other.example/"]`, "/text": `x`, "/long": `["` + strings.Repeat("x", 70<<10) + `"]`}
	sector := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/moved" {
			http.Redirect(w, r, "/good", http.StatusFound)
			return
		}
		_, _ = w.Write([]byte(documents[r.URL.Path]))
	}))
	defer sector.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: sector.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	settings, _, _ := servertest.NewInstallation(t)
	g := newRegistry(t, settings, open+fmt.Sprintf("fetch: {allowed_networks: [127.0.0.0/8], ca_file: %q}\nlimits: {registrations: 0}\n", ca))
	for path, want := range map[string]int{"/good": 201, "/bad": 400, "/text": 400, "/long": 400, "/moved": 400} {
		code, out, _ := g.send("POST", "/register", "", fmt.Sprintf(`{"redirect_uris":["https://rp.example/cb"],"sector_identifier_uri":%q}`, sector.URL+path))
		if code != want || want == 400 && out["error"] != "invalid_client_metadata" {
			t.Errorf("%s: %d %v, want %d", path, code, out, want)
		}
	}
}

// Conformance (Registration): RFC 7591 2.3: what the software statement of a trusted issuer says wins, also later; others are refused
func TestSoftwareStatements(t *testing.T) {
	sign := func(key any, alg jose.SignatureAlgorithm, claims string) string {
		s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, nil)
		if err != nil {
			t.Fatal(err)
		}
		jws, err := s.Sign([]byte(claims))
		if err != nil {
			t.Fatal(err)
		}
		text, err := jws.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	newKey := func() *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	trusted, stranger := newKey(), newKey()
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: trusted.Public(), KeyID: "a"}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(file, set, 0o600); err != nil {
		t.Fatal(err)
	}
	settings, _, _ := servertest.NewInstallation(t)
	g := newRegistry(t, settings, fmt.Sprintf("registration: {mode: open, statement_issuers: {\"https://trust.example\": %q, \"https://else.example\": %q}}\nlimits: {registrations: 0}\n", file, file))
	const claims = `{"iss":"https://trust.example","client_name":"Approved","redirect_uris":["https://rp.example/cb"]}`
	good := sign(trusted, jose.ES256, claims)
	parts := strings.Split(good, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + "."
	for what, x := range map[string][2]string{
		"good":                        {good, ""},
		"signed by a stranger":        {sign(stranger, jose.ES256, claims), "invalid_software_statement"},
		"none":                        {none, "invalid_software_statement"},
		"HMAC with the public keys":   {sign(append(set, make([]byte, 32)...), jose.HS256, claims), "invalid_software_statement"},
		"of nobody who is trusted":    {sign(trusted, jose.ES256, `{"iss":"https://evil.example"}`), "unapproved_software_statement"},
		"without issuer":              {sign(trusted, jose.ES256, `{}`), "unapproved_software_statement"},
		"expired":                     {sign(trusted, jose.ES256, `{"iss":"https://trust.example","exp":1000000000}`), "invalid_software_statement"},
		"not valid yet":               {sign(trusted, jose.ES256, `{"iss":"https://trust.example","nbf":9999999999}`), "invalid_software_statement"},
		"for another server":          {sign(trusted, jose.ES256, `{"iss":"https://trust.example","aud":"https://other.example"}`), "invalid_software_statement"},
		"with a name twice":           {sign(trusted, jose.ES256, `{"iss":"https://trust.example","client_name":"a","client_name":"b"}`), "invalid_software_statement"},
		"with an address that is bad": {sign(trusted, jose.ES256, `{"iss":"https://trust.example","redirect_uris":["http://rp.example"]}`), "invalid_redirect_uri"},
		"no JWT":                      {"x", "invalid_software_statement"},
	} {
		code, out, _ := g.send("POST", "/register", "", fmt.Sprintf(`{"client_name":"Mine","redirect_uris":["https://mine.example/cb"],"software_statement":%q}`, x[0]))
		if x[1] != "" && (code != 400 || out["error"] != x[1]) || x[1] == "" && code != 201 {
			t.Errorf("%s: %d %v, want %s", what, code, out, x[1])
		}
	}
	id, token, out := g.registered(fmt.Sprintf(`{"client_name":"Mine","redirect_uris":["https://mine.example/cb"],"contacts":["a@rp.example"],"software_statement":%q}`, good))
	if out["client_name"] != "Approved" || fmt.Sprint(out["redirect_uris"]) != "[https://rp.example/cb]" || fmt.Sprint(out["contacts"]) != "[a@rp.example]" || out["software_statement"] != good {
		t.Errorf("registered: %v", out)
	}
	code, out, _ := g.send("PUT", "/register/"+id, token, fmt.Sprintf(`{"client_id":%q,"client_name":"Mine","redirect_uris":["https://mine.example/cb"]}`, id))
	if code != 200 || out["client_name"] != "Approved" || fmt.Sprint(out["redirect_uris"]) != "[https://rp.example/cb]" {
		t.Errorf("a client sheds its statement: %d %v", code, out)
	}
}

// A desired state deletes no client that it never had, and an operator's change leaves it its token.
func TestOperatorsAndRegisteredClients(t *testing.T) {
	settings, _, _ := servertest.NewInstallation(t)
	g := newRegistry(t, settings, open)
	id, token, _ := g.registered(plainClient)
	file := filepath.Join(t.TempDir(), "state.yaml")
	if err := os.WriteFile(file, []byte("clients:\n  - {client_id: "+id+", client_name: Renamed, client_secret: 0123456789abcdef0123456789abcdef, redirect_uris: [\"https://rp.example/cb\"], consent: ask, mfa: ALWAYS}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	other, _, _ := g.registered(plainClient)
	plan, err := g.LoadPlan(t.Context(), file, desired.Options{Prune: true})
	if err == nil {
		err = g.Records().CarryOut(t.Context(), mfa.Caller{Actor: "admin"}, plan)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Store.Client(t.Context(), storage.ClientID(other)); err != nil {
		t.Errorf("--prune deletes a client that registered itself: %v", err)
	}
	code, out, _ := g.send("PUT", "/register/"+id, token, fmt.Sprintf(`{"client_id":%q,"redirect_uris":["https://rp.example/cb"]}`, id))
	if stored, err := g.Store.Client(t.Context(), storage.ClientID(id)); code != 200 || err != nil || stored.MFA != "ALWAYS" {
		t.Errorf("PUT: %d %v; stored %+v, %v", code, out, stored, err)
	}
	stored, err := g.Store.Client(t.Context(), storage.ClientID(id))
	if err == nil {
		was := stored
		stored.Disabled = true
		err = g.Clients.Change(t.Context(), mfa.Caller{Actor: "admin"}, was, stored)
	}
	if err != nil {
		t.Fatal(err)
	}
	g.refused("a disabled client", 401, "invalid_token")(g.send("GET", "/register/"+id, fmt.Sprint(out["registration_access_token"]), ""))
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
