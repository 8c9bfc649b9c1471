package account

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/gin-gonic/gin"

	"sallyport/mfa/notice"
	"sallyport/mfa/selfservice"
	"sallyport/web"
	"sallyport/web/page"
)

// notMePath is where notices send users who did not do what they tell of.
const notMePath = home + "/not-me"

// notMePage is the data of the page. It is the same for everyone who is not signed in: nothing in its
// address proves who opens it, and a GET changes nothing, as mail scanners open every link.
type notMePage struct {
	Lead   string // what happened: "entered", "password" or "locked"
	Action string
}

func (p *Pages) notMeForm(c *gin.Context) {
	if c.Query(pressedParam) != "" {
		p.signedIn(p.showNotMe)(c)
		return
	}
	web.Bind(c) // for the form
	p.showNotMe(c, ownerCall{caller: web.Caller(c)})
}

// pressedParam is in the address that the form is sent to, and so in the one to which its user
// returns from the login: the whole of it, with the second factor, comes before the page is shown
// again.
const pressedParam = "pressed"

func (p *Pages) showNotMe(c *gin.Context, call ownerCall) {
	about := c.Query("about")
	q := url.Values{pressedParam: {"yes"}}
	d := notMePage{Lead: "entered"}
	switch {
	case about == notice.PasswordChanged:
		d.Lead = "password"
	case slices.Contains([]string{notice.FactorLocked, notice.PasswordLocked}, about):
		d.Lead = "locked"
	}
	if slices.Contains(notice.Templates(), about) {
		q.Set("about", about)
	}
	d.Action = join(notMePath, q)
	p.show(c, call, http.StatusOK, "account_notme", d, nil)
}

// notMe ends every session, grant and remembered device but this session, which was proven just
// now, and leads to the password.
func (p *Pages) notMe(c *gin.Context, call ownerCall) {
	if !p.requireFresh(c, call) {
		return
	}
	if err := p.sessions.EndOthers(c.Request.Context(), call.caller, call.owner); err != nil {
		p.fail(c, call, err)
		return
	}
	if !slices.ContainsFunc(p.accounts.Held(call.owner.Account), func(h selfservice.Held) bool { return h.Info.First && h.Info.Chosen }) {
		p.done(c, call, "sessions")
		return
	}
	page.Redirect(c, join("/account/password", url.Values{doneParam: {p.look.Sign(donePurpose, call.caller.Browser, "notme")}}))
}
