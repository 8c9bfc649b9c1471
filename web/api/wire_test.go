package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestOnlyJSONIsAccepted(t *testing.T) {
	h := newFixture(t)
	for _, tc := range []struct {
		name, kind, body string
		status           int
		code             string
	}{
		{"no type", "", "{}", 415, "invalid_request"},
		{"a form", "application/x-www-form-urlencoded", "request_id=x", 415, "invalid_request"},
		{"text, which needs no preflight", "text/plain", "{}", 415, "invalid_request"},
		{"another character set", "application/json; charset=utf-16", "{}", 415, "invalid_request"},
		{"something like JSON", "application/ld+json", "{}", 415, "invalid_request"},
		{"the character set we have", "Application/JSON; charset=UTF-8", `{"request_id":"x"}`, 404, "unknown_request"},
		{"a name twice", "application/json", `{"request_id":"x","request_id":"y"}`, 400, "invalid_request"},
		{"no request", "application/json", `{}`, 400, "invalid_request"},
		{"an unknown member", "application/json", `{"request_id":"x","colour":{"of":["the","moon"]}}`, 404, "unknown_request"},
		{"too long", "application/json", `{"request_id":"` + strings.Repeat("x", 65<<10) + `"}`, 413, "invalid_request"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h.T = t
			r := httptest.NewRequest(http.MethodPost, base+"/step", strings.NewReader(tc.body))
			r.Header.Set("Content-Type", tc.kind)
			r.ContentLength = -1
			got := h.app().do(r).refused(tc.status, tc.code)
			described(t, "/step", got)
		})
	}
}

func TestNoSecretIsLogged(t *testing.T) {
	h := newFixture(t)
	h.User("ada", totpKey)
	a := h.app()
	a.begin("vault")
	a.call("/password", "identifier", "ada", "password", "wrong horse").refused(422, "invalid_credentials")
	a.call("/password", "identifier", "ada", "password", password).at("verify")
	exchange := a.call("/initiate", "method", "totp").body["exchange"].(map[string]any)
	a.call("/verify", "method", "totp", "passcode", "000000", "exchange_id", exchange["exchange_id"]).refused(422, "invalid_passcode")
	code := h.code(totpKey)
	a.call("/verify", "method", "totp", "passcode", code, "exchange_id", exchange["exchange_id"]).at("done")
	end := a.call("/finish").get("code")
	for _, secret := range []string{"wrong horse", password, code, end, exchange["exchange_id"].(string), a.id.(string), "ada@"} {
		if strings.Contains(h.Log.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
	if !strings.Contains(h.Log.String(), `"reason":"invalid_passcode"`) {
		t.Errorf("log = %s", &h.Log)
	}
}
