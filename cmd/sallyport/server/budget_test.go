package server_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/cmd/sallyport/server"
	"sallyport/cmd/sallyport/servertest"
	"sallyport/config"
)

const floodState = `clients:
  - {client_id: own, public: true, headless_login: true, passwordless: true, mfa: "OFF", consent: skip, redirect_uris: ["https://own.example/cb"], grant_types: [authorization_code], scopes: [openid]}
  - {client_id: machine, client_secret: 0123456789abcdef0123456789abcdef, grant_types: [client_credentials], scopes: [reports]}
users:
  - {username: vera, email: vera@example.com, password: "a lighthouse at dusk", totp_secret: JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP}
`

// flood calls a server from one network.
type flood struct {
	*server.Server
	t       *testing.T
	address func(call int) string
	n       int
	foreign string // a Host header; "": the real one
}

// newFlood opens a server with low limits and a stopped clock.
func newFlood(t *testing.T, settings string) *flood {
	t.Helper()
	servertest.Apply(t, settings, floodState)
	o, at := servertest.Options(t, settings, new(servertest.Clock)), time.Now()
	o.Config.Limits = config.Limits{Opens: 3, Initiations: 3, Names: 3, Failures: 3, Refusals: 3, Registrations: 3}
	o.Config.OutboxFile = filepath.Join(t.TempDir(), "outbox.jsonl") // so that passwords can be reset
	o.Config.SignUp, o.Config.Registration.Mode = "open", "open"
	o.Now, o.Log = func() time.Time { return at }, slog.New(slog.DiscardHandler)
	h := servertest.Open(t, o)
	return &flood{Server: h, t: t}
}

// call makes one call of a route about a login, each with another name.
func (f *flood) call(method, route, id string) *httptest.ResponseRecorder {
	f.n++
	name := fmt.Sprintf("user%d@example.com", f.n)
	if strings.Contains(route, "initiat") {
		name = "vera" // who has factors to initiate
	}
	members := map[string]any{"request_id": id, "requestId": id, "identifier": name, "email": name, "signup_token": id, "username": name, "password": "a harbour in the fog",
		"method": "totp", "usage": "passwordless", "passcode": "123456", "new_password": "seven ships at sea", "exchange_id": id, "reason": "x", "usage_type": "PASSWORDLESS_AUTHENTICATION"}
	open := url.Values{"response_type": {"code"}, "client_id": {"own"}, "redirect_uri": {"https://own.example/cb"}, "scope": {"openid"}, "state": {"s"},
		"code_challenge": {strings.Repeat("c", 43)}, "code_challenge_method": {"S256"}}
	form := url.Values{"grant_type": {"client_credentials"}, "token": {"x"}}
	for key, value := range members {
		form.Set(key, fmt.Sprint(value))
	}
	if routes[route] == "opens one" {
		members, form = map[string]any{}, open
		for key := range open {
			members[key] = open.Get(key)
		}
	}
	if strings.HasPrefix(route, "/register") {
		members = map[string]any{"client_name": name, "redirect_uris": []string{"https://own.example/cb"}}
	}
	text, kind := form.Encode(), "application/x-www-form-urlencoded"
	if strings.HasPrefix(route, "/api/") || strings.HasPrefix(route, "/register") || !strings.HasPrefix(route, "/login-srv/") && !strings.HasPrefix(route, "/token-srv/") && strings.Contains(route, "-srv/") || strings.Contains(route, "/sdk") {
		body, err := json.Marshal(members)
		if err != nil {
			f.t.Fatal(err)
		}
		text, kind = string(body), "application/json"
	}
	to := strings.NewReplacer(":trackId", id, ":requestId", id, ":method", "totp").Replace(route)
	if method == "GET" {
		to, text = to+"?"+form.Encode(), ""
	}
	r := httptest.NewRequest(method, to, strings.NewReader(text))
	r.RemoteAddr = "[" + f.address(f.n) + "]:4000"
	r.Header.Set("Accept", "text/html")
	if text != "" {
		r.Header.Set("Content-Type", kind)
	}
	if f.foreign != "" {
		r.Host = f.foreign
		r.Header.Set("X-Forwarded-Host", f.foreign)
		r.Header.Set("X-Forwarded-Proto", "https")
		r.Header.Set("X-Forwarded-Prefix", "/"+f.foreign)
		r.Header.Set("X-Original-URL", "https://"+f.foreign+"/")
		r.Header.Set("Forwarded", "for=10.1.1.1;host="+f.foreign+";proto=https")
	}
	if routes[route] == "client" {
		r.SetBasicAuth("machine", "not the secret of the machine, really")
	}
	w := httptest.NewRecorder()
	f.Handler.ServeHTTP(w, r)
	return w
}

// commits counts transactions, asynchronous audit events included.
func (f *flood) commits() int64 {
	f.t.Helper()
	if err := f.Journal.Flush(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	return f.Store.Stats().Commits
}

// On every route, unauthenticated calls from one address or network stop being written, however
// many names they use.
func TestUnauthenticatedCallersWriteLittle(t *testing.T) {
	over := map[string]string{ // routes that respond with 429, and in which format
		"GET /authorize": "text/html", "POST /authz-srv/authrequest/authz/generate": "application/json", "POST /api/login/v1/requests": "application/problem+json",
		"POST /api/login/v1/initiate": "application/problem+json", "POST /verification-srv/v2/authenticate/initiate/:method": "application/json",
		"POST /api/login/v1/password": "application/problem+json", "POST /api/login/v1/password/forgot": "application/problem+json", "POST /api/login/v1/password/reset": "application/problem+json",
		"POST /api/login/v1/signup": "application/problem+json", "POST /api/login/v1/signup/code": "application/problem+json",
	}
	servertest.OnBoth(t, func(t *testing.T, settings string) {
		for from, address := range map[string]func(route, call int) string{
			"one address": func(route, _ int) string { return fmt.Sprintf("::ffff:10.1.%d.1", route) },
			"one network": func(route, call int) string { return fmt.Sprintf("2001:db8:%x:%x::1", route, call) },
		} {
			t.Run(from, func(t *testing.T) { floods(t, newFlood(t, settings), address, over) })
		}
	})
}

func floods(t *testing.T, f *flood, address func(route, call int) string, over map[string]string) {
	for i, route := range handlerRoutes(t, f.Handler) {
		if route[0] == "OPTIONS" {
			continue
		}
		f.address = func(call int) string { return address(i, call) }
		var opened struct {
			ID string `json:"request_id"`
		}
		if w := f.call("POST", "/api/login/v1/requests", ""); json.Unmarshal(w.Body.Bytes(), &opened) != nil || opened.ID == "" {
			t.Fatalf("no login was begun: %d %s", w.Code, w.Body)
		}
		for range 20 { // uses up the budgets
			f.call(route[0], route[1], opened.ID)
		}
		before := f.commits()
		last := f.call(route[0], route[1], opened.ID)
		for range 12 {
			last = f.call(route[0], route[1], opened.ID)
		}
		if n := f.commits() - before; n > 0 {
			t.Errorf("%s %s: a flood is still written: %d of 13 more calls, the last %d %s", route[0], route[1], n, last.Code, last.Body)
		}
		if kind, says := over[route[0]+" "+route[1]]; says && (last.Code != 429 || last.Header().Get("Retry-After") == "" || !strings.HasPrefix(last.Header().Get("Content-Type"), kind)) {
			t.Errorf("%s %s over its budget: %d, %v, %s; want 429 as %s with Retry-After", route[0], route[1], last.Code, last.Header(), last.Body, kind)
		}
	}
	for budget, n := range f.Budgets.Refused() {
		if n == 0 {
			t.Errorf("budget %s was never used up", budget)
		}
	}
}
