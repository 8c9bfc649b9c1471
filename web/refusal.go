package web

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/storage"
)

// Fault is why a request is refused before it reaches a handler.
type Fault struct {
	Status    int
	Code      string // for the log
	Reason    string // for the caller
	Parameter string // the parameter that is too long; "": none, or its name cannot be shown
}

// Codes of faults: the reasons in the log of refusals that no handler decides. docs/errors.md
// lists them.
const (
	CodeNotFound             = "not_found"
	CodeMethodNotAllowed     = "method_not_allowed"
	CodeMediaType            = "unsupported_media_type"
	CodeAddressTooLong       = "address_too_long"
	CodeTooLong              = "body_too_long"
	CodeTooMany              = "too_many_parameters"
	CodeMalformedAddress     = "malformed_address"
	CodeMalformedQuery       = "malformed_query"
	CodeMalformedForm        = "malformed_form"
	CodeMalformedBody        = "malformed_body"
	CodeMalformedCertificate = "malformed_certificate"
	CodeOverloaded           = "overloaded"
	CodeServerError          = "server_error"
	CodeUnavailable          = "temporarily_unavailable"
)

// Refused logs the fault.
func (f Fault) Refused(c *gin.Context) {
	r := mfa.Refusal{Reason: f.Code, Parameter: f.Parameter}
	if f.Parameter == "" { // else the text may hold what the caller chose
		r.Err = errors.New(f.Reason)
	}
	Refused(c, r)
}

// Sentence returns a reason as a sentence.
func Sentence(reason string) string { return strings.ToUpper(reason[:1]) + reason[1:] + "." }

// Refuser is a Surface that writes the engine's refusals of its own addresses (not
// found, wrong method, too large, overloaded, panic) in the format its callers can read.
type Refuser interface {
	Surface
	// Refuse writes a refusal and reports true, or reports false if the address is
	// not one of the surface's.
	Refuse(c *gin.Context, status int, reason string) bool
}

// refuse ends a request: in the format of the surface the address belongs to, else as a
// page for a browser or as JSON for a program.
func (s *server) refuse(c *gin.Context, f Fault) {
	c.Abort()
	f.Refused(c)
	for _, r := range s.refusers {
		if r.Refuse(c, f.Status, f.Reason) {
			return
		}
	}
	if s.o.ErrorPage != nil && strings.Contains(c.GetHeader("Accept"), "text/html") {
		s.o.ErrorPage(c, f)
		return
	}
	WriteJSON(c, f.Status, f.Reason)
}

// WriteJSON writes a refusal as JSON with the members of RFC 6749 section 5.2.
func WriteJSON(c *gin.Context, status int, reason string) {
	code := ErrorCode(status)
	if status == http.StatusNotFound {
		code = "not_found"
	}
	c.JSON(status, struct {
		Error         string `json:"error"`
		Description   string `json:"error_description"`
		CorrelationID string `json:"correlation_id"`
	}{code, reason, Correlation(c)})
}

// ErrorCode returns the error code for a status of 400 and above (RFC 6749 sections
// 4.1.2.1 and 5.2).
func ErrorCode(status int) string {
	switch {
	case status == http.StatusServiceUnavailable:
		return "temporarily_unavailable"
	case status >= http.StatusInternalServerError:
		return "server_error"
	}
	return "invalid_request"
}

// unavailableWait is the Retry-After of a failure that may pass.
const unavailableWait = 5 * time.Second

// FailureStatus returns the status of an unexpected error: 500, or 503 with a
// Retry-After header if a dependency is unreachable, so that the caller may retry.
func FailureStatus(c *gin.Context, err error) int {
	if errors.Is(err, storage.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
		RetryAfter(c, unavailableWait)
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// FailureCode returns the reason in the log for a FailureStatus.
func FailureCode(status int) string {
	if status == http.StatusServiceUnavailable {
		return CodeUnavailable
	}
	return CodeServerError
}

// RetryAfter sets the header of RFC 9110 section 10.2.3 if there is a wait. The header
// counts whole seconds: rounded up, or the next attempt would come too early.
func RetryAfter(c *gin.Context, wait time.Duration) {
	if wait > 0 {
		c.Header("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
	}
}
