package login

import (
	"strings"
	"testing"
	"time"

	"sallyport/mfa/mfatest"
	sent "sallyport/mfa/notice"
)

// resetUser is a user whose factors an administrator has reset, and the code for them.
func (h *fixture) resetUser() string {
	h.T.Helper()
	return h.ResetFactors(h.User("ada", totpKey))
}

func TestTheEnrolmentAfterAResetAsksForACode(t *testing.T) {
	h := mailFixture(t)
	code := h.resetUser()
	b := h.signIn("ada")
	b.Must("/enroll", 200, "Support has removed your earlier second step", "Send a code to "+masked, `id="demand-submit"`)
	at, form := b.Form(`id="demand-submit"`)
	form.Del("check")
	form.Set("method", "totp")
	b.Post(at, form) // as if the form of the method had been shown
	b.Must("/enroll", 403, `id="demand-submit"`, "A confirmation code is needed")
	if strings.Contains(b.Page.Body.String(), "enroll-secret") {
		t.Fatal("a password alone was shown a secret")
	}
	b.Submit("demand-submit", "enrollment_code", "AAAAAA-BBBBBB-CCCCCC-DDDDDD")
	b.Must("/enroll", 422, "That code is wrong", "It may be mistyped", `id="demand-submit"`) // and nothing of an app
	b.Submit("demand-submit", "enrollment_code", strings.ToLower(code))
	b.Must("/enroll", 200, `id="enroll-begin"`)
	b.Submit("enroll-begin", "method", "totp")
	b.Must("/enroll", 200, `id="enroll-secret"`)
	h.confirmApp(b)
	b.Must("/recovery-codes", 200)
}

// confirmApp types the code of the app whose key the page shows.
func (h *fixture) confirmApp(b *browser) {
	h.T.Helper()
	_, key, _ := strings.Cut(b.Page.Body.String(), `data-value="`)
	key, _, _ = strings.Cut(key, `"`)
	b.Submit("enroll-submit", "passcode", h.Code(key))
}

func TestACodeForTheEnrolmentComesByMail(t *testing.T) {
	h := mailFixture(t)
	h.resetUser()
	b := h.signIn("ada")
	b.Submit("demand-mail")
	b.Must("/enroll", 200, "A code is on its way to "+masked)
	mails := h.Sent(sent.EnrollmentCode)
	if len(mails) != 1 || mails[0].Recipient != mail {
		t.Fatalf("messages = %+v", mails)
	}
	b.Submit("demand-mail")
	b.Must("/enroll", 429, "A new code cannot be sent yet")
	b.Submit("demand-submit", "enrollment_code", mails[0].Data["code"])
	b.Must("/enroll", 200, `id="enroll-begin"`)
	b.Submit("enroll-begin", "method", "email") // its address is asked for on a page of its own
	b.Submit("enroll-send", "address", "other@example.org")
	b.Must("/enroll", 200, "We are sending a code to other@example.org")
	b.Submit("enroll-correct")
	h.Wait(time.Second)
	b.Submit("enroll-send", "address", mail)
	b.Must("/enroll", 200, "We are sending a code to "+mail)
	b.Submit("enroll-submit", "passcode", h.Sent(sent.Code)[0].Data["code"])
	b.Must("/recovery-codes", 200)
}

func TestAMailedCodeForTheEnrolmentExpires(t *testing.T) {
	h := newFixtureWith(t, mfatest.Options{Codes: true})
	h.client(always)
	h.resetUser()
	h.signIn("ada").Submit("demand-mail")
	code := h.Sent(sent.EnrollmentCode)[0].Data["code"]
	h.Wait(31 * time.Minute)
	b := h.signIn("ada")
	b.Submit("demand-submit", "enrollment_code", code)
	b.Must("/enroll", 422, "The confirmation code has expired", "ask your administrator", `id="demand-submit"`)
}
