package account

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
	again   course = iota // the same form is shown with the reason
	confirm               // a younger proof is asked for
	ending                // a page of its own: it leads back to the overview
)

type refusal struct {
	code int
	path course
}

// refusals maps every reason to its HTTP status and to what comes next. The texts are
// "account.code.REASON" where this page says it in its own words, else "code.REASON".
var refusals = map[mfa.Code]refusal{
	mfa.InvalidRequest:           {http.StatusUnprocessableEntity, again},
	mfa.UnknownRequest:           {http.StatusNotFound, ending},
	mfa.RequestOver:              {http.StatusGone, ending},
	mfa.RequestChanged:           {http.StatusConflict, ending},
	mfa.NotAllowed:               {http.StatusForbidden, ending},
	mfa.InvalidCredentials:       {http.StatusUnprocessableEntity, again},
	mfa.InvalidPasscode:          {http.StatusUnprocessableEntity, again},
	mfa.Replayed:                 {http.StatusUnprocessableEntity, again},
	mfa.InvalidExchange:          {http.StatusConflict, again},
	mfa.NotConfigured:            {http.StatusNotFound, ending},
	mfa.TooMany:                  {http.StatusTooManyRequests, again},
	mfa.Locked:                   {http.StatusForbidden, again},
	mfa.TooManyInitiations:       {http.StatusTooManyRequests, ending},
	mfa.TooManyRequests:          {http.StatusTooManyRequests, again},
	mfa.Busy:                     {http.StatusServiceUnavailable, again},
	mfa.EnrollmentExpired:        {http.StatusConflict, again},
	mfa.AlreadyEnrolled:          {http.StatusConflict, again},
	mfa.NotSignedIn:              {http.StatusNotFound, ending},
	mfa.ReauthenticationRequired: {http.StatusForbidden, confirm},
	mfa.PasswordTooShort:         {http.StatusUnprocessableEntity, again},
	mfa.PasswordTooLong:          {http.StatusUnprocessableEntity, again},
	mfa.PasswordTooCommon:        {http.StatusUnprocessableEntity, again},
	mfa.PasswordBreached:         {http.StatusUnprocessableEntity, again},
	mfa.PasswordUnchecked:        {http.StatusServiceUnavailable, again},
	mfa.IdentifierTaken:          {http.StatusConflict, ending},
	mfa.InvalidIdentifier:        {http.StatusUnprocessableEntity, ending},
	mfa.UserNotFound:             {http.StatusNotFound, ending},
}

// retry shows a form again with the reason, where that can help.
func (p *Pages) retry(c *gin.Context, t turn, err error, show func(code int, a *page.Alert)) {
	r, ok := refusals[mfa.CodeOf(err)]
	if !ok || r.path != again {
		p.fail(c, t, err)
		return
	}
	if a, ok := p.reason(c, t, err); ok {
		show(r.code, &a)
	}
}

// reason puts a refusal into words, this page's own where it has them.
func (p *Pages) reason(c *gin.Context, t turn, err error) (page.Alert, bool) {
	var e *mfa.Error
	errors.As(err, &e)
	a, wrong := p.look.Reason(c, t.visit.Locale, e)
	if wrong != nil {
		p.fail(c, t, wrong)
		return a, false
	}
	if own := "account." + a.Key; p.look.Page(c, t.visit.Locale, nil).Has(own + ".title") {
		a.Key = own
	}
	return a, true
}

// fail answers what no form can mend.
func (p *Pages) fail(c *gin.Context, t turn, err error) {
	r, known := refusals[mfa.CodeOf(err)]
	if !known {
		code, a := p.look.Unexpected(c, err)
		p.failure(c, t, code, a)
		return
	}
	if r.path == confirm {
		p.again(c, t)
		return
	}
	if a, ok := p.reason(c, t, err); ok {
		p.failure(c, t, r.code, a)
	}
}

// foreign answers a form that is not from a page of ours, or is from one of a browser
// that has lost its cookie since.
func (p *Pages) foreign(c *gin.Context) {
	t := turn{visit: web.Visit(c)}
	key := "account.stale"
	if t.visit.Browser == "" {
		key = "cookies"
	}
	p.failure(c, t, http.StatusForbidden, page.Alert{Key: key})
}

// failure is the page of a reason; it leads back to the overview.
func (p *Pages) failure(c *gin.Context, t turn, code int, a page.Alert) {
	p.show(c, t, code, "account_error", nil, &a)
}
