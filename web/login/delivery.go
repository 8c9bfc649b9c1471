package login

import (
	"github.com/gin-gonic/gin"

	"sallyport/provider"
	"sallyport/storage"
	"sallyport/web/page"
)

// deliveryPath is where the script of a page asks whether a code was sent.
const deliveryPath = "/delivery"

// delivery reports the state of the code of an exchange of this login to the page's script.
func (p *Pages) delivery(c *gin.Context) {
	call, err := p.next(c, provider.Ask{})
	if err != nil {
		page.WriteDelivery(c, "", err)
		return
	}
	state, err := p.verifier.DeliveryIn(c.Request.Context(), call.Caller, p.verifier.InLogin(call.Step.Login), storage.ExchangeID(c.PostForm("exchange")))
	page.WriteDelivery(c, state, err)
}
