package login

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/provider"
	"sallyport/web/page"
)

// loginPage is the data of the page that asks for name and password.
type loginPage struct {
	Username string
	Known    bool // the login is this person's already; only the password is asked again
	Focus    string
}

func (p *Pages) loginForm(c *gin.Context) {
	if t, ok := p.at(c, provider.StepIdentify, ""); ok {
		p.showLogin(c, t, http.StatusOK, t.step.LoginHint, notice(c))
	}
}

func (p *Pages) login(c *gin.Context) {
	username, password := c.PostForm("username"), c.PostForm("password")
	t, ok := p.at(c, provider.StepIdentify, username)
	if !ok {
		return
	}
	if t.step.Request.Subject != "" && username == "" {
		username = t.step.LoginHint
	}
	if username == "" || password == "" {
		p.showLogin(c, t, http.StatusUnprocessableEntity, username, &page.Alert{Key: "login.empty"})
		return
	}
	if err := p.verifier.Login(c.Request.Context(), t.visit, t.step.Proving, password); err != nil {
		p.retry(c, t, err, func(code int, a *page.Alert) { p.showLogin(c, t, code, username, a) })
		return
	}
	p.advance(c)
}

func (p *Pages) showLogin(c *gin.Context, t turn, code int, username string, a *page.Alert) {
	d := loginPage{Username: username, Known: t.step.Request.Subject != "" && username != "", Focus: "username"}
	if username != "" {
		d.Focus = "password"
	}
	v := p.page(c, t, d)
	v.Alert = a
	p.look.Write(c, code, "login", v)
}

// codeOf is a typed code without the spaces people and apps put into it (G-35).
func codeOf(c *gin.Context) mfa.Response { return mfa.Typed(withoutSpaces(c.PostForm("passcode"))) }
