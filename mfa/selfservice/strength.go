package selfservice

import (
	"sallyport/mfa"
	"sallyport/storage"
)

// Strong reports whether an owner's proofs reach the highest level their factors could,
// disabled factors included. Access to the account must not be easier than access to the
// applications it opens.
func (a *Accounts) Strong(o mfa.Owner) bool {
	var all, given []storage.Factor
	for _, i := range (mfa.Rules{Methods: a.verifier.Methods()}).EnrolledMethods(&o.Account, true) {
		all = append(all, mfa.FactorOf(i, &o.Account))
	}
	for _, f := range o.Factors {
		if i, ok := a.verifier.Info(f.Method); ok && mfa.FactorValid(&o.Account, i, f) {
			given = append(given, f)
		}
	}
	best, _ := mfa.Assess(all)
	level, _ := mfa.Assess(given)
	return level.AtLeast(best)
}
