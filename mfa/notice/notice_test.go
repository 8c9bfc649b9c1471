package notice_test

import (
	"crypto/rand"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/notice"
	"sallyport/storage"
)

func TestANoticeGoesToEveryVerifiedAddress(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	a := &storage.Account{Identifiers: []storage.Identifier{
		{Kind: storage.Username, Value: "ada", VerifiedAt: now},
		{Kind: storage.Email, Value: "ada@example.com", VerifiedAt: now},
		{Kind: storage.Email, Value: "typed@example.com"},
		{Kind: storage.Email, Value: "ada@example.org", VerifiedAt: now},
		{Kind: storage.Phone, Value: "+41446681800", VerifiedAt: now},
	}}
	var to []string
	for _, m := range notice.New(now, rand.Reader, "Harbour", mfa.Caller{}, a, notice.PasswordChanged, map[string]string{}) {
		to = append(to, m.Recipient)
	}
	if want := []string{"ada@example.com", "ada@example.org"}; !slices.Equal(to, want) {
		t.Errorf("sent to %v, want %v", to, want)
	}
}

// What a caller sends must not become a text in a mail of the operator.
func TestANoticeNamesThePlaceInItsOwnWords(t *testing.T) {
	r := newRenderer(t)
	firefox := mfa.Caller{UserAgent: "Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0 call +1 900 for help", Address: "203.0.113.7"}
	admin, backend := firefox, firefox
	admin.Actor, backend.APIKey = "admin", "key"
	for _, tc := range []struct {
		name   string
		caller mfa.Caller
		want   string
	}{
		{"a browser", firefox, "It was done in Firefox on Linux, from the network address 203.0.113.7."},
		{"an unknown browser", mfa.Caller{UserAgent: "evil https://evil.example", Address: "203.0.113.7"}, "It was done from the network address 203.0.113.7."},
		{"nothing", mfa.Caller{}, ""},
		{"an administrator", admin, "An administrator or a program of Harbour did this."},
		{"a back end", backend, "An administrator or a program of Harbour did this."},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := &storage.Account{Identifiers: []storage.Identifier{{Kind: storage.Email, Value: "ada@example.com", VerifiedAt: time.Now()}}}
			m := notice.New(time.Now(), rand.Reader, "Harbour", tc.caller, a, notice.PasswordChanged, map[string]string{})[0]
			got, err := r.Render(notice.Mail, m.Template, "en", m.Data)
			if err != nil {
				t.Fatal(err)
			}
			if tc.want != "" && !strings.Contains(got.Text, tc.want) || tc.want == "" && strings.Contains(got.Text, "done") ||
				strings.Contains(got.Text, "evil") || strings.Contains(got.Text, "900") || strings.Contains(got.Text, "\n\n\n") {
				t.Errorf("%q is missing in %s", tc.want, got.Text)
			}
			if tc.caller.Actor+string(tc.caller.APIKey) != "" && strings.Contains(got.Text, "203.0.113.7") {
				t.Errorf("it names the address of an administrator: %s", got.Text)
			}
		})
	}
}

func TestEveryNoticeLeadsToThePageForIt(t *testing.T) {
	r := newRenderer(t).WithSupport("mailto:help@example.com")
	for _, template := range notice.Templates() {
		for _, locale := range []string{"en", "de"} {
			if notice.HasCode(template) || template == notice.AddressTaken || template == notice.SignUpTaken || template == notice.SignInWaiting { // which changed nothing
				continue
			}
			data := values()
			data["browser"], data["network"] = "Firefox", "2001:db8:1:2::"
			undoing, err := r.Render(notice.Mail, template, locale, data)
			if err != nil {
				t.Fatal(err)
			}
			delete(data, "undo") // it takes the place of the page
			got, err := r.Render(notice.Mail, template, locale, data)
			if err != nil {
				t.Fatal(err)
			}
			link := account + "/not-me?about=" + template
			if !strings.Contains(got.Text, "\n\n"+link+"\n\n") || !strings.Contains(got.HTML, `<a href="`+link+`"`) {
				t.Errorf("%s in %s does not lead to %s:\n%s\n%s", template, locale, link, got.Text, got.HTML)
			}
			if n := strings.Count(got.Text, "https://"); n != 1 {
				t.Errorf("%s in %s has %d addresses: %s", template, locale, n, got.Text)
			}
			for _, text := range []string{got.Text, undoing.Text} {
				if !strings.Contains(text, "Firefox") || !strings.Contains(text, "2001:db8:1:2::") {
					t.Errorf("%s in %s does not say where it was done: %s", template, locale, text)
				}
			}
			if !strings.Contains(got.Text, "help@example.com") {
				t.Errorf("%s in %s does not name the contact: %s", template, locale, got.Text)
			}
		}
	}
}

// An address on a line of its own is there to be followed, also in a mail program that makes no links.
func TestAnAddressOnItsLineIsALink(t *testing.T) {
	r := newRenderer(t)
	for _, template := range notice.Templates() {
		for _, locale := range []string{"en", "de"} {
			data := values()
			if notice.HasCode(template) {
				data["link"] = "https://login.example.com/reset?token=abc"
			}
			got, err := r.Render(notice.Mail, template, locale, data)
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.SplitSeq(got.Text, "\n") {
				if strings.HasPrefix(line, "https://") && !strings.Contains(line, " ") && !strings.Contains(got.HTML, `<a href="`+line+`"`) {
					t.Errorf("%s in %s does not link to %s: %s", template, locale, line, got.HTML)
				}
			}
		}
	}
}

// Operators find every message in the guide of those who write their texts themselves, and every
// notice in the guide to notices.
func TestTheGuidesNameEveryTemplate(t *testing.T) {
	for file, all := range map[string]bool{"sending-messages.md": true, "notices.md": false} {
		text, err := os.ReadFile("../../docs/guides/" + file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range notice.Templates() {
			if (all || !notice.HasCode(name)) && !strings.Contains(string(text), "`"+name+"`") {
				t.Errorf("%s does not name %s", file, name)
			}
		}
	}
}
