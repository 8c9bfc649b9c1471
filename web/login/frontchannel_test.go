package login

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport/storage"
)

// OpenID Connect Front-Channel Logout 1.0.
//
// Conformance (Logout): Front-Channel Logout 2, 3: frames with `iss` and `sid` for all clients of the session, then the redirect
func TestFrontchannelLogout(t *testing.T) {
	h := newFixture(t)
	h.client(func(c *storage.Client) {
		c.FrontchannelLogoutURI = "https://app.example/out?a=%3Cb%3E&c=\"d"
		c.PostLogoutRedirectURIs = append(c.PostLogoutRedirectURIs, "com.example.app:/bye")
		c.Native = true
	})
	h.User("ada", "")
	signIn := func() (b *browser, hint string) {
		b = h.browser()
		b.authorize()
		b.login("ada", password)
		return b, h.idToken(b.MustLeave(callback))
	}
	b, hint := signIn()
	b.Get("/logout?" + url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {"https://app.example/bye"}, "state": {"a&b"}}.Encode())
	sid := strings.Split(strings.SplitN(b.Page.Body.String(), "sid=", 2)[1], `"`)[0]
	b.Must("/logout", 200, "Signing you out", `sandbox="allow-scripts allow-same-origin"`,
		`<iframe src="https://app.example/out?a=%3Cb%3E&amp;c=%22d&amp;iss=`+url.QueryEscape(issuer)+"&amp;sid="+sid+`"`,
		`content="6;url=/logout?client_id=shop&amp;post_logout_redirect_uri=https%3A%2F%2Fapp.example%2Fbye&amp;state=a%26b"`)
	if got := b.Page.Header().Get("Content-Security-Policy"); !strings.HasSuffix(got, "; frame-src https://app.example") {
		t.Errorf("policy = %q", got)
	}
	if strings.Contains(b.Page.Body.String(), `id="languages"`) || b.Cookies["__Host-sallyport_session"] != "" {
		t.Error("the page offers to load itself again, or keeps the session")
	}
	b.Follow("onward")
	if b.Left != "https://app.example/bye?state=a%26b" {
		t.Errorf("left to %q", b.Left)
	}
	b.Get("/logout?" + url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {"https://app.example/bye"}}.Encode())
	if b.Left != "https://app.example/bye" { // loaded again: nothing is left to do
		t.Errorf("left to %q", b.Left)
	}

	b, hint = signIn()
	b.Get("/logout?" + url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {"com.example.app:/bye"}}.Encode())
	b.Must("/logout", 200, "Signing you out")
	b.Follow("onward")
	if b.Left != "com.example.app:/bye" {
		t.Errorf("left to %q", b.Left)
	}

	b, hint = signIn()
	h.Wait(13 * time.Hour) // the session has expired
	b.Get("/logout?" + url.Values{"id_token_hint": {hint}}.Encode())
	b.Must("/logout", 200, "Signing you out", "<iframe")
	b.Get("/logout?" + url.Values{"id_token_hint": {hint}}.Encode())
	b.Must("/logged-out", 200)

	b, _ = signIn()
	b.Get("/logout")
	b.Submit("logout-confirm")
	b.Must("/logout", 200, "Signing you out", `href="/logged-out"`)
	b.Follow("onward")
	b.Must("/logged-out", 200)

	h.client(nil)
	b, _ = signIn()
	b.Get("/logout")
	if strings.Contains(b.Page.Header().Get("Content-Security-Policy"), "frame-src") {
		t.Error("a page without frames allows some")
	}
	b.Submit("logout-confirm")
	b.Must("/logged-out", 200)
}
