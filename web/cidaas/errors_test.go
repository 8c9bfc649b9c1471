package cidaas

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/web"
)

// Every code has a text in the dialect, and the table in docs is that of the code.
func TestEveryCodeHasAText(t *testing.T) {
	guide, err := os.ReadFile("../../docs/guides/coming-from-cidaas.md")
	if err != nil {
		t.Fatal(err)
	}
	numbers := map[int]mfa.Code{}
	for _, code := range mfa.Codes() {
		r, ok := refusals[code]
		if !ok || r.status < 400 || r.number == 0 || r.text == "" || r.page == "" {
			t.Errorf("%s has no words: %+v", code, r)
		}
		if other, taken := numbers[r.number]; taken && code != mfa.NotAllowed && other != mfa.NotAllowed {
			t.Errorf("%s and %s share the number %d", code, other, r.number)
		}
		numbers[r.number] = code
		if line := row(r); !strings.Contains(string(guide), line) {
			t.Errorf("the guide lacks the line %q", line)
		}
	}
	if len(refusals) != len(mfa.Codes()) {
		t.Errorf("%d refusals for %d reasons", len(refusals), len(mfa.Codes()))
	}
}

func row(r refusal) string {
	return fmt.Sprintf("| %d | %d | `%s` | %s | `%s` |", r.status, r.number, r.text, r.ver, r.page)
}

// faulty is a surface that panics at addresses of the dialect.
type faulty struct{}

func (faulty) Mount(r gin.IRouter) {
	r.GET("/verification-srv/panic", func(*gin.Context) { panic("the shelf fell down") })
}

// hostile are bodies that no library sends.
var hostile = []struct{ name, kind, body string }{
	{"nothing", "", ""},
	{"nothing as JSON", "application/json", ""},
	{"an empty object", "application/json", "{}"},
	{"half an object", "application/json", `{"request_id":`},
	{"a list", "application/json", `[1,2]`},
	{"null", "application/json", `null`},
	{"a number where text belongs", "application/json", `{"request_id":1,"requestId":2,"exchange_id":3,"pass_code":4,"status_id":{},"action":[],"token":7,"client_id":8}`},
	{"a name twice", "application/json", `{"request_id":"a","request_id":"b"}`},
	{"a name twice below", "application/json", `{"deviceInfo":{"a":1,"a":2}}`},
	{"no text", "application/json", "{\"request_id\":\"\xff\xfe\"}"},
	{"a NUL", "application/json", `{"identifier":"a\u0000b","username":"\u0000"}`},
	{"two objects", "application/json", `{}{}`},
	{"too deep", "application/json", strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40)},
	{"too many members", "application/json", `{"a0":1` + strings.Repeat(`,"a":1`, 200) + "}"},
	{"too long", "application/json", `{"a":"` + strings.Repeat("x", 70_000) + `"}`},
	{"plain text", "text/plain", `{"request_id":"x"}`},
	{"another kind of form", "multipart/form-data; boundary=x", "--x--"},
	{"no kind at all", "", `{"request_id":"x"}`},
	{"an invalid content type", "application/", "{}"},
	{"markup", "application/json", `{"request_id":"<script>alert(1)</script>","identifier":"\"><img src=x>"}`},
	{"IDs of the right shape", "application/json", `{"request_id":"00000000-0000-0000-0000-000000000001","requestId":"00000000-0000-0000-0000-000000000001","exchange_id":"00000000-0000-0000-0000-000000000001","pass_code":"123456","usage_type":"PASSWORDLESS_AUTHENTICATION","identifier":"ada","reason":"x","action":"SKIP","token":"x","client_id":"shop","username":"ada","password":"x"}`},
	{"absurdly long texts", "application/json", `{"identifier":"` + strings.Repeat("a", 5000) + `","pass_code":"` + strings.Repeat("1", 5000) + `"}`},
}

// Callers hang on a response that is not JSON: the response is JSON whatever is sent to the
// addresses of the dialect.
func TestEveryRefusalIsJSON(t *testing.T) {
	h := newFixture(t, faulty{})
	h.client()
	h.User("ada", totpKey)
	id := "00000000-0000-0000-0000-000000000001"
	type address struct{ verb, path string }
	var all []address
	for _, r := range h.surface.routes() {
		path := strings.NewReplacer(":method", "totp", ":requestId", id, ":trackId", id, ":statusId", id, ":sub", id).Replace(r.path)
		all = append(all, address{r.verb, path})
		if !strings.Contains(path, "/initiation/") {
			all = append(all, address{http.MethodPatch, path}) // no address allows it
		}
	}
	for _, path := range []string{"/token-srv/token", "/token-srv/introspect", "/token-srv/revoke", "/users-srv/userinfo"} {
		all = append(all, address{http.MethodPost, path}, address{http.MethodDelete, path})
	}
	for _, path := range []string{"/verification-srv/", "/verification-srv/v9/nothing", "/verification-actions-srv/account/initiation",
		"/public-srv/public/trackinfo/x/y", "/token-srv/device/verify", "/users-srv/register", "/useractions-srv/userexistence/" + id,
		"/authz-srv/authrequest/x", "/device-srv/devices", "/consent-management-srv/v2/consent/usage/accept", "/verification-srv/panic",
		"/login-srv/login/handle/afterregister/x", "/verification-srv/" + strings.Repeat("x", 16<<10)} {
		all = append(all, address{http.MethodPost, path}, address{http.MethodGet, path})
	}
	page := h.page()
	for _, at := range all {
		for _, in := range hostile {
			w := page.do(at.verb, at.path, in.kind, in.body)
			name := at.verb + " " + at.path[:min(len(at.path), 80)] + " with " + in.name
			if w.Code == http.StatusNoContent && strings.HasPrefix(at.path, "/token-srv/prelogin/") {
				continue
			}
			if w.Code < 400 {
				if at.path != "/public-srv/tenantinfo/basic" && at.path != "/token-srv/revoke" {
					t.Errorf("%s got %d %s", name, w.Code, w.Body)
				}
				continue
			}
			if kind := w.Header().Get("Content-Type"); !strings.HasPrefix(kind, "application/json") || !strings.HasPrefix(w.Body.String(), "{") {
				t.Fatalf("%s got %d %s %q", name, w.Code, kind, w.Body)
			}
			if w.Code >= 500 && !strings.HasSuffix(at.path, "/panic") {
				t.Errorf("%s got %d", name, w.Code)
			}
			if got := w.Header().Get("Access-Control-Allow-Origin"); got != app {
				t.Errorf("%s: the page may not read the response %d (%q)", name, w.Code, got)
			}
			if strings.Contains(w.Body.String(), "<script") || strings.Contains(w.Body.String(), "shelf") {
				t.Errorf("%s is echoed: %s", name, w.Body)
			}
		}
	}
}

func TestRefusalsOfTheEngineInTheEnvelope(t *testing.T) {
	h := newFixture(t, faulty{})
	h.client()
	page := h.page()
	for name, w := range map[string]*httptest.ResponseRecorder{
		"refused_404":   page.do("POST", "/useractions-srv/userexistence/x", "application/json", "{}"),
		"refused_405":   page.do("GET", "/verification-srv/v2/authenticate/initiate/totp", "application/json", ""),
		"refused_413":   page.do("POST", "/verification-actions-srv/setup/totp/verification", "application/json", `{"a":"`+strings.Repeat("x", 70_000)+`"}`),
		"refused_415":   page.do("POST", "/verification-srv/public/graph/user/setup", "text/plain", "x"),
		"refused_panic": page.do("GET", "/verification-srv/panic", "application/json", ""),
	} {
		golden(t, name, w)
		envelope(t, w)
	}
	person := h.browser()
	person.header.Set("Accept", "text/html")
	envelope(t, h.is(person.do("POST", "/authz-srv/authrequest/nothing", "", ""), http.StatusNotFound))
	envelope(t, h.is(person.do("GET", "/login-srv/login/sdk", "", ""), http.StatusMethodNotAllowed))
	envelope(t, h.is(person.do("GET", "/login-srv/precheck/continue/sdk/x", "", ""), http.StatusMethodNotAllowed))
	envelope(t, h.is(person.do("GET", "/login-srv/register", "", ""), http.StatusNotFound))
	if w := person.do("GET", "/login-srv/login", "", ""); !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
		t.Errorf("a person at an address of forms got %s", w.Header().Get("Content-Type"))
	}
}

func TestUnavailableIsJSON(t *testing.T) {
	h := newFixture(t)
	h.client()
	for _, tc := range []struct {
		err  error
		want int
	}{
		{fmt.Errorf("read request: %w", context.DeadlineExceeded), http.StatusServiceUnavailable},
		{errors.New("the disk is on fire"), http.StatusInternalServerError},
		{&mfa.Error{Code: mfa.Busy, RetryAfter: 1500 * time.Millisecond}, http.StatusServiceUnavailable},
		{&mfa.Error{Code: mfa.Locked}, http.StatusTooManyRequests},
		{&mfa.Error{Code: mfa.TooManyInitiations}, http.StatusTooManyRequests},
	} {
		engine, err := web.New(web.Options{Issuer: issuer}, zeroes{}, h.Now, failing{h.surface, tc.err})
		h.OK(err)
		w := httptest.NewRecorder()
		engine.ServeHTTP(w, httptest.NewRequest("POST", "/verification-srv/failing", nil))
		h.is(w, tc.want)
		envelope(t, w)
		if tc.want != http.StatusInternalServerError && w.Header().Get("Retry-After") == "" {
			t.Errorf("%v: no Retry-After", tc.err)
		}
		if strings.Contains(w.Body.String(), "fire") {
			t.Errorf("the cause is shown: %s", w.Body)
		}
	}
}

// A call that takes too long is ended, and its caller can read the response (R1).
func TestTimeoutIsJSON(t *testing.T) {
	h := newFixture(t)
	h.client()
	request := h.at(h.page().json("/authz-srv/authrequest/authz/generate", flat(authorizeParams())...), "data.requestId")
	engine, err := web.New(web.Options{Issuer: issuer, Timeout: time.Nanosecond}, zeroes{}, h.Now, h.surface)
	h.OK(err)
	h.Handler = engine
	for path, w := range map[string]*httptest.ResponseRecorder{
		"public":   h.page().do("GET", "/public-srv/public/"+request, "application/json", ""),
		"prelogin": h.page().do("GET", "/token-srv/prelogin/metadata/"+request, "application/json", ""),
		"list":     h.page().json("/verification-srv/public/graph/user/setup", "request_id", request, "identifier", "ada"),
		"verify":   h.page().json("/verification-srv/authentication/totp/verification", "exchange_id", request, "passcode", "123456"),
		"confirm":  h.page().json("/verification-actions-srv/setup/totp/verification", "exchange_id", request, "pass_code", "123456"),
	} {
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || w.Header().Get("Access-Control-Allow-Origin") != app {
			t.Errorf("%s = %d %v %s, want 503 that the page can read", path, w.Code, w.Header(), w.Body)
		}
		envelope(t, w)
	}
}

type zeroes struct{}

func (zeroes) Read(b []byte) (int, error) { return len(b), nil }

// failing fails one call with an error.
type failing struct {
	*Surface
	err error
}

func (f failing) Mount(r gin.IRouter) {
	r.POST("/verification-srv/failing", func(c *gin.Context) { f.fail(c, f.err) })
}

func TestPreflights(t *testing.T) {
	h := newFixture(t)
	h.client()
	for _, tc := range []struct{ name, path, verb, origin, want string }{
		{"a call", "/verification-srv/v2/setup/public/configured/list", "POST", app, app},
		{"a GET, which sends a type too", "/public-srv/tenantinfo/basic", "GET", app, app},
		{"a name", "/verification-actions-srv/setup/users/friendlyname/TOTP/x", "PUT", app, app},
		{"the token endpoint", "/token-srv/token", "POST", app, app},
		{"userinfo", "/users-srv/userinfo", "GET", app, app},
		{"an address that is not there", "/device-srv/devices", "GET", app, app},
		{"another application's page", "/verification-srv/v2/setup/public/configured/list", "POST", "https://evil.example", ""},
		{"a page without an origin", "/verification-srv/v2/setup/public/configured/list", "POST", "null", ""},
		{"the key set", "/.well-known/jwks.json", "GET", "https://anybody.example", "*"},
	} {
		c := h.program()
		c.header = http.Header{"Origin": {tc.origin}, "Access-Control-Request-Method": {tc.verb},
			"Access-Control-Request-Headers": {"accept-language,acceptlanguage,access_token,authorization,content-type,lat,lon,requestid,trackid"}}
		if tc.want == "*" {
			c.header.Del("Access-Control-Request-Headers")
		}
		w := c.do("OPTIONS", tc.path, "", "")
		if got := w.Header().Get("Access-Control-Allow-Origin"); got != tc.want || w.Code != http.StatusNoContent {
			t.Errorf("%s: %d, origin %q, want %q", tc.name, w.Code, got, tc.want)
		}
		if w.Header().Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: a page may send the server's cookies", tc.name)
		}
	}
}

// Unknown users look like others: the same list in every call, and the same texts at every
// step.
func TestUnknownUsersLookLikeOthers(t *testing.T) {
	h := newFixture(t)
	h.client()
	h.User("ada", totpKey)
	page := h.page()
	request := ""
	begin := func() {
		request = h.at(page.json("/authz-srv/authrequest/authz/generate", flat(authorizeParams())...), "data.requestId")
	}
	setup := func(name string) string {
		return h.is(page.json("/verification-srv/public/graph/user/setup", "request_id", request, "identifier", name), http.StatusOK).Body.String()
	}
	listed := ""
	for i := range 64 { // each has an app with probability 1/2
		name := fmt.Sprintf("n%d", i)
		begin() // a login accepts only a few names
		if setup(name) != setup(strings.ToUpper(name)+" ") {
			t.Errorf("%s: the list differs by spelling", name)
		}
		if strings.Contains(setup(name), "TOTP") {
			listed = name
		}
	}
	if listed == "" {
		t.Fatal("no decoy has an app")
	}
	shapes := map[string][]string{}
	for _, name := range []string{"ada", listed} {
		begin()
		medium := h.at(page.json("/verification-srv/public/graph/user/setup", "request_id", request, "identifier", name), "data.configured_list.0.mediums.0.id")
		for _, pairs := range [][]string{{"email", name, "medium_id", medium}, {"medium_id", medium}, {"identifier", name}} {
			initiation := page.json("/verification-srv/authentication/totp/initiation", append(pairs, "request_id", request, "usage_type", "INITIAL_AUTHENTICATION")...)
			wrong := page.json("/verification-srv/authentication/totp/verification", "exchange_id", h.at(initiation, "data.exchange_id.exchange_id"), "passcode", h.wrong())
			other := page.json("/verification-srv/authentication/backupcode/initiation", "medium_id", medium, "request_id", request, "usage_type", "INITIAL_AUTHENTICATION")
			for _, w := range []*httptest.ResponseRecorder{initiation, wrong} {
				shapes[name] = append(shapes[name], fmt.Sprint(w.Code, bare(w.Body.String())))
			}
			shapes[name] = append(shapes[name], fmt.Sprint(other.Code))
		}
	}
	if fmt.Sprint(shapes["ada"]) != fmt.Sprint(shapes[listed]) {
		t.Errorf("a user: %v\nnobody: %v", shapes["ada"], shapes[listed])
	}
}

// bare removes the IDs from a response.
func bare(text string) string {
	return volatileID.ReplaceAllString(text, "ID")
}
