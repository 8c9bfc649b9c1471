package account

import (
	"net/http"
	"strconv"
	"strings"
	"unicode"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/selfservice"
	"sallyport/storage"
	"sallyport/web/page"
)

// addPage is the data of the page that sets up an authenticator.
type addPage struct {
	Method string
	Name   string
	Shapes []shape // to choose from; empty: nothing to choose
	page.Handout
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
	if method := c.Query("method"); p.addable(c, call, method) {
		p.showAdd(c, call, http.StatusOK, addPage{Method: method}, "", nil)
	}
}

func (p *Pages) showAdd(c *gin.Context, call ownerCall, code int, d addPage, chosen string, a *page.Alert) {
	d.Shapes = shapesOf(p.verifier.Shapes(d.Method), chosen)
	p.show(c, call, code, "account_add", d, a)
}

// add begins an enrolment, or confirms the pending one.
func (p *Pages) add(c *gin.Context, call ownerCall) {
	if exchangeID := storage.ExchangeID(c.PostForm("exchange")); exchangeID != "" {
		p.confirmFactor(c, call, exchangeID)
		return
	}
	d, chosen := addPage{Method: c.PostForm("method"), Name: c.PostForm("name")}, c.PostForm("shape")
	enrollment, err := p.verifier.Enroll(c.Request.Context(), call.caller, exchange.SignedIn(call.owner), exchange.NewFactor{Method: d.Method, Name: d.Name, Shape: shapeOf(chosen)})
	if err != nil {
		p.retry(c, call, err, func(code int, a *page.Alert) { p.showAdd(c, call, code, d, chosen, a) })
		return
	}
	d.Handout = page.HandoutOf(enrollment)
	p.show(c, call, http.StatusOK, "account_add", d, nil)
}

func (p *Pages) confirmFactor(c *gin.Context, call ownerCall, exchangeID storage.ExchangeID) {
	ctx := c.Request.Context()
	codes, wrong := p.verifier.Confirm(ctx, call.caller, exchange.SignedIn(call.owner), exchangeID, codeOf(c))
	switch {
	case wrong == nil && codes == nil:
		p.done(c, call, "added")
		return
	case wrong == nil:
		p.showCodes(c, call, codes)
		return
	}
	method := c.PostForm("method")
	p.retry(c, call, wrong, func(code int, a *page.Alert) {
		// After a typo the same secret is shown, until its enrolment expires: the user
		// need not scan again.
		enrollment, err := p.verifier.Enrollment(ctx, call.caller, exchange.SignedIn(call.owner), exchangeID)
		if mfa.CodeOf(err) != "" {
			if p.addable(c, call, method) {
				p.showAdd(c, call, code, addPage{Method: method}, "", &page.Alert{Key: "code.enrollment_expired"})
			}
			return
		}
		if err != nil {
			p.fail(c, call, err)
			return
		}
		p.show(c, call, code, "account_add", addPage{Method: enrollment.Method, Handout: page.HandoutOf(enrollment)}, a)
	})
}

// codeOf reads a typed code and removes the spaces of people and apps.
func codeOf(c *gin.Context) mfa.Response {
	return mfa.Typed(strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, c.PostForm("passcode")))
}

// factorPage is the data of a page about one authenticator.
type factorPage struct {
	Factor selfservice.Held
	Last   bool // the last besides recovery codes, which are removed with it
	Name   string
}

// factor finds one of the user's own authenticators.
func (p *Pages) factor(c *gin.Context, call ownerCall, id string) (factorPage, bool) {
	d, found, others := factorPage{}, false, 0
	for _, h := range p.accounts.Held(call.owner.Account) {
		switch {
		case !h.Info.Enrolls:
		case string(h.ID) == id:
			d.Factor, d.Name, found = h, h.Name, true
		default:
			others++
		}
	}
	if !found {
		p.fail(c, call, &mfa.Error{Code: mfa.NotConfigured})
	}
	d.Last = others == 0
	return d, found
}

func (p *Pages) renameForm(c *gin.Context, call ownerCall) {
	if d, ok := p.factor(c, call, c.Query("id")); ok {
		p.show(c, call, http.StatusOK, "account_rename", d, nil)
	}
}

func (p *Pages) rename(c *gin.Context, call ownerCall) {
	d, ok := p.factor(c, call, c.PostForm("id"))
	if !ok {
		return
	}
	d.Name = c.PostForm("name")
	if err := p.accounts.Rename(c.Request.Context(), call.caller, call.owner, d.Factor.ID, d.Name); err != nil {
		p.retry(c, call, err, func(code int, a *page.Alert) { p.show(c, call, code, "account_rename", d, a) })
		return
	}
	p.done(c, call, "renamed")
}

func (p *Pages) removeForm(c *gin.Context, call ownerCall) {
	if d, ok := p.factor(c, call, c.Query("id")); ok && p.requireFresh(c, call) {
		p.show(c, call, http.StatusOK, "account_remove", d, nil)
	}
}

func (p *Pages) remove(c *gin.Context, call ownerCall) {
	d, ok := p.factor(c, call, c.PostForm("id"))
	if !ok {
		return
	}
	err := p.accounts.Remove(c.Request.Context(), call.caller, call.owner, d.Factor.ID, c.PostForm("others") != "")
	if err != nil {
		p.fail(c, call, err)
		return
	}
	p.done(c, call, "removed")
}

func (p *Pages) recoveryForm(c *gin.Context, call ownerCall) {
	if p.requireFresh(c, call) {
		p.show(c, call, http.StatusOK, "account_recovery", nil, nil)
	}
}

// recovery creates new codes. Only this response shows them: a user who loses it creates
// new ones.
func (p *Pages) recovery(c *gin.Context, call ownerCall) {
	codes, err := p.accounts.NewRecoveryCodes(c.Request.Context(), call.caller, call.owner)
	if err != nil {
		p.fail(c, call, err)
		return
	}
	p.showCodes(c, call, codes)
}

func (p *Pages) showCodes(c *gin.Context, call ownerCall, codes []string) {
	if err := p.look.WriteCodes(c, "account_codes", p.page(c, call, nil), codes); err != nil {
		p.fail(c, call, err)
	}
}
