package streambird

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// libraries are the headers that the libraries send with every call.
var libraries = map[string]http.Header{
	"node": {"Accept": {"application/json, text/plain, */*"}, "Content-Type": {"application/json"}, "User-Agent": {"streambird-node/1.0.6"}, "Accept-Encoding": {"gzip, deflate, br"}},
	"python": {"Accept": {"*/*"}, "Content-Type": {"application/json"}, "User-Agent": {"streambird/1.0.7 Python/3.12.0 OS/Linux"}, "Accept-Encoding": {"gzip, deflate"},
		"Connection": {"keep-alive"}},
	"ruby": {"Accept": {"*/*"}, "Content-Type": {"application/json"}, "User-Agent": {"Faraday v2.7.4"}, "X-Api-Client": {"Ruby"}, "X-Api-Client-Version": {"1.0.4"},
		"Accept-Encoding": {"gzip;q=1.0,deflate;q=0.6,identity;q=0.3"}},
}

// library sends a call as a library does.
func (h *fixture) library(name, method, path, body string) reply {
	h.T.Helper()
	r := httptest.NewRequest(method, base+path, strings.NewReader(body))
	r.Header = libraries[name].Clone()
	r.Header.Set("Authorization", "Bearer "+h.key)
	if name == "node" && body == "" || name == "ruby" && method == http.MethodGet {
		r.Header.Del("Content-Type")
	}
	return h.do(r)
}

// Every library creates a user, an authenticator and a session, with the bytes it sends.
func TestCallsOfTheLibraries(t *testing.T) {
	const post, put, get, del = http.MethodPost, http.MethodPut, http.MethodGet, http.MethodDelete
	for name, bodies := range map[string]struct{ create, update, updatePath, totp, verify, recovery, none string }{
		"node": {`{"requires_verification":true,"email":"ada@example.org"}`, `{"last_name":"King"}`, "/users/auth/users/USER/update", `{"user_id":"USER"}`,
			`{"user_id":"USER","totp":"CODE","session_expires_in":60,"device_fingerprint":{"ip":"192.0.2.7","user_agent":"Firefox"}}`, `{"user_id":"USER","totp":"CODE"}`, ""},
		"python": {`{"requires_verification": true, "email": "ada@example.org"}`, `{"emails": [{"email": "ada@example.com"}], "last_name": "King"}`, "/users/USER/update", `{"user_id": "USER"}`,
			`{"totp": "CODE", "user_id": "USER", "device_fingerprint": {"ip": "192.0.2.7"}, "session_expires_in": 60.0}`, `{"recovery_code": "CODE", "user_id": "USER"}`, ""},
		"ruby": {`{"email":"ada@example.org","requires_verification":true}`, `{"last_name":"King","emails":[],"phone_numbers":[]}`, "/users/USER/update", `{"user_id":"USER"}`,
			`{"totp":"CODE","user_id":"USER","session_expires_in":60}`, `{"recovery_code":"CODE","user_id":"USER"}`, `{}`},
	} {
		t.Run(name, func(t *testing.T) {
			h := newFixture(t)
			user := h.library(name, post, "/users/create", bodies.create).ok().text("user_id")
			fill := func(text, code string) string { return strings.NewReplacer("USER", user, "CODE", code).Replace(text) }
			if r := h.library(name, put, fill(bodies.updatePath, ""), bodies.update).ok(); r.text("user.last_name") != "King" {
				t.Errorf("updated = %s", r.raw)
			}
			totp := h.library(name, post, "/totps/create", fill(bodies.totp, "")).ok()
			a := &app{h: h, user: user, secret: totp.text("secret")}
			session := h.library(name, post, "/totps/verify", fill(bodies.verify, h.Code(a.secret))).ok()
			h.library(name, post, "/totps/verify", fill(bodies.verify, a.wrong())).refused(400, "invalid_totp")
			h.library(name, post, "/totps/recovery", fill(bodies.recovery, totp.text("recovery_codes.0"))).ok()
			h.library(name, post, "/sessions/verify", object("session_token", session.text("session_token"))).ok()
			if n := len(h.library(name, get, "/sessions/list?user_id="+user, "").ok().at("sessions").([]any)); n != 1 {
				t.Errorf("%d sessions, want 1", n)
			}
			h.library(name, del, "/sessions/delete", object("session_jwt", session.text("session_jwt"))).ok()
			h.library(name, get, "/users/"+user, "").ok()
			h.library(name, del, "/users/"+user+"/delete", bodies.none).ok()
			h.library(name, get, "/users/"+user, "").refused(404, "user_not_found")
		})
	}
}

// The library for Node fetches keys with its API key in the address and no header of its own.
func TestKeysAreFetchedByAddress(t *testing.T) {
	h := newFixture(t)
	r := httptest.NewRequest(http.MethodGet, base+keysPath+"?api_key="+h.key, nil)
	r.Header.Set("Accept", "application/json, application/jwk-set+json")
	got := h.do(r).ok()
	if got.at("keys.0.alg") != "RS256" || got.at("keys.0.use") != "sig" {
		t.Errorf("keys = %s", got.raw)
	}
	if strings.Contains(h.Log.String(), h.key) || strings.Contains(h.Log.String(), "api_key=") {
		t.Error("the query is logged")
	}
}
