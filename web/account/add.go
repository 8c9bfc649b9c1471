package account

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/storage"
	"sallyport/web"
	"sallyport/web/page"
	"sallyport/web/signin"
)

// addPage is the data of the page that sets up an authenticator.
type addPage struct {
	Method string
	Name   string
	Shapes []shape // to choose from; empty: nothing to choose
	Codes  bool    // it shows codes, and gets a name
	Action string
	page.AddressField
	page.Demand
	page.Handout
	page.Sending
}

// shape is a choice of algorithm and digits for an authenticator app.
type shape struct {
	mfa.Shape
	Value   string
	Default bool
	Chosen  bool
}

func shapesOf(all []mfa.Shape, chosen string) []shape {
	if len(all) < 2 {
		return nil
	}
	out := make([]shape, len(all))
	for i, s := range all {
		out[i] = shape{Shape: s, Value: s.Algorithm + "/" + strconv.Itoa(s.Digits), Default: i == 0}
		out[i].Chosen = out[i].Value == chosen || chosen == "" && i == 0
	}
	return out
}

// shapeOf reads a choice; "" is the server's default.
func shapeOf(value string) mfa.Shape {
	algorithm, digits, _ := strings.Cut(value, "/")
	n, err := strconv.Atoi(digits)
	if value == "" || err != nil {
		return mfa.Shape{Algorithm: algorithm}
	}
	return mfa.Shape{Algorithm: algorithm, Digits: n}
}

// addable reports whether a user can set up a method now; if not, it shows why.
func (p *Pages) addable(c *gin.Context, call ownerCall, method string) bool {
	i, ok := p.verifier.Info(method)
	if !ok || !i.Enrolls {
		p.fail(c, call, &mfa.Error{Code: mfa.NotConfigured})
		return false
	}
	return p.requireFresh(c, call)
}

func (p *Pages) addForm(c *gin.Context, call ownerCall) {
	method := c.Query("method")
	if !p.addable(c, call, method) {
		return
	}
	if w, pending := p.look.PendingOf(c); pending {
		p.showPending(c, call, http.StatusOK, w, nil)
		return
	}
	p.showAdd(c, call, http.StatusOK, addPage{Method: method}, "", nil)
}

func (p *Pages) showAdd(c *gin.Context, call ownerCall, code int, d addPage, chosen string, a *page.Alert) {
	i, _ := p.verifier.Info(d.Method)
	d.Codes = i.Typed
	d.Shapes = shapesOf(p.verifier.Shapes(d.Method), chosen)
	d.AddressField = page.AddressFieldOf(p.verifier, &call.owner.Account, d.Method, d.Address)
	d.Ask, d.Form, d.Ways = deliveryPath, d.Method+"-confirm", "send.ways.address"
	d.Action, d.Wanted = "/account/add", p.verifier.EnrollmentDemand(&call.owner.Account)
	v := p.page(c, call, d)
	if d.Exchange != "" && c.Request.Method == http.MethodPost {
		v.Here = "" // a GET begins another enrolment
	}
	v.Alert, v.Asks, v.Passkeys = v.OfEnrollment(a, d.Demand, d.Method, d.Kind), d.State == exchange.DeliverySending, !d.Codes
	p.look.Write(c, code, "account_add", v)
}

// add shows the field for an address to correct it, begins an enrolment, or confirms the
// pending one.
func (p *Pages) add(c *gin.Context, call ownerCall) {
	if w := page.PendingIn(c, "exchange", 0); w.Exchange != "" {
		p.confirmFactor(c, call, w)
		return
	}
	d, chosen := addPage{Method: c.PostForm("method"), Name: c.PostForm("name")}, c.PostForm("shape")
	if d.Typed = c.PostForm(page.CodeField); c.PostForm("mail") != "" || c.PostForm("check") != "" {
		p.demand(c, call, d)
		return
	}
	if d.Address = c.PostForm("address"); c.PostForm("correct") != "" {
		if p.addable(c, call, d.Method) {
			p.showAdd(c, call, http.StatusOK, d, chosen, nil)
		}
		return
	}
	enrollment, err := p.verifier.Enroll(c.Request.Context(), call.caller, exchange.SignedIn(call.owner),
		exchange.NewFactor{Method: d.Method, Name: d.Name, Shape: shapeOf(chosen), Address: d.Address, Code: d.Typed})
	if err != nil {
		p.retry(c, call, err, func(code int, a *page.Alert) {
			if w := page.PendingIn(c, "pending", page.PauseOf(err)); w.Exchange != "" && w.Again > 0 {
				p.showPending(c, call, code, w, a)
				return
			}
			if d.Pause = page.PauseOf(err); page.AboutDemand(err) {
				d.Typed = ""
			}
			p.showAdd(c, call, code, d, chosen, a)
		})
		return
	}
	code := d.Typed
	if d = addPageOf(enrollment); d.Call == "" {
		to := join("/account/add", url.Values{"method": {d.Method}})
		if err := p.look.ToPending(c, to, page.PendingFor(c, enrollment.Exchange, code, page.Seconds(enrollment.Pause))); err != nil {
			p.fail(c, call, err)
		}
		return
	}
	d.Typed, d.Begin = code, page.BeginNow
	p.showAdd(c, call, http.StatusOK, d, chosen, nil)
}

// demand mails an enrollment code, or checks the one that was typed.
func (p *Pages) demand(c *gin.Context, call ownerCall, d addPage) {
	ctx, enrollee := c.Request.Context(), exchange.SignedIn(call.owner)
	var err error
	if d.Mailed = c.PostForm("mail") != ""; d.Mailed {
		d.Typed, err = "", p.verifier.MailEnrollmentCode(ctx, call.caller, enrollee)
	} else {
		err = p.verifier.CheckEnrollmentCode(ctx, call.caller, enrollee, d.Typed)
	}
	if err != nil {
		d.Typed, d.Mailed = "", false
		p.retry(c, call, err, func(code int, a *page.Alert) { p.showAdd(c, call, code, d, "", a) })
		return
	}
	p.showAdd(c, call, http.StatusOK, d, "", nil)
}

func addPageOf(e exchange.Enrolling) addPage {
	d := addPage{Method: e.Method, Handout: page.HandoutOf(e)}
	d.Address = e.Address
	return d
}

func (p *Pages) confirmFactor(c *gin.Context, call ownerCall, w page.Pending) {
	codes, wrong := p.verifier.Confirm(c.Request.Context(), call.caller, exchange.SignedIn(call.owner), w.Exchange, page.ResponseOf(c))
	switch {
	case wrong == nil && codes == nil:
		p.done(c, call, "added")
	case wrong == nil:
		p.toCodes(c, call)
	default:
		p.retry(c, call, wrong, func(code int, a *page.Alert) { p.showPending(c, call, code, w, a) })
	}
}

// showPending shows an enrolment again, with the same secret: the user need not scan again
// after a typo, nor after a reload.
func (p *Pages) showPending(c *gin.Context, call ownerCall, code int, w page.Pending, a *page.Alert) {
	ctx, enrollee := c.Request.Context(), exchange.SignedIn(call.owner)
	enrollment, err := p.verifier.Enrollment(ctx, call.caller, enrollee, w.Exchange)
	switch {
	case mfa.CodeOf(err) != "" && c.Request.Method == http.MethodGet: // it is over: begin anew
		p.showAdd(c, call, http.StatusOK, addPage{Method: c.Query("method")}, "", nil)
		return
	case mfa.CodeOf(err) != "":
		if method := c.PostForm("method"); p.addable(c, call, method) {
			d := addPage{Method: method}
			d.Address, d.Typed = c.PostForm("address"), w.Code
			expired := page.AlertOf(mfa.EnrollmentExpired)
			p.showAdd(c, call, code, d, "", &expired)
		}
		return
	}
	d := addPageOf(enrollment)
	d.Typed = w.Code
	if err == nil && enrollment.Address != "" {
		d.To, d.Pause = enrollment.Address, w.Pause(c)
		d.State, err = p.verifier.DeliveryIn(ctx, call.caller, enrollee, w.Exchange)
	}
	if err != nil {
		p.fail(c, call, err)
		return
	}
	p.showAdd(c, call, code, d, "", a)
}

// deliveryPath is where the script of a page asks whether a code was sent.
const deliveryPath = "/account/delivery"

func (p *Pages) delivery(c *gin.Context) {
	s, err := signin.Session(c, p.sessions)
	if err == nil && (s == nil || !p.accounts.Strong(s.Owner())) {
		err = &mfa.Error{Code: mfa.NotSignedIn}
	}
	state := exchange.Delivery("")
	if err == nil {
		state, err = p.verifier.DeliveryIn(c.Request.Context(), web.Caller(c), exchange.SignedIn(s.Owner()), storage.ExchangeID(c.PostForm("exchange")))
	}
	page.WriteDelivery(c, state, err)
}
