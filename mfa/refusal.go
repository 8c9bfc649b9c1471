package mfa

import (
	"context"
	"regexp"
	"strings"

	"sallyport/storage"
)

// Refusal is what the log says about a refused request. The caller is told less.
type Refusal struct {
	Reason    string           // for programs; docs/errors.md lists them
	Event     string           // kind of event in the audit trail; "": none
	Client    storage.ClientID // a registered one, or as Claimed returns it
	Parameter string           // that is missing or wrong
	Value     string           // of the parameter; only those of harmless parameters are logged
	Reference string           // a number in the response besides the correlation id
	Err       error            // the cause
	Operator  bool             // an operator has to act
}

type refusalKey struct{}

// WithRefusal returns a context in which Refused collects why the request is refused.
func WithRefusal(ctx context.Context, r *Refusal) context.Context {
	return context.WithValue(ctx, refusalKey{}, r)
}

// Refused adds to what the log will say about the request. What is already known stays: the code
// that is closest to the cause reports first, and knows most.
func Refused(ctx context.Context, r Refusal) {
	known, ok := ctx.Value(refusalKey{}).(*Refusal)
	if !ok {
		return
	}
	if known.Reason == "" {
		known.Reason = r.Reason
	}
	if known.Event == "" {
		known.Event = r.Event
	}
	if known.Client == "" {
		known.Client = r.Client
	}
	if known.Parameter == "" {
		known.Parameter, known.Value = r.Parameter, r.Value
	}
	if known.Reference == "" {
		known.Reference = r.Reference
	}
	if known.Err == nil {
		known.Err = r.Err
	}
	known.Operator = known.Operator || r.Operator
}

// clientName is an ID that a client can have.
var clientName = regexp.MustCompile(`^[!-~]{1,255}$`)

// Claimed returns the client that a caller claims to be, for a Refusal. It returns "" for what may
// be a secret in the wrong field.
func Claimed(id string) storage.ClientID {
	if !clientName.MatchString(id) || LooksSecret(id) {
		return ""
	}
	return storage.ClientID(id)
}

// LooksSecret reports whether a word may be a secret: 20 or more characters with digits, and
// letters of both cases or no punctuation.
func LooksSecret(word string) bool {
	const digits, lower, upper = "0123456789", "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	return len(word) >= 20 && strings.ContainsAny(word, digits) &&
		(strings.ContainsAny(word, lower) && strings.ContainsAny(word, upper) || strings.Trim(word, digits+lower+upper) == "")
}
