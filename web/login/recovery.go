package login

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"sallyport/provider"
	"sallyport/web/page"
)

func (p *Pages) recoveryCodes(c *gin.Context) {
	t, ok := p.at(c, provider.StepRecovery, "")
	if !ok {
		return
	}
	codes, err := p.verifier.RecoveryCodes(c.Request.Context(), t.step.Request.Subject)
	if err != nil {
		p.fail(c, t, err)
		return
	}
	p.showRecovery(c, t, codes)
}

func (p *Pages) showRecovery(c *gin.Context, t turn, codes []string) {
	v := p.page(c, t, nil)
	data, err := page.CodesOf(v, codes)
	if err != nil {
		p.fail(c, t, err)
		return
	}
	v.Data = data
	p.look.Write(c, http.StatusOK, "recovery", v)
}

func (p *Pages) recoverySeen(c *gin.Context) {
	t, ok := p.at(c, provider.StepRecovery, "")
	if !ok {
		return
	}
	if err := p.provider.Seen(c.Request.Context(), t.step, t.visit); err != nil {
		p.fail(c, t, err)
		return
	}
	p.advance(c)
}
