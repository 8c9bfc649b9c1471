package login

import (
	"io/fs"
	"slices"
	"strings"
	"testing"

	"sallyport/web/page"
)

// TestEveryDeadEndNamesTheContact walks every page in every state: one that shows the support
// number, or asks for what only support can give, links the operator's contact.
func TestEveryDeadEndNamesTheContact(t *testing.T) {
	const contact = "https://help.example.com/?a=1&b=2"
	deadEnds := []string{"mfa", "mfa-none", "mfa-recovery", "enroll-demand", "enroll-demand-wrong", "oauth-error", "over", "unknown", "logout-fault"}
	_, with := stage(t, page.Options{SupportURL: contact})
	_, without := stage(t, page.Options{})
	for _, s := range samples(t) {
		body := get(with, "/show/"+s.name+"?requestId=r-1", "en").Body.String()
		links := strings.Count(body, `href="https://help.example.com/?a=1&amp;b=2"`)
		if dead := strings.Contains(body, `id="support-id"`) || slices.Contains(deadEnds, s.name); dead && links == 0 {
			t.Errorf("%s does not link the contact", s.name)
		}
		if slices.Contains(deadEnds, s.name) {
			checkMarkup(t, s, body)
		}
		own := get(with, "/show/"+s.name+"?requestId=r-1&help=mailto:help@app.example", "en").Body.String()
		if of := strings.Count(own, `href="mailto:help@app.example"`); strings.Contains(own, "Lighthouse Shop") && of != links {
			t.Errorf("%s links the client's contact %d times, want %d", s.name, of, links)
		}
		if strings.Contains(get(without, "/show/"+s.name+"?requestId=r-1", "en").Body.String(), "contact\"") {
			t.Errorf("%s links a contact that is not set", s.name)
		}
	}
}

// The support number has no place of its own in a template: it comes with the contact.
func TestTheSupportNumberComesWithTheContact(t *testing.T) {
	names, err := fs.Glob(Files(), "templates/*.html")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(Files(), name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "support-id") {
			t.Errorf("%s shows the support number without the contact", name)
		}
	}
}
