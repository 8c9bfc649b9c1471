package mfa

import (
	"crypto/x509"
	"net/netip"
	"strings"

	"sallyport/storage"
)

// ActorClient is the Actor of a program that calls for itself.
const ActorClient = "client"

// Caller describes the HTTP request behind a call, for binding, throttling and the audit
// trail.
type Caller struct {
	Browser       string // value of the binding cookie; "": none
	Session       string // value of the session cookie; "": none
	Device        string // value of the device cookie; "": none
	Remembered    string // value of the cookie of remembered devices; "": none
	Familiar      string // value of the familiar cookie; "": none
	Reading       bool   // a GET, which must not end anything
	Origin        string // Origin header; "": none
	Country       string // of Address, by the operator's file; "": not known
	Address       string // client address, forwarded headers already resolved
	UserAgent     string
	CorrelationID string
	Login         string // names the login of the call among events; "": none
	Locale        string // best supported language of the caller: "en", "de"
	Actor         string // who acts, if not the user: "admin", "client", "system"
	// Certificates are the chain that the caller presented in TLS, its own first: it has proven to
	// have the key of that one, and nothing is known of who issued it. Empty: none.
	Certificates []*x509.Certificate
	// APIKey is the key of a backend that calls for a user; "": none. Events name it.
	APIKey storage.APIKeyID
}

// Network returns the network that calls are counted for: the IPv4 address, or the /64 of
// an IPv6 address, which is one link (RFC 4291 section 2.5.4). "": unknown.
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

// Site returns the /48 of an IPv6 address, the most that one end site is assigned (RFC
// 6177). "": unknown, or an IPv4 address.
func (v Caller) Site() string {
	a, err := netip.ParseAddr(v.Address)
	if err != nil || a.Unmap().Is4() {
		return ""
	}
	return netip.PrefixFrom(a.WithZone(""), 48).Masked().String()
}

const maxAgentBytes = 256

// Agent returns at most maxAgentBytes of the user agent, in whole characters.
func (v Caller) Agent() string {
	return strings.ToValidUTF8(v.UserAgent[:min(len(v.UserAgent), maxAgentBytes)], "")
}
