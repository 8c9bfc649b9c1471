package config

import (
	"strings"
	"testing"

	"sallyport/config/strict/stricttest"
)

func TestDeliveryFaults(t *testing.T) {
	const from = ", from: no-reply@example.com"
	for _, tc := range []struct {
		name, text string
		want       []string
	}{
		{"a mail server with a password", "mail: {host: mail.example.com, username: u, password_file: p, from: 'Example <no-reply@example.com>'}\n", nil},
		{"a mail server with TLS from the first byte", "mail: {host: mail.example.com, port: 465, tls: implicit, ca_file: c" + from + "}\n", nil},
		{"a mail server on this machine", "mail: {host: localhost, port: 25, tls: none" + from + "}\n", nil},
		{"an IPv6 address", "mail: {host: '2001:db8::1'" + from + "}\n", nil},
		{"no sender", "mail: {host: mail.example.com}\n", []string{"mail.from: must be an address"}},
		{"a sender that is none", "mail: {host: mail.example.com, from: \"a@b\\r\\nBcc: c@d\"}\n", []string{"mail.from: must be an address"}},
		{"a sender without a server", "mail: {from: no-reply@example.com}\n", []string{"mail.from: needs mail.host"}},
		{"a port in the host", "mail: {host: 'mail.example.com:587'" + from + "}\n", []string{"mail.host: must be a name or an address only"}},
		{"a port that is none", "mail: {host: mail.example.com, port: 0" + from + "}\n", []string{"mail.port: must be from 1 to 65535"}},
		{"another kind of TLS", "mail: {host: mail.example.com, tls: opportunistic" + from + "}\n", []string{"mail.tls: must be one of"}},
		{"plaintext over the network", "mail: {host: mail.example.com, tls: none" + from + "}\n", []string{"mail.tls: may be none only for a server on the same machine"}},
		{"plaintext with certificates", "mail: {host: '127.0.0.1', tls: none, ca_file: c" + from + "}\n", []string{"mail.ca_file: and mail.tls: none exclude each other"}},
		{"a user without a password", "mail: {host: mail.example.com, username: u" + from + "}\n", []string{"mail: needs both username and password_file"}},
		{"a password without a user", "mail: {host: mail.example.com, password_file: p" + from + "}\n", []string{"mail: needs both username and password_file"}},

		{"a hook", "hook: {url: 'https://sms.example.com/x', secret_file: s}\n", nil},
		{"a hook on this machine, for everything", "hook: {url: 'http://127.0.0.1:9/x', secret_file: s, kinds: [sms, mail]}\n", nil},
		{"a hook without a secret", "hook: {url: 'https://sms.example.com'}\n", []string{"hook.secret_file: is required"}},
		{"a contact in plaintext", "support_url: 'http://help.example.com'\n", []string{"support_url: must begin with https:// or be mailto: and an address"}},
		{"a contact that runs a script", "support_url: 'javascript:alert(1)'\n", []string{"support_url: must begin with"}},
		{"a contact without an address", "support_url: 'mailto:help'\n", []string{"support_url: must begin with"}},
		{"a contact with a user", "support_url: 'https://u:p@help.example.com'\n", []string{"support_url: must begin with"}},
		{"a secret without a hook", "hook: {secret_file: s}\n", []string{"hook.secret_file: needs hook.url"}},
		{"a hook in plaintext over the network", "hook: {url: 'http://sms.example.com', secret_file: s}\n", []string{"hook.url: must begin with https://"}},
		{"a hook with a password", "hook: {url: 'https://u:geheim@sms.example.com', secret_file: s}\n", []string{"hook.url: holds a user or password"}},
		{"a hook with a key", "hook: {url: 'https://sms.example.com?key=geheim', secret_file: s}\n", []string{"hook.url: must have no query"}},
		{"a hook that is no URL", "hook: {url: sms.example.com, secret_file: s}\n", []string{"hook.url: must be a URL"}},
		{"a hook for nothing", "hook: {url: 'https://sms.example.com', secret_file: s, kinds: []}\n", []string{"hook.kinds: must name at least one kind"}},
		{"a hook for what there is not", "hook: {url: 'https://sms.example.com', secret_file: s, kinds: [pigeon, sms, sms]}\n",
			[]string{"hook.kinds[0]: must be one of", "hook.kinds[2]: is named twice"}},
		{"mail twice", "mail: {host: mail.example.com" + from + "}\nhook: {url: 'https://sms.example.com', secret_file: s, kinds: [mail]}\n",
			[]string{"hook.kinds[0]: mail is sent to mail.host already"}},

		{"a file", "environment: test\noutbox_file: o\n", nil},
		{"a file of live users", "environment: live\noutbox_file: o\n", []string{"outbox_file: is for environment: test only"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Parse("s.yaml", []byte(good+tc.text), nil)
			if tc.want == nil && err == nil {
				return
			}
			stricttest.Want(t, err, tc.want)
		})
	}
	if text := (Config{Hook: Hook{URL: "https://u:geheim@sms.example.com"}}).Redacted(); strings.Contains(text, "geheim") {
		t.Errorf("the settings show a password: %s", text)
	}
}
