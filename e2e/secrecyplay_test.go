package e2e

import (
	"encoding/base32"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/oauth2"
)

// play runs everything, correctly and wrongly.
func (v *vault) play(t *testing.T) {
	t.Helper()
	for _, f := range flows() {
		t.Run(f.name, func(t *testing.T) { f.play(t, v.stage) })
	}
	for _, f := range []struct {
		name string
		play func(t *testing.T)
	}{
		{"the account page", v.playAccount},
		{"factors on the account page", v.playFactors},
		{"wrong responses until a wait", v.playWaits},
		{"the login API", v.playAPI},
		{"the dialect of cidaas", v.playCidaas},
		{"enrolling by the dialect", v.playSetup},
		{"codes by mail and text message", v.playSentCodes},
		{"a forgotten password", v.playForgotten},
		{"the dialects of backends", v.playBackends},
		{"commands", v.playCommands},
		{"secrets in the wrong places", v.playMisplaced},
		{"a secret moved to another row", v.playMoved},
		{"a database that goes away", v.playOutage},
	} {
		t.Run(f.name, f.play)
	}
	for _, kind := range []string{"password", "passcode", "recovery", "code", "access_token", "refresh_token", "id_token", "client_secret", "cookie", "csrf",
		"request", "exchange", "status_id", "track", "state", "nonce", "code_verifier", "Authorization Bearer", "Authorization Basic", "secret in a response",
		"access_token_hint", "id_token_hint", "key file", "API key", "recovery code of the login", "totp_code in", "totp in", "otp in",
		"recovery_code in", "recovery_codes in", "session_token in a response", "session_jwt in a response, its signature", "api_key in a query",
		"secret of the hook", "link of a message"} {
		if v.tap.count(kind) == 0 {
			t.Errorf("no secret of kind %q was seen, so none was searched for", kind)
		}
	}
}

func (v *vault) playAccount(t *testing.T) {
	u := v.user(t, false)
	p := newPerson(t, v.issuer).open(v.issuer + "/account").at("/login").signIn(u).at("/account")
	other := newPerson(t, v.issuer).open(v.issuer + "/account").signIn(u).at("/account")
	fresh := "another horse " + random(8)
	p.open(v.issuer + "/account/password")
	p.submit("password-submit", "old", "wrong horse "+random(6), "new", fresh, "repeat", fresh).at("/account/password")
	p.submit("password-submit", "old", u.password, "new", "short", "repeat", "short").at("/account/password")
	p.submit("password-submit", "old", u.password, "new", fresh, "repeat", fresh+"!").at("/account/password")
	p.submit("password-submit", "old", u.password, "new", fresh, "repeat", fresh).at("/account")
	if other.open(v.issuer + "/account"); other.url.Path != "/login" {
		t.Errorf("the other session is at %s after the change", other.url.Path)
	}
	u.password = fresh
	newPerson(t, v.issuer).open(v.issuer + "/account").signIn(u).at("/account")
	p.open(v.issuer + "/account").submit("sessions-end-others").at("/account")
	p.open(v.issuer+"/account/add?method=totp").submit("totp-begin", "name", "Phone")
	secret := p.has("enroll-secret")
	v.tap.plant(strings.ReplaceAll(secret, " ", ""), "TOTP secret enrolled on the account page")
	p.submit("totp-submit", "passcode", "000000")
	p.submit("totp-submit", "passcode", p.totp(secret))
	codes := strings.Fields(p.has("recovery-codes"))
	if len(codes) == 0 {
		t.Fatalf("no recovery codes at %s:\n%s", p.url.Path, p.text)
	}
	for _, code := range codes {
		v.tap.plant(code, "recovery code of the account page")
	}
}

func (v *vault) playFactors(t *testing.T) {
	u := v.user(t, true)
	p := newPerson(t, v.issuer).open(v.issuer + "/account").signIn(u).at("/mfa")
	p.submit("mfa-submit", "passcode", p.totp(u.totp)).at("/account")
	p.open(v.issuer + "/account/recovery").at("/account/recovery")
	p.submit("recovery-submit")
	for _, code := range strings.Fields(p.has("recovery-codes")) {
		v.tap.plant(code, "new recovery code of the account page")
	}
	p.open(v.issuer + "/account")
	to := p.browser.LinkTo("/account/rename?id=")
	if to == "" {
		t.Fatalf("no device to rename:\n%s", p.text)
	}
	p.open(v.issuer+to).submit("rename-submit", "name", "Old phone").at("/account")
	p.open(v.issuer + strings.Replace(to, "rename", "remove", 1)).submit("remove-submit").at("/account")
}

// playWaits fails until both counters make the user wait.
func (v *vault) playWaits(t *testing.T) {
	u := v.user(t, true)
	a := newParty(t, v.stage, "bank", bankRedirect, "")
	p := newPerson(t, v.issuer).open(a.start()).signIn(u).at("/mfa")
	for range 4 {
		p.submit("mfa-submit", "passcode", "000000").at("/mfa")
	}
	p.open(v.issuer + link(t, p, "method-recovery"))
	for range 3 {
		p.submit("mfa-submit", "passcode", strings.ToLower(base32.StdEncoding.EncodeToString([]byte(random(8))[:15]))).at("/mfa")
	}
	q := newPerson(t, v.issuer).open(a.start())
	for range 7 {
		q.submit("login-submit", "username", u.name, "password", "wrong horse "+random(6)).at("/login")
	}
	b := newParty(t, v.stage, "bank", bankRedirect, "")
	w := v.user(t, true)
	r := newPerson(t, v.issuer).open(b.start()).signIn(w).at("/mfa")
	code := r.totp(w.totp)
	r.submit("mfa-submit", "passcode", code)
	b.tokens(r)
	r = newPerson(t, v.issuer).open(b.start()).signIn(w).at("/mfa")
	r.submit("mfa-submit", "passcode", code).at("/mfa")
}

func (v *vault) playAPI(t *testing.T) {
	u := v.user(t, true)
	c := newCaller(t, v.issuer)
	const base = "/api/login/v1"
	verifier := oauth2.GenerateVerifier()
	begin := func() string {
		return c.json(base+"/requests", "client_id", "app", "redirect_uri", webRedirect+"/app", "response_type", "code", "scope", "openid",
			"state", random(16), "nonce", random(16), "code_challenge", oauth2.S256ChallengeFromVerifier(verifier), "code_challenge_method", "S256",
			"acr_values", "aal2").is(t, 200).at(t, "request_id")
	}
	id := begin()
	c.json(base+"/identify", "request_id", id, "identifier", u.email).is(t, 200)
	c.header.Set("User-Agent", longAgent)
	c.json(base+"/password", "request_id", id, "identifier", u.name, "password", "wrong horse "+random(6)).is(t, 422)
	c.header.Del("User-Agent")
	token := c.json(base+"/password", "request_id", id, "identifier", u.name, "password", u.password).is(t, 200).at(t, "login_token")
	exchange := c.json(base+"/initiate", "request_id", id, "login_token", token, "method", "totp").is(t, 200).at(t, "exchange", "exchange_id")
	c.json(base+"/verify", "request_id", id, "login_token", token, "method", "totp", "passcode", "000000", "exchange_id", exchange).is(t, 422)
	c.json(base+"/verify", "request_id", id, "login_token", token, "method", "totp", "passcode", newPerson(t, v.issuer).totp(u.totp), "exchange_id", exchange).is(t, 200)
	code := c.json(base+"/finish", "request_id", id, "login_token", token).is(t, 200).at(t, "code")
	c.form("/token", "grant_type", "authorization_code", "code", code, "redirect_uri", webRedirect+"/app", "client_id", "app",
		"client_secret", random(32), "code_verifier", verifier).is(t, 401)
	c.header.Set("Authorization", basic("app", v.secret))
	c.form("/token", "grant_type", "authorization_code", "code", code, "redirect_uri", webRedirect+"/app", "code_verifier", verifier).is(t, 200)
	c.header.Del("Authorization")

	id = begin()
	token = c.json(base+"/password", "request_id", id, "identifier", u.name, "password", u.password).is(t, 200).at(t, "login_token")
	c.json(base+"/restart", "request_id", id, "login_token", token).is(t, 200)
	w := v.user(t, false)
	token = c.json(base+"/password", "request_id", id, "identifier", w.name, "password", w.password).is(t, 200).at(t, "login_token")
	c.form("/continue", "login_token", token)
	c.json(base+"/cancel", "request_id", id, "login_token", token).is(t, 200)
}

func (v *vault) playCidaas(t *testing.T) {
	u := v.user(t, true)
	c := newCaller(t, v.issuer)
	verifier := oauth2.GenerateVerifier()
	generate := func() string {
		return c.json("/authz-srv/authrequest/authz/generate", "client_id", "shop", "redirect_uri", shopRedirect, "response_type", "code",
			"scope", "openid offline_access", "state", random(16), "nonce", random(16), "code_challenge", oauth2.S256ChallengeFromVerifier(verifier),
			"code_challenge_method", "S256").is(t, 200).at(t, "data", "requestId")
	}
	request := generate()
	c.do("GET", "/public-srv/public/"+request, "", "").is(t, 200)
	c.json("/verification-srv/v2/setup/public/configured/list", "email", u.email, "request_id", request).is(t, 200)
	begun := c.json("/verification-srv/v2/authenticate/initiate/TOTP", "usage_type", "PASSWORDLESS_AUTHENTICATION", "request_id", request, "email", u.email).is(t, 200)
	exchange, status := begun.at(t, "data", "exchange_id", "exchange_id"), begun.at(t, "data", "status_id")
	c.json("/verification-srv/v2/authenticate/authenticate/TOTP", "exchange_id", exchange, "pass_code", "000000").is(t, 417)
	c.json("/verification-srv/v2/authenticate/authenticate/TOTP", "exchange_id", exchange, "pass_code", newPerson(t, v.issuer).totp(u.totp)).is(t, 200)
	end := c.form("/login-srv/verification/login", "requestId", request, "verificationType", "TOTP", "sub", begun.at(t, "data", "sub"), "status_id", status).is(t, 303)
	tokens := c.json("/token-srv/token", "grant_type", "authorization_code", "client_id", "shop", "redirect_uri", shopRedirect,
		"code", end.location.Query().Get("code"), "code_verifier", verifier).is(t, 200)
	access := tokens.at(t, "access_token")
	c.header.Set("Authorization", "Bearer "+access)
	c.json("/token-srv/introspect", "token", access)
	c.do("GET", "/users-srv/userinfo", "", "").is(t, 200)
	c.header.Del("Authorization")
	again := c.json("/token-srv/token", "grant_type", "refresh_token", "client_id", "shop", "refresh_token", tokens.at(t, "refresh_token")).is(t, 200)
	c.json("/token-srv/revoke", "client_id", "shop", "token", again.at(t, "refresh_token"))
	c.do("GET", "/session/end_session?access_token_hint="+access+"&post_logout_redirect_uri="+shopRedirect+"/bye", "", "")

	request = generate()
	c.form("/login-srv/login", "requestId", request, "username", u.name, "password", "wrong horse "+random(6)).is(t, 303)
	c.json("/login-srv/login/sdk", "requestId", request, "username", u.name, "password", u.password).is(t, 200).at(t, "data", "code")
	request = generate()
	begun = c.json("/verification-srv/authentication/totp/initiation", "usage_type", "PASSWORDLESS_AUTHENTICATION", "request_id", request, "email", u.email).is(t, 200)
	c.json("/verification-srv/authentication/totp/cancel", "exchange_id", begun.at(t, "data", "exchange_id", "exchange_id"), "reason", "no wish").is(t, 200)
}

func (v *vault) playSetup(t *testing.T) {
	u := v.user(t, false)
	a := newParty(t, v.stage, "shop", shopRedirect, "", "openid", "email")
	p := newPerson(t, v.issuer).open(a.start()).signIn(u)
	token, _, _ := a.tokens(p)
	c := newCaller(t, v.issuer)
	c.header.Set("Authorization", "Bearer "+token.AccessToken)
	begun := c.json("/verification-actions-srv/setup/TOTP/initiation", "verification_type", "totp").is(t, 200)
	c.do("POST", "/verification-srv/notification/status/"+begun.at(t, "data", "status_id"), "application/json", "").is(t, 200)
	exchange := begun.at(t, "data", "exchange_id", "exchange_id")
	c.json("/verification-actions-srv/setup/TOTP/verification", "exchange_id", exchange, "pass_code", "000000").is(t, 417)
	c.json("/verification-actions-srv/setup/TOTP/verification", "exchange_id", exchange, "pass_code", p.totp(begun.at(t, "data", "totp_secret"))).is(t, 200)
	c.header = map[string][]string{"Access_token": {token.AccessToken}}
	c.do("GET", "/verification-actions-srv/config", "", "").is(t, 200)

	// In a login on a client's page: it continues with its track.
	w := v.user(t, false)
	d := newCaller(t, v.issuer)
	request := d.json("/authz-srv/authrequest/authz/generate", "client_id", "mall", "redirect_uri", shopRedirect, "response_type", "code", "scope", "openid",
		"state", random(16), "nonce", random(16), "code_challenge", oauth2.S256ChallengeFromVerifier(oauth2.GenerateVerifier()),
		"code_challenge_method", "S256").is(t, 200).at(t, "data", "requestId")
	track := d.json("/login-srv/login/sdk", "requestId", request, "username", w.name, "password", w.password).is(t, 417).at(t, "error", "track_id")
	d.do("GET", "/token-srv/prelogin/metadata/"+track, "", "").is(t, 200)
	enrolling := d.json("/verification-actions-srv/setup/totp/initiation/"+track).is(t, 200)
	d.json("/verification-actions-srv/setup/totp/verification", "exchange_id", enrolling.at(t, "data", "exchange_id", "exchange_id"),
		"pass_code", newPerson(t, v.issuer).totp(enrolling.at(t, "data", "totp_secret"))).is(t, 200)
}

func (v *vault) playCommands(t *testing.T) {
	u, w, x := v.user(t, true), v.user(t, false), v.user(t, false)
	typed, made := "a typed password "+random(6), "a made password "+random(6)
	v.tap.plant(typed, "password set by command")
	v.tap.plant(made, "password of a user made by command")
	settings := []string{"--config", v.config}
	run := func(args ...string) string { return v.command(t, append(args, settings...)...) }
	v.commandWith(t, typed+"\n", "user", "set-password", "--config", v.config, w.name)
	v.commandWith(t, made+"\n", "user", "create", "--config", v.config, "--username", "made", "--password-file", "-")
	for _, verb := range []string{"unlock", "reset-factors", "disable", "enable"} {
		args := []string{"user", verb, "--config", v.config, u.name}
		if verb == "reset-factors" {
			args = append(args, "--yes")
		}
		v.command(t, args...)
	}
	newPerson(t, v.issuer).open(v.issuer + "/account").signIn(x).at("/account")
	v.command(t, "session", "list", "--config", v.config, x.name)
	v.command(t, "session", "end-all", "--config", v.config, x.name)
	v.command(t, "user", "show", "--config", v.config, x.name)
	v.command(t, "user", "delete", "--yes", "--config", v.config, x.name)
	out := filepath.Join(filepath.Dir(v.config), "rotated")
	v.command(t, "client", "rotate-secret", "--config", v.config, "--out", out, "post")
	v.tap.plant(strings.TrimSpace(readFile(t, out)), "rotated client secret")
	v.command(t, "client", "rotate-secret", "--config", v.config, "--finish", "post")
	run("client", "list")
	v.command(t, "client", "show", "--config", v.config, "web")
	v.command(t, "apply", "--config", v.config, writeState(t, filepath.Dir(v.config), "clients:\n  - client_id: gone\n    client_secret: "+random(32)+
		"\n    grant_types: [client_credentials]\n    scopes: [reports]\n"))
	v.command(t, "client", "delete", "--yes", "--config", v.config, "gone")
	v.command(t, "keys", "rotate", "--config", v.config, "--use", "oidc", "--now")
	run("keys", "list")
	v.command(t, "config", "print", "--config", v.config)
	if v.engine == "sqlite" {
		v.command(t, "backup", "--config", v.config, filepath.Join(filepath.Dir(v.config), "copy"))
	}
	v.failing(t)
}

// failing runs commands that fail: they report the fault without their input.
func (v *vault) failing(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	text := readFile(t, v.config)
	password := random(16)
	v.tap.plant(password, "password of an unreachable database")
	lines := strings.Split(text, "dsn")
	unreachable := filepath.Join(dir, "unreachable.yaml")
	writeFile(t, unreachable, lines[0]+"dsn: \"postgres://sallyport:"+password+"@127.0.0.1:9/none?sslmode=disable\"\n")
	broken := filepath.Join(dir, "broken.yaml")
	writeFile(t, broken, lines[0]+"dsn: \"postgres://sallyport:"+password+"@127.0.0.1:port/none?sslmode=perhaps\"\n")
	state := writeState(t, dir, "clients:\n  - client_id: [\n    client_secret: "+password+"\n")
	short := writeState(t, dir, "clients:\n  - client_id: short\n    client_secret: {"+password+"}\nusers:\n  - username: a\n    password: ["+password+"]\n    totp_secret: "+password+"!\n")
	for _, args := range [][]string{
		{"serve", "--config", unreachable}, {"serve", "--config", broken}, {"config", "check", "--config", broken}, {"config", "print", "--config", broken},
		{"migrate", "--config", unreachable}, {"apply", "--config", v.config, state}, {"apply", "--config", v.config, short},
		{"apply", "--config", v.config, filepath.Join(filepath.Dir(v.config), "keys")}, {"serve", "--config", filepath.Join(filepath.Dir(v.config), "dsn")},
	} {
		out, _ := exec.Command(program, args...).CombinedOutput() // "config print" may even succeed
		if _, err := v.called.Write(out); err != nil || len(out) == 0 {
			t.Errorf("%q prints nothing: %v", args, err)
		}
	}
}
