package account

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/selfservice"
	"sallyport/web"
	"sallyport/web/page"
)

// profilePage is the data of the page that edits the profile.
type profilePage struct {
	Fields []profileField
	Wrong  string // claim that the alert is about; "": there is no alert
}

// profileField is a claim to edit.
type profileField struct {
	selfservice.Claim
	Fill  string // what browsers fill in (WHATWG HTML, autofill)
	Other bool   // a locale that is none of the languages of the pages
}

// fills are the kinds of claims that browsers can fill in.
var fills = map[string]string{"name": "name", "given_name": "given-name", "family_name": "family-name", "nickname": "nickname"}

func (p *Pages) profileForm(c *gin.Context, call ownerCall) {
	claims := p.accounts.Profile(call.owner.Account)
	if len(claims) == 0 {
		p.fail(c, call, &mfa.Error{Code: mfa.NotConfigured})
		return
	}
	p.showProfile(c, call, http.StatusOK, claims, "", nil)
}

func (p *Pages) showProfile(c *gin.Context, call ownerCall, code int, claims []selfservice.Claim, wrong string, a *page.Alert) {
	d := profilePage{Wrong: wrong}
	for _, claim := range claims {
		f := profileField{Claim: claim, Fill: "off", Other: claim.Value != ""}
		if fill := fills[claim.Name]; fill != "" {
			f.Fill = fill
		}
		for _, tag := range web.Languages(c) {
			f.Other = f.Other && tag != claim.Value
		}
		d.Fields = append(d.Fields, f)
	}
	p.show(c, call, code, "account_profile", d, a)
}

// profile stores the claims, and shows the pages in the language that was chosen.
func (p *Pages) profile(c *gin.Context, call ownerCall) {
	claims, values := p.accounts.Profile(call.owner.Account), map[string]string{}
	for i := range claims {
		if typed, given := c.GetPostForm(claims[i].Name); given {
			claims[i].Value, values[claims[i].Name] = typed, typed
		}
	}
	if err := p.accounts.ChangeProfile(c.Request.Context(), call.caller, call.owner, values); err != nil {
		p.retry(c, call, err, func(code int, a *page.Alert) {
			wrong := ""
			if e, ok := errors.AsType[*mfa.ClaimError](err); ok {
				wrong = e.Claim
				a = p.page(c, call, nil).Specific(a, wrong)
			}
			p.showProfile(c, call, code, claims, wrong, a)
		})
		return
	}
	if locale := values[mfa.Locale]; locale != "" {
		web.ChooseLanguage(c, locale)
	}
	p.done(c, call, "profile")
}
