package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport/cmd/sallyport/servertest"
	"sallyport/provider/mtls/mtlstest"
)

// mutual are the rows of certificates of clients.
func (o *trialSource) mutual(t *testing.T) map[string]effect {
	cert, certFile, keyFile := newCertificateFiles(t)
	address, serial := servertest.FreeAddress(t), "over TLS with "+cert.Leaf.SerialNumber.String()
	listener := set{"MTLS_URL": "https://mtls.example", "MTLS_LISTEN": address, "MTLS_CERT": certFile, "MTLS_KEY": keyFile}
	without := func(name string) set {
		out := set{}
		for key, value := range listener {
			if key != name {
				out[key] = value
			}
		}
		return out
	}
	proxy := set{"TRUSTED_PROXIES": "10.0.0.0/8", "MTLS_PROXY_HEADER": "X-Cert", "MTLS_PROXY_FORMAT": "nginx"}
	discovered := func(s *trial) string {
		return s.open().send("GET", "/.well-known/openid-configuration", "", "").Body.String()
	}
	der := base64.StdEncoding.EncodeToString(mtlstest.SelfSigned(t, "a", time.Now()).Certificate[0])
	asks := peek("https://"+address+"/userinfo", "")
	return map[string]effect{
		"mtls.url":            {value: "https://mtls.example", with: proxy, want: "https://mtls.example/token", show: discovered},
		"mtls.listen":         {value: address, also: without("MTLS_LISTEN"), want: serial, show: asks},
		"mtls.cert":           {value: certFile, also: without("MTLS_CERT"), want: serial, show: asks},
		"mtls.key":            {value: keyFile, also: without("MTLS_KEY"), want: serial, show: asks},
		"mtls.client_ca_file": {value: mtlstest.New(t, "Example CA", time.Now()).File(), with: proxy, want: `"tls_client_auth"`, show: discovered},
		"mtls.proxy_header": {value: "X-Cert", with: set{"TRUSTED_PROXIES": "10.0.0.0/8"}, also: set{"MTLS_PROXY_FORMAT": "nginx"}, want: "the certificate of the client is malformed", show: func(s *trial) string {
			return s.open().send("GET", "/userinfo", "", "", "X-Cert", "x").Body.String()
		}},
		"mtls.proxy_format": {value: "haproxy", with: proxy, want: "401", show: func(s *trial) string {
			return fmt.Sprint(s.open().send("GET", "/userinfo", "", "", "X-Cert", der).Code)
		}},
	}
}

// A client authenticates with a certificate that a proxy passes on in the form of its kind, and nobody
// does with a header of their own.
//
// Conformance (Certificates of clients): RFC 8705 6.5, RFC 9440 2, 4: a header with a certificate counts from a trusted proxy only, once
func TestCertificatesFromAProxy(t *testing.T) {
	settings, _, _ := servertest.NewInstallation(t)
	now := time.Now()
	authority := mtlstest.New(t, "Example CA", now)
	leaf, other := authority.Issue("ledger", now).Leaf, authority.Issue("other", now).Leaf
	servertest.Apply(t, settings, "clients:\n  - {client_id: ledger, token_endpoint_auth_method: tls_client_auth, tls_client_auth_subject_dn: CN=ledger, grant_types: [client_credentials], scopes: [reports], tls_client_certificate_bound_access_tokens: true}\n")
	servertest.AppendSettings(t, settings, fmt.Sprintf("trusted_proxies: [10.0.0.0/8]\nmtls: {proxy_header: X-Cert, proxy_format: nginx, client_ca_file: %q}\n", authority.File()))
	s := servertest.New(t, settings, new(servertest.Clock))
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {"ledger"}}.Encode()
	escaped := url.PathEscape(string(mtlstest.PEM(leaf)))
	for name, tc := range map[string]struct {
		from string
		sent []string
		code int
		want string
	}{
		"from the proxy":                    {"10.1.1.1", []string{escaped}, 200, "access_token"},
		"from a caller":                     {"198.51.100.1", []string{escaped}, 401, "invalid_client"},
		"of another client, from the proxy": {"10.1.1.1", []string{url.PathEscape(string(mtlstest.PEM(other)))}, 401, "invalid_client"},
		"one that the proxy let through":    {"10.1.1.1", []string{escaped, url.PathEscape(string(mtlstest.PEM(other)))}, 400, "more than one"},
		"none":                              {"10.1.1.1", nil, 401, "invalid_client"},
		"an empty one":                      {"10.1.1.1", []string{""}, 401, "invalid_client"},
		"rubbish":                           {"10.1.1.1", []string{"-----BEGIN"}, 400, "malformed"},
	} {
		r := httptest.NewRequest("POST", "/token", strings.NewReader(form))
		r.RemoteAddr = tc.from + ":4000"
		r.Header["Content-Type"], r.Header["X-Cert"] = []string{"application/x-www-form-urlencoded"}, tc.sent
		w := httptest.NewRecorder()
		s.Handler.ServeHTTP(w, r)
		if w.Code != tc.code || !strings.Contains(w.Body.String(), tc.want) {
			t.Errorf("%s = %d %s, want %d and %q", name, w.Code, w.Body, tc.code, tc.want)
		}
		var out struct {
			Token string `json:"access_token"`
		}
		if json.Unmarshal(w.Body.Bytes(), &out) == nil && out.Token != "" {
			parts := strings.Split(out.Token, ".")
			if claims, err := base64.RawURLEncoding.DecodeString(parts[1]); err != nil || !strings.Contains(string(claims), `"cnf":{"x5t#S256":"`) {
				t.Errorf("%s: token %s, %v, want a bound one", name, claims, err)
			}
		}
	}
}

// A proxy that asks for certificates at the issuer's host passes on those of browsers, too. One that
// is no certificate for this server, such as one with a key of another kind, closes no page to them.
func TestPagesOpenWhateverCertificateABrowserHas(t *testing.T) {
	settings, _, _ := servertest.NewInstallation(t)
	servertest.AppendSettings(t, settings, "trusted_proxies: [10.0.0.0/8]\nmtls: {proxy_header: X-Cert, proxy_format: nginx}\n")
	s := servertest.New(t, settings, new(servertest.Clock))
	for path, want := range map[string]int{"/account": 303, "/.well-known/openid-configuration": 200, "/userinfo": 400} {
		r := httptest.NewRequest("GET", path, nil)
		r.RemoteAddr = "10.1.1.1:4000"
		r.Header["X-Cert"] = []string{"-----BEGIN"}
		w := httptest.NewRecorder()
		s.Handler.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s = %d %s, want %d", path, w.Code, w.Body, want)
		}
	}
}

// At the listener that takes connections as they are nobody writes headers but the caller: one who
// names another's address must not make that one wait.
func TestNobodyChoosesTheirAddressAtTheListenerForCertificates(t *testing.T) {
	settings, _, _ := servertest.NewInstallation(t)
	servertest.AppendSettings(t, settings, "trusted_proxies: [10.0.0.0/8]\n")
	s := servertest.New(t, settings, new(servertest.Clock))
	const proxy, victim = "10.1.1.1", "198.51.100.7"
	send := func(h http.Handler, from, forwarded string) int {
		r := httptest.NewRequest("POST", "/token", strings.NewReader("grant_type=client_credentials&client_id=nobody&client_secret=x"))
		r.RemoteAddr = from + ":4000"
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("X-Forwarded-For", forwarded)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	for range 21 {
		send(s.ForCertificates(), proxy, victim)
	}
	if got := send(s.Handler, proxy, victim); got != http.StatusUnauthorized {
		t.Errorf("from an address that others named = %d, want 401", got)
	}
	if got := send(s.Handler, proxy, "10.1.1.1"); got != http.StatusTooManyRequests {
		t.Errorf("from the address that they came from = %d, want 429", got)
	}
}
