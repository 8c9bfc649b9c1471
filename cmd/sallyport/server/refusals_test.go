package server_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"sallyport/cmd/sallyport/server"
	"sallyport/cmd/sallyport/servertest"
	"sallyport/mfa"
	"sallyport/web"
)

const refusalState = `clients:
  - client_id: machine
    client_secret: 0123456789abcdef0123456789abcdef
    grant_types: [client_credentials]
    scopes: [reports]
  - client_id: shop
    client_secret: fedcba9876543210fedcba9876543210
    grant_types: [authorization_code]
    redirect_uris: ["https://shop.example/cb"]
    scopes: [openid]
`

// planted are secrets that requests carry in every place. Each is the only one of its kind.
const planted = "Planted5ecret0fTheRequestXyz"

// logLine is a line of the log about a refusal.
type logLine struct {
	Msg, Reason, Event, Client, Parameter, Value, Route string
	Code                                                int
	CorrelationID                                       string `json:"correlation_id"`
}

// refusalsOf returns the lines of a log about the refusal with a support number.
func refusalsOf(t *testing.T, log, number string) []logLine {
	t.Helper()
	var out []logLine
	for line := range strings.Lines(log) {
		var l logLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if l.Msg == "refused" && l.CorrelationID == number {
			out = append(out, l)
		}
	}
	return out
}

func loggedServer(t *testing.T) (*server.Server, *servertest.Buffer) {
	t.Helper()
	settings, _, _ := servertest.NewInstallation(t)
	servertest.Apply(t, settings, refusalState)
	o := servertest.Options(t, settings, new(servertest.Clock))
	log := new(servertest.Buffer)
	o.Log = server.NewLog(log, "info")
	return servertest.Open(t, o), log
}

// refuse sends a request and returns the one line about its refusal.
func refuse(t *testing.T, h http.Handler, log *servertest.Buffer, r *http.Request) (*httptest.ResponseRecorder, logLine) {
	t.Helper()
	w, before := httptest.NewRecorder(), len(log.String())
	h.ServeHTTP(w, r)
	at, _, _ := strings.Cut(r.URL.String(), "?")
	lines := refusalsOf(t, log.String()[before:], w.Header().Get(web.CorrelationHeader))
	if w.Code < http.StatusBadRequest && len(lines) == 0 {
		return w, logLine{}
	}
	if len(lines) != 1 || lines[0].Reason == "" || lines[0].Reason == web.Unexplained || lines[0].Code != w.Code {
		t.Errorf("%s %s with %q = %d: lines = %+v, want one with a reason", r.Method, at, r.Header.Get("Content-Type"), w.Code, lines)
		return w, logLine{}
	}
	return w, lines[0]
}

// malformed are requests to an address that are refused on the way or by every handler.
func malformed(method, path string) []*http.Request {
	secret := url.QueryEscape(planted)
	const form = "application/x-www-form-urlencoded"
	with := func(kind, body, query string) *http.Request {
		r := httptest.NewRequest(method, path+query, strings.NewReader(body))
		if kind != "" {
			r.Header.Set("Content-Type", kind)
		}
		r.Header.Set("Origin", "https://elsewhere.example")
		r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(planted+":"+planted)))
		return r
	}
	bearer := with(form, "token="+secret+"&client_id="+secret+"&access_token_hint="+secret, "")
	bearer.Header.Set("Authorization", "Bearer "+planted)
	page := with(form, "password="+secret+"&csrf="+secret+"&requestId="+secret, "")
	page.Header.Set("Accept", "text/html")
	page.Header.Set("Sec-Fetch-Site", "cross-site")
	bare := httptest.NewRequest(method, path, http.NoBody)
	encoded := with("application/json", "{}", "")
	encoded.Header.Set("Content-Encoding", "gzip")
	other := with("", "", "")
	other.Method = "BREW"
	return []*http.Request{bare, bearer, page, encoded, other,
		with("application/json", `{"passcode":"`+planted+`"`, ""), with("application/json", `{"`+planted+`":1,"username":2}`, ""),
		with("application/json", "{}", "?state="+secret+"&"+secret+"&"+secret), with("text/plain", planted, ""),
		with("multipart/form-data; boundary=x", planted, ""), with(form, "%", ""), with("application/json", `{"a":"`+strings.Repeat("x", 70_000)+`"}`, ""),
		with(form, "a="+strings.Repeat("b=&", 200), ""), with("", "", "?"+strings.Repeat("x", 9000)), with("", "", "?%")}
}

func TestEveryRefusalWritesItsReason(t *testing.T) {
	public, log := loggedServer(t)
	admin := servertest.NewAdminAPI(t)
	for _, s := range []struct {
		name    string
		handler http.Handler
		log     *servertest.Buffer
	}{{"public", public.Handler, log}, {"admin", admin.Handler, admin.Log}} {
		refused := 0
		list := append(handlerRoutes(t, s.handler), [2]string{"GET", "/nowhere"}, [2]string{"POST", "/login-srv/nowhere"}, [2]string{"POST", "/v1/nowhere"},
			[2]string{"POST", "/v1/auth/nowhere"}, [2]string{"POST", "/api/login/v1/nowhere"}, [2]string{"PUT", "/token"}, [2]string{"GET", "/static/x/" + planted})
		for _, at := range list {
			if at[0] == http.MethodOptions {
				continue
			}
			for _, r := range malformed(at[0], strings.NewReplacer(":method", "totp", ":", planted).Replace(at[1])) {
				if _, line := refuse(t, s.handler, s.log, r); line.Reason != "" {
					refused++
				}
				if s.name == "admin" && r.Header.Get("Authorization") != "" && strings.Contains(r.Header.Get("Authorization"), "Basic") {
					again := r.Clone(t.Context())
					again.Body = http.NoBody
					again.Header.Set("Authorization", "Bearer "+servertest.AdminKey)
					refuse(t, s.handler, s.log, again)
				}
			}
		}
		if refused < 5*len(list) {
			t.Errorf("%s: %d refusals of %d routes", s.name, refused, len(list))
		}
		if strings.Contains(s.log.String(), planted) || strings.Contains(s.log.String(), servertest.AdminKey) {
			t.Errorf("%s: the log holds a secret", s.name)
		}
	}
}

// authorize is a request to the authorization endpoint, with changes.
func authorize(changes ...string) *http.Request {
	q := url.Values{"client_id": {"shop"}, "response_type": {"code"}, "redirect_uri": {"https://shop.example/cb"}, "scope": {"openid"}, "state": {planted},
		"nonce": {planted}, "code_challenge": {strings.Repeat("c", 43)}, "code_challenge_method": {"S256"}}
	for i := 0; i < len(changes); i += 2 {
		q.Set(changes[i], changes[i+1])
	}
	return httptest.NewRequest(http.MethodGet, "/authorize?"+q.Encode(), nil)
}

// tokenCall is a request to the token endpoint. id "": without a header.
func tokenCall(id, secret string, pairs ...string) *http.Request {
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	r := httptest.NewRequest(http.MethodPost, "/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if id != "" {
		r.SetBasicAuth(id, secret)
	}
	return r
}

const (
	machineSecret = "0123456789abcdef0123456789abcdef"
	shopSecret    = "fedcba9876543210fedcba9876543210"
)

func TestALineSaysClientParameterAndValue(t *testing.T) {
	s, log := loggedServer(t)
	for _, tc := range []struct {
		name    string
		request *http.Request
		status  int
		want    logLine // reason, event, client, parameter, value
	}{
		{"an unknown client", authorize("client_id", "shpo"), 400, logLine{Reason: "unknown_client", Client: "shpo", Parameter: "client_id", Value: "shpo"}},
		{"no client", authorize("client_id", ""), 400, logLine{Reason: "no_client", Parameter: "client_id"}},
		{"a secret for a client", authorize("client_id", planted), 400, logLine{Reason: "unknown_client", Parameter: "client_id"}},
		{"a wrong redirect URI", authorize("redirect_uri", "https://u:p@shop.example/CB?code="+planted+"#"+planted), 400,
			logLine{Reason: "invalid_request", Client: "shop", Parameter: "redirect_uri", Value: "https://shop.example/CB"}},
		{"no redirect URI", authorize("redirect_uri", ""), 400, logLine{Reason: "invalid_request", Client: "shop", Parameter: "redirect_uri"}},
		{"a wrong scope, sent to the client", authorize("scope", "openid sing\x1b[31m"), 303, logLine{Reason: "invalid_scope", Client: "shop", Parameter: "scope", Value: `openid sing\x1b[31m`}},
		{"a wrong response type", authorize("response_type", "cod"), 303, logLine{Reason: "unsupported_response_type", Client: "shop", Parameter: "response_type", Value: "cod"}},
		{"a challenge that is too short", authorize("code_challenge", planted), 303, logLine{Reason: "invalid_request", Client: "shop", Parameter: "code_challenge"}},
		{"a state that is too long", authorize("state", strings.Repeat(planted, 200)), 400, logLine{Reason: "invalid_request", Client: "shop", Parameter: "state"}},
		{"no user", authorize("prompt", "none"), 303, logLine{Reason: "login_required", Client: "shop", Parameter: "prompt", Value: "none"}},

		{"an unknown client at the token endpoint", tokenCall("machin", machineSecret, "grant_type", "client_credentials"), 401,
			logLine{Reason: "unknown_client", Event: "client.failed", Client: "machin", Parameter: "client_id", Value: "machin"}},
		{"name and secret exchanged", tokenCall(planted, "machine", "grant_type", "client_credentials"), 401, logLine{Reason: "unknown_client", Event: "client.failed", Parameter: "client_id"}},
		{"a wrong secret", tokenCall("machine", planted, "grant_type", "client_credentials"), 401, logLine{Reason: "wrong_secret", Event: "client.failed", Client: "machine"}},
		{"a wrong method", tokenCall("", "", "grant_type", "client_credentials", "client_id", "machine", "client_secret", machineSecret), 401,
			logLine{Reason: "wrong_method", Event: "client.failed", Client: "machine", Parameter: "token_endpoint_auth_method", Value: "client_secret_post"}},
		{"an assertion", tokenCall("", "", "grant_type", "client_credentials", "client_assertion", planted), 401, logLine{Reason: "unsupported_method", Event: "client.failed", Parameter: "client_assertion"}},
		{"no grant type", tokenCall("machine", machineSecret), 400, logLine{Reason: "invalid_request", Client: "machine", Parameter: "grant_type"}},
		{"an unknown grant type", tokenCall("machine", machineSecret, "grant_type", "password"), 400, logLine{Reason: "unsupported_grant_type", Client: "machine", Parameter: "grant_type", Value: "password"}},
		{"a grant type of others", tokenCall("shop", shopSecret, "grant_type", "client_credentials"), 400, logLine{Reason: "unauthorized_client", Client: "shop"}},
		{"a wrong scope at the token endpoint", tokenCall("machine", machineSecret, "grant_type", "client_credentials", "scope", "books"), 400,
			logLine{Reason: "invalid_scope", Client: "machine", Parameter: "scope", Value: "books"}},
		{"an unknown code", tokenCall("shop", shopSecret, "grant_type", "authorization_code", "code", planted, "redirect_uri", "https://shop.example/cb", "code_verifier", planted), 400,
			logLine{Reason: "unknown_code", Client: "shop", Parameter: "code"}},
		{"no token", httptest.NewRequest(http.MethodGet, "/userinfo", nil), 401, logLine{Reason: "no_token", Parameter: "access_token"}},
		{"a form of another page", foreignForm(), 403, logLine{Reason: "other_origin", Parameter: "csrf"}},
		{"no request", httptest.NewRequest(http.MethodGet, "/continue", nil), 400, logLine{Reason: "unknown_request", Parameter: "requestId"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w, got := refuse(t, s.Handler, log, tc.request)
			tc.want.Msg, tc.want.Route, tc.want.Code, tc.want.CorrelationID = "refused", got.Route, tc.status, got.CorrelationID
			if got != tc.want {
				t.Errorf("line = %+v, want %+v (%d %s)", got, tc.want, w.Code, w.Body)
			}
		})
	}
	for _, secret := range []string{planted, machineSecret, shopSecret} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}

func foreignForm() *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/login", strings.NewReader("csrf="+planted))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", "https://elsewhere.example")
	return r
}

// Only a server on the machine of its developers shows what is registered.
func TestDevelopersSeeTheRegisteredAddresses(t *testing.T) {
	settings, _, _ := servertest.NewInstallation(t)
	servertest.Apply(t, settings, refusalState)
	for _, developers := range []bool{false, true} {
		o := servertest.Options(t, settings, new(servertest.Clock))
		o.Developers = developers
		w := httptest.NewRecorder()
		servertest.Open(t, o).Handler.ServeHTTP(w, authorize("redirect_uri", "https://shop.example/<CB>"))
		page := w.Body.String()
		for _, text := range []string{"https://shop.example/cb", "https://shop.example/&lt;CB&gt;"} {
			if strings.Contains(page, text) != developers {
				t.Errorf("for developers: %v, and %q is on the page: %v", developers, text, !developers)
			}
		}
	}
}

// The trail names the same reasons as the log.
func TestTheTrailSaysWhyAClientFailed(t *testing.T) {
	s, log := loggedServer(t)
	for _, r := range []*http.Request{tokenCall("machine", planted, "grant_type", "client_credentials"), tokenCall("machin", planted, "grant_type", "client_credentials")} {
		refuse(t, s.Handler, log, r)
	}
	if err := s.Journal.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	var reasons []string
	trail := servertest.Server{Server: s, T: t}
	for _, e := range trail.EventsOf(mfa.EventClientFailed) {
		reasons = append(reasons, e.Detail["reason"])
	}
	if slices.Sort(reasons); !slices.Equal(reasons, []string{"unknown_client", "wrong_secret"}) {
		t.Errorf("reasons = %q", reasons)
	}
}
