package web_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sallyport/mfa"
	"sallyport/web"
)

func TestAddress(t *testing.T) {
	trust := func(o *web.Options) { o.TrustedProxies = []string{"10.0.0.0/8", "192.0.2.7", "fd00::/8"} }
	for _, tc := range []struct {
		name, peer string
		forwarded  []string
		want       string
	}{
		{"a direct caller", "198.51.100.1:555", nil, "198.51.100.1"},
		{"a direct caller who claims another address", "198.51.100.1:555", []string{"203.0.113.9"}, "198.51.100.1"},
		{"behind a proxy", "10.0.0.1:555", []string{"203.0.113.9"}, "203.0.113.9"},
		{"behind two proxies", "10.0.0.1:555", []string{"203.0.113.9, 10.2.2.2"}, "203.0.113.9"},
		{"behind two proxies with a header each", "10.0.0.1:555", []string{"203.0.113.9", "192.0.2.7"}, "203.0.113.9"},
		{"a forged entry left of the true one", "10.0.0.1:555", []string{"127.0.0.1, 203.0.113.9"}, "203.0.113.9"},
		{"a forged trusted entry left of the true one", "10.0.0.1:555", []string{"10.9.9.9, 203.0.113.9"}, "203.0.113.9"},
		{"rubbish right of everything", "10.0.0.1:555", []string{"203.0.113.9, unknown"}, "10.0.0.1"},
		{"no header from the proxy", "10.0.0.1:555", nil, "10.0.0.1"},
		{"an entry with a port", "10.0.0.1:555", []string{"203.0.113.9:4711"}, "203.0.113.9"},
		{"IPv6 in brackets with a port", "10.0.0.1:555", []string{"[2001:db8::1]:4711"}, "2001:db8::1"},
		{"IPv6 proxy", "[fd00::1]:555", []string{"2001:db8::1"}, "2001:db8::1"},
		{"IPv4 in IPv6 is IPv4", "[::ffff:10.0.0.1]:555", []string{"::ffff:203.0.113.9"}, "203.0.113.9"},
		{"a zone is dropped", "[fe80::1%eth0]:555", nil, "fe80::1"},
	} {
		r := httptest.NewRequest("GET", "/caller", nil)
		r.RemoteAddr = tc.peer
		r.Header["X-Forwarded-For"] = tc.forwarded
		r.Header.Set("X-Real-IP", "192.0.2.99")
		r.Header.Set("Forwarded", "for=192.0.2.99")
		var v mfa.Caller
		if err := json.Unmarshal(open(t, trust).do(r).Body.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		if v.Address != tc.want {
			t.Errorf("%s: address = %q, want %q", tc.name, v.Address, tc.want)
		}
	}
}

func TestCallerIsPrintable(t *testing.T) {
	r := httptest.NewRequest("GET", "/caller", nil)
	r.Header.Set("User-Agent", "a\tb\xff\u009b\u202e"+strings.Repeat("ü", 300))
	r.Header.Set("Origin", "https://app.example")
	r.Header.Set("X-Correlation-Id", "forged")
	r.Header.Set("Cookie", "__Host-sallyport_browser="+strings.Repeat("b", 43)+"; __Host-sallyport_device=d; sallyport_session=no")
	w := open(t, nil).do(r)
	var v mfa.Caller
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(v.UserAgent, "abü") || len(v.UserAgent) > 256 {
		t.Errorf("user agent = %q, want clean text of 256 bytes at most", v.UserAgent)
	}
	if v.Browser != strings.Repeat("b", 43) || v.Device != "d" || v.Origin != "https://app.example" {
		t.Errorf("caller = %+v, want browser, device and origin as sent", v)
	}
	if v.CorrelationID == "forged" || v.CorrelationID != w.Header().Get(web.CorrelationHeader) {
		t.Errorf("correlation id = %q, want the server's", v.CorrelationID)
	}
}

func TestBindingCookie(t *testing.T) {
	good := strings.Repeat("k", 43)
	for _, tc := range []struct {
		name, issuer, cookie string
		kept                 bool
	}{
		{"none yet", "https://login.example", "", false},
		{"one there", "https://login.example", "__Host-sallyport_browser=" + good, true},
		{"one without the prefix", "https://login.example", "sallyport_browser=" + good, false},
		{"one of another length", "https://login.example", "__Host-sallyport_browser=short", false},
		{"two of one name", "https://login.example", "__Host-sallyport_browser=" + good + "; __Host-sallyport_browser=" + good, false},
		{"one there, on http", "http://localhost:8080", "sallyport_browser=" + good, true},
		{"none yet, on http", "http://localhost:8080", "", false},
	} {
		r := httptest.NewRequest("GET", "/bind", nil)
		r.Header.Set("Cookie", tc.cookie)
		w := open(t, func(o *web.Options) { o.Issuer = tc.issuer }).do(r)
		values := strings.Fields(w.Body.String())
		if len(values) != 3 || values[0] != values[1] || values[1] != values[2] || len(values[0]) != 43 {
			t.Fatalf("%s: values = %v, want one value of 43 characters throughout", tc.name, values)
		}
		set := w.Result().Cookies()
		if tc.kept {
			if values[0] != good || len(set) != 0 {
				t.Errorf("%s: value = %q, cookies = %v, want it kept", tc.name, values[0], set)
			}
			continue
		}
		if len(set) != 1 {
			t.Fatalf("%s: cookies = %v, want one", tc.name, set)
		}
		https := strings.HasPrefix(tc.issuer, "https")
		k := set[0]
		if k.Value != values[0] || k.Secure != https || strings.HasPrefix(k.Name, "__Host-") != https || !k.HttpOnly ||
			k.SameSite != http.SameSiteLaxMode || k.Path != "/" || k.Domain != "" || k.MaxAge != 0 {
			t.Errorf("%s: cookie = %v, want a host-bound session cookie", tc.name, k)
		}
	}
}

func TestClearCookie(t *testing.T) {
	set := open(t, nil).do(httptest.NewRequest("GET", "/out", nil)).Result().Cookies()
	if len(set) != 1 || set[0].Name != "__Host-sallyport_session" || set[0].Value != "" || set[0].MaxAge >= 0 {
		t.Errorf("cookies = %v, want the session cookie expired", set)
	}
}

func TestLocale(t *testing.T) {
	for _, tc := range []struct{ name, query, accept, want string }{
		{"no preference", "", "", "en"},
		{"German browser", "", "de-AT,de;q=0.9,en;q=0.1", "de"},
		{"a language we do not have", "", "fr-FR,fr", "en"},
		{"English before German", "", "en-GB,de;q=0.5", "en"},
		{"ui_locales win", "?ui=de", "en", "de"},
		{"first ui_locale we have", "?ui=fr&ui=de-CH", "en", "de"},
		{"ui_locales we do not have", "?ui=fr", "de", "de"},
		{"rubbish in ui_locales", "?ui=%2F%2F", "de", "de"},
		{"rubbish in the header", "", ";;;q=", "en"},
		{"a header of absurd length", "", strings.Repeat("de,", 200), "en"},
	} {
		r := httptest.NewRequest("GET", "/locale"+tc.query, nil)
		r.Header.Set("Accept-Language", tc.accept)
		if got := open(t, nil).do(r).Body.String(); got != tc.want {
			t.Errorf("%s: locale = %q, want %q", tc.name, got, tc.want)
		}
	}
}
