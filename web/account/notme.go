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

// notMePage is the data of the page. It is the same for everyone: nothing in its address proves
// who opens it, and a GET changes nothing, as mail scanners open every link.
type notMePage struct {
	Lead   string // what happened: "entered", "password" or "locked"
	Action string
}

func (p *Pages) notMeForm(c *gin.Context) {
	web.Bind(c) // for the form
	about := c.Query("about")
	d := notMePage{Lead: "entered", Action: notMePath}
	switch {
	case about == notice.PasswordChanged:
		d.Lead = "password"
	case slices.Contains([]string{notice.FactorLocked, notice.PasswordLocked}, about):
		d.Lead = "locked"
	}
	if slices.Contains(notice.Templates(), about) {
		d.Action = join(notMePath, url.Values{"about": {about}})
	}
	p.show(c, ownerCall{caller: web.Caller(c)}, http.StatusOK, "account_notme", d, nil)
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
