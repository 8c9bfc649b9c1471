package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"golang.org/x/oauth2"
)

// backendSession is a session in the response of either dialect.
type backendSession struct {
	Token   string `json:"session_token"`
	JWT     string `json:"session_jwt"`
	Session struct {
		Stytch string `json:"session_id"`
		Bird   string `json:"id"`
	}
}

// prove creates a session with a TOTP code, by the dialect of a caller.
func (s *surfaces) prove(c *caller, u user) (x backendSession) {
	s.Helper()
	id, code := s.ids(u.email), s.totp(u)
	if c == s.bird {
		c.post("/v1/auth/totps/verify", map[string]any{"user_id": id.bird, "totp": code, "session_expires_in": 60}).into(s.T, &x)
	} else {
		c.post("/v1/totps/authenticate", map[string]any{"user_id": id.stytch, "totp_code": code, "session_duration_minutes": 60}).into(s.T, &x)
	}
	return x
}

// authenticate checks a session by the dialect of a caller; by is session_token or session_jwt.
func (s *surfaces) authenticate(c *caller, by, text string) reply {
	s.Helper()
	if c == s.bird {
		return c.json("/v1/auth/sessions/verify", by, text)
	}
	return c.json("/v1/sessions/authenticate", by, text)
}

// factor is a proof of a session, as either dialect lists it.
type factor struct {
	Type     string
	Delivery string `json:"delivery_method"`
	Channel  string `json:"delivery_channel"`
	Method   struct {
		ID   string `json:"method_id"`
		Type string `json:"method_type"`
	}
	App struct {
		ID string `json:"totp_id"`
	} `json:"authenticator_app_factor"`
}

// listed is a session in a list of either dialect.
type listed struct {
	Stytch  string   `json:"session_id"`
	Bird    string   `json:"id"`
	Token   string   `json:"session_token"`
	Factors []factor `json:"factors"`
	Proofs  []factor `json:"authentication_factors"`
}

// sessions lists the sessions of a user by both dialects, which show the same ones.
func (s *surfaces) sessions(u user) (stytch, bird []listed) {
	s.Helper()
	id := s.ids(u.email)
	var a, b struct{ Sessions []listed }
	s.stytch.do(http.MethodGet, "/v1/sessions?user_id="+id.stytch, "", "").into(s.T, &a)
	s.bird.do(http.MethodGet, "/v1/auth/sessions/list?user_id="+id.bird, "", "").into(s.T, &b)
	if len(a.Sessions) != len(b.Sessions) {
		s.Fatalf("Stytch lists %d sessions, Streambird %d", len(a.Sessions), len(b.Sessions))
	}
	return a.Sessions, b.Sessions
}

// A session that one dialect created is a session of the other.
func TestASessionOfOneDialectIsOneOfTheOther(t *testing.T) {
	t.Parallel()
	onSurfaces(t, func(s *surfaces) {
		for _, c := range []struct {
			name         string
			maker, other *caller
		}{{"created by Stytch", s.stytch, s.bird}, {"created by Streambird", s.bird, s.stytch}} {
			u := s.user(s.T, true)
			made := s.prove(c.maker, u)
			if stytch, bird := s.sessions(u); len(stytch) != 1 || len(stytch[0].Proofs) != 1 || stytch[0].Proofs[0].Type != "totp" ||
				len(bird[0].Factors) != 1 || bird[0].Factors[0].Type != "totp" || bird[0].Token != "" {
				s.Fatalf("%s: listed as %+v and %+v, want one session by TOTP", c.name, stytch, bird)
			}
			var seen backendSession
			s.authenticate(c.other, "session_token", made.Token).into(s.T, &seen)
			if seen.Token != made.Token {
				s.Errorf("%s: the other dialect has another token", c.name)
			}
			s.authenticate(c.other, "session_jwt", seen.JWT).is(s.T, http.StatusOK)
			s.authenticate(c.maker, "session_jwt", made.JWT).is(s.T, http.StatusOK)
			if s.authenticate(c.other, "session_jwt", made.JWT).code == http.StatusOK {
				s.Errorf("%s: the other dialect accepts its JWT", c.name)
			}
			if c.other == s.bird {
				s.bird.send(http.MethodDelete, "/v1/auth/sessions/delete", map[string]string{"session_id": seen.Session.Bird}).is(s.T, http.StatusOK)
			} else {
				s.stytch.json("/v1/sessions/revoke", "session_id", seen.Session.Stytch).is(s.T, http.StatusOK)
			}
			s.refused(c.maker, made)
			s.refused(c.other, seen)
			if stytch, _ := s.sessions(u); len(stytch) != 0 {
				s.Errorf("%s: listed after it was revoked: %+v", c.name, stytch)
			}
		}
	})
}

// refused fails unless a dialect refuses the token and the JWT of a session.
func (s *surfaces) refused(c *caller, x backendSession) {
	s.Helper()
	for by, text := range map[string]string{"session_token": x.Token, "session_jwt": x.JWT} {
		if r := s.authenticate(c, by, text); r.code != http.StatusNotFound || !strings.Contains(r.text, `"session_not_found"`) {
			s.Errorf("%s of a revoked session: %d %s", by, r.code, r.text)
		}
	}
}

// Backends list the session of a browser with its factors, and end it with all that depends on
// it.
func TestABackendEndsTheSessionOfABrowser(t *testing.T) {
	t.Parallel()
	onSurfaces(t, func(s *surfaces) {
		u := s.user(s.T, true)
		a := newParty(s.T, s.stage, "web", webRedirect, s.secret, "openid")
		p := newPerson(s.T, s.issuer).open(a.start(oauth2.SetAuthURLParam("acr_values", "aal2"))).signIn(u).at("/mfa")
		p.submit("mfa-submit", "passcode", s.totp(u))
		token, _, _ := a.tokens(p)
		stytch, bird := s.sessions(u)
		if len(stytch) != 1 {
			s.Fatalf("%d sessions, want that of the browser", len(stytch))
		}
		s.factors(stytch[0], bird[0])
		none := func() string {
			b := newParty(s.T, s.stage, "spa", spaRedirect, "")
			return p.open(b.start(oauth2.SetAuthURLParam("prompt", "none"))).sent().Get("error")
		}
		if got := none(); got != "" {
			s.Fatalf("prompt=none in the session: %q", got)
		}
		next, err := a.refresh(token.RefreshToken)
		if err != nil {
			s.Fatal(err)
		}
		s.stytch.json("/v1/sessions/revoke", "session_id", stytch[0].Stytch).is(s.T, http.StatusOK)
		if got := none(); got != "login_required" {
			s.Errorf("prompt=none after the session: %q, want login_required", got)
		}
		if _, err := a.refresh(next.RefreshToken); err == nil || !strings.Contains(err.Error(), "invalid_grant") {
			s.Errorf("its refresh token: %v, want invalid_grant", err)
		}
		if a.active(next.AccessToken) {
			s.Error("its access token is active")
		}
		s.bird.send(http.MethodDelete, "/v1/auth/sessions/delete", map[string]string{"session_id": bird[0].Bird}).is(s.T, http.StatusNotFound)
	})
}

// factors checks how the dialects show a session by password and TOTP.
func (s *surfaces) factors(stytch, bird listed) {
	s.Helper()
	var types, channels []string
	for _, f := range stytch.Proofs {
		types = append(types, f.Type+" by "+f.Delivery)
		if f.Type == "totp" && f.App.ID == "" {
			s.Errorf("Stytch: %+v has no ID", f)
		}
	}
	for _, f := range bird.Factors {
		channels = append(channels, f.Type+" by "+f.Channel)
		if f.Method.ID == "" || f.Method.Type == "" {
			s.Errorf("Streambird: %+v has no method", f)
		}
	}
	slices.Sort(types)
	slices.Sort(channels)
	if want := []string{"password by knowledge", "totp by authenticator_app"}; !slices.Equal(types, want) {
		s.Errorf("Stytch: factors %q, want %q", types, want)
	}
	if want := []string{"password by password", "totp by totp_authenticator"}; !slices.Equal(channels, want) {
		s.Errorf("Streambird: factors %q, want %q", channels, want)
	}
}
