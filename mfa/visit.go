package mfa

import "net/netip"

// Visit is who is calling and from where: read once by the surface, needed for
// binding, throttling and the audit trail.
type Visit struct {
	Browser       string // value of the binding cookie; "": none
	Device        string // value of the device cookie; "": none
	Origin        string // Origin header; "": none
	Address       string // client address, forwarded headers already resolved
	UserAgent     string
	CorrelationID string
	Locale        string // best language of ours for the caller: "en", "de"
	Actor         string // who acts when it is not the user: "admin", "client", "system"
}

// Network is where a call came from as far as it is counted: one IPv4 address, or the
// /64 of an IPv6 address, which one line is given as a rule (RFC 6177). "": unknown.
func (v Visit) Network() string {
	a, err := netip.ParseAddr(v.Address)
	if err != nil {
		return ""
	}
	a = a.Unmap().WithZone("")
	if a.Is6() {
		return netip.PrefixFrom(a, 64).Masked().String()
	}
	return a.String()
}
