package login

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"sallyport/mfa/exchange"
	"sallyport/provider"
	"sallyport/storage"
	"sallyport/web/page"
	"sallyport/web/signin"
)

// offerPage is the data of the page that offers a passkey after a password.
type offerPage struct {
	page.Handout // of the pending one; without an exchange: not begun
}

// offering is the call of Next for this page. Without it there is no such step: who leaves the page
// signs in all the same.
var offering = provider.Ask{MayOffer: true}

func (p *Pages) offerForm(c *gin.Context) {
	if call, ok := p.at(c, provider.StepOffer, offering); ok {
		p.showOffer(c, call, http.StatusOK, offerPage{}, nil)
	}
}

// offer takes the answer: no for good, yes, or the new passkey.
func (p *Pages) offer(c *gin.Context) {
	call, ok := p.at(c, provider.StepOffer, offering)
	if !ok {
		return
	}
	ctx, enrollee := c.Request.Context(), p.verifier.InLogin(call.Step.Login)
	if c.PostForm("decline") != "" {
		if err := p.verifier.Decline(ctx, call.Step.Login); err != nil {
			p.fail(c, call, err)
			return
		}
		p.advance(c)
		return
	}
	if id := storage.ExchangeID(c.PostForm("exchange")); id != "" {
		if _, err := p.verifier.Confirm(ctx, call.Caller, enrollee, id, page.ResponseOf(c)); err != nil {
			p.retry(c, call, err, func(code int, a *page.Alert) { p.showOffer(c, call, code, offerPage{}, a) })
			return
		}
		p.advance(c)
		return
	}
	unasked := c.PostForm("unasked") != ""
	enrollment, err := p.verifier.Enroll(ctx, call.Caller, enrollee, exchange.NewFactor{Method: call.Step.Offer, Unasked: unasked})
	if err != nil {
		p.retry(c, call, err, func(code int, a *page.Alert) { p.showOffer(c, call, code, offerPage{}, a) })
		return
	}
	d := offerPage{page.HandoutOf(enrollment)}
	if d.Begin = page.BeginNow; unasked {
		d.Begin = page.BeginUnasked
	}
	p.showOffer(c, call, http.StatusOK, d, nil)
}

func (p *Pages) showOffer(c *gin.Context, call signin.Call, code int, d offerPage, a *page.Alert) {
	v := p.page(c, call, d)
	v.Alert, v.Passkeys = v.OfMethod(a, call.Step.Offer, ""), true
	if d.Exchange != "" {
		v.Here = "" // a GET begins another enrolment
	}
	p.look.Write(c, code, "offer", v)
}
