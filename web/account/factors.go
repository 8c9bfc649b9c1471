package account

import (
	"net/http"
	"strconv"
	"strings"
	"unicode"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
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

// shape is a kind of code that can be chosen.
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

// shapeOf reads a choice; nothing chosen is the server's own shape.
func shapeOf(value string) mfa.Shape {
	algorithm, digits, _ := strings.Cut(value, "/")
	n, err := strconv.Atoi(digits)
	if value == "" || err != nil {
		return mfa.Shape{Algorithm: algorithm}
	}
	return mfa.Shape{Algorithm: algorithm, Digits: n}
}

// addable returns the method a person wants to set up, if it can be.
func (p *Pages) addable(c *gin.Context, t turn, method string) bool {
	i, ok := p.verifier.Info(method)
	if !ok || !i.Enrolls {
		p.fail(c, t, &mfa.Error{Code: mfa.NotConfigured})
		return false
	}
	return p.fresh(c, t)
}

func (p *Pages) addForm(c *gin.Context, t turn) {
	if method := c.Query("method"); p.addable(c, t, method) {
		p.showAdd(c, t, http.StatusOK, addPage{Method: method}, "", nil)
	}
}

func (p *Pages) showAdd(c *gin.Context, t turn, code int, d addPage, chosen string, a *page.Alert) {
	d.Shapes = shapesOf(p.verifier.Shapes(d.Method), chosen)
	p.show(c, t, code, "account_add", d, a)
}

// add begins an enrolment, or confirms the one that has begun.
func (p *Pages) add(c *gin.Context, t turn) {
	if exchange := storage.ExchangeID(c.PostForm("exchange")); exchange != "" {
		p.confirmFactor(c, t, exchange)
		return
	}
	d, chosen := addPage{Method: c.PostForm("method"), Name: c.PostForm("name")}, c.PostForm("shape")
	begun, err := p.verifier.EnrollFor(c.Request.Context(), t.visit, t.owner, exchange.NewFactor{Method: d.Method, Name: d.Name, Shape: shapeOf(chosen)})
	if err != nil {
		p.retry(c, t, err, func(code int, a *page.Alert) { p.showAdd(c, t, code, d, chosen, a) })
		return
	}
	d.Handout = page.HandoutOf(begun)
	p.show(c, t, http.StatusOK, "account_add", d, nil)
}

func (p *Pages) confirmFactor(c *gin.Context, t turn, exchange storage.ExchangeID) {
	ctx := c.Request.Context()
	codes, wrong := p.verifier.ConfirmFor(ctx, t.visit, t.owner, exchange, codeOf(c))
	switch {
	case wrong == nil && codes == nil:
		p.done(c, t, "added")
		return
	case wrong == nil:
		p.showCodes(c, t, codes)
		return
	}
	method := c.PostForm("method")
	p.retry(c, t, wrong, func(code int, a *page.Alert) {
		// A typo must not make the person scan again: the same secret is shown as long
		// as its enrolment lives.
		begun, err := p.verifier.PendingFor(ctx, t.visit, t.owner, exchange)
		if mfa.CodeOf(err) != "" {
			if p.addable(c, t, method) {
				p.showAdd(c, t, code, addPage{Method: method}, "", &page.Alert{Key: "code.enrollment_expired"})
			}
			return
		}
		if err != nil {
			p.fail(c, t, err)
			return
		}
		p.show(c, t, code, "account_add", addPage{Method: begun.Method, Handout: page.HandoutOf(begun)}, a)
	})
}

// codeOf is a typed code without the spaces people and apps put into it.
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
	Factor exchange.Held
	Last   bool // the last that stands for itself: recovery codes go with it
	Name   string
}

// factor finds one of the person's authenticators; somebody else's is not there.
func (p *Pages) factor(c *gin.Context, t turn, id string) (factorPage, bool) {
	d, found, others := factorPage{}, false, 0
	for _, h := range p.verifier.Held(t.owner.Account) {
		switch {
		case !h.Info.Enrolls:
		case string(h.ID) == id:
			d.Factor, d.Name, found = h, h.Name, true
		default:
			others++
		}
	}
	if !found {
		p.fail(c, t, &mfa.Error{Code: mfa.NotConfigured})
	}
	d.Last = others == 0
	return d, found
}

func (p *Pages) renameForm(c *gin.Context, t turn) {
	if d, ok := p.factor(c, t, c.Query("id")); ok {
		p.show(c, t, http.StatusOK, "account_rename", d, nil)
	}
}

func (p *Pages) rename(c *gin.Context, t turn) {
	d, ok := p.factor(c, t, c.PostForm("id"))
	if !ok {
		return
	}
	d.Name = c.PostForm("name")
	if err := p.verifier.Rename(c.Request.Context(), t.visit, t.owner, d.Factor.ID, d.Name); err != nil {
		p.retry(c, t, err, func(code int, a *page.Alert) { p.show(c, t, code, "account_rename", d, a) })
		return
	}
	p.done(c, t, "renamed")
}

func (p *Pages) removeForm(c *gin.Context, t turn) {
	if d, ok := p.factor(c, t, c.Query("id")); ok && p.fresh(c, t) {
		p.show(c, t, http.StatusOK, "account_remove", d, nil)
	}
}

func (p *Pages) remove(c *gin.Context, t turn) {
	d, ok := p.factor(c, t, c.PostForm("id"))
	if !ok {
		return
	}
	err := p.verifier.Remove(c.Request.Context(), t.visit, t.owner, d.Factor.ID, c.PostForm("others") != "")
	if err != nil {
		p.fail(c, t, err)
		return
	}
	p.done(c, t, "removed")
}

func (p *Pages) recoveryForm(c *gin.Context, t turn) {
	if p.fresh(c, t) {
		p.show(c, t, http.StatusOK, "account_recovery", nil, nil)
	}
}

// recovery makes new codes. They are in this answer and in no other: whoever loses
// the page makes new ones.
func (p *Pages) recovery(c *gin.Context, t turn) {
	codes, err := p.verifier.NewRecoveryCodes(c.Request.Context(), t.visit, t.owner)
	if err != nil {
		p.fail(c, t, err)
		return
	}
	p.showCodes(c, t, codes)
}

func (p *Pages) showCodes(c *gin.Context, t turn, codes []string) {
	if err := p.look.WriteCodes(c, "account_codes", p.page(c, t, nil), codes); err != nil {
		p.fail(c, t, err)
	}
}
