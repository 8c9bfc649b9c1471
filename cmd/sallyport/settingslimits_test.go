package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"runtime"
	"testing"
	"time"

	"sallyport/cmd/sallyport/server"
	"sallyport/cmd/sallyport/servertest"
	"sallyport/mfa"
	"sallyport/provider/apikeys"
	"sallyport/web/admin"
)

// callAdmin makes a call of the admin API and returns the body of the response.
func (s *trial) callAdmin(method, path, body string) string {
	s.Helper()
	api, err := s.AdminAPI(servertest.AdminKey, "http://localhost", server.NewLog(&s.log, "info"), s.program().Random)
	if err != nil {
		s.Fatal(err)
	}
	s.Handler = api
	return s.send(method, admin.Base+path, "application/json", body, "Authorization", "Bearer "+servertest.AdminKey).Body.String()
}

// setPassword sets a new password for Nora and returns the body of the response.
func (s *trial) setPassword(plain string) string {
	s.Helper()
	account, err := s.open().Users.Named(s.Context(), "nora")
	if err != nil {
		s.Fatal(err)
	}
	return s.callAdmin("POST", "/users/"+string(account.User.ID)+"/password", `{"password":"`+plain+`"}`)
}

// passwordHash returns the stored hash of Nora's password after she has signed in.
func passwordHash(s *trial) string {
	s.open().signIn("own", "nora")
	account, err := s.Users.Named(s.Context(), "nora")
	if err != nil {
		s.Fatal(err)
	}
	out := ""
	for _, a := range account.Authenticators {
		out += string(a.Secret)
	}
	return out
}

// passwords are the rows of passwords and their hashes.
func (o *trialSource) passwords(t *testing.T) map[string]effect {
	const breached = "stolen elsewhere qzvk"
	return map[string]effect{
		"passwords.min_length":        {value: "12", want: "fewer than 12", show: func(s *trial) string { return s.setPassword("qzvkjxwbnm") }},
		"passwords.min_length, pages": {value: "12", want: `minlength="12"`, show: func(s *trial) string { return s.open().browse().request("GET", "/account/password", "").Body.String() }},
		"passwords.breached_file":     {value: breachedFile(t, breached), want: "breached", show: func(s *trial) string { return s.setPassword(breached) }},
		"argon2.memory":               {value: "20480", want: "m=20480,", show: passwordHash},
		"argon2.time":                 {value: "3", want: ",t=3,", show: passwordHash},
		"argon2.threads":              {value: "2", want: ",p=2,", show: passwordHash},
		"argon2.parallel":             {value: "7", want: "argon2_places 7", show: scrape},
		"argon2.queue":                {value: "7", want: "argon2_queue_places 7", show: scrape},
		// The wait also extends the time of a request.
		"argon2.wait": {value: "5s", with: set{"ARGON2_PARALLEL": "1"}, want: "step:done", show: func(s *trial) string {
			login := s.open().begin("own")
			release, err := s.Server.Password.Reserve(context.Background(), mfa.Place{})
			if err != nil {
				s.Fatal(err)
			}
			go func() {
				defer release()
				for s.Server.Password.Load().Waiting == 0 && s.Context().Err() == nil {
					runtime.Gosched()
				}
				// Longer than the default wait and the time of a request by default: only the
				// setting can still let the login in.
				select {
				case <-time.After(3 * time.Second):
				case <-s.Context().Done():
				}
			}()
			return fmt.Sprint(s.call(login, "/password", "identifier", "nora", "password", alicePass))
		}},
	}
}

// failLogins sends n wrong passwords for a number of names, and returns the last response.
func (s *trial) failLogins(n, names int) object {
	s.Helper()
	login, last := s.begin("own"), object{}
	for i := range n {
		last = s.call(login, "/password", "identifier", fmt.Sprintf("user%d", i%names), "password", "wrong")
	}
	return last
}

// limits are the rows of limits by address.
func (o *trialSource) limits() map[string]effect {
	enters := func(s *trial) string {
		return fmt.Sprint(s.call(s.begin("own"), "/password", "identifier", "nora", "password", alicePass))
	}
	return map[string]effect{
		"throttle.address_failures": {value: "10", want: "too_many_attempts", show: func(s *trial) string { s.open().failLogins(10, 5); return enters(s) }},
		"throttle.address_users":    {value: "2", want: "too_many_attempts", show: func(s *trial) string { s.open().failLogins(3, 3); return enters(s) }},
		"throttle.address_window": {value: "1m", with: set{"THROTTLE_ADDRESS_USERS": "2"}, want: "step:done", show: func(s *trial) string {
			s.open().failLogins(3, 3)
			s.clock.Move(2 * time.Minute)
			return enters(s)
		}},
		"limits.opens": {value: "1", want: "status:429", show: func(s *trial) string {
			s.open().begin("own")
			return fmt.Sprint(s.json(trialAPI+"/requests", trialParams("own")))
		}},
		"limits.initiations": {value: "1", want: "status:429", show: func(s *trial) string {
			login := s.open().signIn("strict", "vera")
			s.call(login, "/initiate", "method", "totp", "usage", "second")
			return fmt.Sprint(s.call(login, "/initiate", "method", "totp", "usage", "second"))
		}},
		"limits.names": {value: "1", want: "status:429", show: func(s *trial) string {
			login := s.open().begin("own")
			s.call(login, "/identify", "identifier", "nora")
			return fmt.Sprint(s.call(login, "/identify", "identifier", "vera"))
		}},
		"limits.failures": {value: "1", want: "status:429", show: func(s *trial) string { return fmt.Sprint(s.open().failLogins(3, 3)) }},
		"limits.refusals": {value: "1", want: "0 events", show: func(s *trial) string {
			s.open()
			for range 3 {
				s.send("POST", "/token", "application/x-www-form-urlencoded", "grant_type=client_credentials&client_id=machine&client_secret=wrong")
			}
			return s.auditTrail(mfa.EventClientFailed)
		}},
		"limits.calls": {value: "1", want: "status_code:429", show: func(s *trial) string { return s.open().searchTwice() }},
	}
}

// searchTwice searches users as a backend written for Stytch, twice in a second.
func (s *trial) searchTwice() string {
	s.Helper()
	const project = "project-test-11111111-2222-3333-4444-555555555555"
	_, secret, err := s.APIKeys.Create(s.Context(), mfa.Caller{}, apikeys.Operator(), apikeys.Draft{Name: "stytch",
		Dialects: []string{apikeys.DialectStytch}, Verbs: []string{apikeys.VerbRead}, Project: project})
	if err != nil {
		s.Fatal(err)
	}
	search := func() map[string]any {
		return s.read(s.send("POST", "/v1/users/search", "application/json", "{}",
			"Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(project+":"+secret))))
	}
	search()
	return fmt.Sprint(search())
}

// streambirdJWT returns how long the JWT of a new session of the Streambird dialect is valid.
func (s *trial) streambirdJWT() string {
	s.open()
	_, secret, err := s.APIKeys.Create(s.Context(), mfa.Caller{}, apikeys.Operator(),
		apikeys.Draft{Name: "trial", Dialects: []string{apikeys.DialectStreambird}, Verbs: []string{apikeys.VerbRead, apikeys.VerbWrite}})
	if err != nil {
		s.Fatal(err)
	}
	call := func(path, body string) object {
		return s.read(s.send("POST", "/v1/auth"+path, "application/json", body, "Authorization", "Bearer "+secret))
	}
	user := call("/users/create", `{"email":"una@example.com"}`)["user_id"]
	app := call("/totps/create", fmt.Sprintf(`{"user_id":"%s"}`, user))["secret"].(string)
	proven := call("/totps/verify", fmt.Sprintf(`{"user_id":"%s","totp":"%s","session_expires_in":60}`, user, s.appCode(s.clock.Now(), app)))
	c := s.jwtPart(proven["session_jwt"], 1)
	return fmt.Sprint(c["exp"].(float64)-c["iat"].(float64), " s")
}
