package login

import (
	"context"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/provider"
	"sallyport/web/page"
)

// OwnPage says how the client's own page for a step is opened, in the words that page
// was written for; "" says that it has no words of its own.
type OwnPage func(ctx context.Context, st provider.Step, v mfa.Caller) (string, error)

// Leading returns the pages, leading to clients' own ones as o says.
func (p *Pages) Leading(o OwnPage) *Pages {
	led := *p
	led.own = o
	return &led
}

// lead leads to the client's own page for a step. From the second factor on that page
// may want a name for the login, which is the one thing that is stored on the way.
func (p *Pages) lead(c *gin.Context, t turn) {
	to := t.step.LoginPage
	if p.own != nil {
		worded, err := p.own(c.Request.Context(), t.step, t.visit)
		if err != nil {
			p.fail(c, t, err)
			return
		}
		if worded != "" {
			to = worded
		}
	}
	page.Redirect(c, to)
}

// Answer writes what provider decided for the client, for surfaces that have no pages.
func (p *Pages) Answer(c *gin.Context, a provider.Answer) { p.answer(c, turn{}, a) }

// notices are the reasons with which a form of another surface sends a person back to a
// page of ours. The address names one of these; nothing of it is shown.
var notices = map[string]string{
	"invalid_username_password": "code." + string(mfa.InvalidCredentials),
	"invalid_verification":      "code." + string(mfa.InvalidExchange),
}

func notice(c *gin.Context) *page.Alert {
	if key, ok := notices[c.Query("error")]; ok {
		return &page.Alert{Key: key}
	}
	return nil
}
