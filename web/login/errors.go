package login

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/web"
	"sallyport/web/page"
)

// course is how a person gets on after a refusal.
type course int

const (
	again  course = iota // the same form is shown with the reason
	onward               // the login stands elsewhere by now: /continue leads there
	ending               // a page of its own: here it does not go on
)

type refusal struct {
	code int
	path course
}

// refusals maps every reason to its HTTP status and to what comes next. The texts are
// "code.REASON.title" and "code.REASON.text".
var refusals = map[mfa.Code]refusal{
	mfa.InvalidRequest:           {http.StatusUnprocessableEntity, again},
	mfa.UnknownRequest:           {http.StatusBadRequest, ending},
	mfa.RequestOver:              {http.StatusGone, ending},
	mfa.RequestChanged:           {http.StatusSeeOther, onward},
	mfa.NotAllowed:               {http.StatusForbidden, ending},
	mfa.InvalidCredentials:       {http.StatusUnprocessableEntity, again},
	mfa.InvalidPasscode:          {http.StatusUnprocessableEntity, again},
	mfa.Replayed:                 {http.StatusUnprocessableEntity, again},
	mfa.InvalidExchange:          {http.StatusConflict, again},
	mfa.NotConfigured:            {http.StatusConflict, again},
	mfa.TooMany:                  {http.StatusTooManyRequests, again},
	mfa.Locked:                   {http.StatusForbidden, again},
	mfa.TooManyInitiations:       {http.StatusTooManyRequests, ending},
	mfa.TooManyRequests:          {http.StatusTooManyRequests, again},
	mfa.Busy:                     {http.StatusServiceUnavailable, again},
	mfa.EnrollmentExpired:        {http.StatusConflict, again},
	mfa.AlreadyEnrolled:          {http.StatusSeeOther, onward},
	mfa.NotSignedIn:              {http.StatusForbidden, ending},
	mfa.ReauthenticationRequired: {http.StatusForbidden, ending},
	mfa.PasswordTooShort:         {http.StatusUnprocessableEntity, again},
	mfa.PasswordTooLong:          {http.StatusUnprocessableEntity, again},
	mfa.PasswordTooCommon:        {http.StatusUnprocessableEntity, again},
	mfa.PasswordBreached:         {http.StatusUnprocessableEntity, again},
	mfa.PasswordUnchecked:        {http.StatusServiceUnavailable, again},
	mfa.IdentifierTaken:          {http.StatusConflict, again},
	mfa.InvalidIdentifier:        {http.StatusUnprocessableEntity, again},
	mfa.UserNotFound:             {http.StatusNotFound, ending},
}

// errorPage is the data of the page that ends a login.
type errorPage struct{ Onward bool }

// retry shows a form again with the reason, where that can help.
func (p *Pages) retry(c *gin.Context, t turn, err error, show func(code int, a *page.Alert)) {
	r, ok := refusals[mfa.CodeOf(err)]
	if !ok || r.path != again {
		p.fail(c, t, err)
		return
	}
	a, ok := p.reason(c, t, err)
	if !ok {
		return
	}
	show(r.code, &a)
}

// reason puts a refusal into words.
func (p *Pages) reason(c *gin.Context, t turn, err error) (page.Alert, bool) {
	var e *mfa.Error
	errors.As(err, &e)
	a, wrong := p.look.Reason(c, t.visit.Locale, e)
	if wrong != nil {
		p.fail(c, t, wrong)
		return a, false
	}
	return a, true
}

// fail answers what no form can mend.
func (p *Pages) fail(c *gin.Context, t turn, err error) {
	r, known := refusals[mfa.CodeOf(err)]
	if !known {
		code, a := p.look.Unexpected(c, err)
		p.failure(c, t, code, a, true)
		return
	}
	if r.path == onward {
		p.onward(c)
		return
	}
	a, ok := p.reason(c, t, err)
	if !ok {
		return
	}
	// Without its cookie a browser can not continue any login. That says nothing about
	// the request, so it may be told (B-2).
	if mfa.CodeOf(err) == mfa.UnknownRequest && t.visit.Browser == "" && requestOf(c) != "" {
		a.Key = "cookies"
	}
	if mfa.CodeOf(err) == mfa.UnknownRequest && requestOf(c) == "" {
		a.Key = "bookmark"
	}
	p.failure(c, t, r.code, a, r.path == again)
}

// foreign answers a form that is not from a page of ours, or is from one of a browser
// that has lost its cookie since.
func (p *Pages) foreign(c *gin.Context) {
	key := "stale"
	if web.Visit(c).Browser == "" {
		key = "cookies"
	}
	p.failure(c, turn{}, http.StatusForbidden, page.Alert{Key: key}, true)
}

// failure is the page of a reason. onward offers to go on with the login, if one is named.
func (p *Pages) failure(c *gin.Context, t turn, code int, a page.Alert, onward bool) {
	v := p.page(c, t, errorPage{Onward: onward && requestOf(c) != ""})
	v.Request, v.Alert = requestOf(c), &a
	p.look.Write(c, code, "error", v)
}
