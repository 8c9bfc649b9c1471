package backendcall_test

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/mfatest"
	"sallyport/provider"
	"sallyport/provider/apikeys"
	"sallyport/storage"
	"sallyport/web"
	"sallyport/web/backendcall"
	"sallyport/web/webtest"
)

const project = "project-test-00000000-0000-4000-8000-000000000001"

// fixture serves a few routes to backends, over a real database.
type fixture struct {
	*webtest.Fixture
	keys   *apikeys.Keys
	called []backendcall.Call
	failed error // the last unexpected error
}

// mounted mounts routes.
type mounted func(gin.IRouter)

func (m mounted) Mount(r gin.IRouter) { m(r) }

func newFixture(t *testing.T) *fixture {
	t.Helper()
	h := &fixture{Fixture: webtest.New(t, time.Date(2027, 1, 31, 18, 0, 0, 0, time.UTC), mfatest.Options{}, provider.Options{Issuer: "https://op.example"})}
	h.keys = apikeys.New(h.Store, h.Journal, h.Now, rand.Reader, "test", h.Logger())
	streambird := backendcall.New(h.keys, h.Journal, apikeys.DialectStreambird, h.refuse)
	stytch := backendcall.New(h.keys, h.Journal, apikeys.DialectStytch, h.refuse)
	h.Serve(nil, mounted(func(r gin.IRouter) {
		r.GET("/bearer/users/:user", streambird.Read(h.serve))
		r.POST("/bearer/users", streambird.Write(h.serve))
		r.DELETE("/bearer/users/:user", streambird.Write(h.disable))
		r.GET("/bearer/jwks", streambird.ReadByQuery(h.serve))
		r.GET("/bearer/panic", streambird.Read(func(*gin.Context, backendcall.Call) { panic("a fault of the handler") }))
		r.GET("/basic/users/:user", stytch.Read(h.serve))
	}))
	return h
}

func (h *fixture) refuse(c *gin.Context, err error) {
	switch {
	case errors.Is(err, backendcall.ErrUnauthorized):
		c.Status(http.StatusUnauthorized)
	case errors.Is(err, backendcall.ErrForbidden):
		c.Status(http.StatusForbidden)
	default:
		h.failed = err
		c.Status(http.StatusServiceUnavailable)
	}
}

func (h *fixture) serve(c *gin.Context, call backendcall.Call) {
	h.called = append(h.called, call)
	c.JSON(http.StatusOK, gin.H{})
}

// disable changes a user, as a handler of a surface does.
func (h *fixture) disable(c *gin.Context, call backendcall.Call) {
	account, err := h.Users.Account(c.Request.Context(), storage.UserID(c.Param("user")))
	h.OK(err)
	h.OK(h.Users.Disable(c.Request.Context(), call.Caller, account))
}

// key creates a key and returns its secret.
func (h *fixture) key(d apikeys.Draft) (storage.APIKey, string) {
	h.T.Helper()
	k, secret, err := h.keys.Create(h.T.Context(), mfa.Caller{}, apikeys.Operator(), d)
	h.OK(err)
	return k, secret
}

func (h *fixture) call(method, target string, authorization ...string) *httptest.ResponseRecorder {
	h.T.Helper()
	r := httptest.NewRequest(method, target, nil)
	r.RemoteAddr = "192.0.2.7:4711"
	r.Header.Set("User-Agent", "backend/1.0")
	r.Header.Set("Cookie", web.BrowserCookie+"="+strings.Repeat("b", 43))
	r.Header.Set("Accept-Language", "de")
	r.Header["Authorization"] = authorization
	w := httptest.NewRecorder()
	h.Handler.ServeHTTP(w, r)
	return w
}

func (h *fixture) events(kind string) []storage.Event {
	h.T.Helper()
	h.OK(h.Journal.Flush(h.T.Context()))
	found, err := h.Store.ListEvents(h.T.Context(), storage.EventFilter{Kind: kind, Limit: 100})
	h.OK(err)
	return found
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func TestACallNeedsAKeyOfItsDialect(t *testing.T) {
	h := newFixture(t)
	read := []string{apikeys.VerbRead}
	_, bearer := h.key(apikeys.Draft{Name: "bearer", Dialects: []string{apikeys.DialectStreambird}, Verbs: read})
	_, secret := h.key(apikeys.Draft{Name: "basic", Dialects: []string{apikeys.DialectStytch}, Verbs: read, Project: project})
	_, operator := h.key(apikeys.Draft{Name: "operator", Dialects: []string{apikeys.DialectAdmin}, Verbs: read})
	_, disabled := h.key(apikeys.Draft{Name: "disabled", Dialects: []string{apikeys.DialectStreambird}, Verbs: read, Disabled: true})
	other := strings.Replace(project, "0001", "0002", 1)
	const streambird, stytch = "/bearer/users/1", "/basic/users/1"
	for _, tc := range []struct {
		name, target  string
		authorization []string
		status        int
		reason        string // in the audit trail; "": no refusal there
	}{
		{"the key", streambird, []string{"Bearer " + bearer}, 200, ""},
		{"the scheme in small letters", streambird, []string{"bearer " + bearer}, 200, ""},
		{"nothing", streambird, nil, 401, ""},
		{"a key without a scheme", streambird, []string{bearer}, 401, ""},
		{"a scheme without a key", streambird, []string{"Bearer "}, 401, ""},
		{"the other scheme", streambird, []string{basic("", bearer)}, 401, ""},
		{"two headers", streambird, []string{"Bearer " + bearer, "Bearer " + bearer}, 401, ""},
		{"a key in the query where none is read", streambird + "?api_key=" + bearer, nil, 401, ""},
		{"an unknown key", streambird, []string{"Bearer sk_test_" + strings.Repeat("x", 49)}, 401, "unknown"},
		{"a key of the admin API", streambird, []string{"Bearer " + operator}, 401, "dialect"},
		{"a key of the other dialect", streambird, []string{"Bearer " + secret}, 401, "dialect"},
		{"a disabled key", streambird, []string{"Bearer " + disabled}, 401, "disabled"},
		{"project and secret", stytch, []string{basic(project, secret)}, 200, ""},
		{"the secret as a bearer token", stytch, []string{"Bearer " + secret}, 401, ""},
		{"another project", stytch, []string{basic(other, secret)}, 401, "project"},
		{"no project", stytch, []string{basic("", secret)}, 401, "project"},
		{"a project without a secret", stytch, []string{basic(project, "")}, 401, ""},
		{"a wrong secret", stytch, []string{basic(project, "secret-test-"+strings.Repeat("x", 49))}, 401, "unknown"},
		{"a key of Streambird with a project", stytch, []string{basic(project, bearer)}, 401, "dialect"},
		{"no base64", stytch, []string{"Basic ???"}, 401, ""},
	} {
		h.Wait(time.Second) // events of one moment have no order
		before := h.events(mfa.EventAPIKeyRefused)
		w := h.call(http.MethodGet, tc.target, tc.authorization...)
		if w.Code != tc.status {
			t.Errorf("%s: status %d, want %d", tc.name, w.Code, tc.status)
		}
		scheme, _, _ := strings.Cut(w.Header().Get("WWW-Authenticate"), " ")
		if want := map[string]string{streambird: "Bearer", stytch: "Basic"}[strings.Split(tc.target, "?")[0]]; tc.status == 401 && scheme != want {
			t.Errorf("%s: the response names the scheme %q, want %s", tc.name, scheme, want)
		}
		refused := h.events(mfa.EventAPIKeyRefused)
		if n := len(refused) - len(before); n != 0 && tc.reason == "" || tc.reason != "" && (n != 1 || refused[0].Detail["reason"] != tc.reason) {
			t.Errorf("%s: %d refusals more in the audit trail, want reason %q", tc.name, n, tc.reason)
		}
	}
	if n := len(h.called); n != 3 {
		t.Errorf("%d calls reached a handler, want 3", n)
	}
	if n := len(h.events(mfa.EventAPIKeyUsed)); n != 3 {
		t.Errorf("%d calls are in the audit trail, want 3", n)
	}
}

func TestAKeyDoesOnlyWhatItsVerbsAllow(t *testing.T) {
	h := newFixture(t)
	for _, tc := range []struct {
		verb        string
		read, write int
	}{{apikeys.VerbRead, 200, 403}, {apikeys.VerbWrite, 403, 200}} {
		_, secret := h.key(apikeys.Draft{Name: tc.verb, Dialects: []string{apikeys.DialectStreambird}, Verbs: []string{tc.verb}})
		for _, call := range []struct {
			method, target string
			want           int
		}{{"GET", "/bearer/users/1", tc.read}, {"GET", "/bearer/jwks", tc.read}, {"POST", "/bearer/users", tc.write}} {
			if w := h.call(call.method, call.target, "Bearer "+secret); w.Code != call.want {
				t.Errorf("%s %s with the verb %s: status %d, want %d", call.method, call.target, tc.verb, w.Code, call.want)
			}
		}
	}
}

func TestAHandlerLearnsWhichBackendCalls(t *testing.T) {
	h := newFixture(t)
	k, secret := h.key(apikeys.Draft{Name: "shop", Dialects: []string{apikeys.DialectStreambird}, Verbs: []string{apikeys.VerbWrite}, App: "Shop"})
	w := h.call(http.MethodPost, "/bearer/users", "Bearer "+secret)
	if len(h.called) != 1 {
		t.Fatalf("%d calls, status %d", len(h.called), w.Code)
	}
	got := h.called[0]
	want := mfa.Caller{Address: "192.0.2.7", UserAgent: "backend/1.0", CorrelationID: w.Header().Get(web.CorrelationHeader), Actor: "client", APIKey: k.ID}
	if !reflect.DeepEqual(got.Caller, want) || got.Key.App != "Shop" {
		t.Errorf("caller = %+v with the app %q, want %+v", got.Caller, got.Key.App, want)
	}
}

func TestEveryCallIsInTheAuditTrail(t *testing.T) {
	h := newFixture(t)
	h.Broken = true
	k, secret := h.key(apikeys.Draft{Name: "shop", Dialects: []string{apikeys.DialectStreambird}, Verbs: []string{apikeys.VerbRead}})
	for _, tc := range []struct {
		method, target         string
		status, outcome, route string
	}{
		{"GET", "/bearer/users/alice@example.com?note=private", "200", "ok", "/bearer/users/:user"},
		{"POST", "/bearer/users", "403", "refused", "/bearer/users"},
		{"GET", "/bearer/panic", "500", "failed", "/bearer/panic"},
	} {
		h.Wait(time.Second) // events of one moment have no order
		w := h.call(tc.method, tc.target, "Bearer "+secret)
		e := h.events(mfa.EventAPIKeyUsed)[0]
		want := map[string]string{"api_key": string(k.ID), "name": "shop", "surface": "streambird", "route": tc.route, "method": tc.method, "status": tc.status}
		for name, value := range want {
			if e.Detail[name] != value {
				t.Errorf("%s %s: %s = %q, want %q", tc.method, tc.target, name, e.Detail[name], value)
			}
		}
		if e.Outcome != tc.outcome || len(e.Detail) != len(want) || e.Actor != "client" || e.Address != "192.0.2.7" || e.CorrelationID != w.Header().Get(web.CorrelationHeader) {
			t.Errorf("%s %s: event = %+v", tc.method, tc.target, e)
		}
	}
}

func TestAChangeNamesTheKeyThatCausedIt(t *testing.T) {
	h := newFixture(t)
	user := h.User("alice", "")
	k, secret := h.key(apikeys.Draft{Name: "shop", Dialects: []string{apikeys.DialectStreambird}, Verbs: []string{apikeys.VerbWrite}})
	if w := h.call(http.MethodDelete, "/bearer/users/"+string(user), "Bearer "+secret); w.Code != http.StatusOK {
		t.Fatalf("status %d", w.Code)
	}
	e := h.events(mfa.EventUserChanged)
	if len(e) != 1 || e[0].UserID != user || e[0].Actor != "client" || e[0].Detail["api_key"] != string(k.ID) {
		t.Errorf("events = %+v, want one of the key %s", e, k.ID)
	}
}

func TestAKeyInTheQueryIsLoggedNowhere(t *testing.T) {
	h := newFixture(t)
	_, secret := h.key(apikeys.Draft{Name: "shop", Dialects: []string{apikeys.DialectStreambird}, Verbs: []string{apikeys.VerbRead}})
	wrong := "sk_test_" + strings.Repeat("x", 49)
	for _, tc := range []struct {
		name, query   string
		authorization []string
		status        int
	}{
		{"in the query", "?api_key=" + url.QueryEscape(secret), nil, 200},
		{"in the header", "", []string{"Bearer " + secret}, 200},
		{"in the header, which counts", "?api_key=" + wrong, []string{"Bearer " + secret}, 200},
		{"a wrong one in the header", "?api_key=" + secret, []string{"Bearer " + wrong}, 401},
		{"a wrong one in the query", "?api_key=" + wrong, nil, 401},
		{"two in the query", "?api_key=" + secret + "&api_key=" + secret, nil, 401},
		{"an empty one", "?api_key=", nil, 401},
		{"none", "", nil, 401},
	} {
		if w := h.call(http.MethodGet, "/bearer/jwks"+tc.query, tc.authorization...); w.Code != tc.status || strings.Contains(w.Body.String(), secret) {
			t.Errorf("%s: status %d, want %d", tc.name, w.Code, tc.status)
		}
	}
	h.OK(h.Journal.Flush(t.Context()))
	all, err := h.Store.ListEvents(t.Context(), storage.EventFilter{Limit: 100})
	h.OK(err)
	var trail strings.Builder
	for _, e := range all {
		trail.Write(e.Canonical)
	}
	for _, text := range []string{secret, wrong, "?api_key"} {
		if strings.Contains(h.Log.String(), text) || strings.Contains(trail.String(), text) {
			t.Errorf("%q is in the log or the audit trail", text)
		}
	}
	if !strings.Contains(h.Log.String(), "/bearer/jwks") || !strings.Contains(trail.String(), "/bearer/jwks") {
		t.Error("the calls are not in log and audit trail")
	}
}

func TestAFailureOfStorageIsNoRefusal(t *testing.T) {
	h := newFixture(t)
	h.Broken = true
	_, secret := h.key(apikeys.Draft{Name: "shop", Dialects: []string{apikeys.DialectStreambird}, Verbs: []string{apikeys.VerbRead}})
	h.OK(h.Store.Close())
	w := h.call(http.MethodGet, "/bearer/users/1", "Bearer "+secret)
	if w.Code != http.StatusServiceUnavailable || h.failed == nil || errors.Is(h.failed, apikeys.ErrNotFound) || w.Header().Get("WWW-Authenticate") != "" {
		t.Errorf("status %d, %v", w.Code, h.failed)
	}
}
