package account

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"sallyport/mfa/exchange"
	"sallyport/web/page"
)

// passwordPage is the data of the page that changes the password.
type passwordPage struct{ KeepOthers bool }

func (p *Pages) passwordForm(c *gin.Context, t turn) {
	p.show(c, t, http.StatusOK, "account_password", passwordPage{}, nil)
}

func (p *Pages) password(c *gin.Context, t turn) {
	change := exchange.PasswordChange{Old: c.PostForm("old"), New: c.PostForm("new"), EndOthers: c.PostForm("others") != ""}
	d := passwordPage{KeepOthers: !change.EndOthers}
	if change.New != c.PostForm("repeat") {
		p.show(c, t, http.StatusUnprocessableEntity, "account_password", d, &page.Alert{Key: "account.differ"})
		return
	}
	if err := p.verifier.ChangePassword(c.Request.Context(), t.visit, t.owner, change); err != nil {
		p.retry(c, t, err, func(code int, a *page.Alert) { p.show(c, t, code, "account_password", d, a) })
		return
	}
	p.done(c, t, "password")
}
