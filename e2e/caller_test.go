package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"
)

// caller is a program or an application's page: it makes calls, keeps cookies and follows
// no redirects.
type caller struct {
	t      *testing.T
	http   *http.Client
	issuer string
	header http.Header
}

func newCaller(t *testing.T, issuer string) *caller {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &caller{t: t, issuer: issuer, header: http.Header{}, http: &http.Client{Jar: jar, Timeout: 20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// reply is a response with its body.
type reply struct {
	code     int
	location *url.URL
	text     string
}

func (c *caller) do(verb, path, kind, body string) reply {
	c.t.Helper()
	r, err := http.NewRequest(verb, c.issuer+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	for name, values := range c.header {
		r.Header[name] = values
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	response, err := c.http.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	to, _ := response.Location() // most responses do not redirect
	return reply{response.StatusCode, to, string(text)}
}

const formType = "application/x-www-form-urlencoded"

func (c *caller) form(path string, pairs ...string) reply {
	c.t.Helper()
	return c.do(http.MethodPost, path, formType, pairsOf(pairs).Encode())
}

func pairsOf(pairs []string) url.Values {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}

func (c *caller) json(path string, pairs ...string) reply {
	c.t.Helper()
	members := map[string]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		members[pairs[i]] = pairs[i+1]
	}
	body, err := json.Marshal(members)
	if err != nil {
		c.t.Fatal(err)
	}
	return c.do(http.MethodPost, path, "application/json", string(body))
}

// is checks the status.
func (r reply) is(t *testing.T, code int) reply {
	t.Helper()
	if r.code != code {
		t.Fatalf("got %d, want %d: %s", r.code, code, r.text)
	}
	return r
}

// at returns a text in a JSON response, by its path of names.
func (r reply) at(t *testing.T, names ...string) string {
	t.Helper()
	var v any
	d := json.NewDecoder(bytes.NewReader([]byte(r.text)))
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, r.text)
	}
	for _, name := range names {
		members, _ := v.(map[string]any)
		v = members[name]
	}
	text, ok := v.(string)
	if !ok {
		t.Fatalf("no text at %v in %s", names, r.text)
	}
	return text
}
