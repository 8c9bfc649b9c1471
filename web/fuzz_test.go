package web_test

import (
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"sallyport/web"
)

// FuzzRequest sends arbitrary requests through the middleware: none causes a server error.
func FuzzRequest(f *testing.F) {
	f.Add("POST", "/caller?a=b", "a=b&c=%ff", "application/x-www-form-urlencoded", "203.0.113.9, 10.0.0.1", "de;q=0.9,en")
	f.Add("GET", "/caller?%00=&=&&;", "", "", "unknown, [::1]:80", "*")
	f.Add("PUT", "//caller/../%2e", "\x00", "multipart/form-data; boundary=x", ",,,", "x-klingon;q=NaN")
	trust := func(o *web.Options) { o.TrustedProxies = []string{"10.0.0.0/8"} }
	f.Fuzz(func(t *testing.T, method, target, body, kind, forwarded, language string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || method == "" || strings.ContainsFunc(method, func(c rune) bool { return c <= ' ' || c > '~' }) {
			return // net/http refuses it before the engine
		}
		r := httptest.NewRequest("GET", "/", strings.NewReader(body))
		r.Method, r.URL, r.RequestURI = method, u, target
		r.RemoteAddr = "10.0.0.1:1"
		r.Header.Set("Content-Type", kind)
		r.Header["X-Forwarded-For"] = []string{forwarded}
		r.Header.Set("Accept-Language", language)
		w := open(t, trust).do(r)
		if w.Code >= 500 {
			t.Errorf("%s %q: %d", method, target, w.Code)
		}
	})
}

// FuzzAddress checks that the address of an untrusted peer does not depend on a header.
func FuzzAddress(f *testing.F) {
	f.Add("10.0.0.1:1", "203.0.113.9")
	f.Fuzz(func(t *testing.T, peer, forwarded string) {
		r := httptest.NewRequest("GET", "/caller", nil)
		r.RemoteAddr, r.Header["X-Forwarded-For"] = peer, []string{forwarded}
		w := open(t, nil).do(r)
		if _, err := netip.ParseAddrPort(peer); err == nil && !strings.Contains(w.Body.String(), `"Address":"`) {
			t.Errorf("peer %q: no address in %s", peer, w.Body)
		}
	})
}
