package e2e

import (
	"context"
	"database/sql"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	_ "sallyport/storage/relational" // registers the drivers of both databases
)

func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
}

// playMisplaced sends secrets in the wrong places. The responses do not matter; the server
// must keep running and not log them.
func (v *vault) playMisplaced(t *testing.T) {
	c := newCaller(t, v.issuer)
	secret := func(what string) string {
		s := random(12)
		v.tap.plant(s, what)
		return s
	}
	name := func(what string) string {
		s := random(12)
		v.tap.plantBut(statements, s, what)
		return s
	}
	u := v.user(t, false)
	a := newParty(t, v.stage, "spa", spaRedirect, "")
	p := newPerson(t, v.issuer).open(a.start()).at("/login")
	p.submit("login-submit", "username", name("password typed as a user name"), "password", "correct horse "+random(6))
	p.submit("login-submit", "username", name("password typed as an e-mail address")+"@example.com", "password", u.name+" horse")
	p.submit("login-submit", "username", u.name, "password", u.password)
	for _, path := range []string{"/userinfo?access_token=%s", "/introspect?token=%s", "/%s", "/static/%s", "/login?requestId=%s", "/continue?requestId=%s",
		"/authorize?client_id=spa&redirect_uri=https://x.example/?code=%s", "/authorize?client_id=spa&%[1]s=1&%[1]s=2",
		"/authorize?client_id=spa&redirect_uri=" + spaRedirect + "&response_type=%s", "/logout?id_token_hint=%s", "/logout?state=%s&post_logout_redirect_uri=%[1]s",
		"/account?done=%s", "/account/rename?id=%s", "/account/confirm?then=%s", "/account/callback?code=%s&state=x", "/mfa?requestId=x&method=%s", "/public-srv/public/%s",
		"/token-srv/prelogin/metadata/%s", "/session/end_session?access_token_hint=%s", "/nowhere;%s", "/login?%%zz%s"} {
		address := fmt.Sprintf(path, secret("secret in the address "+path))
		c.do(http.MethodGet, address, "", "")
		c.header.Set("Accept", "text/html")
		c.do(http.MethodGet, address, "", "")
		c.header.Del("Accept")
	}
	for _, path := range []string{"/authorize?client_id=%s", "/authz-srv/authz?client_id=%s"} {
		c.do(http.MethodGet, fmt.Sprintf(path, name("secret in the address "+path)), "", "")
	}
	for _, path := range []string{"/verification-srv/v2/authenticate/initiate/%s", "/verification-srv/notification/status/%s", "/login-srv/precheck/continue/%s",
		"/verification-actions-srv/setup/totp/initiation/%s", "/auth-actions-srv/validation/%s", "/token?code=%s", "/login-srv/%s", "/revoke?token=%s"} {
		c.json(fmt.Sprintf(path, secret("secret in the address "+path)), "usage_type", secret("usage_type"))
		c.form(fmt.Sprintf(path, secret("secret in the address "+path)), "token", "x")
	}
	v.misplacedBodies(c, secret, name)
	v.misplacedHeaders(t, c, secret, name)
	if v.server.ProcessState != nil {
		t.Error("the server died")
	}
}

func (v *vault) misplacedBodies(c *caller, secret, name func(string) string) {
	for _, path := range []string{"/api/login/v1/requests", "/api/login/v1/step", "/api/login/v1/password", "/verification-srv/public/graph/user/setup",
		"/verification-srv/v2/authenticate/authenticate/totp", "/authz-srv/authrequest/authz/generate", "/token-srv/token", "/login-srv/login/sdk", "/token"} {
		s, n := secret("secret in a body for "+path), name("secret as a name in a body for "+path)
		for _, body := range []string{`{"unknown_` + s + `":"x"}`, `{"unknown":"` + s + `"}`, `{"password":"` + s, `{"request_id":{"` + s + `":[1]}}`, s, `["` + s + `"]`,
			`{"client_id":"` + n + `","request_id":"` + s + `","identifier":"` + n + `","exchange_id":"` + s + `","passcode":"` + s + `"}`,
			`{"` + s + `":1,"` + s + `":2}`, `{"client_id":"shop","redirect_uri":"` + s + `","response_type":"` + s + `"}`} {
			c.do(http.MethodPost, path, "application/json", body)
			c.do(http.MethodPost, path, "text/"+s, body)
			c.do(http.MethodPost, path, formType, "grant_type="+url.QueryEscape(body)+"&%zz="+s)
			c.do(http.MethodPost, path, formType, s+"=1&"+s+"=2&client_id="+n)
		}
	}
	for _, pairs := range [][]string{
		{"grant_type", secret("secret as grant_type"), "client_id", "spa"},
		{"grant_type", "password", "username", "user00", "password", secret("password at the token endpoint"), "client_id", "spa"},
		{"grant_type", "authorization_code", "client_id", name("secret as client_id"), "code", secret("made-up code")},
		{"grant_type", "authorization_code", "client_id", "spa", "code", secret("made-up code"), "code_verifier", secret("made-up verifier")},
		{"grant_type", "refresh_token", "client_id", "spa", "refresh_token", secret("made-up refresh token")},
		{"grant_type", "client_credentials", "client_id", "m2m-post", "client_secret", secret("wrong client secret"), "scope", secret("secret as scope")},
		{"grant_type", "client_credentials", "client_id", "m2m-post", "client_secret", v.secret, "scope", secret("secret as scope")},
		{"client_assertion", secret("client assertion"), "client_assertion_type", secret("type of an assertion")},
	} {
		c.form("/token", pairs...)
		c.json("/token-srv/token", pairs...)
	}
}

func (v *vault) misplacedHeaders(t *testing.T, c *caller, secret, name func(string) string) {
	for _, name := range []string{"Referer", "X-Request-Id", "X-Correlation-Id", "Traceparent", "Tracestate", "Baggage", "X-Forwarded-For", "Forwarded", "X-Forwarded-Host",
		"Origin", "Accept-Language", "Cookie", "X-Api-Key", "Requestid", "Trackid", "Access_token", "If-None-Match", "X-Http-Method-Override", "Content-Type"} {
		c.header.Set(name, secret("secret in the header "+name))
		c.do(http.MethodGet, "/login", "", "")
		c.do(http.MethodPost, "/token", c.header.Get("Content-Type"), "grant_type=x")
		c.header.Del(name)
	}
	for _, value := range []string{"Bearer %s", "Basic %s", "%s", "Digest username=%s", "Bearer a %s"} {
		c.header.Set("Authorization", fmt.Sprintf(value, secret("Authorization "+value)))
		for _, path := range []string{"/userinfo", "/introspect", "/token", "/users-srv/userinfo", "/verification-actions-srv/config"} {
			c.do(http.MethodPost, path, formType, "token=x")
			c.do(http.MethodGet, path, "", "")
		}
	}
	c.header.Set("Authorization", basic(name("secret as the client of Basic"), secret("secret of an unknown client")))
	c.form("/token", "grant_type", "client_credentials")
	agent := random(12)
	v.tap.plantBut(database, agent, "secret in the user agent")
	for _, text := range []string{agent, longAgent} {
		c.header.Set("User-Agent", text)
		c.form("/token", "grant_type", "client_credentials").is(t, http.StatusUnauthorized)
	}
	c.header = http.Header{}
	c.do(secret("secret as a method"), "/login", "", "")
	v.malformed(t, secret)
}

// malformed sends malformed HTTP directly to the server.
func (v *vault) malformed(t *testing.T, secret func(string) string) {
	t.Helper()
	at := strings.TrimPrefix(readFile(t, v.config)[strings.Index(readFile(t, v.config), "\nlisten: "):], "\nlisten: ")
	at, _, _ = strings.Cut(at, "\n")
	for _, text := range []string{"GET /" + secret("in a broken line") + " HTTP/9.9\r\n\r\n", secret("in place of a request") + "\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\n" + secret("in a broken header") + "\r\n\r\n", "GET / HTTP/1.1\r\nHost: " + secret("as host") + "\r\n\r\n",
		"POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: -" + secret("as length") + "\r\n\r\n", "\x16\x03\x01" + secret("in a handshake"),
		"GET /login?a=1;b=" + secret("behind a semicolon") + " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: " + secret("as an encoding") + "\r\n\r\n"} {
		conn, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		if _, err := conn.Write([]byte(text)); err != nil {
			t.Error(err)
		}
		_, _ = conn.Read(make([]byte, 512)) // the connection may be closed
		conn.Close()
	}
}

// behind opens the stage's database.
func (s *stage) behind(t *testing.T) *sql.DB {
	t.Helper()
	driver, address := "pgx", s.dsn
	if path, ok := strings.CutPrefix(s.dsn, "sqlite:"); ok {
		driver, address = "sqlite", "file:"+path+"?_pragma=busy_timeout(5000)"
	}
	db, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// playMoved copies another user's secret to a user in the database (S-3).
func (v *vault) playMoved(t *testing.T) {
	victim, attacker := v.user(t, true), v.user(t, true)
	const of = "(SELECT a.%s FROM authenticators a JOIN identifiers i ON i.user_id = a.user_id WHERE a.method = 'totp' AND i.value = '%s')"
	_, err := v.behind(t).ExecContext(t.Context(), fmt.Sprintf("UPDATE authenticators SET secret = "+of+" WHERE id = "+of, "secret", attacker.email, "id", victim.email))
	if err != nil {
		t.Fatal(err)
	}
	a := newParty(t, v.stage, "bank", bankRedirect, "")
	p := newPerson(t, v.issuer).open(a.start()).signIn(victim).at("/mfa")
	p.submit("mfa-submit", "passcode", p.totp(attacker.totp)).at("/mfa")
}

// playOutage makes calls while the database does not respond or is down.
func (v *vault) playOutage(t *testing.T) {
	u := v.user(t, false)
	a := newParty(t, v.stage, "web", webRedirect, v.secret, "openid", "offline_access")
	p := newPerson(t, v.issuer).open(a.start()).signIn(u)
	token, _, _ := a.tokens(p)
	db := v.behind(t)
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	hold, free := []string{"BEGIN EXCLUSIVE"}, "ROLLBACK"
	if v.engine == "postgres" {
		hold, free = []string{"BEGIN", "LOCK TABLE users, authenticators, grants, events, auth_requests, throttles"}, "ROLLBACK"
	}
	for _, statement := range hold {
		if _, err := conn.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	c := newCaller(t, v.issuer)
	c.header.Set("Authorization", basic("web", v.secret))
	var failed sync.WaitGroup
	refused := make(chan int, 100)
	try := func(do func() reply) { failed.Go(func() { refused <- do().code }) }
	attempt := func() {
		try(func() reply {
			return c.form("/token", "grant_type", "refresh_token", "refresh_token", token.RefreshToken)
		})
		try(func() reply { return c.form("/introspect", "token", token.AccessToken) })
		try(func() reply {
			return c.json("/login-srv/login/sdk", "requestId", random(16), "username", u.name, "password", u.password)
		})
		try(func() reply {
			return c.do("GET", "/authorize?client_id=spa&redirect_uri="+spaRedirect+"&response_type=code&code_challenge="+random(22)+"&code_challenge_method=S256&state="+random(8)+"&scope=openid", "", "")
		})
	}
	attempt()
	if v.engine == "postgres" {
		v.cut(t)
	}
	attempt()
	failed.Wait()
	close(refused)
	broken := 0
	for code := range refused {
		if code >= 500 {
			broken++
		}
	}
	if broken == 0 {
		t.Error("nothing failed while the database was held")
	}
	_, err = conn.ExecContext(context.WithoutCancel(t.Context()), free)
	if err != nil && v.engine == "sqlite" {
		t.Error(err)
	}
}

// cut ends all other connections to the database.
func (v *vault) cut(t *testing.T) {
	t.Helper()
	if _, err := v.behind(t).ExecContext(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()"); err != nil {
		t.Fatal(err)
	}
}
