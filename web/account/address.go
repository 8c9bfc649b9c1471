package account

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/selfservice"
	"sallyport/storage"
	"sallyport/web/page"
)

// addressPage is the data of the page on which a user adds, changes or proves an address.
type addressPage struct {
	ID  string // of the address that a new one takes the place of, or that is proven; "": one is added
	Old string // that address, unless it is the one to prove
	page.AddressField
	page.Handout
	page.Sending
}

// addressPageOf returns the page of an address that the user has, or of a new one of a kind. It
// responds itself, with false, where there is none.
func (p *Pages) addressPageOf(c *gin.Context, call ownerCall, id string, kind storage.IdentifierKind) (addressPage, bool) {
	d := addressPage{ID: id}
	d.Kind = kind
	if id != "" {
		a, ok := p.ownAddress(c, call, id)
		if !ok {
			return d, false
		}
		if d.Kind, d.Old = a.Kind, a.Text(); a.VerifiedAt.IsZero() {
			d.Old, d.Address = "", a.Text()
		}
	}
	if d.Method = p.verifier.MethodFor(d.Kind); d.Method == "" {
		p.fail(c, call, &mfa.Error{Code: mfa.NotConfigured})
		return d, false
	}
	return d, p.requireFresh(c, call)
}

// ownAddress returns one of the user's own addresses.
func (p *Pages) ownAddress(c *gin.Context, call ownerCall, id string) (selfservice.Address, bool) {
	list := p.accounts.Addresses(call.owner.Account)
	i := slices.IndexFunc(list, func(a selfservice.Address) bool { return string(a.ID) == id && a.Kind != storage.Username })
	if i < 0 {
		p.fail(c, call, &mfa.Error{Code: mfa.NotConfigured})
		return selfservice.Address{}, false
	}
	return list[i], true
}

func (p *Pages) addressForm(c *gin.Context, call ownerCall) {
	d, ok := p.addressPageOf(c, call, c.Query("id"), storage.IdentifierKind(c.Query("kind")))
	if !ok {
		return
	}
	if w, sent := p.look.PendingOf(c); sent {
		p.showSent(c, call, http.StatusOK, d, w, nil)
		return
	}
	p.showAddress(c, call, http.StatusOK, d, nil)
}

func (p *Pages) showAddress(c *gin.Context, call ownerCall, code int, d addressPage, a *page.Alert) {
	d.Ask, d.Form, d.Ways = deliveryPath, "address-confirm", "send.ways.address"
	v := p.page(c, call, d)
	if d.Exchange != "" && c.Request.Method == http.MethodPost {
		v.Here = "" // a GET begins anew
	}
	v.Alert, v.Asks = v.OfMethod(a, d.Method, d.Kind), d.State == exchange.DeliverySending
	p.look.Write(c, code, "account_address", v)
}

// address sends a code to a new address, shows the field again to correct it, or checks the code.
func (p *Pages) address(c *gin.Context, call ownerCall) {
	if w := page.PendingIn(c, "exchange", 0); w.Exchange != "" {
		p.proveAddress(c, call, w)
		return
	}
	d, ok := p.addressPageOf(c, call, c.PostForm("id"), storage.IdentifierKind(c.PostForm("kind")))
	if !ok {
		return
	}
	if d.Address = c.PostForm("address"); c.PostForm("correct") != "" {
		p.showAddress(c, call, http.StatusOK, d, nil)
		return
	}
	sent, err := p.accounts.SendToAddress(c.Request.Context(), call.caller, call.owner,
		selfservice.NewAddress{Kind: d.Kind, Typed: d.Address, Replaces: storage.IdentifierID(d.ID)})
	if err != nil {
		if mfa.CodeOf(err) == mfa.IdentifierTaken { // by the user: of others this page does not say so
			err = &mfa.Error{Code: mfa.AlreadyEnrolled, Err: err}
		}
		p.retry(c, call, err, func(code int, a *page.Alert) {
			if w := page.PendingIn(c, "pending", page.PauseOf(err)); w.Exchange != "" && w.Again > 0 {
				p.showSent(c, call, code, d, w, a)
				return
			}
			d.Pause = page.PauseOf(err)
			p.showAddress(c, call, code, d, a)
		})
		return
	}
	to := join("/account/address", url.Values{"id": {d.ID}, "kind": {string(d.Kind)}})
	if err := p.look.ToPending(c, to, page.PendingFor(c, sent.Exchange, "", page.Seconds(sent.Pause))); err != nil {
		p.fail(c, call, err)
	}
}

func (p *Pages) proveAddress(c *gin.Context, call ownerCall, w page.Pending) {
	err := p.accounts.ProveAddress(c.Request.Context(), call.caller, call.owner, w.Exchange, page.ResponseOf(c))
	if err != nil {
		p.retry(c, call, err, func(code int, a *page.Alert) {
			if d, ok := p.addressPageOf(c, call, c.PostForm("id"), storage.IdentifierKind(c.PostForm("kind"))); ok {
				p.showSent(c, call, code, d, w, a)
			}
		})
		return
	}
	p.done(c, call, "address")
}

// showSent shows a code that was sent again, or the field for the address if it is over.
func (p *Pages) showSent(c *gin.Context, call ownerCall, code int, d addressPage, w page.Pending, a *page.Alert) {
	ctx := c.Request.Context()
	sent, err := p.verifier.AddressPending(ctx, call.caller, call.owner, w.Exchange)
	switch {
	case mfa.CodeOf(err) != "" && c.Request.Method == http.MethodGet: // begin anew
		p.showAddress(c, call, http.StatusOK, d, nil)
		return
	case mfa.CodeOf(err) != "":
		d.Address = c.PostForm("address")
		expired := page.AlertOf(mfa.EnrollmentExpired)
		p.showAddress(c, call, code, d, &expired)
		return
	}
	if err == nil {
		d.Exchange, d.Digits, d.Address = w.Exchange, sent.Digits, sent.Address
		d.To, d.Pause = sent.Address, w.Pause(c)
		d.State, err = p.verifier.DeliveryIn(ctx, call.caller, exchange.SignedIn(call.owner), w.Exchange)
	}
	if err != nil {
		p.fail(c, call, err)
		return
	}
	p.showAddress(c, call, code, d, a)
}

// detachForm asks whether an address is to be removed, or says why it cannot be.
func (p *Pages) detachForm(c *gin.Context, call ownerCall) {
	a, ok := p.ownAddress(c, call, c.Query("id"))
	if !ok || !p.requireFresh(c, call) {
		return
	}
	if a.Last {
		p.failure(c, call, http.StatusConflict, page.Alert{Key: "account.address.last"})
		return
	}
	p.show(c, call, http.StatusOK, "account_detach", a, nil)
}

func (p *Pages) detach(c *gin.Context, call ownerCall) {
	err := p.accounts.RemoveAddress(c.Request.Context(), call.caller, call.owner, storage.IdentifierID(c.PostForm("id")))
	switch {
	case mfa.CodeOf(err) == mfa.NotAllowed:
		p.failure(c, call, http.StatusConflict, page.Alert{Key: "account.address.last"})
	case err != nil:
		p.fail(c, call, err)
	default:
		p.done(c, call, "detached")
	}
}
