package server_test

import (
	"slices"
	"testing"

	"sallyport/cmd/sallyport/servertest"
	"sallyport/mfa"
	"sallyport/storage"
)

// A second factor must raise a login with some first factor to AAL2. One that does not (a
// second secret to know) would never be required, and users who enrolled it could enrol no other.
func TestEverySecondFactorReachesAAL2(t *testing.T) {
	methods := servertest.NewAdminAPI(t).Server.Verifier.Methods()
	for _, second := range methods {
		if second.Second && !slices.ContainsFunc(methods, func(first mfa.Info) bool {
			level, _ := mfa.Assess([]storage.Factor{mfa.FactorOf(first, nil), mfa.FactorOf(second, nil)})
			return first.First && level.AtLeast(mfa.AAL2)
		}) {
			t.Errorf("%s with no first factor reaches AAL2", second.Name)
		}
	}
}
