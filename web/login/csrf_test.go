package login

import (
	"net/http"
	"strings"
	"testing"
)

func TestEveryFormIsGuarded(t *testing.T) {
	h := newFixture(t)
	h.client(nil)
	h.User("ada", "")
	b := h.browser()
	b.authorize()
	page, form := b.Form(`id="login-submit"`)
	id := page[strings.Index(page, "?"):]
	form.Set("username", "ada")
	form.Set("password", password)
	csrf := form.Get("csrf")
	form.Set("csrf", "forged")
	for _, path := range []string{"/login", "/mfa", "/enroll", "/offer", "/recovery-codes", "/consent", "/cancel", "/restart"} {
		b.Post(path+id, form)
		b.Must(path, 403, "out of date", `href="/continue`+id+`"`, `id="support-id"`)
	}
	b.Post("/delivery"+id, form)
	b.Must("/delivery", 403, `{"code":"foreign_form"}`) // its caller is a script
	kept := b.Cookies
	b.Cookies = map[string]string{}
	form.Set("csrf", csrf)
	b.Post(page, form)
	b.Must("/login", 403, "sent no cookie", `href="/continue`+id+`"`)
	b.Cookies = kept
	b.Header = http.Header{"Origin": {"null"}}
	b.Post(page, form) // the page hides where the form comes from
	b.mustCode(t)
}
