package login

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/passkey"
	"sallyport/provider"
	"sallyport/web"
	"sallyport/web/page"
	"sallyport/web/problem"
	"sallyport/web/signin"
)

// freshPath is where the script of the login page gets options with a newer challenge.
const freshPath = "/login/passkey"

// renewBefore is how long before its end a challenge is replaced, so that who has just begun to
// answer it can finish.
const renewBefore = time.Minute

// firstCeremony returns the ceremony of the page for the first factor; zero: the login has none.
func (p *Pages) firstCeremony(c *gin.Context, call signin.Call) (page.Ceremony, error) {
	method := signin.Challenged(call.Step, p.verifier.Info)
	if method == "" {
		return page.Ceremony{}, nil
	}
	offer, err := p.verifier.Offer(c.Request.Context(), call.Caller, call.Step.Login, exchange.Choice{Method: method, Usage: mfa.UsageFirst})
	if err != nil {
		return page.Ceremony{}, err
	}
	d := page.Asking(offer.Challenge)
	d.Renew = page.Seconds(max(offer.ExpiresAt.Sub(web.Now(c))-renewBefore, time.Second))
	d.Fresh = page.Path(freshPath, call.Step.Request.Address(), "")
	return d, nil
}

// fresh returns options with a newer challenge. It writes nothing and reads no more than the page.
func (p *Pages) fresh(c *gin.Context) {
	call, err := p.next(c, loginAsk(c))
	var d page.Ceremony
	if err == nil && call.Step.Kind == provider.StepIdentify {
		d, err = p.firstCeremony(c, call)
	}
	switch {
	case err != nil:
		e, r, known := problem.Lookup(refusals, err)
		if !known {
			c.Status(problem.Unexpected(c, err))
			return
		}
		problem.Refused(c, e)
		c.Status(r.status)
	case d.Call == "":
		c.Status(http.StatusNoContent) // the login is at another step
	default:
		c.PureJSON(http.StatusOK, freshOptions{json.RawMessage(d.Options), d.Renew})
	}
}

type freshOptions struct {
	Options json.RawMessage `json:"options"`
	Renew   int             `json:"renew"` // seconds until the next ones are needed
}

// loginByPasskey takes the response of a passkey as the first factor.
func (p *Pages) loginByPasskey(c *gin.Context) {
	r := page.ResponseOf(c)
	call, ok := p.at(c, provider.StepIdentify, provider.Ask{Credential: passkey.CredentialOf(r), MayBeSealed: true})
	if !ok {
		return
	}
	method := signin.Challenged(call.Step, p.verifier.Info)
	login, proven := p.provider.WithProof(&call.Step, call.Caller)
	if err := p.verifier.First(c.Request.Context(), call.Caller, login, method, r); err != nil {
		p.retry(c, call, err, func(code int, a *page.Alert) {
			d := loginPage{Username: call.Step.LoginHint, Known: call.Step.Request.Subject != "", Focus: "username", Passkey: method}
			d.Signal = page.Signals(err)
			a.Wrong = false // nothing was typed
			p.writeLogin(c, call, code, d, a)
		})
		return
	}
	p.goOn(c, call, proven)
}
