package selfservice

import "sallyport/mfa"

// Strong reports whether an owner's proofs reach the highest level their factors could,
// disabled factors included. Access to the account must not be easier than access to the
// applications it opens.
func (a *Accounts) Strong(o mfa.Owner) bool {
	given, best := a.verifier.Levels(o)
	return given.AtLeast(best)
}
