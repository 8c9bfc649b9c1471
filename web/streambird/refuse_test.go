package streambird

import (
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"sallyport/provider/apikeys"
	"sallyport/web"
)

// faulty panics below the surface's addresses.
type faulty struct{}

func (faulty) Mount(r gin.IRouter) {
	r.POST(base+"/break", func(*gin.Context) { panic("broken") })
}

func TestAKeyIsRequired(t *testing.T) {
	h := newFixture(t)
	_, reader := h.newKey("reader", apikeys.VerbRead)
	_, writer := h.newKey("writer", apikeys.VerbWrite)
	const user = base + "/users/user_24wFP9pDa9YiMJLun94iKykoZs2"
	for _, tc := range []struct {
		name, method, path string
		header             []string
		status             int
		kind               string
	}{
		{"none", "GET", user, nil, 401, "unauthorized"},
		{"an unknown one", "GET", user, []string{"Bearer sk_test_KJuRUZmh1XC342h1n39gH84MuSZDyD13NfhtDkaY6IfwpQA0H"}, 401, "unauthorized"},
		{"another scheme", "GET", user, []string{"Basic " + h.key}, 401, "unauthorized"},
		{"the key alone", "GET", user, []string{h.key}, 401, "unauthorized"},
		{"two", "GET", user, []string{"Bearer " + h.key, "Bearer " + h.key}, 401, "unauthorized"},
		{"in the address", "GET", user + "?api_key=" + h.key, nil, 401, "unauthorized"},
		{"a good one", "GET", user, []string{"Bearer " + h.key}, 404, "user_not_found"},
		{"in lower case", "GET", user, []string{"bearer " + h.key}, 404, "user_not_found"},
		{"reading with write alone", "GET", user, []string{"Bearer " + writer}, 401, "unauthorized"},
		{"reading with read", "GET", user, []string{"Bearer " + reader}, 404, "user_not_found"},
		{"writing with read alone", "POST", base + "/users/create", []string{"Bearer " + reader}, 401, "unauthorized"},
		{"before the body is read", "POST", base + "/users/create", nil, 401, "unauthorized"},
		{"keys", "GET", base + keysPath, []string{"Bearer " + reader}, 200, ""},
		{"keys with write alone", "GET", base + keysPath, []string{"Bearer " + writer}, 401, "unauthorized"},
		{"keys with the key in the address", "GET", base + keysPath + "?api_key=" + reader, nil, 200, ""},
		{"keys with a header and the address", "GET", base + keysPath + "?api_key=" + reader, []string{"Bearer x"}, 401, "unauthorized"},
		{"keys with two keys in the address", "GET", base + keysPath + "?api_key=" + reader + "&api_key=" + reader, nil, 401, "unauthorized"},
		{"keys without a key", "GET", base + keysPath, nil, 401, "unauthorized"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h.T = t
			r := httptest.NewRequest(tc.method, tc.path, strings.NewReader(""))
			if tc.header != nil {
				r.Header["Authorization"] = tc.header
			}
			if got := h.do(r); tc.status == 200 {
				got.ok()
			} else {
				got.refused(tc.status, tc.kind)
			}
		})
	}
	for _, secret := range []string{h.key, reader, writer} {
		if strings.Contains(h.Log.String(), secret) {
			t.Error("an API key is logged")
		}
	}
}

func TestEngineRefusalsHaveTheirFormat(t *testing.T) {
	h := newFixture(t)
	engine := func(o web.Options) http.Handler {
		o.Issuer = issuer
		e, err := web.New(o, rand.Reader, h.Now, h.surface, faulty{})
		h.OK(err)
		return e
	}
	open, shut := engine(web.Options{}), engine(web.Options{Rate: 1e-9})
	shut.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, base, nil)) // uses up the rate
	for _, tc := range []struct {
		name             string
		engine           http.Handler
		verb, path, kind string
		body             string
		status           int
		want             string
	}{
		{"nothing at the address", open, "POST", base + "/magic_links/create", "application/json", "{}", 404, "not_found"},
		{"wallets", open, "DELETE", base + "/users/wallets/wallet_24tdfcVDSJQpK5huDnZaqPP2aiI/delete", "", "", 404, "not_found"},
		{"the address itself", open, "GET", base, "", "", 404, "not_found"},
		{"another method", open, "GET", base + "/totps/verify", "", "", 405, "method_not_allowed"},
		{"a long body", open, "POST", base + "/users/create", "application/json", strings.Repeat(" ", 70_000), 413, "request_entity_too_large"},
		{"a long address", open, "POST", base + "/users/create?" + strings.Repeat("x", 16<<10), "application/json", "{}", 414, "request_uri_too_long"},
		{"multipart", open, "POST", base + "/users/create", "multipart/form-data; boundary=x", "--x--", 415, "unsupported_media_type"},
		{"an address that is not text", open, "GET", base + "/users/%ff", "", "", 400, "validation_error"},
		{"a panic", open, "POST", base + "/break", "application/json", "{}", 500, "internal_server_error"},
		{"more than can be served", shut, "POST", base + "/users/create", "application/json", "{}", 503, "service_unavailable"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h.T, h.Handler = t, tc.engine
			r := httptest.NewRequest(tc.verb, tc.path, strings.NewReader(tc.body))
			r.Header.Set("Authorization", "Bearer "+h.key)
			r.Header.Set("Accept", "text/html") // no page, whatever the caller accepts
			if tc.kind != "" {
				r.Header.Set("Content-Type", tc.kind)
			}
			h.do(r).refused(tc.status, tc.want)
		})
	}
	for _, path := range []string{"/v1/authx", "/v1", "/v1/users"} {
		w := httptest.NewRecorder()
		open.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if strings.Contains(w.Body.String(), "error_type") {
			t.Errorf("%s is answered by the dialect: %s", path, w.Body)
		}
	}
}

func TestMalformedCallsAreRefused(t *testing.T) {
	h := newFixture(t)
	const user, unknown = "user_24wFP9pDa9YiMJLun94iKykoZs2", "email_24oXBL3PufzHkH1Jzyjc2EXYeo7"
	totp := func(more ...any) string {
		return object(append([]any{"user_id", user, "totp", "123456"}, more...)...)
	}
	for _, tc := range []struct {
		name, path, body string
		kind             string
	}{
		{"nothing", "/users/create", "", "validation_error"},
		{"no JSON", "/users/create", "{", "validation_error"},
		{"a list", "/users/create", "[]", "validation_error"},
		{"a name twice", "/users/create", `{"email":"a@example.org","email":"b@example.org"}`, "validation_error"},
		{"no address", "/users/create", `{"first_name":"John"}`, "validation_error"},
		{"null as address", "/users/create", `{"email":null,"phone_number":null}`, "validation_error"},
		{"a number as address", "/users/create", `{"email":5}`, "validation_error"},
		{"a text as flag", "/users/create", `{"email":"a@example.org","requires_verification":"true"}`, "validation_error"},
		{"a long name", "/users/create", object("email", "a@example.org", "first_name", strings.Repeat("x", 256)), "validation_error"},
		{"addresses that are no list", "/users/" + user + "/update", `{"emails":"a@example.org"}`, "validation_error"},
		{"addresses of another kind", "/users/" + user + "/update", `{"emails":[{"phone_number":"+14152222222"}]}`, "validation_error"},
		{"an empty address", "/users/" + user + "/update", `{"phone_numbers":[""]}`, "validation_error"},
		{"TOTP: no user", "/totps/create", `{}`, "validation_error"},
		{"TOTP: an empty user", "/totps/create", `{"user_id":""}`, "validation_error"},
		{"TOTP: too short", "/totps/create", object("user_id", user, "expires_in", 4), "validation_error"},
		{"TOTP: too long", "/totps/create", object("user_id", user, "expires_in", 1441), "validation_error"},
		{"TOTP: not whole", "/totps/create", object("user_id", user, "expires_in", 5.5), "validation_error"},
		{"TOTP: no number", "/totps/create", object("user_id", user, "expires_in", "10"), "validation_error"},
		{"verify: no code", "/totps/verify", object("user_id", user), "validation_error"},
		{"verify: no user", "/totps/verify", object("totp", "123456"), "validation_error"},
		{"verify: a number as code", "/totps/verify", object("user_id", user, "totp", 123456), "validation_error"},
		{"verify: a short session", "/totps/verify", totp("session_expires_in", 4), "validation_error"},
		{"verify: no session at all", "/totps/verify", totp("session_expires_in", 0), "validation_error"},
		{"verify: a negative session", "/totps/verify", totp("session_expires_in", -5), "validation_error"},
		{"verify: a long session", "/totps/verify", totp("session_expires_in", 525601), "validation_error"},
		{"verify: an endless session", "/totps/verify", `{"user_id":"` + user + `","totp":"123456","session_expires_in":1e400}`, "validation_error"},
		{"verify: token and JWT", "/totps/verify", totp("session_token", "x", "session_jwt", "y"), "validation_error"},
		{"verify: a text as fingerprint", "/totps/verify", totp("device_fingerprint", "x"), "validation_error"},
		{"verify: a number in the fingerprint", "/totps/verify", totp("device_fingerprint", map[string]any{"ip": 1}), "validation_error"},
		{"verify: a long fingerprint", "/totps/verify", totp("device_fingerprint", map[string]any{"user_agent": strings.Repeat("x", 256)}), "validation_error"},
		{"recovery: no code", "/totps/recovery", object("user_id", user), "validation_error"},
		{"recovery: two kinds", "/totps/recovery", object("user_id", user, "recovery_code", "aaaaa-aaaaa", "totp", 5), "validation_error"},
		{"codes: no user", "/totps/recovery_codes", `{}`, "validation_error"},
		{"send: no number", "/otps/sms/send", `{}`, "validation_error"},
		{"send: too long", "/otps/sms/send", object("phone_number", "+14152222222", "expires_in", 11), "validation_error"},
		{"send: no time", "/otps/email/send", object("email", "a@example.org", "expires_in", 0), "validation_error"},
		{"create: a text as flag", "/otps/email/login_or_create", object("email", "a@example.org", "requires_verification", "yes"), "validation_error"},
		{"OTP: no code", "/otps/verify", object("method_id", unknown), "validation_error"},
		{"OTP: no method", "/otps/verify", object("otp", "123456"), "validation_error"},
		{"OTP: another ID as method", "/otps/verify", object("otp", "123456", "method_id", user), "validation_error"},
		{"session: none", "/sessions/verify", `{}`, "validation_error"},
		{"session: none and no body", "/sessions/verify", "", "validation_error"},
		{"session: both", "/sessions/verify", object("session_token", "x", "session_jwt", "y"), "validation_error"},
		{"search: too many", "/users/search", object("limit", 101), "validation_error"},
		{"search: no such user", "/users/search", object("starting_after", "x"), "validation_error"},
		{"search: no operator", "/users/search", `{"filters":{"fields":[{"field":"email","operator":"eq","value":"x"}]}}`, "validation_error"},
		{"search: no fields", "/users/search", `{"filters":{"operator":"AND"}}`, "validation_error"},
		{"search: an unknown field", "/users/search", `{"filters":{"operator":"AND","fields":[{"field":"full_name_match","operator":"eq","value":"x"}]}}`, "validation_error"},
		{"search: an unknown operator", "/users/search", `{"filters":{"operator":"AND","fields":[{"field":"email","operator":"between","value":"x"}]}}`, "validation_error"},
		{"search: no value", "/users/search", `{"filters":{"operator":"AND","fields":[{"field":"email","operator":"eq"}]}}`, "validation_error"},
		{"search: a field that is none", "/users/search", `{"filters":{"operator":"AND","fields":["email"]}}`, "validation_error"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h.T = t
			h.call(http.MethodPost, tc.path, tc.body).refused(400, tc.kind)
		})
	}
	for name, body := range map[string]string{"none": `{}`, "two": `{"session_token":"x","session_id":"y"}`, "three": `{"session_token":"x","session_jwt":"z","session_id":"y"}`} {
		t.Run("ending a session: "+name, func(t *testing.T) {
			h.T = t
			h.call(http.MethodDelete, "/sessions/delete", body).refused(400, "validation_error")
		})
	}
	h.T = t
	h.call(http.MethodGet, "/sessions/list", "").refused(400, "validation_error")
	for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded"} {
		r := httptest.NewRequest(http.MethodPost, base+"/users/create", strings.NewReader(`{"email":"a@example.org"}`))
		r.Header.Set("Authorization", "Bearer "+h.key)
		r.Header.Set("Content-Type", kind)
		h.do(r).refused(415, "unsupported_media_type")
	}
}
