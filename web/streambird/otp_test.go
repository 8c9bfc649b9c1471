package streambird

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// sent returns the code of the last message to a recipient; "" if there is none.
func (h *fixture) sent(recipient string) string {
	h.T.Helper()
	code, _ := h.SentCode(recipient)
	return code
}

// other returns a code that differs.
func other(code string) string {
	if code == "000000" {
		return "111111"
	}
	return "000000"
}

func TestCodesBySMS(t *testing.T) {
	h := newFixture(t)
	golden(t, "otps_sms_send_unknown", h.post("/otps/sms/send", "phone_number", number).refused(404, "phone_number_not_found"))
	user := h.newUser("phone_number", number, "requires_verification", true)
	sent := golden(t, "otps_sms_send", h.post("/otps/sms/send", "phone_number", number).ok())
	if sent.text("user_id") != user || sent.at("user_active") != false {
		t.Errorf("sent = %s, want to %s, which is pending", sent.raw, user)
	}
	method, code := sent.text("phone_number_id"), h.sent(number)
	if strings.Contains(sent.raw, code) || strings.Contains(h.Log.String(), code) {
		t.Error("the code is in the response or the log")
	}
	golden(t, "otps_verify_wrong", h.post("/otps/verify", "method_id", method, "otp", other(code)).refused(400, "invalid_otp"))
	golden(t, "otps_verify_sms", h.post("/otps/verify", "method_id", method, "otp", code).ok())
	h.post("/otps/verify", "method_id", method, "otp", code).refused(400, "invalid_otp")
	got := h.call(http.MethodGet, "/users/"+user, "").ok()
	if got.at("status") != "active" || got.at("phone_numbers.0.verified") != true || got.at("phone_numbers.0.id") != method {
		t.Errorf("user = %s, want an active one with a verified number", got.raw)
	}

	h.Wait(time.Second) // messages of one moment have no order
	h.post("/otps/sms/send", "phone_number", number).ok()
	session := golden(t, "otps_verify_sms_session", h.post("/otps/verify", "method_id", method, "otp", h.sent(number), "session_expires_in", 60,
		"device_fingerprint", map[string]any{"ip": "192.0.2.7", "user_agent": "Firefox"}).ok())
	if session.at("session.device_fingerprint.ip") != "192.0.2.7" || session.at("session.factors.0.method.phone_number") != number {
		t.Errorf("session = %s", session.raw)
	}
}

func TestCodesByEmailCreateAUser(t *testing.T) {
	h := newFixture(t)
	h.post("/otps/email/send", "email", someone).refused(404, "email_not_found")
	created := golden(t, "otps_email_login_or_create", h.post("/otps/email/login_or_create", "email", "Ada@Example.org", "requires_verification", true).ok())
	if created.at("user_created") != true || created.at("status") != "pending" {
		t.Errorf("created = %s, want a pending user", created.raw)
	}
	first := h.sent(someone)
	h.Wait(time.Second) // messages of one moment have no order
	again := golden(t, "otps_email_login_or_create_again", h.post("/otps/email/login_or_create", "email", someone).ok())
	if again.at("user_created") != false || again.text("user_id") != created.text("user_id") || again.text("email_id") != created.text("email_id") {
		t.Errorf("again = %s, want the user of %s", again.raw, created.raw)
	}
	method, code := again.text("email_id"), h.sent(someone)
	if first != code {
		h.post("/otps/verify", "method_id", method, "otp", first).refused(400, "invalid_otp") // superseded
	}
	golden(t, "otps_verify_email", h.post("/otps/verify", "method_id", method, "otp", code, "session_expires_in", 60).ok())
	golden(t, "otps_email_send", h.post("/otps/email/send", "email", someone).ok())
	h.post("/otps/email/login_or_create", "email", "bob@example.org").ok()
	plain := h.post("/otps/sms/login_or_create", "phone_number", number).ok()
	golden(t, "otps_sms_login_or_create", plain)
	if plain.at("status") != "active" {
		t.Errorf("status = %v, want active without requires_verification", plain.at("status"))
	}
}

func TestCodesExpireAndAreGuessedTenTimes(t *testing.T) {
	h := newFixture(t)
	h.newUser("email", someone)
	sent := func(minutes any) (string, string) {
		t.Helper()
		return h.post("/otps/email/send", "email", someone, "expires_in", minutes).ok().text("email_id"), h.sent(someone)
	}
	for _, tc := range []struct {
		name    string
		minutes any
		wait    time.Duration
		ok      bool
	}{
		{"a minute by default", nil, 59 * time.Second, true}, {"no longer", nil, time.Minute, false},
		{"ten at most", 10, 10*time.Minute - time.Second, true}, {"no longer", 10, 10 * time.Minute, false},
	} {
		method, code := sent(tc.minutes)
		h.Wait(tc.wait)
		if r := h.post("/otps/verify", "method_id", method, "otp", code); tc.ok {
			r.ok()
		} else {
			r.refused(400, "invalid_otp")
		}
	}
	for _, tc := range []struct{ id, kind string }{
		{"email_24oXBL3PufzHkH1Jzyjc2EXYeo7", "email_not_found"}, {"email_x", "email_not_found"},
		{"pn_24oXBLRv6BoHXbNZoTAZkAFlRsy", "phone_number_not_found"},
	} {
		h.post("/otps/verify", "method_id", tc.id, "otp", "123456").refused(404, tc.kind)
	}
	method, code := sent(10)
	for range 10 {
		h.Wait(30 * time.Second)
		if r := h.post("/otps/verify", "method_id", method, "otp", other(code)); r.code != http.StatusForbidden {
			r.refused(400, "invalid_otp")
		}
	}
	if r := h.post("/otps/verify", "method_id", method, "otp", code); r.code == http.StatusOK {
		t.Error("a code is accepted after ten wrong ones")
	}
}

func TestTheDeviceMustBeTheSame(t *testing.T) {
	h := newFixture(t)
	h.newUser("email", someone)
	device := func(ip, agent string) map[string]any { return map[string]any{"ip": ip, "user_agent": agent} }
	sent := h.post("/otps/email/send", "email", someone, "expires_in", 10, "device_fingerprint", device("192.0.2.7", "Firefox")).ok()
	method, code := sent.text("email_id"), h.sent(someone)
	golden(t, "otps_verify_device", h.post("/otps/verify", "method_id", method, "otp", code, "device_fingerprint", device("192.0.2.8", "Firefox")).refused(400, "device_fingerprint_mismatch"))
	h.post("/otps/verify", "method_id", method, "otp", code, "device_fingerprint", device("", "Chrome")).refused(400, "device_fingerprint_mismatch")
	h.post("/otps/verify", "method_id", method, "otp", code, "device_fingerprint", map[string]any{"ip": "192.0.2.7", "user_agent": nil}).ok() // the code is not spent
}

func TestMessagesToAnAddressAreLimited(t *testing.T) {
	h := newFixture(t)
	h.newUser("email", someone)
	for i := range 30 {
		r := h.post("/otps/email/send", "email", someone)
		if r.code == http.StatusTooManyRequests {
			if i < 10 {
				t.Errorf("refused after %d messages, want 10 at least", i)
			}
			golden(t, "otps_email_send_limited", r.refused(429, "too_many_requests"))
			return
		}
		r.ok()
	}
	t.Error("30 messages to one address at once")
}

func TestAServerWithoutSendersRefusesToSend(t *testing.T) {
	h := newFixture(t)
	id := h.post("/users/create", "email", someone, "phone_number", number).ok().text("email_id")
	h.withMethods() // no codes by mail and text message
	for setting, r := range map[string]reply{
		"setting mail.host":      h.post("/otps/email/send", "email", someone),
		"settings sms.countries": h.post("/otps/sms/login_or_create", "phone_number", number),
		"or with hook.url":       h.post("/otps/verify", "method_id", id, "otp", "123456"),
	} {
		r.refused(400, "validation_error")
		if !strings.Contains(r.raw, "switched off") || !strings.Contains(r.raw, setting) {
			t.Errorf("%s: want what is switched off, and %q", r.raw, setting)
		}
	}
}
