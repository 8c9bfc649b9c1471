package login

import (
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/provider"
	"sallyport/web/page"
	"sallyport/web/signin"
)

// enrollPage is the data of the page that sets up a second factor.
type enrollPage struct {
	Methods []string // to choose from, before the enrolment begins
	Method  string
	Chosen  bool // the user chose the method, or there is one only
	Attests bool // only a key in hardware is accepted
	Another bool // and the passkey that was proven is none
	Action  string
	page.AddressField
	page.Demand
	page.Handout
	page.Sending
}

func (p *Pages) enrollForm(c *gin.Context) {
	call, ok := p.at(c, provider.StepEnroll, provider.Ask{})
	if !ok {
		return
	}
	if w, pending := p.look.PendingOf(c); pending {
		p.showPending(c, call, http.StatusOK, w, nil)
		return
	}
	p.showEnroll(c, call, http.StatusOK, enrollPage{}, nil)
}

// enroll shows the field for an address, begins an enrolment, or confirms the pending one.
func (p *Pages) enroll(c *gin.Context) {
	call, ok := p.at(c, provider.StepEnroll, provider.Ask{})
	if !ok {
		return
	}
	if w := page.PendingIn(c, "exchange", 0); w.Exchange != "" {
		p.confirm(c, call, w)
		return
	}
	d := enrollPage{Method: c.PostForm("method"), Chosen: true}
	if d.Typed = c.PostForm(page.CodeField); c.PostForm("mail") != "" || c.PostForm("check") != "" {
		p.demand(c, call, d)
		return
	}
	address, typed := c.GetPostForm("address")
	d.Address = address
	if p.verifier.AddressKind(d.Method) != "" && (!typed || c.PostForm("correct") != "") {
		p.showEnroll(c, call, http.StatusOK, d, nil)
		return
	}
	enrollment, err := p.verifier.Enroll(c.Request.Context(), call.Caller, p.verifier.InLogin(call.Step.Login), exchange.NewFactor{Method: d.Method, Address: address, Code: d.Typed})
	if err != nil {
		p.retry(c, call, err, func(code int, a *page.Alert) {
			if w := page.PendingIn(c, "pending", page.PauseOf(err)); w.Exchange != "" && w.Again > 0 {
				p.showPending(c, call, code, w, a)
				return
			}
			if d.Pause = page.PauseOf(err); page.AboutDemand(err) {
				d.Typed = ""
			}
			p.showEnroll(c, call, code, d, a)
		})
		return
	}
	code := d.Typed
	if d = enrollPageOf(enrollment); d.Call == "" {
		to := page.Path("/enroll", call.Step.Request.Address(), call.Step.Client.ID)
		if err := p.look.ToPending(c, to, page.PendingFor(c, enrollment.Exchange, code, page.Seconds(enrollment.Pause))); err != nil {
			p.fail(c, call, err)
		}
		return
	}
	d.Typed, d.Begin = code, page.BeginNow
	p.showEnroll(c, call, http.StatusOK, d, nil)
}

// demand mails an enrollment code, or checks the one that was typed.
func (p *Pages) demand(c *gin.Context, call signin.Call, d enrollPage) {
	ctx, enrollee := c.Request.Context(), p.verifier.InLogin(call.Step.Login)
	var err error
	if d.Mailed = c.PostForm("mail") != ""; d.Mailed {
		d.Typed, err = "", p.verifier.MailEnrollmentCode(ctx, call.Caller, enrollee)
	} else {
		err = p.verifier.CheckEnrollmentCode(ctx, call.Caller, enrollee, d.Typed)
	}
	d.Chosen = false
	if err != nil {
		d.Typed, d.Mailed = "", false
		p.retry(c, call, err, func(code int, a *page.Alert) { p.showEnroll(c, call, code, d, a) })
		return
	}
	p.showEnroll(c, call, http.StatusOK, d, nil)
}

func (p *Pages) confirm(c *gin.Context, call signin.Call, w page.Pending) {
	_, wrong := p.verifier.Confirm(c.Request.Context(), call.Caller, p.verifier.InLogin(call.Step.Login), w.Exchange, page.ResponseOf(c))
	if wrong == nil {
		p.advance(c)
		return
	}
	p.retry(c, call, wrong, func(code int, a *page.Alert) { p.showPending(c, call, code, w, a) })
}

// showPending shows an enrolment again, with the same secret: the user need not scan again
// after a typo, nor after a reload.
func (p *Pages) showPending(c *gin.Context, call signin.Call, code int, w page.Pending, a *page.Alert) {
	ctx, enrollee := c.Request.Context(), p.verifier.InLogin(call.Step.Login)
	enrollment, err := p.verifier.Enrollment(ctx, call.Caller, enrollee, w.Exchange)
	switch {
	case mfa.CodeOf(err) != "" && c.Request.Method == http.MethodGet: // it is over: begin anew
		p.showEnroll(c, call, http.StatusOK, enrollPage{}, nil)
		return
	case mfa.CodeOf(err) != "":
		d := enrollPage{Method: c.PostForm("method"), Chosen: true}
		d.Address, d.Typed = c.PostForm("address"), w.Code
		expired := page.AlertOf(mfa.EnrollmentExpired)
		p.showEnroll(c, call, code, d, &expired)
		return
	}
	d := enrollPageOf(enrollment)
	d.Typed = w.Code
	if err == nil && enrollment.Address != "" {
		d.To, d.Pause = enrollment.Address, w.Pause(c)
		d.State, err = p.verifier.DeliveryIn(ctx, call.Caller, enrollee, w.Exchange)
	}
	if err != nil {
		p.fail(c, call, err)
		return
	}
	p.showEnroll(c, call, code, d, a)
}

func enrollPageOf(e exchange.Enrolling) enrollPage {
	d := enrollPage{Method: e.Method, Chosen: true, Handout: page.HandoutOf(e)}
	d.Address = e.Address
	return d
}

func (p *Pages) showEnroll(c *gin.Context, call signin.Call, code int, d enrollPage, a *page.Alert) {
	d.Methods = call.Step.Verdict.Methods
	if !slices.Contains(d.Methods, d.Method) && len(d.Methods) > 0 {
		d.Method, d.Chosen = d.Methods[0], len(d.Methods) == 1
	}
	if v := call.Step.Verdict; v.Needed == mfa.PHRH {
		d.Attests, d.Another = true, v.ACR.AtLeast(mfa.PHR)
	}
	d.AddressField = page.AddressFieldOf(p.verifier, call.Step.Account, d.Method, d.Address)
	d.Ask, d.Form, d.Ways = page.Path(deliveryPath, call.Step.Request.ID, ""), "enroll-form", "send.ways.address"
	d.Action, d.Wanted = page.Path("/enroll", call.Step.Request.Address(), call.Step.Client.ID), p.verifier.EnrollmentDemand(call.Step.Account)
	v := p.page(c, call, d)
	if d.Exchange != "" && c.Request.Method == http.MethodPost {
		v.Here = "" // a GET begins another enrolment
	}
	v.Alert, v.Asks, v.Passkeys = v.OfEnrollment(a, d.Demand, d.Method, d.Kind), d.State == exchange.DeliverySending, d.Call != ""
	p.look.Write(c, code, "enroll", v)
}
