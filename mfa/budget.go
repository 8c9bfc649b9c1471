package mfa

import (
	"time"
)

// Budgets of what callers who have proven nothing make a server write. They protect the
// disk: what protects accounts are the counters of failures.
const (
	BudgetOpens       = "opens"       // logins that are stored
	BudgetInitiations = "initiations" // tries and new beginnings within them
	BudgetFailures    = "failures"    // wrong passwords and codes
	BudgetRefusals    = "refusals"    // lines about programs that were refused
	BudgetNames       = "names"       // different names asked about
)

// Budgets returns every budget.
func Budgets() []string {
	return []string{BudgetOpens, BudgetInitiations, BudgetFailures, BudgetRefusals, BudgetNames}
}

// Admit takes so much of a budget for where a visit comes from, or nothing where that
// much is not left: then it returns how long until it is. 0 says that it may go on. With
// an amount of 0 nothing is taken, and the answer is about the next one. A nil Admit
// admits everybody.
type Admit func(v Visit, budget string, amount int) time.Duration

// Spend is Admit as a refusal.
func (a Admit) Spend(v Visit, budget string, amount int) error {
	if a == nil {
		return nil
	}
	if wait := a(v, budget, amount); wait > 0 {
		return &Error{Code: TooManyRequests, RetryAfter: wait}
	}
	return nil
}
