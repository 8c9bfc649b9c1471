// Package problem is what surfaces have in common when a call fails: problem details
// (RFC 9457), what the log says about refusals and unexpected errors, and Retry-After.
//
// The status and the words for a reason stay with each surface.
package problem

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/storage"
	"sallyport/web"
)

// Problem is the body of a failed JSON call.
type Problem struct {
	Title     string             `json:"title"`
	Status    int                `json:"status"`
	Code      string             `json:"code"`             // what happened, for programs
	Detail    string             `json:"detail,omitempty"` // the same for the people who read it
	Parameter string             `json:"parameter,omitempty"`
	Exchange  storage.ExchangeID `json:"exchange_id,omitempty"` // of the next attempt
	Faults    Faults             `json:"faults,omitempty"`      // of the body
	Support   string             `json:"support_id"`            // correlation id of the response
	// SupportURL is where users get help; "": nowhere.
	SupportURL string `json:"support_url,omitempty"`
	// UnknownCredential is what PublicKeyCredential.signalUnknownCredential takes.
	UnknownCredential json.RawMessage `json:"unknown_credential,omitempty"`
}

// Write sends the problem and ends the request. It fills in the title and the support id.
func (p Problem) Write(c *gin.Context) {
	parameter := p.Parameter
	if parameter == "" && len(p.Faults) > 0 {
		parameter = p.Faults[0].Field
	}
	web.Refused(c, mfa.Refusal{Reason: p.Code, Parameter: parameter})
	p.Title, p.Support = http.StatusText(p.Status), web.Correlation(c)
	text, err := json.Marshal(p)
	if err != nil {
		panic("problem: cannot be marshalled: " + err.Error()) // strings and numbers always can
	}
	c.Data(p.Status, "application/problem+json", text)
	c.Abort()
}

// Fault is one error in a body.
type Fault struct {
	Line   int    `json:"line,omitempty"`  // in a desired state
	Field  string `json:"field,omitempty"` // "": the whole body
	Detail string `json:"detail"`
}

// Faults are all errors in a body.
type Faults []Fault

// Error lists the faults, one a line.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, x := range f {
		lines[i] = strings.TrimPrefix(x.Field+": "+x.Detail, ": ")
	}
	return strings.Join(lines, "\n")
}

// Lookup finds the refusal that an error carries and what a surface answers to it. It
// reports false for an unexpected error.
func Lookup[R any](refusals map[mfa.Code]R, err error) (*mfa.Error, R, bool) {
	var e *mfa.Error
	if !errors.As(err, &e) {
		var none R
		return nil, none, false
	}
	r, known := refusals[e.Code]
	return e, r, known
}

// Refused logs a refusal and sets Retry-After.
func Refused(c *gin.Context, e *mfa.Error) {
	Explain(c, e)
	web.RetryAfter(c, e.RetryAfter)
}

// Explain logs a refusal.
func Explain(c *gin.Context, e *mfa.Error) {
	web.Refused(c, mfa.Refusal{Reason: string(e.Code), Err: e.Err, Operator: e.NeedsOperator()})
}

// Unexpected logs an unexpected error and returns the status for it. The response
// carries nothing of the error but the support id of its log line (H-11).
func Unexpected(c *gin.Context, err error) int {
	status := web.FailureStatus(c, err)
	web.Refused(c, mfa.Refusal{Reason: web.FailureCode(status), Err: err, Operator: true})
	return status
}
