package main

import (
	"context"
	"fmt"
	"testing"
	"time"

	"sallyport/cmd/sallyport/server"
	"sallyport/cmd/sallyport/servertest"
	"sallyport/mfa"
	"sallyport/web/admin"
)

// password is what the admin API says to a new password of Nora's.
func (s *trial) password(plain string) string {
	s.Helper()
	api, err := s.open().AdminAPI(servertest.AdminKey, "http://localhost", server.NewLog(&s.log, "info"), s.program().Random)
	if err != nil {
		s.Fatal(err)
	}
	account, err := s.Store.AccountByIdentifier(s.Context(), "nora")
	if err != nil {
		s.Fatal(err)
	}
	s.Handler = api
	return s.send("POST", admin.Base+"/users/"+string(account.User.ID)+"/password", "application/json", `{"password":"`+plain+`"}`,
		"Authorization", "Bearer "+servertest.AdminKey).Body.String()
}

// hash is that of Nora's password after she has signed in.
func hash(s *trial) string {
	s.open().entered("own", "nora")
	account, err := s.Store.AccountByIdentifier(s.Context(), "nora")
	if err != nil {
		s.Fatal(err)
	}
	out := ""
	for _, a := range account.Authenticators {
		out += string(a.Secret)
	}
	return out
}

// passwords are the settings of passwords and their hashes.
func (o *origin) passwords(t *testing.T) map[string]effect {
	const breached = "stolen elsewhere qzvk"
	return map[string]effect{
		"passwords.min_length":        {value: "12", want: "fewer than 12", show: func(s *trial) string { return s.password("qzvkjxwbnm") }},
		"passwords.min_length, pages": {value: "12", want: `minlength="12"`, show: func(s *trial) string { return s.open().signedIn().visit("GET", "/account/password", "").Body.String() }},
		"passwords.breached_file":     {value: breachedFile(t, breached), want: "breached", show: func(s *trial) string { return s.password(breached) }},
		"argon2.memory":               {value: "20480", want: "m=20480,", show: hash},
		"argon2.time":                 {value: "3", want: ",t=3,", show: hash},
		"argon2.threads":              {value: "2", want: ",p=2,", show: hash},
		"argon2.parallel":             {value: "7", want: "argon2_places 7", show: scrape},
		"argon2.queue":                {value: "7", want: "argon2_queue_places 7", show: scrape},
		"argon2.wait": {value: "100ms", with: set{"ARGON2_PARALLEL": "1"}, want: "busy", show: func(s *trial) string {
			login := s.open().begun("own")
			release, err := s.Server.Password.Reserve(context.Background(), mfa.Place{})
			if err != nil {
				s.Fatal(err)
			}
			time.AfterFunc(500*time.Millisecond, release)
			return fmt.Sprint(s.in(login, "/password", "identifier", "nora", "password", alicePass))
		}},
	}
}

// wrong proves wrong passwords, n times, of so many names.
func (s *trial) wrong(n, names int) answer {
	s.Helper()
	login, last := s.begun("own"), answer{}
	for i := range n {
		last = s.in(login, "/password", "identifier", fmt.Sprintf("stranger%d", i%names), "password", "wrong")
	}
	return last
}

// limits are the settings of what comes from one address.
func (o *origin) limits() map[string]effect {
	enters := func(s *trial) string {
		return fmt.Sprint(s.in(s.begun("own"), "/password", "identifier", "nora", "password", alicePass))
	}
	return map[string]effect{
		"throttle.address_failures": {value: "10", want: "too_many_attempts", show: func(s *trial) string { s.open().wrong(10, 5); return enters(s) }},
		"throttle.address_users":    {value: "2", want: "too_many_attempts", show: func(s *trial) string { s.open().wrong(3, 3); return enters(s) }},
		"throttle.address_window": {value: "1m", with: set{"THROTTLE_ADDRESS_USERS": "2"}, want: "step:done", show: func(s *trial) string {
			s.open().wrong(3, 3)
			s.clock.Move(2 * time.Minute)
			return enters(s)
		}},
		"limits.opens": {value: "1", want: "status:429", show: func(s *trial) string {
			s.open().begun("own")
			return fmt.Sprint(s.json(trialAPI+"/requests", trialParams("own")))
		}},
		"limits.initiations": {value: "1", want: "status:429", show: func(s *trial) string {
			login := s.open().entered("strict", "vera")
			s.in(login, "/initiate", "method", "totp", "usage", "second")
			return fmt.Sprint(s.in(login, "/initiate", "method", "totp", "usage", "second"))
		}},
		"limits.names": {value: "1", want: "status:429", show: func(s *trial) string {
			login := s.open().begun("own")
			s.in(login, "/identify", "identifier", "nora")
			return fmt.Sprint(s.in(login, "/identify", "identifier", "vera"))
		}},
		"limits.failures": {value: "1", want: "status:429", show: func(s *trial) string { return fmt.Sprint(s.open().wrong(3, 3)) }},
		"limits.refusals": {value: "1", want: "0 events", show: func(s *trial) string {
			s.open()
			for range 3 {
				s.send("POST", "/token", "application/x-www-form-urlencoded", "grant_type=client_credentials&client_id=machine&client_secret=wrong")
			}
			return s.trail(mfa.EventClientFailed)
		}},
	}
}
