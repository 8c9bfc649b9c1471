package login

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/enrollcode"
	"sallyport/mfa/exchange"
	"sallyport/mfa/passcode"
	"sallyport/mfa/recovery"
	"sallyport/provider"
	"sallyport/storage"
	"sallyport/storage/storagetest"
	"sallyport/web"
	"sallyport/web/page"
	"sallyport/web/signin"
)

const issuer = "https://login.example"

var t0 = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)

// demanded is a login of a user whose factors were reset.
func demanded(call signin.Call) signin.Call {
	call.Step.Account = &storage.Account{Authenticators: []storage.Authenticator{{Method: enrollcode.Name, State: storage.AuthenticatorActive}}}
	return call
}

// sample is one page in one state.
type sample struct {
	name string
	show func(p *Pages, c *gin.Context, call signin.Call)
	ids  []string // that tests and operators may rely on
	code int
}

func picture(t testing.TB) []byte {
	t.Helper()
	m := image.NewGray(image.Rect(0, 0, 33, 33))
	for i := range m.Pix {
		m.Pix[i] = uint8(i*7919%5/3) * 255
	}
	m.Set(0, 0, color.Black)
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func samples(t testing.TB) []sample {
	t.Helper()
	secret := "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	enrolling := exchange.Enrolling{Exchange: "e-1", Method: "totp", Handout: mfa.Handout{Secret: secret,
		URI: "otpauth://totp/Sallyport:ada@example.org?secret=" + secret + "&issuer=Sallyport", QR: picture(t)}}
	creating := exchange.Enrolling{Exchange: "e-1", Method: "passkey", Handout: mfa.Handout{Options: []byte(`{"challenge":"<&\"'>"}`)}}
	wrong := func(code mfa.Code, show func(p *Pages, c *gin.Context, call signin.Call, code int, a *page.Alert)) func(p *Pages, c *gin.Context, call signin.Call) {
		return func(p *Pages, c *gin.Context, call signin.Call) {
			p.retry(c, call, &mfa.Error{Code: code, RetryAfter: 90 * time.Second}, func(code int, a *page.Alert) { show(p, c, call, code, a) })
		}
	}
	showLogin := func(p *Pages, c *gin.Context, call signin.Call, code int, a *page.Alert) {
		call.Step.Request.Subject = ""
		p.showLogin(c, call, code, "ada", a)
	}
	showMFA := func(p *Pages, c *gin.Context, call signin.Call, code int, a *page.Alert) {
		p.showMFA(c, call, code, mfaPage{Exchange: "e-1"}, exchange.Choice{Method: "totp"}, a)
	}
	login := []string{"login-form", "username", "password", "login-submit", "cancel"}
	second := []string{"mfa-form", "passcode", "mfa-submit", "restart", "cancel"}
	failed := []string{"error"}
	sent := []string{"sending", "send-again"}
	showSent := func(p *Pages, c *gin.Context, call signin.Call, state exchange.Delivery) {
		call.Step.Options = append(call.Step.Options, exchange.Option{Method: "email", Authenticator: "c", Address: "a•••a@example.org", Info: mfa.Info{Typed: true, Numeric: true, Sends: true}})
		d := mfaPage{Sending: page.Sending{State: exchange.DeliverySending, Pause: 30}}
		if d.State = state; state != "" {
			d.Exchange = "e-1"
		}
		p.showMFA(c, call, 200, d, exchange.Choice{Method: "email"}, nil)
	}
	showCode := func(p *Pages, c *gin.Context, call signin.Call, code int, a *page.Alert) {
		call.Step.Request.Subject = ""
		p.showCode(c, call, code, codePage{}, exchange.Sent{Exchange: "e-1", Method: "email", Identifier: "ada@example.org", Pause: 30 * time.Second}, a)
	}
	return []sample{
		{"login", func(p *Pages, c *gin.Context, call signin.Call) {
			call.Step.Request.Subject = ""
			p.showLogin(c, call, 200, "", nil)
		}, login, 200},
		{"login-again", func(p *Pages, c *gin.Context, call signin.Call) { p.showLogin(c, call, 200, "ada@example.org", nil) }, append(login, "restart"), 200},
		{"login-wrong", wrong(mfa.InvalidCredentials, showLogin), append(failed, login...), 422},
		{"login-wait", wrong(mfa.TooMany, showLogin), append(failed, login...), 429},
		{"mfa", func(p *Pages, c *gin.Context, call signin.Call) {
			p.showMFA(c, call, 200, mfaPage{}, exchange.Choice{}, nil)
		}, append(second, "method-recovery"), 200},
		{"mfa-recovery", func(p *Pages, c *gin.Context, call signin.Call) {
			p.showMFA(c, call, 200, mfaPage{}, exchange.Choice{Method: "recovery"}, nil)
		}, append(second, "method-totp"), 200},
		{"mfa-wrong", wrong(mfa.InvalidPasscode, showMFA), append(failed, second...), 422},
		{"mfa-none", func(p *Pages, c *gin.Context, call signin.Call) {
			call.Step.Options = nil
			p.showMFA(c, call, 200, mfaPage{}, exchange.Choice{}, nil)
		}, append(failed, "cancel", "restart"), 403},
		{"mfa-recovery-wrong", wrong(mfa.InvalidPasscode, func(p *Pages, c *gin.Context, call signin.Call, code int, a *page.Alert) {
			p.showMFA(c, call, code, mfaPage{}, exchange.Choice{Method: "recovery"}, a)
		}), append(failed, second...), 422},
		{"enroll", func(p *Pages, c *gin.Context, call signin.Call) { p.showEnroll(c, call, 200, enrollPage{}, nil) }, []string{"enroll-begin", "cancel"}, 200},
		{"enroll-choice", func(p *Pages, c *gin.Context, call signin.Call) {
			call.Step.Verdict.Methods = []string{"totp", "sms"}
			p.showEnroll(c, call, 200, enrollPage{}, nil)
		}, []string{"enroll-begin", "method-totp", "method-sms"}, 200},
		{"enroll-demand", func(p *Pages, c *gin.Context, call signin.Call) {
			p.showEnroll(c, demanded(call), 200, enrollPage{}, nil)
		}, []string{"demand-form", "enrollment-code", "demand-submit", "cancel"}, 200},
		{"enroll-demand-wrong", wrong(mfa.InvalidPasscode, func(p *Pages, c *gin.Context, call signin.Call, code int, a *page.Alert) {
			p.showEnroll(c, demanded(call), code, enrollPage{}, a)
		}), append(failed, "enrollment-code", "demand-submit"), 422},
		{"enroll-begun", func(p *Pages, c *gin.Context, call signin.Call) {
			p.showEnroll(c, call, 200, enrollPageOf(enrolling), nil)
		},
			[]string{"enroll-qr", "enroll-secret", "enroll-open", "passcode", "enroll-submit", "cancel"}, 200},
		{"enroll-wrong", wrong(mfa.InvalidPasscode, func(p *Pages, c *gin.Context, call signin.Call, code int, a *page.Alert) {
			p.showEnroll(c, call, code, enrollPageOf(enrolling), a)
		}), append(failed, "enroll-qr", "enroll-secret", "enroll-submit"), 422},
		{"mfa-send", func(p *Pages, c *gin.Context, call signin.Call) { showSent(p, c, call, "") }, []string{"mfa-send", "method-totp", "restart", "cancel"}, 200},
		{"mfa-sending", func(p *Pages, c *gin.Context, call signin.Call) { showSent(p, c, call, exchange.DeliverySending) }, append(second, sent...), 200},
		{"mfa-sent", func(p *Pages, c *gin.Context, call signin.Call) { showSent(p, c, call, exchange.DeliverySent) }, append(second, sent...), 200},
		{"mfa-undelivered", func(p *Pages, c *gin.Context, call signin.Call) { showSent(p, c, call, exchange.DeliveryFailed) }, append(second, sent...), 200},
		{"code", func(p *Pages, c *gin.Context, call signin.Call) { showCode(p, c, call, 200, nil) },
			[]string{"code-form", "passcode", "code-submit", "sending", "send-again", "code-name", "code-other-name", "code-password", "cancel"}, 200},
		{"code-wrong", wrong(mfa.InvalidPasscode, showCode), append(failed, "code-form", "passcode", "code-submit", "send-again"), 422},
		{"code-ended", func(p *Pages, c *gin.Context, call signin.Call) {
			p.retry(c, call, &mfa.Error{Code: mfa.InvalidExchange}, func(code int, a *page.Alert) {
				call.Step.Request.Subject = ""
				p.showCode(c, call, code, codePage{Username: "ada", Method: "email"}, exchange.Sent{}, a)
			})
		}, append(failed, "code-begin", "code-password", "cancel"), 409},
		{"enroll-address", func(p *Pages, c *gin.Context, call signin.Call) {
			call.Step.Verdict.Methods = []string{"email"}
			p.showEnroll(c, call, 200, enrollPage{}, nil)
		}, []string{"enroll-send", "address", "cancel"}, 200},
		{"enroll-not-an-address", wrong(mfa.InvalidIdentifier, func(p *Pages, c *gin.Context, call signin.Call, code int, a *page.Alert) {
			call.Step.Verdict.Methods = []string{"totp", "email"}
			d := enrollPage{Method: "email", Chosen: true}
			d.Address = "ada"
			p.showEnroll(c, call, code, d, a)
		}), append(failed, "enroll-send", "address", "enroll-back"), 422},
		{"enroll-sending", func(p *Pages, c *gin.Context, call signin.Call) {
			call.Step.Verdict.Methods = []string{"email"}
			d := enrollPageOf(exchange.Enrolling{Exchange: "e-1", Method: "email", Address: "ada@example.org"})
			d.Sending = page.Sending{To: "ada@example.org", State: exchange.DeliverySending, Pause: 30}
			p.showEnroll(c, call, 200, d, nil)
		}, append(sent, "enroll-correct", "passcode", "enroll-submit"), 200},
		{"enroll-passkey", func(p *Pages, c *gin.Context, call signin.Call) {
			call.Step.Verdict.Methods = []string{"totp", "passkey"}
			p.showEnroll(c, call, 200, enrollPageOf(creating), nil)
		}, []string{"enroll-form", "enroll-ask", "enroll-back"}, 200},
		{"offer", func(p *Pages, c *gin.Context, call signin.Call) { p.showOffer(c, call, 200, offerPage{}, nil) }, []string{"offer-create", "offer-decline", "cancel"}, 200},
		{"offer-begun", func(p *Pages, c *gin.Context, call signin.Call) {
			p.showOffer(c, call, 200, offerPage{page.HandoutOf(creating)}, nil)
		}, []string{"offer-ask", "offer-decline", "cancel"}, 200},
		{"recovery", func(p *Pages, c *gin.Context, call signin.Call) {
			p.showRecovery(c, call, strings.Fields(strings.Repeat("7QK3MX-R2ZPLD-WB5TN4-HGVCYA ", 10)))
		}, []string{"recovery-codes", "recovery-copy", "recovery-download", "recovery-print", "recovery-done"}, 200},
		{"consent", func(p *Pages, c *gin.Context, call signin.Call) {
			p.look.Write(c, 200, "consent", p.page(c, call, consentPage{
				Asked: []provider.Asked{{Scope: "openid", Required: true}, {Scope: "email"}, {Scope: "offline_access", LeftOut: true}, {Scope: "orders.read"}},
				Kept:  []string{"profile"}, Resources: []string{"https://api.example/orders", "urn:example:<stock>"}, Lasting: true, Unvetted: true, Described: "https://editor.example/client.json", Destination: provider.Destination{Host: "xn--pple-43d.com", Unicode: "\u0430pple.com"}}))
		}, []string{"consent-allow", "consent-deny", "restart"}, 200},
		{"logout", func(p *Pages, c *gin.Context, call signin.Call) {
			p.askLogout(c, signin.Call{}, provider.Params{Query: map[string][]string{"state": {"<s>"}}})
		}, []string{"logout-page", "logout-confirm", "stay"}, 200},
		{"logout-fault", func(p *Pages, c *gin.Context, call signin.Call) {
			p.look.Write(c, 400, "logout", p.page(c, signin.Call{}, logoutPage{Fault: "invalid_request: post_logout_redirect_uri the address is not registered"}))
		}, append(failed, "logout-page", "logout-confirm"), 400},
		{"logged-out", func(p *Pages, c *gin.Context, call signin.Call) { p.loggedOut(c) }, []string{"logged-out", "again"}, 200},
		{"front", func(p *Pages, c *gin.Context, call signin.Call) { p.front(c) }, []string{"front", "account"}, 200},
		{"oauth-error", func(p *Pages, c *gin.Context, call signin.Call) {
			p.look.Write(c, 400, "oauth_error", p.page(c, signin.Call{}, describe(&provider.PageError{Code: "invalid_request", Parameter: "redirect_uri", Description: "is not registered for this client"})))
		}, []string{"oauth-error", "support-id", "account"}, 400},
		{"over", func(p *Pages, c *gin.Context, call signin.Call) { p.fail(c, call, &mfa.Error{Code: mfa.RequestOver}) }, append(failed, "home"), 410},
		{"unknown", func(p *Pages, c *gin.Context, call signin.Call) {
			p.fail(c, signin.Call{Caller: web.Caller(c)}, &mfa.Error{Code: mfa.UnknownRequest})
		}, append(failed, "account"), 400},
		{"stale", func(p *Pages, c *gin.Context, call signin.Call) { p.foreign(c) }, append(failed, "onward"), 403},
		{"broken", func(p *Pages, c *gin.Context, call signin.Call) { p.fail(c, call, http.ErrServerClosed) }, append(failed, "onward"), 500},
		{"not-found", func(p *Pages, c *gin.Context, call signin.Call) { p.Refusal(c, web.Fault{Status: 404}) }, failed, 404},
		{"form-post", func(p *Pages, c *gin.Context, call signin.Call) {
			p.answer(c, call, provider.Answer{FormPost: &provider.FormPost{Action: "https://app.example/cb?a=1",
				Fields: [][2]string{{"code", "c-1"}, {"state", `"><script>`}}}})
		}, []string{"form-post", "form-post-submit"}, 200},
	}
}

// show mounts every sample under its name, seen from the middle of a login.
type show struct {
	pages   *Pages
	samples []sample
}

func (s show) Mount(r gin.IRouter) {
	info := mfa.Info{Typed: true, Numeric: true}
	for _, x := range s.samples {
		r.GET("/show/"+x.name, func(c *gin.Context) {
			call := signin.Call{Caller: web.Caller(c)}
			call.Step = provider.Step{Request: storage.AuthRequest{ID: "r-1", Subject: "u-1"}, LoginHint: "ada@example.org",
				Client: storage.Client{ID: "shop", Name: "Lighthouse Shop", LogoURI: "https://static.app.example/logo.png",
					PolicyURI: "https://app.example/privacy", TosURI: "https://app.example/terms", SupportURL: c.Query("help")},
				ClientHome: "https://app.example/",
				Options: []exchange.Option{{Method: "totp", Authenticator: "a", Name: "Work phone", Info: info},
					{Method: "recovery", Authenticator: "b", Info: mfa.Info{Typed: true}}}}
			call.Step.Verdict.Methods = []string{"totp"}
			x.show(s.pages, c, call)
		})
	}
}

// stage serves the samples through the real engine.
func stage(t testing.TB, o page.Options) (*Pages, http.Handler) {
	t.Helper()
	o.Issuer = issuer
	keyring, _ := storagetest.Keyring(t, t0)
	byMail := passcode.NewEmail(keyring, rand.Reader, passcode.Options{})
	o.Methods = []mfa.Info{byMail.Info(), recovery.New(nil, rand.Reader).Info()}
	look, err := page.New(keyring, o, Files())
	if err != nil {
		t.Fatal(err)
	}
	now := func() time.Time { return t0 }
	p := New(nil, exchange.NewVerifier(nil, keyring, nil, now, rand.Reader, exchange.Options{}, byMail), nil, look)
	h, err := web.New(web.Options{Issuer: issuer, ErrorPage: p.Refusal}, rand.Reader, func() time.Time { return t0 }, look, show{p, samples(t)})
	if err != nil {
		t.Fatal(err)
	}
	return p, h
}

func get(h http.Handler, path, lang string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", path, nil)
	r.Header.Set("Accept-Language", lang)
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Cookie", "__Host-sallyport_browser="+strings.Repeat("b", 43))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

var (
	idAttr   = regexp.MustCompile(`\sid="([^"]+)"`)
	refAttr  = regexp.MustCompile(`\s(?:for|aria-describedby|aria-labelledby|aria-controls)="([^"]+)"`)
	titleTag = regexp.MustCompile(`<title>([^<]+)</title>`)
)

func TestEveryPageInBothLanguages(t *testing.T) {
	_, h := stage(t, page.Options{})
	for _, s := range samples(t) {
		bodies := map[string]string{}
		for _, lang := range []string{"en", "de"} {
			w := get(h, "/show/"+s.name+"?requestId=r-1", lang)
			body := w.Body.String()
			bodies[lang] = body
			if w.Code != s.code {
				t.Errorf("%s in %s: code = %d, want %d", s.name, lang, w.Code, s.code)
			}
			if !strings.Contains(body, `<html lang="`+lang+`">`) || w.Header().Get("Content-Language") != lang {
				t.Errorf("%s: the page does not say that it is in %q", s.name, lang)
			}
			if strings.Contains(body, "<no value>") || strings.Contains(body, "ZgotmplZ") || strings.Contains(body, "%!") {
				t.Errorf("%s in %s: something did not render: %s", s.name, lang, body)
			}
			checkMarkup(t, s, body)
		}
		if bodies["en"] == bodies["de"] {
			t.Errorf("%s: both languages say the same", s.name)
		}
	}
}

// checkMarkup checks the ids of a sample, and that every id another element refers to
// exists once.
func checkMarkup(t *testing.T, s sample, body string) {
	t.Helper()
	seen := map[string]int{}
	for _, m := range idAttr.FindAllStringSubmatch(body, -1) {
		seen[m[1]]++
	}
	for id, n := range seen {
		if n > 1 {
			t.Errorf("%s: id %q occurs %d times", s.name, id, n)
		}
	}
	for _, id := range s.ids {
		if seen[id] != 1 {
			t.Errorf("%s: id %q is missing", s.name, id)
		}
	}
	for _, m := range refAttr.FindAllStringSubmatch(body, -1) {
		for _, id := range strings.Fields(m[1]) {
			if seen[id] == 0 {
				t.Errorf("%s: refers to id %q, which is not there", s.name, id)
			}
		}
	}
	for _, banned := range []string{"“”", "„“", "<strong></strong>", "<style", "style=", "onclick", "onload", "javascript:", "<script>"} {
		if strings.Contains(body, banned) {
			t.Errorf("%s: holds %q, which the policy forbids", s.name, banned)
		}
	}
	if n := strings.Count(body, "autofocus"); n > 1 {
		t.Errorf("%s: %d elements want the focus", s.name, n)
	}
	if n := strings.Count(body, "<h1>"); n != 1 {
		t.Errorf("%s: %d headings of the first rank, want 1", s.name, n)
	}
	title := titleTag.FindStringSubmatch(body)
	if title == nil {
		t.Fatalf("%s: no title", s.name)
	}
	if strings.Contains(body, `class="alert"`) && !strings.HasPrefix(title[1], "Error: ") && !strings.HasPrefix(title[1], "Fehler: ") {
		t.Errorf("%s: title = %q, want the error first", s.name, title[1])
	}
}

func TestPagesOfTheInterface(t *testing.T) {
	_, h := stage(t, page.Options{})
	for name, wants := range map[string][]string{
		"login": {`<form id="login-form" method="post" action="/login?requestId=r-1&amp;client_id=shop">`, `name="username"`, `name="password"`,
			`autocomplete="username"`, `autocomplete="current-password"`, `autocapitalize="off"`,
			`<img class="client-logo" src="https://static.app.example/logo.png"`, `Lighthouse Shop`,
			`href="https://app.example/privacy"`, `href="https://app.example/terms"`},
		"mfa":                {`name="passcode"`, `inputmode="numeric"`, `autocomplete="one-time-code"`, `Work phone`, `href="/mfa?requestId=r-1&amp;client_id=shop&amp;method=recovery&amp;authenticator=b"`},
		"consent":            {`id="unvetted"`, "Nobody here has checked this application", `id="resources">The application uses this access at <strong>https://api.example/orders</strong>, <strong>urn:example:&lt;stock&gt;</strong>`},
		"mfa-recovery-wrong": {"That recovery code is wrong", `aria-invalid="true"`},
		"mfa-recovery":       {`name="method" value="recovery"`, `autocomplete="off"`},
		"mfa-wrong":          {`name="exchange" value="e-1"`, `aria-describedby="error hint"`},
		"login-wait":         {"2 minutes"},
		"mfa-send":           {`name="send" value="yes"`, "Send a code to a•••a@example.org"},
		"mfa-sending": {`role="status" data-delivery="/delivery?requestId=r-1" data-form="mfa-form" data-sent="A code was sent`, `We are sending a code to a•••a@example.org`,
			`name="exchange" value="e-1"`, `data-pause="30" data-later="Send a new code in #"`, `inputmode="numeric"`, `autocomplete="one-time-code"`},
		"mfa-sent":              {`A code was sent to a•••a@example.org`},
		"mfa-undelivered":       {`class="sending failed"`, `could not be delivered to a•••a@example.org. Choose another way below`, `id="method-totp"`},
		"enroll-address":        {`inputmode="email"`, `autocomplete="email"`, "Codes will be sent there"},
		"enroll-not-an-address": {"This is not an e-mail address", `value="ada"`, `aria-describedby="error"`},
		"enroll-sending":        {`data-form="enroll-form"`, "We are sending a code to ada@example.org", `name="address" value="ada@example.org"`, `name="pending" value="e-1"`, "Check the address or number for typos"},
		"enroll-begun":          {`src="data:image/png;base64,`, `JBSW Y3DP EHPK`, `data-value="JBSWY3DP`, `href="otpauth://totp/`, `name="exchange" value="e-1"`},
		"recovery":              {`download="recovery-codes.txt"`, `href="data:text/plain;charset=utf-8;base64,` + base64.StdEncoding.EncodeToString([]byte("Recovery codes "))},
		"oauth-error":           {`invalid_request: redirect_uri is not registered`},
		"logout":                {`name="state" value="&lt;s&gt;"`, `name="confirm" value="yes"`},
		"form-post": {`<form id="form-post" method="post" action="https://app.example/cb?a=1">`, `name="code" value="c-1"`,
			`value="&#34;&gt;&lt;script&gt;"`, `/form-post.js" defer></script>`, `<noscript>`},
	} {
		body := get(h, "/show/"+name, "en").Body.String()
		for _, want := range wants {
			if !strings.Contains(body, want) {
				t.Errorf("%s lacks %s\n%s", name, want, body)
			}
		}
	}
	if w := get(h, "/show/login-wait", "en"); w.Header().Get("Retry-After") != "90" {
		t.Errorf("Retry-After = %q, want 90", w.Header().Get("Retry-After"))
	}
	if body := get(h, "/show/mfa-recovery", "en").Body.String(); strings.Contains(body, `inputmode`) {
		t.Errorf("a recovery code is no number: %s", body)
	}
}
