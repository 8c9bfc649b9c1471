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
	First      bool   // the account has none yet
	KeepOthers bool
	Fault      string // the field that the alert is about; "": there is no alert
}

// aboutNew are the refusals of the new password.
var aboutNew = []mfa.Code{mfa.PasswordTooShort, mfa.PasswordTooLong, mfa.PasswordTooCommon, mfa.PasswordBreached, mfa.PasswordUnchecked}

func (p *Pages) passwordForm(c *gin.Context, call ownerCall) {
	d := passwordPage{First: !p.accounts.HasPassword(call.owner.Account)}
	if d.First && !p.accounts.MaySetPassword(call.owner.Account) {
		page.Redirect(c, home)
		return
	}
	if d.First && !p.requireFresh(c, call) {
		return
	}
	if what, ok := p.look.Verify(donePurpose, call.caller.Browser, c.Query(doneParam)); ok && what == "notme" {
		d.Notice = "account.done.notme"
	}
	p.show(c, call, http.StatusOK, "account_password", d, nil)
}

func (p *Pages) password(c *gin.Context, call ownerCall) {
	change := selfservice.PasswordChange{Old: c.PostForm("old"), New: c.PostForm("new"), EndOthers: c.PostForm("others") != ""}
	d := passwordPage{KeepOthers: !change.EndOthers, First: !p.accounts.HasPassword(call.owner.Account)}
	if page.Differs(c) {
		d.Fault = "repeat"
		p.show(c, call, http.StatusUnprocessableEntity, "account_password", d, &page.Alert{Key: "password.differ", Wrong: true})
		return
	}
	set := func() error { return p.accounts.ChangePassword(c.Request.Context(), call.caller, call.owner, change) }
	if d.First {
		set = func() error { return p.accounts.SetPassword(c.Request.Context(), call.caller, call.owner, change.New) }
	}
	if err := set(); err != nil {
		d.Fault = "old"
		if d.First || slices.Contains(aboutNew, mfa.CodeOf(err)) {
			d.Fault = "new"
		}
		p.retry(c, call, err, func(code int, a *page.Alert) {
			p.show(c, call, code, "account_password", d, p.page(c, call, nil).OfPassword(a))
		})
		return
	}
	if d.First {
		p.done(c, call, "password_set")
		return
	}
	p.done(c, call, "password")
}
