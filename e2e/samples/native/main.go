// Command native signs in from a terminal, like a desktop or command line program.
//
// By default it listens on a loopback port, prints a URL for the system browser and waits
// for the redirect (RFC 8252). With -terminal it asks for name, password and code itself,
// using the login API.
package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"time"
)

// app is a public client at a provider.
type app struct {
	issuer, client, redirect string
	acr                      string
	in                       *bufio.Reader
	out                      io.Writer
}

// trip has the values of one login, which never leave the program.
type trip struct{ state, nonce, verifier string }

func main() {
	a := app{in: bufio.NewReader(os.Stdin), out: os.Stdout}
	terminal := flag.Bool("terminal", false, "ask here instead of in the browser; needs a client with headless_login")
	flag.StringVar(&a.issuer, "issuer", "http://localhost:8080", "the provider")
	flag.StringVar(&a.client, "client", "", "client_id; left out: native, or front with -terminal")
	flag.StringVar(&a.redirect, "redirect", "", "with -terminal: a registered redirect_uri; left out: that of the client front")
	flag.StringVar(&a.acr, "acr", "", "acr_values, for example aal2")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	sign := a.browser
	if *terminal {
		sign = a.terminal
	}
	if err := sign(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "native:", err)
		os.Exit(1)
	}
}

func random() string {
	b := make([]byte, 32)
	rand.Read(b) //nolint:errcheck // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// begin returns the parameters of an authorization request.
func (a *app) begin() (trip, url.Values) {
	t := trip{random(), random(), random()}
	sum := sha256.Sum256([]byte(t.verifier))
	v := url.Values{"response_type": {"code"}, "client_id": {a.client}, "redirect_uri": {a.redirect}, "scope": {"openid profile email"},
		"state": {t.state}, "nonce": {t.nonce}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"}}
	if a.acr != "" {
		v.Set("acr_values", a.acr)
	}
	return t, v
}

// browser signs in through the system browser.
func (a *app) browser(ctx context.Context) error {
	if a.client == "" {
		a.client = "native"
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") // any free port: RFC 8252 section 7.3
	if err != nil {
		return err
	}
	defer l.Close()
	a.redirect = fmt.Sprintf("http://%s/callback", l.Addr())
	t, params := a.begin()
	queries := make(chan url.Values, 1)
	server := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/callback" || r.URL.Query().Get("state") != t.state {
			http.NotFound(w, r) // not the expected response
			return
		}
		fmt.Fprintln(w, "You can close this window and go back to the terminal.")
		select {
		case queries <- r.URL.Query():
		default:
		}
	})}
	go server.Serve(l) //nolint:errcheck // ends with the program
	defer server.Shutdown(context.WithoutCancel(ctx))
	fmt.Fprintf(a.out, "Open this address in your browser:\n\n%s/authorize?%s\n\n", a.issuer, params.Encode())
	select {
	case q := <-queries:
		return a.redeem(ctx, t, q.Get("iss"), q.Get("code"), q.Get("error"))
	case <-ctx.Done():
		return ctx.Err()
	}
}

// step is a response of the login API.
type step struct {
	Step     string `json:"step"`
	Request  string `json:"request_id"`
	Token    string `json:"login_token"` // proves ownership of the login from the first factor on
	Error    string `json:"error"`
	Code     string `json:"code"`
	Issuer   string `json:"iss"`
	Redirect string `json:"redirect_to"`
	Options  []struct {
		Method, Usage, Text string
	} `json:"options"`
	Methods    []string `json:"methods"`
	Scopes     []string `json:"scopes"`
	Codes      []string `json:"recovery_codes"`
	Enrollment struct {
		Exchange string `json:"exchange_id"`
		URI      string `json:"uri"`
		Secret   string `json:"secret"`
	} `json:"enrollment"`
}

// problem is an error of the login API.
type problem struct {
	Code    string `json:"code"`
	Detail  string `json:"detail"`
	Support string `json:"support_id"`
}

func (p *problem) Error() string {
	return fmt.Sprintf("%s: %s (support id %s)", p.Code, p.Detail, p.Support)
}

// call posts to the login API.
func (a *app) call(ctx context.Context, path string, body map[string]any) (step, error) {
	var s step
	text, err := json.Marshal(body)
	if err != nil {
		return s, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.issuer+"/api/login/v1"+path, strings.NewReader(string(text)))
	if err != nil {
		return s, err
	}
	r.Header.Set("Content-Type", "application/json")
	return s, fetch(r, &s, new(problem))
}

// terminal signs in in the terminal: it follows each step until there is a code.
func (a *app) terminal(ctx context.Context) error {
	if a.client == "" {
		a.client = "front"
	}
	if a.redirect == "" {
		a.redirect = "http://localhost:8081/own-login/"
	}
	t, params := a.begin()
	body := map[string]any{}
	for name, values := range params {
		body[name] = values[0]
	}
	s, err := a.call(ctx, "/requests", body)
	for err == nil && s.Redirect == "" {
		next, wrong := a.do(ctx, s)
		var p *problem
		switch {
		case wrong == nil:
			s = next
		case errors.As(wrong, &p) && (p.Code == "invalid_credentials" || p.Code == "invalid_passcode" || p.Code == "replayed" || p.Code == "invalid_request"):
			fmt.Fprintln(a.out, p.Detail)
		default:
			err = wrong
		}
	}
	if err != nil {
		return err
	}
	return a.redeem(ctx, t, s.Issuer, s.Code, s.Error)
}

// do handles one step.
func (a *app) do(ctx context.Context, s step) (step, error) {
	body := map[string]any{"request_id": s.Request, "login_token": s.Token}
	switch s.Step {
	case "identify":
		body["identifier"], body["password"] = a.ask("Name"), a.ask("Password")
		return a.call(ctx, "/password", body)
	case "verify":
		if len(s.Options) == 0 {
			return s, errors.New("none of your factors can be used here")
		}
		body["method"], body["passcode"] = s.Options[0].Method, a.ask("Code of "+s.Options[0].Text)
		return a.call(ctx, "/verify", body)
	case "enroll":
		return a.enroll(ctx, s, body)
	case "recovery":
		fmt.Fprintf(a.out, "Keep these codes:\n  %s\n", strings.Join(s.Codes, "\n  "))
		return a.call(ctx, "/recovery-codes/seen", body)
	case "consent":
		body["allow"] = a.ask("Allow "+strings.Join(s.Scopes, ", ")+"? (yes)") == "yes"
		return a.call(ctx, "/consent", body)
	case "done", "refused":
		return a.call(ctx, "/finish", body)
	}
	return s, fmt.Errorf("this program does not know the step %q", s.Step)
}

func (a *app) enroll(ctx context.Context, s step, body map[string]any) (step, error) {
	body["method"] = s.Methods[0]
	begun, err := a.call(ctx, "/enroll", body)
	if err != nil {
		return s, err
	}
	fmt.Fprintf(a.out, "Add this key to your authenticator app: %s\n  %s\n", begun.Enrollment.Secret, begun.Enrollment.URI)
	body["exchange_id"], body["passcode"] = begun.Enrollment.Exchange, a.ask("First code")
	return a.call(ctx, "/enroll/confirm", body)
}

func (a *app) ask(what string) string {
	fmt.Fprint(a.out, what+": ")
	line, err := a.in.ReadString('\n')
	if err != nil && line == "" {
		fmt.Fprintln(a.out)
		os.Exit(1) // standard input is closed
	}
	return strings.TrimRight(line, "\r\n")
}

// redeem exchanges the code and greets.
func (a *app) redeem(ctx context.Context, t trip, iss, code, refusal string) error {
	switch {
	case iss != a.issuer:
		return errors.New("the answer comes from another provider") // RFC 9207
	case refusal != "":
		return fmt.Errorf("not signed in: %s", refusal)
	}
	form := url.Values{"grant_type": {"authorization_code"}, "client_id": {a.client}, "code": {code}, "redirect_uri": {a.redirect}, "code_verifier": {t.verifier}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.issuer+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var tokens struct {
		Access string `json:"access_token"`
		ID     string `json:"id_token"`
	}
	if err := fetch(r, &tokens, new(refused)); err != nil {
		return err
	}
	claims, err := a.check(tokens.ID, t)
	if err != nil {
		return err
	}
	if r, err = http.NewRequestWithContext(ctx, http.MethodGet, a.issuer+"/userinfo", nil); err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+tokens.Access)
	var person struct{ Name, Email string }
	if err := fetch(r, &person, new(refused)); err != nil {
		return err
	}
	fmt.Fprintf(a.out, "Hello, %s <%s>: %s, %s\n", person.Name, person.Email, claims.ACR, strings.Join(claims.AMR, "+"))
	return nil
}

// refused is an error of the token and userinfo endpoints.
type refused struct {
	Code        string `json:"error"`
	Description string `json:"error_description"`
}

func (r *refused) Error() string { return r.Code + ": " + r.Description }

type claims struct {
	Issuer   string   `json:"iss"`
	Audience string   `json:"aud"`
	Nonce    string   `json:"nonce"`
	Expires  int64    `json:"exp"`
	ACR      string   `json:"acr"`
	AMR      []string `json:"amr"`
}

// check parses an ID token from the token endpoint, which TLS authenticates (OpenID Connect
// Core section 3.1.3.7).
func (a *app) check(token string, t trip) (claims, error) {
	var c claims
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return c, errors.New("there is no ID token")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(payload, &c); err != nil {
		return c, err
	}
	if c.Issuer != a.issuer || c.Audience != a.client || c.Nonce != t.nonce || time.Now().Unix() > c.Expires {
		return c, errors.New("the ID token is not for this login")
	}
	return c, nil
}

// fetch makes a call and decodes its JSON response, errors into wrong.
func fetch[E error](r *http.Request, into any, wrong E) error {
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusOK {
		return json.NewDecoder(response.Body).Decode(into)
	}
	if err := json.NewDecoder(response.Body).Decode(wrong); err != nil {
		return fmt.Errorf("%s: %s", r.URL.Path, response.Status)
	}
	return wrong
}
