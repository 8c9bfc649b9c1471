package clients

import (
	"net/url"
	"strings"
	"testing"

	"sallyport/storage"
)

// The raw-string rules of a redirect address. The last column is the whole specification:
// "" is accepted.
func TestRedirectAddresses(t *testing.T) {
	web := storage.Client{RedirectURIs: []string{"https://rp.example/cb", "https://rp.example/cb?a=1", "com.example.app:/cb", "http://localhost:8080/cb"}}
	native := storage.Client{Native: true, RedirectURIs: []string{"http://127.0.0.1/cb", "http://[::1]:4444/cb?x=1", "https://127.0.0.1/tls", "http://localhost/cb"}}
	fixed := storage.Client{RedirectURIs: []string{"http://127.0.0.1/cb"}}
	const unregistered, illegal = "the address is not registered for this application", "the address holds an illegal character"
	for _, tc := range []struct {
		name string
		c    *storage.Client
		uri  string
		want string
	}{
		{"registered", &web, "https://rp.example/cb", ""},
		{"registered with its query", &web, "https://rp.example/cb?a=1", ""},
		{"private-use scheme", &web, "com.example.app:/cb", ""},
		{"missing", &web, "", "the parameter is missing"},
		{"query added", &web, "https://rp.example/cb?b=2", unregistered},
		{"query changed", &web, "https://rp.example/cb?a=2", unregistered},
		{"trailing question mark", &web, "https://rp.example/cb?", unregistered},
		{"trailing slash", &web, "https://rp.example/cb/", unregistered},
		{"upper-case scheme", &web, "HTTPS://rp.example/cb", unregistered},
		{"upper-case host", &web, "https://RP.example/cb", unregistered},
		{"default port written out", &web, "https://rp.example:443/cb", unregistered},
		{"percent-encoded letter", &web, "https://rp.example/%63b", unregistered},
		{"path traversal", &web, "https://rp.example/x/../cb", unregistered},
		{"fragment", &web, "https://rp.example/cb#x", "the address holds a fragment"},
		{"empty fragment", &web, "https://rp.example/cb#", "the address holds a fragment"},
		{"backslash", &web, `https://rp.example\cb`, "the address holds a fragment"},
		{"user information", &web, "https://evil@rp.example/cb", "the address holds user information"},
		{"registered host as user information", &web, "https://rp.example@evil.example/cb", "the address holds user information"},
		{"line break", &web, "https://rp.example/cb\r\nX: y", illegal},
		{"space", &web, "https://rp.example/cb ", illegal},
		{"not ASCII", &web, "https://rp.example/cb\u202e", illegal},
		{"NUL", &web, "https://rp.example/cb\x00", illegal},
		{"too long", &web, "https://rp.example/" + strings.Repeat("a", maxRedirect), "the address is too long"},
		{"another host", &web, "https://evil.example/cb", unregistered},
		{"registered host as prefix", &web, "https://rp.example.evil.example/cb", unregistered},
		{"localhost with another port", &web, "http://localhost:8081/cb", unregistered},

		{"loopback with its own port", &native, "http://127.0.0.1/cb", ""},
		{"loopback with any port", &native, "http://127.0.0.1:51004/cb", ""},
		{"loopback IPv6 with any port", &native, "http://[::1]:1/cb?x=1", ""},
		{"loopback with another path", &native, "http://127.0.0.1:51004/other", unregistered},
		{"loopback with another query", &native, "http://[::1]:4444/cb?x=2", unregistered},
		{"loopback over https", &native, "https://127.0.0.1:51004/cb", unregistered},
		{"https loopback has no free port", &native, "https://127.0.0.1:51004/tls", unregistered},
		{"http for a registered https loopback", &native, "http://127.0.0.1/tls", unregistered},
		{"loopback with user information", &native, "http://x@127.0.0.1:51004/cb", "the address holds user information"},
		{"loopback with an upper-case scheme", &native, "HTTP://127.0.0.1/cb", unregistered},
		{"localhost by name has no free port", &native, "http://localhost:51004/cb", unregistered},
		{"another loopback address", &native, "http://127.0.0.2:51004/cb", unregistered},
		{"loopback as prefix of a name", &native, "http://127.0.0.1.evil.example/cb", unregistered},
		{"loopback with a name behind the port", &native, "http://127.0.0.1:80evil/cb", unregistered},
		{"port above 65535", &native, "http://127.0.0.1:65536/cb", unregistered},
		{"empty port", &native, "http://127.0.0.1:/cb", unregistered},
		{"percent-encoded path", &native, "http://127.0.0.1:80/%63b", unregistered},
		{"a web client has no free port", &fixed, "http://127.0.0.1:51004/cb", unregistered},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := New(*tc.c).CheckRedirect(tc.uri); got != tc.want {
				t.Errorf("CheckRedirect(%q) = %q, want %q", tc.uri, got, tc.want)
			}
		})
	}
}

func FuzzRedirect(f *testing.F) {
	f.Add("http://127.0.0.1:80/cb")
	f.Add("http://127.0.0.1:80@evil/cb")
	f.Fuzz(func(t *testing.T, uri string) {
		c := storage.Client{Native: true, RedirectURIs: []string{"http://127.0.0.1/cb"}}
		if New(c).CheckRedirect(uri) != "" {
			return
		}
		u, err := url.Parse(uri)
		if err != nil || u.Scheme != "http" || u.Hostname() != "127.0.0.1" || u.Path != "/cb" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			t.Errorf("%q was accepted", uri)
		}
	})
}

// Conformance (Clients by document): RFC 8252 7.3, 8.3: the port of 127.0.0.1, [::1] and localhost is free, and of nothing else
func TestPortsOfClientsWithADocument(t *testing.T) {
	c := New(storage.Client{RedirectURIs: []string{"http://127.0.0.1/cb", "http://[::1]:1/cb", "http://localhost:3000/cb", "https://localhost/s", "https://editor.example/cb", "http://127.0.0.2/cb"}})
	c.Document = true
	for uri, want := range map[string]bool{
		"http://127.0.0.1/cb": true, "http://127.0.0.1:50000/cb": true, "http://[::1]/cb": true, "http://[::1]:65535/cb": true, "http://localhost/cb": true, "http://localhost:8/cb": true,
		"http://localhost:65536/cb": false, "http://localhost:/cb": false, "http://localhost:80x/cb": false, "http://localhost.evil.example/cb": false, "http://localhost:8@evil.example/cb": false,
		"http://LOCALHOST/cb": false, "http://localhost./cb": false, "http://localhost:8/other": false, "http://localhost:8/cb?x=y": false, "http://127.0.0.1:8/cb/": false,
		"https://localhost:8/s": false, "https://localhost:8/cb": false, "https://editor.example:8/cb": false, "http://127.0.0.2:8/cb": false, "http://127.1:8/cb": false, "http://[::ffff:127.0.0.1]:8/cb": false,
	} {
		if got := c.CheckRedirect(uri) == ""; got != want {
			t.Errorf("%s: %v, want %v", uri, got, want)
		}
	}
	c.Document, c.Native = false, true
	if c.CheckRedirect("http://localhost:8/cb") == "" {
		t.Error("the port of localhost is free for a registered client")
	}
}
