package login

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"sallyport/provider"
)

// consentPage is the data of the page that asks for consent.
type consentPage struct{ Scopes []string }

func (p *Pages) consentForm(c *gin.Context) {
	if t, ok := p.at(c, provider.StepConsent, ""); ok {
		p.look.Write(c, http.StatusOK, "consent", p.page(c, t, consentPage{Scopes: t.step.Scopes}))
	}
}

// consent takes the decision. Anything but a clear yes or no asks again.
func (p *Pages) consent(c *gin.Context) {
	t, ok := p.at(c, provider.StepConsent, "")
	if !ok {
		return
	}
	var a provider.Answer
	var err error
	switch c.PostForm("decision") {
	case "allow":
		err = p.provider.Allow(c.Request.Context(), t.step, t.visit)
	case "deny":
		a, err = p.provider.Cancel(c.Request.Context(), t.step, t.visit)
	}
	if err != nil {
		p.fail(c, t, err)
		return
	}
	if a.Location != "" || a.FormPost != nil {
		p.answer(c, t, a)
		return
	}
	p.advance(c)
}
