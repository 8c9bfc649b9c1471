package account

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/selfservice"
	"sallyport/web/page"
	"sallyport/web/problem"
)

// usernamePage is the data of the page on which a user chooses a user name.
type usernamePage struct {
	selfservice.Username
	Typed    string
	Min, Max int // characters
}

func (p *Pages) showUsername(c *gin.Context, call ownerCall, code int, typed string, a *page.Alert) {
	u, editable := p.accounts.Username(call.owner.Account)
	if !editable {
		p.fail(c, call, &mfa.Error{Code: mfa.NotConfigured})
		return
	}
	p.show(c, call, code, "account_username", usernamePage{Username: u, Typed: typed, Min: mfa.MinUsername, Max: mfa.MaxUsername}, a)
}

func (p *Pages) usernameForm(c *gin.Context, call ownerCall) {
	u, editable := p.accounts.Username(call.owner.Account)
	if !editable || p.requireFresh(c, call) {
		p.showUsername(c, call, http.StatusOK, u.Now, nil)
	}
}

// username changes the user name. What the user can correct is shown in the form.
func (p *Pages) username(c *gin.Context, call ownerCall) {
	typed := c.PostForm("username")
	err := p.accounts.ChangeUsername(c.Request.Context(), call.caller, call.owner, typed)
	if err == nil {
		p.done(c, call, "username")
		return
	}
	e, r, _ := problem.Lookup(refusals, err)
	switch mfa.CodeOf(err) {
	case mfa.IdentifierTaken, mfa.NotAllowed, mfa.InvalidIdentifier, mfa.TooMany:
		a := p.reason(c, call, e)
		a.Key = "account.username." + string(e.Code)
		p.showUsername(c, call, r.status, typed, &a)
	default:
		p.fail(c, call, err)
	}
}
