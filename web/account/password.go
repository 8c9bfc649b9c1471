package account

import (
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/selfservice"
	"sallyport/web/page"
)

// passwordPage is the data of the page that changes the password.
type passwordPage struct {
	Notice     string // the change just made; "": none
	KeepOthers bool
	Fault      string // the field that the alert is about; "": there is no alert
}

// aboutNew are the refusals of the new password.
var aboutNew = []mfa.Code{mfa.PasswordTooShort, mfa.PasswordTooLong, mfa.PasswordTooCommon, mfa.PasswordBreached, mfa.PasswordUnchecked}

func (p *Pages) passwordForm(c *gin.Context, call ownerCall) {
	d := passwordPage{}
	if what, ok := p.look.Verify(donePurpose, call.caller.Browser, c.Query(doneParam)); ok && what == "notme" {
		d.Notice = "account.done.notme"
	}
	p.show(c, call, http.StatusOK, "account_password", d, nil)
}

func (p *Pages) password(c *gin.Context, call ownerCall) {
	change := selfservice.PasswordChange{Old: c.PostForm("old"), New: c.PostForm("new"), EndOthers: c.PostForm("others") != ""}
	d := passwordPage{KeepOthers: !change.EndOthers}
	if page.Differs(c) {
		d.Fault = "repeat"
		p.show(c, call, http.StatusUnprocessableEntity, "account_password", d, &page.Alert{Key: "password.differ", Wrong: true})
		return
	}
	if err := p.accounts.ChangePassword(c.Request.Context(), call.caller, call.owner, change); err != nil {
		d.Fault = "old"
		if slices.Contains(aboutNew, mfa.CodeOf(err)) {
			d.Fault = "new"
		}
		p.retry(c, call, err, func(code int, a *page.Alert) {
			p.show(c, call, code, "account_password", d, p.page(c, call, nil).OfPassword(a))
		})
		return
	}
	p.done(c, call, "password")
}
