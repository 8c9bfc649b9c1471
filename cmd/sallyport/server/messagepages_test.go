package server_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport/cmd/sallyport/servertest"
)

// The page for a code can be loaded again, in its browser alone. Its address tells nobody the name.
func TestThePageOfACodeIsLoadedAgain(t *testing.T) {
	settings, _, _ := servertest.NewInstallation(t)
	p := newcomers(t, settings)
	for way, field := range map[string]string{"forgot": "username", "signup": "email"} {
		b := p.at("shop")
		b.Follow(way)
		b.Submit(way+"-submit", field, "somebody@example.com")
		b.Must("/"+way+"/code", 200, "somebody@example.com", `data-pause="`)
		at := b.URL
		if u, err := url.Parse(at); err != nil || u.Query().Get("sent") == "" || strings.Contains(at, "somebody") {
			t.Errorf("%s: the address is %s", way, at)
		}
		b.Get(at)
		b.Must("/"+way+"/code", 200, "somebody@example.com", `id="code-submit"`, `id="language-de"`)
		b.Submit("code-submit", "passcode", "123456789")
		b.Must("/"+way+"/code", 422, "somebody@example.com", `data-pause="`)
		b.Follow("other")
		b.Must("/"+way, 200, `value="somebody@example.com"`)
		b.Get(at)
		b.Submit("send-again")
		b.Must("/"+way, 429, "somebody@example.com", "Another message cannot be sent yet", `id="code-submit"`)
		for name, address := range map[string]string{
			"nothing is sealed":       "/" + way + "/code",
			"it was changed":          strings.Replace(at, "sent=", "sent=A", 1),
			"it is another browser's": at,
		} {
			reader := b
			if name == "it is another browser's" {
				reader = p.at("shop")
			}
			reader.Get(address)
			reader.Must("/"+way+"/code", 200, `id="`+way+`-submit"`)
			if strings.Contains(reader.Page.Body.String(), "somebody") {
				t.Errorf("%s, %s: the page shows the name", way, name)
			}
		}
		for minutes, named := range map[int]bool{59: true, 62: false} { // the code is valid for an hour
			b := p.at("shop")
			b.Follow(way)
			b.Submit(way+"-submit", field, "another@example.com")
			p.clock.Move(time.Duration(minutes) * time.Minute)
			at := b.URL
			for path, form := range map[string]string{"/code": "code-submit", "": way + "-submit"} {
				b.Get(strings.Replace(at, "/code", path, 1))
				if !named {
					form = way + "-submit"
				}
				b.Must("/"+way+path, 200, `id="`+form+`"`)
				if got := strings.Contains(b.Page.Body.String(), "another@"); got != named {
					t.Errorf("%s%s after %d minutes: the page shows the name: %v", way, path, minutes, got)
				}
			}
		}
	}
}

// What an application knows of the user stands in the field, in the browser of the login alone.
func TestAHintFillsInTheName(t *testing.T) {
	settings, _, _ := servertest.NewInstallation(t)
	p := newcomers(t, settings)
	for hint, want := range map[string]string{"new@example.com": `value="new@example.com"`, "prvn": `value=""`} {
		b := p.at("shop", "login_hint", hint, "prompt", "create")
		b.Must("/signup", 200, want)
		other := p.browser()
		other.Get(b.URL)
		other.Must("/signup", 200, `value=""`)
		b.Get(strings.Replace(b.URL, "/signup", "/forgot", 1))
		b.Must("/forgot", 200, `value="`+hint+`"`)
	}
}
