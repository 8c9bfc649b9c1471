package stytch

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// channels are the two ways to send a code, with an address and another one.
var channels = []struct {
	channel
	path, to, more, id, notFound, duplicate, invalid string
}{
	{email, "/v1/otps/email/", "ada@example.com", "ada@example.org", "email_id", "email_not_found", "duplicate_email", "invalid_email"},
	{sms, "/v1/otps/sms/", "+14155552671", "+14155552672", "phone_id", "phone_number_not_found", "duplicate_phone_number", "invalid_phone_number"},
}

func TestOneTimeCodes(t *testing.T) {
	for _, ch := range channels {
		t.Run(string(ch.kind), func(t *testing.T) {
			h := newFixture(t)
			h.post(ch.path+"send", ch.name, ch.to).refused(404, ch.notFound)
			made := h.post(ch.path+"login_or_create", ch.name, ch.to, "create_user_as_pending", true).ok().golden(t, string(ch.kind)+"_login_or_create").is("user_created", true)
			user, method, old := made.get("user_id"), made.get(ch.id), h.sent(ch.to)
			h.call(http.MethodGet, "/v1/users/"+user, "").ok().is("status", "pending")
			h.Wait(time.Second)
			h.post(ch.path+"login_or_create", ch.name, strings.ToUpper(ch.to)).ok().is("user_created", false).is("user_id", user)
			h.Wait(time.Second)
			h.post(ch.path+"send", ch.name, ch.to).ok().golden(t, string(ch.kind)+"_send").is(ch.id, method)
			code := h.sent(ch.to)
			authenticate := func(code string, pairs ...any) reply {
				return h.post("/v1/otps/authenticate", append([]any{"method_id", method, "code", code}, pairs...)...)
			}
			if old != code {
				authenticate(old).refused(404, "otp_code_not_found") // superseded
			}
			authenticate(other6(code)).refused(404, "otp_code_not_found")
			authenticate(code, "session_duration_minutes", 5).ok().golden(t, string(ch.kind)+"_authenticate").is("user.status", "active").is("method_id", method)
			authenticate(code).refused(401, "unable_to_auth_otp_code")
			authenticate(other6(code)).refused(404, "otp_code_not_found")
			h.Wait(time.Minute)
			h.post(ch.path+"send", ch.name, ch.to, "expiration_minutes", 1).ok()
			code = h.sent(ch.to)
			h.Wait(time.Minute + time.Second)
			authenticate(code).refused(401, "unable_to_auth_otp_code")
			h.post(ch.path+"send", ch.name, ch.to).ok()
			h.Wait(2*time.Minute - time.Second)
			authenticate(h.sent(ch.to)).ok().is("session", "<nil>")
		})
	}
}

func TestACodeForANewAddressOfAUser(t *testing.T) {
	for _, ch := range channels {
		t.Run(string(ch.kind), func(t *testing.T) {
			h := newFixture(t)
			made := h.post(ch.path+"login_or_create", ch.name, ch.to).ok()
			user := made.get("user_id")
			session := h.post("/v1/otps/authenticate", "method_id", made.get(ch.id), "code", h.sent(ch.to), "session_duration_minutes", 60).ok()
			list := map[string]string{"email": "emails", "phone_number": "phone_numbers"}[ch.name]
			for _, by := range [][]any{{"user_id", user}, {"session_token", session.get("session_token")}, {"session_jwt", session.get("session_jwt")}} {
				h.Wait(time.Second)
				h.post(ch.path+"send", append(by, ch.name, ch.more)...).ok().is("user_id", user)
				h.call(http.MethodGet, "/v1/users/"+user, "").ok().is(list+".1.verified", false)
				h.Wait(5*time.Minute + time.Second)
				h.call(http.MethodGet, "/v1/users/"+user, "").ok().is(list+".1", "<nil>")
			}
			sent := h.post(ch.path+"send", "user_id", user, ch.name, ch.more).ok()
			h.post("/v1/otps/authenticate", "method_id", sent.get(ch.id), "code", h.sent(ch.more), "session_token", session.get("session_token")).ok().
				is("session.session_id", session.get("session.session_id")).is("session.authentication_factors.1.type", map[string]string{"email": "email_otp", "phone_number": "otp"}[ch.name])
			h.Wait(5*time.Minute + time.Second)
			h.call(http.MethodGet, "/v1/users/"+user, "").ok().is(list+".1.verified", true)
			bob := h.user("bob")
			h.post(ch.path+"send", "user_id", bob, ch.name, ch.more).refused(400, ch.duplicate)
			h.post(ch.path+"send", "user_id", bob, "session_token", session.get("session_token"), ch.name, ch.more).refused(400, "user_id_mismatch")
			h.post(ch.path+"send", "session_token", "x", ch.name, ch.more).refused(404, "session_not_found")
			h.post(ch.path+"send", "session_token", "x", "session_jwt", "y", ch.name, ch.more).refused(400, "too_many_session_arguments")
			h.post(ch.path+"send", "user_id", "x", ch.name, ch.more).refused(400, "invalid_user_id")
			h.post(ch.path+"send", "user_id", strings.Replace(user, "test", "live", 1), ch.name, ch.more).refused(404, "user_not_found")
			for _, call := range []string{"send", "login_or_create"} {
				h.post(ch.path+call, ch.name, "nowhere").refused(400, ch.invalid)
				h.post(ch.path+call).refused(400, ch.invalid)
				h.post(ch.path+call, ch.name, 7).refused(400, "bad_request")
				h.post(ch.path+call, ch.name, ch.to, "attributes", "x").refused(400, "bad_request")
				for _, minutes := range []any{0, 11, -1} {
					h.post(ch.path+call, ch.name, ch.to, "expiration_minutes", minutes).refused(400, "invalid_expiration_otp")
				}
			}
		})
	}
}

func TestCodesAreRefused(t *testing.T) {
	h := newFixture(t)
	made := h.post("/v1/otps/email/login_or_create", "email", "ada@example.com").ok()
	method, code := made.get("email_id"), h.sent("ada@example.com")
	uuid := strings.TrimPrefix(method, "email-test-")
	for _, tc := range []struct {
		method, code any
		status       int
		kind         string
	}{
		{nil, code, 400, "invalid_method_id"},
		{"x", code, 400, "invalid_method_id"},
		{made.get("user_id"), code, 400, "invalid_method_id"},
		{method, nil, 400, "invalid_code"},
		{method, "12345", 400, "invalid_code"},
		{method, "1234567", 400, "invalid_code"},
		{method, "12345x", 400, "invalid_code"},
		{method, 123456, 400, "bad_request"},
		{"email-live-" + uuid, code, 404, "email_not_found"},
		{"phone-number-live-" + uuid, code, 404, "phone_number_not_found"},
		{"email-test-00000000-0000-0000-0000-000000000001", code, 404, "email_not_found"},
		{"phone-number-test-00000000-0000-0000-0000-000000000001", code, 404, "phone_number_not_found"},
	} {
		h.post("/v1/otps/authenticate", "method_id", tc.method, "code", tc.code).refused(tc.status, tc.kind)
	}
	for _, bad := range [][]any{{"session_duration_minutes", 4, "invalid_session_duration_minutes"}, {"session_custom_claims", []int{}, "bad_request"}} {
		h.post("/v1/otps/authenticate", "method_id", method, "code", code, bad[0], bad[1]).refused(400, bad[2].(string))
	}
	h.post("/v1/otps/authenticate", "method_id", method, "code", code, "session_token", "x").refused(404, "session_not_found")
	h.post("/v1/otps/authenticate", "method_id", method, "code", code).ok() // none of them used the code up
	h.post("/v1/otps/sms/login_or_create", "phone_number", "+881612345678").refused(400, "invalid_phone_number_country_code")
}

func TestSendsAreLimitedPerRecipient(t *testing.T) {
	h := newFixture(t)
	for range 100 {
		r := h.post("/v1/otps/email/login_or_create", "email", "ada@example.com")
		if r.code == http.StatusOK {
			continue
		}
		r.refused(429, "too_many_requests")
		if r.w.Header().Get("Retry-After") == "" {
			t.Error("a limit has no Retry-After")
		}
		h.post("/v1/otps/email/login_or_create", "email", "bob@example.com").ok()
		return
	}
	t.Error("100 codes were sent to one address")
}

func TestACodeDiesOfWrongTries(t *testing.T) {
	h := newFixture(t)
	made := h.post("/v1/otps/email/login_or_create", "email", "ada@example.com", "expiration_minutes", 10).ok()
	method, code := made.get("email_id"), h.sent("ada@example.com")
	for range 10 {
		r := h.post("/v1/otps/authenticate", "method_id", method, "code", other6(code))
		if r.code == http.StatusTooManyRequests {
			break
		}
		r.refused(404, "otp_code_not_found")
	}
	if r := h.post("/v1/otps/authenticate", "method_id", method, "code", code); r.code < 400 {
		t.Errorf("the right code after ten wrong ones = %d %s", r.code, r.raw)
	}
}

// The device of a call is that of the session. A backend can demand that it is the one that
// asked for the code.
func TestDevices(t *testing.T) {
	h := newFixture(t)
	device := func(ip, agent string) map[string]any { return map[string]any{"ip_address": ip, "user_agent": agent} }
	made := h.post("/v1/otps/email/login_or_create", "email", "ada@example.com", "attributes", device("203.0.113.1", "Firefox")).ok()
	authenticate := func(pairs ...any) reply {
		return h.post("/v1/otps/authenticate", append([]any{"method_id", made.get("email_id"), "code", h.sent("ada@example.com")}, pairs...)...)
	}
	both := map[string]any{"ip_match_required": true, "user_agent_match_required": true}
	authenticate("options", both).refused(401, "unable_to_auth_otp_code")
	authenticate("options", both, "attributes", device("203.0.113.2", "Firefox")).refused(401, "unable_to_auth_otp_code")
	authenticate("options", both, "attributes", device("203.0.113.1", "curl")).refused(401, "unable_to_auth_otp_code")
	for kind, bad := range map[string]map[string]any{"invalid_ip_address": device("localhost", ""), "invalid_user_agent": device("", "Fire\nfox"), "bad_request": {"ip_address": 7}} {
		authenticate("attributes", bad).refused(400, kind)
		h.post("/v1/otps/email/send", "email", "ada@example.com", "attributes", bad).refused(400, kind)
	}
	h.post("/v1/otps/email/send", "email", "ada@example.com", "attributes", device("::1", strings.Repeat("x", 1025))).refused(400, "invalid_user_agent")
	authenticate("options", map[string]any{"ip_match_required": "yes"}).refused(400, "bad_request")
	authenticate("options", map[string]any{"ip_match_required": true}, "attributes", device("203.0.113.1", "curl"), "session_duration_minutes", 5).ok().
		is("session.attributes.ip_address", "203.0.113.1").is("session.attributes.user_agent", "curl")
}

// other6 returns another code of six digits.
func other6(code string) string {
	if code == "000000" {
		return "111111"
	}
	return "000000"
}
