package faults

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"sallyport/e2e/play"
)

// caller is an application with its own login page and one user. Each has another address,
// through a trusted proxy.
type caller struct {
	cluster *cluster
	base    func() string // the server of the next call
	from    string
	http    *http.Client
	id      string // of its login
	token   string // login_token, once it owns the login
}

// reply is a response of any status.
type reply struct {
	code   int
	header http.Header
	text   string
	body   map[string]any
	took   time.Duration
}

// refused is a response other than 200.
type refused struct{ reply }

func (e *refused) Error() string { return fmt.Sprintf("%d %s", e.code, e.text) }

// codeOf returns the status of a refused response, or 0.
func codeOf(err error) int {
	var r *refused
	if errors.As(err, &r) {
		return r.code
	}
	return 0
}

// verifier is the PKCE verifier of every login.
const verifier = "a-verifier-that-is-long-enough-for-rfc-7636-and-fixed"

var transport = &http.Transport{MaxIdleConnsPerHost: 256, IdleConnTimeout: 30 * time.Second}

// caller returns a caller of one server.
func (n *cluster) caller(s *server) *caller { return n.via(func() string { return s.base }) }

func (n *cluster) via(base func() string) *caller {
	k := n.callers.Add(1)
	return &caller{cluster: n, base: base, from: fmt.Sprintf("10.%d.%d.%d", k>>16&255, k>>8&255, k&255), http: &http.Client{Timeout: 30 * time.Second, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

func (c *caller) do(method, path, kind, body, client string) (reply, error) {
	r, err := http.NewRequest(method, c.base()+path, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	r.Header.Set("X-Forwarded-For", c.from)
	if client != "" {
		r.SetBasicAuth(client, c.cluster.secret)
	}
	began := time.Now()
	response, err := c.http.Do(r)
	if err != nil {
		c.cluster.seen.add(failed)
		return reply{took: time.Since(began)}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	out := reply{code: response.StatusCode, header: response.Header, text: string(text), took: time.Since(began)}
	if err != nil {
		c.cluster.seen.add(failed)
		return out, err
	}
	c.cluster.seen.add(outcomeOf(out))
	if bytes.HasPrefix(text, []byte("{")) {
		if err := json.Unmarshal(text, &out.body); err != nil {
			return out, err
		}
	}
	if out.code != http.StatusOK {
		return out, &refused{out}
	}
	return out, nil
}

func (r reply) get(name string) string { s, _ := r.body[name].(string); return s }

// step posts a step of the caller's login.
func (c *caller) step(path string, pairs ...any) (reply, error) {
	body := map[string]any{}
	if c.id != "" {
		body["request_id"] = c.id
	}
	if c.token != "" {
		body["login_token"] = c.token
	}
	for i := 0; i < len(pairs); i += 2 {
		body[pairs[i].(string)] = pairs[i+1]
	}
	text, err := json.Marshal(body)
	if err != nil {
		return reply{}, err
	}
	r, err := c.do(http.MethodPost, "/api/login/v1"+path, "application/json", string(text), "")
	if token := r.get("login_token"); token != "" {
		c.token = token
	}
	return r, err
}

func challenge() string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// begin opens a login.
func (c *caller) begin(client string) error {
	c.id, c.token = "", ""
	r, err := c.step("/requests", "response_type", "code", "client_id", client, "redirect_uri", redirect, "scope", "openid offline_access",
		"state", "the-state", "code_challenge", challenge(), "code_challenge_method", "S256")
	c.id = r.get("request_id")
	return err
}

// password opens a login and proves the password.
func (c *caller) password(client string, u play.User) (reply, error) {
	if err := c.begin(client); err != nil {
		return reply{}, fmt.Errorf("begin: %w", err)
	}
	return c.step("/password", "identifier", u.Name, "password", u.Password)
}

// finish ends the login and returns the code.
func (c *caller) finish() (string, error) {
	r, err := c.step("/finish")
	if err == nil && r.get("code") == "" {
		err = &refused{r}
	}
	return r.get("code"), err
}

// login makes a complete login, by password alone or with a passcode of a method.
func (c *caller) login(client string, u play.User, second ...string) (string, error) {
	if _, err := c.password(client, u); err != nil {
		return "", fmt.Errorf("password: %w", err)
	}
	if len(second) == 2 {
		if _, err := c.step("/verify", "method", second[0], "passcode", second[1]); err != nil {
			return "", fmt.Errorf("verify: %w", err)
		}
	}
	code, err := c.finish()
	if err != nil {
		return "", fmt.Errorf("finish: %w", err)
	}
	return code, nil
}

// form posts to an OAuth endpoint.
func (c *caller) form(path, client string, v url.Values) (reply, error) {
	return c.do(http.MethodPost, path, "application/x-www-form-urlencoded", v.Encode(), client)
}

// redeem exchanges a code for tokens.
func (c *caller) redeem(client, code string) (reply, error) {
	return c.form("/token", client, url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirect}, "code_verifier": {verifier}})
}

func (c *caller) refresh(client, token string) (reply, error) {
	return c.form("/token", client, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
}

// active calls the introspection endpoint (RFC 7662).
func (c *caller) active(client, token string) (bool, error) {
	r, err := c.form("/introspect", client, url.Values{"token": {token}})
	return r.body["active"] == true, err
}

// passcode returns the code of a user's app, ahead steps from now.
func passcode(u play.User, ahead int64) string {
	code, err := play.TOTPAt(u.TOTP, time.Now().Unix()/30+ahead)
	if err != nil {
		panic(err)
	}
	return code
}
