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
	"sallyport/mfa/exchange"
	"sallyport/web"
	"sallyport/web/page"
)

const (
	statePurpose    = "account state"
	verifierPurpose = "account verifier"
	// youngEnough is the age in seconds up to which a proof counts when somebody is asked
	// to confirm: less than any change demands, so that they get back in time to make it.
	youngEnough = "60"
)

// signIn opens a login for this page that comes back to a place on it. The state is
// bound to the browser: a login that another site began ends in an error.
func (p *Pages) signIn(c *gin.Context, then string, asked url.Values) {
	browser := web.Bind(c)
	state := p.look.Mark(statePurpose, browser, then)
	// The verifier is as secret as the key it is made with, and nobody uses it: the code
	// is not redeemed, and whoever steals it can not either (RFC 7636 section 1).
	challenge := sha256.Sum256([]byte(p.look.Mark(verifierPurpose, browser, state)))
	q := url.Values{"response_type": {"code"}, "client_id": {string(clientID)}, "redirect_uri": {p.issuer + callback}, "scope": {"openid"},
		"state": {state}, "code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"}}
	for name, values := range asked {
		q[name] = values
	}
	if locales := c.Query("ui_locales"); locales != "" {
		q.Set("ui_locales", locales)
	}
	page.Redirect(c, "/authorize?"+q.Encode())
}

// stepUp asks for what is missing to the strongest proof of an account.
func (p *Pages) stepUp(c *gin.Context, t turn) {
	if held, usable := p.seconds(t); held && !usable {
		p.failure(c, t, http.StatusForbidden, page.Alert{Key: "account.locked"})
		return
	}
	p.signIn(c, placeOf(c)+steppedUp, url.Values{"acr_values": {string(mfa.AAL2)}})
}

// steppedUp marks the place of somebody who was asked for the strongest proof, so that a
// login that ends without it is not begun again and again.
const steppedUp = "#stepped-up"

// seconds reports whether second factors are held, and whether one of them can answer.
func (p *Pages) seconds(t turn) (held, usable bool) {
	for _, h := range p.verifier.Held(t.owner.Account) {
		if h.Info.Second {
			held, usable = true, usable || canProve(h)
		}
	}
	return held, usable
}

// returned takes the answer of a login. Its code is not needed: a login that ended has
// left its session in this browser.
func (p *Pages) returned(c *gin.Context) {
	t := turn{visit: web.Visit(c)}
	then, ok := p.look.Marked(statePurpose, t.visit.Browser, c.Query("state"))
	if !ok || !ownPlace(then) {
		key := "stale"
		if t.visit.Browser == "" {
			key = "cookies"
		}
		p.failure(c, t, http.StatusBadRequest, page.Alert{Key: key})
		return
	}
	s, err := page.SignedIn(c, p.sessions)
	if err != nil {
		p.fail(c, t, err)
		return
	}
	then, stepped := strings.CutSuffix(then, steppedUp)
	if s != nil && stepped && !p.verifier.Strong(s.Owner()) {
		p.failure(c, t, http.StatusForbidden, page.Alert{Key: "account.weak"}) // not round and round
		return
	}
	if c.Query("error") == "" && s != nil {
		page.Redirect(c, then)
		return
	}
	// Cancelled: whoever is still signed in gets back to the overview; anybody else is
	// not sent round again without being asked.
	if s != nil {
		page.Redirect(c, home)
		return
	}
	p.failure(c, t, http.StatusForbidden, page.Alert{Key: "account.out"})
}

// ownPlace reports whether an address is one of this page, and nothing else.
func ownPlace(to string) bool {
	u, err := url.Parse(to)
	return err == nil && u.Scheme == "" && u.Host == "" && u.User == nil && !strings.ContainsAny(to, `\`) &&
		(u.Path == home || strings.HasPrefix(u.Path, home+"/")) && !strings.Contains(u.Path, "//") && !strings.Contains(u.Path, "..")
}

// confirmPage is the data of the page that asks for a younger proof.
type confirmPage struct {
	Then   string
	Second bool // a second factor is held, and will be asked for
}

// again shows that a change needs a younger proof, and the way to it. It is no redirect:
// a factor that can not be proven (switched off) would send the browser in circles.
func (p *Pages) again(c *gin.Context, t turn) {
	held, usable := p.seconds(t)
	d := confirmPage{Then: placeOf(c), Second: held}
	if held && !usable {
		p.failure(c, t, http.StatusForbidden, page.Alert{Key: "account.locked"})
		return
	}
	p.show(c, t, http.StatusForbidden, "account_confirm", d, nil)
}

// canProve reports whether an authenticator can still answer.
func canProve(h exchange.Held) bool {
	return !h.Disabled && (h.Info.Enrolls || h.Info.Sends || h.Left > 0)
}

// confirm sends a person through the login once more, and back to where they were.
func (p *Pages) confirm(c *gin.Context, t turn) {
	then := c.Query("then")
	if !ownPlace(then) {
		then = home
	}
	asked := url.Values{"max_age": {youngEnough}}
	if slices.ContainsFunc(p.verifier.Held(t.owner.Account), func(h exchange.Held) bool { return h.Info.Second }) {
		asked.Set("acr_values", string(mfa.AAL2))
	}
	p.signIn(c, then, asked)
}

// fresh answers with the way to a younger proof where the owner has none.
func (p *Pages) fresh(c *gin.Context, t turn) bool {
	err := p.verifier.Fresh(t.owner)
	if err != nil {
		p.fail(c, t, err)
	}
	return err == nil
}
