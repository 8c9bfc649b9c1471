package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// tap is a proxy in front of a server that records every secret sent through it.
type tap struct {
	mu      sync.Mutex
	secrets map[string]secret
}

// secret is where a secret was seen, and what may contain it.
type secret struct {
	met string
	but reach
}

// reach is what may contain a secret.
type reach int

const (
	// nowhere: it stays in memory.
	nowhere reach = iota
	// database: a nonce, which is returned in the ID token, and the user agent, which is
	// in the audit trail.
	database
	// statements: the statement log of a database server with parameters, for names as
	// typed.
	statements
)

// secretNames are the names under which secrets travel, in forms, queries, JSON and
// hidden fields.
var secretNames = words(`password old new repeat passcode pass_code code client_secret refresh_token access_token id_token
	id_token_hint access_token_hint token code_verifier csrf state nonce requestid request_id exchange_id exchange status_id login_token
	statusid trackid track_id secret totp_secret uri totp_uri backup_codes recovery_codes done
	totp_code totp otp recovery_code session_token session_jwt api_key`)

func words(text string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(text) {
		out[w] = true
	}
	return out
}

// newTap moves the stage's server to another port and listens on its own.
func newTap(t *testing.T, s *stage) *tap {
	t.Helper()
	p := &tap{secrets: map[string]secret{}}
	front, err := url.Parse(s.issuer)
	if err != nil {
		t.Fatal(err)
	}
	behind := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	writeFile(t, s.config, strings.Replace(readFile(t, s.config), "\nlisten: 127.0.0.1:"+front.Port(), "\nlisten: "+behind, 1))
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:"+front.Port())
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: behind})
			r.Out.Host = r.In.Host
			p.request(r.Out)
		},
		ModifyResponse: p.response,
		ErrorHandler:   func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Shutdown(context.Background()) })
	return p
}

// plant records a secret.
func (p *tap) plant(text, met string) {
	but := nowhere
	if strings.HasPrefix(met, "nonce ") {
		but = database
	}
	p.plantBut(but, text, met)
}

// plantBut records a secret that something may contain.
func (p *tap) plantBut(but reach, text, met string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(text) < 6 || strings.Trim(text, "0") == "" {
		return
	}
	p.secrets[text] = secret{met, but}
	if parts := strings.Split(text, "."); len(parts) == 3 && len(parts[2]) > 40 {
		p.secrets[parts[2]] = secret{met + ", its signature", but}
	}
}

// all returns every secret that a source of this reach must not contain.
func (p *tap) all(reached reach) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []string
	for text, s := range p.secrets {
		if s.but == nowhere || s.but > reached {
			out = append(out, text)
		}
	}
	return out
}

// count returns how many secrets there are of a kind.
func (p *tap) count(kind string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, s := range p.secrets {
		if strings.Contains(s.met, kind) {
			n++
		}
	}
	return n
}

// errorCode matches error codes, which are not secrets.
var errorCode = regexp.MustCompile(`^([a-z_]+|VER_[0-9]+)$`)

func (p *tap) named(name, value, where string) {
	name = strings.ToLower(name)
	if !secretNames[name] || name == "code" && errorCode.MatchString(value) {
		return
	}
	if strings.HasPrefix(value, "request-id-") { // Stytch's name of a call, for the log
		return
	}
	if name == "uri" || name == "totp_uri" {
		u, err := url.Parse(value)
		if err != nil || u.Scheme != "otpauth" {
			return
		}
		p.values(u.Query(), where)
	}
	p.plant(value, name+" in "+where)
}

func (p *tap) values(v url.Values, where string) {
	for name, list := range v {
		for _, value := range list {
			p.named(name, value, where)
		}
	}
}

// document walks JSON: values in a list or an object have its name too.
func (p *tap) document(name string, v any, where string) {
	switch v := v.(type) {
	case string:
		p.named(name, v, where)
		if name == "redirect_to" || name == "suggested_url" {
			p.address(v, where)
		}
	case []any:
		for _, x := range v {
			p.document(name, x, where)
		}
	case map[string]any:
		for k, x := range v {
			p.document(k, x, where)
		}
	}
}

func (p *tap) address(text, where string) {
	if u, err := url.Parse(text); err == nil {
		p.values(u.Query(), where)
		if q, err := url.ParseQuery(u.Fragment); err == nil {
			p.values(q, where)
		}
	}
}

var hidden = regexp.MustCompile(`name="([a-zA-Z_]+)" value="([^"]+)"`)

func (p *tap) body(kind string, body []byte, where string) {
	switch {
	case strings.Contains(kind, "json"):
		var v any
		if json.Unmarshal(body, &v) == nil {
			p.document("", v, where)
		}
	case strings.Contains(kind, "form"):
		if v, err := url.ParseQuery(string(body)); err == nil {
			p.values(v, where)
		}
	case strings.Contains(kind, "html"):
		for _, m := range hidden.FindAllSubmatch(body, -1) {
			p.named(string(m[1]), string(m[2]), where)
		}
	}
}

func (p *tap) request(r *http.Request) {
	p.values(r.URL.Query(), "a query")
	for _, c := range r.Cookies() {
		p.plant(c.Value, "cookie "+c.Name)
	}
	for _, h := range r.Header.Values("Authorization") {
		scheme, rest, _ := strings.Cut(h, " ")
		p.plant(rest, "Authorization "+scheme)
		if raw, err := base64.StdEncoding.DecodeString(rest); err == nil && scheme == "Basic" {
			_, secret, _ := strings.Cut(string(raw), ":")
			p.plant(secret, "Authorization Basic")
		}
	}
	if r.Body == nil {
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	p.body(r.Header.Get("Content-Type"), body, "a "+strings.Split(r.Header.Get("Content-Type"), ";")[0]+" body")
}

func (p *tap) response(r *http.Response) error {
	for _, c := range r.Cookies() {
		p.plant(c.Value, "cookie "+c.Name)
	}
	p.address(r.Header.Get("Location"), "a redirect")
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	p.body(r.Header.Get("Content-Type"), body, "a response")
	return nil
}
