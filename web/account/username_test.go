package account

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestThePageOfTheUserName(t *testing.T) {
	h := newFixture(t)
	id := h.User("ada", "")
	h.User("grace", "")
	b := h.browser()
	b.signIn("/account", "ada", id, "")
	b.Must("/account", 200, `href="/account/username" aria-label="Change ada"`)
	b.Get("/account/username")
	b.Must("/account/username", 200, "Change your user name", `value="ada"`, "Yours is ada", `autocomplete="username"`, `maxlength="30"`)
	var taken []string
	for typed, want := range map[string][2]string{
		"grace": {"409", "You cannot have this user name"}, "admin": {"409", "You cannot have this user name"},
		"ada@example.org": {"422", "This cannot be a user name"}, `"><script>`: {"422", "This cannot be a user name"}, "": {"422", "This cannot be a user name"},
	} {
		b.Post("/account/username", url.Values{"csrf": {b.csrf()}, "username": {typed}})
		body := b.Page.Body.String()
		b.Must("/account/username", map[string]int{"409": 409, "422": 422}[want[0]], want[1], `aria-invalid="true"`)
		if strings.Contains(body, "<script>") {
			t.Errorf("%q is not escaped", typed)
		}
		if want[0] == "409" {
			taken = append(taken, volatile.ReplaceAllString(strings.ReplaceAll(body, typed, "NAME"), ""))
		}
	}
	if taken[0] != taken[1] {
		t.Error("the page tells a reserved name from one that is taken")
	}
	b.Get("/account/username")
	b.Submit("username-submit", "username", "Countess")
	b.Must("/account", 200, "Your user name is saved", "<strong>countess</strong>", "The user name was changed")
	b.Get("/account/username")
	b.Must("/account/username", 200, "Earlier user names", "<strong>ada</strong>", `aria-label="Take back ada"`, "Kept for you until")
	old := h.browser()
	old.Get("/account")
	old.Submit("login-submit", "username", "ada", "password", password)
	old.Must("/login", 422)
	old.signIn("/account", "Countess", id, "")
	old.Must("/account", 200)
	b.Post("/account/username", url.Values{"csrf": {b.csrf()}, "username": {"ada"}}) // as its button does
	b.Must("/account", 200, "Your user name is saved", "<strong>ada</strong>")
	for _, name := range []string{"first", "second"} {
		b.Get("/account/username")
		b.Submit("username-submit", "username", name)
		b.Must("/account", 200, "<strong>"+name+"</strong>")
	}
	b.Get("/account/username")
	b.Submit("username-submit", "username", "third")
	b.Must("/account/username", 403, "You have changed your user name too often", "Take back countess")

	h.Wait(16 * time.Minute)
	b.Get("/account/username")
	b.Must("/account/username", 403, "Continue") // a fresh proof
	b.Post("/account/username", url.Values{"csrf": {b.csrf()}, "username": {"ada"}})
	b.Must("/account/username", 403)
	if got := h.names(id); !strings.Contains(got, "second") {
		t.Errorf("names = %s", got)
	}
}
