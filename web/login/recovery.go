package login

import (
	"github.com/gin-gonic/gin"

	"sallyport/provider"
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
	if err := p.look.WriteCodes(c, "recovery", p.page(c, t, nil), codes); err != nil {
		p.fail(c, t, err)
	}
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
