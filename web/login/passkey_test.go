package login

import (
	"encoding/json"
	"html"
	"regexp"
	"strings"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/passkey/passkeytest"
)

var optionsAttr = regexp.MustCompile(`data-options="([^"]*)"`)

// options are those of the ceremony on the page.
func (b *browser) options(t *testing.T) []byte {
	t.Helper()
	m := optionsAttr.FindStringSubmatch(b.Page.Body.String())
	if m == nil {
		t.Fatalf("%s has no ceremony:\n%s", b.At, b.Page.Body.String())
	}
	return []byte(html.UnescapeString(m[1]))
}

// respond posts a response with the form of a ceremony, as its script does.
func (b *browser) respond(t *testing.T, id string, r mfa.Response) {
	t.Helper()
	to, form := b.Form(`id="` + id + `"`)
	form.Set("response", string(r))
	b.Post(to, form)
}

// A user is offered a passkey after a password, and signs in with it from then on, also where two
// factors are demanded. A response is right once, in its own login, until its challenge expires.
func TestSigningInWithAPasskey(t *testing.T) {
	host := strings.TrimPrefix(issuer, "https://")
	h := newFixtureWith(t, mfatest.Options{Passkeys: host})
	h.client(nil)
	h.User("ada", "")
	d := passkeytest.New(host, issuer)
	must := func(r mfa.Response, err error) mfa.Response {
		t.Helper()
		h.OK(err)
		return r
	}

	b := h.browser()
	b.authorize()
	b.Must("/login", 200, `autocomplete="username webauthn"`, `id="passkey-ask"`, "/passkey.js", `data-renew="240"`)
	b.Submit("login-submit", "username", "ada", "password", password, "offer", "yes")
	b.Must("/offer", 200, "data-unasked", `id="offer-decline"`)
	b.Submit("offer-create", "unasked", "yes")
	b.Must("/offer", 200, `data-begin="unasked"`)
	b.respond(t, "offer-ask", mfa.Response(`{"id":"AA"}`))
	b.Must("/offer", 422, `id="error"`)
	b.Submit("offer-create")
	b.Must("/offer", 200, `data-begin="now"`)
	b.respond(t, "offer-ask", must(d.Create(b.options(t))))
	b.Must("/recovery-codes", 200)
	b.Submit("recovery-done")
	b.mustCode(t)

	h.client(always)
	b = h.browser()
	b.authorize()
	r := must(d.Get(b.options(t)))
	other := h.browser()
	other.authorize()
	other.respond(t, "passkey-ask", r)
	other.Must("/login", 422, "That passkey was not accepted", `data-begin="asked"`, `name="password"`)
	if strings.Contains(b.Page.Body.String()+other.Page.Body.String(), "data-signal") {
		t.Error("a passkey that a user has is signalled as unknown")
	}
	stranger := must(passkeytest.New(host, issuer).Get(b.options(t)))
	other.authorize()
	other.respond(t, "passkey-ask", must(passkeytest.New(host, issuer).Get(other.options(t))))
	other.Must("/login", 422, "That passkey was not accepted", `data-signal="{&#34;signalUnknownCredential&#34;:{`)
	other.respond(t, "passkey-ask", stranger) // to another challenge, so nothing is said
	other.Must("/login", 422, "That passkey was not accepted")
	if strings.Contains(other.Page.Body.String(), "data-signal") {
		t.Error("a response of another login is signalled as unknown")
	}
	b.respond(t, "passkey-ask", r)
	b.mustCode(t)

	b = h.browser()
	b.authorize()
	r = must(d.Get(b.options(t)))
	h.Wait(5 * time.Minute)
	b.respond(t, "passkey-ask", r)
	b.Must("/login", 422, "That took too long")
	page := html.UnescapeString(regexp.MustCompile(`data-fresh="([^"]*)"`).FindStringSubmatch(b.Page.Body.String())[1])
	b.Get(page)
	var fresh struct {
		Options json.RawMessage
		Renew   int
	}
	if err := json.Unmarshal(b.Page.Body.Bytes(), &fresh); err != nil || fresh.Renew != 240 {
		t.Fatalf("fresh options: %v in %s", err, b.Page.Body.String())
	}
	r = must(d.Get(mfa.Challenge(fresh.Options)))
	b.authorize() // the page again; the options are of another login now
	b.respond(t, "passkey-ask", r)
	b.Must("/login", 422, "That passkey was not accepted")
	b.respond(t, "passkey-ask", must(d.Get(b.options(t))))
	b.mustCode(t)
}

// Beside a password a passkey is a second factor.
func TestAPasskeyAsSecondFactor(t *testing.T) {
	host := strings.TrimPrefix(issuer, "https://")
	h := newFixtureWith(t, mfatest.Options{Passkeys: host})
	h.client(always)
	h.User("ada", "")
	d := passkeytest.New(host, issuer)
	b := h.browser()
	b.authorize()
	b.login("ada", password)
	b.Must("/enroll", 200, `id="method-passkey"`)
	b.Submit("enroll-begin", "method", "passkey")
	created, err := d.Create(b.options(t))
	h.OK(err)
	b.respond(t, "enroll-ask", created)
	b.Must("/recovery-codes", 200)
	b.Submit("recovery-done")
	b.mustCode(t)

	b = h.browser()
	b.authorize()
	b.login("ada", password)
	b.Must("/mfa", 200, `id="mfa-ask"`, `id="method-recovery"`, "data-no-passkeys")
	stolen, err := passkeytest.New(host, issuer).Get(mfa.Challenge(strings.Replace(string(b.options(t)), "allowCredentials", "none", 1)))
	h.OK(err)
	b.respond(t, "mfa-ask", stolen)
	b.Must("/mfa", 422, "That passkey was not accepted", `id="mfa-ask"`, `data-signal="{&#34;signalUnknownCredential&#34;:{`)
	r, err := d.Get(b.options(t))
	h.OK(err)
	b.respond(t, "mfa-ask", r)
	b.mustCode(t)
}

// A passkey is remembered as a code is.
func TestABrowserIsRememberedAfterAPasskey(t *testing.T) {
	host := strings.TrimPrefix(issuer, "https://")
	h := newFixtureWith(t, mfatest.Options{Passkeys: host})
	h.client(remembering)
	h.User("ada", "")
	d := passkeytest.New(host, issuer)
	b := h.browser()
	b.authorize()
	b.login("ada", password)
	b.Submit("enroll-begin", "method", "passkey")
	created, err := d.Create(b.options(t))
	h.OK(err)
	b.respond(t, "enroll-ask", created)
	b.Submit("recovery-done")
	b.mustCode(t)

	b = h.browser()
	second := func(remember string) {
		delete(b.Cookies, sessionCookie)
		b.authorize()
		b.login("ada", password)
		b.Must("/mfa", 200, `id="mfa-ask"`, `id="remember"`, "30 days")
		r, err := d.Get(b.options(t))
		h.OK(err)
		to, form := b.Form(`id="mfa-ask"`)
		form.Set("response", string(r))
		if form.Del("remember"); remember != "" {
			form.Set("remember", remember)
		}
		b.Post(to, form)
		b.mustCode(t)
	}
	second("")
	if b.Cookies[rememberedCookie] != "" {
		t.Fatal("remembered without the user's wish")
	}
	second("yes")
	delete(b.Cookies, sessionCookie)
	b.authorize()
	b.login("ada", password)
	b.mustCode(t)
}

// Whoever knows the ID of a credential learns nothing of its owner from a refused response.
func TestARefusedPasskeyRevealsNoAccount(t *testing.T) {
	host := strings.TrimPrefix(issuer, "https://")
	h := newFixtureWith(t, mfatest.Options{Passkeys: host})
	h.client(nil)
	h.User("ada", "")
	d := passkeytest.New(host, issuer)
	b := h.browser()
	b.authorize()
	b.Submit("login-submit", "username", "ada", "password", password, "offer", "yes")
	b.Submit("offer-create")
	created, err := d.Create(b.options(t))
	h.OK(err)
	b.respond(t, "offer-ask", created)
	b.Must("/recovery-codes", 200)

	known, unknown := passkeytest.New(host, issuer), passkeytest.New(host, issuer)
	known.Credential.ID = d.Credential.ID
	challenge := regexp.MustCompile(`"challenge":"[^"]*"`)
	var lists []string
	for _, stranger := range []*passkeytest.Device{known, unknown} {
		b := h.browser()
		b.authorize()
		r, err := stranger.Get(b.options(t))
		h.OK(err)
		b.respond(t, "passkey-ask", r)
		b.Must("/login", 422, "That passkey was not accepted")
		lists = append(lists, challenge.ReplaceAllString(string(b.options(t)), ""))
	}
	if lists[0] != lists[1] || strings.Contains(lists[0], "allowCredentials") {
		t.Errorf("options after the ID of a user: %s\nafter an unknown one: %s", lists[0], lists[1])
	}
}
