package login

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"sallyport/provider"
	"sallyport/web"
	"sallyport/web/page"
	"sallyport/web/signin"
)

// loginPage is the data of the page that asks for name and password.
type loginPage struct {
	Username string
	Known    bool // the user is identified; only the password is required again
	Focus    string
	Codes    []string // methods that can replace the password
	Forgot   bool     // a forgotten password can be reset
}

func (p *Pages) loginForm(c *gin.Context) {
	// After a proof the way back leads here, and on to the next step.
	a := provider.Ask{MayBeSealed: true, MayBeProven: web.Cookie(c, web.ProvenCookie) != ""}
	if call, ok := p.at(c, provider.StepIdentify, a); ok {
		p.showLogin(c, call, http.StatusOK, call.Step.LoginHint, notice(c))
	}
}

func (p *Pages) login(c *gin.Context) {
	username := c.PostForm("username")
	password, typed := c.GetPostForm("password")
	call, ok := p.at(c, provider.StepIdentify, provider.Ask{Identifier: username, MayBeSealed: true})
	if !ok {
		return
	}
	if call.Step.Request.Subject != "" && username == "" {
		username = call.Step.LoginHint
	}
	if !typed { // from the page for a code
		p.showLogin(c, call, http.StatusOK, username, nil)
		return
	}
	if username == "" || password == "" {
		p.showLogin(c, call, http.StatusUnprocessableEntity, username, &page.Alert{Key: "login.empty", Wrong: true})
		return
	}
	login, proven := p.provider.WithProof(call.Step, call.Caller)
	if err := p.verifier.Password(c.Request.Context(), call.Caller, login, password); err != nil {
		p.retry(c, call, err, func(code int, a *page.Alert) { p.showLogin(c, call, code, username, a) })
		return
	}
	p.goOn(c, call, proven)
}

func (p *Pages) showLogin(c *gin.Context, call signin.Call, code int, username string, a *page.Alert) {
	d := loginPage{Username: username, Known: call.Step.Request.Subject != "" && username != "", Focus: "username",
		Codes: p.codeMethods(call), Forgot: p.resets != nil}
	if username != "" {
		d.Focus = "password"
	}
	v := p.page(c, call, d)
	v.Alert = v.OfPassword(a)
	p.look.Write(c, code, "login", v)
}
