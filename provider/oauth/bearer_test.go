package oauth

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAccessToken(t *testing.T) {
	for _, tc := range []struct {
		name, method, target, header, body string
		token, code                        string
	}{
		{"header", "GET", "/userinfo", "Bearer abc", "", "abc", ""},
		{"scheme in lower case", "GET", "/userinfo", "bearer abc", "", "abc", ""},
		{"header of a post", "POST", "/userinfo", "Bearer abc", "", "abc", ""},
		{"body of a post", "POST", "/userinfo", "", "access_token=abc", "abc", ""},
		{"query", "GET", "/userinfo?access_token=abc", "", "", "", ""},
		{"query of a post", "POST", "/userinfo?access_token=abc", "", "x=y", "", ""},
		{"header and body", "POST", "/userinfo", "Bearer abc", "access_token=abc", "", "invalid_request"},
		{"twice in the body", "POST", "/userinfo", "", "access_token=abc&access_token=abc", "", "invalid_request"},
		{"empty in the body", "POST", "/userinfo", "", "access_token=", "", "invalid_request"},
		{"empty header", "GET", "/userinfo", "Bearer ", "", "", "invalid_request"},
		{"two words", "GET", "/userinfo", "Bearer abc def", "", "", "invalid_request"},
		{"bound to a key", "GET", "/userinfo", "dpop abc", "", "abc", ""},
		{"bound to a key, and in the body", "POST", "/userinfo", "DPoP abc", "access_token=abc", "", "invalid_request"},
		{"another scheme", "GET", "/userinfo", "Basic abc", "", "", ""},
		{"nothing", "GET", "/userinfo", "", "", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := httptest.NewRequest(tc.method, tc.target, strings.NewReader(tc.body))
			if tc.header != "" {
				r.Header.Set("Authorization", tc.header)
			}
			if tc.body != "" {
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			}
			got, e := AccessToken(r)
			code := ""
			if e != nil {
				code = e.Code
			}
			if got.Token != tc.token || code != tc.code || got.DPoP != (tc.token != "" && strings.HasPrefix(tc.header, "dpop")) {
				t.Errorf("AccessToken = %+v %q, want %q %q", got, code, tc.token, tc.code)
			}
		})
	}
}

func FuzzAccessToken(f *testing.F) {
	f.Add("Bearer abc", "access_token=x")
	f.Fuzz(func(t *testing.T, header, body string) {
		r := httptest.NewRequest(http.MethodPost, "/userinfo", strings.NewReader(body))
		r.Header["Authorization"] = []string{header}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if got, e := AccessToken(r); e != nil && got.Token != "" {
			t.Errorf("a token %q beside the refusal %v", got.Token, e)
		}
	})
}
