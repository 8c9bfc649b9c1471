package login

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"sallyport/mfa/signup"
	"sallyport/provider"
	"sallyport/storage"
	"sallyport/web"
	"sallyport/web/page"
	"sallyport/web/signin"
)

// loginPage is the data of the page that asks for name and password.
type loginPage struct {
	Username string
	Known    bool // the user is identified; only the password is required again
	Focus    string
	Passkey  string // the method of the passkey that is refused; "": none
	page.Ceremony
	Codes  []string // methods that can replace the password
	Forgot bool     // a forgotten password can be reset
	SignUp bool     // who has no account can create one

	request storage.RequestID // in Ceremony.Fresh
}

// loginShape is what the page shows of loginPage.
type loginShape struct {
	focus, codes          string
	known, forgot, signUp bool
	ceremony              any
}

// Kept is that of page.Data. The options of a ceremony for a known user name their passkeys.
func (d loginPage) Kept() (page.Kept, bool) {
	if d.Known && d.Call != "" || d.Passkey != "" {
		return page.Kept{}, false
	}
	ceremony, random, ok := d.Shape(d.request)
	shape := loginShape{d.Focus, strings.Join(d.Codes, " "), d.Known, d.Forgot, d.SignUp, ceremony}
	return page.Kept{Shape: shape, Random: random, Texts: []string{d.Username}}, ok
}

// With is that of page.Data.
func (d loginPage) With(texts []string) any {
	d.Username = texts[0]
	return d
}

func (p *Pages) loginForm(c *gin.Context) {
	if call, ok := p.at(c, provider.StepIdentify, loginAsk(c)); ok {
		p.showLogin(c, call, http.StatusOK, call.Step.LoginHint, notice(c))
	}
}

// loginAsk is the call of Next for the page. After a proof the way back leads there, and on to the
// next step.
func loginAsk(c *gin.Context) provider.Ask {
	return provider.Ask{MayBeSealed: true, MayBeProven: web.Cookie(c, web.ProvenCookie) != ""}
}

func (p *Pages) login(c *gin.Context) {
	if c.PostForm("response") != "" {
		p.loginByPasskey(c)
		return
	}
	username := c.PostForm("username")
	password, typed := c.GetPostForm("password")
	call, ok := p.at(c, provider.StepIdentify, provider.Ask{Identifier: username, MayBeSealed: true, MayOffer: c.PostForm("offer") != ""})
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
	d := loginPage{Username: username, Known: call.Step.Request.Subject != "" && username != "", Focus: "username"}
	if username != "" {
		d.Focus = "password"
	}
	p.writeLogin(c, call, code, d, a)
}

func (p *Pages) writeLogin(c *gin.Context, call signin.Call, code int, d loginPage, a *page.Alert) {
	var err error
	d.Codes, d.Forgot = p.codeMethods(call), p.resets != nil
	d.SignUp = p.signups != nil && p.signups.Mode(call.Step.Client) != signup.Off && !d.Known
	signal := d.Signal
	if d.Ceremony, err = p.firstCeremony(c, call); err != nil {
		p.fail(c, call, err)
		return
	}
	d.Signal = signal
	if d.Passkey != "" {
		d.Begin = page.BeginAsked
	}
	d.request = call.Step.Request.Address()
	v := p.page(c, call, d)
	if v.Alert = v.OfPassword(a); d.Passkey != "" {
		v.Alert = v.OfMethod(a, d.Passkey, "")
	}
	v.Passkeys, v.Asks = d.Call != "", d.Fresh != ""
	p.look.Write(c, code, "login", v)
}
