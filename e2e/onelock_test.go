package e2e

import (
	"net/http"
	"strings"
	"testing"
)

// Wrong codes through one surface make all surfaces wait, each in its own format, until an
// administrator ends the wait.
func TestWrongCodesOnOneSurfaceLockAllSurfaces(t *testing.T) {
	t.Parallel()
	onSurfaces(t, func(s *surfaces) {
		u := s.user(s.T, true)
		id := s.ids(u.email)
		p := s.atMFA(u)
		c, exchange := s.exchange("TOTP", u.email)
		stytch := func(code string) reply {
			return s.stytch.json("/v1/totps/authenticate", "user_id", id.stytch, "totp_code", code)
		}
		bird := func(code string) reply {
			return s.bird.json("/v1/auth/totps/verify", "user_id", id.bird, "totp", code)
		}
		current := s.totp(u)
		for range 5 {
			if r := bird(another(current)); r.code != http.StatusBadRequest || !strings.Contains(r.text, `"invalid_totp"`) {
				s.Fatalf("a wrong code: %d %s", r.code, r.text)
			}
		}
		if r := bird(current); r.code != http.StatusForbidden || !strings.Contains(r.text, `"user_locked"`) {
			s.Errorf("Streambird: %d %s, want user_locked", r.code, r.text)
		}
		if r := stytch(current); r.code != http.StatusTooManyRequests || !strings.Contains(r.text, `"user_lock_limit_reached"`) {
			s.Errorf("Stytch: %d %s, want user_lock_limit_reached", r.code, r.text)
		}
		p.submit("mfa-submit", "passcode", current).at("/mfa")
		if p.code != http.StatusTooManyRequests {
			s.Errorf("hosted page: %d, want 429:\n%s", p.code, p.text)
		}
		s.command(s.T, "user", "unlock", "--config", s.settings, u.name)
		stytch(current).is(s.T, http.StatusOK)
		bird(s.totp(u)).is(s.T, http.StatusOK)
		s.right(byPage(s.atMFA(u)), s.totp(u))
		s.right(byExchange(c, "TOTP", exchange), s.totp(u))
	})
}

// another returns a code that is not the given one.
func another(code string) string {
	if code == "000000" {
		return "000001"
	}
	return "000000"
}
