package login

import (
	"strings"
	"testing"
)

func TestEveryFormIsGuarded(t *testing.T) {
	h := newHouse(t)
	h.client(nil)
	h.user("ada", "")
	b := h.browser()
	b.authorize()
	page, form := b.form("login-submit")
	id := page[strings.Index(page, "?"):]
	form.Set("username", "ada")
	form.Set("password", password)
	csrf := form.Get("csrf")
	form.Set("csrf", "forged")
	for _, path := range []string{"/login", "/mfa", "/enroll", "/recovery-codes", "/consent", "/cancel", "/restart"} {
		b.post(path+id, form)
		b.must(path, 403, "out of date", `href="/continue`+id+`"`, `id="support-id"`)
	}
	kept := b.cookies
	b.cookies = map[string]string{}
	form.Set("csrf", csrf)
	b.post(page, form)
	b.must("/login", 403, "sent no cookie", `href="/continue`+id+`"`)
	b.cookies = kept
	b.post(page, form)
	b.mustCode()
}
