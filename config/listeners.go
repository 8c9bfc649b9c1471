package config

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"sallyport/config/strict"
	"sallyport/input"
)

func (c Config) checkListeners(r *strict.Reader) {
	for path, address := range map[string]string{"listen": c.Listen, "admin_listen": c.AdminListen} {
		if !validAddress(address) {
			r.Fault(path, "must be an address and a port, such as 127.0.0.1:8080")
		}
	}
	if c.Listen == c.AdminListen && c.Listen != "" {
		r.Fault("admin_listen", "must not be the address of listen")
	}
	if (c.TLS.Cert == "") != (c.TLS.Key == "") {
		r.Fault("tls", "needs both cert and key")
	}
	c.checkAdminListener(r)
	if c.TLS == (TLS{}) && len(c.TrustedProxies) == 0 && strings.HasPrefix(c.Issuer, "https://") {
		r.Fault("trusted_proxies", "is required for an https issuer without tls: name the proxies in front of the server, or all users share their address")
	}
	c.checkProxies(r)
}

// checkAdminListener: everybody on a network can read a key that crosses it in plaintext,
// so that needs a setting and never follows from a wider address alone.
func (c Config) checkAdminListener(r *strict.Reader) {
	host, _, err := net.SplitHostPort(c.AdminListen)
	switch {
	case (c.AdminTLS.Cert == "") != (c.AdminTLS.Key == ""):
		r.Fault("admin_tls", "needs both cert and key")
	case c.AdminTLS != (AdminTLS{}) && c.AdminPlaintext:
		r.Fault("admin_plaintext", "and admin_tls exclude each other")
	case err == nil && c.AdminTLS == (AdminTLS{}) && !c.AdminPlaintext && !input.Loopback(host):
		r.Fault("admin_listen", "is not on loopback, so everybody on that network could read the key: set admin_tls, or admin_plaintext: true for a network that no other machine is on")
	}
}

// proxiesMost is the share of all addresses that trusted proxies must stay below: a trusted
// proxy chooses the address that failures are counted for.
const proxiesMost = 1.0 / 16

func (c Config) checkProxies(r *strict.Reader) {
	var all []proxyNetwork
	for i, text := range c.TrustedProxies {
		network, ok := parseProxy(text)
		if !ok {
			r.Fault(fmt.Sprintf("trusted_proxies[%d]", i), "must be an address or a network such as 10.0.0.0/8")
			continue
		}
		all = append(all, proxyNetwork{i, text, network})
	}
	slices.SortStableFunc(all, func(a, b proxyNetwork) int { return a.network.Bits() - b.network.Bits() })
	reported := -1
	for _, f := range []struct {
		name  string
		share func(netip.Prefix) float64
	}{{"IPv4", share4}, {"global IPv6", share6}} {
		var counted []proxyNetwork
		sum := 0.0
		for _, p := range all {
			if f.share(p.network) == 0 || slices.ContainsFunc(counted, func(o proxyNetwork) bool { return o.network.Overlaps(p.network) }) {
				continue // networks overlap only where one holds the other, and the wider one came first
			}
			counted = append(counted, p)
			if sum += f.share(p.network); sum < proxiesMost {
				continue
			}
			if counted[0].index != reported { // ::/0 holds both families
				tooMany(r, f.name, counted)
			}
			reported = counted[0].index
			break
		}
	}
}

// proxyNetwork is an entry of trusted_proxies.
type proxyNetwork struct {
	index   int
	text    string
	network netip.Prefix
}

func tooMany(r *strict.Reader, family string, which []proxyNetwork) {
	path := fmt.Sprintf("trusted_proxies[%d]", which[0].index)
	if len(which) == 1 {
		r.Fault(path, "is the whole internet, or a sixteenth or more of its %s addresses; name the proxies in front of the server", family)
		return
	}
	var others []string
	for _, p := range which[1:] {
		others = append(others, p.text)
	}
	r.Fault(path, "and %s are together a sixteenth of all %s addresses or more; name the proxies in front of the server", strings.Join(others, ", "), family)
}

// parseProxy reads an address or a network, and turns an IPv4-mapped one into IPv4.
func parseProxy(text string) (netip.Prefix, bool) {
	network, err := netip.ParsePrefix(text)
	if err != nil {
		address, err := netip.ParseAddr(text)
		if err != nil {
			return netip.Prefix{}, false
		}
		network = netip.PrefixFrom(address.WithZone(""), address.BitLen())
	}
	if a := network.Addr(); a.Is4In6() && network.Bits() >= 96 {
		network = netip.PrefixFrom(a.Unmap(), network.Bits()-96)
	}
	return network.Masked(), true
}

// share4 is the share of all IPv4 addresses that a network holds; an IPv6 network may hold
// all of them in mapped form (RFC 4291 section 2.5.5.2).
func share4(p netip.Prefix) float64 {
	switch {
	case p.Addr().Is4():
		return half(p.Bits())
	case p.Contains(netip.AddrFrom16([16]byte{10: 0xff, 11: 0xff})):
		return 1
	}
	return 0
}

// share6 is the share of 2000::/3, the global IPv6 addresses, that a network holds.
func share6(p netip.Prefix) float64 {
	const bits = 3
	global := netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20}), bits)
	switch {
	case p.Addr().Is4() || !p.Overlaps(global):
		return 0
	case p.Bits() <= bits:
		return 1
	}
	return half(p.Bits() - bits)
}

// half returns 1/2 to the power of n.
func half(n int) float64 {
	out := 1.0
	for range n {
		out /= 2
	}
	return out
}
