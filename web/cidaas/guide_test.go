package cidaas

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"sallyport/web/webtest"
)

// The exact calls of the guide "TOTP (Authentication)": the same addresses, headers and
// bodies with real IDs, and no cookie, as curl sends none.
func TestCallsOfTheGuide(t *testing.T) {
	h := newFixture(t)
	h.client()
	h.User("ada", totpKey)
	curl := h.program()
	request := h.at(curl.json("/authz-srv/authrequest/authz/generate", flat(authorizeParams())...), "data.requestId")

	list := h.is(curl.do("POST", "/verification-srv/public/graph/user/setup", "application/json", `{
"request_id": "`+request+`",
"identifier": "ada@example.org"
}`), http.StatusOK)
	golden(t, "list", list)
	medium := h.at(list, "data.configured_list.0.mediums.0.id")

	initiated := h.is(curl.do("POST", "/verification-srv/authentication/totp/initiation", "application/json", `{
"usage_type": "PASSWORDLESS_AUTHENTICATION",
"request_id": "`+request+`",
"medium_id": "`+medium+`",
"email": "ada@example.org"
}`), http.StatusOK)
	golden(t, "initiation", initiated)
	exchange, status, sub := h.at(initiated, "data.exchange_id.exchange_id"), h.at(initiated, "data.status_id"), h.at(initiated, "data.sub")

	wrong := curl.do("POST", "/verification-srv/authentication/totp/verification", "application/json", `{
"exchange_id": "`+exchange+`",
"type": "TOTP",
"passcode": "`+h.wrong()+`"
}`)
	golden(t, "verification_wrong", wrong)

	verified := h.is(curl.do("POST", "/verification-srv/authentication/totp/verification", "application/json", `{
"exchange_id": "`+exchange+`",
"type": "TOTP",
"passcode": "`+h.Code(totpKey)+`"
}`), http.StatusOK)
	golden(t, "verification", verified)
	if next := h.at(verified, "data.exchange_id.exchange_id"); next == exchange {
		t.Error("the exchange did not change with the right code")
	}
	if h.at(verified, "data.status_id") != status || h.at(verified, "data.sub") != sub {
		t.Errorf("status or sub changed: %s after %s", verified.Body, initiated.Body)
	}

	finished := curl.do("POST", "/login-srv/verification/login", formType,
		"requestId="+request+"&verificationType=TOTP&sub="+sub+"&status_id="+status)
	golden(t, "login_finished", finished)
	response, claims := h.claims(h.mustCode(h.is(finished, http.StatusSeeOther).Header().Get("Location")))
	if claims["acr"] != "aal1" || response["sub"] != claims["sub"] || response["sub"] == sub {
		t.Errorf("response %v with claims %v, want one factor and the real subject", response, claims)
	}
	if log := h.Log.String(); strings.Contains(log, exchange) || strings.Contains(log, request) || strings.Contains(log, status) {
		t.Error("the log holds an ID that opens something")
	}
}

// The calls of the libraries, versions 4 and 5: other addresses, IDs under other names, and
// a medium instead of a user (the guide's chapter on the library).
func TestCallsOfTheLibraries(t *testing.T) {
	h := newFixture(t)
	h.client()
	h.User("ada", totpKey)
	page := h.page() // on the application's site: an origin, and no cookie before the end
	page.cookies = webtest.Jar{}
	opened := h.is(page.json("/authz-srv/authrequest/authz/generate", flat(authorizeParams("response_mode", "query"))...), http.StatusOK)
	golden(t, "generate", opened)
	request := h.at(opened, "data.requestId")
	golden(t, "public", h.is(page.do("GET", "/public-srv/public/"+request, "application/json", ""), http.StatusOK))
	golden(t, "tenantinfo", h.is(page.do("GET", "/public-srv/tenantinfo/basic", "application/json", ""), http.StatusOK))

	list := h.is(page.json("/verification-srv/v2/setup/public/configured/list", "email", "ada@example.org", "request_id", request), http.StatusOK)
	medium := h.at(list, "data.configured_list.0.mediums.0.id")
	golden(t, "check", h.is(page.json("/verification-srv/v2/setup/public/configured/check/totp", "email", "ada@example.org",
		"request_id", request, "verification_type", "totp"), http.StatusOK))
	initiated := h.is(page.json("/verification-srv/v2/authenticate/initiate/TOTP", "usage_type", "PASSWORDLESS_AUTHENTICATION",
		"request_id", request, "medium_id", medium, "type", "TOTP"), http.StatusOK)
	exchange := h.at(initiated, "data.exchange_id.exchange_id")
	h.is(page.json("/verification-srv/v2/authenticate/authenticate/TOTP", "requestId", request, "exchange_id", exchange,
		"type", "TOTP", "passcode", h.wrong()), expectationFailed)
	h.is(page.json("/verification-srv/v2/authenticate/authenticate/TOTP", "requestId", request, "exchange_id", exchange,
		"type", "TOTP", "pass_code", h.Code(totpKey)), http.StatusOK)

	finished := page.form("/login-srv/verification/login", "requestId", request, "verificationType", "TOTP",
		"sub", h.at(initiated, "data.sub"), "status_id", h.at(initiated, "data.status_id"), "rememberMe", "undefined", "lat", "null")
	finished, to := page.follow(h.is(finished, http.StatusSeeOther))
	h.claims(h.mustCode(to))
	if !slices.ContainsFunc(finished.Result().Cookies(), func(c *http.Cookie) bool { return c.Name == "__Host-"+"sallyport_session" }) {
		t.Error("a login that ended in a browser of the application left no user signed in there")
	}
}

// flat writes parameters as pairs.
func flat(v map[string][]string) []string {
	var out []string
	for name, values := range v {
		out = append(out, name, values[0])
	}
	return out
}

func TestMethodsAndMediums(t *testing.T) {
	for _, tc := range []struct {
		name   string
		method string
		pairs  []string
		want   int
	}{
		{"lower case", "totp", nil, http.StatusOK},
		{"upper case", "TOTP", nil, http.StatusOK},
		{"mixed case", "ToTp", nil, http.StatusOK},
		{"the method's name as medium", "totp", []string{"medium_id", "totp"}, http.StatusOK},
		{"recovery codes", "backupcode", nil, http.StatusOK},
		{"a password", "PASSWORD", nil, http.StatusOK},
		{"under the other name of a first factor", "totp", []string{"usage_type", "INITIAL_AUTHENTICATION"}, http.StatusOK},
		{"a second factor before the first", "totp", []string{"usage_type", "MULTIFACTOR_AUTHENTICATION"}, expectationFailed},
		{"a password as second factor", "password", []string{"usage_type", "MULTIFACTOR_AUTHENTICATION"}, expectationFailed},
		{"a usage type in lower case", "totp", []string{"usage_type", "passwordless_authentication"}, http.StatusBadRequest},
		{"no usage type", "totp", []string{"usage_type", ""}, http.StatusBadRequest},
		{"another method's type", "totp", []string{"type", "EMAIL"}, http.StatusBadRequest},
		{"an unknown method", "fido2", nil, expectationFailed},
		{"another user's medium", "totp", []string{"medium_id", "bob"}, expectationFailed},
		{"an invalid medium", "totp", []string{"medium_id", "first"}, expectationFailed},
		{"no login", "totp", []string{"request_id", "00000000-0000-0000-0000-000000000000"}, http.StatusBadRequest},
		{"no user", "totp", []string{"email", ""}, expectationFailed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newFixture(t)
			h.client()
			h.User("ada", totpKey, "aaaaaaaaaaaaaaaaaaaaaaaa")
			h.User("bob", totpKey)
			page := h.page()
			request := h.at(page.json("/authz-srv/authrequest/authz/generate", flat(authorizeParams())...), "data.requestId")
			bobs := h.at(page.json("/verification-srv/public/graph/user/setup", "request_id", request, "identifier", "bob"), "data.configured_list.0.mediums.0.id")
			pairs := append([]string{"request_id", request, "usage_type", "PASSWORDLESS_AUTHENTICATION", "email", "ada@example.org"}, tc.pairs...)
			for i, p := range pairs {
				if p == "bob" {
					pairs[i] = bobs
				}
			}
			w := page.json("/verification-srv/authentication/"+tc.method+"/initiation", pairs...)
			if h.is(w, tc.want); tc.want != http.StatusOK {
				envelope(t, w)
			}
		})
	}
}

func TestPasswordAndBackupCodeAsMethods(t *testing.T) {
	h := newFixture(t)
	h.client(always)
	h.User("ada", totpKey, "aaaaaaaaaaaaaaaaaaaaaaaa")
	page := h.page()
	request := h.at(page.json("/authz-srv/authrequest/authz/generate", flat(authorizeParams())...), "data.requestId")
	login := func(method, usage, field, typed string, who ...string) *httptest.ResponseRecorder {
		initiation := h.is(page.json("/verification-srv/authentication/"+method+"/initiation", append([]string{"request_id", request, "usage_type", usage},
			who...)...), http.StatusOK)
		exchange := h.at(initiation, "data.exchange_id.exchange_id")
		h.is(page.json("/verification-srv/authentication/"+method+"/verification", "exchange_id", exchange, field, typed), http.StatusOK)
		return page.form("/login-srv/verification/login", "requestId", request, "verificationType", method,
			"q", h.at(initiation, "data.sub"), "status_id", h.at(initiation, "data.status_id"))
	}
	w := login("password", "INITIAL_AUTHENTICATION", "password", password, "identifier", "ada")
	q := h.query(h.is(w, http.StatusSeeOther).Header().Get("Location"), app+"/login?")
	if q.Get("error") != "mfa_required" || q.Get("track_id") == "" {
		t.Fatalf("led to %v, want the page of the second factor", q)
	}
	refused := page.json("/verification-srv/authentication/BACKUPCODE/initiation", "request_id", request, "usage_type", "MULTIFACTOR_AUTHENTICATION", "identifier", "ada")
	envelope(t, h.is(refused, expectationFailed)) // by name alone
	page.cookies = webtest.Jar{}
	w = login("BACKUPCODE", "MULTIFACTOR_AUTHENTICATION", "pass_code", "aaaaaa-aaaaaa-aaaaaa-aaaaaa", "sub", q.Get("sub"))
	_, to := page.follow(w)
	_, claims := h.claims(h.mustCode(to))
	if claims["acr"] != "aal2" {
		t.Errorf("acr = %v, want aal2", claims["acr"])
	}
}
