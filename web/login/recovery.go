package login

import (
	"github.com/gin-gonic/gin"

	"sallyport/provider"
	"sallyport/web/signin"
)

func (p *Pages) recoveryCodes(c *gin.Context) {
	call, ok := p.at(c, provider.StepRecovery, provider.Ask{})
	if !ok {
		return
	}
	codes, err := p.verifier.RecoveryCodes(c.Request.Context(), call.Step.Request.Subject)
	if err != nil {
		p.fail(c, call, err)
		return
	}
	p.showRecovery(c, call, codes)
}

func (p *Pages) showRecovery(c *gin.Context, call signin.Call, codes []string) {
	if err := p.look.WriteCodes(c, "recovery", p.page(c, call, nil), codes); err != nil {
		p.fail(c, call, err)
	}
}

func (p *Pages) recoverySeen(c *gin.Context) {
	call, ok := p.at(c, provider.StepRecovery, provider.Ask{})
	if !ok {
		return
	}
	if err := p.provider.Seen(c.Request.Context(), call.Step, call.Caller); err != nil {
		p.fail(c, call, err)
		return
	}
	p.advance(c)
}
