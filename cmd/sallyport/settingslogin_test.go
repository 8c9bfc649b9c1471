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

	"sallyport/web/webtest"
)

const (
	trialAPI      = "/api/login/v1"
	trialCallback = "http://127.0.0.1:9/cb"
)

// answer is an object of JSON.
type answer = map[string]any

func trialParams(client string) answer {
	scope := "openid"
	if client == "own" {
		scope += " offline_access"
	}
	return answer{"response_type": "code", "client_id": client, "redirect_uri": trialCallback, "scope": scope, "state": "0123456789",
		"code_challenge": webtest.Challenge(strings.Repeat("v", 43)), "code_challenge_method": "S256"}
}

// begun begins a login by program and returns what names it.
func (s *trial) begun(client string) answer {
	s.Helper()
	return answer{"request_id": s.json(trialAPI+"/requests", trialParams(client))["request_id"]}
}

// in makes a call of a login.
func (s *trial) in(login answer, call string, pairs ...any) answer {
	s.Helper()
	members := maps.Clone(login)
	for i := 0; i+1 < len(pairs); i += 2 {
		members[pairs[i].(string)] = pairs[i+1]
	}
	return s.json(trialAPI+call, members)
}

// entered begins a login and proves name and password.
func (s *trial) entered(client, name string) answer {
	s.Helper()
	login := s.begun(client)
	r := s.in(login, "/password", "identifier", name, "password", alicePass)
	if login["login_token"] = r["login_token"]; r["login_token"] == nil {
		s.Fatalf("no password was proven: %v", r)
	}
	return login
}

// app is what Vera's authenticator app shows at a time.
func (s *trial) app(at time.Time, secret string) string {
	s.Helper()
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
	if err != nil {
		s.Fatal(err)
	}
	return s.TOTP.CodeAt(key, at)
}

// redeemed exchanges the code of a login of the client own for tokens, after a wait.
func (s *trial) redeemed(wait time.Duration) answer {
	s.Helper()
	finished := s.in(s.entered("own", "nora"), "/finish")
	s.clock.Move(wait)
	return s.form("/token", url.Values{"grant_type": {"authorization_code"}, "client_id": {"own"}, "code": {fmt.Sprint(finished["code"])},
		"redirect_uri": {trialCallback}, "code_verifier": {strings.Repeat("v", 43)}})
}

func (s *trial) refreshed(token any) answer {
	s.Helper()
	return s.form("/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {"own"}, "refresh_token": {fmt.Sprint(token)}})
}

// part is a part of a JWT: 0 its header, 1 its claims.
func (s *trial) part(token any, n int) answer {
	s.Helper()
	parts := strings.Split(fmt.Sprint(token), ".")
	if len(parts) != 3 {
		s.Fatalf("no JWT: %v", token)
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[n])
	out := answer{}
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

func (b browser) visit(method, path, body string) *httptest.ResponseRecorder {
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

// goes returns where the authorization endpoint leads.
func (b browser) goes() string {
	b.Helper()
	q := url.Values{}
	for name, value := range trialParams("own") {
		q.Set(name, value.(string))
	}
	return b.visit("GET", "/authorize?"+q.Encode(), "").Header().Get("Location")
}

// signedIn is Nora's browser after she has signed in.
func (s *trial) signedIn() browser {
	s.Helper()
	b := browser{s, webtest.Jar{}}
	action, form, ok := webtest.Form(b.visit("GET", b.goes(), "").Body.String(), `id="login-submit"`)
	if !ok {
		s.Fatal("no form to sign in with")
	}
	form.Set("username", "nora")
	form.Set("password", alicePass)
	if w := b.visit("POST", action, form.Encode()); w.Code != http.StatusSeeOther {
		s.Fatalf("sign in: %d %s", w.Code, w.Body)
	}
	return b
}

// verified verifies a code of Vera's in place of a password, and redeems it after a wait.
func (s *trial) verified(wait time.Duration) string {
	s.Helper()
	b := browser{s, webtest.Jar{}}
	at, err := url.Parse(b.goes())
	if err != nil {
		s.Fatal(err)
	}
	post := func(path string, members answer) answer {
		text, err := json.Marshal(members)
		if err != nil {
			s.Fatal(err)
		}
		cookies := httptest.NewRequest("GET", "/", nil)
		b.jar.Put(cookies)
		r := s.read(s.send("POST", "/verification-srv/authentication/totp/"+path, "application/json", string(text), "Cookie", cookies.Header.Get("Cookie")))
		data, ok := r["data"].(answer)
		if !ok {
			s.Fatalf("%s: %v", path, r)
		}
		return data
	}
	request := at.Query().Get("requestId")
	d := post("initiation", answer{"request_id": request, "identifier": "vera", "usage_type": "PASSWORDLESS_AUTHENTICATION"})
	post("verification", answer{"exchange_id": d["exchange_id"].(answer)["exchange_id"], "passcode": s.app(s.clock.Now(), aliceSecret)})
	s.clock.Move(wait)
	return b.visit("POST", "/login-srv/verification/login", url.Values{"requestId": {request}, "verificationType": {"TOTP"},
		"sub": {fmt.Sprint(d["sub"])}, "status_id": {fmt.Sprint(d["status_id"])}}.Encode()).Header().Get("Location")
}

// lifetimes are the settings of how long things live, and of the window of codes.
func (o *origin) lifetimes() map[string]effect {
	return map[string]effect{
		"lifetimes.request": {value: "10m", want: "unknown_request", show: func(s *trial) string {
			login := s.open().begun("own")
			s.clock.Move(20 * time.Minute)
			return fmt.Sprint(s.in(login, "/step"))
		}},
		"lifetimes.code":         {value: "10s", want: "invalid_grant", show: func(s *trial) string { return fmt.Sprint(s.open().redeemed(30 * time.Second)) }},
		"lifetimes.access_token": {value: "5m", want: "expires_in:300", show: func(s *trial) string { return fmt.Sprint(s.open().redeemed(0)) }},
		"lifetimes.id_token": {value: "5m", want: "300 s", show: func(s *trial) string {
			c := s.open().part(s.redeemed(0)["id_token"], 1)
			return fmt.Sprint(c["exp"].(float64)-c["iat"].(float64), " s")
		}},
		"lifetimes.refresh_idle": {value: "1h", want: "invalid_grant", show: func(s *trial) string {
			token := s.open().redeemed(0)["refresh_token"]
			s.clock.Move(2 * time.Hour)
			return fmt.Sprint(s.refreshed(token))
		}},
		"lifetimes.refresh_max": {value: "1h", with: map[string]string{"LIFETIMES_REFRESH_IDLE": "1h"}, want: "invalid_grant", show: func(s *trial) string {
			token := s.open().redeemed(0)["refresh_token"]
			s.clock.Move(50 * time.Minute)
			token = s.refreshed(token)["refresh_token"]
			s.clock.Move(50 * time.Minute)
			return fmt.Sprint(s.refreshed(token))
		}},
		"lifetimes.session_idle": {value: "5m", want: "/login?", show: func(s *trial) string {
			b := s.open().signedIn()
			s.clock.Move(10 * time.Minute)
			return b.goes()
		}},
		"lifetimes.session_max": {value: "40m", want: "/login?", show: func(s *trial) string {
			b := s.open().signedIn()
			s.clock.Move(25 * time.Minute)
			if to := b.goes(); strings.Contains(to, "/login?") {
				s.Fatalf("after 25 minutes: %s", to)
			}
			if err := s.Sessions.Flush(s.Context()); err != nil {
				s.Fatal(err)
			}
			s.clock.Move(25 * time.Minute)
			return b.goes()
		}},
		"lifetimes.exchange": {value: "60s", want: "invalid_exchange", show: func(s *trial) string {
			login := s.open().entered("strict", "vera")
			exchange := s.in(login, "/initiate", "method", "totp", "usage", "second")["exchange"].(answer)["exchange_id"]
			s.clock.Move(2 * time.Minute)
			return fmt.Sprint(s.in(login, "/verify", "method", "totp", "usage", "second", "exchange_id", exchange, "passcode", s.app(s.clock.Now(), aliceSecret)))
		}},
		"lifetimes.verified": {value: "30s", want: "error=", show: func(s *trial) string { return s.open().verified(2 * time.Minute) }},
		"lifetimes.enroll": {value: "1m", want: "enrollment_expired", show: func(s *trial) string {
			login := s.open().entered("strict", "nora")
			begun := s.in(login, "/enroll", "method", "totp")["enrollment"].(answer)
			s.clock.Move(2 * time.Minute)
			return fmt.Sprint(s.in(login, "/enroll/confirm", "exchange_id", begun["exchange_id"], "passcode", s.app(s.clock.Now(), begun["secret"].(string))))
		}},
		"lifetimes.reauth": {value: "1m", want: "reauthentication_required", show: func(s *trial) string {
			login := s.open().entered("strict", "nora")
			s.clock.Move(5 * time.Minute)
			return fmt.Sprint(s.in(login, "/enroll", "method", "totp"))
		}},
		"totp_window": {value: "0", want: "invalid_passcode", show: func(s *trial) string {
			login := s.open().entered("strict", "vera")
			return fmt.Sprint(s.in(login, "/verify", "method", "totp", "usage", "second", "passcode", s.app(s.clock.Now().Add(-30*time.Second), aliceSecret)))
		}},
	}
}
