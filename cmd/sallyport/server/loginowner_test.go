package server_test

import (
	"bytes"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"sallyport/cmd/sallyport/servertest"
	"sallyport/storage"
	"sallyport/web/webtest"
)

const ownerState = `clients:
  - {client_id: own, public: true, headless_login: true, mfa: ALWAYS, mfa_remember: 720h, consent: skip, redirect_uris: ["https://own.example/cb"], grant_types: [authorization_code], scopes: [openid, email]}
  - {client_id: consenting, public: true, headless_login: true, mfa: "OFF", consent: ask, redirect_uris: ["https://own.example/cb"], grant_types: [authorization_code], scopes: [openid, email]}
  - {client_id: other, public: true, headless_login: true, mfa: "OFF", consent: skip, redirect_uris: ["https://other.example/cb"], grant_types: [authorization_code], scopes: [openid]}
users:
  - {username: vera.lund, email: vera.lund@example.com, password: "a lighthouse at dusk", totp_secret: JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP}
  - {username: mallory, password: "a harbour in the fog"}
`

// attacked is a server with the logins of a victim.
type attacked struct {
	servertest.Server
	n int // callers so far; each has another address
}

func (a *attacked) do(method, path, kind, body string, header map[string]string) *httptest.ResponseRecorder {
	a.n++
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.RemoteAddr = fmt.Sprintf("10.%d.%d.%d:4000", a.n>>16&255, a.n>>8&255, a.n&255)
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	a.Handler.ServeHTTP(w, r)
	return w
}

func (a *attacked) json(path string, members map[string]any, header map[string]string) map[string]any {
	a.T.Helper()
	text, err := json.Marshal(members)
	if err != nil {
		a.T.Fatal(err)
	}
	w := a.do("POST", path, "application/json", string(text), header)
	var out map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		a.T.Fatalf("%s: %d %s", path, w.Code, w.Body)
	}
	return out
}

const ownerSecretState = "state-of-the-victim"

func ownerParams(client, origin string) map[string]any {
	return map[string]any{"response_type": "code", "client_id": client, "redirect_uri": origin + "/cb", "scope": "openid", "state": ownerSecretState,
		"code_challenge": webtest.Challenge(strings.Repeat("v", 43)), "code_challenge_method": "S256"}
}

// victim is the login of another user.
type victim struct {
	name   string
	ids    []storage.RequestID // its addresses
	fresh  bool
	client string
	jar    webtest.Jar // of its browser
}

// victims creates logins in every state, opened in a browser and by a program.
func (a *attacked) victims() []victim {
	a.T.Helper()
	var out []victim
	for _, client := range []string{"own", "consenting"} {
		for _, stop := range []string{"fresh", "proven", "done", "over"} {
			if client == "own" && (stop == "done" || stop == "over") {
				continue
			}
			name := map[string]string{"own": "second factor due", "consenting": "at consent"}[client]
			if stop != "done" { // in a browser it ends immediately
				out = append(out, a.inBrowser(client, stop, stop+", "+name))
			}
			out = append(out, a.byProgram(client, stop, stop+", "+name))
		}
	}
	return append(out, a.inBrowser("own", "remembered", "over, its browser remembered"))
}

func (a *attacked) byProgram(client, stop, name string) victim {
	a.T.Helper()
	const api = "/api/login/v1"
	id := a.json(api+"/requests", ownerParams(client, "https://own.example"), nil)["request_id"].(string)
	v := victim{name: "by a program, " + name, ids: []storage.RequestID{storage.RequestID(id)}, fresh: stop == "fresh", client: client}
	if stop == "fresh" {
		return v
	}
	r := a.json(api+"/password", map[string]any{"request_id": id, "identifier": "vera.lund", "password": "a lighthouse at dusk"}, nil)
	own := map[string]any{"request_id": id, "login_token": r["login_token"], "allow": true}
	row, _, err := a.Store.RequestByTrack(a.T.Context(), storage.TrackID(r["login_token"].(string)), time.Now())
	if err != nil {
		a.T.Fatalf("%v: %v", r, err)
	}
	v.ids = append(v.ids, row.ID)
	if stop == "done" || stop == "over" {
		a.json(api+"/consent", own, nil) // required once
		if r := a.json(api+"/step", map[string]any{"request_id": id, "login_token": own["login_token"]}, nil); r["step"] != "done" {
			a.T.Fatalf("step = %v", r)
		}
	}
	if stop == "over" {
		if r := a.json(api+"/finish", own, nil); r["code"] == nil {
			a.T.Fatalf("finish = %v", r)
		}
	}
	return v
}

func (a *attacked) inBrowser(client, stop, name string) victim {
	a.T.Helper()
	q := url.Values{}
	for k, value := range ownerParams(client, "https://own.example") {
		q.Set(k, value.(string))
	}
	jar := webtest.Jar{}
	fetch := func(method, path, body string) *httptest.ResponseRecorder {
		cookies := httptest.NewRequest("GET", "/", nil)
		jar.Put(cookies)
		header := map[string]string{"Cookie": cookies.Header.Get("Cookie"), "Origin": a.issuer()}
		kind := ""
		if method == "POST" {
			kind = "application/x-www-form-urlencoded"
		}
		w := a.do(method, path, kind, body, header)
		jar.Take(w)
		return w
	}
	w := fetch("GET", "/authorize?"+q.Encode(), "")
	at, err := url.Parse(w.Header().Get("Location"))
	if err != nil || at.Query().Get("requestId") == "" {
		a.T.Fatalf("authorize = %d %s", w.Code, w.Header().Get("Location"))
	}
	id := at.Query().Get("requestId")
	v := victim{name: "in a browser, " + name, ids: []storage.RequestID{storage.RequestID(id)}, fresh: stop == "fresh", client: client, jar: jar}
	send := func(path, mark string, fields ...string) {
		action, form, found := webtest.Form(fetch("GET", path+"?requestId="+id, "").Body.String(), mark)
		if !found {
			a.T.Fatalf("%s has no form %s", path, mark)
		}
		for i := 0; i < len(fields); i += 2 {
			form.Set(fields[i], fields[i+1])
		}
		fetch("POST", action, form.Encode())
	}
	if stop != "fresh" {
		send("/login", `id="login-submit"`, "username", "vera.lund", "password", "a lighthouse at dusk")
	}
	switch stop {
	case "over":
		send("/consent", `id="consent-allow"`, "decision", "allow")
	case "remembered":
		key, err := base32.StdEncoding.DecodeString("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")
		if err != nil {
			a.T.Fatal(err)
		}
		if send("/mfa", `id="mfa-submit"`, "passcode", a.TOTP.CodeAt(key, a.Now()), "remember", "yes"); jar["sallyport_remembered"] == "" {
			a.T.Fatalf("cookies = %v, want the browser remembered", jar)
		}
	}
	return v
}

func (a *attacked) issuer() string {
	a.T.Helper()
	var found struct{ Issuer string }
	if err := json.Unmarshal(a.do("GET", "/.well-known/openid-configuration", "", "", nil).Body.Bytes(), &found); err != nil {
		a.T.Fatal(err)
	}
	return found.Issuer
}

// look returns the parts of a login that only its owner may change.
func (a *attacked) look(v victim) []storage.AuthRequest {
	a.T.Helper()
	var out []storage.AuthRequest
	for _, id := range v.ids {
		r, _, err := a.Store.Request(a.T.Context(), id, "", time.Now())
		if err != nil {
			a.T.Fatal(err)
		}
		r.Initiations, r.Names, r.UpdatedAt, r.ExpiresAt = 0, nil, time.Time{}, time.Time{} // counted before the first factor; kept as long as a detached login
		if v.fresh && len(r.Browser) == 0 {
			r.Subject = "" // the first caller to prove a factor
		}
		out = append(out, r)
	}
	return out
}

// devices returns the remembered devices of the victim.
func (a *attacked) devices() []storage.RememberedDevice {
	a.T.Helper()
	vera, err := a.Store.AccountByIdentifier(a.T.Context(), "vera.lund@example.com", a.Now())
	if err != nil {
		a.T.Fatal(err)
	}
	list, err := a.Store.RememberedOf(a.T.Context(), vera.User.ID, time.Now())
	if err != nil || len(list) != 1 {
		a.T.Fatalf("remembered devices: %+v, %v; want one", list, err)
	}
	return list
}

func TestLoginBelongsToItsOwnerOnEveryRoute(t *testing.T) {
	servertest.OnBoth(t, func(t *testing.T, settings string) {
		servertest.AppendSettings(t, settings, fmt.Sprintf("signup: open\noutbox_file: %q\n", filepath.Join(t.TempDir(), "outbox.jsonl"))) // so that passwords can be reset
		a := &attacked{Server: servertest.New(t, settings, new(servertest.Clock))}
		servertest.Apply(t, settings, ownerState)
		a.Poll()
		own := a.json("/api/login/v1/requests", ownerParams("other", "https://other.example"), nil)["request_id"]
		token, _ := a.json("/api/login/v1/password", map[string]any{"request_id": own, "identifier": "mallory", "password": "a harbour in the fog"}, nil)["login_token"].(string)
		if token == "" {
			t.Fatal("mallory has no login")
		}
		callers := map[string]map[string]string{
			"the address alone":        {},
			"a page of the client's":   {"Origin": "https://own.example"},
			"a foreign page":           {"Origin": "https://evil.example"},
			"the null origin":          {"Origin": "null"},
			"another client's page":    {"Origin": "https://other.example"},
			"another browser's cookie": {"Cookie": "sallyport_browser=" + strings.Repeat("x", 43) + "; __Host-sallyport_browser=" + strings.Repeat("x", 43)},
		}
		all := a.victims()
		// What is remembered spares a second factor, after the password.
		callers["the remembered browser's cookie"] = map[string]string{"Cookie": "sallyport_remembered=" + all[len(all)-1].jar["sallyport_remembered"]}
		devices := a.devices()
		for _, v := range all {
			before := a.look(v)
			for _, route := range handlerRoutes(t, a.Handler) {
				if routes[route[1]] != "login" || route[0] == "OPTIONS" {
					continue
				}
				for who, header := range callers {
					for _, id := range v.ids {
						a.attack(v, route, who, string(id), token, header)
					}
				}
				if after := a.look(v); !reflect.DeepEqual(before, after) {
					t.Fatalf("%s: %s %s changed the login\n%+v\n%+v", v.name, route[0], route[1], before, after)
				}
			}
		}
		if after := a.devices(); !reflect.DeepEqual(devices, after) {
			t.Errorf("the remembered devices were %+v, and are %+v", devices, after)
		}
	})
}

// attack makes one call about a login with everything that a caller without its binding cookie can know.
func (a *attacked) attack(v victim, route [2]string, who, id, token string, header map[string]string) {
	a.T.Helper()
	path := strings.NewReplacer(":trackId", id, ":requestId", id, ":method", "totp").Replace(route[1])
	members := map[string]any{"request_id": id, "requestId": id, "identifier": "mallory", "email": "mallory@example.com", "signup_token": id, "new_password": "seven ships at sea", "username": "mallory", "password": "a harbour in the fog",
		"method": "totp", "passcode": "123456", "exchange_id": id, "allow": true, "decision": "allow", "status_id": id, "sub": id, "track_id": id,
		"usage_type": "MULTIFACTOR_AUTHENTICATION", "verificationType": "totp", "friendly_name": "x", "action": "SKIP", "reason": "x"}
	whole := who == "a page of the client's" // everything a page without the binding cookie could send; the others differ in the origin alone
	if !whole {
		delete(members, "password") // or thousands of hashes would be computed
	}
	form := url.Values{}
	for name, value := range members {
		form.Set(name, fmt.Sprint(value))
	}
	bodies := [][2]string{{"", ""}}
	if route[0] != "GET" {
		bodies = nil
		tokens := []string{""}
		if whole {
			tokens = []string{"", id, token}
		}
		for _, token := range tokens {
			delete(members, "login_token")
			form.Del("login_token")
			if token != "" {
				members["login_token"] = token
				form.Set("login_token", token)
			}
			text, err := json.Marshal(members)
			if err != nil {
				a.T.Fatal(err)
			}
			if strings.HasPrefix(route[1], "/api/") || !strings.HasPrefix(route[1], "/login-srv/") && strings.Contains(route[1], "-srv/") || strings.Contains(route[1], "/sdk") {
				bodies = append(bodies, [2]string{"application/json", string(text)})
			} else {
				bodies = append(bodies, [2]string{"application/x-www-form-urlencoded", form.Encode()})
			}
		}
	}
	for _, body := range bodies {
		to := path
		if route[0] == "GET" {
			to += "?requestId=" + id
		}
		if v.fresh && route[0] == "GET" && route[1] == "/continue" && strings.HasPrefix(v.name, "by a program") {
			continue // the first caller to prove a factor owns a fresh request
		}
		w := a.do(route[0], to, body[0], body[1], header)
		response := w.Header().Get("Location") + " " + w.Body.String()
		// The name has a sign that no nonce has, which is base64url.
		for _, secret := range []string{"vera.lund", ownerSecretState} {
			// Proving a first factor for a fresh request begins a login, whose response has the state.
			if strings.Contains(response, secret) && !(v.fresh && secret == ownerSecretState) {
				a.T.Errorf("%s, %s: %s %s shows %q: %d %s", v.name, who, route[0], to, secret, w.Code, response)
			}
		}
		if !v.fresh && strings.Contains(response, "code=") || w.Code >= 500 || bytes.Contains([]byte(strings.Join(w.Header().Values("Set-Cookie"), " ")), []byte("sallyport_session")) {
			a.T.Errorf("%s, %s: %s %s = %d %v %s", v.name, who, route[0], to, w.Code, w.Header(), response)
		}
	}
}
