package account

import (
	"testing"
)

func TestAddingASecondStepAfterAResetAsksForACode(t *testing.T) {
	h := mailFixture(t)
	id := h.User("ada", totpKey)
	code := h.ResetFactors(id)
	b := h.browser()
	b.signIn("/account/add?method=totp", "ada", id, "")
	b.Must("/account/add", 200, `id="demand-submit"`, "Send a code to "+masked)
	at, form := b.Form(`id="demand-submit"`)
	form.Del("check")
	form.Set("name", "Stolen")
	b.Post(at, form)
	b.Must("/account/add", 403, `id="demand-submit"`, "A confirmation code is needed")
	b.Submit("demand-submit", "enrollment_code", "00000000")
	b.Must("/account/add", 422, "That code is wrong", "It may be mistyped")
	b.Submit("demand-mail")
	b.Must("/account/add", 200, "A code is on its way to "+masked)
	b.Submit("demand-submit", "enrollment_code", code)
	b.Must("/account/add", 200, `id="totp-begin"`)
	b.Submit("totp-begin", "name", "My phone")
	b.Must("/account/add", 200, `id="enroll-secret"`)
}
