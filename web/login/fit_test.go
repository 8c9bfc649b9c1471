package login

import (
	"strings"
	"testing"
)

// A code typed into the field of another method counts as what its shape says, and the page
// says so where it is wrong.
func TestACodeInAnotherFieldCounts(t *testing.T) {
	const recoveryCode = "aaaabbbbccccddddeeeeffff"
	for name, tc := range map[string]struct {
		method, right, wrong string
		taken                string // as what a wrong one was checked; "": it stays with its field
	}{
		"a recovery code in the field of the app": {"totp", recoveryCode, "zzzz-bbbb-cccc-dddd-eeee-ffff", "Recovery code"},
		"an older recovery code in it":            {"totp", recoveryCode, "abcde-fghij", "Recovery code"},
		"a code of the app in the recovery field": {"recovery", "", "", "Code from your authenticator app"},
		"a recovery code in its own field":        {"recovery", recoveryCode, "zzzz-bbbb-cccc-dddd-eeee-ffff", ""},
		"a code of the app in its own field":      {"totp", "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := newFixture(t)
			h.client(always)
			h.User("ada", totpKey, recoveryCode)
			right, wrong := tc.right, tc.wrong
			if right == "" {
				right, wrong = h.Code(totpKey), "000000"
				if right == wrong {
					wrong = "000001"
				}
			}
			b := h.browser()
			b.authorize()
			b.login("ada", password)
			b.Follow("method-recovery")
			if tc.method == "totp" {
				b.Follow("method-totp")
			}
			b.Submit("mfa-submit", "passcode", wrong)
			b.Must("/mfa", 422, `id="error"`)
			body := b.Page.Body.String()
			if taken := strings.Contains(body, `id="taken"`); taken != (tc.taken != "") || !strings.Contains(body, tc.taken) {
				t.Errorf("the page says that it was another code: %v, want %q\n%s", taken, tc.taken, body)
			}
			if strings.Contains(body, wrong) {
				t.Error("the page repeats the code")
			}
			b.Submit("mfa-submit", "passcode", right) // whatever field the page shows now
			b.MustLeave(callback)
		})
	}
}

// Shapes give no more guesses: all count in the one counter of second factors.
func TestCodesInOtherFieldsAreCounted(t *testing.T) {
	h := newFixture(t)
	h.client(always)
	h.User("ada", totpKey, "aaaabbbbccccddddeeeeffff")
	b := h.browser()
	b.authorize()
	b.login("ada", password)
	action, form := b.Form(`id="mfa-submit"`)
	for i := range 5 {
		form.Del("exchange")
		form.Del("authenticator")
		form.Set("method", []string{"totp", "recovery"}[i%2])
		form.Set("passcode", []string{"zzzz-bbbb-cccc-dddd-eeee-ffff", "000000"}[i%2])
		b.Post(action, form)
		b.Must("/mfa", 422)
	}
	form.Set("passcode", h.Code(totpKey))
	b.Post(action, form)
	b.Must("/mfa", 429)
	form.Set("passcode", "what?") // a shape that no method has is not counted
	b.Post(action, form)
	b.Must("/mfa", 422)
}
