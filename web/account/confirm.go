package account

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/selfservice"
	"sallyport/web"
	"sallyport/web/page"
	"sallyport/web/signin"
)

const (
	statePurpose    = "account state"
	verifierPurpose = "account verifier"
	// freshAge is the age in seconds up to which a proof counts as a confirmation: less
	// than any change allows, so that the user has time to make the change.
	freshAge = "60"
)

// signIn begins a login that returns to a place on this page. The state is bound to the
// browser: a login that another site began ends in an error.
func (p *Pages) signIn(c *gin.Context, then string, params url.Values) {
	browser := web.Bind(c)
	state := p.look.Sign(statePurpose, browser, then)
	// Nothing uses the verifier: the code is never redeemed, and as the verifier is derived
	// from a secret key, an attacker cannot redeem it either (RFC 7636 section 1).
	challenge := sha256.Sum256([]byte(p.look.Sign(verifierPurpose, browser, state)))
	q := url.Values{"response_type": {"code"}, "client_id": {string(clientID)}, "redirect_uri": {p.issuer + callback}, "scope": {"openid"},
		"state": {state}, "code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"}}
	for name, values := range params {
		q[name] = values
	}
	if locales := c.Query("ui_locales"); locales != "" {
		q.Set("ui_locales", locales)
	}
	page.Redirect(c, "/authorize?"+q.Encode())
}

// stepUp requests the second factor of an account.
func (p *Pages) stepUp(c *gin.Context, call ownerCall) {
	if held, usable := p.seconds(call); held && !usable {
		p.failure(c, call, http.StatusForbidden, page.Alert{Key: "account.locked"})
		return
	}
	p.signIn(c, placeOf(c)+steppedUp, url.Values{"acr_values": {string(mfa.AAL2)}})
}

// steppedUp marks the place of a user who was sent to step up, so that a login that ends
// without a second factor does not begin again in a loop.
const steppedUp = "#stepped-up"

// seconds reports whether the account has second factors, and whether one is usable.
func (p *Pages) seconds(call ownerCall) (held, usable bool) {
	for _, h := range p.accounts.Held(call.owner.Account) {
		if h.Info.Second {
			held, usable = true, usable || canProve(h)
		}
	}
	return held, usable
}

// returned is the redirect address of the login. It ignores the code: the session is in
// this browser already.
func (p *Pages) returned(c *gin.Context) {
	call := ownerCall{caller: web.Caller(c)}
	if c.Request.URL.RawQuery == "" { // opened by hand
		page.Redirect(c, home)
		return
	}
	then, ok := p.look.Verify(statePurpose, call.caller.Browser, c.Query("state"))
	if !ok || !ownPlace(then) {
		key := "code." + string(mfa.UnknownRequest)
		if call.caller.Browser == "" {
			key = "cookies"
		}
		web.Refused(c, mfa.Refusal{Reason: string(mfa.UnknownRequest), Parameter: "state"})
		p.failure(c, call, http.StatusBadRequest, page.Alert{Key: key})
		return
	}
	s, err := signin.Session(c, p.sessions)
	if err != nil {
		p.fail(c, call, err)
		return
	}
	then, stepped := strings.CutSuffix(then, steppedUp)
	if s != nil && stepped && !p.accounts.Strong(s.Owner()) {
		p.failure(c, call, http.StatusForbidden, page.Alert{Key: "account.weak"}) // or it would loop
		return
	}
	if c.Query("error") == "" && s != nil {
		page.Redirect(c, then)
		return
	}
	// Cancelled: a user who is still signed in returns to the overview; others do not start
	// over unless they choose to.
	if s != nil {
		page.Redirect(c, home)
		return
	}
	p.failure(c, call, http.StatusForbidden, page.Alert{Key: "account.out"})
}

// ownPlace reports whether an address is one of the account page.
func ownPlace(to string) bool {
	u, err := url.Parse(to)
	return err == nil && u.Scheme == "" && u.Host == "" && u.User == nil && !strings.ContainsAny(to, `\`) &&
		(u.Path == home || strings.HasPrefix(u.Path, home+"/")) && !strings.Contains(u.Path, "//") && !strings.Contains(u.Path, "..")
}

// confirmPage is the data of the page that asks for a more recent proof.
type confirmPage struct {
	Then   string
	Second bool // the account has a second factor, which will be required
}

// showConfirm shows that a change requires a more recent proof, with a link to the login. It
// does not redirect: with a disabled factor the browser would loop.
func (p *Pages) showConfirm(c *gin.Context, call ownerCall) {
	held, usable := p.seconds(call)
	d := confirmPage{Then: placeOf(c), Second: held}
	if held && !usable {
		p.failure(c, call, http.StatusForbidden, page.Alert{Key: "account.locked"})
		return
	}
	web.Refused(c, mfa.Refusal{Reason: string(mfa.ReauthenticationRequired)})
	p.show(c, call, http.StatusForbidden, "account_confirm", d, nil)
}

// canProve reports whether an authenticator is still usable.
func canProve(h selfservice.Held) bool {
	return !h.Disabled && (h.Info.Enrolls || h.Info.Sends || h.Left > 0)
}

// confirm sends a user through the login once more, and back to their page.
func (p *Pages) confirm(c *gin.Context, call ownerCall) {
	then := c.Query("then")
	if !ownPlace(then) {
		then = home
	}
	params := url.Values{"max_age": {freshAge}}
	if slices.ContainsFunc(p.accounts.Held(call.owner.Account), func(h selfservice.Held) bool { return h.Info.Second }) {
		params.Set("acr_values", string(mfa.AAL2))
	}
	p.signIn(c, then, params)
}

// requireFresh reports whether the user's proof is recent enough; if not, it shows how to renew it.
func (p *Pages) requireFresh(c *gin.Context, call ownerCall) bool {
	err := p.verifier.CheckFresh(call.owner)
	if err != nil {
		p.fail(c, call, err)
	}
	return err == nil
}
