package oidc

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/mfa/mfatest"
	"sallyport/provider"
	"sallyport/storage"
	"sallyport/web"
	"sallyport/web/webtest"
)

const (
	issuer = "https://op.example/realm"
	secret = "a secret of 32 random bytes, say"
)

// serve runs the surface on a real provider and database.
func serve(t *testing.T) http.Handler { return serveWith(t, web.Options{}) }

func serveWith(t *testing.T, o web.Options) http.Handler {
	t.Helper()
	f := webtest.New(t, time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC), mfatest.Options{}, provider.Options{Issuer: issuer})
	sum := sha256.Sum256([]byte(secret))
	f.OK(f.Store.PutClient(context.Background(), storage.Client{ID: "rp", AuthMethod: "client_secret_basic", SecretHashes: [][]byte{sum[:]},
		GrantTypes: []string{"client_credentials"}, AllowedOrigins: []string{"https://spa.example"}}, nil))
	o.Issuer = issuer
	o.ErrorPage = func(c *gin.Context, f web.Fault) { c.Data(f.Status, "text/html", []byte("a page")) }
	f.Provider.OriginAllowed(context.Background(), "https://spa.example") // reads the origins
	h, err := web.New(o, rand.Reader, f.Now, New(f.Provider, Options{Issuer: issuer, PasskeyOrigins: []string{issuer}}))
	f.OK(err)
	return h
}

// call sends a request; headers are name, value, name, value.
func call(h http.Handler, method, target, body string, headers ...string) *http.Response {
	r := httptest.NewRequest(method, "https://op.example"+target, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

const form = "application/x-www-form-urlencoded"

func TestEndpoints(t *testing.T) {
	h := serve(t)
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.SetBasicAuth("rp", strings.ReplaceAll(strings.ReplaceAll(secret, " ", "+"), ",", "%2C"))
	authorization := r.Header.Get("Authorization")
	for _, tc := range []struct {
		name, method, target, body string
		headers                    []string
		status                     int
		kind                       string
	}{
		{"token", "POST", "/token", "grant_type=client_credentials", []string{"Content-Type", form, "Authorization", authorization}, 200, "application/json"},
		{"token by get", "GET", "/token", "", nil, 405, ""},
		{"token by put", "PUT", "/token", "", nil, 405, ""},
		{"token by an overridden method", "GET", "/token", "", []string{"X-HTTP-Method-Override", "POST"}, 405, ""},
		{"token with an encoded body", "POST", "/token", "x", []string{"Content-Type", form, "Content-Encoding", "gzip"}, 415, ""},
		{"token with json", "POST", "/token", "{}", []string{"Content-Type", "application/json", "Authorization", authorization}, 400, "application/json"},
		{"token with a body too long", "POST", "/token", "a=" + strings.Repeat("x", 70000), []string{"Content-Type", form}, 413, ""},
		{"introspection", "POST", "/introspect", "token=x", []string{"Content-Type", form, "Authorization", authorization}, 200, "application/json"},
		{"introspection by get", "GET", "/introspect?token=x", "", nil, 405, ""},
		{"revocation", "POST", "/revoke", "token=x", []string{"Content-Type", form, "Authorization", authorization}, 200, ""},
		{"userinfo without a token", "GET", "/userinfo", "", nil, 401, ""},
		{"userinfo by post without a token", "POST", "/userinfo", "", nil, 401, ""},
		{"key set", "GET", "/jwks.json", "", nil, 200, "application/json"},
		{"discovery", "GET", "/.well-known/openid-configuration", "", nil, 200, "application/json"},
		{"discovery by head", "HEAD", "/.well-known/openid-configuration", "", nil, 200, "application/json"},
		{"discovery by post", "POST", "/.well-known/openid-configuration", "", nil, 405, ""},
		{"metadata of RFC 8414", "GET", "/.well-known/oauth-authorization-server", "", nil, 200, "application/json"},
		{"related origins of passkeys", "GET", "/.well-known/webauthn", "", nil, 200, "application/json"},
		{"endpoints of passkeys", "GET", "/.well-known/passkey-endpoints", "", nil, 200, "application/json"},
		{"metadata before the issuer's path", "GET", "/.well-known/oauth-authorization-server/realm", "", nil, 200, "application/json"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res := call(h, tc.method, tc.target, tc.body, tc.headers...)
			if res.StatusCode != tc.status || !strings.HasPrefix(res.Header.Get("Content-Type"), tc.kind) {
				text, _ := io.ReadAll(res.Body)
				t.Errorf("%s %s = %d %s %s, want %d %s", tc.method, tc.target, res.StatusCode, res.Header.Get("Content-Type"), text, tc.status, tc.kind)
			}
			if res.Header.Get("Access-Control-Allow-Credentials") != "" {
				t.Error("credentials are allowed across origins")
			}
		})
	}
}

func TestDocumentsAreCacheable(t *testing.T) {
	h := serve(t)
	for _, target := range []string{"/jwks.json", "/.well-known/openid-configuration"} {
		res := call(h, "GET", target, "")
		etag := res.Header.Get("ETag")
		var document map[string]any
		if err := json.NewDecoder(res.Body).Decode(&document); err != nil || etag == "" || res.Header.Get("Cache-Control") != documentAge {
			t.Errorf("%s: %v, tag %q, %q", target, err, etag, res.Header.Get("Cache-Control"))
		}
		for _, header := range []string{etag, "W/" + etag, `"x", ` + etag, "*"} {
			if again := call(h, "GET", target, "", "If-None-Match", header); again.StatusCode != http.StatusNotModified {
				t.Errorf("%s with If-None-Match %s = %d, want 304", target, header, again.StatusCode)
			}
		}
		if again := call(h, "GET", target, "", "If-None-Match", `"x"`); again.StatusCode != http.StatusOK {
			t.Errorf("%s with another tag = %d, want 200", target, again.StatusCode)
		}
	}
	if res := call(h, "POST", "/token", "", "Content-Type", form); res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("token: Cache-Control = %q, want no-store", res.Header.Get("Cache-Control"))
	}
}

// Programs get JSON, whatever they accept: the HTTP client of Java accepts text/html.
func TestRefusalsAreJSONForPages(t *testing.T) {
	h, slow, shut := serve(t), serveWith(t, web.Options{Timeout: time.Nanosecond}), serveWith(t, web.Options{Rate: 1e-9})
	call(shut, "GET", "/jwks.json", "") // uses up the rate
	for _, tc := range []struct {
		h                          http.Handler
		method, target, body, kind string
		status                     int
		shared                     bool
	}{
		{h, "GET", "/token", "", "", 405, true},
		{h, "DELETE", "/revoke", "", "", 405, true},
		{h, "PATCH", "/userinfo", "", "", 405, true},
		{h, "GET", "/introspect", "", "", 405, false},
		{h, "POST", "/jwks.json", "", "", 405, true},
		{h, "GET", "/.well-known/webfinger", "", "", 404, true},
		{h, "POST", "/token", "a=" + strings.Repeat("x", 70_000), form, 413, true},
		{h, "POST", "/token", "--x--", "multipart/form-data; boundary=x", 415, true},
		{h, "POST", "/token", "a=%ff", form, 400, true},
		{h, "POST", "/token?a=" + strings.Repeat("x", 16<<10), "", form, 414, true},
		{slow, "POST", "/token", "grant_type=client_credentials", form, 503, true},
		{slow, "POST", "/introspect", "token=x", form, 503, false},
		{shut, "POST", "/token", "grant_type=client_credentials", form, 503, true},
		{shut, "GET", "/jwks.json", "", form, 503, true},
	} {
		res := call(tc.h, tc.method, tc.target, tc.body, "Accept", "text/html, */*; q=0.2", "Authorization", "Basic cnA6eA==", "Content-Type", tc.kind, "Origin", "https://spa.example")
		var wire struct {
			Error string `json:"error"`
		}
		err := json.NewDecoder(res.Body).Decode(&wire)
		if res.StatusCode != tc.status || !strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") || err != nil || wire.Error == "" {
			t.Errorf("%s %.40s = %d %s %v, want %d as JSON", tc.method, tc.target, res.StatusCode, res.Header.Get("Content-Type"), err, tc.status)
		}
		if got := res.Header.Get("Access-Control-Allow-Origin") != ""; got != tc.shared {
			t.Errorf("%s %.40s: the page may read the response: %v, want %v", tc.method, tc.target, got, tc.shared)
		}
	}
}

// H-6.
func TestPagesOfRegisteredOriginsMayCall(t *testing.T) {
	h := serve(t)
	for _, tc := range []struct {
		name, target, origin string
		want                 string
	}{
		{"token from a registered origin", "/token", "https://spa.example", "https://spa.example"},
		{"revocation from a registered origin", "/revoke", "https://spa.example", "https://spa.example"},
		{"userinfo from a registered origin", "/userinfo", "https://spa.example", "https://spa.example"},
		{"token from elsewhere", "/token", "https://evil.example", ""},
		{"token from nowhere", "/token", "null", ""},
		{"registration, which is off", "/register", "https://spa.example", ""},
		{"introspection is not for pages", "/introspect", "https://spa.example", ""},
		{"key set from anywhere", "/jwks.json", "https://evil.example", "*"},
		{"discovery from anywhere", "/.well-known/openid-configuration", "https://evil.example", "*"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			method := "POST"
			if tc.want == "*" {
				method = "GET"
			}
			preflight := call(h, "OPTIONS", tc.target, "", "Origin", tc.origin, "Access-Control-Request-Method", method,
				"Access-Control-Request-Headers", "authorization")
			if tc.want == "*" {
				preflight = call(h, "OPTIONS", tc.target, "", "Origin", tc.origin, "Access-Control-Request-Method", method)
			}
			simple := call(h, method, tc.target, "", "Origin", tc.origin, "Content-Type", form)
			for name, res := range map[string]*http.Response{"preflight": preflight, "call": simple} {
				if got := res.Header.Get("Access-Control-Allow-Origin"); got != tc.want {
					t.Errorf("%s: Access-Control-Allow-Origin = %q, want %q", name, got, tc.want)
				}
				if res.Header.Get("Access-Control-Allow-Credentials") != "" {
					t.Errorf("%s: credentials are allowed", name)
				}
			}
		})
	}
}
