package login

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/provider"
	"sallyport/storage"
	"sallyport/web/page"
	"sallyport/web/signin"
)

// enrollPage is the data of the page that sets up a second factor.
type enrollPage struct {
	Methods []string // to choose from, before the enrolment begins
	Method  string
	page.Handout
}

func (p *Pages) enrollForm(c *gin.Context) {
	if call, ok := p.at(c, provider.StepEnroll, ""); ok {
		p.showEnroll(c, call, http.StatusOK, enrollPage{}, nil)
	}
}

// enroll begins an enrolment, or confirms the pending one.
func (p *Pages) enroll(c *gin.Context) {
	call, ok := p.at(c, provider.StepEnroll, "")
	if !ok {
		return
	}
	if exchange := storage.ExchangeID(c.PostForm("exchange")); exchange != "" {
		p.confirm(c, call, exchange)
		return
	}
	enrollment, err := p.verifier.Enroll(c.Request.Context(), call.Caller, p.verifier.InLogin(call.Step.Login), exchange.NewFactor{Method: c.PostForm("method")})
	if err != nil {
		p.retry(c, call, err, func(code int, a *page.Alert) { p.showEnroll(c, call, code, enrollPage{}, a) })
		return
	}
	p.showEnroll(c, call, http.StatusOK, enrollPageOf(enrollment), nil)
}

func (p *Pages) confirm(c *gin.Context, call signin.Call, exchange storage.ExchangeID) {
	ctx := c.Request.Context()
	_, wrong := p.verifier.Confirm(ctx, call.Caller, p.verifier.InLogin(call.Step.Login), exchange, codeOf(c))
	if wrong == nil {
		p.advance(c)
		return
	}
	p.retry(c, call, wrong, func(code int, a *page.Alert) {
		// After a typo the same secret is shown, until its enrolment expires: the user
		// need not scan again.
		enrollment, err := p.verifier.Enrollment(ctx, call.Caller, p.verifier.InLogin(call.Step.Login), exchange)
		if mfa.CodeOf(err) != "" {
			p.showEnroll(c, call, code, enrollPage{}, &page.Alert{Key: "code.enrollment_expired"})
			return
		}
		if err != nil {
			p.fail(c, call, err)
			return
		}
		p.showEnroll(c, call, code, enrollPageOf(enrollment), a)
	})
}

func enrollPageOf(e exchange.Enrolling) enrollPage {
	return enrollPage{Method: e.Method, Handout: page.HandoutOf(e)}
}

func (p *Pages) showEnroll(c *gin.Context, call signin.Call, code int, d enrollPage, a *page.Alert) {
	if d.Methods = call.Step.Verdict.Methods; d.Method == "" && len(d.Methods) > 0 {
		d.Method = d.Methods[0]
	}
	v := p.page(c, call, d)
	v.Alert = a
	p.look.Write(c, code, "enroll", v)
}
