package login

import (
	"context"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/provider"
	"sallyport/web/page"
	"sallyport/web/signin"
)

// ClientPage returns the address of a client's own page for a step, with the parameters
// that page expects; "": the page expects no others than the request.
type ClientPage func(ctx context.Context, st provider.Step, v mfa.Caller) (string, error)

// WithClientPages returns the pages, which lead to clients' own pages by the address that
// f returns.
func (p *Pages) WithClientPages(f ClientPage) *Pages {
	with := *p
	with.clientPage = f
	return &with
}

// toClientPage redirects to the client's own page for a step. From the second factor on
// this may store a track for the login.
func (p *Pages) toClientPage(c *gin.Context, call signin.Call) {
	to := call.Step.LoginPage
	if p.clientPage != nil {
		address, err := p.clientPage(c.Request.Context(), call.Step, call.Caller)
		if err != nil {
			p.fail(c, call, err)
			return
		}
		if address != "" {
			to = address
		}
	}
	page.Redirect(c, to)
}
