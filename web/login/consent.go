package login

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"sallyport/provider"
)

// consentPage is the data of the page that asks for consent.
type consentPage struct {
	Scopes []string
	From   *origin // of a request that began elsewhere; nil: it began in this browser
}

func (p *Pages) consentForm(c *gin.Context) {
	if call, ok := p.at(c, provider.StepConsent, provider.Ask{}); ok {
		p.look.Write(c, http.StatusOK, "consent", p.page(c, call, consentPage{Scopes: call.Step.Scopes, From: originOf(call.Step.Polled)}))
	}
}

// consent takes the decision. For anything else the page is shown again.
func (p *Pages) consent(c *gin.Context) {
	call, ok := p.at(c, provider.StepConsent, provider.Ask{})
	if !ok {
		return
	}
	var a provider.Answer
	var err error
	switch c.PostForm("decision") {
	case "allow":
		err = p.provider.Allow(c.Request.Context(), call.Step, call.Caller)
	case "deny":
		a, err = p.provider.Cancel(c.Request.Context(), call.Step, call.Caller)
	}
	if err != nil {
		p.fail(c, call, err)
		return
	}
	if a.Location != "" || a.FormPost != nil {
		p.answer(c, call, a)
		return
	}
	p.advance(c)
}
