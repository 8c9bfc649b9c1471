package config

import (
	"strings"
	"testing"
)

func TestMutualTLS(t *testing.T) {
	const listener, proxied = "mtls: {url: 'https://mtls.example', listen: '0.0.0.0:8443', cert: a, key: b", "trusted_proxies: [10.0.0.1]\nmtls: {proxy_header: X-Cert, proxy_format: nginx"
	for _, tc := range []struct{ name, text, want string }{
		{"a listener", listener + "}", ""},
		{"a proxy", proxied + "}", ""},
		{"a proxy at another address", proxied + ", url: 'https://mtls.example:8443'}", ""},
		{"authorities alone", "mtls: {client_ca_file: a}", "mtls: needs listen, or proxy_header"},
		{"both", "trusted_proxies: [10.0.0.1]\n" + listener + ", proxy_header: X-Cert, proxy_format: nginx}", "mtls.proxy_header: and mtls.listen exclude"},
		{"no certificate", "mtls: {url: 'https://mtls.example', listen: '0.0.0.0:8443'}", "mtls: needs both cert and key"},
		{"a certificate without a listener", proxied + ", cert: a, key: b}", "mtls: cert and key need mtls.listen"},
		{"no address", strings.Replace(listener, "0.0.0.0:8443", "8443", 1) + "}", "mtls.listen: must be an address"},
		{"the public address", strings.Replace(listener, "0.0.0.0:8443", "127.0.0.1:8080", 1) + "}", "mtls.listen: must not be the address"},
		{"no url", strings.Replace(listener, "url: 'https://mtls.example', ", "", 1) + "}", "mtls.url: is required"},
		{"the issuer as url", strings.Replace(listener, "mtls.example", "login.example.com", 1) + "}", "mtls.url: is required"},
		{"a path", proxied + ", url: 'https://mtls.example/'}", "mtls.url: must be https://"},
		{"plaintext", proxied + ", url: 'http://mtls.example'}", "mtls.url: must be https://"},
		{"upper case", proxied + ", url: 'https://MTLS.example'}", "mtls.url: must be https://"},
		{"no proxy that is trusted", "tls: {cert: a, key: b}\ntrusted_proxies: []\nmtls: {proxy_header: X-Cert, proxy_format: nginx}", "mtls.proxy_header: needs trusted_proxies"},
		{"no format", "trusted_proxies: [10.0.0.1]\nmtls: {proxy_header: X-Cert}", "mtls.proxy_format: must be one of nginx, haproxy, rfc9440"},
		{"a format without a header", listener + ", proxy_format: nginx}", "mtls.proxy_format: needs mtls.proxy_header"},
		{"another header", "trusted_proxies: [10.0.0.1]\nmtls: {proxy_header: x-forwarded-for, proxy_format: nginx}", "mtls.proxy_header: must be the name"},
		{"no name", "trusted_proxies: [10.0.0.1]\nmtls: {proxy_header: 'X Cert', proxy_format: nginx}", "mtls.proxy_header: must be the name"},
	} {
		got := faultsOf(t, tc.text+"\n")
		if (got == "") != (tc.want == "") || !strings.Contains(got, tc.want) || strings.Count(got, "\n") > 1 {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}
