package mfa

import (
	"net/netip"
	"strings"
)

// Visit is who is calling and from where: read once by the surface, needed for
// binding, throttling and the audit trail.
type Caller struct {
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
// /64 of an IPv6 address, which is one link (RFC 4291 section 2.5.4). "": unknown.
func (v Caller) Network() string {
	a, err := netip.ParseAddr(v.Address)
	if err != nil {
		return ""
	}
	if a = a.Unmap().WithZone(""); a.Is4() {
		return a.String()
	}
	return netip.PrefixFrom(a, 64).Masked().String()
}

// Site is the /48 of an IPv6 address, which one caller may have as a whole (RFC 6177); "":
// unknown, or an IPv4 address.
func (v Caller) Site() string {
	a, err := netip.ParseAddr(v.Address)
	if err != nil || a.Unmap().Is4() {
		return ""
	}
	return netip.PrefixFrom(a.WithZone(""), 48).Masked().String()
}

// agentMax is how many bytes of a user agent are kept.
const agentMax = 256

// Agent returns the user agent, cut to what is kept without cutting a character.
func (v Caller) Agent() string {
	return strings.ToValidUTF8(v.UserAgent[:min(len(v.UserAgent), agentMax)], "")
}
