package account

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/web"
	"sallyport/web/page"
	"sallyport/web/problem"
)

// course is what a user can do after a refusal.
type course int

const (
	final   course = iota // an error page leads back to the overview
	again                 // the same form is shown with the reason
	confirm               // a more recent proof is required
)

type refusal struct {
	status int
	course course
}

// refusals maps every code to its HTTP status and its course. The texts are
// "account.code.CODE" if there is one, else "code.CODE".
var refusals = map[mfa.Code]refusal{
	mfa.InvalidRequest:           {http.StatusUnprocessableEntity, again},
	mfa.UnknownRequest:           {http.StatusNotFound, final},
	mfa.RequestOver:              {http.StatusGone, final},
	mfa.RequestChanged:           {http.StatusConflict, final},
	mfa.NotAllowed:               {http.StatusForbidden, final},
	mfa.InvalidCredentials:       {http.StatusUnprocessableEntity, again},
	mfa.InvalidPasscode:          {http.StatusUnprocessableEntity, again},
	mfa.Replayed:                 {http.StatusUnprocessableEntity, again},
	mfa.InvalidExchange:          {http.StatusConflict, again},
	mfa.NotConfigured:            {http.StatusNotFound, final},
	mfa.TooMany:                  {http.StatusTooManyRequests, again},
	mfa.Locked:                   {http.StatusForbidden, again},
	mfa.TooManyInitiations:       {http.StatusTooManyRequests, final},
	mfa.TooManyRequests:          {http.StatusTooManyRequests, again},
	mfa.Busy:                     {http.StatusServiceUnavailable, again},
	mfa.EnrollmentExpired:        {http.StatusConflict, again},
	mfa.AlreadyEnrolled:          {http.StatusConflict, again},
	mfa.LastWay:                  {http.StatusConflict, final},
	mfa.EnrollmentCodeRequired:   {http.StatusForbidden, again},
	mfa.NotSignedIn:              {http.StatusNotFound, final},
	mfa.ReauthenticationRequired: {http.StatusForbidden, confirm},
	mfa.PasswordTooShort:         {http.StatusUnprocessableEntity, again},
	mfa.PasswordTooLong:          {http.StatusUnprocessableEntity, again},
	mfa.PasswordTooCommon:        {http.StatusUnprocessableEntity, again},
	mfa.PasswordBreached:         {http.StatusUnprocessableEntity, again},
	mfa.PasswordUnchecked:        {http.StatusServiceUnavailable, again},
	mfa.IdentifierTaken:          {http.StatusConflict, final},
	mfa.InvalidIdentifier:        {http.StatusUnprocessableEntity, again},
	mfa.PasscodeExpired:          {http.StatusUnprocessableEntity, again},
	mfa.TooManyMessages:          {http.StatusTooManyRequests, again},
	mfa.TermsRequired:            {http.StatusUnprocessableEntity, again},
	mfa.AddressNotAllowed:        {http.StatusUnprocessableEntity, again},
	mfa.UserNotFound:             {http.StatusNotFound, final},
	mfa.IdentifierNotFound:       {http.StatusNotFound, final},
	mfa.SessionNotFound:          {http.StatusNotFound, final},
	mfa.OtherUser:                {http.StatusConflict, final},
	mfa.DeviceMismatch:           {http.StatusConflict, final},
}

// retry shows a form again with the reason of a refusal that the user can correct there.
func (p *Pages) retry(c *gin.Context, call ownerCall, err error, show func(status int, a *page.Alert)) {
	e, r, _ := problem.Lookup(refusals, err)
	if r.course != again {
		p.fail(c, call, err)
		return
	}
	a := p.reason(c, call, e)
	show(r.status, &a)
}

// reason returns the alert for a refusal, with a text of this surface if there is one.
func (p *Pages) reason(c *gin.Context, call ownerCall, e *mfa.Error) page.Alert {
	a := p.look.Reason(c, call.caller.Locale, e)
	if own := "account." + a.Key; p.look.Page(c, call.caller.Locale, nil).Has(own + ".title") {
		a.Key = own
	}
	return a
}

// fail responds to an error that the user cannot correct in a form.
func (p *Pages) fail(c *gin.Context, call ownerCall, err error) {
	e, r, known := problem.Lookup(refusals, err)
	switch {
	case !known:
		status, a := p.look.Unexpected(c, err)
		p.failure(c, call, status, a)
	case r.course == confirm:
		p.showConfirm(c, call)
	default:
		p.failure(c, call, r.status, p.reason(c, call, e))
	}
}

// foreign responds to a form that is not from the server's own pages, or whose browser has
// lost its cookie since.
func (p *Pages) foreign(c *gin.Context) {
	call := ownerCall{caller: web.Caller(c)}
	key := "account.stale"
	if call.caller.Browser == "" {
		key = "cookies"
	}
	p.failure(c, call, http.StatusForbidden, page.Alert{Key: key})
}

// failure shows the error page, which leads back to the overview.
func (p *Pages) failure(c *gin.Context, call ownerCall, status int, a page.Alert) {
	p.show(c, call, status, "account_error", nil, &a)
}
