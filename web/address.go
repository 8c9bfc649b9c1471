package web

import (
	"fmt"
	"net/netip"
	"strings"
)

// prefixes parses addresses and CIDR prefixes.
func prefixes(texts []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, t := range texts {
		p, err := netip.ParsePrefix(t)
		if err != nil {
			a, err := netip.ParseAddr(t)
			if err != nil {
				return nil, fmt.Errorf("trusted proxy %q is neither an address nor a prefix", t)
			}
			p = netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen())
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

// address returns the client's IP address. X-Forwarded-For counts only if the peer is a
// trusted proxy: then the address is the right-most entry that is not a trusted proxy,
// because the caller may have written everything left of it.
func (s *server) address(peer string, forwarded []string) string {
	at, ok := parseAddress(peer)
	if !ok {
		return ""
	}
	if !s.trusted(at) {
		return at.String()
	}
	entries := strings.Split(strings.Join(forwarded, ","), ",")
	for i := len(entries) - 1; i >= 0; i-- {
		next, ok := parseAddress(strings.TrimSpace(entries[i]))
		if !ok {
			break // not written by a trusted proxy
		}
		at = next
		if !s.trusted(at) {
			break
		}
	}
	return at.String()
}

func (s *server) trusted(a netip.Addr) bool {
	for _, p := range s.proxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// parseAddress parses an address with or without a port.
func parseAddress(text string) (netip.Addr, bool) {
	if ap, err := netip.ParseAddrPort(text); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	a, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil {
		return netip.Addr{}, false
	}
	return a.Unmap().WithZone(""), true
}
