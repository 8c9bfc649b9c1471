package streambird

import (
	"maps"
	"regexp"
	"slices"
	"testing"
)

// Every operation is described, served, called here with success, and its response validated.
func TestEveryOperationIsDescribed(t *testing.T) {
	h := newFixture(t)
	doc, err := document()
	h.OK(err)
	var described []string
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			described = append(described, method+" "+path)
		}
	}
	var served []string
	for _, x := range h.surface.routes() {
		served = append(served, x.method+" "+base+regexp.MustCompile(`:(\w+)`).ReplaceAllString(x.path, "{$1}"))
	}
	slices.Sort(described)
	slices.Sort(served)
	if !slices.Equal(described, served) {
		t.Errorf("described = %v, want what is served: %v", described, served)
	}

	called := map[string]bool{}
	ok := func(r reply) reply { t.Helper(); called[r.ok().operation] = true; return r }
	created := ok(h.post("/users/create", "email", someone, "phone_number", number))
	user, email, phone := created.text("user_id"), created.text("email_id"), created.text("phone_number_id")
	ok(h.call("GET", "/users/"+user, ""))
	ok(h.call("PUT", "/users/"+user+"/update", `{"emails":["ada@example.com"]}`))
	ok(h.call("POST", "/users/"+user+"/update", `{"first_name":"Ada"}`))
	ok(h.call("PUT", "/users/auth/users/"+user+"/update", `{"last_name":"King"}`))
	ok(h.post("/users/search"))
	totp := ok(h.post("/totps/create", "user_id", user))
	a := &app{h: h, user: user, secret: totp.text("secret")}
	session := ok(a.verify("session_expires_in", 60))
	ok(h.post("/totps/recovery_codes", "user_id", user))
	ok(h.post("/totps/recovery", "user_id", user, "recovery_code", totp.text("recovery_codes.0"), "session_token", session.text("session_token")))
	ok(h.post("/otps/sms/login_or_create", "phone_number", number))
	ok(h.post("/otps/email/login_or_create", "email", someone))
	h.Wait(1e9) // messages of one moment have no order
	ok(h.post("/otps/sms/send", "phone_number", number))
	ok(h.post("/otps/email/send", "email", someone))
	ok(h.post("/otps/verify", "method_id", email, "otp", h.sent(someone), "session_token", session.text("session_token")))
	ok(h.post("/otps/verify", "method_id", phone, "otp", h.sent(number), "session_expires_in", 5))
	ok(h.post("/sessions/verify", "session_token", session.text("session_token")))
	ok(h.call("GET", "/sessions/list?user_id="+user, ""))
	ok(h.call("DELETE", "/sessions/delete", object("session_id", session.text("session.id"))))
	ok(h.call("GET", keysPath, ""))
	ok(h.call("DELETE", "/users/totps/"+totp.text("totp_id")+"/delete", ""))
	ok(h.call("DELETE", "/users/phone_numbers/"+phone+"/delete", ""))
	ok(h.call("DELETE", "/users/emails/"+email+"/delete", ""))
	ok(h.call("DELETE", "/users/"+user+"/delete", ""))
	if got := slices.Sorted(maps.Keys(called)); !slices.Equal(got, described) {
		t.Errorf("called = %v, want every operation: %v", got, described)
	}
}
