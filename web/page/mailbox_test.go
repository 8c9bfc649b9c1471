package page

import "testing"

func TestMailboxesOfAddresses(t *testing.T) {
	for typed, want := range map[string]string{
		"ada@gmail.com": "Gmail", " Ada@GoogleMail.com ": "Gmail", "ada@outlook.com": "Outlook", "ada@pm.me": "Proton Mail", "ada@web.de": "WEB.DE",
		"ada@example.com": "", "ada@gmail.com.evil.example": "", "ada@x@gmail.com": "", "gmail.com": "", "ada": "", "": "", "+491701234567": "",
	} {
		got := ""
		if m := MailboxOf(typed); m != nil {
			got = m.Name
		}
		if got != want {
			t.Errorf("%q: %q, want %q", typed, got, want)
		}
	}
}
