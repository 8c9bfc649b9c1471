package login

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"sallyport/provider"
	"sallyport/storage"
	"sallyport/web/page"
	"sallyport/web/signin"
)

// page prepares the data of a template from the state of the login.
func (p *Pages) page(c *gin.Context, call signin.Call, data any) page.Page {
	v := p.look.Page(c, call.Caller.Locale, data)
	if c.Request.Method == http.MethodPost && requestOf(c) == "" {
		v.Here = "" // the parameters are in the form
	}
	v.Request, v.Client = call.Step.Request.ID, clientOf(call.Step.Client, call.Step.ClientHome)
	if call.Step.Request.Subject != "" {
		v.Account = call.Step.LoginHint
	}
	return v
}

func clientOf(c storage.Client, home string) page.Client {
	name := c.Name
	if name == "" {
		name = string(c.ID)
	}
	return page.Client{Name: name, Home: home, Logo: c.LogoURI, Policy: c.PolicyURI, Terms: c.TosURI}
}

// Answer sends a result to the client, for surfaces without pages.
func (p *Pages) Answer(c *gin.Context, a provider.Answer) { p.answer(c, signin.Call{}, a) }

// answer sends a result to the client: a redirect, or a form that posts itself.
func (p *Pages) answer(c *gin.Context, call signin.Call, a provider.Answer) {
	if a.FormPost == nil {
		page.Redirect(c, a.Location)
		return
	}
	p.look.Write(c, http.StatusOK, "form_post", p.page(c, call, a.FormPost))
}
