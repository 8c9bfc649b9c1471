package clientauth

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"sallyport/provider/clients"
	"sallyport/storage"
)

func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
}

func TestBasicIsFormDecoded(t *testing.T) {
	for _, tc := range []struct {
		name, header, id, secret string
		ok                       bool
	}{
		{"plain", basic("rp", "secret"), "rp", "secret", true},
		{"reserved characters", basic("r:p%", "s+e c&r=e?t"), "r:p%", "s+e c&r=e?t", true},
		{"scheme in lower case", "basic" + basic("rp", "s")[5:], "rp", "s", true},
		{"a plus is a space", "Basic " + base64.StdEncoding.EncodeToString([]byte("r+p:s")), "r p", "s", true},
		{"no colon", "Basic " + base64.StdEncoding.EncodeToString([]byte("rp")), "", "", false},
		{"broken escape", "Basic " + base64.StdEncoding.EncodeToString([]byte("rp:%zz")), "", "", false},
		{"not base64", "Basic ???", "", "", false},
		{"no name", basic("", "s"), "", "", false},
		{"another scheme", "Bearer abc", "", "", false},
		{"nothing after the scheme", "Basic", "", "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, ok := parseBasic(tc.header)
			if ok != tc.ok || c.id != tc.id || c.secret != tc.secret {
				t.Errorf("parseBasic = %q %q %v, want %q %q %v", c.id, c.secret, ok, tc.id, tc.secret, tc.ok)
			}
		})
	}
}

// Conformance (Client assertions): RFC 6749 2.3, 10.10: one method in a request, and a limit of failures that costs no signature
// Conformance (OpenID Connect): Core 9: module oidcc-server-client-secret-post: a client uses the method it registered
func TestOneWayToAuthenticate(t *testing.T) {
	form := func(pairs ...string) url.Values {
		v := url.Values{}
		for i := 0; i < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
		return v
	}
	for _, tc := range []struct {
		name    string
		headers []string
		form    url.Values
		method  string
		code    string
	}{
		{"basic", []string{basic("rp", "s")}, form(), "client_secret_basic", ""},
		{"basic with its own client_id beside", []string{basic("rp", "s")}, form("client_id", "rp"), "client_secret_basic", ""},
		{"basic with another client_id beside", []string{basic("rp", "s")}, form("client_id", "other"), "", "invalid_request"},
		{"post", nil, form("client_id", "rp", "client_secret", "s"), "client_secret_post", ""},
		{"none", nil, form("client_id", "rp"), "none", ""},
		{"basic and post", []string{basic("rp", "s")}, form("client_id", "rp", "client_secret", "s"), "", "invalid_request"},
		{"two headers", []string{basic("rp", "s"), basic("rp", "s")}, form(), "", "invalid_request"},
		{"nothing", nil, form(), "", "invalid_client"},
		{"bearer", []string{"Bearer x"}, form("client_id", "rp"), "", "invalid_client"},
		{"an assertion", nil, form("client_id", "rp", "client_assertion", "x"), "", "invalid_client"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/token", nil)
			for _, h := range tc.headers {
				r.Header.Add("Authorization", h)
			}
			c, e := readCredentials(r, tc.form)
			switch {
			case tc.code == "" && (e != nil || c.method != tc.method || c.id != "rp"):
				t.Errorf("readCredentials = %+v, %v, want %s", c, e, tc.method)
			case tc.code != "" && (e == nil || e.Code != tc.code):
				t.Errorf("readCredentials = %+v, %v, want %s", c, e, tc.code)
			}
		})
	}
}

func TestSecretsAreComparedByTheirHash(t *testing.T) {
	sum := func(s string) []byte { h := sha256.Sum256([]byte(s)); return h[:] }
	rotating := clients.New(storage.Client{SecretHashes: [][]byte{sum("new"), sum("old")}})
	bare := clients.New(storage.Client{})
	for _, tc := range []struct {
		name, secret string
		c            *clients.Client
		want         bool
	}{
		{"the current secret", "new", rotating, true},
		{"the one before", "old", rotating, true},
		{"a wrong one", "older", rotating, false},
		{"none", "", rotating, false},
		{"a client without secrets", "", bare, false},
		{"the placeholder for a missing hash", string(make([]byte, 32)), bare, false},
		{"an unknown client", "new", nil, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := matches(tc.secret, tc.c); got != tc.want {
				t.Errorf("matches = %v, want %v", got, tc.want)
			}
		})
	}
}

func FuzzBasic(f *testing.F) {
	f.Add(basic("rp", "secret"))
	f.Add("Basic !!!")
	f.Fuzz(func(t *testing.T, header string) {
		if c, ok := parseBasic(header); ok && c.id == "" {
			t.Error("a client without a name")
		}
	})
}
