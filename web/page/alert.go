package page

import (
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/web"
)

// Alert says what happened, why, and what to do next. Its texts are KEY.title and KEY.text.
type Alert struct {
	Key  string
	Wait string // how long, in words
	// Params are values that the texts name besides.
	Params map[string]string
}

// Reason writes one log line about a refusal and puts it into words of a language.
func (l *Look) Reason(c *gin.Context, lang string, e *mfa.Error) (Alert, error) {
	level := slog.LevelInfo
	if e.Ours() {
		level = slog.LevelError
	}
	l.log.LogAttrs(c.Request.Context(), level, "refused", slog.String("reason", string(e.Code)),
		slog.Any("cause", e.Err), slog.String("route", c.FullPath()), slog.String("correlation_id", web.Correlation(c)))
	a := Alert{Key: "code." + string(e.Code), Params: e.Params}
	if e.RetryAfter <= 0 {
		return a, nil
	}
	wait, err := l.Page(c, lang, nil).wait(e.RetryAfter)
	if err != nil {
		return a, fmt.Errorf("say how long to wait: %w", err)
	}
	a.Wait = wait
	// RFC 9110 section 10.2.3 counts whole seconds; rounded up, or the next try comes too early.
	c.Header("Retry-After", strconv.Itoa(int((e.RetryAfter+time.Second-1)/time.Second)))
	return a, nil
}

// Unexpected writes one log line about what was not expected. The person is told
// nothing but the number under which it stands there (H-11).
func (l *Look) Unexpected(c *gin.Context, err error) (int, Alert) {
	l.log.LogAttrs(c.Request.Context(), slog.LevelError, "request", slog.Any("error", err),
		slog.String("route", c.FullPath()), slog.String("correlation_id", web.Correlation(c)))
	if web.Unavailable(err) {
		c.Header("Retry-After", "5")
		return http.StatusServiceUnavailable, Alert{Key: "status.503"}
	}
	return http.StatusInternalServerError, Alert{Key: "status.500"}
}
