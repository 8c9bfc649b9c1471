package account

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"sallyport/mfa/notice"
)

func TestThePageOfANoticeChangesNothingByGET(t *testing.T) {
	h := newFixture(t)
	id := h.User("ada", "")
	there, scanner := h.browser(), h.browser()
	there.signIn("/account", "ada", id, "")
	for _, about := range append(notice.Templates(), "", "<script>", "unknown&x=y") {
		for range 3 {
			scanner.Get("/account/not-me?about=" + strings.NewReplacer("<", "%3C", ">", "%3E").Replace(about))
			scanner.Must("/account/not-me", http.StatusOK, "Was this not you?", `id="not-me-submit"`)
			if strings.Contains(scanner.Page.Body.String(), "<script>") {
				t.Error("the page shows its address")
			}
		}
	}
	there.Get("/account")
	there.Must("/account", http.StatusOK, "Your account")
}

func TestThisWasNotMeEndsEverythingElse(t *testing.T) {
	h := newFixture(t)
	id := h.User("ada", "")
	thief, owner := h.browser(), h.browser()
	thief.signIn("/account", "ada", id, "")
	thief.Must("/account", http.StatusOK, "Your account")
	owner.Get("/account/not-me?about=" + notice.FactorEnrolled)
	owner.Submit("not-me-submit") // not signed in: nothing has ended yet
	owner.Must("/login", http.StatusOK)
	thief.Get("/account")
	thief.Must("/account", http.StatusOK, "Your account")
	owner.Submit("login-submit", "username", "ada", "password", password)
	owner.Must("/account/not-me", http.StatusOK, "Was this not you?")
	owner.Submit("not-me-submit")
	owner.Must("/account/password", http.StatusOK, "You are signed out everywhere else", `id="password-submit"`)
	thief.Get("/account")
	thief.Must("/login", http.StatusOK)
}

// The second factor is asked for before the page is shown again, which then says who is signed in: one
// press more, and not a third.
func TestThisWasNotMeAsksForBothFactorsAtOnce(t *testing.T) {
	h := newFixture(t)
	h.User("ada", totpKey)
	b := h.browser()
	b.Get("/account/not-me?about=" + notice.RecoveryUsed)
	b.Submit("not-me-submit")
	b.Submit("login-submit", "username", "ada", "password", password)
	b.Must("/mfa", http.StatusOK)
	b.Submit("mfa-submit", "passcode", h.Code(totpKey))
	b.Must("/account/not-me", http.StatusOK, "Signed in as", "ada")
	b.Submit("not-me-submit")
	b.Must("/account/password", http.StatusOK)
}

func TestThisWasNotMeNeedsAFreshProof(t *testing.T) {
	h := newFixture(t)
	id := h.User("ada", "")
	other, b := h.browser(), h.browser()
	other.signIn("/account", "ada", id, "")
	b.signIn("/account", "ada", id, "")
	h.Wait(16 * time.Minute)
	b.Get("/account/not-me?about=" + notice.PasswordChanged)
	b.Submit("not-me-submit")
	b.Must("/account/not-me", http.StatusForbidden, "Confirm that it is you", "/account/confirm?then=%2faccount%2fnot-me%3fabout%3dpassword_changed%26pressed%3dyes")
	other.Get("/account")
	other.Must("/account", http.StatusOK, "Your account")
}

func TestOthersCannotPostThisWasNotMe(t *testing.T) {
	h := newFixture(t)
	id := h.User("ada", "")
	b := h.browser()
	b.signIn("/account", "ada", id, "")
	b.Post("/account/not-me", nil) // without the token of the form
	b.Must("/account/not-me", http.StatusForbidden, "This page was out of date")
}
