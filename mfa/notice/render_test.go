package notice_test

import (
	"embed"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"sallyport/mfa"
	"sallyport/mfa/notice"
)

//go:embed templates
var templates embed.FS

const account = "https://login.example.com/account"

func newRenderer(t *testing.T) *notice.Renderer {
	t.Helper()
	texts := fstest.MapFS{
		"messages/en.json": {Data: []byte(`{"method.totp.short": "Authenticator app"}`)},
		"messages/de.json": {Data: []byte(`{"method.totp.short": "Authenticator-App"}`)},
	}
	r, err := notice.NewRenderer("login.example.com", account, []mfa.Info{{Name: "totp", Texts: texts}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// longLink is longer than a value that users choose may be.
var longLink = "https://login.example.com/" + strings.Repeat("long/", 20) + "reset/0123"

// values returns what every template may show, each with a text that no template has.
func values() map[string]string {
	return map[string]string{"product": "Harbour", "time": "2026-11-29T15:04:05Z", "code": "31415926", "minutes": "7",
		"method": "totp", "name": "Nora's phone", "left": "4", "address": "ada@example.com", "link": longLink,
		"new": "new@example.com", "username": "countess", "old": "lovelace", "undo": "2f8d7f2a-0000-0000-0000-00000000abcd", "until": "2026-12-06T15:04:05Z"}
}

// shown are the values that a message must show, by template.
var shown = map[string][]string{
	notice.Code:            {"31415926", "7"},
	notice.EnrollmentCode:  {"31415926", "7"},
	notice.PasswordReset:   {"31415926", "7", longLink},
	notice.SignUp:          {"31415926", "7", longLink},
	notice.SignUpTaken:     nil,
	notice.RecoveryUsed:    {"4"},
	notice.FactorLocked:    {"Authenticator"},
	notice.PasswordLocked:  nil,
	notice.FactorEnrolled:  {"Authenticator"},
	notice.FactorRemoved:   {"Authenticator"},
	notice.RecoveryRenewed: nil,
	notice.PasswordChanged: nil,
	notice.PasskeyCounter:  nil,
	notice.NewDevice:       nil,
	notice.SignInWaiting:   {"/account"},
	notice.AddressRemoved:  {"ada@example.com", "/undo?token=2f8d7f2a-0000-0000-0000-00000000abcd"},
	notice.AddressAdded:    {"ada@example.com", "/undo?token=2f8d7f2a-0000-0000-0000-00000000abcd"},
	notice.AddressChanged:  {"ada@example.com", "new@example.com", "/undo?token=2f8d7f2a-0000-0000-0000-00000000abcd"},
	notice.AddressTaken:    nil,

	notice.AddressesRestored: nil,
	notice.UsernameChanged:   {"countess", "lovelace"},

	notice.Invitation: {"Harbour", longLink, "2026, 15:04 UTC"},
}

func TestEveryMessageShowsItsValues(t *testing.T) {
	r := newRenderer(t)
	for _, template := range notice.Templates() {
		for locale, date := range map[string]string{"en": "29 November 2026, 15:04 UTC", "de": "29.11.2026, 15:04 UTC", "de-AT": "29.11.2026", "": "29 November", "fr": "29 November"} {
			for _, kind := range notice.Kinds() {
				t.Run(strings.Join([]string{template, locale, kind}, "/"), func(t *testing.T) {
					got, err := r.Render(kind, template, locale, values())
					if err != nil {
						t.Fatal(err)
					}
					want := slices.Clone(shown[template])
					if template == notice.PasswordReset || template == notice.SignUp {
						want = append(want, "Harbour")
					} else if !notice.HasCode(template) {
						want = append(want, date, "Harbour")
					}
					if kind == notice.SMS {
						want = slices.DeleteFunc(want, func(s string) bool { return template == notice.RecoveryUsed && s == "4" })
					}
					texts := []string{got.Text}
					if kind == notice.Mail {
						texts = append(texts, got.HTML)
						if !strings.Contains(got.Subject, "Harbour") || strings.Contains(got.Subject, "31415926") {
							t.Errorf("the subject is %q", got.Subject)
						}
					} else if got.Subject != "" || got.HTML != "" {
						t.Errorf("a text message has a subject or HTML: %+v", got)
					}
					for _, text := range texts {
						for _, w := range want {
							if !strings.Contains(text, w) {
								t.Errorf("%q is missing in %s", w, text)
							}
						}
						for _, fault := range []string{"<no value>", "{{", "}}", "%!"} {
							if strings.Contains(text, fault) {
								t.Errorf("%q is in %s", fault, text)
							}
						}
					}
				})
			}
		}
	}
}

func TestACodeIsValidForOneMinuteOrForSeveral(t *testing.T) {
	r := newRenderer(t)
	for _, tc := range []struct{ locale, minutes, want string }{
		{"en", "1", " 1 minute"}, {"en", "10", " 10 minutes"},
		{"de", "1", " 1 Minute"}, {"de", "10", " 10 Minuten"},
	} {
		for _, kind := range notice.Kinds() {
			data := values()
			data["minutes"] = tc.minutes
			got, err := r.Render(kind, notice.Code, tc.locale, data)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc([]string{" ", "."}, func(end string) bool { return strings.Contains(got.Text, tc.want+end) }) {
				t.Errorf("%s %s: %q is missing in %s", kind, tc.locale, tc.want, got.Text)
			}
		}
	}
}

func TestEveryNoticeSaysWhatToDo(t *testing.T) {
	r := newRenderer(t)
	for _, template := range notice.Templates() {
		for _, locale := range []string{"en", "de"} {
			for _, kind := range notice.Kinds() {
				got, err := r.Render(kind, template, locale, values())
				if err != nil {
					t.Fatal(err)
				}
				if !notice.HasCode(template) && !strings.Contains(got.Text, account) && !strings.Contains(strings.ToLower(got.Text), "support") {
					t.Errorf("%s %s %s does not say what to do: %s", template, locale, kind, got.Text)
				}
			}
		}
	}
}

func TestAMissingValueIsAnError(t *testing.T) {
	r := newRenderer(t)
	for _, template := range notice.Templates() {
		for _, kind := range notice.Kinds() {
			for _, key := range []string{"product", "time", "code", "minutes", "method", "address", "link"} {
				data := values()
				delete(data, key)
				codes := notice.HasCode(template)
				needed := key == "product" || slices.Contains([]string{"code", "minutes"}, key) == codes && (key != "time" || !codes)
				if template == notice.Invitation { // a link without a code
					needed = key == "product"
				}
				if key == "link" {
					needed = template == notice.PasswordReset || template == notice.SignUp || template == notice.Invitation
				}
				if key == "method" {
					needed = strings.HasPrefix(template, "factor_")
				}
				if key == "address" {
					needed = slices.Contains([]string{notice.AddressRemoved, notice.AddressAdded, notice.AddressChanged}, template)
				}
				if _, err := r.Render(kind, template, "en", data); (err != nil) != needed {
					t.Errorf("%s %s without %s: %v", kind, template, key, err)
				} else if err != nil && strings.Contains(err.Error(), "31415926") {
					t.Errorf("the error holds the code: %v", err)
				}
			}
		}
	}
	for kind, template := range map[string]string{notice.Mail: "unknown", notice.SMS: "unknown", "pigeon": notice.Code} {
		if _, err := r.Render(kind, template, "en", values()); err == nil {
			t.Errorf("%s %s is rendered", kind, template)
		}
	}
	for _, optional := range []string{"left", "name", "undo"} {
		data := values()
		delete(data, optional)
		for _, template := range []string{notice.RecoveryUsed, notice.FactorRemoved} {
			if _, err := r.Render(notice.Mail, template, "de", data); err != nil {
				t.Errorf("%s without %s: %v", template, optional, err)
			}
		}
	}
}

func TestEveryLanguageHasTheSameTexts(t *testing.T) {
	defined := func(name string) []string {
		text, err := templates.ReadFile("templates/" + name + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for part := range strings.SplitSeq(string(text), `{{define "`) {
			out = append(out, strings.SplitN(part, `"`, 2)[0])
		}
		slices.Sort(out)
		return slices.Compact(out)[1:]
	}
	if en, de := defined("en"), defined("de"); !slices.Equal(en, de) {
		t.Errorf("en has %v, de has %v", en, de)
	}
}

func TestAValueBeginsNoLineAndNoMarkup(t *testing.T) {
	r := newRenderer(t)
	const evil = "x\r\nBcc: eve@example.com\r\n\r\n<script>alert(1)</script>\u2028\u202e@evil.example #1"
	for _, template := range notice.Templates() {
		for _, kind := range notice.Kinds() {
			data := values()
			plain, err := r.Render(kind, template, "en", data)
			if err != nil {
				t.Fatal(err)
			}
			for key := range data {
				data[key] = evil
			}
			got, err := r.Render(kind, template, "en", data)
			if err != nil {
				t.Fatal(err)
			}
			if strings.ContainsAny(got.Subject, "\r\n\u2028\u202e") || strings.ContainsAny(got.Text, "\r\u2028\u202e") {
				t.Errorf("%s %s has a control character: %q, %q", kind, template, got.Subject, got.Text)
			}
			if a, b := strings.Count(got.Text, "\n"), strings.Count(plain.Text, "\n"); a != b {
				t.Errorf("%s %s has %d lines, %d without the values", kind, template, a, b)
			}
			if strings.Contains(got.HTML, "<script") {
				t.Errorf("%s %s has markup: %s", kind, template, got.HTML)
			}
		}
	}
	data := values()
	data["name"] = strings.Repeat("ä", 1000)
	got, err := r.Render(notice.Mail, notice.FactorRemoved, "en", data)
	if err != nil || strings.Count(got.Text, "ä") != 100 {
		t.Errorf("%v: a long name is not cut: %s", err, got.Text)
	}
}

// gsm is the default alphabet of text messages (3GPP TS 23.038) without its extension table.
const gsm = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"

func TestTextMessagesUseTheDefaultAlphabet(t *testing.T) {
	r := newRenderer(t)
	for _, template := range notice.Templates() {
		for _, locale := range []string{"en", "de"} {
			got, err := r.Render(notice.SMS, template, locale, values())
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range got.Text {
				if !strings.ContainsRune(gsm, c) {
					t.Errorf("%s %s has %q, which doubles its price: %s", template, locale, c, got.Text)
				}
			}
			if n := len([]rune(got.Text)); n > 2*153 {
				t.Errorf("%s %s has %d characters: %s", template, locale, n, got.Text)
			}
		}
	}
}

func TestTheLastLineOfACodeIsForAutofill(t *testing.T) {
	r := newRenderer(t)
	for _, locale := range []string{"en", "de"} {
		got, err := r.Render(notice.SMS, notice.Code, locale, values())
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(got.Text, "\n")
		if last := lines[len(lines)-1]; last != "@login.example.com #31415926" {
			t.Errorf("the last line is %q", last)
		}
		other, err := r.Render(notice.SMS, notice.PasswordChanged, locale, values())
		if err != nil || strings.Contains(other.Text, "#") {
			t.Errorf("%v: a notice ends as a code does: %s", err, other.Text)
		}
	}
}

func TestAMethodWithoutANameIsRefused(t *testing.T) {
	for _, text := range []string{`{}`, `{"method.x.short": {"one": "x"}}`, `{`} {
		texts := fstest.MapFS{"messages/en.json": {Data: []byte(text)}, "messages/de.json": {Data: []byte(text)}}
		if _, err := notice.NewRenderer("h", account, []mfa.Info{{Name: "x", Texts: texts}}); err == nil {
			t.Error(fmt.Sprint("accepted: ", text))
		}
	}
}
