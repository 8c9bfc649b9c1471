package adminclient

import (
	"net"
	"net/netip"
)

// LocalAddress returns a listener's address as a program on the same machine reaches it: one
// can listen at 0.0.0.0, but not connect to it.
func LocalAddress(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case host == "" || err == nil && ip.IsUnspecified() && ip.Is4():
		host = "127.0.0.1"
	case err == nil && ip.IsUnspecified():
		host = "::1"
	}
	return net.JoinHostPort(host, port)
}
