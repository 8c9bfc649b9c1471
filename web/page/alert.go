package page

import (
	"log/slog"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/password"
	"sallyport/web"
	"sallyport/web/problem"
)

// Alert says what happened, why, and what to do next. Its texts are KEY.title and KEY.text.
type Alert struct {
	Key     string
	Wait    string // how long to wait, as text
	Seconds int    // how long to wait; 0: no wait
	Pause   int    // how long the form cannot be sent, in seconds
	Wrong   bool   // what the user typed is wrong
	// Params are other values that the texts name.
	Params map[string]string
}

// wrong are the refusals of what a user typed.
var wrong = []mfa.Code{mfa.InvalidRequest, mfa.InvalidCredentials, mfa.InvalidPasscode, mfa.Replayed, mfa.PasscodeExpired, mfa.PasswordTooShort,
	mfa.PasswordTooLong, mfa.PasswordTooCommon, mfa.PasswordBreached, mfa.IdentifierTaken, mfa.InvalidIdentifier, mfa.AddressNotAllowed}

// AlertOf returns the alert for a refusal without a wait.
func AlertOf(code mfa.Code) Alert {
	return Alert{Key: "code." + string(code), Wrong: slices.Contains(wrong, code)}
}

// Specific returns an alert with the first text there is about one of the subjects, such as
// a method or a kind of address, else with the text it has.
func (p Page) Specific(a *Alert, subjects ...string) *Alert {
	for _, subject := range subjects {
		if a != nil && p.Has(a.Key+"."+subject+".title") {
			out := *a
			out.Key += "." + subject
			return &out
		}
	}
	return a
}

// OfPassword returns an alert with the text about passwords, if it has one.
func (p Page) OfPassword(a *Alert) *Alert { return p.Specific(a, password.Name) }

// Reason logs a refusal and returns the alert for it in a language.
func (l *Look) Reason(c *gin.Context, lang string, e *mfa.Error) Alert {
	problem.Refused(c, e)
	a := AlertOf(e.Code)
	a.Params = e.Params
	if e.RetryAfter > 0 {
		var err error
		if a.Seconds = Seconds(e.RetryAfter); e.Code != mfa.TooManyMessages { // the code of an earlier message can be typed
			a.Pause = a.Seconds
		}
		if a.Wait, err = l.Page(c, lang, nil).wait(e.RetryAfter); err != nil {
			web.Log(c, l.log, slog.LevelError, "text of a wait", slog.Any("error", err))
		}
	}
	return a
}

// Unexpected logs an unexpected error and returns the status and the alert for it (H-11).
func (l *Look) Unexpected(c *gin.Context, err error) (int, Alert) {
	status := problem.Unexpected(c, err)
	if status == http.StatusServiceUnavailable {
		return status, Alert{Key: "status.503"}
	}
	return status, Alert{Key: "status.500"}
}
