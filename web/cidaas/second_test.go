package cidaas

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/storage"
)

// The application's own page takes name and password, then the second factor, as the
// libraries do it: in the browser the login is bound to.
func TestPasswordThenSecondFactor(t *testing.T) {
	h := newFixture(t)
	h.client(always)
	h.User("ada", totpKey)
	b := h.browser()
	request, at := b.begin()
	if q := h.query(at, app+"/login?"); q.Get("requestId") != request || q.Get("groupname") != "default" || q.Get("view_type") != "login" {
		t.Fatalf("led to %s", at)
	}
	for name, typed := range map[string][2]string{"a wrong password": {"ada", "wrong"}, "an unknown user": {"eve", password}, "nothing": {"", ""}} {
		w := b.form("/login-srv/login", "requestId", request, "username", typed[0], "password", typed[1], "username_type", "email", "rememberMe", "true")
		if name == "a wrong password" {
			golden(t, "login_wrong", w)
		}
		q := h.query(h.is(w, http.StatusSeeOther).Header().Get("Location"), app+"/login?")
		want := []string{"error", "error_description", "groupname", "lang", "requestId", "username_type", "view_type"}
		if got := sorted(q); !slices.Equal(got, want) || q.Get("error") != "invalid_username_password" || q.Get("requestId") != request {
			t.Errorf("%s: led to %v", name, q)
		}
	}
	w := h.is(b.form("/login-srv/login", "requestId", request, "username", "ada@example.org", "password", password), http.StatusSeeOther)
	_, to := b.follow(w)
	q := h.query(to, app+"/login?")
	track, sub := q.Get("track_id"), q.Get("sub")
	if q.Get("error") != "mfa_required" || sub == "" || q.Get("q") != sub || q.Get("requestId") != request || !wellFormed(track) {
		t.Fatalf("led to %v, want the page of the second factor with a track", q)
	}
	golden(t, "prelogin", h.is(b.do("GET", "/token-srv/prelogin/metadata/"+track, "application/json", ""), http.StatusOK))

	list := h.is(b.json("/verification-srv/v2/setup/public/configured/list", "sub", sub, "request_id", request), http.StatusOK)
	initiation := h.is(b.json("/verification-srv/v2/authenticate/initiate/totp", "usage_type", "MULTIFACTOR_AUTHENTICATION", "request_id", request,
		"sub", sub, "medium_id", h.at(list, "data.configured_list.0.mediums.0.id"), "type", "totp"), http.StatusOK)
	back := h.query(h.is(b.form("/login-srv/precheck/continue/"+track, "track_id", track), http.StatusSeeOther).Header().Get("Location"), app+"/login?")
	if back.Get("track_id") != track || back.Get("error") == "" {
		t.Errorf("before verification: led to %v, want the page of the second factor again", back)
	}
	h.is(b.json("/verification-srv/v2/authenticate/authenticate/totp", "type", "totp", "exchange_id", h.at(initiation, "data.exchange_id.exchange_id"),
		"pass_code", h.Code(totpKey), "client_id", "shop"), http.StatusOK)
	// The libraries write a word into the form for a missing value.
	w = h.is(b.form("/login-srv/precheck/continue/"+track, "track_id", track, "status_id", "undefined", "requestId", "null", "sub", "undefined",
		"q", "null", "verificationType", "undefined"), http.StatusSeeOther)
	_, to = b.follow(w)
	_, claims := h.claims(h.mustCode(to))
	if claims["acr"] != "aal2" || !slices.Equal(texts(claims["amr"]), []string{"mfa", "otp", "pwd"}) {
		t.Errorf("acr %v and amr %v, want two factors", claims["acr"], claims["amr"])
	}
	used := b.do("GET", "/token-srv/prelogin/metadata/"+track, "application/json", "")
	if used.Code != http.StatusNoContent || used.Body.Len() != 0 {
		t.Errorf("a used track gets %d %q, want 204 and nothing", used.Code, used.Body)
	}
}

func texts(v any) []string {
	var out []string
	list, _ := v.([]any)
	for _, x := range list {
		text, _ := x.(string)
		out = append(out, text)
	}
	return out
}

func TestSecondFactorPageOfTheApplication(t *testing.T) {
	h := newFixture(t)
	h.client(always, func(c *storage.Client) { c.MFAURL = app + "/mfa?from=us" })
	h.User("ada", totpKey)
	page := h.page()
	request := h.at(page.json("/authz-srv/authrequest/authz/generate", flat(authorizeParams("ui_locales", "de"))...), "data.requestId")
	w := page.form("/login-srv/login", "requestId", request, "username", "ada", "password", password)
	golden(t, "login_mfa_required", w)
	if q := h.query(w.Header().Get("Location"), app+"/mfa?"); q.Get("from") != "us" {
		t.Errorf("the page's own parameters are gone: %v", q)
	}
}

// The logins of an application without pages continue on the server's pages, at any step.
func TestLoginContinuesOnTheServersPages(t *testing.T) {
	h := newFixture(t)
	h.client(always, bound)
	h.User("ada", totpKey)
	b := h.browser()
	request, to := b.begin()
	if to != "" {
		t.Fatalf("led to %q, want one of the server's pages", to)
	}
	w := b.form("/login-srv/login", "requestId", request, "username", "ada", "password", "wrong")
	if to := w.Header().Get("Location"); !strings.HasPrefix(to, "/login?") || !strings.Contains(to, "error=invalid_username_password") {
		t.Errorf("led to %q, want the server's page with the reason", to)
	} else if page, _ := b.follow(w); !strings.Contains(page.Body.String(), "Name or password is wrong") {
		t.Errorf("the page does not say why: %s", page.Body)
	}
	w = b.form("/login-srv/login", "requestId", request, "username", "ada", "password", password)
	if page, _ := b.follow(w); !strings.Contains(page.Body.String(), `id="mfa-submit"`) {
		t.Errorf("at %d %s, want the server's page of the second factor", page.Code, page.Body)
	}
}

// attempt is a login prepared for the one call under test.
type attempt struct {
	h                              *fixture
	b                              *caller
	request, exchange, status, sub string
}

// passwordless is a login before its code is typed.
func passwordless(t *testing.T, changes ...func(*storage.Client)) *attempt {
	t.Helper()
	h := newFixture(t)
	h.client(changes...)
	h.User("ada", totpKey)
	h.User("bob", totpKey)
	return h.passwordless(h.browser(), "ada")
}

func (h *fixture) passwordless(b *caller, name string) *attempt {
	h.T.Helper()
	request, _ := b.begin()
	return h.passwordlessIn(b, name, request)
}

func (h *fixture) passwordlessIn(b *caller, name, request string) *attempt {
	h.T.Helper()
	s := &attempt{h: h, b: b, request: request}
	w := h.is(b.json("/verification-srv/authentication/totp/initiation", "request_id", s.request, "identifier", name,
		"usage_type", "PASSWORDLESS_AUTHENTICATION"), http.StatusOK)
	s.exchange, s.status, s.sub = h.at(w, "data.exchange_id.exchange_id"), h.at(w, "data.status_id"), h.at(w, "data.sub")
	return s
}

func (s *attempt) verify() *httptest.ResponseRecorder {
	s.h.T.Helper()
	w := s.b.json("/verification-srv/authentication/totp/verification", "exchange_id", s.exchange, "passcode", s.h.Code(totpKey))
	if w.Code == http.StatusOK {
		s.exchange = s.h.at(w, "data.exchange_id.exchange_id")
	}
	return w
}

func (s *attempt) finish(changes ...string) *httptest.ResponseRecorder {
	s.h.T.Helper()
	pairs := append([]string{"requestId", s.request, "verificationType", "TOTP", "sub", s.sub, "status_id", s.status}, changes...)
	return s.b.form("/login-srv/verification/login", pairs...)
}

func TestNoCodeWithoutProof(t *testing.T) {
	some := "00000000-0000-0000-0000-000000000001"
	for _, tc := range []struct {
		name string
		play func(s *attempt) *httptest.ResponseRecorder
	}{
		{"a status that was not verified", func(s *attempt) *httptest.ResponseRecorder { return s.finish() }},
		{"a status after a wrong code", func(s *attempt) *httptest.ResponseRecorder {
			s.h.is(s.b.json("/verification-srv/authentication/totp/verification", "exchange_id", s.exchange, "passcode", s.h.wrong()), 417)
			return s.finish()
		}},
		{"a cancelled one", func(s *attempt) *httptest.ResponseRecorder {
			golden(s.h.T.(*testing.T), "cancel", s.b.json("/verification-srv/v2/authenticate/cancel/TOTP", "exchange_id", s.exchange, "reason", "changed my mind", "type", "TOTP"))
			s.h.is(s.verify(), expectationFailed)
			return s.finish()
		}},
		{"one cancelled after its verification", func(s *attempt) *httptest.ResponseRecorder {
			s.h.is(s.verify(), http.StatusOK)
			s.h.is(s.b.json("/verification-srv/authentication/totp/cancel", "exchange_id", s.exchange, "reason", "x"), http.StatusOK)
			return s.finish()
		}},
		{"one superseded by a newer one", func(s *attempt) *httptest.ResponseRecorder {
			s.h.is(s.b.json("/verification-srv/authentication/totp/initiation", "request_id", s.request, "identifier", "ada",
				"usage_type", "PASSWORDLESS_AUTHENTICATION"), http.StatusOK)
			s.h.is(s.verify(), expectationFailed)
			return s.finish()
		}},
		{"one that expired before it was redeemed", func(s *attempt) *httptest.ResponseRecorder {
			s.h.is(s.verify(), http.StatusOK)
			s.h.Wait(5 * time.Minute)
			return s.finish()
		}},
		{"an expired login", func(s *attempt) *httptest.ResponseRecorder {
			s.h.is(s.verify(), http.StatusOK)
			s.h.Wait(31 * time.Minute)
			return s.finish()
		}},
		{"another user's masked subject", func(s *attempt) *httptest.ResponseRecorder {
			s.h.is(s.verify(), http.StatusOK)
			return s.finish("sub", some)
		}},
		{"no masked subject", func(s *attempt) *httptest.ResponseRecorder {
			s.h.is(s.verify(), http.StatusOK)
			return s.finish("sub", "undefined")
		}},
		{"another method", func(s *attempt) *httptest.ResponseRecorder {
			s.h.is(s.verify(), http.StatusOK)
			return s.finish("verificationType", "BACKUPCODE")
		}},
		{"no method", func(s *attempt) *httptest.ResponseRecorder {
			s.h.is(s.verify(), http.StatusOK)
			return s.finish("verificationType", "")
		}},
		{"an exchange that is not the newest", func(s *attempt) *httptest.ResponseRecorder {
			old := s.exchange
			s.h.is(s.verify(), http.StatusOK)
			return s.finish("exchange_id", old)
		}},
		{"a status of another login", func(s *attempt) *httptest.ResponseRecorder {
			s.h.is(s.verify(), http.StatusOK)
			other := s.h.passwordless(s.b, "ada")
			return s.finish("requestId", other.request, "sub", other.sub)
		}},
		{"a status in another browser", func(s *attempt) *httptest.ResponseRecorder {
			s.h.is(s.verify(), http.StatusOK)
			s.b = s.h.browser()
			s.b.begin()
			return s.finish()
		}},
		{"a status on another application's page", func(s *attempt) *httptest.ResponseRecorder {
			s.h.is(s.verify(), http.StatusOK)
			s.b.header.Set("Origin", "https://evil.example")
			return s.finish()
		}},
		{"a status on a page that hides its origin", func(s *attempt) *httptest.ResponseRecorder {
			s.h.is(s.verify(), http.StatusOK)
			s.b.header.Set("Origin", "null")
			return s.finish()
		}},
		{"a decoy's", func(s *attempt) *httptest.ResponseRecorder {
			*s = *s.h.decoy(s.b)
			s.h.is(s.verify(), expectationFailed)
			return s.finish()
		}},
		{"an unknown status", func(s *attempt) *httptest.ResponseRecorder { return s.finish("status_id", some) }},
		{"an invalid status", func(s *attempt) *httptest.ResponseRecorder { return s.finish("status_id", "null") }},
		{"an unknown login", func(s *attempt) *httptest.ResponseRecorder {
			s.h.is(s.verify(), http.StatusOK)
			return s.finish("requestId", some)
		}},
		{"no login", func(s *attempt) *httptest.ResponseRecorder { return s.finish("requestId", "undefined") }},
		{"an empty form", func(s *attempt) *httptest.ResponseRecorder { return s.b.form("/login-srv/verification/login") }},
		{"an unknown track", func(s *attempt) *httptest.ResponseRecorder {
			s.h.is(s.verify(), http.StatusOK)
			return s.b.form("/login-srv/precheck/continue/"+some, "track_id", some, "requestId", s.request, "status_id", s.status)
		}},
		{"a client that requires a password", func(s *attempt) *httptest.ResponseRecorder {
			s.h.is(s.verify(), http.StatusOK)
			s.h.client(bound, always)
			return s.finish()
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := passwordless(t, bound)
			s.h.T = t
			_, to := s.b.follow(tc.play(s))
			if strings.Contains(to, "code=") || strings.HasPrefix(to, callback) {
				t.Errorf("led to %s", to)
			}
			for name := range s.b.cookies {
				if strings.HasSuffix(name, "sallyport_session") {
					t.Error("a user is signed in")
				}
			}
		})
	}
}

// decoy is a login of an unknown name, whose decoy has an app.
func (h *fixture) decoy(b *caller) *attempt {
	h.T.Helper()
	for i := range 64 { // each has an app with probability 1/2
		name := fmt.Sprintf("n%d", i)
		s := &attempt{h: h, b: b}
		s.request, _ = b.begin()
		w := b.json("/verification-srv/authentication/totp/initiation", "request_id", s.request, "identifier", name,
			"usage_type", "PASSWORDLESS_AUTHENTICATION")
		if w.Code == http.StatusOK {
			s.exchange, s.status, s.sub = h.at(w, "data.exchange_id.exchange_id"), h.at(w, "data.status_id"), h.at(w, "data.sub")
			return s
		}
	}
	h.T.Fatal("no decoy has an app")
	return nil
}

func TestSpentStatusGivesOneCode(t *testing.T) {
	s := passwordless(t, bound)
	s.h.is(s.verify(), http.StatusOK)
	_, to := s.b.follow(s.finish())
	s.h.mustCode(to)
	if _, to = s.b.follow(s.finish()); strings.Contains(to, "code=") {
		t.Errorf("the second time led to %s", to)
	}
}

func TestFirstFactorSatisfiesNoTrack(t *testing.T) {
	h := newFixture(t)
	h.client(bound)
	h.User("ada", totpKey)
	b := h.browser()
	s := h.passwordless(b, "ada")
	h.is(s.verify(), http.StatusOK)
	h.client(bound, always)
	h.is(b.form("/login-srv/login", "requestId", s.request, "username", "ada", "password", password), http.StatusSeeOther)
	track, err := h.track(s.request, b)
	h.OK(err)
	w, to := b.follow(b.form("/login-srv/precheck/continue/"+track, "track_id", track))
	if to != "" || !strings.Contains(w.Body.String(), `id="mfa-submit"`) {
		t.Errorf("led to %q at %d, want the server's page of the second factor", to, w.Code)
	}
}

func TestWrongCodesEndAnExchange(t *testing.T) {
	s := passwordless(t, bound)
	for range 4 {
		s.h.is(s.b.json("/verification-srv/authentication/totp/verification", "exchange_id", s.exchange, "passcode", s.h.wrong()), expectationFailed)
	}
	for _, malformed := range []string{"12345", "1234567", "abcdef", " 12345"} {
		s.h.is(s.b.json("/verification-srv/authentication/totp/verification", "exchange_id", s.exchange, "passcode", malformed), http.StatusBadRequest)
	}
	s.h.is(s.b.do("POST", "/verification-srv/authentication/totp/verification", "application/json", `{"exchange_id":"`+s.exchange+`","passcode":123456}`), http.StatusBadRequest)
	s.h.is(s.b.json("/verification-srv/authentication/totp/verification", "exchange_id", s.exchange, "passcode", s.h.wrong()), expectationFailed)
	w := s.b.json("/verification-srv/authentication/totp/verification", "exchange_id", s.exchange, "passcode", s.h.Code(totpKey))
	golden(t, "verification_spent", w)
	s = s.h.passwordless(s.b, "ada")
	w = s.verify()
	golden(t, "verification_throttled", w)
	envelope(t, w)
}

func TestTheSameStepTwice(t *testing.T) {
	s := passwordless(t, bound)
	s.h.is(s.verify(), http.StatusOK)
	s = s.h.passwordless(s.b, "ada")
	golden(t, "verification_replayed", s.verify())
}

// sorted are the names of a response's parameters.
func sorted(q url.Values) []string {
	names := []string{}
	for name := range q {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
