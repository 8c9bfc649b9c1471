// Package budget names the writes that unauthenticated callers can cause, so that they can be
// limited for each network.
package budget

import (
	"time"

	"sallyport/mfa"
)

// Budgets of writes by unauthenticated callers. They protect the disk; package throttle
// protects accounts.
const (
	Opens         = "opens"         // new logins
	Initiations   = "initiations"   // initiated tries and restarts of logins
	Failures      = "failures"      // wrong passwords and codes
	Refusals      = "refusals"      // refused clients and API keys
	Names         = "names"         // different names that logins list factors for
	Registrations = "registrations" // clients that register themselves, and what is fetched for them
)

// All returns every budget.
func All() []string {
	return []string{Opens, Initiations, Failures, Refusals, Names, Registrations}
}

// Admit takes an amount from a budget of the caller's network and returns 0. If less is left,
// it takes nothing and returns how long until that amount is available. With an amount of 0
// it takes nothing and reports whether 1 is available. A nil Admit allows everything.
type Admit func(v mfa.Caller, budget string, amount int) time.Duration

// Spend calls Admit and returns TooManyRequests if the amount is not available. Callers with
// an API key have no budget: the users of one backend would share it.
func (a Admit) Spend(v mfa.Caller, budget string, amount int) error {
	if a == nil || v.APIKey != "" {
		return nil
	}
	if wait := a(v, budget, amount); wait > 0 {
		return &mfa.Error{Code: mfa.TooManyRequests, RetryAfter: wait}
	}
	return nil
}
