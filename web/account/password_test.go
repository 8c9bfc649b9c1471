package account

import (
	"crypto/sha1"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	passwords "sallyport/mfa/password"
)

// The page, its hint and the refusal show the minimum length.
func TestMinimumLengthIsShown(t *testing.T) {
	h := newFixtureWith(t, passwords.Options{MinLength: 13})
	h.User("ada", "")
	b := h.browser()
	b.signIn("/account/password", "ada", "", "")
	for lang, want := range map[string][2]string{"en": {"At least 13 characters", "needs at least 13 characters"},
		"de": {"Mindestens 13 Zeichen", "braucht mindestens 13 Zeichen"}} {
		b.Header.Set("Accept-Language", lang)
		b.Get("/account/password")
		b.Must("/account/password", 200, want[0], `minlength="13"`)
		b.Submit("password-submit", "old", password, "new", "twelve chars", "repeat", "twelve chars")
		b.Must("/account/password", 422, want[0], want[1])
		if body := b.Page.Body.String(); strings.Contains(body, "no value") || strings.Contains(body, `minlength="8"`) {
			t.Errorf("the page in %s: %s", lang, body)
		}
	}
	b.Submit("password-submit", "old", password, "new", "thirteen char", "repeat", "thirteen char")
	b.Must("/account", 200)
}

func TestBreachedPasswordIsRefused(t *testing.T) {
	const stolen = "stolen elsewhere qzvk"
	file := filepath.Join(t.TempDir(), "sha1.txt")
	if err := os.WriteFile(file, fmt.Appendf(nil, "%X:12\r\n", sha1.Sum([]byte(stolen))), 0o600); err != nil {
		t.Fatal(err)
	}
	h := newFixtureWith(t, passwords.Options{Breached: file})
	h.User("ada", "")
	b := h.browser()
	b.signIn("/account/password", "ada", "", "")
	change := func(lang string, code int, texts ...string) {
		t.Helper()
		b.Header.Set("Accept-Language", lang)
		b.Get("/account/password")
		b.Submit("password-submit", "old", password, "new", stolen, "repeat", stolen)
		b.Must("/account/password", code, append(texts, `id="password-form"`)...)
	}
	change("en", 422, "appeared in a data breach", "change it everywhere else you use it")
	change("de", 422, "Teil eines Datenlecks", "ändern Sie es überall")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	h.Broken = true
	change("en", 503, "We cannot check new passwords", "Nothing was changed")
	change("de", 503, "gerade nicht prüfen", "Es wurde nichts geändert")
	if b.Page.Header().Get("Retry-After") != "60" {
		t.Errorf("Retry-After = %q, want 60", b.Page.Header().Get("Retry-After"))
	}
	if log := h.Log.String(); !strings.Contains(log, `"level":"ERROR"`) || !strings.Contains(log, file) || strings.Contains(log, stolen) {
		t.Errorf("the log lacks the cause, or holds the password: %s", log)
	}
	if err := os.WriteFile(file, fmt.Appendf(nil, "%X\n", sha1.Sum([]byte("another one"))), 0o600); err != nil {
		t.Fatal(err)
	}
	b.Submit("password-submit", "old", password, "new", stolen, "repeat", stolen)
	b.Must("/account", 200, "Ihr Passwort ist")
}

func TestChangingThePassword(t *testing.T) {
	h := newFixture(t)
	id := h.User("ada", "")
	b, elsewhere := h.browser(), h.browser()
	b.signIn("/account/password", "ada", id, "")
	elsewhere.signIn("/account", "ada", id, "")
	const fresh = "seven grey geese on ice"
	for _, tc := range []struct{ name, old, fresh, repeat, text string }{
		{"the old one is wrong", "not it at all", fresh, fresh, "current password is wrong"},
		{"the new ones differ", password, fresh, fresh + "!", "passwords are not the same"},
		{"the new one is too short", password, "short", "short", "too short"},
		{"the new one is too common", password, "password123", "password123", "too common"},
		{"nothing is typed", "", "", "", "too short"},
	} {
		b.Submit("password-submit", "old", tc.old, "new", tc.fresh, "repeat", tc.repeat)
		b.Must("/account/password", 422, tc.text, `id="error"`)
	}
	b.Submit("password-submit", "old", password, "new", fresh, "repeat", fresh)
	b.Must("/account", 200, "Your password is changed")
	elsewhere.Get("/account")
	elsewhere.Must("/login", 200)
	elsewhere.Submit("login-submit", "username", "ada", "password", password)
	elsewhere.Must("/login", 422)
	elsewhere.Submit("login-submit", "username", "ada", "password", fresh)
	elsewhere.Must("/account", 200)
	b.Get("/account/password")
	b.Submit("password-submit", "old", fresh, "new", password, "repeat", password, "others", "-")
	elsewhere.Get("/account")
	elsewhere.Must("/account", 200)
	if log := h.Log.String(); strings.Contains(log, fresh) || strings.Contains(log, password) {
		t.Error("the log holds a password")
	}
	// Wrong passwords count like those of a login.
	for range 5 {
		b.Get("/account/password")
		b.Submit("password-submit", "old", "guess guess", "new", fresh, "repeat", fresh)
	}
	b.Submit("password-submit", "old", password, "new", fresh, "repeat", fresh)
	b.Must("/account/password", 429, "30 seconds")
}
