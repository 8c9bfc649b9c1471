package server_test

import (
	"context"
	"log/slog"
	"maps"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"sallyport/cmd/sallyport/servertest"
	"sallyport/mfa/delivery/smtptest"
	"sallyport/storage"
	"sallyport/web/webtest"
)

const signUpState = `clients:
  - {client_id: shop, public: true, mfa: "OFF", consent: skip, client_uri: "https://shop.example/", redirect_uris: ["https://shop.example/cb"], grant_types: [authorization_code], scopes: [openid], signup_required: [given_name], signup_optional: [birthdate]}
  - {client_id: bank, public: true, mfa: ALWAYS, consent: skip, redirect_uris: ["https://bank.example/cb"], grant_types: [authorization_code], scopes: [openid]}
  - {client_id: club, public: true, mfa: "OFF", consent: skip, redirect_uris: ["https://club.example/cb"], grant_types: [authorization_code], scopes: [openid], signup: invited}
  - {client_id: shut, public: true, mfa: "OFF", consent: skip, redirect_uris: ["https://shut.example/cb"], grant_types: [authorization_code], scopes: [openid], signup: "off"}
users:
  - {username: prvn, email: prvn@example.com, email_verified: true, password: "a lighthouse at dusk"}
  - {username: unpr, email: unpr@example.com, password: "a lighthouse at dusk"}
  - {username: dead, email: dead@example.com, email_verified: true, password: "a lighthouse at dusk", status: disabled}
  - {email: half@example.com, password: "a parked password", totp_secret: JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP, phone_number: "+14152222222", roles: [member], status: pending}
`

// newcomers are browsers in front of a server on which people can sign up.
func newcomers(t *testing.T, settings string) people {
	t.Helper()
	p := people{t: t, mail: smtptest.New(t, smtptest.Options{})}
	servertest.AppendSettings(t, settings, p.settings()+"signup: open\nterms: {url: \"https://harbour.example/terms\", version: \"2026-01\"}\n")
	servertest.Apply(t, settings, signUpState)
	p.clock = new(servertest.Clock)
	o := servertest.Options(t, settings, p.clock)
	o.Log = slog.New(slog.DiscardHandler)
	p.Server = servertest.Open(t, o)
	return p
}

// at returns a browser at the sign-in of a client.
func (p people) at(client string, pairs ...string) *webtest.Browser {
	b := p.browser()
	in := url.Values{"response_type": {"code"}, "client_id": {client}, "redirect_uri": {"https://" + client + ".example/cb"}, "scope": {"openid"}, "state": {"s"},
		"code_challenge": {webtest.Challenge(strings.Repeat("v", 43))}, "code_challenge_method": {"S256"}}
	for i := 0; i < len(pairs); i += 2 {
		in.Set(pairs[i], pairs[i+1])
	}
	b.Get("/authorize?" + in.Encode())
	return b
}

// ask goes from the sign-in to the message for an address.
func (p people) ask(b *webtest.Browser, address string) {
	p.t.Helper()
	b.Must("/login", 200, "Create an account")
	b.Follow("signup")
	b.Must("/signup", 200)
	b.Submit("signup-submit", "email", address)
	b.Must("/signup/code", 200, "Look into your mail")
}

var signUpLink = regexp.MustCompile(`https?://\S+(/signup/\S+)`)

// welcomed waits for the nth mail, and returns its link and its code.
func (p people) welcomed(n int) (link, code, text string) {
	p.t.Helper()
	text = p.nth(n)
	m, code := signUpLink.FindStringSubmatch(text), codeIn.FindString(text)
	if m == nil || code == "" {
		p.t.Fatalf("no link or no code in %s", text)
	}
	return strings.TrimSpace(m[1]), strings.TrimSpace(code), text
}

func (p people) account(name string) storage.Account {
	p.t.Helper()
	a, err := p.Store.AccountByIdentifier(context.Background(), name, time.Now())
	if err != nil {
		p.t.Fatalf("%s: %v", name, err)
	}
	return a
}

// From the sign-in of an application over a mail to its callback; scanners, a forged host, faults.
func TestAPersonSignsUpInAnApplication(t *testing.T) {
	servertest.OnBoth(t, func(t *testing.T, settings string) {
		p := newcomers(t, settings)
		p.sending()
		b := p.at("shop")
		b.Follow("signup")
		b.Submit("signup-submit", "email", "not an address")
		b.Must("/signup", 422)
		action, form := b.Form(`id="signup-submit"`)
		form.Set("email", "New@Example.com")
		r := httptest.NewRequest("POST", action, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Host = "evil.example"
		for _, name := range []string{"X-Forwarded-Host", "X-Forwarded-Server", "Forwarded"} {
			r.Header.Set(name, "host=evil.example")
		}
		b.Do(r)
		b.Must("/signup/code", 200, "Look into your mail")
		link, code, text := p.welcomed(1)
		if strings.Contains(text, "evil") {
			t.Errorf("the mail holds a forged host: %s", text)
		}
		scanner := httptest.NewRecorder()
		for _, method := range []string{"HEAD", "GET", "GET", "HEAD"} {
			p.Handler.ServeHTTP(scanner, httptest.NewRequest(method, link, nil))
		}
		if scanner.Code != 200 || scanner.Header().Get("Referrer-Policy") != "no-referrer" || scanner.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("a scanner got %d with %v", scanner.Code, scanner.Header())
		}
		if _, err := p.Store.AccountByIdentifier(t.Context(), "new@example.com", time.Now()); err == nil {
			t.Error("there is a user before the proof")
		}
		b.Submit("code-submit", "passcode", "0"+code)
		b.Must("/signup/code", 422, "This code does not work")
		b.Submit("code-submit", "passcode", code[:4]+" "+code[4:])
		b.Must(link, 200, "new@example.com", "First name", "https://harbour.example/terms")
		good := func(pairs ...string) []string {
			return append([]string{"new", "seven ships at sea", "repeat", "seven ships at sea", "given_name", " Ada ", "birthdate", "1815-12-10", "terms", "2026-01"}, pairs...)
		}
		for _, wrong := range [][]string{{"given_name", ""}, {"given_name", "a\u202eb"}, {"birthdate", "1815-13-10"}, {"terms", "-"}, {"terms", "2025-01"}, {"repeat", "x"}, {"new", "short", "repeat", "short"}, {"new", "new@example.com", "repeat", "new@example.com"}} {
			b.Submit("create-submit", good(wrong...)...)
			b.Must("/signup/create", 422, `class="alert"`)
		}
		b.Submit("create-submit", good()...)
		if !strings.HasPrefix(b.Left, "https://shop.example/cb?code=") {
			t.Fatalf("at %s, left to %q: %s", b.At, b.Left, b.Page.Body)
		}
		a := p.account("new@example.com")
		if a.User.Status != storage.UserActive || a.Identifiers[0].VerifiedAt.IsZero() || a.User.Profile["given_name"] != "Ada" || a.User.Profile["birthdate"] != "1815-12-10" ||
			a.User.Terms.Version != "2026-01" || a.User.Terms.AcceptedAt.IsZero() {
			t.Errorf("the user is %+v", a)
		}
		b.Get(link)
		b.Must(link, 410, "This link does not work any more")
	})
}

// In another browser, and in that of somebody who was sent a link, nobody is signed in.
func TestALinkSignsInTheBrowserThatBeganAlone(t *testing.T) {
	servertest.OnBoth(t, func(t *testing.T, settings string) {
		p := newcomers(t, settings)
		p.sending()
		p.ask(p.at("bank"), "one@example.com")
		link, _, _ := p.welcomed(1)
		other := p.browser()
		other.Get(link)
		other.Submit("create-submit", "new", "seven ships at sea", "repeat", "seven ships at sea", "terms", "2026-01")
		other.Must("/signed-up", 200, "Your account is created")
		if len(other.Cookies) != 1 {
			t.Errorf("the other browser has cookies %v, want the binding cookie alone", other.Cookies)
		}
		// The attacker asks for their own address in the login of the victim, whom they send the link.
		victim, attacker := p.at("bank"), p.browser()
		attacker.Get(strings.Replace(victim.URL, "/login", "/signup", 1))
		attacker.Must("/signup", 200)
		attacker.Submit("signup-submit", "email", "mallory@example.com")
		link, _, _ = p.welcomed(2)
		victim.Get(link)
		victim.Submit("create-submit", "new", "seven ships at sea", "repeat", "seven ships at sea", "terms", "2026-01")
		victim.Must("/signed-up", 200)
		victim.Follow("onward")
		victim.Must("/login", 200)
		_ = victim
	})
}

// A second factor is asked for as policy says, and the login that goes on is that of the browser.
func TestASignUpIsTheFirstFactorAlone(t *testing.T) {
	settings, _, _ := servertest.NewInstallation(t)
	p := newcomers(t, settings)
	p.sending()
	b := p.at("bank")
	p.ask(b, "one@example.com")
	link, _, _ := p.welcomed(1)
	b.Get(link)
	b.Submit("create-submit", "new", "seven ships at sea", "repeat", "seven ships at sea", "terms", "2026-01")
	b.Must("/enroll", 200)
}

// Nobody waits in an account for its owner: what was set up for a pending user ends with the proof.
func TestTheProofOfAnAddressEndsWhatWasBefore(t *testing.T) {
	servertest.OnBoth(t, func(t *testing.T, settings string) {
		p := newcomers(t, settings)
		p.sending()
		before := p.account("half@example.com")
		p.ask(p.at("shop"), "half@example.com")
		link, _, _ := p.welcomed(1)
		b := p.browser()
		b.Get(link)
		b.Submit("create-submit", "new", "seven ships at sea", "repeat", "seven ships at sea", "terms", "2026-01", "given_name", "Ada")
		b.Must("/signed-up", 200)
		a := p.account("half@example.com")
		if a.User.ID != before.User.ID || a.User.Status != storage.UserActive || len(a.User.Roles) != 1 || len(a.Identifiers) != 1 || a.Identifiers[0].VerifiedAt.IsZero() ||
			len(a.Authenticators) != 1 || a.Authenticators[0].Method != "password" || a.Authenticators[0].ID == before.Authenticators[0].ID {
			t.Errorf("the user is %+v", a)
		}
		b = p.at("shop")
		b.Submit("login-submit", "username", "half@example.com", "password", "a parked password")
		b.Must("/login", 422)
		b.Submit("login-submit", "username", "half@example.com", "password", "seven ships at sea")
		if !strings.HasPrefix(b.Left, "https://shop.example/cb?code=") {
			t.Errorf("left to %q", b.Left)
		}
		// A claim that nobody has proven gives way; the account keeps its user name.
		p.ask(p.at("bank"), "unpr@example.com")
		link, _, _ = p.welcomed(2)
		b = p.browser()
		b.Get(link)
		b.Submit("create-submit", "new", "seven ships at sea", "repeat", "seven ships at sea", "terms", "2026-01")
		b.Must("/signed-up", 200)
		if claim := p.account("unpr"); len(claim.Identifiers) != 1 || claim.User.ID == p.account("unpr@example.com").User.ID {
			t.Errorf("the claim is %+v", claim)
		}
	})
}

// Whoever has an account is told by mail, and the page says the same to all, at the same cost.
func TestSignUpsLookAlike(t *testing.T) {
	servertest.OnBoth(t, func(t *testing.T, settings string) {
		p := newcomers(t, settings)
		type seen struct {
			body                string
			status              int
			statements, commits int64
		}
		of := map[string]seen{}
		for _, name := range []string{"newc", "prvn", "unpr", "dead", "half"} {
			for _, step := range []string{"signup-submit", "code-submit"} {
				b := p.at("shop")
				b.Follow("signup")
				if step == "code-submit" {
					b.Submit("signup-submit", "email", "x"+name+"@example.com")
				}
				action, form := b.Form(`id="` + step + `"`)
				form.Set("email", name+"@example.com")
				form.Set("passcode", "123456789")
				before := p.Store.Stats()
				b.Post(action, form)
				after := p.Store.Stats()
				body := strings.ReplaceAll(varying.ReplaceAllString(b.Page.Body.String(), ""), name, "NAME")
				got := seen{body, b.Page.Code, after.Statements - before.Statements, after.Commits - before.Commits}
				if first, ok := of[step]; !ok {
					of[step] = got
				} else if got != first {
					t.Errorf("%s for %s: %+v, want %+v", step, name, got, first)
				}
			}
		}
		p.sending()
		p.nth(10)
		got := map[string]bool{} // whether the mail has a link
		for _, m := range p.mail.Mails() {
			got[m.To] = signUpLink.MatchString(m.Text)
			if told := strings.Contains(m.Text, "You already have one"); told == got[m.To] {
				t.Errorf("the mail to %s says that there is an account: %t, and has a link: %t", m.To, told, got[m.To])
			}
		}
		want := map[string]bool{"prvn@example.com": false, "dead@example.com": false, "newc@example.com": true, "unpr@example.com": true, "half@example.com": true}
		for _, name := range []string{"newc", "prvn", "unpr", "dead", "half"} {
			want["x"+name+"@example.com"] = true // nobody's
		}
		if !maps.Equal(got, want) {
			t.Errorf("links = %v, want %v", got, want)
		}
	})
}

// signup: invited lets pending users in and tells nobody else; off has no link and no page.
func TestWhoMaySignUp(t *testing.T) {
	settings, _, _ := servertest.NewInstallation(t)
	p := newcomers(t, settings)
	p.sending()
	p.ask(p.at("club"), "stranger@example.com")
	p.ask(p.at("club"), "half@example.com")
	link, _, text := p.welcomed(1)
	if strings.Contains(text, "stranger@") {
		t.Fatalf("a stranger was invited: %s", text)
	}
	b := p.browser()
	b.Get(link)
	b.Must(link, 200)
	b = p.at("shut")
	if strings.Contains(b.Page.Body.String(), "/signup") {
		t.Error("the sign-in offers what is off")
	}
	login := b.URL
	for _, path := range []string{"/signup", "/signup/code", "/signup/create"} {
		b.Get(strings.Replace(login, "/login", path, 1))
		b.Must(path, 404, "You cannot create an account here")
	}
}

// Sixteen people with four links for one address at once: one account, one winner.
func TestRacingSignUpsOfOneAddress(t *testing.T) {
	servertest.OnBoth(t, func(t *testing.T, settings string) {
		p := newcomers(t, settings)
		p.sending()
		p.ask(p.at("bank"), "one@example.com")
		link, _, _ := p.welcomed(1)
		type try struct {
			b      *webtest.Browser
			action string
			form   url.Values
		}
		var tries []try
		for range 8 {
			b := p.browser()
			b.Get(link)
			action, form := b.Form(`id="create-submit"`)
			form.Set("new", "seven ships at sea")
			form.Set("repeat", "seven ships at sea")
			form.Set("terms", "2026-01")
			tries = append(tries, try{b, action, form})
		}
		ended := make(chan string)
		for _, x := range tries {
			go func() { x.b.Post(x.action, x.form); ended <- x.b.At }()
		}
		won := 0
		for range tries {
			if <-ended == "/signed-up" {
				won++
			}
		}
		if won != 1 {
			t.Errorf("%d of 8 won, want 1", won)
		}
	})
}

// prompt=create (Initiating User Registration via OpenID Connect 1.0) leads to the page for an account,
// and from there back to the application; where nobody can sign up it is refused.
func TestAnApplicationSendsPeopleToSignUp(t *testing.T) {
	servertest.OnBoth(t, func(t *testing.T, settings string) {
		p := newcomers(t, settings)
		p.sending()
		if got := string(p.Provider.Discovery().Body); !strings.Contains(got, `"prompt_values_supported":["none","login","consent","select_account","create"]`) {
			t.Errorf("discovery: %s", got)
		}
		b := p.at("bank", "prompt", "create", "login_hint", "new@example.com")
		b.Must("/signup", 200)
		b.Submit("signup-submit", "email", "new@example.com")
		link, _, _ := p.welcomed(1)
		b.Get(link)
		b.Submit("create-submit", "new", "seven ships at sea", "repeat", "seven ships at sea", "terms", "2026-01")
		b.Must("/enroll", 200) // the bank always demands a second factor
		for client, prompt := range map[string]string{"shut": "create", "shop": "none create"} {
			b = p.at(client, "prompt", prompt)
			if u, err := url.Parse(b.Left); err != nil || u.Query().Get("error") != "invalid_request" {
				t.Errorf("%s with %q: at %s, left to %q", client, prompt, b.At, b.Left)
			}
		}
		// Who is signed in wants another account all the same.
		b = p.at("shop")
		b.Submit("login-submit", "username", "prvn", "password", "a lighthouse at dusk")
		b.Get("/authorize?" + url.Values{"response_type": {"code"}, "client_id": {"shop"}, "redirect_uri": {"https://shop.example/cb"}, "scope": {"openid"}, "state": {"s"},
			"prompt": {"create"}, "code_challenge": {webtest.Challenge(strings.Repeat("v", 43))}, "code_challenge_method": {"S256"}}.Encode())
		b.Must("/signup", 200)
	})
}
