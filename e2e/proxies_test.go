package e2e

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"sallyport/provider/mtls/mtlstest"
)

// The hosts of the guide: the second asks for certificates.
const loginHost, mutualHost = "login.example.com", "mtls.login.example.com"

const certificateGuide = "../docs/guides/client-authentication.md"

// proxies are the proxies of the guide, with what writes a certificate into their header as an attacker
// would.
var proxies = []struct {
	name, header, format string
	start                func(*testing.T, keyed) addresses
	write                func(tls.Certificate) string
}{
	{"nginx", "X-SSL-Client-Cert", "nginx", startNginx, func(c tls.Certificate) string { return url.PathEscape(string(mtlstest.PEM(c.Leaf))) }},
	{"HAProxy", "X-SSL-Client-Cert", "haproxy", startHAProxy, func(c tls.Certificate) string { return base64.StdEncoding.EncodeToString(c.Certificate[0]) }},
	{"HAProxy as of RFC 9440", "Client-Cert", "rfc9440", startStandardHAProxy, func(c tls.Certificate) string { return ":" + base64.StdEncoding.EncodeToString(c.Certificate[0]) + ":" }},
}

// addresses are where a proxy listens, by host.
type addresses map[string]string

// TestCertificatesPassThroughProxies runs the proxies of the guide, configured as it says.
//
// Conformance (Certificates of clients): RFC 8705 6.5, RFC 9440 2: nginx and HAProxy pass on certificates, and no header of a caller's
// Conformance (Certificates of clients): RFC 8705 3: a token that was bound behind a proxy is refused without its certificate, and with another
func TestCertificatesPassThroughProxies(t *testing.T) {
	t.Parallel()
	k := setKeyedStage(t, "sqlite")
	for _, proxy := range proxies {
		t.Run(proxy.name, func(t *testing.T) {
			k.env = []string{"SALLYPORT_TRUSTED_PROXIES=127.0.0.1", "SALLYPORT_MTLS_URL=https://" + mutualHost, "SALLYPORT_MTLS_CLIENT_CA_FILE=" + k.file("clients-ca.crt"),
				"SALLYPORT_MTLS_PROXY_HEADER=" + proxy.header, "SALLYPORT_MTLS_PROXY_FORMAT=" + proxy.format}
			k.serve(t)
			at := proxy.start(t, k)
			k.authenticate(t, at, proxy.header, proxy.write)
			k.bind(t, at, proxy.header, proxy.write(k.certs["self"]))
			k.resume(t, at)
			k.carry(t, at)
		})
	}
}

// authenticate asks for tokens of clients with certificates, and as callers without them would.
func (k keyed) authenticate(t *testing.T, at addresses, header string, write func(tls.Certificate) string) {
	t.Helper()
	forged := write(k.certs["ledger"])
	for name, tc := range map[string]struct {
		id, cert, host string
		header         http.Header
		ok             bool
	}{
		"of an authority":                   {"ledger", "ledger", mutualHost, nil, true},
		"self-signed":                       {"self", "self", mutualHost, nil, true},
		"a forged header beside one's own":  {"ledger", "ledger", mutualHost, http.Header{header: {write(k.certs["other"])}}, true},
		"of another client":                 {"ledger", "other", mutualHost, nil, false},
		"of another authority":              {"ledger", "forged", mutualHost, nil, false},
		"expired":                           {"ledger", "late", mutualHost, nil, false},
		"none":                              {"ledger", "", mutualHost, nil, false},
		"none, where nobody is asked":       {"ledger", "", loginHost, nil, false},
		"a header, where nobody is asked":   {"ledger", "", loginHost, http.Header{header: {forged}}, false},
		"a header":                          {"ledger", "", mutualHost, http.Header{header: {forged}}, false},
		"a header twice":                    {"ledger", "", mutualHost, http.Header{header: {forged, forged}}, false},
		"a header in small letters":         {"ledger", "", mutualHost, http.Header{strings.ToLower(header): {forged}}, false},
		"a header with underscores":         {"ledger", "", mutualHost, http.Header{strings.ReplaceAll(header, "-", "_"): {forged}}, false},
		"a header beside another client's":  {"ledger", "other", mutualHost, http.Header{header: {forged}}, false},
		"a header beside one of nobody's":   {"ledger", "forged", mutualHost, http.Header{header: {forged}}, false},
		"a header that the other is to end": {"ledger", "", mutualHost, http.Header{"Connection": {header}, header: {forged}}, false},
	} {
		code, body := k.send(t, k.through(at, tc.cert), "https://"+tc.host+"/token", tc.header, url.Values{"grant_type": {"client_credentials"}, "client_id": {tc.id}, "scope": {"reports"}})
		byServer := code == http.StatusUnauthorized && body["error"] == "invalid_client"
		if tc.ok && (code != http.StatusOK || body["access_token"] == nil) || !tc.ok && !byServer && (code != http.StatusBadRequest || tc.cert != "late") {
			t.Errorf("%s = %d %v, want accepted %v", name, code, body, tc.ok)
		}
	}
	// A caller who negotiates TLS with the host that asks for nothing, and then names the other.
	r := k.request(t, "https://"+loginHost+"/token", http.Header{header: {forged}}, url.Values{"grant_type": {"client_credentials"}, "client_id": {"ledger"}})
	r.Host = mutualHost
	if response, err := k.through(at, "").Do(r); err != nil || response.StatusCode == http.StatusOK {
		t.Errorf("another host than that of TLS = %+v, %v", response, err)
	} else {
		response.Body.Close()
	}
	if code, _ := k.send(t, k.through(at, "ledger"), "https://"+mutualHost+"/login", nil, nil); code != http.StatusNotFound {
		t.Errorf("a page at the host of certificates = %d, want 404", code)
	}
}

// bind signs a user in at a public client, whose tokens are bound to a certificate.
func (k keyed) bind(t *testing.T, at addresses, header, forged string) {
	t.Helper()
	a := newParty(t, k.stage, "phone", webRedirect+"/phone", "", "openid", "email")
	q := newPerson(t, k.issuer).open(a.start()).signIn(k.user(t, false)).sent()
	a.oauth.Endpoint.TokenURL = "https://" + mutualHost + "/token"
	token, err := a.oauth.Exchange(context.WithValue(t.Context(), oauth2.HTTPClient, k.through(at, "self")), q.Get("code"), oauth2.VerifierOption(a.verifier))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		cert string
		sent []string
		want int
	}{{"self", nil, 200}, {"other", nil, 401}, {"", nil, 401}, {"", []string{forged}, 401}, {"other", []string{forged}, 401}} {
		headers := http.Header{"Authorization": {"Bearer " + token.AccessToken}, header: tc.sent}
		if code, body := k.send(t, k.through(at, tc.cert), "https://"+mutualHost+"/userinfo", headers, nil); code != tc.want || code == 200 && body["email"] == nil {
			t.Errorf("userinfo with the certificate %q and headers %d = %d %v, want %d", tc.cert, len(tc.sent), code, body, tc.want)
		}
	}
}

// resume connects again: TLS then goes without a handshake that shows the certificate.
func (k keyed) resume(t *testing.T, at addresses) {
	t.Helper()
	c := k.through(at, "ledger")
	c.Transport.(*http.Transport).TLSClientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	for i := range 2 {
		response, err := c.Do(k.request(t, "https://"+mutualHost+"/token", nil, url.Values{"grant_type": {"client_credentials"}, "client_id": {"ledger"}}))
		if err != nil {
			t.Fatal(err)
		}
		if body := decode(t, response); response.StatusCode != http.StatusOK || response.TLS.DidResume != (i == 1) {
			t.Errorf("connection %d = %d %v, resumed %v", i, response.StatusCode, body, response.TLS.DidResume)
		}
	}
}

// carry asks for a login that ends at once, with a long state: the request line and the header Location of
// the response pass through.
func (k keyed) carry(t *testing.T, at addresses) {
	t.Helper()
	a := newParty(t, k.stage, "phone", webRedirect+"/phone", "", "openid")
	a.state = strings.Repeat("&", 4096) // three times as long in an address
	to := a.start(oauth2.SetAuthURLParam("prompt", "none"), oauth2.SetAuthURLParam("unknown", strings.Repeat("x", 3500)))
	c := k.through(at, "")
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := c.Do(k.request(t, strings.Replace(to, k.issuer, "https://"+loginHost, 1), nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	location, err := response.Location()
	if err != nil || location.Query().Get("error") != "login_required" || location.Query().Get("state") != a.state {
		t.Errorf("a request line of %d bytes = %d, %.80s, %v, want the state back", len(to), response.StatusCode, location, err)
	}
}

// through returns a client like with, for the hosts of a proxy.
func (k keyed) through(at addresses, cert string) *http.Client {
	c := k.with(cert)
	c.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, _ := net.SplitHostPort(address)
		return new(net.Dialer).DialContext(ctx, network, at[host])
	}
	return c
}

// request is a form, or without one a page.
func (k keyed) request(t *testing.T, to string, headers http.Header, form url.Values) *http.Request {
	t.Helper()
	method := http.MethodPost
	if form == nil {
		method = http.MethodGet
	}
	r, err := http.NewRequestWithContext(t.Context(), method, to, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for name, values := range headers {
		r.Header[name] = values
	}
	return r
}

func (k keyed) send(t *testing.T, c *http.Client, to string, headers http.Header, form url.Values) (int, map[string]any) {
	t.Helper()
	response, err := c.Do(k.request(t, to, headers, form))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(response.Header.Get("Content-Type"), "application/json") {
		response.Body.Close()
		return response.StatusCode, nil
	}
	return response.StatusCode, decode(t, response)
}

// configured returns the blocks of a language in the guide, with the files and addresses of the stage.
func (k keyed) configured(t *testing.T, language string, at addresses) []string {
	t.Helper()
	var out []string
	for _, block := range strings.Split(readFile(t, certificateGuide), "```"+language+"\n")[1:] {
		text, _, _ := strings.Cut(block, "```")
		for old, put := range map[string]string{"/etc/nginx/": k.file(""), "/etc/haproxy/": k.file(""), "127.0.0.1:8080": strings.Replace(strings.TrimPrefix(k.issuer, "http://"), "localhost", "127.0.0.1", 1),
			"listen 443": "listen " + at[loginHost], "192.0.2.1:443": at[loginHost], "192.0.2.2:443": at[mutualHost]} {
			text = strings.ReplaceAll(text, old, strings.TrimSuffix(put, "/")+map[bool]string{true: "/"}[strings.HasSuffix(old, "/")])
		}
		out = append(out, text)
	}
	return out
}

func startNginx(t *testing.T, k keyed) addresses {
	t.Helper()
	one := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	at := addresses{loginHost: one, mutualHost: one}
	dir := k.file("")
	var temporary strings.Builder
	for _, of := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&temporary, "%s_temp_path %s/%s;\n", of, dir, of)
	}
	file := k.file("nginx.conf")
	writeFile(t, file, fmt.Sprintf("daemon off;\npid %s/nginx.pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n%s%s}\n", dir, &temporary, strings.Join(k.configured(t, "nginx", at), "")))
	runProxy(t, at, "nginx", "-e", "stderr", "-p", dir, "-c", file)
	return at
}

func startHAProxy(t *testing.T, k keyed) addresses {
	t.Helper()
	port := freePort(t)
	at := addresses{loginHost: fmt.Sprintf("127.0.0.1:%d", port), mutualHost: fmt.Sprintf("127.0.0.1:%d", port+1)}
	k.runHAProxy(t, at, k.configured(t, "haproxy", at)[0])
	return at
}

// startStandardHAProxy replaces the header of the first block of the guide by those of the second.
func startStandardHAProxy(t *testing.T, k keyed) addresses {
	t.Helper()
	port := freePort(t)
	at := addresses{loginHost: fmt.Sprintf("127.0.0.1:%d", port), mutualHost: fmt.Sprintf("127.0.0.1:%d", port+1)}
	blocks := k.configured(t, "haproxy", at)
	var lines []string
	seen := 0
	for line := range strings.Lines(blocks[0]) {
		switch {
		case strings.Contains(line, "set-header"):
		case strings.Contains(line, "del-header") && seen == 0:
			seen++
			lines = append(lines, strings.Join(strings.SplitAfter(blocks[1], "\n")[:2], ""))
		case strings.Contains(line, "del-header"):
			lines = append(lines, blocks[1])
		default:
			lines = append(lines, line)
		}
	}
	k.runHAProxy(t, at, strings.Join(lines, ""))
	return at
}

func (k keyed) runHAProxy(t *testing.T, at addresses, text string) {
	t.Helper()
	file := k.file("haproxy.cfg")
	writeFile(t, file, text)
	runProxy(t, at, "haproxy", "-db", "-f", file)
}

// runProxy runs a proxy until the test ends.
func runProxy(t *testing.T, at addresses, name string, args ...string) {
	t.Helper()
	out := &lines{}
	c := exec.Command(installed(t, name, "/usr/sbin/"+name), args...)
	c.Stdout, c.Stderr = out, out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		<-ended
	})
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for _, address := range at {
		for {
			connection, err := net.Dial("tcp", address)
			if err == nil {
				connection.Close()
				break
			}
			select {
			case err := <-ended:
				ended <- err
				t.Fatalf("%s ended: %v\n%s", name, err, out)
			case <-tick.C:
			}
		}
	}
}
