package server_test

import (
	"context"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"sallyport/cmd/sallyport/server"
	"sallyport/cmd/sallyport/servertest"
	"sallyport/mfa/delivery/smtptest"
	"sallyport/web/webtest"
)

const forgottenState = `clients:
  - {client_id: own, public: true, headless_login: true, mfa: ALWAYS, consent: skip, redirect_uris: ["https://own.example/cb"], grant_types: [authorization_code], scopes: [openid]}
  - {client_id: shop, public: true, mfa: ALWAYS, consent: skip, client_uri: "https://shop.example/", redirect_uris: ["https://shop.example/cb"], grant_types: [authorization_code], scopes: [openid]}
users:
  - {username: vera, email: vera@example.com, email_verified: true, password: "a lighthouse at dusk", totp_secret: JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP}
  - {username: unpr, email: unpr@example.com, password: "a lighthouse at dusk"}
  - {username: mlss, password: "a lighthouse at dusk"}
  - {username: pwls, email: pwls@example.com, email_verified: true}
  - {username: dead, email: dead@example.com, email_verified: true, password: "a lighthouse at dusk", status: disabled}
  - {username: half, email: half@example.com, email_verified: true, password: "a lighthouse at dusk", status: pending}
`

// people are browsers in front of a server that sends mail.
type people struct {
	*server.Server
	t     *testing.T
	mail  *smtptest.Server
	clock *servertest.Clock // nil: not kept
}

func newPeople(t *testing.T, settings string) people {
	t.Helper()
	p := people{t: t, mail: smtptest.New(t, smtptest.Options{})}
	servertest.AppendSettings(t, settings, p.settings())
	servertest.Apply(t, settings, forgottenState)
	o := servertest.Options(t, settings, new(servertest.Clock))
	o.Log = slog.New(slog.DiscardHandler)
	p.Server = servertest.Open(t, o)
	return p
}

// settings are those for sending mail.
func (p people) settings() string {
	ca := filepath.Join(p.t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.mail.Certificate.Raw}), 0o600); err != nil {
		p.t.Fatal(err)
	}
	return fmt.Sprintf("mail: {host: %q, port: %d, ca_file: %q, from: no-reply@example.com}\n", p.mail.Host, p.mail.Port, ca)
}

// browser returns a new browser.
func (p people) browser() *webtest.Browser {
	return (&webtest.Fixture{T: p.t, Handler: p.Handler}).Browser()
}

// atLogin returns a browser at the sign-in of an application.
func (p people) atLogin() *webtest.Browser {
	b := p.browser()
	b.Get("/authorize?" + url.Values{"response_type": {"code"}, "client_id": {"shop"}, "redirect_uri": {"https://shop.example/cb"}, "scope": {"openid"}, "state": {"s"},
		"code_challenge": {webtest.Challenge(strings.Repeat("v", 43))}, "code_challenge_method": {"S256"}}.Encode())
	b.Must("/login", 200, "Forgot your password?")
	return b
}

// sending sends mail until the test ends.
func (p people) sending() {
	ctx, stop := context.WithCancel(p.t.Context())
	ended := make(chan error)
	go func() { ended <- p.Deliveries.Run(ctx) }()
	p.t.Cleanup(func() { stop(); <-ended })
}

var (
	linkIn = regexp.MustCompile(`https?://\S+/reset/\S+`)
	codeIn = regexp.MustCompile(`(?m)^([0-9]{8,9})\r?$`)
)

// nth waits for a mail, and returns its text.
func (p people) nth(n int) string {
	for len(p.mail.Mails()) < n {
		<-p.mail.Arrived()
	}
	return p.mail.Mails()[n-1].Text
}

// received waits for a mail, and returns its link, without the issuer, and its code.
func (p people) received(n int) (link, code, text string) {
	text = p.nth(n)
	link, code = linkIn.FindString(text), codeIn.FindString(text)
	if link == "" || code == "" {
		p.t.Fatalf("no link or no code in %s", text)
	}
	u, err := url.Parse(link)
	if err != nil {
		p.t.Fatal(err)
	}
	return u.Path, strings.TrimSpace(code), text
}

// From the sign-in page over a mail to a new password, in another browser: and only there.
func TestAForgottenPasswordIsReplacedByMail(t *testing.T) {
	servertest.OnBoth(t, func(t *testing.T, settings string) {
		p := newPeople(t, settings)
		p.sending()
		b := p.atLogin()
		b.Follow("forgot")
		b.Must("/forgot", 200, "Set a new password")
		action, form := b.Form(`id="forgot-submit"`)
		form.Set("username", "vera")
		r := httptest.NewRequest("POST", action, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Host = "evil.example"
		for _, name := range []string{"X-Forwarded-Host", "X-Forwarded-Server", "Forwarded"} {
			r.Header.Set(name, "host=evil.example")
		}
		b.Do(r)
		b.Must("/forgot/code", 200, "Look for our message")
		link, code, text := p.received(1)
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
		b.Submit("code-submit", "passcode", "0"+code)
		b.Must("/forgot/code", 422, "This code does not work")
		b.Submit("code-submit", "passcode", code[:3]+" "+code[3:6]+"-"+code[6:])
		b.Must(link, 200, "Choose a new password", "vera@example.com")

		other := p.browser()
		other.Get(link)
		other.Must(link, 200, "Choose a new password")
		other.Submit("reset-submit", "new", "seven ships at sea", "repeat", "seven ships")
		other.Must("/reset", 422, "are not the same")
		other.Submit("reset-submit", "new", "vera@example.com", "repeat", "vera@example.com")
		other.Must("/reset", 422)
		_, foreign := other.Form(`id="reset-submit"`)
		b.Post("/reset", foreign) // another browser's form
		b.Must("/reset", 403)
		other.Submit("reset-submit", "new", "seven ships at sea", "repeat", "seven ships at sea")
		other.Must("/password-changed", 200, "Your password is changed", "https://shop.example/")
		if s := other.Cookies; len(s) != 1 {
			t.Errorf("the other browser has cookies %v, want the binding cookie alone", s)
		}

		b.Get(link)
		b.Must(link, 410, "This link does not work any more", "Request another message")
		if strings.Contains(b.Page.Body.String(), "password-new") {
			t.Error("a used link shows a form")
		}
		b = p.atLogin()
		b.Submit("login-submit", "username", "vera", "password", "a lighthouse at dusk")
		b.Must("/login", 422)
		b.Submit("login-submit", "username", "vera", "password", "seven ships at sea")
		b.Must("/mfa", 200)
	})
}

// The browser that waits at the sign-in goes on there.
func TestACodeLeadsBackToTheSignInItCameFrom(t *testing.T) {
	settings, _, _ := servertest.NewInstallation(t)
	p := newPeople(t, settings)
	p.sending()
	b := p.atLogin()
	b.Follow("forgot")
	b.Submit("forgot-submit", "username", "Vera@Example.com")
	_, code, _ := p.received(1)
	b.Submit("code-submit", "passcode", code)
	b.Submit("reset-submit", "new", "seven ships at sea", "repeat", "seven ships at sea")
	b.Must("/password-changed", 200)
	b.Follow("onward")
	b.Must("/login", 200, "shop")
	b.Submit("login-submit", "username", "vera", "password", "seven ships at sea")
	b.Must("/mfa", 200)
}

var varying = regexp.MustCompile(`(nonce|value|data-pause|data-later|action|href)="[^"]*"|/static/[^"]*|<code id="support-id">[^<]*|<time[^>]*>[^<]*`)

// Response, statements and commits are the same whoever has the name, or nobody.
func TestForgottenPasswordsLookAlike(t *testing.T) {
	servertest.OnBoth(t, func(t *testing.T, settings string) {
		p := newPeople(t, settings)
		type seen struct {
			body                string
			status, length      int
			statements, commits int64
		}
		of := map[string]seen{}
		for _, name := range []string{"vera", "nope", "unpr", "mlss", "pwls", "dead", "half"} {
			for _, step := range []string{"forgot-submit", "code-submit"} {
				b := p.atLogin()
				b.Follow("forgot")
				if step == "code-submit" {
					b.Submit("forgot-submit", "username", "x"+name)
				}
				before := p.Store.Stats()
				if step == "code-submit" {
					action, form := b.Form(`id="code-submit"`)
					form.Set("username", name)
					form.Set("passcode", "123456789")
					b.Post(action, form)
				} else {
					b.Submit(step, "username", name)
				}
				after := p.Store.Stats()
				body := strings.ReplaceAll(varying.ReplaceAllString(b.Page.Body.String(), ""), name, "NAME")
				got := seen{body, b.Page.Code, b.Page.Body.Len(), after.Statements - before.Statements, after.Commits - before.Commits}
				if first, ok := of[step]; !ok {
					of[step] = got
				} else if got != first {
					t.Errorf("%s for %s: %d, %d bytes, %d statements, %d commits; want %d, %d, %d, %d\n%s", step, name, got.status, got.length, got.statements, got.commits,
						first.status, first.length, first.statements, first.commits, got.body)
				}
			}
		}
	})
}

// Where nothing can be sent, no page promises a message.
func TestWithoutMailThereIsNoReset(t *testing.T) {
	settings, _, _ := servertest.NewInstallation(t)
	servertest.Apply(t, settings, forgottenState)
	p := people{Server: servertest.Open(t, servertest.Options(t, settings, new(servertest.Clock))), t: t}
	b := p.browser()
	for _, at := range []string{"/forgot", "/reset/3824c700-7400-4000-8000-000000000000", "/password-changed"} {
		b.Get(at)
		b.Must(at, 404, "Passwords cannot be reset here")
	}
}

// The same by the calls of an application with pages of its own.
func TestAForgottenPasswordIsReplacedByCalls(t *testing.T) {
	settings, _, _ := servertest.NewInstallation(t)
	p := newPeople(t, settings)
	p.sending()
	id := callFrom(t, p.Server, "/api/login/v1/requests", ownerParams("own", "https://own.example"))["request_id"]
	call := func(path string, pairs ...any) map[string]any {
		members := map[string]any{"request_id": id, "identifier": "vera"}
		for i := 0; i < len(pairs); i += 2 {
			members[pairs[i].(string)] = pairs[i+1]
		}
		return callFrom(t, p.Server, "/api/login/v1"+path, members)
	}
	known := call("/password/forgot")
	if unknown := call("/password/forgot", "identifier", "nobody"); !reflect.DeepEqual(known, unknown) || known["step"] != "identify" {
		t.Errorf("known: %v, unknown: %v", known, unknown)
	}
	_, code, _ := p.received(1)
	for _, tc := range []struct{ name, code, password, want string }{
		{"nobody", code, "seven ships at sea", "invalid_passcode"},
		{"vera", "0" + code, "seven ships at sea", "invalid_passcode"},
		{"vera", code, "short", "password_too_short"},
		{"vera", code, "seven ships at sea", ""},
		{"vera", code, "eight ships at sea", "invalid_passcode"},
	} {
		got := call("/password/reset", "identifier", tc.name, "passcode", tc.code, "new_password", tc.password)
		if tc.want == "" && (got["step"] != "identify" || got["login_token"] != nil) || tc.want != "" && got["code"] != tc.want {
			t.Errorf("%v: %v", tc, got)
		}
	}
	if got := call("/password", "password", "seven ships at sea"); got["step"] != "verify" {
		t.Errorf("with the new password: %v", got)
	}
}
