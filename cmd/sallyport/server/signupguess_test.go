package server_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"sallyport/cmd/sallyport/servertest"
)

// The code of a sign-up is right in the browser that asked for it alone, and wrong ones elsewhere do not
// count there: no stranger keeps a person from typing theirs.
func TestAStrangerDoesNotUseUpTheGuessesOfASignUp(t *testing.T) {
	servertest.OnBoth(t, func(t *testing.T, settings string) {
		p := newcomers(t, settings)
		p.sending()
		b := p.at("shop")
		p.ask(b, "new@example.com")
		link, code, _ := p.welcomed(1)
		if len(code) != 9 {
			t.Errorf("code = %q, want nine digits", code)
		}
		wrong := code[1:] + "0"
		if wrong == code {
			wrong = code[1:] + "1"
		}
		stranger := p.at("shop")
		p.ask(stranger, "other@example.com")
		action, form := stranger.Form(`id="code-submit"`)
		form.Set("email", "new@example.com")
		form.Set("passcode", code)
		stranger.Post(action, form)
		stranger.Must("/signup/code", 422, "This code does not work")
		form.Set("passcode", wrong)
		for range 12 {
			stranger.Post(action, form)
			stranger.Must("/signup/code", 422, "This code does not work")
		}
		for range 4 {
			b.Submit("code-submit", "passcode", wrong)
			b.Must("/signup/code", 422, "This code does not work")
		}
		b.Submit("code-submit", "passcode", code)
		b.Must(link, 200, "new@example.com")
		own := p.at("shop")
		p.ask(own, "third@example.com")
		_, code, _ = p.welcomed(3)
		for range 5 {
			own.Submit("code-submit", "passcode", wrong)
		}
		own.Submit("code-submit", "passcode", code)
		own.Must("/signup/code", 422, "This code does not work")
	})
}

// A link that expired says so before any form, and leads to another one: also who filled the form in
// before.
func TestAnExpiredLinkOfASignUpOffersANewOne(t *testing.T) {
	servertest.OnBoth(t, func(t *testing.T, settings string) {
		p := newcomers(t, settings)
		p.sending()
		b := p.at("shop")
		p.ask(b, "new@example.com")
		link, code, _ := p.welcomed(1)
		slow := p.browser()
		slow.Get(link)
		slow.Must(link, 200)
		p.clock.Move(time.Hour + time.Second)
		for _, what := range []string{"opened", "posted"} {
			late := p.browser()
			if what == "opened" {
				late.Get(link)
			} else {
				slow.Submit("create-submit", "new", "seven ships at sea", "repeat", "seven ships at sea", "given_name", "Ada", "terms", "2026-01")
				late = slow
			}
			if late.Page.Code != 410 || !strings.Contains(late.Page.Body.String(), "This link does not work any more") {
				t.Errorf("%s: %d at %s", what, late.Page.Code, late.At)
			}
			if page := late.Page.Body.String(); strings.Contains(page, "<form") || strings.Contains(page, "<input") || strings.Contains(page, "new@example.com") {
				t.Errorf("%s: the page has a form, or the address: %s", what, page)
			}
		}
		b.Submit("code-submit", "passcode", code)
		b.Must("/signup/code", 422, "This code does not work")
		if _, err := p.Store.AccountByIdentifier(t.Context(), "new@example.com", p.clock.Now()); err == nil {
			t.Error("an expired link made a user")
		}
		slow.Follow("signup")
		slow.Must("/signup", 200)
		slow.Submit("signup-submit", "email", "new@example.com")
		link, _, _ = p.welcomed(2)
		slow.Get(link)
		slow.Submit("create-submit", "new", "seven ships at sea", "repeat", "seven ships at sea", "given_name", "Ada", "terms", "2026-01")
		slow.Must("/signed-up", 200, "https://shop.example/")
	})
}

// Whoever floods an address causes few mails; its owner is told to wait for another, and comes in by
// one of them.
func TestAFloodOfSignUpsToOneAddress(t *testing.T) {
	servertest.OnBoth(t, func(t *testing.T, settings string) {
		p := newcomers(t, settings)
		p.sending()
		for n := range 12 {
			b := p.browser()
			b.Get("/signup")
			b.Submit("signup-submit", "email", "new@example.com")
			if want := map[bool]int{true: 200, false: 429}[n < 5]; b.Page.Code != want {
				t.Errorf("request %d = %d, want %d", n, b.Page.Code, want)
			}
			p.clock.Move(time.Minute + time.Second)
		}
		last := p.at("shop")
		p.ask(last, "last@example.com")
		p.nth(6)
		to := map[string]int{}
		link := ""
		for _, m := range p.mail.Mails() {
			if to[m.To]++; m.To == "new@example.com" {
				link = strings.TrimSpace(signUpLink.FindStringSubmatch(m.Text)[1])
			}
		}
		if !maps.Equal(to, map[string]int{"new@example.com": 5, "last@example.com": 1}) {
			t.Fatalf("mails = %v", to)
		}
		owner := p.at("shop")
		owner.Follow("signup")
		owner.Submit("signup-submit", "email", "new@example.com")
		owner.Must("/signup", 429, "You can also follow the link in it, on any device.")
		owner.Get(link)
		owner.Submit("create-submit", "new", "seven ships at sea", "repeat", "seven ships at sea", "given_name", "Ada", "terms", "2026-01")
		owner.Must("/signed-up", 200)
		owner = p.at("shop")
		owner.Submit("login-submit", "username", "new@example.com", "password", "seven ships at sea")
		if !strings.HasPrefix(owner.Left, "https://shop.example/cb?code=") {
			t.Errorf("left to %q", owner.Left)
		}
	})
}
