package login

import (
	"strings"
	"testing"
	"time"

	"sallyport/web/webtest"
)

// An enrolment that was begun can be loaded again, as after a visit to the mail or the app on the same
// telephone: with the same secret, in its browser alone, and until it ends. Nothing is sent again.
func TestAnEnrolmentCanBeLoadedAgain(t *testing.T) {
	for method, begun := range map[string]string{"totp": `id="enroll-secret"`, "email": "We are sending a code to " + mail} {
		t.Run(method, func(t *testing.T) {
			h := mailFixture(t)
			h.User("ada", "")
			b := h.signIn("ada")
			b.Submit("enroll-begin", "method", method)
			if method == "email" {
				b.Submit("enroll-send", "address", mail)
			}
			at := b.URL
			_, form := b.Form(`id="enroll-submit"`)
			secret := webtest.Attr(b.Page.Body.String(), "data-value")
			b.AddressHides(form.Get("exchange"), "example", secret)
			h.Wait(time.Minute)
			b.Get(at)
			b.Must("/enroll", 200, begun, form.Get("exchange"), `id="language-de"`)
			if got := webtest.Attr(b.Page.Body.String(), "data-value"); got != secret {
				t.Error("the secret is another one")
			}
			stranger := h.signIn("ada")
			own := stranger.URL
			stranger.Get(own + at[strings.Index(at, "&pending="):])
			stranger.Must("/enroll", 200, `id="enroll-begin"`)
			if _, n := h.sent(mail); n > 1 {
				t.Errorf("%d codes were sent", n)
			}
			b.Submit("enroll-submit", "passcode", "12")
			b.Must("/enroll", 422, form.Get("exchange"))
			h.Wait(20 * time.Minute)
			b = h.signIn("ada")
			b.Get(b.URL + at[strings.Index(at, "&pending="):])
			b.Must("/enroll", 200, `id="enroll-begin"`)
			if strings.Contains(b.Page.Body.String(), form.Get("exchange")) {
				t.Error("an enrolment that is over is shown")
			}
		})
	}
}
