package page

import (
	"log/slog"
	"net/http"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/web"
	"sallyport/web/problem"
)

// Alert says what happened, why, and what to do next. Its texts are KEY.title and KEY.text.
type Alert struct {
	Key  string
	Wait string // how long to wait, as text
	// Params are other values that the texts name.
	Params map[string]string
}

// Reason logs a refusal and returns the alert for it in a language.
func (l *Look) Reason(c *gin.Context, lang string, e *mfa.Error) Alert {
	problem.Refused(c, e)
	a := Alert{Key: "code." + string(e.Code), Params: e.Params}
	if e.RetryAfter > 0 {
		var err error
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
