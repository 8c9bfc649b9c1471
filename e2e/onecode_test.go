package e2e

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// try sends a code to a surface and returns the status of the response; 200: the code was right.
type try struct {
	surface string
	send    func(code string) int
}

// race sends a code by all tries at the same time and returns the surfaces where it was right.
// Every other try must be refused.
func (s *surfaces) race(code string, tries []try) []string {
	s.Helper()
	statuses, start := make([]int, len(tries)), make(chan struct{})
	var wg sync.WaitGroup
	for i, x := range tries {
		wg.Go(func() {
			<-start
			statuses[i] = x.send(code)
		})
	}
	close(start)
	wg.Wait()
	var won []string
	for i, status := range statuses {
		switch {
		case status == http.StatusOK:
			won = append(won, tries[i].surface)
		case status < 400 || status >= 500 && status != http.StatusServiceUnavailable: // SQLite may be busy
			s.Errorf("%s: status %d, want a refusal", tries[i].surface, status)
		}
	}
	return won
}

// right fails unless a surface accepts a code.
func (s *surfaces) right(x try, code string) {
	s.Helper()
	if status := x.send(code); status != http.StatusOK {
		s.Errorf("%s: status %d, want %d", x.surface, status, http.StatusOK)
	}
}

// byBackend returns tries of a backend.
func byBackend(n int, surface string, c *caller, path, owner, id, member string) []try {
	out := make([]try, n)
	for i := range out {
		out[i] = try{surface, func(code string) int { return c.json(path, owner, id, member, code).code }}
	}
	return out
}

// byExchange is a try through cidaas.
func byExchange(c *caller, method, exchange string) try {
	return try{"cidaas", func(code string) int {
		return c.json("/verification-srv/v2/authenticate/authenticate/"+method, "exchange_id", exchange, "type", method, "pass_code", code).code
	}}
}

// byPage is a try on the hosted page.
func byPage(p *person) try {
	return try{"hosted page", func(code string) int {
		if err := p.browser.Submit("mfa-submit", "passcode", code); err != nil {
			p.t.Error(err)
			return 0
		}
		if p.browser.Arrived != nil {
			return http.StatusOK
		}
		return p.browser.Code
	}}
}

// A TOTP code of a user proves one step, whichever surfaces get it at the same time.
func TestATOTPCodeWorksOnceOnAllSurfaces(t *testing.T) {
	t.Parallel()
	onSurfaces(t, func(s *surfaces) {
		u := s.user(s.T, true)
		id := s.ids(u.email)
		begin := func(n int) []try {
			tries := append(byBackend(n, "Stytch", s.stytch, "/v1/totps/authenticate", "user_id", id.stytch, "totp_code"),
				byBackend(n, "Streambird", s.bird, "/v1/auth/totps/verify", "user_id", id.bird, "totp")...)
			for range n {
				c, exchange := s.exchange("TOTP", u.email)
				tries = append(tries, byExchange(c, "TOTP", exchange), byPage(s.atMFA(u)))
			}
			return tries
		}
		for _, x := range begin(1) {
			s.right(x, s.totp(u))
		}
		code, tries := s.totp(u), begin(s.each(25))
		if won := s.race(code, tries); len(won) != 1 {
			s.Errorf("right %d times: %v, want once", len(won), won)
		}
		if won := s.race(code, tries[:1]); len(won) != 0 {
			s.Errorf("right again: %v", won)
		}
	})
}

func TestARecoveryCodeWorksOnceOnAllSurfaces(t *testing.T) {
	t.Parallel()
	onSurfaces(t, func(s *surfaces) {
		u := s.user(s.T, true)
		id := s.ids(u.email)
		logins := func(n int) (tries []try) {
			for range n {
				c, exchange := s.second("BACKUPCODE", u)
				p := s.atMFA(u)
				p.open(s.issuer + link(s.T, p, "method-recovery")).at("/mfa")
				tries = append(tries, byExchange(c, "BACKUPCODE", exchange), byPage(p))
			}
			return tries
		}
		codes := recoveryCodes(u)
		for i, x := range logins(1) {
			s.right(x, codes[i])
		}
		tries := append(byBackend(s.each(25), "Stytch", s.stytch, "/v1/totps/recover", "user_id", id.stytch, "recovery_code"),
			byBackend(s.each(25), "Streambird", s.bird, "/v1/auth/totps/recovery", "user_id", id.bird, "recovery_code")...)
		if won := s.race(codes[2], append(tries, logins(s.each(25))...)); len(won) != 1 {
			s.Errorf("right %d times: %v, want once", len(won), won)
		}
	})
}

// A code that a backend had sent works for the backends of both dialects, once. Logins have
// codes of their own.
func TestATextMessageCodeWorksOnceForBackendsAndNotInLogins(t *testing.T) {
	t.Parallel()
	onSurfaces(t, func(s *surfaces) {
		u := user{texter.Name, texter.Email, texter.Password, ""}
		s.enrollSMS(u)
		var tries []try
		for range 2 {
			s.clock.Move(10 * time.Minute)
			c, exchange := s.exchange("SMS", u.email)
			s.clock.Move(10 * time.Minute)
			p := s.atMFA(u).submit("mfa-send").at("/mfa")
			tries = append(tries, byExchange(c, "SMS", exchange), byPage(p))
		}
		var sent struct {
			Phone string `json:"phone_id"`
		}
		s.clock.Move(time.Second)
		s.stytch.post("/v1/otps/sms/send", map[string]any{"phone_number": phoneNumber, "expiration_minutes": 5}).into(s.T, &sent)
		code := s.lastCode()
		tries = append(tries, byBackend(s.each(48), "Stytch", s.stytch, "/v1/otps/authenticate", "method_id", sent.Phone, "code")...)
		tries = append(tries, byBackend(s.each(48), "Streambird", s.bird, "/v1/auth/otps/verify", "method_id", s.phoneID(u), "otp")...)
		won := s.race(code, tries)
		if len(won) != 1 || won[0] != "Stytch" && won[0] != "Streambird" {
			s.Errorf("right %d times: %v, want once for a backend", len(won), won)
		}
	})
}

// enrollSMS makes codes by text message a second factor of a user.
func (s *surfaces) enrollSMS(u user) {
	s.Helper()
	a := newParty(s.T, s.stage, "shop", shopRedirect, "", "openid", "email")
	token, _, _ := a.tokens(newPerson(s.T, s.issuer).open(a.start()).signIn(u))
	c := newCaller(s.T, s.issuer)
	c.header.Set("Authorization", "Bearer "+token.AccessToken)
	exchange := c.json("/verification-actions-srv/setup/SMS/initiation", "mobile_number", phoneNumber).is(s.T, http.StatusOK).at(s.T, "data", "exchange_id", "exchange_id")
	c.json("/verification-actions-srv/setup/SMS/verification", "exchange_id", exchange, "pass_code", s.lastCode()).is(s.T, http.StatusOK)
}

// phoneID returns Streambird's ID of a user's phone number.
func (s *surfaces) phoneID(u user) string {
	s.Helper()
	var found struct {
		Phones []struct{ ID string } `json:"phone_numbers"`
	}
	s.bird.do(http.MethodGet, "/v1/auth/users/"+s.ids(u.email).bird, "", "").into(s.T, &found)
	if len(found.Phones) != 1 {
		s.Fatalf("%+v, want one phone number", found)
	}
	return found.Phones[0].ID
}

// each returns how many tries a surface gets. SQLite has one writer: with the race detector a
// hundred callers wait longer than it lets them.
func (s *surfaces) each(n int) int {
	if strings.Contains(s.Name(), "/SQLite") {
		return n / 5
	}
	return n
}
