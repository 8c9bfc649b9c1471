package login

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/web"
	"sallyport/web/page"
	"sallyport/web/problem"
	"sallyport/web/signin"
)

// course is what a user can do after a refusal.
type course int

const (
	final  course = iota // the login ends on an error page
	again                // the same form is shown with the reason
	onward               // the login is at another step: /continue leads there
)

type refusal struct {
	status int
	course course
}

// refusals maps every code to its HTTP status and its course. The texts are
// "code.CODE.title" and "code.CODE.text".
var refusals = map[mfa.Code]refusal{
	mfa.InvalidRequest:           {http.StatusUnprocessableEntity, again},
	mfa.UnknownRequest:           {http.StatusBadRequest, final},
	mfa.RequestOver:              {http.StatusGone, final},
	mfa.RequestChanged:           {http.StatusSeeOther, onward},
	mfa.NotAllowed:               {http.StatusForbidden, final},
	mfa.InvalidCredentials:       {http.StatusUnprocessableEntity, again},
	mfa.InvalidPasscode:          {http.StatusUnprocessableEntity, again},
	mfa.Replayed:                 {http.StatusUnprocessableEntity, again},
	mfa.InvalidExchange:          {http.StatusConflict, again},
	mfa.NotConfigured:            {http.StatusConflict, again},
	mfa.TooMany:                  {http.StatusTooManyRequests, again},
	mfa.Locked:                   {http.StatusForbidden, again},
	mfa.TooManyInitiations:       {http.StatusTooManyRequests, final},
	mfa.TooManyRequests:          {http.StatusTooManyRequests, again},
	mfa.Busy:                     {http.StatusServiceUnavailable, again},
	mfa.EnrollmentExpired:        {http.StatusConflict, again},
	mfa.AlreadyEnrolled:          {http.StatusSeeOther, onward},
	mfa.LastWay:                  {http.StatusConflict, final},
	mfa.EnrollmentCodeRequired:   {http.StatusForbidden, again},
	mfa.NotSignedIn:              {http.StatusForbidden, final},
	mfa.ReauthenticationRequired: {http.StatusForbidden, final},
	mfa.PasswordTooShort:         {http.StatusUnprocessableEntity, again},
	mfa.PasswordTooLong:          {http.StatusUnprocessableEntity, again},
	mfa.PasswordTooCommon:        {http.StatusUnprocessableEntity, again},
	mfa.PasswordBreached:         {http.StatusUnprocessableEntity, again},
	mfa.PasswordUnchecked:        {http.StatusServiceUnavailable, again},
	mfa.IdentifierTaken:          {http.StatusConflict, again},
	mfa.InvalidIdentifier:        {http.StatusUnprocessableEntity, again},
	mfa.PasscodeExpired:          {http.StatusUnprocessableEntity, again},
	mfa.TooManyMessages:          {http.StatusTooManyRequests, again},
	mfa.AddressNotAllowed:        {http.StatusUnprocessableEntity, again},
	mfa.TermsRequired:            {http.StatusUnprocessableEntity, again},
	mfa.UserNotFound:             {http.StatusNotFound, final},
	mfa.IdentifierNotFound:       {http.StatusNotFound, final},
	mfa.SessionNotFound:          {http.StatusNotFound, final},
	mfa.OtherUser:                {http.StatusConflict, final},
	mfa.DeviceMismatch:           {http.StatusConflict, final},
}

// errorPage is the data of the error page.
type errorPage struct{ Onward bool }

// notices are the texts for the reasons with which a form of another surface sends a user
// back to a page of this one. The page shows nothing else of the address.
var notices = map[string]mfa.Code{
	"invalid_username_password": mfa.InvalidCredentials,
	"invalid_verification":      mfa.InvalidExchange,
}

func notice(c *gin.Context) *page.Alert {
	code, ok := notices[web.Query(c).Get("error")]
	if !ok {
		return nil
	}
	a := page.AlertOf(code)
	return &a
}

// retry shows a form again with the reason of a refusal that the user can correct there.
func (p *Pages) retry(c *gin.Context, call signin.Call, err error, show func(status int, a *page.Alert)) {
	e, r, _ := problem.Lookup(refusals, err)
	if r.course != again {
		p.fail(c, call, err)
		return
	}
	a := p.look.Reason(c, call.Caller.Locale, e)
	show(r.status, &a)
}

// fail responds to an error that the user cannot correct in a form.
func (p *Pages) fail(c *gin.Context, call signin.Call, err error) {
	e, r, known := problem.Lookup(refusals, err)
	if !known {
		status, a := p.look.Unexpected(c, err)
		p.failure(c, call, status, a, true)
		return
	}
	if r.course == onward {
		p.onward(c)
		return
	}
	if requestOf(c) == "" {
		web.Refused(c, mfa.Refusal{Parameter: "requestId"})
	}
	a := p.look.Reason(c, call.Caller.Locale, e)
	// Without its cookie a browser cannot continue any login. That reveals nothing of the
	// request, so the page may say so (B-2).
	if e.Code == mfa.UnknownRequest && call.Caller.Browser == "" && requestOf(c) != "" {
		a.Key = "cookies"
		if c.Request.Method == http.MethodGet {
			a.Key = "reopened"
		}
	}
	if e.Code == mfa.UnknownRequest && requestOf(c) == "" {
		a.Key = "bookmark"
	}
	p.failure(c, call, r.status, a, r.course == again)
}

// foreign responds to a form that is not from the server's own pages, or whose browser has
// lost its cookie since.
func (p *Pages) foreign(c *gin.Context) {
	key := "stale"
	if web.Caller(c).Browser == "" {
		key = "cookies"
	}
	p.failure(c, signin.Call{}, http.StatusForbidden, page.Alert{Key: key}, true)
}

// failure shows the error page. onward offers to continue the login that the request names.
func (p *Pages) failure(c *gin.Context, call signin.Call, status int, a page.Alert, onward bool) {
	v := p.page(c, call, errorPage{Onward: onward && requestOf(c) != ""})
	v.Request, v.Alert = requestOf(c), &a
	p.look.Write(c, status, "error", v)
}

// Refusal shows the error page for a request that reaches no handler; it is
// web.Options.ErrorPage.
func (p *Pages) Refusal(c *gin.Context, f web.Fault) {
	key, status := "status.400", f.Status
	switch {
	case status == http.StatusRequestURITooLong && f.Parameter != "":
		key = "status.414"
	case status == http.StatusNotFound || status == http.StatusMethodNotAllowed:
		key = "status.404"
	case status == http.StatusServiceUnavailable:
		key = "status.503"
	case status >= http.StatusInternalServerError:
		key = "status.500"
	}
	p.failure(c, signin.Call{}, status, page.Alert{Key: key, Params: map[string]string{"Parameter": f.Parameter}}, false)
}
