package login

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"sallyport/provider"
	"sallyport/storage"
	"sallyport/web/page"
)

// page prepares what a template is given, from where the login stands.
func (p *Pages) page(c *gin.Context, t turn, data any) page.Page {
	v := p.look.Page(c, t.visit.Locale, data)
	v.Request, v.Client = t.step.Request.ID, clientOf(t.step.Client, t.step.ClientHome)
	if t.step.Request.Subject != "" {
		v.Account = t.step.LoginHint
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

// answer hands what provider decided to the client: a redirect, or a form that posts itself.
func (p *Pages) answer(c *gin.Context, t turn, a provider.Answer) {
	if a.FormPost == nil {
		page.Redirect(c, a.Location)
		return
	}
	p.look.Write(c, http.StatusOK, "form_post", p.page(c, t, a.FormPost))
}
