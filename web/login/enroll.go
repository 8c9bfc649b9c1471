package login

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/provider"
	"sallyport/storage"
	"sallyport/web/page"
)

// enrollPage is the data of the page that sets up a second factor.
type enrollPage struct {
	Methods []string // to choose from, before it has begun
	Method  string
	page.Handout
}

func (p *Pages) enrollForm(c *gin.Context) {
	if t, ok := p.at(c, provider.StepEnroll, ""); ok {
		p.showEnroll(c, t, http.StatusOK, enrollPage{}, nil)
	}
}

// enroll begins an enrolment, or confirms the one that has begun.
func (p *Pages) enroll(c *gin.Context) {
	t, ok := p.at(c, provider.StepEnroll, "")
	if !ok {
		return
	}
	if exchange := storage.ExchangeID(c.PostForm("exchange")); exchange != "" {
		p.confirm(c, t, exchange)
		return
	}
	begun, err := p.verifier.BeginEnrollment(c.Request.Context(), t.visit, t.step.Proving, c.PostForm("method"), "")
	if err != nil {
		p.retry(c, t, err, func(code int, a *page.Alert) { p.showEnroll(c, t, code, enrollPage{}, a) })
		return
	}
	p.showEnroll(c, t, http.StatusOK, handed(begun), nil)
}

func (p *Pages) confirm(c *gin.Context, t turn, exchange storage.ExchangeID) {
	ctx := c.Request.Context()
	wrong := p.verifier.ConfirmEnrollment(ctx, t.visit, t.step.Proving, exchange, codeOf(c))
	if wrong == nil {
		p.advance(c)
		return
	}
	p.retry(c, t, wrong, func(code int, a *page.Alert) {
		// A typo must not make the person scan again: the same secret is shown as long
		// as its enrolment lives.
		begun, err := p.verifier.PendingEnrollment(ctx, t.visit, t.step.Proving, exchange)
		if mfa.CodeOf(err) != "" {
			p.showEnroll(c, t, code, enrollPage{}, &page.Alert{Key: "code.enrollment_expired"})
			return
		}
		if err != nil {
			p.fail(c, t, err)
			return
		}
		p.showEnroll(c, t, code, handed(begun), a)
	})
}

func handed(e exchange.Enrolling) enrollPage {
	return enrollPage{Method: e.Method, Handout: page.HandoutOf(e)}
}

func (p *Pages) showEnroll(c *gin.Context, t turn, code int, d enrollPage, a *page.Alert) {
	if d.Methods = t.step.Verdict.Methods; d.Method == "" && len(d.Methods) > 0 {
		d.Method = d.Methods[0]
	}
	v := p.page(c, t, d)
	v.Alert = a
	p.look.Write(c, code, "enroll", v)
}
