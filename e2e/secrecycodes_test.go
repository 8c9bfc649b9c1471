package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// project is the project of the vault's API key for Stytch.
const project = "project-test-00000000-0000-4000-8000-000000000001"

// backends are the API keys of the vault.
func (v *vault) backends() string {
	v.keys = map[string]string{}
	var out strings.Builder
	out.WriteString("api_keys:\n")
	for _, dialect := range []string{"admin", "stytch", "streambird"} {
		v.keys[dialect] = random(32)
		v.tap.plant(v.keys[dialect], "API key of "+dialect)
		verbs, more := "[read, write]", ""
		switch dialect {
		case "admin":
			verbs = "[read]"
		case "stytch":
			more = ", project: " + project
		}
		fmt.Fprintf(&out, "  - {name: %s, dialects: [%s], verbs: %s, secret: %s%s}\n", dialect, dialect, verbs, v.keys[dialect], more)
	}
	return out.String()
}

// provide makes the server send its messages to an endpoint of the test.
func (v *vault) provide(t *testing.T) {
	t.Helper()
	v.stage.messages = newProvider(t, v.stage)
	for _, setting := range v.env {
		if name, file, _ := strings.Cut(setting, "="); name == "SALLYPORT_HOOK_SECRET_FILE" {
			v.tap.plant(strings.TrimSpace(readFile(t, filepath.Clean(file))), "secret of the hook")
		}
	}
}

// codeTo waits for the nth code to an address.
func (v *vault) codeTo(t *testing.T, address string, n int) string {
	t.Helper()
	return v.inMessage(t, "code", address, n)
}

// inMessage waits for the nth code or link to an address.
func (v *vault) inMessage(t *testing.T, what, address string, n int) string {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); <-tick.C {
		r, err := http.Get(v.stage.messages + "/" + what + "s?to=" + url.QueryEscape(address))
		if err != nil {
			t.Fatal(err)
		}
		var codes []string
		err = json.NewDecoder(r.Body).Decode(&codes)
		r.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if len(codes) >= n {
			value := codes[n-1][strings.LastIndexByte(codes[n-1], '/')+1:] // of a link its secret
			v.tap.plant(value, what+map[string]string{"code": " in a message", "link": " of a message"}[what])
			return value
		}
	}
	t.Fatalf("fewer than %d messages with a %s to %s", n, what, address)
	return ""
}

// playForgotten sets a new password by a code, and tries its link.
func (v *vault) playForgotten(t *testing.T) {
	u := v.user(t, false)
	a := newParty(t, v.stage, "bank", bankRedirect, "")
	p := newPerson(t, v.issuer).open(a.start())
	p.open(v.issuer+"/forgot?"+p.url.RawQuery).submit("forgot-submit", "username", u.name)
	code, link := v.codeTo(t, u.email, 1), v.inMessage(t, "link", u.email, 1)
	p.submit("code-submit", "passcode", another(code)).at("/forgot/code")
	p.submit("code-submit", "passcode", code).at("/reset/" + link)
	fresh := random(16)
	v.tap.plant(fresh, "password")
	p.submit("reset-submit", "new", fresh, "repeat", fresh).at("/password-changed")
	if p.open(v.issuer + "/reset/" + link); p.code != http.StatusGone {
		t.Errorf("a used link: %d", p.code)
	}
}

// playSentCodes enrols addresses on the hosted page and signs in with codes sent to them.
func (v *vault) playSentCodes(t *testing.T) {
	for i, method := range []string{"email", "sms"} {
		u := v.user(t, false)
		address := u.email
		if method == "sms" {
			address = fmt.Sprintf("+1415555300%d", i)
		}
		a := newParty(t, v.stage, "bank", bankRedirect, "")
		p := newPerson(t, v.issuer).open(a.start()).signIn(u).at("/enroll")
		p.submit("enroll-begin", "method", method).submit("enroll-send", "address", address)
		code := v.codeTo(t, address, 1)
		p.submit("enroll-submit", "passcode", another(code)).at("/enroll")
		p.submit("enroll-submit", "passcode", code).at("/recovery-codes")
		for _, code := range strings.Fields(p.has("recovery-codes")) {
			v.tap.plant(code, "recovery code of the login")
		}
		p.submit("recovery-done")
		a.tokens(p)
		b := newParty(t, v.stage, "bank", bankRedirect, "")
		p = newPerson(t, v.issuer).open(b.start()).signIn(u).at("/mfa").submit("mfa-send").at("/mfa")
		code = v.codeTo(t, address, 2)
		p.submit("mfa-submit", "passcode", another(code)).at("/mfa")
		p.submit("mfa-submit", "passcode", code)
		b.tokens(p)
	}
}

// dialect is what the calls of a backend are named.
type dialect struct {
	base                         string
	proveOTP, proveTOTP, recover string // paths
	otp, totp, duration          string // members
	authenticate, revoke, end    string // paths, and the verb
	create                       string // path
	phone                        string // member
}

// playBackends proves every kind of code by both dialects, wrongly and rightly, with sessions.
func (v *vault) playBackends(t *testing.T) {
	stytch, bird := newCaller(t, v.issuer), newCaller(t, v.issuer)
	stytch.header.Set("Authorization", basic(project, v.keys["stytch"]))
	bird.header.Set("Authorization", "Bearer "+v.keys["streambird"])
	v.playDialect(t, stytch, dialect{"/v1/", "otps/authenticate", "totps/authenticate", "totps/recover", "code", "totp_code", "session_duration_minutes",
		"sessions/authenticate", "sessions/revoke", http.MethodPost, "totps", "phone_id"})
	v.playDialect(t, bird, dialect{"/v1/auth/", "otps/verify", "totps/verify", "totps/recovery", "otp", "totp", "session_expires_in",
		"sessions/verify", "sessions/delete", http.MethodDelete, "totps/create", "phone_number_id"})
	anyone := newCaller(t, v.issuer)
	anyone.do(http.MethodGet, "/v1/auth/jwks/default?api_key="+v.keys["streambird"], "", "").is(t, http.StatusOK)
	anyone.do(http.MethodGet, "/v1/auth/jwks/default?api_key="+random(32), "", "").is(t, http.StatusUnauthorized)
	for _, header := range []string{basic(project, random(32)), "Bearer " + random(32)} {
		anyone.header.Set("Authorization", header)
		anyone.json("/v1/users/search").is(t, http.StatusUnauthorized)
		anyone.json("/v1/auth/users/search").is(t, http.StatusUnauthorized)
	}
}

func (v *vault) playDialect(t *testing.T, c *caller, d dialect) {
	t.Helper()
	var user string
	for _, kind := range []string{"email", "sms"} {
		member, id, address := "email", "email_id", random(4)+"@example.com"
		if kind == "sms" {
			member, id, address = "phone_number", d.phone, fmt.Sprintf("+1415555%d", 4000+len(d.base))
		}
		sent := c.json(d.base+"otps/"+kind+"/login_or_create", member, address).is(t, http.StatusOK)
		code := v.codeTo(t, address, 1)
		c.json(d.base+d.proveOTP, "method_id", sent.at(t, id), d.otp, another(code))
		got := c.post(d.base+d.proveOTP, map[string]any{"method_id": sent.at(t, id), d.otp: code, d.duration: 60}).is(t, http.StatusOK)
		c.json(d.base+d.authenticate, "session_jwt", got.at(t, "session_jwt")).is(t, http.StatusOK)
		user = got.at(t, "user_id")
	}
	made := c.json(d.base+d.create, "user_id", user).is(t, http.StatusOK)
	code := newPerson(t, v.issuer).totp(made.at(t, "secret"))
	c.json(d.base+d.proveTOTP, "user_id", user, d.totp, another(code))
	got := c.post(d.base+d.proveTOTP, map[string]any{"user_id": user, d.totp: code, d.duration: 60}).is(t, http.StatusOK)
	var held struct {
		Codes []string `json:"recovery_codes"`
	}
	made.into(t, &held)
	c.json(d.base+"totps/recovery_codes", "user_id", user).is(t, http.StatusOK)
	c.json(d.base+d.recover, "user_id", user, "recovery_code", held.Codes[0], "session_token", got.at(t, "session_token")).is(t, http.StatusOK)
	c.json(d.base+d.recover, "user_id", user, "recovery_code", held.Codes[0])
	c.json(d.base+d.authenticate, "session_token", got.at(t, "session_token")).is(t, http.StatusOK)
	c.json(d.base+d.authenticate, "session_token", random(32))
	for _, sealed := range []string{got.at(t, "session_jwt"), got.at(t, "session_jwt") + "x"} {
		c.send(d.end, d.base+d.revoke, map[string]string{"session_jwt": sealed})
		c.json(d.base+d.authenticate, "session_jwt", sealed).is(t, http.StatusNotFound)
	}
	c.json(d.base+d.authenticate, "session_token", got.at(t, "session_token")).is(t, http.StatusNotFound)
}
