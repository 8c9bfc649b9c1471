package login

import (
	"cmp"
	"net/http"

	"github.com/gin-gonic/gin"

	"sallyport/provider"
	"sallyport/provider/clients"
	"sallyport/storage"
	"sallyport/web"
	"sallyport/web/page"
	"sallyport/web/signin"
)

// page prepares the data of a template from the state of the login.
func (p *Pages) page(c *gin.Context, call signin.Call, data any) page.Page {
	v := p.look.Page(c, call.Caller.Locale, data)
	if c.Request.Method == http.MethodPost && requestOf(c) == "" {
		v.Here = "" // the parameters are in the form
	}
	v.Request, v.Client = call.Step.Request.Address(), clientOf(call.Step.Client, call.Step.ClientHome)
	if id := clientIn(c); call.Step.Client.ID == "" && id != "" {
		if named, home := p.provider.Home(c.Request.Context(), id); named != nil {
			v.Client = clientOf(*named, home)
		}
	}
	if call.Step.Request.Subject != "" {
		v.Account, v.User = call.Step.LoginHint, call.Step.Request.Subject
	}
	return v
}

// clientIn returns the client that the address or the form names; "": none, or one that no client can
// have. It proves nothing.
func clientIn(c *gin.Context) storage.ClientID {
	id := cmp.Or(web.Query(c).Get("client_id"), c.PostForm("client_id"))
	if len(id) > clients.MaxID {
		return ""
	}
	return storage.ClientID(id)
}

func clientOf(c storage.Client, home string) page.Client {
	name := c.Name
	if name == "" {
		name = string(c.ID)
	}
	return page.Client{ID: c.ID, Name: name, Home: home, Logo: c.LogoURI, Policy: c.PolicyURI, Terms: c.TosURI, Contact: c.SupportURL}
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
