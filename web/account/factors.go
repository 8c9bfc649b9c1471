package account

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/web"
	"sallyport/web/page"
)

// factorPage is the data of a page about one authenticator.
type factorPage struct {
	Factor  factorLine
	Last    bool // the last besides recovery codes, which are removed with it
	LastWay bool // the last to sign in with, which stays
	Name    string
}

// factor finds one of the user's own authenticators.
func (p *Pages) factor(c *gin.Context, call ownerCall, id string) (factorPage, bool) {
	d, found, others, ways := factorPage{}, false, 0, 0
	for _, h := range p.accounts.Held(call.owner.Account) {
		if string(h.ID) == id && h.Info.Enrolls {
			d.Factor, d.Name, found = p.lineOf(call.owner.Account, h), h.Name, true
			continue
		}
		if h.Info.Enrolls {
			others++
		}
		if h.Info.First && !h.Disabled {
			ways++
		}
	}
	if !found {
		p.fail(c, call, &mfa.Error{Code: mfa.NotConfigured})
	}
	d.Last, d.LastWay = others == 0, d.Factor.Info.First && ways == 0
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
	switch {
	case d.Factor.Passkey != nil:
		p.done(c, call, "removed.passkey")
	case d.Factor.Address != "":
		p.done(c, call, "removed.sent")
	default:
		p.done(c, call, "removed")
	}
}

func (p *Pages) recoveryForm(c *gin.Context, call ownerCall) {
	if !p.requireFresh(c, call) {
		return
	}
	if p.showsCodes(c, call) {
		p.showCodes(c, call)
		return
	}
	p.show(c, call, http.StatusOK, "account_recovery", nil, nil)
}

// recovery creates new codes. A user who loses them creates others.
func (p *Pages) recovery(c *gin.Context, call ownerCall) {
	if _, err := p.accounts.NewRecoveryCodes(c.Request.Context(), call.caller, call.owner); err != nil {
		p.fail(c, call, err)
		return
	}
	p.toCodes(c, call)
}

// A page with new codes can be loaded again for a while, in the session that made them: its address says
// so, sealed for the browser, and holds no code.
const (
	codesParam   = "codes"
	codesPurpose = "page of recovery codes"
	codesLife    = 10 * time.Minute
)

// toCodes redirects to the page with the codes that were just made.
func (p *Pages) toCodes(c *gin.Context, call ownerCall) {
	sealed, err := p.look.Seal(codesPurpose, call.caller.Browser, []byte(string(call.owner.Session)+"|"+strconv.FormatInt(web.Now(c).Unix(), 10)))
	if err != nil {
		p.fail(c, call, err)
		return
	}
	page.Redirect(c, join("/account/recovery", url.Values{codesParam: {sealed}}))
}

func (p *Pages) showsCodes(c *gin.Context, call ownerCall) bool {
	text, ok := p.look.Open(codesPurpose, call.caller.Browser, web.Query(c).Get(codesParam))
	session, at, _ := strings.Cut(string(text), "|")
	made, err := strconv.ParseInt(at, 10, 64)
	return ok && err == nil && session == string(call.owner.Session) && web.Now(c).Before(time.Unix(made, 0).Add(codesLife))
}

func (p *Pages) showCodes(c *gin.Context, call ownerCall) {
	codes, err := p.verifier.RecoveryCodes(c.Request.Context(), call.owner.Account.User.ID)
	if err == nil {
		err = p.look.WriteCodes(c, "account_codes", p.page(c, call, nil), codes)
	}
	if err != nil {
		p.fail(c, call, err)
	}
}
