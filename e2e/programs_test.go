package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"sallyport/e2e/play"
)

// oauth2Proxy is built once, in a cache; OAUTH2_PROXY can name a binary.
var oauth2Proxy = play.Program{Name: "oauth2-proxy", Variable: "OAUTH2_PROXY", Command: "github.com/oauth2-proxy/oauth2-proxy/v7", Version: "v7.15.6", Cgo: "0"}

// long leaves out a test of programs that take minutes to build.
func long(t *testing.T) {
	t.Helper()
	if os.Getenv("SALLYPORT_TEST_CLIENTS") != "long" {
		t.Skip("`make clients` runs it")
	}
}

// newProgramStage starts a server with a client for a program at an origin, where it hears of sign-outs
// at a path.
func newProgramStage(t *testing.T, id, origin, callback, heard string) *stage {
	t.Helper()
	dir := t.TempDir()
	s := setStageWith(t, dir, engineDSN(t, dir, "sqlite"), func(s *stage) string {
		text := fmt.Sprintf("  - {client_id: %s, client_secret: %q, redirect_uris: [%q], post_logout_redirect_uris: [%q], grant_types: [authorization_code, refresh_token], scopes: [openid, profile, email, offline_access]",
			id, s.secret, origin+callback, origin+"/bye")
		if heard != "" {
			text += fmt.Sprintf(", backchannel_logout_uri: %q", origin+heard)
		}
		return strings.Replace(s.state(0, 3), "\nusers:\n", "\n"+text+"}\nusers:\n", 1)
	})
	s.env = append(s.env, "SALLYPORT_FETCH_ALLOWED_NETWORKS=127.0.0.0/8")
	s.serve(t)
	return s
}

// runProgram runs a program until the test ends, and returns when an address of it responds.
func runProgram(t *testing.T, ready string, env []string, name string, args ...string) {
	t.Helper()
	out := &lines{}
	c := exec.Command(name, args...)
	c.Env = append(os.Environ(), env...)
	c.Stdout, c.Stderr = out, out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		<-ended
		if t.Failed() {
			t.Logf("%s", out)
		}
	})
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if r, err := http.Get(ready); err == nil {
			r.Body.Close()
			return
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("%s ended: %v\n%s", name, err, out)
		case <-tick.C:
		}
	}
}

// follow follows the redirects of a program, which is no page of the server, and returns the last
// response as JSON.
func follow(t *testing.T, p *person) map[string]any {
	t.Helper()
	for range 5 {
		if p.arrived == nil {
			break
		}
		p.open(p.arrived.String())
	}
	var out map[string]any
	if err := json.Unmarshal([]byte(p.text), &out); err != nil || p.code != http.StatusOK {
		t.Fatalf("%s = %d %s", p.url, p.code, p.text)
	}
	return out
}

// TestOAuth2Proxy: oauth2-proxy in front of an application, with PKCE, userinfo, refreshed tokens and a sign-out at both ends.
//
// Conformance (Logout): RP-Initiated Logout 2: oauth2-proxy signs its user out
func TestOAuth2Proxy(t *testing.T) {
	long(t)
	program, _, err := oauth2Proxy.Path()
	if err != nil {
		t.Fatal(err)
	}
	application, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _ = json.NewEncoder(w).Encode(r.Header) })}
	go func() { _ = server.Serve(application) }()
	t.Cleanup(func() { server.Close() })
	address := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	origin := "http://" + address
	s := newProgramStage(t, "gate", origin, "/oauth2/callback", "")
	runProgram(t, origin+"/ping", []string{"OAUTH2_PROXY_CLIENT_SECRET=" + s.secret, "OAUTH2_PROXY_COOKIE_SECRET=" + random(16)}, program,
		"--provider=oidc", "--oidc-issuer-url="+s.issuer, "--client-id=gate", "--scope=openid email offline_access", "--code-challenge-method=S256", "--insecure-oidc-skip-nonce=false",
		"--http-address="+address, "--redirect-url="+origin+"/oauth2/callback", "--upstream=http://"+application.Addr().String(), "--email-domain=*", "--skip-provider-button",
		"--cookie-secure=false", "--cookie-refresh=1s", "--pass-access-token", "--whitelist-domain="+strings.TrimPrefix(s.issuer, "http://"))
	u, p := s.user(t, false), newPerson(t, s.issuer)
	p.open(origin + "/").signIn(u)
	got := follow(t, p)
	value := func(name string) string { return fmt.Sprint(got[name]) }
	first := value("X-Forwarded-Access-Token")
	if value("X-Forwarded-Email") != "["+u.email+"]" || len(first) < 20 {
		t.Errorf("the application gets %v", got)
	}
	tick, end := time.NewTicker(200*time.Millisecond), time.Now().Add(time.Minute)
	defer tick.Stop()
	for value("X-Forwarded-Access-Token") == first { // refreshed after a second
		if <-tick.C; time.Now().After(end) {
			t.Fatal("the tokens are not refreshed")
		}
		got = follow(t, p.open(origin+"/"))
	}
	p.open(origin + "/oauth2/sign_out?rd=" + url.QueryEscape(s.issuer+"/logout?id_token_hint={id_token}&post_logout_redirect_uri="+url.QueryEscape(origin+"/bye")))
	if p.sent(); p.arrived.String() != origin+"/bye" {
		t.Errorf("signed out to %s", p.arrived)
	}
	p.open(origin + "/").at("/login")
}

// TestSpringSecurity: an application with Spring Security (e2e/spring) signs in, is signed out from both
// ends, and takes access tokens as JWTs and by introspection. It needs Maven and a JDK 17; SPRING can name
// the archive.
//
// Conformance (Logout): Back-Channel Logout 2.4, 2.6: Spring Security ends its session
// Conformance (Logout): RP-Initiated Logout 2: Spring Security signs its user out
func TestSpringSecurity(t *testing.T) {
	long(t)
	archive, given, err := play.Given("SPRING")
	if err == nil && !given {
		archive = filepath.Join(t.TempDir(), "application-1.jar")
		err = play.Tool("spring", "mvn", "-q", "-B", "package", "-Doutput="+filepath.Dir(archive))
	}
	if err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	origin := fmt.Sprintf("http://127.0.0.1:%d", port)
	s := newProgramStage(t, "spring", origin, "/login/oauth2/code/sallyport", "/logout/connect/back-channel/sallyport")
	settings, err := json.Marshal(map[string]any{"server": map[string]any{"port": port}, "issuer": s.issuer, "secret": s.secret,
		"spring.security.oauth2.client": map[string]any{
			"registration": map[string]any{"sallyport": map[string]any{"client-id": "spring", "client-secret": s.secret, "scope": "openid,email,profile,offline_access"}},
			"provider":     map[string]any{"sallyport": map[string]any{"issuer-uri": s.issuer}}}})
	if err != nil {
		t.Fatal(err)
	}
	runProgram(t, origin+"/ready", []string{"SPRING_APPLICATION_JSON=" + string(settings)}, installed(t, "java"), "-jar", archive)

	signOutOfSpring(t, s, origin)
	signOutFromElsewhere(t, s, origin)
	checkResourceServer(t, s, origin)
}

// signInToSpring signs a user in at the application and returns what it knows of them.
func signInToSpring(t *testing.T, p *person, u user, origin string) map[string]any {
	t.Helper()
	p.open(origin + "/oauth2/authorization/sallyport").signIn(u)
	if p.sent(); p.open(p.arrived.String()).arrived == nil {
		t.Fatalf("%s = %d %s", p.url, p.code, p.text)
	}
	got := follow(t, p.open(origin+"/me"))
	if got["sub"] == "" || got["email"] != u.email {
		t.Errorf("the application knows %v of %s", got, u.email)
	}
	return got
}

func signOutOfSpring(t *testing.T, s *stage, origin string) {
	t.Helper()
	p := newPerson(t, s.issuer)
	got := signInToSpring(t, p, s.user(t, false), origin)
	response, err := p.browser.HTTP.PostForm(origin+"/logout", url.Values{"_csrf": {fmt.Sprint(got["csrf"])}})
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if at := p.browser.Arrived; at == nil || at.String() != origin+"/bye" {
		t.Errorf("signed out to %v (%d)", at, response.StatusCode)
	}
	p.open(origin + "/oauth2/authorization/sallyport").at("/login")
}

// signOutFromElsewhere lets an administrator end the session: the application ends its own.
func signOutFromElsewhere(t *testing.T, s *stage, origin string) {
	t.Helper()
	p, u := newPerson(t, s.issuer), s.user(t, false)
	signInToSpring(t, p, u, origin)
	s.command(t, "session", "end-all", "--config", s.config, u.name)
	tick, end := time.NewTicker(100*time.Millisecond), time.Now().Add(time.Minute)
	defer tick.Stop()
	for p.open(origin+"/me").arrived == nil {
		if <-tick.C; time.Now().After(end) {
			t.Fatalf("the application still knows %s", p.text)
		}
	}
}

// checkResourceServer calls the API with tokens.
func checkResourceServer(t *testing.T, s *stage, origin string) {
	t.Helper()
	at := func(id, redirect string, scopes ...string) (*oauth2.Token, string) {
		a := newParty(t, s, id, redirect, s.secret, scopes...)
		token, identity, _ := a.tokens(newPerson(t, s.issuer).open(a.start()).signIn(s.free[false][0]))
		return token, identity.Subject
	}
	callback := origin + "/login/oauth2/code/sallyport"
	token, sub := at("spring", callback, "openid", "email")
	narrow, _ := at("spring", callback, "openid")
	other, _ := at("web", webRedirect, "openid", "email")
	call := func(path, token string, want int) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, origin+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		var body map[string]any
		_ = json.NewDecoder(response.Body).Decode(&body)
		if response.StatusCode != want || want == http.StatusOK && body["sub"] != sub {
			t.Errorf("%s = %d %v %s, want %d", path, response.StatusCode, body, response.Header.Get("WWW-Authenticate"), want)
		}
	}
	identity, _ := token.Extra("id_token").(string)
	for _, path := range []string{"/jwt", "/opaque"} {
		call(path, token.AccessToken, http.StatusOK)
		call(path, narrow.AccessToken, http.StatusForbidden)
		call(path, identity, http.StatusUnauthorized)
		call(path, token.AccessToken+"x", http.StatusUnauthorized)
		call(path, "", http.StatusUnauthorized)
	}
	call("/jwt", other.AccessToken, http.StatusUnauthorized)
	s.command(t, "session", "end-all", "--config", s.config, sub)
	call("/opaque", token.AccessToken, http.StatusUnauthorized)
}
