package input

import (
	"net/netip"
	"strings"
)

// Loopback reports whether a host of an address is this machine, whatever its resolver says: localhost,
// or a loopback address. No network is on the way to it, so plaintext to it is safe.
func Loopback(host string) bool {
	if strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}
