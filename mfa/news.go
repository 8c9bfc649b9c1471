package mfa

import (
	"net/netip"

	"sallyport/storage"
)

// What may be new about the circumstances of a first factor (Factor.New), for the policy SMART.
const (
	NewNothing  = "nothing"
	NewDevice   = "device"   // the user has not proved two factors in the browser yet
	NewNetwork  = "network"  // not from this network
	NewCountry  = "country"  // nor from this country, by the operator's file
	NewUser     = "user"     // the user has never signed in
	NewFailures = "failures" // the user failed in this browser since the last success
)

// News returns what was new when the first factors among proofs were given: the list of the
// newest of them that has one; "": not known, which counts as new.
func (t Rules) News(fs []storage.Factor) string {
	news := ""
	for _, f := range fs {
		if i, ok := t.info(f.Method); ok && i.First {
			news = f.New
		}
	}
	return news
}

// Area returns the network that a caller is recognised by: the /24 of an IPv4 address, the /48
// of an IPv6 address. "": unknown.
func (v Caller) Area() string {
	a, err := netip.ParseAddr(v.Address)
	if err != nil || !a.Unmap().Is4() {
		return v.Site()
	}
	return netip.PrefixFrom(a.Unmap(), 24).Masked().String()
}
