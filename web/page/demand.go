package page

import (
	"errors"
	"slices"
	"strings"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/storage"
)

// Demand is the form for an enrollment code, as the template "demand" shows it, and the code
// once it was typed. The data of a page that enrols embeds it.
type Demand struct {
	// Wanted, if not nil, is to be met before an enrolment begins.
	Wanted *exchange.EnrollmentDemand
	Typed  string // the right code, which the forms of the enrolment send along; "": none yet
	Mailed bool   // a code was just mailed
}

// CodeField is the name of the field.
const CodeField = "enrollment_code"

// Asks reports whether the code is still to be typed.
func (d Demand) Asks() bool { return d.Wanted != nil && d.Typed == "" }

// Addresses are those that a code is mailed to, as a text shows them; "": none.
func (d Demand) Addresses() string { return strings.Join(d.Wanted.Addresses, ", ") }

// OfEnrollment returns an alert with the text about what the form of an enrolment asks for: the
// enrollment code, or else the method.
func (p Page) OfEnrollment(a *Alert, d Demand, method string, kind storage.IdentifierKind) *Alert {
	if d.Asks() {
		return p.Specific(a, CodeField)
	}
	return p.OfMethod(a, method, kind)
}

// AboutDemand reports whether a refusal to begin an enrolment is about the enrollment code.
func AboutDemand(err error) bool {
	var e *mfa.Error
	return errors.As(err, &e) && slices.Contains([]mfa.Code{mfa.EnrollmentCodeRequired, mfa.InvalidPasscode, mfa.PasscodeExpired, mfa.TooMany, mfa.Locked}, e.Code)
}
