package main

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"sallyport/mfa"
	"sallyport/web/webtest"
)

const (
	trialAPI      = "/api/login/v1"
	trialCallback = "http://127.0.0.1:9/cb"
)

// object is a JSON object.
type object = map[string]any

func trialParams(client string) object {
	scope := "openid"
	if client == "own" {
		scope += " offline_access"
	}
	return object{"response_type": "code", "client_id": client, "redirect_uri": trialCallback, "scope": scope, "state": "0123456789",
		"code_challenge": webtest.Challenge(strings.Repeat("v", 43)), "code_challenge_method": "S256"}
}

// begin begins a login by program and returns the handles of the login.
func (s *trial) begin(client string) object {
	s.Helper()
	return object{"request_id": s.json(trialAPI+"/requests", trialParams(client))["request_id"]}
}

// call makes a call of the login API about a login.
func (s *trial) call(login object, call string, pairs ...any) object {
	s.Helper()
	members := maps.Clone(login)
	for i := 0; i+1 < len(pairs); i += 2 {
		members[pairs[i].(string)] = pairs[i+1]
	}
	return s.json(trialAPI+call, members)
}

// signIn begins a login and proves name and password.
func (s *trial) signIn(client, name string) object {
	s.Helper()
	login := s.begin(client)
	r := s.call(login, "/password", "identifier", name, "password", alicePass)
	if login["login_token"] = r["login_token"]; r["login_token"] == nil {
		s.Fatalf("no password was proven: %v", r)
	}
	return login
}

// appCode returns the code that an authenticator app with a secret shows at a time.
func (s *trial) appCode(at time.Time, secret string) string {
	s.Helper()
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
	if err != nil {
		s.Fatal(err)
	}
	return s.TOTP.CodeAt(key, at)
}

// redeem signs Nora in at the client own and exchanges the code for tokens, after a wait.
func (s *trial) redeem(wait time.Duration) object {
	s.Helper()
	finished := s.call(s.signIn("own", "nora"), "/finish")
	s.clock.Move(wait)
	return s.form("/token", url.Values{"grant_type": {"authorization_code"}, "client_id": {"own"}, "code": {fmt.Sprint(finished["code"])},
		"redirect_uri": {trialCallback}, "code_verifier": {strings.Repeat("v", 43)}})
}

func (s *trial) refresh(token any) object {
	s.Helper()
	return s.form("/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {"own"}, "refresh_token": {fmt.Sprint(token)}})
}

// jwtPart returns a part of a JWT: 0 its header, 1 its claims.
func (s *trial) jwtPart(token any, n int) object {
	s.Helper()
	parts := strings.Split(fmt.Sprint(token), ".")
	if len(parts) != 3 {
		s.Fatalf("no JWT: %v", token)
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[n])
	out := object{}
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	if err != nil {
		s.Fatal(err)
	}
	return out
}

// browser keeps cookies.
type browser struct {
	*trial
	jar webtest.Jar
}

func (b browser) request(method, path, body string) *httptest.ResponseRecorder {
	b.Helper()
	cookies, kind := httptest.NewRequest("GET", "/", nil), ""
	b.jar.Put(cookies)
	if method == "POST" {
		kind = "application/x-www-form-urlencoded"
	}
	w := b.send(method, path, kind, body, "Cookie", cookies.Header.Get("Cookie"))
	b.jar.Take(w)
	return w
}

// authorize returns where the authorization endpoint redirects to.
func (b browser) authorize() string {
	b.Helper()
	q := url.Values{}
	for name, value := range trialParams("own") {
		q.Set(name, value.(string))
	}
	return b.request("GET", "/authorize?"+q.Encode(), "").Header().Get("Location")
}

// browse signs Nora in with a browser and returns it.
func (s *trial) browse() browser {
	s.Helper()
	b := browser{s, webtest.Jar{}}
	action, form, ok := webtest.Form(b.request("GET", b.authorize(), "").Body.String(), `id="login-submit"`)
	if !ok {
		s.Fatal("no form to sign in with")
	}
	form.Set("username", "nora")
	form.Set("password", alicePass)
	if w := b.request("POST", action, form.Encode()); w.Code != http.StatusSeeOther {
		s.Fatalf("sign in: %d %s", w.Code, w.Body)
	}
	return b
}

// account goes to the account page without a session, and returns the authorization request
// it leads to and the page to sign in on.
func (s *trial) account() (location, page string) {
	s.Helper()
	b := browser{s, webtest.Jar{}}
	location = b.request("GET", "/account", "").Header().Get("Location")
	return location, b.request("GET", b.request("GET", location, "").Header().Get("Location"), "").Body.String()
}

// verify verifies a code of Vera's instead of a password, redeems it after a wait, and returns
// where that redirects to.
func (s *trial) verify(wait time.Duration) string {
	s.Helper()
	b := browser{s, webtest.Jar{}}
	at, err := url.Parse(b.authorize())
	if err != nil {
		s.Fatal(err)
	}
	post := func(path string, members object) object {
		text, err := json.Marshal(members)
		if err != nil {
			s.Fatal(err)
		}
		cookies := httptest.NewRequest("GET", "/", nil)
		b.jar.Put(cookies)
		r := s.read(s.send("POST", "/verification-srv/authentication/totp/"+path, "application/json", string(text), "Cookie", cookies.Header.Get("Cookie")))
		data, ok := r["data"].(object)
		if !ok {
			s.Fatalf("%s: %v", path, r)
		}
		return data
	}
	request := at.Query().Get("requestId")
	d := post("initiation", object{"request_id": request, "identifier": "vera", "usage_type": "PASSWORDLESS_AUTHENTICATION"})
	post("verification", object{"exchange_id": d["exchange_id"].(object)["exchange_id"], "passcode": s.appCode(s.clock.Now(), aliceSecret)})
	s.clock.Move(wait)
	return b.request("POST", "/login-srv/verification/login", url.Values{"requestId": {request}, "verificationType": {"TOTP"},
		"sub": {fmt.Sprint(d["sub"])}, "status_id": {fmt.Sprint(d["status_id"])}}.Encode()).Header().Get("Location")
}

// enroll enrols an authenticator app for Nora, and confirms it after a wait.
func (s *trial) enroll(wait time.Duration) object {
	s.Helper()
	login := s.signIn("strict", "nora")
	begun := s.call(login, "/enroll", "method", "totp")["enrollment"].(object)
	s.clock.Move(wait)
	return s.call(login, "/enroll/confirm", "exchange_id", begun["exchange_id"], "passcode", s.appCode(s.clock.Now(), begun["secret"].(string)))
}

// lifetimes are the rows of lifetimes, and of the window of TOTP codes.
func (o *trialSource) lifetimes() map[string]effect {
	return map[string]effect{
		"lifetimes.request": {value: "10m", want: "unknown_request", show: func(s *trial) string {
			login := s.open().begin("own")
			s.clock.Move(20 * time.Minute)
			return fmt.Sprint(s.call(login, "/step"))
		}},
		"lifetimes.code":         {value: "10s", want: "invalid_grant", show: func(s *trial) string { return fmt.Sprint(s.open().redeem(30 * time.Second)) }},
		"lifetimes.access_token": {value: "5m", want: "expires_in:300", show: func(s *trial) string { return fmt.Sprint(s.open().redeem(0)) }},
		"lifetimes.id_token": {value: "5m", want: "300 s", show: func(s *trial) string {
			c := s.open().jwtPart(s.redeem(0)["id_token"], 1)
			return fmt.Sprint(c["exp"].(float64)-c["iat"].(float64), " s")
		}},
		"lifetimes.refresh_idle": {value: "1h", want: "invalid_grant", show: func(s *trial) string {
			token := s.open().redeem(0)["refresh_token"]
			s.clock.Move(2 * time.Hour)
			return fmt.Sprint(s.refresh(token))
		}},
		"lifetimes.refresh_max": {value: "1h", with: map[string]string{"LIFETIMES_REFRESH_IDLE": "1h"}, want: "invalid_grant", show: func(s *trial) string {
			token := s.open().redeem(0)["refresh_token"]
			s.clock.Move(50 * time.Minute)
			token = s.refresh(token)["refresh_token"]
			s.clock.Move(50 * time.Minute)
			return fmt.Sprint(s.refresh(token))
		}},
		"lifetimes.session_idle": {value: "5m", want: "/login?", show: func(s *trial) string {
			b := s.open().browse()
			s.clock.Move(10 * time.Minute)
			return b.authorize()
		}},
		"lifetimes.session_max": {value: "40m", want: "/login?", show: func(s *trial) string {
			b := s.open().browse()
			s.clock.Move(25 * time.Minute)
			if to := b.authorize(); strings.Contains(to, "/login?") {
				s.Fatalf("after 25 minutes: %s", to)
			}
			if err := s.Sessions.Flush(s.Context()); err != nil {
				s.Fatal(err)
			}
			s.clock.Move(25 * time.Minute)
			return b.authorize()
		}},
		"lifetimes.streambird_jwt": {value: "5m", want: "300 s", show: (*trial).streambirdJWT},
		"lifetimes.exchange": {value: "60s", want: "invalid_exchange", show: func(s *trial) string {
			login := s.open().signIn("strict", "vera")
			exchange := s.call(login, "/initiate", "method", "totp", "usage", "second")["exchange"].(object)["exchange_id"]
			s.clock.Move(2 * time.Minute)
			return fmt.Sprint(s.call(login, "/verify", "method", "totp", "usage", "second", "exchange_id", exchange, "passcode", s.appCode(s.clock.Now(), aliceSecret)))
		}},
		"lifetimes.verified": {value: "30s", want: "error=", show: func(s *trial) string { return s.open().verify(2 * time.Minute) }},
		"lifetimes.enroll":   {value: "1m", want: "enrollment_expired", show: func(s *trial) string { return fmt.Sprint(s.open().enroll(2 * time.Minute)) }},
		"lifetimes.reauth": {value: "1m", want: "reauthentication_required", show: func(s *trial) string {
			login := s.open().signIn("strict", "nora")
			s.clock.Move(5 * time.Minute)
			return fmt.Sprint(s.call(login, "/enroll", "method", "totp"))
		}},
		"lifetimes.enrollment_code": {value: "1h", want: "passcode_expired", show: func(s *trial) string {
			account, err := s.open().Users.Named(s.Context(), "nora")
			if err != nil {
				s.Fatal(err)
			}
			code, err := s.Users.ResetFactors(s.Context(), mfa.Caller{}, account)
			if err != nil {
				s.Fatal(err)
			}
			s.clock.Move(2 * time.Hour)
			return fmt.Sprint(s.call(s.signIn("strict", "nora"), "/enroll", "method", "totp", "enrollment_code", code))
		}},
		"totp_window": {value: "0", want: "invalid_passcode", show: func(s *trial) string {
			login := s.open().signIn("strict", "vera")
			return fmt.Sprint(s.call(login, "/verify", "method", "totp", "usage", "second", "passcode", s.appCode(s.clock.Now().Add(-30*time.Second), aliceSecret)))
		}},
	}
}
