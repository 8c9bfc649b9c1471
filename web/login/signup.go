package login

import (
	"errors"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/signup"
	"sallyport/provider"
	"sallyport/storage"
	"sallyport/web/page"
	"sallyport/web/problem"
	"sallyport/web/signin"
)

// SignUpPath and InvitationPath are where links of messages lead; the secret of a link follows.
const (
	SignUpPath     = "/signup/"
	InvitationPath = "/invitation/"
)

const (
	signUpPath     = "/signup"
	signUpCodePath = "/signup/code"
	createPath     = "/signup/create"
)

// WithSignUps returns the pages with those for people who have no account; nil: nobody can sign up,
// and there are no invitations. With the mode signup.Off there are only those.
func (p *Pages) WithSignUps(s *signup.SignUps) *Pages {
	with := *p
	with.signups = s
	return &with
}

// mountSignUps adds the pages for people who have no account. They need no login: a link is opened in
// any browser, long after its login ended.
func (p *Pages) mountSignUps(r gin.IRouter) {
	r.GET(signUpPath, p.signingUp(p.signUpForm))
	r.POST(signUpPath, p.guarded(p.signing(p.signUp)))
	r.GET(signUpCodePath, p.signingUp(p.sentForm(signingUp)))
	r.POST(signUpCodePath, p.guarded(p.signingUp(p.signUpCode)))
	r.GET(createPath, p.signingUp(p.signUpForm))
	r.POST(createPath, p.guarded(p.signing(p.create)))
	r.GET(SignUpPath+":link", p.signing(p.createForm(signup.Purpose)))
	r.GET(InvitationPath+":link", p.signing(p.createForm(signup.Invitation)))
	r.GET("/signed-up", p.signing(p.signedUp))
}

// signing passes on if there are sign-ups.
func (p *Pages) signing(h gin.HandlerFunc) gin.HandlerFunc {
	return func(c *gin.Context) {
		if p.signups == nil {
			p.signUpOff(c)
			return
		}
		h(c)
	}
}

// signingUp passes on if people can sign up for the client of the address.
func (p *Pages) signingUp(h gin.HandlerFunc) gin.HandlerFunc {
	return p.signing(func(c *gin.Context) {
		mode, err := p.signups.ModeOf(c.Request.Context(), clientIn(c))
		switch {
		case err != nil:
			p.fail(c, p.outsider(c), err)
		case mode == signup.Off:
			p.signUpOff(c)
		default:
			h(c)
		}
	})
}

func (p *Pages) signUpOff(c *gin.Context) {
	p.failure(c, signin.Call{}, http.StatusNotFound, page.Alert{Key: "signup.off"}, true)
}

// signUpForm asks for the address and nothing else: what others type must not become part of an
// account.
func (p *Pages) signUpForm(c *gin.Context) {
	address := p.suggested(c, signingUp)
	if i, err := mfa.Identify(address); err != nil || i.Kind != storage.Email {
		address = ""
	}
	p.showAsk(c, signingUp, http.StatusOK, address, nil)
}

// signUp requests a message, and leads to the same page whoever has the address.
func (p *Pages) signUp(c *gin.Context) {
	address := c.PostForm("email")
	err := p.signups.Ask(c.Request.Context(), p.caller(c), address, returnOf(c))
	if mfa.CodeOf(err) == mfa.NotConfigured {
		p.signUpOff(c)
		return
	}
	p.requested(c, signingUp, address, err)
}

// signUpCode leads from a typed code to the page of its link.
func (p *Pages) signUpCode(c *gin.Context) {
	address := c.PostForm("email")
	o, err := p.signups.Guess(c.Request.Context(), p.caller(c), address, c.PostForm("passcode"), returnOf(c))
	p.guessed(c, signingUp, address, SignUpPath+o.Link, err)
}

// createPage is the data of the page on which a person becomes a user.
type createPage struct {
	Link, Purpose, Name string
	Inviter             string // name of who invited; "": none was given, or nobody did
	Fields              []signup.Field
	Terms               signup.Terms
	Accepted            bool // the box of the terms is ticked
	Password            bool // a password can be set up; else only a passkey
	Offer               bool // a passkey can be set up in place of a password
	Fault               string
	Creation            string // state of the passkey that the page asks the browser for
	page.Ceremony
}

// createForm shows what a link allows. It changes nothing, however often a scanner of messages
// fetches it.
func (p *Pages) createForm(purpose string) gin.HandlerFunc {
	return func(c *gin.Context) {
		if o, ok := p.invited(c, purpose, c.Param("link")); ok {
			p.showCreate(c, http.StatusOK, o, createPage{}, nil)
		}
	}
}

// invited reads a link. A link that is not valid any more says so.
func (p *Pages) invited(c *gin.Context, purpose, link string) (signup.Opened, bool) {
	o, err := p.signups.Open(c.Request.Context(), purpose, link)
	switch {
	case err == nil:
		return o, true
	case mfa.CodeOf(err) == mfa.InvalidExchange:
		p.linkGone(c, o, err)
	default:
		p.fail(c, p.outsider(c), err)
	}
	return o, false
}

func (p *Pages) linkGone(c *gin.Context, o signup.Opened, err error) {
	e, _, _ := problem.Lookup(refusals, err)
	a := p.look.Reason(c, "", e)
	a.Key = "signup.gone"
	if o.Purpose == signup.Invitation {
		a.Key = "invitation.gone"
	}
	v := p.outside(c, o.Return, createPage{Purpose: o.Purpose})
	v.Alert, v.Here = &a, ""
	p.look.Write(c, http.StatusGone, "signup_gone", v)
}

// create makes the reader of a link a user, or asks the browser for a passkey first.
func (p *Pages) create(c *gin.Context) {
	purpose := c.PostForm("purpose")
	if purpose != signup.Invitation {
		purpose = signup.Purpose
	}
	o, ok := p.invited(c, purpose, c.PostForm("link"))
	if !ok {
		return
	}
	a := signup.Acceptance{Values: map[string]string{}, Terms: c.PostForm("terms"), Password: c.PostForm("new")}
	d := createPage{Accepted: a.Terms != "" && a.Terms == o.Terms.Version}
	for i, f := range o.Fields {
		a.Values[f.Name] = c.PostForm(f.Name)
		o.Fields[i].Value = c.PostForm(f.Name)
	}
	if c.PostForm("back") != "" {
		p.showCreate(c, http.StatusOK, o, d, nil)
		return
	}
	if c.PostForm("passkey") != "" {
		p.askPasskey(c, o, d, a)
		return
	}
	if a.Creation = c.PostForm("creation"); a.Creation != "" {
		a.Response = page.ResponseOf(c)
	} else if o.Password() && page.Differs(c) {
		d.Fault = "repeat"
		p.showCreate(c, http.StatusUnprocessableEntity, o, d, &page.Alert{Key: "password.differ", Wrong: true})
		return
	}
	done, err := p.signups.Accept(c.Request.Context(), p.caller(c), o, a)
	switch {
	case err == nil:
		p.enter(c, done)
	case mfa.CodeOf(err) == mfa.InvalidExchange:
		p.linkGone(c, o, err)
	default:
		p.refuseCreate(c, o, d, err)
	}
}

// refuseCreate shows the form again with the fault of what was filled in.
func (p *Pages) refuseCreate(c *gin.Context, o signup.Opened, d createPage, err error) {
	p.again(c, err, func(status int, a *page.Alert) {
		if d.Fault = faultOf(err); d.Fault == "new" && !o.Password() {
			d.Fault = "passkey"
		}
		if claim, found := strings.CutPrefix(d.Fault, "claim-"); found {
			a.Key = "signup.claim"
			if strings.TrimSpace(c.PostForm(claim)) == "" {
				a.Key = "signup.missing"
			}
		}
		if d.Fault == "passkey" && mfa.CodeOf(err) != mfa.NotConfigured {
			a.Key, a.Wrong = "signup.passkey", false
			if !o.Password() {
				a.Key = "signup.passkey.alone"
			}
		}
		p.showCreate(c, status, o, d, a)
	})
}

// faultOf returns the field that a refusal is about.
func faultOf(err error) string {
	if e, ok := errors.AsType[*mfa.ClaimError](err); ok {
		return "claim-" + e.Claim
	}
	switch mfa.CodeOf(err) {
	case mfa.TermsRequired:
		return "terms"
	case mfa.InvalidPasscode, mfa.InvalidCredentials, mfa.EnrollmentExpired, mfa.AlreadyEnrolled, mfa.NotConfigured:
		return "passkey"
	}
	return "new"
}

// askPasskey shows the page whose script asks the browser for a passkey.
func (p *Pages) askPasskey(c *gin.Context, o signup.Opened, d createPage, a signup.Acceptance) {
	err := p.signups.Check(o, a)
	if err != nil {
		p.refuseCreate(c, o, d, err)
		return
	}
	asked, err := p.signups.Begin(c.Request.Context(), o)
	if err != nil {
		p.fail(c, p.outsider(c), err)
		return
	}
	d.Creation, d.Ceremony = asked.State, page.Ceremony{Call: "create", Options: string(asked.Options), Begin: page.BeginNow}
	p.showCreate(c, http.StatusOK, o, d, nil)
}

func (p *Pages) showCreate(c *gin.Context, status int, o signup.Opened, d createPage, a *page.Alert) {
	d.Link, d.Purpose, d.Name, d.Inviter, d.Fields, d.Terms = o.Link, o.Purpose, o.Name, o.Inviter, o.Fields, o.Terms
	d.Password, d.Offer = o.Password(), len(o.Methods) > 1
	v := p.outside(c, o.Return, d)
	if v.Alert = v.OfPassword(a); d.Call != "" || c.Request.Method == http.MethodPost {
		v.Here = ""
	}
	v.Passkeys = d.Call != ""
	p.look.Write(c, status, "signup_create", v)
}

// enter goes on with the login that the new user came from, if it waits in this browser and this
// browser began the sign-up: the password or passkey was set up in this very request, so it is
// proven. A link that others caused, or that is opened elsewhere, signs nobody in: they could make
// a browser use their account, or theirs use another's.
func (p *Pages) enter(c *gin.Context, done signup.Accepted) {
	away := page.Path("/signed-up", done.Return.Request, done.Return.Client)
	if !done.SameBrowser || done.Return.Request == "" || requestOf(c) != done.Return.Request {
		page.Redirect(c, away)
		return
	}
	call, err := p.next(c, provider.Ask{Identifier: done.Name, MayBeSealed: true})
	if err != nil || call.Step.Kind != provider.StepIdentify {
		page.Redirect(c, away)
		return
	}
	login, proven := p.provider.WithProof(&call.Step, call.Caller)
	if err := p.verifier.Registered(c.Request.Context(), call.Caller, login, done.Authenticator, done.Proof); err != nil {
		page.Redirect(c, away) // the account exists, whatever the login says
		return
	}
	p.goOn(c, call, proven)
}

// signedUp leads back to where the user came from: to the login, if it waits in this browser, else
// to the application.
func (p *Pages) signedUp(c *gin.Context) {
	call, err := p.next(c, provider.Ask{MayBeSealed: true})
	v := p.outside(c, returnOf(c), errorPage{Onward: err == nil && call.Step.Kind == provider.StepIdentify})
	p.look.Write(c, http.StatusOK, "signed_up", v)
}
