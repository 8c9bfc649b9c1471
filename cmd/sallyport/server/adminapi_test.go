package server_test

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sallyport/cmd/sallyport/servertest"
	"sallyport/mfa"
	"sallyport/provider/apikeys"
	"sallyport/provider/desired"
	"sallyport/web/admin"
)

func TestAdminAPINeedsAKey(t *testing.T) {
	c := servertest.NewAdminAPI(t)
	reads, reader := c.NewAPIKey(apikeys.Draft{Name: "reads", Dialects: []string{"admin"}, Verbs: []string{"read"}})
	writes, writer := c.NewAPIKey(apikeys.Draft{Name: "writes", Dialects: []string{"admin"}, Verbs: []string{"write"}})
	other, _ := c.NewAPIKey(apikeys.Draft{Name: "other", Dialects: []string{"streambird"}, Verbs: []string{"read", "write"}})
	off, _ := c.NewAPIKey(apikeys.Draft{Name: "off", Dialects: []string{"admin"}, Verbs: []string{"read", "write"}, Disabled: true})
	user := map[string]any{"username": "alice"}
	for _, tc := range []struct {
		name   string
		header []string
		get    int
		post   int
		actor  string
	}{
		{"no key", nil, 401, 401, ""},
		{"another scheme", []string{"Basic " + servertest.AdminKey}, 401, 401, ""},
		{"two keys", []string{"Bearer " + servertest.AdminKey, "Bearer " + servertest.AdminKey}, 401, 401, ""},
		{"a wrong key", []string{"Bearer " + strings.ToUpper(servertest.AdminKey)}, 401, 401, ""},
		{"a key and more", []string{"Bearer " + servertest.AdminKey + "x"}, 401, 401, ""},
		{"the key of the server", []string{"Bearer " + servertest.AdminKey}, 200, 201, "admin"},
		{"the same, the scheme in another case", []string{"bearer " + servertest.AdminKey}, 200, 201, "admin"},
		{"an API key that may read", []string{"Bearer " + reads}, 200, 403, ""},
		{"an API key that may write", []string{"Bearer " + writes}, 403, 201, "apikey:" + string(writer)},
		{"an API key of another dialect", []string{"Bearer " + other}, 403, 403, ""},
		{"a disabled API key", []string{"Bearer " + off}, 401, 401, ""},
	} {
		c.Key = ""
		for method, want := range map[string]int{"GET": tc.get, "POST": tc.post} {
			r := httptest.NewRequest(method, admin.Base+"/users", nil)
			if method == "POST" {
				r = httptest.NewRequest(method, admin.Base+"/users", strings.NewReader(`{"username":"alice"}`))
				r.Header.Set("Content-Type", "application/json")
			}
			r.Header["Authorization"] = tc.header
			got := c.Do(r)
			if got.Code != want || (want == 401) != (got.Header.Get("WWW-Authenticate") != "") {
				t.Errorf("%s, %s = %d %s, want %d", tc.name, method, got.Code, got.Raw, want)
			}
		}
		c.Key = servertest.AdminKey
		if tc.post != 201 {
			continue
		}
		e := c.Newest(mfa.EventUserCreated)
		if e.Actor != tc.actor || e.Address != "192.0.2.1" || e.CorrelationID == "" {
			t.Errorf("%s: event %+v, want actor %q", tc.name, e, tc.actor)
		}
		c.Call("DELETE", "/users/"+string(e.UserID), nil).Done(200, "deleted")
	}
	if c.Call("POST", "/users", user).Done(201, "created"); c.Newest(mfa.EventUserCreated).UserAgent != "console" {
		t.Error("the event does not name the program")
	}
	for _, secret := range []string{servertest.AdminKey, reads, writes, off} {
		if strings.Contains(c.Log.String(), secret) {
			t.Error("a key is in the log")
		}
	}
	if reader == writer {
		t.Error("two keys have the same id")
	}
}

func TestKeyInTheURLIsIgnored(t *testing.T) {
	c := servertest.NewAdminAPI(t)
	c.Key = ""
	c.Call("GET", "/users?access_token="+servertest.AdminKey, nil).Refused(401, "unauthorized", "Authorization: Bearer KEY")
}

func TestFloodOfWrongKeysIsThrottled(t *testing.T) {
	c := servertest.NewAdminAPI(t)
	c.Key = "wrong-wrong-wrong-wrong-wrong-wrong-wrong"
	codes := map[int]int{}
	for range 30 {
		codes[c.Call("GET", "/users", nil).Code]++
	}
	if codes[401] < 10 || codes[429] == 0 || codes[401]+codes[429] != 30 {
		t.Errorf("responses = %v, want some 401 and then 429", codes)
	}
	c.Key = servertest.AdminKey
	c.Call("GET", "/users", nil).Decode(200, nil)
}

func TestInvalidCallsAreRefused(t *testing.T) {
	c := servertest.NewAdminAPI(t)
	alice := c.Call("POST", "/users", map[string]any{"username": "alice"}).Done(201, "created").User
	body := func(kind, text string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("Content-Type", kind)
			r.Body, r.ContentLength = http.NoBody, 0
			if text != "" {
				*r = *httptest.NewRequest(r.Method, r.URL.String(), strings.NewReader(text))
				r.Header.Set("Content-Type", kind)
			}
		}
	}
	password := "/users/" + string(alice) + "/password"
	for _, tc := range []struct {
		name, method, path string
		change             func(*http.Request)
		code               int
		word, detail       string
	}{
		{"an unknown parameter", "GET", "/users?colour=red", nil, 400, "invalid_request", "colour: there is no such parameter"},
		{"a parameter twice", "GET", "/users?limit=1&limit=2", nil, 400, "invalid_request", "limit: must not be repeated"},
		{"a page of nothing", "GET", "/users?limit=0", nil, 400, "invalid_request", "limit: must be from 1 to 1000"},
		{"a page too large", "GET", "/events?limit=1001", nil, 400, "invalid_request", "limit: must be"},
		{"a page that is no number", "GET", "/events?limit=many", nil, 400, "invalid_request", "limit: must be"},
		{"a page after an invalid id", "GET", "/users?after=alice", nil, 400, "invalid_request", "after: must be an id"},
		{"events of an invalid id", "GET", "/events?user=alice", nil, 400, "invalid_request", "user: must be an id"},
		{"an unknown kind", "GET", "/events?kind=mfa.fail", nil, 400, "invalid_request", "kind: there is no such kind"},
		{"an invalid time", "GET", "/events?since=yesterday", nil, 400, "invalid_request", "since: must be a time"},
		{"another invalid time", "GET", "/events?until=7d", nil, 400, "invalid_request", "until: must be a time"},
		{"an invalid boolean", "POST", "/users/" + string(alice) + "/sign-out?offline=yes", nil, 400, "invalid_request", "offline: must be true or false"},
		{"no type", "POST", "/users", nil, 415, "invalid_request", "must be application/json"},
		{"a form", "POST", "/users", body("application/x-www-form-urlencoded", "username=x"), 415, "invalid_request", "must be application/json"},
		{"JSON where YAML belongs", "POST", "/state", body("application/json", "{}"), 415, "invalid_request", "must be application/yaml"},
		{"no JSON", "POST", "/users", body("application/json", "username: x"), 400, "invalid_request", "one JSON object"},
		{"a name twice", "POST", "/users", body("application/json", `{"username":"x","username":"y"}`), 400, "invalid_request", "one JSON object"},
		{"a body that is too long", "POST", "/users", body("application/json", `{"username":"`+strings.Repeat("x", 64<<10)+`"}`), 413, "invalid_request", "longer than 64 KiB"},
		{"an unknown member", "POST", "/users", body("application/json", `{"username":"x","admin":true}`), 400, "invalid_request", "there is no such key; those here are id, username"},
		{"an unknown member beside a password", "POST", password, body("application/json", `{"password":"long enough","hash":"x"}`), 400, "invalid_request", "there is no such key; those here are password"},
		{"a member in another case", "POST", password, body("application/json", `{"Password":"long enough"}`), 400, "invalid_request", "there is no such key; did you mean password?"},
		{"a member of another type", "POST", password, body("application/json", `{"password":12345678}`), 400, "invalid_request", "password: must be text"},
		{"a short password", "POST", password, body("application/json", `{"password":"short"}`), 422, "password_too_short", "fewer than 8"},
		{"a body where none belongs", "POST", "/users/" + string(alice) + "/disable", body("application/json", `{"reason":"x"}`), 400, "invalid_request", "there is no such key; none belongs here"},
		{"an unknown user", "GET", "/users/00000000-0000-4000-8000-000000000000", nil, 404, "user_not_found", "no such user"},
		{"an invalid id", "GET", "/users/alice", nil, 404, "user_not_found", "no such user"},
		{"a name that is taken", "POST", "/users", body("application/json", `{"username":"ALICE"}`), 409, "identifier_taken", "another user"},
		{"another id", "PATCH", "/users/" + string(alice), body("application/json", `{"id":"00000000-0000-4000-8000-000000000000"}`), 400, "invalid_request", "id: an id cannot change"},
		{"an unknown claim", "PATCH", "/users/" + string(alice), body("application/json", `{"profile":{"sub":"x"}}`), 400, "invalid_request", "profile: is not a profile claim"},
		{"another client_id", "PUT", "/clients/shop", body("application/json", `{"client_id":"other"}`), 400, "invalid_request", "client_id: must be that of the address"},
		{"the client of the account page", "PUT", "/clients/sallyport-account", body("application/json", `{"public":true,"redirect_uris":["https://x.example/"]}`), 400, "invalid_request", "belongs to the server itself"},
		{"an unknown client", "GET", "/clients/none", nil, 404, "not_found", "no such client"},
		{"a short secret", "POST", "/clients/none/secrets", body("application/json", `{"client_secret":"short"}`), 400, "invalid_request", "32 characters"},
		{"an unknown session", "DELETE", "/sessions/none", nil, 404, "not_signed_in", "no such session"},
		{"an unknown API key", "GET", "/api-keys/none", nil, 404, "not_found", "no such API key"},
		{"an API key with faults", "POST", "/api-keys", body("application/json", `{"name":"x","dialects":["cobol"],"verbs":"read","expires_at":"soon"}`), 400, "invalid_request", "verbs: must be a list of texts\nexpires_at: must be a time"},
		{"an API key of no dialect", "POST", "/api-keys", body("application/json", `{"name":"x","dialects":["cobol"],"verbs":["read"]}`), 400, "invalid_request", "dialects: must be one or more"},
		{"a challenge that is too long", "GET", "/server?challenge=" + strings.Repeat("x", 129), nil, 400, "invalid_request", "challenge: is too long"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c.T = t
			r := httptest.NewRequest(tc.method, admin.Base+tc.path, nil)
			if tc.change != nil {
				tc.change(r)
			}
			c.Do(r).Refused(tc.code, tc.word, tc.detail)
		})
	}
}

func TestUnknownPathsAreProblems(t *testing.T) {
	c := servertest.NewAdminAPI(t)
	for _, tc := range []struct {
		method, path string
		code         int
		word         string
	}{
		{"GET", "/admin/v1", 404, "not_found"}, {"GET", "/admin/v1/users/", 404, "not_found"}, {"GET", "/admin/v2/users", 404, "not_found"},
		{"PUT", "/admin/v1/users", 405, "method_not_allowed"}, {"GET", "/admin/v1/state", 405, "method_not_allowed"},
		{"GET", "/admin/v1/users?a=%00", 400, "invalid_request"},
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(tc.method, tc.path, nil)
		r.Header.Set("Accept", "text/html")
		c.Handler.ServeHTTP(w, r)
		servertest.Response{T: t, Code: w.Code, Header: w.Header(), Raw: w.Body.Bytes()}.Refused(tc.code, tc.word, "")
		if w.Header().Get("Content-Type") != "application/problem+json" || w.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s %s: %v", tc.method, tc.path, w.Header())
		}
	}
	w := httptest.NewRecorder()
	c.Handler.ServeHTTP(w, httptest.NewRequest("GET", admin.Base+"/openapi.yaml", nil))
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/yaml" || !strings.HasPrefix(w.Body.String(), "openapi: 3") {
		t.Errorf("the description = %d %v", w.Code, w.Header())
	}
}

// A desired state fails in the middle, and the response says how far it got.
func TestFailedApplyReportsAServerError(t *testing.T) {
	c := servertest.NewAdminAPI(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequestWithContext(ctx, "POST", admin.Base+"/state", strings.NewReader("users: [{username: alice}]"))
	r.Header.Set("Content-Type", "application/yaml")
	if got := c.Do(r); got.Code < 500 {
		t.Errorf("response = %d %s, want a server error", got.Code, got.Raw)
	}
}

func TestEveryCallIsDescribedAndServed(t *testing.T) {
	c := servertest.NewAdminAPI(t)
	adminWalk{c}.walk()
	doc, err := servertest.AdminDescription()
	if err != nil {
		t.Fatal(err)
	}
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			if !c.Called[method+" "+path] {
				t.Errorf("%s %s is described, but the test does not call it", method, path)
			}
		}
	}
	if n := len(slices.Collect(maps.Keys(c.Called))); n < 30 {
		t.Errorf("%d calls, want all of them", n)
	}
	text := doc.Components.Schemas["Problem"].Value.Properties["code"].Value.Description
	for _, code := range []mfa.Code{mfa.InvalidRequest, mfa.NotAllowed, mfa.TooMany, mfa.Busy, mfa.NotSignedIn, mfa.PasswordTooShort, mfa.PasswordTooLong,
		mfa.PasswordTooCommon, mfa.PasswordBreached, mfa.PasswordUnchecked, mfa.IdentifierTaken, mfa.InvalidIdentifier, mfa.UserNotFound} {
		if !strings.Contains(text, string(code)) {
			t.Errorf("code %s is not described", code)
		}
	}
}

// A key of the desired state is automatically a key of the API, so it must be described.
func TestEveryKeyOfTheDesiredStateIsDescribed(t *testing.T) {
	doc, err := servertest.AdminDescription()
	if err != nil {
		t.Fatal(err)
	}
	for schema, of := range map[string]reflect.Type{"ClientSettings": reflect.TypeFor[desired.Client](), "UserChange": reflect.TypeFor[desired.User]()} {
		described := slices.Collect(maps.Keys(doc.Components.Schemas[schema].Value.Properties))
		for i := range of.NumField() {
			key := of.Field(i).Tag.Get("yaml")
			if key != "id" && !slices.Contains(described, key) { // an id does not change
				t.Errorf("%s does not describe %s", schema, key)
			}
			described = slices.DeleteFunc(described, func(d string) bool { return d == key })
		}
		if len(described) > 0 {
			t.Errorf("%s describes %v, which are no keys", schema, described)
		}
	}
}
