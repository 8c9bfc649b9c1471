package config

import (
	"strings"
	"testing"
)

// faultsOf returns the faults of valid settings with these lines added.
func faultsOf(t *testing.T, lines string) string {
	t.Helper()
	base := "issuer: https://login.example.com\nkey_file: k\ndatabase: {dsn: \"sqlite:a.db\"}\n"
	if !strings.Contains(lines, "trusted_proxies") {
		base += "trusted_proxies: [127.0.0.1]\n"
	}
	_, err := Parse("s.yaml", []byte(base+lines), nil)
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestAdminListenerBeyondLoopback(t *testing.T) {
	const refused = "admin_listen: is not on loopback"
	for _, tc := range []struct{ name, lines, want string }{
		{"the default", "", ""},
		{"loopback", "admin_listen: 127.3.4.5:8090\n", ""},
		{"loopback of IPv6", "admin_listen: '[::1]:8090'\n", ""},
		{"localhost", "admin_listen: localhost:8090\n", ""},
		{"every address", "admin_listen: 0.0.0.0:8090\n", "s.yaml:5: " + refused},
		{"every address of IPv6", "admin_listen: '[::]:8090'\n", "s.yaml:5: " + refused},
		{"every address, without a host", "admin_listen: ':8090'\n", "s.yaml:5: " + refused},
		{"every address, IPv4-mapped", "admin_listen: '[::ffff:0.0.0.0]:8090'\n", refused},
		{"a private address", "admin_listen: 10.0.0.5:8090\n", refused},
		{"a link-local address", "admin_listen: '[fe80::1%eth0]:8090'\n", refused},
		{"a host name", "admin_listen: admin.internal:8090\n", refused},
		{"a name that begins like loopback", "admin_listen: 127.0.0.1.example.com:8090\n", refused},
		{"zero, which some systems read as every address", "admin_listen: '0:8090'\n", refused},
		{"with admin_plaintext", "admin_listen: 0.0.0.0:8090\nadmin_plaintext: true\n", ""},
		{"with admin_plaintext: false", "admin_listen: 0.0.0.0:8090\nadmin_plaintext: false\n", refused},
		{"with TLS", "admin_listen: 0.0.0.0:8090\nadmin_tls: {cert: c, key: k}\n", ""},
		{"with half of TLS", "admin_listen: 0.0.0.0:8090\nadmin_tls: {cert: c}\n", "s.yaml:6: admin_tls: needs both cert and key"},
		{"with TLS on the other listener", "admin_listen: 0.0.0.0:8090\ntls: {cert: c, key: k}\n", refused},
		{"with both", "admin_listen: 0.0.0.0:8090\nadmin_tls: {cert: c, key: k}\nadmin_plaintext: true\n", "s.yaml:7: admin_plaintext: and admin_tls"},
	} {
		if got := faultsOf(t, tc.lines); (got == "") != (tc.want == "") || !strings.Contains(got, tc.want) {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
	_, err := Parse("", nil, []string{"SALLYPORT_ISSUER=http://localhost:1", "SALLYPORT_KEY_FILE=k", "SALLYPORT_DATABASE_DSN=sqlite:a.db", "SALLYPORT_ADMIN_LISTEN=:8090"})
	if err == nil || !strings.Contains(err.Error(), "SALLYPORT_ADMIN_LISTEN: "+refused) {
		t.Errorf("from a variable: %v", err)
	}
}

func TestTrustedProxiesMustNotCoverTheInternet(t *testing.T) {
	for _, tc := range []struct{ name, proxies, want string }{
		{"private networks", "10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10, 127.0.0.0/8, '::1', 'fc00::/7', 'fe80::/10'", ""},
		{"networks of a large proxy service", "104.16.0.0/13, 172.64.0.0/13, 162.158.0.0/15, '2606:4700::/32', '2400:cb00::/32', '2a06:98c0::/29'", ""},
		{"all of IPv4", "10.0.0.1, 0.0.0.0/0", "trusted_proxies[1]: is the whole internet"},
		{"all of IPv6", "'::/0'", "trusted_proxies[0]: is the whole internet"},
		{"all global IPv6 addresses", "'2000::/3'", "trusted_proxies[0]: is the whole internet"},
		{"in two halves", "0.0.0.0/1, 10.0.0.1, 128.0.0.0/1", "trusted_proxies[0]: is the whole internet"},
		{"a sixteenth", "16.0.0.0/4", "trusted_proxies[0]: is the whole internet"},
		{"a sixteenth in parts", "16.0.0.0/6, 10.0.0.0/8, 20.0.0.0/6, 24.0.0.0/5", "trusted_proxies[3]: and 16.0.0.0/6, 20.0.0.0/6 are together a sixteenth of all IPv4"},
		{"less than that", "16.0.0.0/6, 20.0.0.0/6, 24.0.0.0/6, 28.0.0.0/7", ""},
		{"overlapping networks count once", "16.0.0.0/5, 16.0.0.0/6, 17.0.0.0/8, 16.1.2.3, 16.0.0.0/5", ""},
		{"IPv4 written as IPv6", "'::ffff:0.0.0.0/96'", "trusted_proxies[0]: is the whole internet"},
		{"a part of it and another", "'::ffff:16.0.0.0/101', 24.0.0.0/5", "trusted_proxies[0]: and 24.0.0.0/5 are together"},
		{"a network that holds it", "'::/64'", "trusted_proxies[0]: is the whole internet"},
		{"a sixteenth of IPv6 in parts", "'2000::/8', '2100::/8'", "trusted_proxies[0]: and 2100::/8 are together a sixteenth of all global IPv6"},
		{"host bits after the prefix", "16.1.2.3/4", "trusted_proxies[0]: is the whole internet"},
		{"no network", "10.0.0.0/33", "trusted_proxies[0]: must be an address"},
	} {
		got := faultsOf(t, "trusted_proxies: ["+tc.proxies+"]\n")
		if (got == "") != (tc.want == "") || !strings.Contains(got, tc.want) || strings.Count(got, "\n") > 1 {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}
