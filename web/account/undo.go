package account

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/web"
	"sallyport/web/page"
)

// undoPath is where the link in a message about an address leads. Whoever follows it is not signed
// in, and is not signed in by it.
const undoPath = "/account/undo"

// undoPage is the data of the page that undoes a change of addresses.
type undoPage struct {
	Token                   string
	Restored, Removed, Kept []string // masked
	Done                    bool
}

// undoForm shows what a link undoes. It changes nothing: programs that check mails follow links.
func (p *Pages) undoForm(c *gin.Context) {
	web.Bind(c)
	call := ownerCall{caller: web.Caller(c)}
	d := undoPage{Token: c.Query("token")}
	u, err := p.accounts.FindUndo(c.Request.Context(), d.Token)
	if err != nil {
		p.failUndo(c, call, err)
		return
	}
	d.Restored, d.Removed, d.Kept = maskAll(u.Restored), maskAll(u.Removed), maskAll(u.Kept)
	p.show(c, call, http.StatusOK, "account_undo", d, nil)
}

func maskAll(addresses []string) []string {
	var out []string
	for _, address := range addresses {
		out = append(out, mfa.MaskAddress(address))
	}
	return out
}

func (p *Pages) undo(c *gin.Context) {
	call := ownerCall{caller: web.Caller(c)}
	if err := p.accounts.UndoAddresses(c.Request.Context(), call.caller, c.PostForm("token")); err != nil {
		p.failUndo(c, call, err)
		return
	}
	p.show(c, call, http.StatusOK, "account_undo", undoPage{Done: true}, nil)
}

// undoFailures are the texts about a link that undoes nothing.
var undoFailures = map[mfa.Code]string{
	mfa.UnknownRequest: "account.undo.unknown", mfa.RequestOver: "account.undo.over", mfa.IdentifierTaken: "account.undo.taken",
}

func (p *Pages) failUndo(c *gin.Context, call ownerCall, err error) {
	e, refused := errors.AsType[*mfa.Error](err)
	if !refused || undoFailures[e.Code] == "" {
		p.fail(c, call, err)
		return
	}
	p.reason(c, call, e)
	p.failure(c, call, refusals[e.Code].status, page.Alert{Key: undoFailures[e.Code]})
}

// staleUndo responds to a form that this browser did not load.
func (p *Pages) staleUndo(c *gin.Context) {
	call := ownerCall{caller: web.Caller(c)}
	key := "account.undo.stale"
	if call.caller.Browser == "" {
		key = "cookies"
	}
	p.failure(c, call, http.StatusForbidden, page.Alert{Key: key})
}
