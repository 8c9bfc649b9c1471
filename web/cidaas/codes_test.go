package cidaas

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/storage"
	"sallyport/web/webtest"
)

// tollOf allows text messages to the United States only.
func tollOf(number string) (storage.Toll, bool) {
	return storage.Toll{Country: "US", Max: 1000, Free: 1000, Ratio: 2}, strings.HasPrefix(number, "+1")
}

// sending is a method that sends codes, with the member that names its address.
type sending struct {
	method, member, typed, address, masked string
	amr                                    []string
}

var senders = []sending{
	{"EMAIL", "email", "Ada@Mail.Example", "ada@mail.example", "a•••a@mail.example", []string{"otp"}},
	{"SMS", "mobile_number", "+1 415 222-2222", "+14152222222", "+14•••22", []string{"otp", "sms"}},
}

// each runs a test for every method that sends codes.
func each(t *testing.T, run func(*testing.T, sending)) {
	for _, m := range senders {
		t.Run(m.method, func(t *testing.T) { run(t, m) })
	}
}

// sent returns the newest code that was sent to an address, and how many were.
func (h *fixture) sent(address string) (string, int) { return h.SentCode(address) }

// code returns the newest code that was sent to an address.
func (h *fixture) code(address string) string {
	h.T.Helper()
	code, n := h.sent(address)
	if n == 0 {
		h.T.Fatalf("nothing was sent to %s", address)
	}
	return code
}

// other returns a code that differs from the given one.
func other(code string) string {
	if code == "000000" {
		return "000001"
	}
	return "000000"
}

// setUp sets a method up for a signed-in user, two minutes ago.
func (h *fixture) setUp(name string, m sending) {
	h.T.Helper()
	w := h.is(h.as(h.signedIn(name)).json("/verification-actions-srv/setup/"+m.method+"/initiation", m.member, m.address), http.StatusOK)
	h.is(h.page().json("/verification-actions-srv/setup/"+m.method+"/verification", "exchange_id", h.at(w, "data.exchange_id.exchange_id"),
		"pass_code", h.code(m.address)), http.StatusOK)
	h.Wait(2 * time.Minute)
}

// initiate sends a code in a login.
func (c *caller) initiate(m sending, usage, request string, pairs ...string) *httptest.ResponseRecorder {
	return c.json("/verification-srv/authentication/"+strings.ToLower(m.method)+"/initiation",
		append([]string{"request_id", request, "usage_type", usage, "type", m.method, "processingType", "CODE"}, pairs...)...)
}

// verify types a code.
func (c *caller) verify(m sending, exchange, code string) *httptest.ResponseRecorder {
	return c.json("/verification-srv/v2/authenticate/authenticate/"+m.method, "exchange_id", exchange, "type", m.method, "pass_code", code)
}

// opened opens a login from a page and returns its ID.
func (c *caller) opened() string {
	c.h.T.Helper()
	return c.h.at(c.json("/authz-srv/authrequest/authz/generate", flat(authorizeParams())...), "data.requestId")
}

func TestCodesAreSetUpByASignedInUser(t *testing.T) {
	each(t, func(t *testing.T, m sending) {
		h := newFixture(t)
		h.client()
		id := string(h.User("ada", ""))
		ada := h.as(h.signedIn("ada"))
		begin, confirm := "/verification-actions-srv/setup/"+m.method+"/initiation", "/verification-actions-srv/setup/"+m.method+"/verification"
		w := h.is(ada.json(begin, m.member, m.typed), http.StatusOK)
		golden(t, "enrolment_"+strings.ToLower(m.method), hide(w, id))
		golden(t, "enrolment_too_soon", ada.json(begin, m.member, m.typed))
		exchange, status, code := h.at(w, "data.exchange_id.exchange_id"), h.at(w, "data.status_id"), h.code(m.address)
		if got := h.at(ada.json("/verification-srv/notification/status/"+status), "data.status"); got != "INITIATED" {
			t.Errorf("status = %s", got)
		}
		page := h.page()
		h.is(page.json(confirm, "exchange_id", exchange, "pass_code", "12345"), http.StatusBadRequest)
		if w = h.is(page.json(confirm, "exchange_id", exchange, "pass_code", other(code)), expectationFailed); h.at(w, "code") != "VER_0041" {
			t.Errorf("a wrong code: %s", w.Body)
		}
		done := h.is(page.json(confirm, "exchange_id", exchange, "pass_code", code, "verification_type", m.method), http.StatusOK)
		golden(t, "enrolled", hide(done, id))
		h.is(page.json(confirm, "exchange_id", exchange, "pass_code", code), expectationFailed)
		if got := h.at(ada.json("/verification-srv/notification/status/"+status), "data.status"); got != "ENROLLED" {
			t.Errorf("status = %s", got)
		}
		golden(t, "config_"+strings.ToLower(m.method), h.is(ada.do("GET", "/verification-actions-srv/config", "application/json", ""), http.StatusOK))
	})
}

// The older libraries name no address: codes go to the user's own.
func TestCodesGoToTheUsersOwnAddressByDefault(t *testing.T) {
	h := newFixture(t)
	h.client()
	h.User("ada", "")
	ada := h.as(h.signedIn("ada"))
	h.is(ada.json("/verification-srv/v2/setup/initiate/email", "verification_type", "email"), http.StatusOK)
	if _, n := h.sent("ada@example.org"); n != 1 {
		t.Errorf("%d messages, want 1", n)
	}
	for name, tc := range map[string]struct {
		method, member, typed, ver string
		status                     int
	}{
		"no number":                 {"sms", "mobile_number", "", "VER_0026", http.StatusBadRequest},
		"the other kind of address": {"sms", "mobile_number", "ada@mail.example", "VER_0004", http.StatusBadRequest},
		"a number for mail":         {"email", "email", "+14152222222", "VER_0004", http.StatusBadRequest},
		"no address at all":         {"email", "email", "ada", "VER_0004", http.StatusBadRequest},
		"a country that is closed":  {"sms", "mobile_number", "+4915112345678", "VER_0028", expectationFailed},
	} {
		w := ada.json("/verification-actions-srv/setup/"+tc.method+"/initiation", tc.member, tc.typed)
		if w.Code != tc.status || h.at(w, "code") != tc.ver {
			t.Errorf("%s: %d %s, want %d %s", name, w.Code, w.Body, tc.status, tc.ver)
		}
		if tc.ver == "VER_0028" {
			golden(t, "enrolment_not_allowed", w)
		}
	}
	h.is(ada.do("POST", "/verification-actions-srv/setup/sms/initiation", "application/json", `{"mobile_number":14152222222}`), http.StatusBadRequest)
}

func TestASetupOfCodesIsCancelled(t *testing.T) {
	each(t, func(t *testing.T, m sending) {
		h := newFixture(t)
		h.client()
		h.User("ada", "")
		ada := h.as(h.signedIn("ada"))
		w := h.is(ada.json("/verification-srv/v2/setup/initiate/"+m.method, m.member, m.typed), http.StatusOK)
		exchange := h.at(w, "data.exchange_id.exchange_id")
		h.is(ada.json("/verification-srv/v2/setup/cancel/"+m.method, "exchange_id", exchange, "reason", "not now"), http.StatusOK)
		h.is(h.page().json("/verification-srv/v2/setup/enroll/"+m.method, "exchange_id", exchange, "pass_code", h.code(m.address)), expectationFailed)
		golden(t, "config_none", h.is(ada.do("GET", "/verification-srv/config/list", "application/json", ""), http.StatusOK))
	})
}

// A code alone signs in, under both usage types of a first factor. Before the user is
// identified a medium has the name of its method: an address would show who has an account.
func TestACodeAloneSignsIn(t *testing.T) {
	each(t, func(t *testing.T, m sending) {
		for _, usage := range []string{"PASSWORDLESS_AUTHENTICATION", "INITIAL_AUTHENTICATION"} {
			h := newFixture(t)
			h.client()
			h.User("ada", "")
			h.setUp("ada", m)
			page := h.page()
			page.cookies = webtest.Jar{}
			request := page.opened()
			list := h.is(page.json("/verification-srv/public/graph/user/setup", "request_id", request, "identifier", "ada"), http.StatusOK)
			golden(t, "list_"+strings.ToLower(m.method), list)
			w := h.is(page.initiate(m, usage, request, "medium_id", h.at(list, "data.configured_list.0.mediums.0.id")), http.StatusOK)
			golden(t, "initiation_"+strings.ToLower(m.method), w)
			exchange, code := h.at(w, "data.exchange_id.exchange_id"), h.code(m.address)
			h.is(page.verify(m, exchange, other(code)), expectationFailed)
			h.is(page.verify(m, exchange, code), http.StatusOK)
			_, to := page.follow(page.form("/login-srv/verification/login", "requestId", request, "verificationType", m.method,
				"sub", h.at(w, "data.sub"), "status_id", h.at(w, "data.status_id")))
			_, claims := h.claims(h.mustCode(to))
			if claims["acr"] != "aal1" || !slices.Equal(texts(claims["amr"]), m.amr) {
				t.Errorf("acr %v and amr %v, want one factor", claims["acr"], claims["amr"])
			}
		}
	})
}

// The application's own page, on another site, asks for a code as the second factor.
func TestACodeIsTheSecondFactor(t *testing.T) {
	each(t, func(t *testing.T, m sending) {
		h := newFixture(t)
		h.client()
		h.User("ada", "")
		h.setUp("ada", m)
		h.client(always)
		page := h.page()
		request := page.opened()
		w := h.is(page.form("/login-srv/login", "requestId", request, "username", "ada", "password", password), http.StatusSeeOther)
		q := h.query(w.Header().Get("Location"), app+"/login?")
		track, sub := q.Get("track_id"), q.Get("sub")
		list := h.is(page.json("/verification-srv/v2/setup/public/configured/list", "request_id", request, "sub", sub), http.StatusOK)
		if got := h.at(list, "data.configured_list.0.mediums.0.text"); got != m.masked {
			t.Errorf("medium = %q, want %q", got, m.masked)
		}
		refused := page.initiate(m, "MULTIFACTOR_AUTHENTICATION", request, "identifier", "ada")
		envelope(t, h.is(refused, expectationFailed)) // by name alone
		w = h.is(page.initiate(m, "MULTIFACTOR_AUTHENTICATION", request, "sub", sub, "medium_id", h.at(list, "data.configured_list.0.mediums.0.id")), http.StatusOK)
		golden(t, "initiation_second_"+strings.ToLower(m.method), w)
		first, superseded := h.at(w, "data.exchange_id.exchange_id"), h.code(m.address)
		golden(t, "resend_too_soon", page.initiate(m, "MULTIFACTOR_AUTHENTICATION", request, "sub", sub))
		h.Wait(30 * time.Second)
		w = h.is(page.initiate(m, "MULTIFACTOR_AUTHENTICATION", request, "sub", sub), http.StatusOK)
		exchange, code := h.at(w, "data.exchange_id.exchange_id"), h.code(m.address)
		h.is(page.verify(m, first, superseded), expectationFailed)
		if superseded != code {
			h.is(page.verify(m, exchange, superseded), expectationFailed)
		}
		h.is(page.verify(m, exchange, code), http.StatusOK)
		golden(t, "code_again", page.verify(m, exchange, code))
		page.cookies = webtest.Jar{}
		_, to := page.follow(page.form("/login-srv/precheck/continue/"+track, "track_id", track))
		_, claims := h.claims(h.mustCode(to))
		if want := slices.Sorted(slices.Values(append([]string{"mfa", "pwd"}, m.amr...))); claims["acr"] != "aal2" || !slices.Equal(texts(claims["amr"]), want) {
			t.Errorf("acr %v and amr %v, want two factors", claims["acr"], claims["amr"])
		}
		if log := h.Log.String(); strings.Contains(log, m.address) || strings.Contains(log, exchange) || strings.Contains(log, track) {
			t.Error("the log has an address or an ID that opens something")
		}
	})
}

func TestAnExpiredCodeIsReported(t *testing.T) {
	each(t, func(t *testing.T, m sending) {
		h := newFixture(t)
		h.client()
		h.User("ada", "")
		h.setUp("ada", m)
		page := h.page()
		w := h.is(page.initiate(m, "INITIAL_AUTHENTICATION", page.opened(), "identifier", "ada"), http.StatusOK)
		h.Wait(10 * time.Minute)
		golden(t, "code_expired", page.verify(m, h.at(w, "data.exchange_id.exchange_id"), h.code(m.address)))
	})
}

func TestOneOfParallelVerificationsOfACodeWins(t *testing.T) {
	each(t, func(t *testing.T, m sending) {
		h := newFixture(t)
		h.client()
		h.User("ada", "")
		h.setUp("ada", m)
		page := h.page()
		w := h.is(page.initiate(m, "INITIAL_AUTHENTICATION", page.opened(), "identifier", "ada"), http.StatusOK)
		exchange, code := h.at(w, "data.exchange_id.exchange_id"), h.code(m.address)
		var wg sync.WaitGroup
		results := make(chan int, 100)
		for range cap(results) {
			wg.Go(func() { results <- page.verify(m, exchange, code).Code })
		}
		wg.Wait()
		close(results)
		won := 0
		for status := range results {
			switch status {
			case http.StatusOK:
				won++
			case expectationFailed, http.StatusTooManyRequests:
			default:
				t.Errorf("status %d", status)
			}
		}
		if won != 1 {
			t.Errorf("%d succeeded, want 1", won)
		}
	})
}
