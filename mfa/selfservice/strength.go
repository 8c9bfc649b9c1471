package selfservice

import (
	"sallyport/mfa"
	"sallyport/storage"
)

// Strong reports whether an owner's proofs are worth as much as their account can prove,
// factors that were switched off included: what opens the account must not be weaker
// than what protects everything it opens.
func (a *Accounts) Strong(o mfa.Owner) bool {
	var all, given []storage.Factor
	for _, i := range (mfa.Table{Methods: a.verifier.Methods()}).Enrolled(&o.Account, true) {
		all = append(all, mfa.ProofOf(i))
	}
	for _, f := range o.Factors {
		if i, ok := a.verifier.Info(f.Method); ok && mfa.StillHolds(&o.Account, i, f) {
			given = append(given, f)
		}
	}
	best, _ := mfa.Assess(all)
	level, _ := mfa.Assess(given)
	return mfa.Rank(level) >= mfa.Rank(best)
}
