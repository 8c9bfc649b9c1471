package login

import (
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"sallyport/provider"
	"sallyport/provider/details"
)

// consentPage is the data of the page that asks for consent.
type consentPage struct {
	Scopes      []string // all in question
	Asked       []provider.Asked
	Kept        []string // allowed before
	Destination provider.Destination
	Resources   []string // where the application will use the access
	// Described is the address that describes an application which nobody registered; "": it is
	// registered.
	Described string
	// Unvetted: it is registered, by itself, and nobody here has looked at it.
	Unvetted bool
	From     *origin // of a request that began elsewhere; nil: it began in this browser
	// Lasting: the access outlives the session.
	Lasting bool

	step provider.Step
}

// Details returns the authorization details of the request in the language of the page.
func (p consentPage) Details(lang string) []details.Shown { return p.step.Details(lang) }

func consentPageOf(st provider.Step) consentPage {
	p := consentPage{Scopes: st.Scopes, Asked: st.Asked(), Kept: st.Kept(), Destination: st.Destination, Resources: st.Resources, Lasting: st.Lasting(), From: originOf(st.Polled), step: st}
	if st.Described {
		p.Described = string(st.Client.ID)
	}
	p.Unvetted = st.Unvetted && !st.Described
	return p
}

// Choosable reports whether there is anything to leave out.
func (p consentPage) Choosable() bool {
	return slices.ContainsFunc(p.Asked, func(a provider.Asked) bool { return !a.Required })
}

func (p *Pages) consentForm(c *gin.Context) {
	if call, ok := p.at(c, provider.StepConsent, provider.Ask{}); ok {
		p.look.Write(c, http.StatusOK, "consent", p.page(c, call, consentPageOf(call.Step)))
	}
}

// consent takes the decision. For anything else the page is shown again.
func (p *Pages) consent(c *gin.Context) {
	call, ok := p.at(c, provider.StepConsent, provider.Ask{})
	if !ok {
		return
	}
	var a provider.Answer
	var err error
	switch c.PostForm("decision") {
	case "allow":
		err = p.provider.Allow(c.Request.Context(), call.Step, call.Caller, ticked(c))
	case "deny":
		a, err = p.provider.Cancel(c.Request.Context(), call.Step, call.Caller)
	}
	if err != nil {
		p.fail(c, call, err)
		return
	}
	if a.Location != "" || a.FormPost != nil {
		p.answer(c, call, a)
		return
	}
	p.advance(c)
}

// ticked returns the scopes that the user ticked; nil: the form offers no choice.
func ticked(c *gin.Context) []string {
	if c.PostForm("choice") == "" {
		return nil
	}
	return append([]string{}, c.PostFormArray("scope")...)
}
