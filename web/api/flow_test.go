package api_test

import (
	"net/url"
	"reflect"
	"strings"
	"testing"
)

func TestPasswordAndTOTP(t *testing.T) {
	h := newFixture(t)
	h.User("ada", totpKey)
	a := h.app()
	r := a.begin("vault").at("identify")
	client, _ := r.body["client"].(map[string]any)
	if client["client_name"] != "The vault" || client["logo_uri"] != site+"/logo.svg" || client["support_url"] != "mailto:help@app.example" || r.get("state") != "" || r.get("login_token") != "" || r.methods() != "password:first" {
		t.Errorf("step = %s", r.raw)
	}
	if r = a.call("/identify", "identifier", " Ada@Example.org ").at("identify"); r.methods() != "password:first totp:second" || r.get("account") != "" {
		t.Errorf("options = %q, account = %q", r.methods(), r.get("account"))
	}
	wrong := a.call("/password", "identifier", "ada", "password", "wrong horse").refused(422, "invalid_credentials")
	if wrong.get("support_url") != "mailto:help@app.example" {
		t.Errorf("a refusal names the support %q, want that of the application", wrong.get("support_url"))
	}
	r = a.call("/password", "identifier", "ada", "password", password).at("verify")
	if r.methods() != "totp:second" || r.get("account") != "ada@example.org" || r.get("state") != "the-state" || r.get("login_token") == "" {
		t.Errorf("step = %s", r.raw)
	}
	r = a.call("/verify", "method", "totp", "passcode", "000000").refused(422, "invalid_passcode")
	exchange := r.get("exchange_id")
	a.call("/verify", "method", "totp", "passcode", "12345").refused(400, "invalid_request")
	a.call("/verify", "method", "totp", "passcode", h.code(totpKey), "exchange_id", exchange).at("done")
	a.call("/step").at("done")
	r = a.call("/finish").at("done")
	to, err := url.Parse(r.get("redirect_to"))
	h.OK(err)
	if q := to.Query(); !strings.HasPrefix(r.get("redirect_to"), callback+"?") || q.Get("code") != r.get("code") || r.get("code") == "" ||
		q.Get("state") != "the-state" || r.get("state") != "the-state" || r.get("iss") != issuer {
		t.Errorf("response = %s", r.raw)
	}
	if r.header.Values("Set-Cookie") != nil {
		t.Errorf("cookies = %v, want none", r.header.Values("Set-Cookie"))
	}
	claims := h.redeem("vault", r.get("code"))
	if claims["acr"] != "aal2" || claims["nonce"] != nil || claims["aud"] != "vault" {
		t.Errorf("claims = %v", claims)
	}
	a.call("/step").at("over")
	for _, path := range []string{"/finish", "/cancel", "/restart"} {
		a.call(path).refused(410, "request_over")
	}
	a.call("/password", "identifier", "ada", "password", password).refused(410, "request_over")
}

func TestInitiateAndVerify(t *testing.T) {
	h := newFixture(t)
	h.User("ada", totpKey, "aaaaaaaaaaaaaaaaaaaaaaaa")
	a := h.app()
	a.begin("vault")
	a.call("/initiate", "method", "totp").refused(409, "not_configured")
	r := a.call("/password", "identifier", "ada", "password", password).at("verify")
	option := r.body["options"].([]any)[0].(map[string]any)
	r = a.call("/initiate", "method", "totp", "authenticator_id", option["authenticator_id"]).at("verify")
	exchange := r.body["exchange"].(map[string]any)
	if exchange["usage"] != "second" || exchange["sub"] == "" || exchange["expires_at"] != "2026-11-20T10:05:05Z" {
		t.Errorf("exchange = %v", exchange)
	}
	if account, err := h.Users.Named(t.Context(), "ada"); err != nil || strings.Contains(r.raw, string(account.User.ID)) {
		t.Errorf("%s holds the subject (%v)", r.raw, err)
	}
	// A new attempt replaces the first.
	second := a.call("/initiate", "method", "totp").body["exchange"].(map[string]any)
	a.call("/verify", "method", "totp", "passcode", h.code(totpKey), "exchange_id", exchange["exchange_id"]).refused(409, "invalid_exchange")
	a.call("/verify", "method", "recovery", "passcode", "aaaaaaaaaaaaaaaaaaaaaaaa", "exchange_id", second["exchange_id"]).refused(409, "invalid_exchange")
	code := h.code(totpKey)
	a.call("/verify", "method", "totp", "passcode", code, "exchange_id", second["exchange_id"]).at("done")

	b := h.app()
	b.begin("vault")
	b.call("/password", "identifier", "ada", "password", password).at("verify")
	b.call("/verify", "method", "totp", "passcode", code).refused(422, "replayed")
	b.call("/verify", "method", "carrier pigeon", "passcode", code).refused(409, "not_configured")
	b.call("/verify", "method", "totp", "passcode", code, "usage", "first").refused(400, "invalid_request")
	b.call("/verify", "method", "recovery", "passcode", "aaaaaa-aaaaaa-aaaaaa-aaaaaa").at("done")
	b.call("/initiate", "method", "totp").refused(409, "request_changed")
}

func TestAttemptsAreLimited(t *testing.T) {
	h := newFixture(t)
	h.User("ada", totpKey)
	a := h.app()
	a.begin("vault")
	a.call("/password", "identifier", "ada", "password", password).at("verify")
	exchange := any("")
	for range 4 {
		exchange = a.call("/verify", "method", "totp", "passcode", "000000", "exchange_id", exchange).refused(422, "invalid_passcode").get("exchange_id")
	}
	r := a.call("/verify", "method", "totp", "passcode", "000000", "exchange_id", exchange).refused(422, "invalid_passcode")
	if r.get("exchange_id") != "" {
		t.Errorf("exchange = %q after the last try, want none", r.get("exchange_id"))
	}
	r = a.call("/verify", "method", "totp", "passcode", "000000").refused(429, "too_many_attempts")
	if got := r.header.Get("Retry-After"); got != "30" {
		t.Errorf("Retry-After = %q, want 30", got)
	}
	for range 18 {
		a.call("/initiate", "method", "totp").at("verify")
	}
	a.call("/initiate", "method", "totp").at("verify")
	a.call("/initiate", "method", "totp").refused(429, "too_many_initiations")
}

func TestEnrollmentAndRecoveryCodes(t *testing.T) {
	h := newFixture(t)
	h.User("bob", "")
	a := h.app()
	a.begin("vault")
	a.call("/enroll", "method", "totp").refused(409, "request_changed")
	r := a.call("/password", "identifier", "bob", "password", password).at("enroll")
	if methods := r.body["methods"].([]any); len(methods) != 1 || methods[0] != "totp" {
		t.Errorf("methods = %v", methods)
	}
	a.call("/enroll", "method", "recovery").refused(409, "not_configured")
	r = a.call("/enroll", "method", "totp", "name", "Work phone").at("enroll")
	enrollment := r.body["enrollment"].(map[string]any)
	if enrollment["text"] != "Work phone" || !strings.HasPrefix(enrollment["qr"].(string), "data:image/png;base64,") || !strings.HasPrefix(enrollment["uri"].(string), "otpauth://totp/") {
		t.Errorf("enrollment = %v", enrollment)
	}
	a.call("/enroll/confirm", "exchange_id", enrollment["exchange_id"], "passcode", "000000").refused(422, "invalid_passcode")
	a.call("/verify", "method", "totp", "passcode", "000000").refused(409, "request_changed")
	r = a.call("/enroll/confirm", "exchange_id", enrollment["exchange_id"], "passcode", h.code(enrollment["secret"].(string))).at("recovery")
	if codes := r.body["recovery_codes"].([]any); len(codes) != 10 {
		t.Errorf("codes = %v, want 10", codes)
	}
	if again := a.call("/step").at("recovery"); again.body["recovery_codes"].([]any)[0] != r.body["recovery_codes"].([]any)[0] {
		t.Error("the step shows other codes")
	}
	a.call("/finish").refused(409, "request_changed")
	a.call("/recovery-codes/seen").at("done")
	a.call("/recovery-codes/seen").refused(409, "request_changed")
	r = a.call("/finish").at("done")
	if claims := h.redeem("vault", r.get("code")); claims["acr"] != "aal2" || r.body["recovery_codes"] != nil {
		t.Errorf("claims = %v, response = %s", claims, r.raw)
	}
}

func TestEnrollmentExpires(t *testing.T) {
	h := newFixture(t)
	h.User("bob", "")
	a := h.app()
	a.begin("vault")
	a.call("/password", "identifier", "bob", "password", password).at("enroll")
	enrollment := a.call("/enroll", "method", "totp").body["enrollment"].(map[string]any)
	h.Wait(600e9)
	a.call("/enroll/confirm", "exchange_id", enrollment["exchange_id"], "passcode", h.code(enrollment["secret"].(string))).refused(409, "enrollment_expired")
	h.Wait(600e9)
	a.call("/enroll", "method", "totp").refused(403, "reauthentication_required")
	a.call("/restart").at("identify")
}

func TestConsent(t *testing.T) {
	h := newFixture(t)
	h.User("ada", "")
	a := h.app()
	a.begin("consenting", "scope", "openid email", "claims", `{"id_token":{"email":null}}`)
	a.call("/consent", "allow", true).refused(409, "request_changed")
	r := a.call("/password", "identifier", "ada", "password", password).at("consent")
	if scopes := r.body["scopes"].([]any); len(scopes) != 2 || scopes[1] != "email" {
		t.Errorf("scopes = %v", scopes)
	}
	if r = a.call("/consent", "allow", "yes").refused(400, "invalid_request"); r.get("parameter") != "allow" {
		t.Errorf("parameter = %q, want allow", r.get("parameter"))
	}
	if got := a.call("/step").at("consent").body["consent"]; !reflect.DeepEqual(got, map[string]any{"required": []any{"openid"}, "host": "app.example", "lasting": false}) {
		t.Errorf("consent = %v", got)
	}
	a.call("/consent", "allow", true, "scopes", "email").refused(400, "invalid_request")
	a.call("/consent", "allow", true, "scopes", []string{}).at("done")
	if claims := h.redeem("consenting", a.call("/finish").at("done").get("code")); claims["email"] != nil {
		t.Errorf("claims = %v, want none of what was left out", claims)
	}

	b := h.app()
	b.begin("consenting", "prompt", "consent")
	b.call("/password", "identifier", "ada", "password", password).at("consent")
	if r = b.call("/consent", "allow", false).at("refused"); r.get("error") != "access_denied" || r.get("code") != "" || r.body["scopes"] != nil {
		t.Errorf("response = %s", r.raw)
	}
	b.call("/step").at("over")
}

func TestCancelRestartAndRefusal(t *testing.T) {
	h := newFixture(t)
	h.User("ada", totpKey)
	h.User("bob", "")
	a := h.app()
	a.begin("front", "response_mode", "form_post")
	a.call("/password", "identifier", "ada", "password", password).at("done")
	if r := a.call("/restart").at("identify"); r.get("account") != "" {
		t.Errorf("account = %q after a restart", r.get("account"))
	}
	a.call("/password", "identifier", "bob", "password", password).at("done")
	r := a.call("/cancel").at("refused")
	if r.get("error") != "access_denied" || r.get("redirect_to") != callback || r.get("state") != "the-state" || r.get("iss") != issuer {
		t.Errorf("response = %s", r.raw)
	}
	b := h.app()
	b.begin("front", "claims", `{"id_token":{"acr":{"essential":true,"value":"aal2"}}}`)
	if r = b.call("/password", "identifier", "bob", "password", password).at("refused"); r.get("error") != "unmet_authentication_requirements" || r.get("redirect_to") != "" {
		t.Errorf("step = %s", r.raw)
	}
	if r = b.call("/finish").at("refused"); !strings.Contains(r.get("redirect_to"), "error=unmet_authentication_requirements") {
		t.Errorf("response = %s", r.raw)
	}
}

func TestPasswordless(t *testing.T) {
	h := newFixture(t)
	h.User("ada", totpKey)
	a := h.app()
	a.begin("lone")
	r := a.call("/identify", "identifier", "ada").at("identify")
	if r.methods() != "password:first totp:passwordless" {
		t.Errorf("options = %q", r.methods())
	}
	a.call("/verify", "method", "totp", "passcode", h.code(totpKey)).refused(400, "invalid_request")
	a.call("/verify", "method", "totp", "passcode", h.code(totpKey), "identifier", "ada").at("done")
	if claims := h.redeem("lone", a.call("/finish").get("code")); claims["acr"] != "aal1" {
		t.Errorf("claims = %v", claims)
	}
	b := h.app()
	b.begin("lone", "claims", `{"id_token":{"acr":{"essential":true,"value":"aal2"}}}`)
	if r = b.call("/identify", "identifier", "ada").at("identify"); r.methods() != "password:first totp:second" {
		t.Errorf("options = %q", r.methods())
	}
	b.call("/verify", "method", "totp", "passcode", h.code(totpKey), "identifier", "ada", "usage", "passwordless").refused(409, "not_configured")
}
