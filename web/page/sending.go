package page

import (
	"errors"
	"math"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/storage"
	"sallyport/web"
	"sallyport/web/problem"
)

// Sending is a code that was sent to a user, as the templates "sending" and "again" show it.
// The data of a page embeds it.
type Sending struct {
	Method string
	To     string            // where the code goes, as its user recognizes it
	State  exchange.Delivery // "": nothing was sent
	Ask    string            // path at which the script asks for the delivery
	Form   string            // id of the form with the exchange
	// Ways has the key of the text for a code that cannot be delivered: what the user can do.
	Ways  string
	Pause int // seconds until another code can be sent
}

// Seconds rounds a wait up to whole seconds.
func Seconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }

// PauseOf returns the pause that a refusal to send a code demands, in seconds; 0: it is
// another refusal.
func PauseOf(err error) int {
	if e, ok := errors.AsType[*mfa.Error](err); ok && e.Code == mfa.TooManyMessages {
		return Seconds(e.RetryAfter)
	}
	return 0
}

// WriteDelivery responds to a page's script that asks whether a code was sent, always as JSON.
func WriteDelivery(c *gin.Context, state exchange.Delivery, err error) {
	switch {
	case err == nil:
		c.JSON(http.StatusOK, map[string]string{"delivery": string(state)})
	case mfa.CodeOf(err) != "":
		web.Refused(c, mfa.Refusal{Reason: string(mfa.CodeOf(err)), Err: err})
		c.JSON(http.StatusConflict, map[string]string{"code": string(mfa.CodeOf(err))})
	default:
		status := problem.Unexpected(c, err)
		c.JSON(status, map[string]string{"code": web.FailureCode(status)})
	}
}

// ForeignDelivery responds to the same question of a page that is not the server's own.
func ForeignDelivery(c *gin.Context) {
	c.JSON(http.StatusForbidden, map[string]string{"code": "foreign_form"})
}

// aboutSent are texts about codes that are sent, by a method that has none of its own.
const aboutSent = "sent"

// OfMethod returns an alert with the text about a method, if it has one.
func (p Page) OfMethod(a *Alert, method string, kind storage.IdentifierKind) *Alert {
	subjects := []string{method}
	if kind != "" {
		subjects = append(subjects, string(kind), aboutSent)
	}
	return p.Specific(a, subjects...)
}

// AddressField is the field for an address to send codes to, as the template "address" shows
// it. The data of a page embeds it.
type AddressField struct {
	Kind    storage.IdentifierKind // "": the method sends no codes
	Address string                 // to accept or to correct
}

// AddressFieldOf returns the field for a method, with what was typed or else a suggestion.
func AddressFieldOf(v *exchange.Verifier, a *storage.Account, method, typed string) AddressField {
	f := AddressField{Kind: v.AddressKind(method), Address: typed}
	if typed == "" && a != nil {
		f.Address = v.Suggestion(*a, method)
	}
	return f
}
