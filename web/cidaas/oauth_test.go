package cidaas

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport/storage"
	"sallyport/web/webtest"
)

func TestTokensOverJSON(t *testing.T) {
	h := newFixture(t)
	h.client()
	h.User("ada", totpKey)
	s := h.passwordless(h.browser(), "ada")
	h.is(s.verify(), http.StatusOK)
	_, to := s.b.follow(s.finish())
	code := h.mustCode(to)
	page := h.page()
	call := func(pairs ...string) map[string]any {
		t.Helper()
		w := page.json("/token-srv/token", append(pairs, "client_id", "shop")...)
		var response map[string]any
		h.OK(json.Unmarshal(w.Body.Bytes(), &response))
		response["status"] = w.Code
		return response
	}
	first := call("grant_type", "authorization_code", "code", code, "redirect_uri", callback, "code_verifier", verifier)
	if first["status"] != http.StatusOK || first["sub"] == "" || first["id_token_expires_in"] != float64(600) || first["token_type"] != "Bearer" {
		t.Fatalf("response = %v", first)
	}
	access, _ := payload(first["access_token"])
	if access["aud"] != "shop" || access["sid"] == "" || len(texts(access["scopes"])) != 4 {
		t.Errorf("access token = %v", access)
	}
	h.Wait(30 * time.Second)
	before, _ := payload(first["id_token"])
	refresh, _ := first["refresh_token"].(string)
	if refresh == "" {
		t.Fatal("no refresh token")
	}
	second := call("grant_type", "refresh_token", "refresh_token", refresh)
	after, _ := payload(second["id_token"])
	for _, name := range []string{"sub", "auth_time", "sid"} {
		if before[name] != after[name] {
			t.Errorf("%s changed from %v to %v", name, before[name], after[name])
		}
	}
	if again := call("grant_type", "authorization_code", "code", code, "redirect_uri", callback, "code_verifier", verifier); again["error"] != "invalid_grant" {
		t.Errorf("the code again: %v", again)
	}
	dead, _ := second["refresh_token"].(string)
	if after := call("grant_type", "refresh_token", "refresh_token", dead); after["error"] != "invalid_grant" {
		t.Errorf("after the code was used twice: %v", after)
	}
	for _, body := range []string{`{"grant_type":1,"client_id":"shop"}`, `{"grant_type":"refresh_token","grant_type":"x"}`, `[]`, `{"grant_type":{}}`, `x`} {
		w := h.is(page.do("POST", "/token-srv/token", "application/json", body), http.StatusBadRequest)
		if h.at(w, "error") != "invalid_request" {
			t.Errorf("%s: %s", body, w.Body)
		}
	}
	h.is(page.do("POST", "/token-srv/token", "text/plain", "x"), http.StatusUnsupportedMediaType)
	golden(t, "token_refused", page.json("/token-srv/token", "grant_type", "password", "client_id", "shop"))
}

func TestUserinfoIntrospectionAndRevocation(t *testing.T) {
	h := newFixture(t)
	h.client()
	h.client(confidential)
	h.User("ada", "")
	token := h.signedIn("ada")
	ada := h.as(token)
	for _, verb := range []string{"GET", "POST"} {
		w := h.is(ada.do(verb, "/users-srv/userinfo", "application/json", ""), http.StatusOK)
		if h.at(w, "email") != "ada@example.org" {
			t.Errorf("%s: %s", verb, w.Body)
		}
	}
	golden(t, "userinfo_denied", h.is(h.page().do("GET", "/users-srv/userinfo", "application/json", ""), http.StatusUnauthorized))
	h.is(h.as("rubbish").do("GET", "/users-srv/userinfo", "application/json", ""), http.StatusUnauthorized)

	inspect := func(c *caller, kind string) map[string]any {
		t.Helper()
		body := `{"token":"` + token + `","token_type_hint":"access_token"}`
		if kind == formType {
			body = url.Values{"token": {token}}.Encode()
		}
		w := h.is(c.do("POST", "/token-srv/introspect", kind, body), http.StatusOK)
		var response map[string]any
		h.OK(json.Unmarshal(w.Body.Bytes(), &response))
		return response
	}
	for _, kind := range []string{"application/json", formType} {
		response := inspect(ada, kind) // introspects itself
		if response["active"] != true || response["iss"] != issuer || response["aud"] != "shop" || len(texts(response["scopes"])) != 4 || response["roles"] == nil {
			t.Errorf("%s: %v", kind, response)
		}
	}
	backend := h.program()
	backend.header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("backend:"+url.QueryEscape(secret))))
	if response := inspect(backend, formType); response["active"] != false || len(response) != 1 {
		t.Errorf("another client's token: %v", response)
	}
	h.is(h.page().json("/token-srv/introspect", "token", token), http.StatusUnauthorized)
	h.is(h.as("rubbish").json("/token-srv/introspect", "token", token), http.StatusUnauthorized)

	golden(t, "revoked", h.is(h.page().json("/token-srv/revoke", "token", token, "client_id", "shop"), http.StatusOK))
	h.is(ada.json("/token-srv/introspect", "token", token), http.StatusUnauthorized) // introspects itself, and is invalid
	h.is(ada.do("GET", "/verification-srv/config/list", "application/json", ""), http.StatusUnauthorized)
}

// A token for a resource server is not accepted at the dialect's addresses either.
func TestTokensForResourceServersAreRefused(t *testing.T) {
	h := newFixture(t)
	h.client(func(c *storage.Client) { c.Audience = []string{"https://api.example"} })
	h.User("ada", "")
	token := h.signedIn("ada")
	for _, verb := range []string{"GET", "POST"} {
		w := h.is(h.as(token).do(verb, "/users-srv/userinfo", "application/json", ""), http.StatusUnauthorized)
		if challenge := w.Header().Get("WWW-Authenticate"); !strings.Contains(challenge, `error="invalid_token"`) {
			t.Errorf("%s: %q %s", verb, challenge, w.Body)
		}
	}
	if w := h.is(h.as(token).json("/token-srv/introspect", "token", token), http.StatusOK); !strings.Contains(w.Body.String(), `"active":true`) {
		t.Errorf("shown for itself: %s", w.Body)
	}
	h.client(func(c *storage.Client) { c.Audience = []string{"https://api.example", issuer} })
	h.is(h.as(h.signedIn("ada")).do("GET", "/users-srv/userinfo", "application/json", ""), http.StatusOK)
}

func TestDialectAddressesOfOAuthEndpoints(t *testing.T) {
	h := newFixture(t)
	h.client(func(c *storage.Client) { c.LoginURL = "" })
	h.User("ada", "")
	b := h.browser()
	ours, theirs := b.do("GET", "/jwks.json", "", ""), b.do("GET", "/.well-known/jwks.json", "", "")
	if ours.Body.String() != theirs.Body.String() || theirs.Header().Get("Etag") == "" {
		t.Errorf("key sets differ: %s and %s", ours.Body, theirs.Body)
	}
	b.header.Set("If-None-Match", theirs.Header().Get("Etag"))
	h.is(b.do("GET", "/.well-known/jwks.json", "", ""), http.StatusNotModified)
	b.header.Del("If-None-Match")

	params := authorizeParams()
	params.Del("scope")
	w := b.do("GET", "/authz-srv/authz?"+params.Encode(), "", "")
	if scope := h.query(w.Header().Get("Location"), "/authorize?").Get("scope"); scope != "openid email profile mobile" {
		t.Errorf("scope = %q, want the client's without offline_access", scope)
	}
	w = b.do("POST", "/authz-srv/authz", formType, params.Encode())
	if h.query(h.is(w, http.StatusSeeOther).Header().Get("Location"), "/authorize?").Get("client_id") != "shop" {
		t.Error("the form has fields missing")
	}
	w = b.do("POST", "/authz-srv/authz", formType, authorizeParams().Encode())
	if h.is(w, http.StatusTemporaryRedirect).Header().Get("Location") != "/authorize" {
		t.Errorf("led to %s", w.Header().Get("Location"))
	}
	w, _ = b.follow(b.do("GET", "/authz-srv/authz?"+authorizeParams("redirect_uri", "https://evil.example/").Encode(), "", ""))
	if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "oauth-error") {
		t.Errorf("a foreign redirect address: %d", w.Code)
	}
}

func TestSigningOut(t *testing.T) {
	h := newFixture(t)
	h.client()
	h.User("ada", "")
	for _, hint := range []string{"access_token_hint", "id_token_hint"} {
		b := h.browser()
		request, _ := b.begin()
		_, to := b.follow(b.form("/login-srv/login", "requestId", request, "username", "ada", "password", password))
		response, _ := h.claims(h.mustCode(to))
		token, _ := response[strings.TrimSuffix(hint, "_hint")].(string)
		leave := "/session/end_session?" + url.Values{hint: {token}, "post_logout_redirect_uri": {app + "/bye"}, "state": {"s"}}.Encode()
		foreign, to := b.follow(b.sendOn(b.do("GET", strings.Replace(leave, url.QueryEscape(app+"/bye"), url.QueryEscape("https://evil.example/"), 1), "", "")))
		if to != "" || foreign.Code != http.StatusBadRequest {
			t.Errorf("%s: a foreign address led to %q (%d)", hint, to, foreign.Code)
		}
		if _, to = b.follow(b.sendOn(b.do("GET", leave, "", ""))); to != app+"/bye?state=s" {
			t.Errorf("%s: led to %q", hint, to)
		}
		if _, to = b.follow(b.do("GET", "/authorize?"+authorizeParams("prompt", "none").Encode(), "", "")); !strings.Contains(to, "login_required") {
			t.Errorf("%s: still signed in: %s", hint, to)
		}
		access, _ := response["access_token"].(string)
		h.is(h.as(access).do("GET", "/users-srv/userinfo", "application/json", ""), http.StatusUnauthorized)
	}
	b := h.browser()
	w := b.do("GET", "/session/end_session?access_token_hint=rubbish&post_logout_redirect_uri="+url.QueryEscape(app+"/bye"), "", "")
	if to := w.Header().Get("Location"); to != "" {
		t.Errorf("the token is in one more address: %s", to)
	}
	w, to := b.follow(b.sendOn(w))
	if to != "" || w.Code != http.StatusOK {
		t.Errorf("a hint that proves nothing led to %q (%d)", to, w.Code)
	}
}

// sendOn sends a form that posts itself; it returns any other response as it is.
func (c *caller) sendOn(w *httptest.ResponseRecorder) *httptest.ResponseRecorder {
	c.h.T.Helper()
	action, form, found := webtest.Form(w.Body.String(), `id="form-post"`)
	if !found {
		return w
	}
	return c.do("POST", action, formType, form.Encode())
}

// A request without scope gets the client's, and its token stays in the form.
func TestIDTokenInAFormStaysInForms(t *testing.T) {
	h := newFixture(t)
	h.client()
	h.User("ada", "")
	b := h.browser()
	request, _ := b.begin()
	_, to := b.follow(b.form("/login-srv/login", "requestId", request, "username", "ada", "password", password))
	response, _ := h.claims(h.mustCode(to))
	params := authorizeParams()
	params.Del("scope")
	params.Set("id_token_hint", response["id_token"].(string))
	w := h.is(h.browser().do("POST", "/authz-srv/authz", formType, params.Encode()), http.StatusOK)
	_, to = b.follow(b.sendOn(w))
	h.mustCode(to)
}

func TestCallsForPrograms(t *testing.T) {
	h := newFixture(t)
	h.client(always)
	h.User("ada", totpKey)
	app := h.program()
	request := h.at(app.json("/authz-srv/authrequest/authz/generate", flat(authorizeParams())...), "data.requestId")
	golden(t, "twin_wrong", h.is(app.json("/login-srv/login/sdk", "requestId", request, "username", "ada", "password", "wrong"), expectationFailed))
	w := h.is(app.form("/login-srv/login/sdk", "requestId", request, "username", "ada", "password", password), expectationFailed)
	golden(t, "twin_mfa_required", w)
	track, sub := h.at(w, "error.track_id"), h.at(w, "error.sub")
	golden(t, "twin_not_yet", h.is(app.json("/login-srv/precheck/continue/sdk/"+track, "track_id", track), expectationFailed))
	initiation := h.is(app.json("/verification-srv/authentication/totp/initiation", "request_id", request, "sub", sub, "usage_type", "MULTIFACTOR_AUTHENTICATION"), http.StatusOK)
	h.is(app.json("/verification-srv/authentication/totp/verification", "exchange_id", h.at(initiation, "data.exchange_id.exchange_id"), "passcode", h.Code(totpKey)), http.StatusOK)
	done := h.is(app.json("/login-srv/precheck/continue/sdk/"+track, "track_id", track, "requestId", request), http.StatusOK)
	golden(t, "twin_code", done)
	if _, claims := h.claims(h.at(done, "data.code")); claims["acr"] != "aal2" {
		t.Errorf("acr = %v", claims["acr"])
	}
	envelope(t, h.is(app.json("/login-srv/precheck/continue/sdk/"+track, "track_id", track), http.StatusBadRequest))

	h.client(func(c *storage.Client) { c.Passwordless = true })
	h.Wait(time.Minute)
	request = h.at(app.json("/authz-srv/authrequest/authz/generate", flat(authorizeParams("response_mode", "form_post"))...), "data.requestId")
	initiation = h.is(app.json("/verification-srv/authentication/totp/initiation", "request_id", request, "identifier", "ada", "usage_type", "PASSWORDLESS_AUTHENTICATION"), http.StatusOK)
	h.is(app.json("/verification-srv/authentication/totp/verification", "exchange_id", h.at(initiation, "data.exchange_id.exchange_id"), "passcode", h.Code(totpKey)), http.StatusOK)
	done = h.is(app.json("/login-srv/verification/sdk/login", "requestId", request, "status_id", h.at(initiation, "data.status_id"),
		"verificationType", "totp", "sub", h.at(initiation, "data.sub")), http.StatusOK)
	h.claims(h.at(done, "data.code"))

	h.Wait(time.Minute)
	request = h.at(app.json("/authz-srv/authrequest/authz/generate", flat(authorizeParams("view_type", "register",
		"claims", `{"id_token":{"acr":{"essential":true,"value":"phr"}}}`))...), "data.requestId")
	if view := h.at(app.do("GET", "/public-srv/public/"+request, "application/json", ""), "data.view_type"); view != "register" {
		t.Errorf("view_type = %q, want that of the request", view)
	}
	w = h.is(app.json("/login-srv/login/sdk", "requestId", request, "username", "ada", "password", password), expectationFailed)
	if got := h.at(w, "error.error"); got != "unmet_authentication_requirements" {
		t.Errorf("a level that cannot be reached: %s", w.Body)
	}

	h.client(bound)
	b := h.browser()
	request, _ = b.begin()
	w = b.json("/login-srv/login/sdk", "requestId", request, "username", "ada", "password", password)
	envelope(t, h.is(w, http.StatusBadRequest)) // scripts in the bound browser get no code
}

func TestOnlyHeadlessClientsNeedNoBrowser(t *testing.T) {
	h := newFixture(t)
	h.client(bound)
	golden(t, "generate_refused", h.is(h.page().json("/authz-srv/authrequest/authz/generate", flat(authorizeParams())...), http.StatusBadRequest))
	h.client()
	for name, pairs := range map[string][]string{
		"another address":  {"redirect_uri", "https://evil.example/cb"},
		"another client":   {"client_id", "nobody"},
		"an unknown scope": {"scope", "openid admin"},
	} {
		w := h.is(h.page().json("/authz-srv/authrequest/authz/generate", flat(authorizeParams(pairs...))...), http.StatusBadRequest)
		envelope(t, w)
		if strings.Contains(w.Body.String(), "evil") {
			t.Errorf("%s is echoed: %s", name, w.Body)
		}
	}
	evil := h.program()
	evil.header.Set("Origin", "https://evil.example")
	h.is(evil.json("/authz-srv/authrequest/authz/generate", flat(authorizeParams())...), http.StatusBadRequest)
	h.is(h.page().form("/authz-srv/authrequest/authz/generate", flat(authorizeParams("client_secret", "undefined"))...), http.StatusOK)
}

// The failure counter of a client's secrets is the same at the standard addresses and at
// those of the dialect.
func TestWrongSecretsAreThrottled(t *testing.T) {
	h := newFixture(t)
	h.client()
	page := h.page()
	paths := []string{"/token-srv/token", "/token-srv/introspect", "/token-srv/revoke"}
	for n := range 21 {
		w := page.json(paths[n%3], "grant_type", "client_credentials", "token", "x", "client_id", "nobody", "client_secret", "wrong")
		want := http.StatusUnauthorized
		if n == 20 {
			want = http.StatusTooManyRequests
		}
		if w.Code != want || !strings.Contains(w.Body.String(), `"invalid_client"`) || (w.Header().Get("Retry-After") == "600") != (n == 20) {
			t.Fatalf("try %d = %d %v %s, want %d", n+1, w.Code, w.Header(), w.Body, want)
		}
	}
}

func TestAPasswordAloneEndsALoginOfAProgram(t *testing.T) {
	h := newFixture(t)
	h.client()
	h.User("ada", "")
	program := h.program()
	done := h.is(program.json("/login-srv/login/sdk", "requestId", program.opened(), "username", "ada", "password", password), http.StatusOK)
	if _, claims := h.claims(h.at(done, "data.code")); claims["acr"] != "aal1" {
		t.Errorf("acr = %v, want aal1", claims["acr"])
	}
	w := h.is(program.form("/session/end_session", "post_logout_redirect_uri", app+"/bye"), http.StatusTemporaryRedirect)
	if to := w.Header().Get("Location"); to != "/logout" {
		t.Errorf("led to %q", to)
	}
}
