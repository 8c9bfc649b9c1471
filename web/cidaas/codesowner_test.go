package cidaas

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"sallyport/mfa/exchange"
	"sallyport/mfa/passcode"
	"sallyport/storage"
	"sallyport/web/webtest"
)

// Names without a user get the same responses as a user's, and nothing is sent.
func TestCodesForUnknownNames(t *testing.T) {
	each(t, func(t *testing.T, m sending) {
		h := newFixture(t)
		h.client()
		h.User("ada", "")
		h.setUp("ada", m)
		transcript := func(name string) string {
			page := h.page()
			request := page.opened()
			var out strings.Builder
			w := page.initiate(m, "INITIAL_AUTHENTICATION", request, "identifier", name)
			if w.Code != http.StatusOK {
				return ""
			}
			fmt.Fprintln(&out, w.Code, bare(w.Body.String()))
			exchange := h.at(w, "data.exchange_id.exchange_id")
			again := page.initiate(m, "INITIAL_AUTHENTICATION", request, "identifier", name)
			fmt.Fprintln(&out, again.Code, again.Header().Get("Retry-After"), bare(again.Body.String()))
			wrong := page.verify(m, exchange, "000000")
			fmt.Fprintln(&out, wrong.Code, bare(wrong.Body.String()))
			h.Wait(10 * time.Minute)
			late := page.verify(m, exchange, "000000")
			fmt.Fprintln(&out, late.Code, bare(late.Body.String()))
			return strings.ReplaceAll(out.String(), h.Now().Format("15:04"), "LATER")
		}
		user, unknown := transcript("ada"), ""
		for i := 0; unknown == "" && i < 64; i++ { // each has the method with probability 1/2
			unknown = transcript(fmt.Sprintf("n%d", i))
		}
		if user != unknown || user == "" {
			t.Errorf("a user:\n%s\nan unknown name:\n%s", user, unknown)
		}
		if _, n := h.sent(m.address); n != 2 {
			t.Errorf("%d messages, want 2: of the setup and of the user's login", n)
		}
	})
}

func TestClientsRestrictMethodsThatSend(t *testing.T) {
	each(t, func(t *testing.T, m sending) {
		h := newFixture(t)
		h.client()
		h.User("ada", totpKey)
		h.Wait(time.Minute)
		token := h.withFactor("ada")
		w := h.is(h.as(token).json("/verification-actions-srv/setup/"+m.method+"/initiation", m.member, m.address), http.StatusOK)
		h.is(h.page().json("/verification-actions-srv/setup/"+m.method+"/verification", "exchange_id", h.at(w, "data.exchange_id.exchange_id"),
			"pass_code", h.code(m.address)), http.StatusOK)
		h.Wait(time.Minute)
		only := func(c *storage.Client) { c.AllowedMethods = []string{"totp"} }
		h.client(only)
		page := h.page()
		request := page.opened()
		if public := page.do("GET", "/public-srv/public/"+request, "", ""); !strings.Contains(public.Body.String(), `"allowed_methods":["TOTP"]`) {
			t.Errorf("the client's methods: %s", public.Body)
		}
		list := h.is(page.json("/verification-srv/public/graph/user/setup", "request_id", request, "identifier", "ada"), http.StatusOK)
		if !strings.Contains(list.Body.String(), "TOTP") || strings.Contains(list.Body.String(), `"`+m.method+`"`) {
			t.Errorf("list = %s, want TOTP alone", list.Body)
		}
		golden(t, "method_not_allowed", page.initiate(m, "INITIAL_AUTHENTICATION", request, "identifier", "ada"))
		h.client(only, always)
		h.User("bob", "")
		b := h.browser()
		request, _ = b.begin()
		_, to := b.follow(b.form("/login-srv/login", "requestId", request, "username", "bob", "password", password))
		track := h.query(to, app+"/login?").Get("track_id")
		h.is(b.json("/verification-actions-srv/setup/"+m.method+"/initiation/"+track, m.member, "+14152222229"), expectationFailed)
	})
}

// withFactor returns an access token that a user with an app gets for both factors.
func (h *fixture) withFactor(name string) string {
	h.T.Helper()
	h.client(always)
	defer h.client()
	b := h.browser()
	request, _ := b.begin()
	_, to := b.follow(b.form("/login-srv/login", "requestId", request, "username", name, "password", password))
	response, _ := h.claims(h.mustCode(b.second(request, to)))
	token, _ := response["access_token"].(string)
	return token
}

func TestCodesAreSetUpInALogin(t *testing.T) {
	each(t, func(t *testing.T, m sending) {
		h := newFixture(t)
		h.client(always)
		h.User("ada", "")
		b := h.browser()
		request, _ := b.begin()
		_, to := b.follow(b.form("/login-srv/login", "requestId", request, "username", "ada", "password", password))
		q := h.query(to, app+"/login?")
		track := q.Get("track_id")
		w := h.is(b.json("/verification-actions-srv/setup/"+m.method+"/initiation/"+track, m.member, m.typed, "sub", q.Get("sub")), http.StatusOK)
		if h.at(w, "data.sub") != q.Get("sub") || h.at(w, "data.medium_text") != m.masked {
			t.Errorf("setup = %s", w.Body)
		}
		h.is(h.program().json("/verification-actions-srv/setup/"+m.method+"/initiation/"+track, m.member, m.typed, "sub", "somebody"), expectationFailed)
		h.is(b.json("/verification-actions-srv/setup/"+m.method+"/verification", "exchange_id", h.at(w, "data.exchange_id.exchange_id"),
			"pass_code", h.code(m.address)), http.StatusOK)
		h.is(b.do("PUT", "/verification-actions-srv/setup/users/friendlyname/"+m.method+"/"+track, "application/json", `{"friendly_name":"Work"}`), http.StatusOK)
		_, to = b.follow(b.form("/login-srv/precheck/continue/"+track, "track_id", track))
		if _, claims := h.claims(h.mustCode(to)); claims["acr"] != "aal2" {
			t.Errorf("acr = %v, want aal2", claims["acr"])
		}
		h.Wait(time.Minute)
		b.cookies = webtest.Jar{}
		request, _ = b.begin()
		_, to = b.follow(b.form("/login-srv/login", "requestId", request, "username", "ada", "password", password))
		list := b.json("/verification-srv/public/graph/user/setup", "request_id", request, "sub", h.query(to, app).Get("sub"))
		if got := h.at(list, "data.configured_list.0.mediums.0.friendly_name"); got != "Work" {
			t.Errorf("name = %q", got)
		}
	})
}

// A removed address gets no codes, and one on its way proves nothing.
func TestAnAddressIsRemoved(t *testing.T) {
	each(t, func(t *testing.T, m sending) {
		h := newFixture(t)
		h.client()
		id := string(h.User("ada", ""))
		h.setUp("ada", m)
		page := h.page()
		w := h.is(page.initiate(m, "INITIAL_AUTHENTICATION", page.opened(), "identifier", "ada"), http.StatusOK)
		exchange, code := h.at(w, "data.exchange_id.exchange_id"), h.code(m.address)
		h.Wait(time.Minute)
		h.is(h.as(h.signedIn("ada")).do("DELETE", "/verification-actions-srv/setup/devices/"+m.method+"/"+id, "application/json", ""), expectationFailed)
		h.client(always)
		b := h.browser()
		request, _ := b.begin()
		_, to := b.follow(b.form("/login-srv/login", "requestId", request, "username", "ada", "password", password))
		q := h.query(to, app+"/login?")
		w = h.is(b.initiate(m, "MULTIFACTOR_AUTHENTICATION", request, "sub", q.Get("sub")), http.StatusOK)
		h.is(b.verify(m, h.at(w, "data.exchange_id.exchange_id"), h.code(m.address)), http.StatusOK)
		_, to = b.follow(b.form("/login-srv/precheck/continue/"+q.Get("track_id"), "track_id", q.Get("track_id")))
		response, _ := h.claims(h.mustCode(to))
		ada := h.as(response["access_token"].(string))
		golden(t, "removed", h.is(ada.do("DELETE", "/verification-actions-srv/setup/devices/"+m.method+"/"+id, "application/json", ""), http.StatusOK))
		h.is(page.verify(m, exchange, code), expectationFailed)
	})
}

func TestALinkIsRefused(t *testing.T) {
	h := newFixture(t)
	h.client()
	h.User("ada", "")
	h.setUp("ada", senders[0])
	page := h.page()
	request := page.opened()
	for kind, want := range map[string]int{"LINK": http.StatusBadRequest, "link": http.StatusBadRequest, "": http.StatusOK} {
		w := page.json("/verification-srv/v2/authenticate/initiate/EMAIL", "request_id", request, "usage_type", "INITIAL_AUTHENTICATION",
			"email", "ada@example.org", "processingType", kind)
		h.is(w, want)
	}
}

// A method that only backends send codes with is no method of users.
func TestCodesThatAreNoFactors(t *testing.T) {
	h := newFixture(t)
	h.client()
	h.User("ada", "")
	token := h.signedIn("ada")
	v := exchange.NewVerifier(h.Store, h.Keyring, h.Journal, h.Now, rand.Reader, exchange.Options{Product: "Harbour", AddressMax: -1},
		h.Password, h.TOTP, passcode.NewEmail(h.Keyring, rand.Reader, passcode.Options{NoFactor: true}))
	h.Serve(nil, New(h.Provider, v, h.Accounts, h.Sessions, rand.Reader, Options{Issuer: issuer}))
	golden(t, "config_no_factor", h.is(h.as(token).do("GET", "/verification-srv/config/list", "application/json", ""), http.StatusOK))
	h.is(h.as(token).json("/verification-srv/v2/setup/initiate/email"), expectationFailed)
}
