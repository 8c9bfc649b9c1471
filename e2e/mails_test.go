package e2e

import (
	"crypto/rand"
	"path/filepath"
	"strings"
	"testing"

	"sallyport/mfa"
	"sallyport/mfa/enrollcode"
	"sallyport/mfa/notice"
	"sallyport/mfa/totp"
)

// TestMailsInChromium runs browser/mails.test.mjs on every mail in every language, rendered as a
// mail program does: without the server, in both colour schemes.
func TestMailsInChromium(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r, err := notice.NewRenderer("login.example.com", "https://login.example.com/account", []mfa.Info{totp.New(rand.Reader, "Harbour", totp.Options{}).Info(), enrollcode.Info()})
	if err != nil {
		t.Fatal(err)
	}
	for _, template := range notice.Templates() {
		for _, locale := range []string{"en", "de"} {
			data := map[string]string{
				"product": "Harbour", "application": "Harbour charts", "inviter": "Vera Lind", "time": "2026-11-29T15:04:05Z", "code": "31415926", "minutes": "30", "method": "totp", "name": "Nora's phone", "left": "4",
				"address": "somebody.with.a.very.long.address@a-long-name.example.com", "browser": "Firefox", "system": "Linux", "network": "2001:db8:1:2::",
				"new": "other@example.com", "username": "countess", "old": "lovelace", "undo": strings.Repeat("b", 64), "until": "2026-12-06T15:04:05Z"}
			if notice.HasCode(template) {
				data["link"] = "https://login.example.com/reset?token=" + strings.Repeat("a", 64)
			}
			got, err := r.WithSupport("https://help.example.com/a-rather-long-path-without-any-break-in-it").Render(notice.Mail, template, locale, data)
			if err != nil {
				t.Fatal(err)
			}
			writeFile(t, filepath.Join(dir, template+"."+locale+".html"), got.HTML)
		}
	}
	stage := filepath.Join(t.TempDir(), "stage.json")
	writeFile(t, stage, "{}")
	runNode(t, "mails.test.mjs", "SALLYPORT_STAGE="+stage, "SALLYPORT_MAILS="+dir)
}
