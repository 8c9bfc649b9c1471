package cidaas

import (
	"encoding/base64"
	"image/png"
	"net/http"
	"strings"
	"testing"
	"time"

	"sallyport/storage"
)

// signedIn returns an access token that a new user gets for a password.
func (h *fixture) signedIn(name string) string {
	h.T.Helper()
	b := h.browser()
	request, _ := b.begin()
	_, to := b.follow(b.form("/login-srv/login", "requestId", request, "username", name, "password", password))
	response, _ := h.claims(h.mustCode(to))
	token, _ := response["access_token"].(string)
	return token
}

// as is a page with an access token.
func (h *fixture) as(token string) *caller {
	c := h.page()
	c.header.Set("Authorization", "Bearer "+token)
	return c
}

func TestEnrolmentOfASignedInUser(t *testing.T) {
	for _, path := range []struct{ name, begin, confirm, config, status string }{
		{"older addresses", "/verification-srv/v2/setup/initiate/totp", "/verification-srv/v2/setup/enroll/totp",
			"/verification-srv/config/list", "/verification-srv/v2/notification/status/"},
		{"newer addresses", "/verification-actions-srv/setup/TOTP/initiation", "/verification-actions-srv/setup/TOTP/verification",
			"/verification-actions-srv/config", "/verification-srv/notification/status/"},
	} {
		t.Run(path.name, func(t *testing.T) {
			h := newFixture(t)
			h.client()
			id := h.User("ada", "")
			ada := h.as(h.signedIn("ada"))
			golden(t, "config_none", h.is(ada.do("GET", path.config, "application/json", ""), http.StatusOK))
			initiation := h.is(ada.json(path.begin, "verification_type", "totp"), http.StatusOK)
			golden(t, "enrolment", hide(initiation, string(id)))
			key, exchange, status := h.at(initiation, "data.totp_secret"), h.at(initiation, "data.exchange_id.exchange_id"), h.at(initiation, "data.status_id")
			picture := strings.TrimPrefix(h.at(initiation, "data.qr_code"), "data:image/png;base64,")
			if _, err := png.Decode(base64.NewDecoder(base64.StdEncoding, strings.NewReader(picture))); err != nil {
				t.Errorf("the QR code is no picture: %v", err)
			}
			if got := h.at(ada.do("POST", path.status+status, "application/json", ""), "data.status"); got != "INITIATED" {
				t.Errorf("status = %s", got)
			}
			page := h.page() // no token from here on
			h.is(page.json(path.confirm, "exchange_id", exchange, "pass_code", "000000"), expectationFailed)
			h.is(page.json(path.confirm, "exchange_id", exchange, "pass_code", h.Code(key), "sub", "somebody"), expectationFailed)
			done := h.is(page.json(path.confirm, "exchange_id", exchange, "pass_code", h.Code(key), "verification_type", "totp", "sub", string(id)), http.StatusOK)
			golden(t, "enrolled", hide(done, string(id)))
			h.is(page.json(path.confirm, "exchange_id", exchange, "pass_code", h.Code(key)), expectationFailed)
			if got := h.at(ada.do("POST", path.status+status, "application/json", ""), "data.status"); got != "ENROLLED" {
				t.Errorf("status = %s", got)
			}
			golden(t, "config_totp", h.is(ada.do("GET", path.config, "application/json", ""), http.StatusOK))
			s := h.passwordless(h.browser(), "ada")
			h.is(s.b.json("/verification-srv/authentication/totp/verification", "exchange_id", s.exchange, "passcode", h.Code(key)), expectationFailed)
			h.Wait(30 * time.Second) // the code that confirmed it is used up
			h.is(s.b.json("/verification-srv/authentication/totp/verification", "exchange_id", s.exchange, "passcode", h.Code(key)), http.StatusOK)
			_, to := s.b.follow(s.finish())
			h.mustCode(to)
		})
	}
}

func TestWhoMayChangeFactors(t *testing.T) {
	h := newFixture(t)
	h.client()
	id := h.User("ada", totpKey)
	h.User("bob", "")
	token := h.signedIn("ada")
	ada, bob := h.as(token), h.as(h.signedIn("bob"))
	begin, config := "/verification-actions-srv/setup/totp/initiation", "/verification-actions-srv/config"
	golden(t, "reauthentication", h.is(ada.json(begin), expectationFailed)) // has a factor, proved only a password
	golden(t, "denied", h.is(h.page().do("GET", config, "application/json", ""), http.StatusUnauthorized))
	h.is(h.as("rubbish").do("GET", config, "application/json", ""), http.StatusUnauthorized)
	android := h.page()
	android.header.Set("access_token", token)
	h.is(android.do("GET", config, "application/json", ""), http.StatusOK)

	initiation := h.is(bob.json(begin), http.StatusOK)
	h.is(bob.json(begin, "sub", string(id)), expectationFailed)
	h.is(ada.do("POST", "/verification-srv/v2/notification/status/"+h.at(initiation, "data.status_id"), "application/json", ""), expectationFailed)
	h.is(bob.json("/verification-srv/v2/setup/cancel/totp", "exchange_id", h.at(initiation, "data.exchange_id.exchange_id"), "reason", "not now"), http.StatusOK)
	key := h.at(initiation, "data.totp_secret")
	golden(t, "enrolment_cancelled", h.page().json("/verification-actions-srv/setup/totp/verification",
		"exchange_id", h.at(initiation, "data.exchange_id.exchange_id"), "pass_code", h.Code(key)))
	h.client(func(c *storage.Client) { c.ManagesFactors = false })
	h.is(bob.json(begin), http.StatusUnauthorized)
	h.is(bob.do("GET", config, "application/json", ""), http.StatusUnauthorized)
	h.client()
	h.Wait(16 * time.Minute)
	bob = h.as(h.signedIn("bob"))
	initiation = h.is(bob.json(begin), http.StatusOK)
	h.Wait(9 * time.Minute)
	h.is(bob.do("GET", config, "application/json", ""), http.StatusOK)
	h.Wait(2 * time.Minute)
	h.is(h.page().json("/verification-actions-srv/setup/totp/verification", "exchange_id", h.at(initiation, "data.exchange_id.exchange_id"),
		"pass_code", h.Code(h.at(initiation, "data.totp_secret"))), expectationFailed)
	h.is(bob.json(begin), http.StatusUnauthorized) // the token has ended
}

// A stolen password must not confirm an enrolment after the owner has set up a factor.
func TestConfirmedFactorEndsOtherEnrolments(t *testing.T) {
	h := newFixture(t)
	h.client()
	h.User("ada", "")
	begin, confirm := "/verification-actions-srv/setup/totp/initiation", "/verification-actions-srv/setup/totp/verification"
	h.client(func(c *storage.Client) { c.ID = "shop" })
	thief := h.is(h.as(h.signedIn("ada")).json(begin), http.StatusOK)
	b := h.browser()
	h.client(bound, always)
	request, _ := b.begin()
	h.is(b.form("/login-srv/login", "requestId", request, "username", "ada", "password", password), http.StatusSeeOther)
	track, err := h.track(request, b)
	h.OK(err)
	h.Wait(time.Second)
	own := h.is(b.json("/verification-actions-srv/setup/totp/initiation/"+track), http.StatusOK)
	h.is(b.json(confirm, "exchange_id", h.at(own, "data.exchange_id.exchange_id"), "pass_code", h.Code(h.at(own, "data.totp_secret"))), http.StatusOK)
	w := h.is(h.page().json(confirm, "exchange_id", h.at(thief, "data.exchange_id.exchange_id"), "pass_code", h.Code(h.at(thief, "data.totp_secret"))), expectationFailed)
	golden(t, "enrolment_weak", w)
}

func TestEnrolmentInALogin(t *testing.T) {
	h := newFixture(t)
	h.client(always)
	h.User("ada", "")
	b := h.browser()
	request, _ := b.begin()
	_, to := b.follow(b.form("/login-srv/login", "requestId", request, "username", "ada", "password", password))
	q := h.query(to, app+"/login?")
	track := q.Get("track_id")
	if q.Get("error") != "suggest_verification_methods" || track == "" {
		t.Fatalf("led to %v, want the page that suggests methods", q)
	}
	golden(t, "postpone_refused", h.is(b.json("/auth-actions-srv/validation/"+track, "action", "SKIP"), expectationFailed))
	golden(t, "bad_track", h.is(b.json("/verification-actions-srv/setup/totp/initiation/00000000-0000-0000-0000-000000000001"), http.StatusBadRequest))
	initiation := h.is(b.json("/verification-actions-srv/setup/totp/initiate/"+track, "sub", q.Get("sub")), http.StatusOK)
	key, exchange := h.at(initiation, "data.totp_secret"), h.at(initiation, "data.exchange_id.exchange_id")
	if h.at(initiation, "data.sub") != q.Get("sub") {
		t.Error("the enrolment is not shown under the masked subject")
	}
	name := "/verification-actions-srv/setup/users/friendlyname/TOTP/" + track
	h.is(b.do("PUT", name, "application/json", `{"friendly_name":"my phone"}`), expectationFailed) // nothing enrolled yet
	golden(t, "enrolment_no_code", h.is(b.json("/verification-actions-srv/setup/totp/verification", "exchange_id", exchange), http.StatusBadRequest))
	h.is(b.json("/verification-actions-srv/setup/totp/verification", "exchange_id", exchange, "pass_code", h.Code(key)), http.StatusOK)
	h.is(b.do("PUT", name, "application/json", `{"friendly_name":"my phone"}`), http.StatusOK)
	_, to = b.follow(b.form("/login-srv/precheck/continue/"+track, "track_id", track))
	_, claims := h.claims(h.mustCode(to))
	if claims["acr"] != "aal2" {
		t.Errorf("acr = %v, want aal2", claims["acr"])
	}
	h.Wait(time.Minute)
	b = h.browser()
	request, _ = b.begin()
	_, to = b.follow(b.form("/login-srv/login", "requestId", request, "username", "ada", "password", password))
	list := b.json("/verification-srv/public/graph/user/setup", "request_id", request, "sub", h.query(to, app).Get("sub"))
	golden(t, "list_named", h.is(list, http.StatusOK))
}

func TestBackupCodesAndRemoval(t *testing.T) {
	h := newFixture(t)
	h.client(always)
	id := h.User("ada", totpKey, "aaaaaaaaaaaaaaaaaaaaaaaa")
	b := h.browser()
	request, _ := b.begin()
	_, to := b.follow(b.form("/login-srv/login", "requestId", request, "username", "ada", "password", password))
	track := h.query(to, app).Get("track_id")
	initiation := h.is(b.json("/verification-srv/authentication/totp/initiation", "request_id", request, "usage_type", "MULTIFACTOR_AUTHENTICATION", "sub", h.query(to, app).Get("sub")), http.StatusOK)
	h.is(b.json("/verification-srv/authentication/totp/verification", "exchange_id", h.at(initiation, "data.exchange_id.exchange_id"), "passcode", h.Code(totpKey)), http.StatusOK)
	_, to = b.follow(b.form("/login-srv/precheck/continue/"+track, "track_id", track))
	response, _ := h.claims(h.mustCode(to))
	token, _ := response["access_token"].(string)
	ada := h.as(token)
	golden(t, "backup_codes", hide(h.is(ada.json("/verification-srv/v2/setup/initiate/backupcode"), http.StatusOK), string(id)))
	h.is(ada.do("DELETE", "/verification-actions-srv/setup/devices/totp/somebody", "application/json", ""), expectationFailed)
	golden(t, "removed", h.is(ada.do("DELETE", "/verification-actions-srv/setup/devices/totp/"+string(id), "application/json", ""), http.StatusOK))
	h.is(ada.do("DELETE", "/verification-actions-srv/setup/devices/totp/"+string(id), "application/json", ""), expectationFailed)
}
