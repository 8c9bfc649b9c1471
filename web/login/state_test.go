package login

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"sallyport/storage"
)

// A client gets its state back with every response, the longest one too; what is longer says so
// on a page that names the parameter.
func TestTheLongestStateComesBack(t *testing.T) {
	h := newFixture(t)
	h.client(nil)
	h.User("ada", "")
	state := strings.Repeat("ü", 2048) // 4096 bytes, 12 KiB in an address
	back := func(b *browser, want string) {
		t.Helper()
		q := b.MustLeave(callback)
		if q.Get("state") != state || q.Get("error") != want || q.Has("code") != (want == "") {
			t.Errorf("response with error %q and a state of %d bytes, want %q and %d", q.Get("error"), len(q.Get("state")), want, len(state))
		}
	}
	b := h.browser()
	b.authorize("state", state)
	b.login("ada", password)
	back(b, "")
	b.authorize("state", state) // with the session alone
	back(b, "")
	h.Wait(time.Second)
	b.authorize("state", state, "prompt", "login")
	b.Submit("cancel")
	back(b, "access_denied")
	b.authorize("state", state, "max_age", "soon")
	back(b, "invalid_request")
	b.authorize("state", state, "prompt", "none", "max_age", "0")
	back(b, "login_required")
	b.Post("/authorize", authorizeParams("state", state, "response_mode", "nothing"))
	back(b, "invalid_request")
	h.client(func(c *storage.Client) { c.Consent = "ask" })
	h.OK(h.Provider.Poll(t.Context()))
	b.authorize("state", state)
	b.Submit("consent-deny", "decision", "deny")
	back(b, "access_denied")

	b.Header = http.Header{"Accept": {"text/html"}}
	b.authorize("state", state+"x")
	b.Must("/authorize", 400, `id="oauth-error"`, "state", "4096 bytes")
	b.authorize("state", strings.Repeat("x", 16<<10))
	b.Must("/authorize", 414, "The application sent more in “state”")
	b.Post("/authorize", authorizeParams("state", strings.Repeat("x", 20<<10)))
	b.Must("/authorize", 400, `id="oauth-error"`, "state", "4096 bytes")
	b.Get("/logout?state=" + state + "x")
	b.Must("/logout", 400, "state", "4096 bytes")
}
