// Package budget names what unauthenticated callers can make a server write, so that it can
// be bounded for each network.
package budget

import (
	"time"

	"sallyport/mfa"
)

// Budgets of what callers who have proven nothing make a server write. They protect the
// disk: what protects accounts are the counters of failures.
const (
	Opens       = "opens"       // logins that are stored
	Initiations = "initiations" // tries and new beginnings within them
	Failures    = "failures"    // wrong passwords and codes
	Refusals    = "refusals"    // lines about programs that were refused
	Names       = "names"       // different names asked about
)

// Budgets returns every budget.
func All() []string {
	return []string{Opens, Initiations, Failures, Refusals, Names}
}

// Admit takes so much of a budget for where a visit comes from, or nothing where that
// much is not left: then it returns how long until it is. 0 says that it may go on. With
// an amount of 0 nothing is taken, and the answer is about the next one. A nil Admit
// admits everybody.
type Admit func(v mfa.Caller, budget string, amount int) time.Duration

// Spend is Admit as a refusal.
func (a Admit) Spend(v mfa.Caller, budget string, amount int) error {
	if a == nil {
		return nil
	}
	if wait := a(v, budget, amount); wait > 0 {
		return &mfa.Error{Code: mfa.TooManyRequests, RetryAfter: wait}
	}
	return nil
}
